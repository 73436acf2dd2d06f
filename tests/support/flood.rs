//! Floods: many datagrams while something else happens, counted on both ends.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Host;

/// A flood sends so many datagrams and then leaves the processor to the others for a moment.
const BURST: u64 = 64;
/// That moment.
const PAUSE: Duration = Duration::from_micros(100);

/// A stream of datagrams that must not arrive. The receiver counts the ones that do.
#[derive(Debug)]
pub(crate) struct Blocked {
    stop: Arc<AtomicBool>,
    arrived: Arc<AtomicU64>,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<()>,
}

/// What became of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Those that arrived, or for a [`Stream`] those that were answered.
    pub(crate) arrived: u64,
}

impl Blocked {
    /// Starts to send from `from` to the address `to` of the host `at`.
    #[track_caller]
    pub(crate) fn start(from: &Host, at: &Host, to: &str) -> Self {
        let to: SocketAddr = to.parse().expect("an address and a port");
        let stop = Arc::new(AtomicBool::new(false));
        let arrived = Arc::new(AtomicU64::new(0));
        let sink = at.run(|| UdpSocket::bind(to).expect("a free port"));
        sink.set_read_timeout(Some(Duration::from_millis(50)))
            .expect("SO_RCVTIMEO");
        let receiver = at.spawn({
            let (stop, arrived) = (Arc::clone(&stop), Arc::clone(&arrived));
            move || {
                let mut datagram = [0; 64];
                // One more quiet read after the end: what was under way still counts.
                loop {
                    let last = stop.load(Ordering::SeqCst);
                    match sink.recv(&mut datagram) {
                        Ok(_) => _ = arrived.fetch_add(1, Ordering::SeqCst),
                        Err(_) if last => return,
                        Err(_) => {}
                    }
                }
            }
        });
        let sender = from.spawn({
            let stop = Arc::clone(&stop);
            move || {
                let socket = UdpSocket::bind(unspecified(to)).expect("a port");
                socket.connect(to).expect("a route");
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    if sent % BURST == 0 {
                        thread::sleep(PAUSE);
                    }
                    // An ICMP error for an earlier datagram shows up here and means nothing for this one.
                    sent += u64::from(socket.send(b"flood").is_ok());
                }
                sent
            }
        });
        Self {
            stop,
            arrived,
            sender,
            receiver,
        }
    }

    /// Datagrams that have arrived so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Ends the flood and counts.
    pub(crate) fn stop(self) -> Count {
        let Self {
            stop,
            arrived,
            sender,
            receiver,
        } = self;
        stop.store(true, Ordering::SeqCst);
        let sent = sender.join().expect("the sender lives");
        receiver.join().expect("the receiver lives");
        Count {
            sent,
            arrived: arrived.load(Ordering::SeqCst),
        }
    }
}

/// A stream of questions that must all be answered (the other end is `serve::udp`): one question at a time, each from
/// a port of its own, so that each is a new connection to the rules.
#[derive(Debug)]
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    client: JoinHandle<Count>,
}

impl Stream {
    /// Starts to ask `to` from `from`. An answer may take three seconds before the question counts as lost: on a busy
    /// machine it comes late, and what a rule has dropped never comes.
    #[track_caller]
    pub(crate) fn start(from: &Host, to: &str) -> Self {
        let to: SocketAddr = to.parse().expect("an address and a port");
        let stop = Arc::new(AtomicBool::new(false));
        let client = from.spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut count = Count {
                    sent: 0,
                    arrived: 0,
                };
                while !stop.load(Ordering::Relaxed) {
                    // Each socket and each connection that goes leaves work to RCU; faster than this, whoever waits
                    // for RCU (the end of a transaction does) waits for minutes on a busy machine.
                    thread::sleep(PAUSE);
                    let socket = UdpSocket::bind(unspecified(to)).expect("a port");
                    socket.connect(to).expect("a route");
                    count.sent += 1;
                    count.arrived += u64::from(answered(&socket, Duration::from_secs(3)));
                }
                count
            }
        });
        Self { stop, client }
    }

    /// Ends the stream and counts.
    pub(crate) fn stop(self) -> Count {
        self.stop.store(true, Ordering::SeqCst);
        self.client.join().expect("the client lives")
    }
}

/// Sends one datagram and waits for an answer.
fn answered(socket: &UdpSocket, wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    socket.set_read_timeout(Some(wait)).expect("SO_RCVTIMEO");
    if socket.send(b"question").is_err() {
        return false;
    }
    let mut datagram = [0; 64];
    while Instant::now() < deadline {
        if socket.recv(&mut datagram).is_ok() {
            return true;
        }
    }
    false
}

/// The address that lets the kernel choose, of the same family.
fn unspecified(like: SocketAddr) -> SocketAddr {
    if like.is_ipv6() {
        SocketAddr::from(([0; 16], 0))
    } else {
        SocketAddr::from(([0; 4], 0))
    }
}
