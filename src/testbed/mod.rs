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
//! | `layout` | addresses and routes as an environment has them |
//! | `frame`, `opening` | packets as bytes; which are sent before another one |
//! | `read`, `checksum` | packets read again; their checksums |
//! | `clock` | rules whose windows are moved in time |
//! | `fate` | what the kernel did with a packet, and whether the evaluator says the same |
//! | `round`, `trial` | which packets can be tried together; all packets of a test |
//!
//! Not here: which packets a test is about, which is [`crate::prove`]'s.

mod checksum;
mod clock;
mod fate;
mod frame;
mod layout;
mod namespace;
mod opening;
mod read;
mod round;
mod trial;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::apply::{self, ApplyError, Options};
use crate::bytecode::Program;
use crate::evaluate::{Environment, Interface, Packet};
use crate::kernel::{CommitError, Kernel, ObserveError};
use crate::live::{Generation, Known, Live};
use crate::netlink::{CableEnd, Links, Netlink, Seen, Sighting, TraceStep, Traces, Witness};
use crate::plan::{self, Operation};
use crate::system::{Key, Scope, Settings};
use fate::Handles;
use layout::Layout;
use namespace::Namespace;
use wire::{Own, Wire};

pub use fate::{Fate, Sight};
pub use trial::{Disagreement, LeftOut, MOST_SENT, Tried, try_test};

/// The interface whose packets say that all before them are done with.
const LAST: &str = "rfw-last";
/// The number of such a packet.
const LAST_ID: u16 = u16::MAX;
/// How long the kernel may take until it has done with all packets of a round.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why packets could not be sent through the kernel.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// There are no namespaces for us.
    #[error("cannot make a network namespace to send packets in")]
    Namespace(#[source] io::Error),
    /// The kernel refused a part of it.
    #[error("cannot build the testbed: {action}")]
    Build {
        /// What was being done.
        action: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The rules could not be read.
    #[error("cannot read the rules of the testbed")]
    Observe(#[source] ObserveError),
    /// The kernel does not take the rules.
    #[error("the kernel of the testbed does not take the rules")]
    Load(#[source] Box<ApplyError>),
    /// The kernel does not take rules any more that it has taken before.
    #[error("cannot load the rules of the testbed again")]
    Commit(#[source] CommitError),
    /// Packets are not seen any more.
    #[error("cannot follow packets on the testbed: {action}")]
    Follow {
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

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

/// Rules that are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loaded {
    /// The time to which they were moved; both in nanoseconds since 1970. 0 where they ask for none.
    time: u64,
    /// When.
    at: u64,
}

/// The mark of the table.
const MARK: [u8; 16] = *b"rfw testbed mark";

/// Takes the table away, whether there is one or not.
const AWAY: [Operation; 2] = [Operation::AddTable { mark: MARK }, Operation::DeleteTable];

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

    /// Loads rules as `rfw apply` does, reads them back and compares.
    ///
    /// # Errors
    /// When the kernel does not take them.
    pub fn apply(&mut self, program: &Program) -> Result<(), TestbedError> {
        self.loaded = None;
        let done = match self.make_so(program)? {
            Err(ApplyError::NotSent {
                source: CommitError::TooLarge { .. },
                ..
            }) => {
                // Of schedules that are too long for a user without rights, the windows of these days have to do.
                let now = trial::now();
                let near = clock::moved(program, now, now);
                self.make_so(near.as_ref().unwrap_or(program))?
            }
            done => done,
        };
        done.map_err(|error| TestbedError::Load(Box::new(error)))
    }

    fn make_so(&mut self, program: &Program) -> Result<Result<(), ApplyError>, TestbedError> {
        let live = self.kernel.observe().map_err(TestbedError::Observe)?;
        let plan = plan::plan(&live, program, MARK);
        let options = Options {
            attempts: 3,
            wait: &mut |_| (),
            recheck: false,
        };
        Ok(apply::apply(&mut self.kernel, program, &plan, options).map(|_| ()))
    }

    /// Loads rules that the kernel is known to take into a table that nothing has happened to yet.
    fn load(&mut self, program: &Program) -> Result<(), TestbedError> {
        self.loaded = None;
        let base = self.generation()?;
        let nothing = Live {
            generation: base,
            table: None,
            others: Vec::new(),
        };
        let plan = plan::plan(&nothing, program, MARK);
        // Nobody is disturbed, so all of it is one transaction, unless it is too large for that.
        let at_once = [AWAY.as_slice(), &plan.staging, &plan.commit].concat();
        let base = match self.kernel.commit(base, &at_once) {
            Err(CommitError::TooLarge { .. }) => {
                self.unload()?;
                let base = self.generation()?;
                let base = match plan.staging.is_empty() {
                    true => Ok(base),
                    false => self.kernel.commit(base, &plan.staging),
                };
                base.and_then(|base| self.kernel.commit(base, &plan.commit))
            }
            done => done,
        };
        let base = base.map_err(TestbedError::Commit)?;
        let known = Known::of(base, &program.sets);
        let live = self.kernel.observe_beside(&known);
        let table = live.map_err(TestbedError::Observe)?.table;
        let chains = table.map(|table| table.chains).unwrap_or_default();
        self.handles = Handles::of(&chains);
        Ok(())
    }

    /// Takes the rules away.
    fn unload(&mut self) -> Result<(), TestbedError> {
        self.loaded = None;
        let base = self.generation()?;
        let done = self.kernel.commit(base, &AWAY);
        done.map_err(TestbedError::Commit)?;
        Ok(())
    }

    fn generation(&mut self) -> Result<Generation, TestbedError> {
        self.kernel.generation().map_err(TestbedError::Observe)
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

fn build(action: String) -> impl FnOnce(io::Error) -> TestbedError {
    move |source| TestbedError::Build { action, source }
}

fn follow(action: &'static str) -> impl FnOnce(io::Error) -> TestbedError {
    move |source| TestbedError::Follow { action, source }
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

/// Settings of a box that is about to get its interfaces: what is told is told at once and as often as it happens, and addresses
/// are those that it is given.
fn prepare() -> io::Result<()> {
    for (path, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/icmp_ratemask", "0"),
        ("net/ipv6/icmp/ratelimit", "0"),
        ("net/ipv6/conf/all/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_dad", "0"),
        // IN6_ADDR_GEN_MODE_NONE
        ("net/ipv6/conf/default/addr_gen_mode", "1"),
    ] {
        write(path, value)?;
    }
    for scope in ["all", "default"] {
        for key in ["rp_filter", "send_redirects"] {
            write(&format!("net/ipv4/conf/{scope}/{key}"), "0")?;
        }
    }
    Ok(())
}

/// What holds for every interface, where the policy says something.
fn rp_filter(settings: &Settings) -> u32 {
    let mut all = settings.iter();
    let said = all.find(|setting| setting.key == Key::RpFilter(Scope::All));
    said.map_or(0, |setting| setting.value)
}

/// Those of a policy's settings that decide what becomes of packets; the others are the machine's. Without forwarding there would
/// be nothing to try.
fn wanted(settings: &Settings, names: &[&str]) -> Vec<(String, u32)> {
    let mut wanted = Vec::new();
    for setting in settings.iter() {
        match &setting.key {
            Key::Forwarding(_) | Key::Neighbour(..) | Key::ConntrackMax => {}
            Key::RpFilter(Scope::Every) => {
                let every = names.iter().map(|name| {
                    let key = Key::RpFilter(Scope::Interface((*name).to_owned()));
                    (key.path(), setting.value)
                });
                wanted.extend(every);
            }
            key @ (Key::RpFilter(_) | Key::ConntrackTcpLiberal | Key::ConntrackTcpLoose) => {
                wanted.push((key.path(), setting.value));
            }
        }
    }
    wanted
}

#[expect(clippy::disallowed_methods, reason = "settings are files")]
fn write(path: &str, value: &str) -> io::Result<()> {
    let path = format!("/proc/sys/{path}");
    std::fs::write(&path, value)
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}
