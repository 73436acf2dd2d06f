//! A host: one network namespace, and the cable between two of them.
//!
//! A namespace lives as long as its [`Host`]: a thread makes it, the file of `/proc/thread-self/ns/net` keeps it, and a
//! thread that wants to act there enters it first. No process is parked in it and nothing is mounted.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};

use super::program::{self, Watch};

/// The time a program gets on a host.
const BOUND: Duration = Duration::from_secs(60);

/// A network namespace with a name for messages. Loopback is up; duplicate address detection is off, so that an IPv6
/// address works at once.
#[derive(Debug)]
pub(crate) struct Host {
    name: String,
    namespace: File,
}

impl Host {
    /// A new host without links.
    pub(crate) fn new(name: &str) -> Self {
        let namespace = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .expect("a network namespace; is this inside `alone`?");
            File::open("/proc/thread-self/ns/net").expect("the namespace of this thread")
        });
        Self::of(name, namespace.join().expect("a network namespace"))
    }

    /// The one that a program makes for itself, which is waited for. The host outlives the program.
    #[track_caller]
    pub(crate) fn of_program(name: &str, process: u32) -> Self {
        let own = fs::read_link("/proc/thread-self/ns/net").expect("our own namespace");
        let path = format!("/proc/{process}/ns/net");
        let deadline = Instant::now() + BOUND;
        while fs::read_link(&path).expect("it runs") == own {
            assert!(Instant::now() < deadline, "{name}: makes no namespace");
            thread::sleep(Duration::from_millis(1));
        }
        Self::of(name, File::open(&path).expect("its namespace"))
    }

    fn of(name: &str, namespace: File) -> Self {
        let host = Self {
            name: name.to_owned(),
            namespace,
        };
        host.sysctl("net/ipv6/conf/all/accept_dad", "0");
        host.sysctl("net/ipv6/conf/default/accept_dad", "0");
        host.ip("link set lo up");
        host
    }

    /// The name given to it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A path of its namespace for other programs, as long as it lives.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.namespace.as_raw_fd())
    }

    /// Runs `act` on this host, in a thread that ends with it.
    pub(crate) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                enter(&self.namespace);
                act()
            });
            done.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs `act` on this host in a thread of its own.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let namespace = self
            .namespace
            .try_clone()
            .expect("a second handle of the namespace");
        thread::spawn(move || {
            enter(&namespace);
            act()
        })
    }

    /// Runs a program with `input` on its stdin; it must succeed. Returns its stdout.
    #[track_caller]
    pub(crate) fn must(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let output = self.ran(program, arguments, input);
        assert!(
            output.success(),
            "{}: {program} {arguments:?}: {}{}\n{input}",
            self.name,
            output.stdout,
            output.stderr
        );
        output.stdout
    }

    /// Runs a program that may fail: its stdout, or what it says of its failure.
    #[track_caller]
    pub(crate) fn may(
        &self,
        program: &str,
        arguments: &[&str],
        input: &str,
    ) -> Result<String, String> {
        let output = self.ran(program, arguments, input);
        if output.success() {
            Ok(output.stdout)
        } else {
            Err(output.stderr)
        }
    }

    fn ran(&self, program: &str, arguments: &[&str], input: &str) -> program::Output {
        let mut command = program::command(program);
        command.args(arguments);
        self.run(|| program::run(command, input.as_bytes(), BOUND))
    }

    /// Starts a program on this host that tells what happens, such as `nft monitor`.
    #[track_caller]
    pub(crate) fn watch(&self, program: &str, arguments: &[&str]) -> Watch {
        let mut command = program::command(program);
        command.args(arguments);
        let watch = self.run(|| Watch::start(command));
        // It says nothing when it is ready.
        thread::sleep(Duration::from_millis(200));
        watch
    }

    /// Runs lines of `ip` commands (`addr add …`).
    #[track_caller]
    pub(crate) fn ip(&self, lines: &str) {
        self.must("ip", &["-batch", "-"], lines);
    }

    /// Writes a value under `/proc/sys`.
    #[track_caller]
    pub(crate) fn sysctl(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/{key}");
        self.run(|| fs::write(&path, value))
            .unwrap_or_else(|error| panic!("{}: {path} = {value}: {error}", self.name));
    }

    /// Lets this host forward packets of both families.
    pub(crate) fn forward(&self) {
        self.sysctl("net/ipv4/ip_forward", "1");
        self.sysctl("net/ipv6/conf/all/forwarding", "1");
    }
}

/// A cable (a veth pair) between two hosts, both ends up: `link((&client, "eth0"), (&gateway, "eth1"))`.
#[track_caller]
pub(crate) fn link(one: (&Host, &str), other: (&Host, &str)) {
    // `ip` takes a path for a namespace; ours have none but that of our own descriptor.
    let path = other.0.path();
    one.0.ip(&format!(
        "link add {} type veth peer name {} netns {path}\nlink set {} up",
        one.1, other.1, one.1
    ));
    other.0.ip(&format!("link set {} up", other.1));
}

/// Moves this thread into a namespace, for good.
fn enter(namespace: &File) {
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("a namespace can be entered");
}
