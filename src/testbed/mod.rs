//! Rules in the real kernel, and real packets: the world that proofs make up, built of network namespaces.
//!
//! The box is a namespace with the interfaces, addresses and routes of an [`Environment`]: the same value that the evaluator is
//! given. Each interface is a cable to one other namespace, where nobody is: packets are put on the cables as they are, and a
//! gateway that need not be asked for takes what leaves. Rules are sent by [`crate::netlink`]; a table beside theirs
//! ([`crate::netlink::Witness`]) tells what became of each packet. Nothing is done outside of these namespaces, and they go with
//! the process, however it ends.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `namespace`, `wire` | namespaces; sockets that send |
//! | `layout`, `settings` | addresses and routes as an environment has them; settings as a policy wants them |
//! | `loaded` | the rules on the box |
//! | `frame`, `opening` | packets as bytes; which are sent before another one |
//! | `read`, `checksum` | packets read again; their checksums |
//! | `clock` | rules whose windows are moved in time |
//! | `fate` | what the kernel did with a packet, and whether the evaluator says the same |
//! | `round`, `volley` | packets that can be tried together, and how they are sent |
//! | `trial`, `tried` | all packets of a test, and what has come out |
//!
//! Not here: which packets a test is about, which is [`crate::prove`]'s.

mod checksum;
mod clock;
mod error;
mod fate;
mod frame;
mod layout;
mod loaded;
mod namespace;
mod opening;
mod read;
mod round;
mod settings;
mod trial;
mod tried;
mod volley;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::evaluate::{Environment, Interface, Packet};
use crate::netlink::{CableEnd, Links, Netlink, Seen, Sighting, TraceStep, Traces, Witness};
use crate::system::Settings;
use error::{build, follow};
use fate::Handles;
use layout::Layout;
use loaded::Loaded;
use namespace::Namespace;
use settings::{prepare, rp_filter, wanted, write};
use wire::{Own, Wire};

pub use error::TestbedError;
pub use fate::{Fate, Sight};
pub use trial::{MOST_SENT, try_test};
pub use tried::{Disagreement, LeftOut, Tried};

/// The interface whose packets say that all before them are done with.
const LAST: &str = "rfw-last";
/// The number of such a packet.
const LAST_ID: u16 = u16::MAX;
/// How long the kernel may take until it has done with all packets of a round.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sees to it that this process may make network namespaces: leaves for a user namespace of its own, in which it may do
/// everything, and nothing elsewhere, unless it may make them anyhow. To be called before there is a second thread, and once; what
/// only the user outside may read has to be read before.
///
/// # Errors
/// When there are no namespaces to be had.
pub fn leave() -> Result<(), TestbedError> {
    // Who is root keeps the right to large batches, which a user namespace would take away.
    match Namespace::new() {
        Ok(_) => Ok(()),
        Err(_) => namespace::leave().map_err(TestbedError::Namespace),
    }
}

/// Whether the kernel has flowtables; asked in a namespace that goes at once.
///
/// # Errors
/// When there is no such namespace, or the kernel cannot be asked.
pub fn has_flowtables() -> Result<bool, TestbedError> {
    let namespace = Namespace::new().map_err(TestbedError::Namespace)?;
    let asked = namespace.run(|| {
        let mut kernel = Netlink::open().map_err(TestbedError::Observe)?;
        kernel.has_flowtables().map_err(TestbedError::Commit)
    });
    asked.map_err(TestbedError::Namespace)?
}

/// The box, its links and its rules.
#[derive(Debug)]
pub struct Testbed {
    inside: Namespace,
    _outside: Namespace,
    links: Links,
    kernel: Netlink,
    witness: Witness,
    traces: Traces,
    handles: Handles,
    /// `rp_filter`: 0 for off, 1 for strict, 2 for loose.
    rp_filter: u32,
    wires: BTreeMap<String, Wire>,
    own: Own,
    layout: Layout,
    /// Which of the rules are loaded.
    loaded: Option<Loaded>,
}

/// The hardware address of the box's end of a cable, or of the far one.
fn mac(number: usize, far: bool) -> [u8; 6] {
    let [.., high, low] = number.to_be_bytes();
    // Locally administered (IEEE 802).
    [0x02, b'r', b'f', u8::from(far), high, low]
}

impl Testbed {
    /// A box with the interfaces of an environment, without addresses, routes and rules, and with those of the settings that
    /// decide what becomes of packets; forwarding is always on. The number of each interface is written into the environment's.
    ///
    /// # Errors
    /// When the system refuses one of it.
    pub fn new(interfaces: &[Interface], settings: &Settings) -> Result<Self, TestbedError> {
        pin();
        let inside = Namespace::new().map_err(TestbedError::Namespace)?;
        let outside = Namespace::new().map_err(TestbedError::Namespace)?;
        let names: Vec<&str> = interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .chain([LAST])
            .collect();
        in_namespace(&outside, "turning IPv6 off outside", || {
            write("net/ipv6/conf/default/disable_ipv6", "1")
        })?;
        in_namespace(&inside, "preparing the box", prepare)?;
        let mut links = in_namespace(&inside, "asking for rtnetlink", Links::open)?;
        let mut far = in_namespace(&outside, "asking for rtnetlink", Links::open)?;
        let mut to = BTreeMap::new();
        for (number, name) in names.iter().enumerate() {
            let here = CableEnd {
                name,
                mac: mac(number, false),
            };
            let there = CableEnd {
                name,
                mac: mac(number, true),
            };
            use std::os::fd::AsFd;
            let made = links.cable(here, there, outside.as_fd());
            made.map_err(build(format!("making the interface {name}")))?;
            to.insert((*name).to_owned(), here.mac);
        }
        let indices = in_namespace(&inside, "looking at the box", wire::links)?;
        let indices: BTreeMap<String, u32> = indices
            .into_iter()
            .map(|(name, link)| (name, link.ifindex() as u32))
            .collect();
        let outer = in_namespace(&outside, "looking at the cables", wire::links)?;
        for name in &names {
            let index = |index: Option<u32>| index.unwrap_or_default();
            let turned = links
                .up(index(indices.get(*name).copied()))
                .and_then(|()| far.up(index(outer.get(*name).map(|it| it.ifindex() as u32))));
            turned.map_err(build(format!("turning the interface {name} on")))?;
        }
        links
            .up(1)
            .map_err(build("turning the loopback interface on".to_owned()))?;
        for wanted in wanted(settings, &names) {
            let (path, value) = &wanted;
            in_namespace(&inside, "setting what the policy wants", || {
                write(path, &value.to_string())
            })?;
        }
        let layout = Layout::new(indices, &mut links)
            .map_err(build("introducing the gateways".to_owned()))?;
        let wires = in_namespace(&outside, "opening the cables", || wire::wires(&to))?;
        let own = in_namespace(&inside, "opening raw sockets", Own::open)?;
        let witness = in_namespace(&inside, "making the chains that watch", || {
            Witness::new(LAST)
        })?;
        let traces = in_namespace(
            &inside,
            "listening to what rules packets meet",
            Traces::open,
        )?;
        let kernel = inside
            .run(Netlink::open)
            .map_err(build("asking for nfnetlink".to_owned()))?
            .map_err(TestbedError::Observe)?;
        Ok(Self {
            inside,
            _outside: outside,
            links,
            kernel,
            witness,
            traces,
            handles: Handles::default(),
            rp_filter: rp_filter(settings),
            wires,
            own,
            layout,
            loaded: None,
        })
    }

    /// Does something in the namespace of the box.
    ///
    /// # Errors
    /// When it cannot be entered.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> io::Result<T> {
        self.inside.run(act)
    }

    /// An environment with the numbers that the interfaces have here.
    fn numbered(&self, environment: &Environment) -> Environment {
        let mut environment = environment.clone();
        for interface in &mut environment.interfaces {
            interface.index = self.layout.index(&interface.name);
        }
        environment
    }

    /// Gives the box these addresses and routes, and no others.
    fn arrange(&mut self, environment: &Environment) -> Result<(), TestbedError> {
        let done = self.layout.arrange(environment, &mut self.links);
        done.map_err(|(action, source)| TestbedError::Build { action, source })
    }

    fn forget_connections(&mut self) -> Result<(), TestbedError> {
        let done = self.witness.forget_connections();
        done.map_err(follow("forgetting connections"))
    }

    fn keep_still(&mut self, still: bool) -> Result<(), TestbedError> {
        let done = self.witness.keep_still(still);
        done.map_err(follow("keeping answers back"))
    }

    /// Sends a packet by the cable of an interface, or from the box itself. What a socket of the box refuses to send is not sent.
    fn send(
        &self,
        iif: Option<&str>,
        packet: &[u8],
        destination: std::net::IpAddr,
    ) -> io::Result<()> {
        match iif {
            None => self.own.send(packet, destination),
            Some(name) => match self.wires.get(name) {
                Some(wire) => wire.send(packet),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }

    /// Whether the kernel does not take a packet from there by that interface, whatever the rules (`fib_validate_source`).
    fn filters(&self, packet: &Packet, environment: &Environment) -> bool {
        let Some(iif) = packet.iif.as_deref().filter(|_| !packet.is_v6()) else {
            return false;
        };
        match self.rp_filter {
            0 => false,
            1 => environment.route(packet.source) != Some(iif),
            _ => environment.route(packet.source).is_none(),
        }
    }

    /// Which rules packets have met so far; `None` where so many that not all were told.
    fn steps(&mut self) -> Result<Option<Vec<TraceStep>>, TestbedError> {
        match self.traces.steps() {
            Ok(steps) => Ok(Some(steps)),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => Ok(None),
            Err(error) => Err(follow("listening to what rules packets meet")(error)),
        }
    }

    /// What has been seen so far.
    fn sightings(&mut self) -> Result<Vec<Sighting>, TestbedError> {
        let seen = self.witness.sightings();
        seen.map_err(follow("listening"))
    }

    /// What has been seen once all packets that were sent are done with.
    fn settled(&mut self) -> Result<Vec<Sighting>, TestbedError> {
        let last = frame::last(LAST_ID);
        let sent = self.wires.get(LAST).map(|wire| wire.send(&last));
        sent.unwrap_or(Ok(())).map_err(follow("sending"))?;
        let mut all = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the kernel is waited for")]
        let deadline = Instant::now() + PATIENCE;
        loop {
            for sighting in self.sightings()? {
                let id = read::read(&sighting.packet).map(|(id, _)| id);
                if sighting.seen == Seen::Came && id == Some(LAST_ID) {
                    return Ok(all);
                }
                all.push(sighting);
            }
            #[expect(clippy::disallowed_methods, reason = "the kernel is waited for")]
            let now = Instant::now();
            if deadline < now {
                let source = io::ErrorKind::TimedOut.into();
                return Err(follow("waiting for the last packet")(source));
            }
            #[expect(clippy::disallowed_methods, reason = "the kernel is waited for")]
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

fn in_namespace<T: Send>(
    namespace: &Namespace,
    action: &str,
    act: impl FnOnce() -> io::Result<T> + Send,
) -> Result<T, TestbedError> {
    let done = namespace.run(act).and_then(|done| done);
    done.map_err(build(action.to_owned()))
}

/// Everything that is sent waits in the queue of one processor, in order. Where that is not to be had, the patience of
/// [`Testbed::settled`] has to do.
fn pin() {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this) else {
        return;
    };
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    if let Some(cpu) = first
        && one.set(cpu).is_ok()
    {
        _ = sched_setaffinity(this, &one);
    }
}
