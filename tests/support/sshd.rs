//! A real sshd on a host of its own, and somebody who reaches it with a key.
//!
//! It runs in a user namespace of its own as the user `git`, because there it needs nobody else: no separation of privileges,
//! no `/run/sshd`, nothing of `/etc/ssh`. Keys, configuration and log are on the desk; it ends with the test.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Host;
use super::program;
use super::rfw::Desk;

/// The time it has to start.
const BOUND: Duration = Duration::from_secs(20);
/// An unprivileged port.
const PORT: u16 = 2222;

/// What the user `git` may do on an [`Sshd`]'s host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Nothing to its network.
    None,
    /// All, as a user to whom an administrator gives capabilities.
    Network,
}

/// Somebody with an ssh key, and the only home that there is: `root` and `git` of this test both live in it.
#[derive(Debug)]
pub(crate) struct Somebody<'a> {
    desk: &'a Desk,
    home: PathBuf,
}

impl<'a> Somebody<'a> {
    /// Somebody whose home is on the desk, from now on for all programs of this test.
    pub(crate) fn new(desk: &'a Desk) -> Self {
        let home = desk.file("home");
        fs::create_dir_all(home.join(".ssh")).expect("a home");
        let somebody = Self { desk, home };
        keygen(&somebody.home.join(".ssh/id_ed25519"));
        // ssh(1) asks this file, not $HOME. The mount is only there in the namespace of the test.
        let home = somebody.home.display();
        let users = desk.write(
            "passwd",
            &format!("root:x:0:0::{home}:/bin/sh\ngit:x:1000:1000::{home}:/bin/sh\n"),
        );
        let mut mount = program::command("mount");
        mount.args(["--bind", &users, "/etc/passwd"]);
        let output = program::run(mount, b"", BOUND);
        assert!(output.success(), "{output:?}");
        somebody
    }

    /// Knows a host by this name at this address, and its key.
    pub(crate) fn knows(&self, name: &str, address: &str, sshd: &Sshd) {
        self.finds(name, address);
        self.believes(&format!("[{address}]:{PORT} {}", sshd.public_key()));
    }

    /// Has this name in the configuration of ssh.
    pub(crate) fn finds(&self, name: &str, address: &str) {
        // Else an ssh that is on its way writes the hosts that it knew over those of `believes`.
        let text = format!(
            "Host {name}\n  HostName {address}\n  Port {PORT}\n  User git\n  UpdateHostKeys no\n"
        );
        fs::write(self.home.join(".ssh/config"), text).expect("the home can be written");
    }

    /// Knows these hosts and no others.
    pub(crate) fn believes(&self, known_hosts: &str) {
        fs::write(self.home.join(".ssh/known_hosts"), known_hosts)
            .expect("the home can be written");
    }
}

/// A server that runs; ended when dropped.
#[derive(Debug)]
pub(crate) struct Sshd {
    /// Its host, as yet without links.
    pub(crate) host: Host,
    child: Child,
    key: PathBuf,
    log: PathBuf,
}

impl Sshd {
    /// Starts one that lets somebody in as `git`. Programs find `rfw` there, and these variables.
    #[track_caller]
    pub(crate) fn start(
        somebody: &Somebody<'_>,
        name: &str,
        rights: Rights,
        variables: &[(&str, &str)],
    ) -> Self {
        let desk = somebody.desk;
        let key = desk.file(&format!("{name}.key"));
        keygen(&key);
        let bin = desk.file(&format!("{name}.bin"));
        fs::create_dir_all(&bin).expect("a directory on the desk");
        symlink(env!("CARGO_BIN_EXE_rfw"), bin.join("rfw")).expect("a link on the desk");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
        let set: Vec<String> = [("PATH", path.as_str())]
            .iter()
            .chain(variables)
            .map(|(key, value)| format!("\"{key}={value}\""))
            .collect();
        let config = desk.write(
            &format!("{name}.sshd"),
            &format!(
                "Port {PORT}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPidFile none\nUsePAM no\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv {}\n",
                key.display(),
                somebody.home.join(".ssh/id_ed25519.pub").display(),
                set.join(" "),
            ),
        );
        let log = desk.file(&format!("{name}.log"));
        let (sshd, libraries) = found();
        let mut command = program::command("unshare");
        command.args(["--user", "--map-user=1000", "--map-group=1000", "--net"]);
        if rights == Rights::Network {
            command.arg("--keep-caps");
        }
        command
            .arg("--")
            .arg(sshd)
            .args(["-D", "-e", "-f", &config])
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).expect("a log on the desk"));
        let child = command.spawn().expect("unshare can be started");
        let host = Host::of_program(name, child.id());
        let sshd = Self {
            host,
            child,
            key,
            log,
        };
        let deadline = Instant::now() + BOUND;
        while sshd
            .host
            .run(|| TcpStream::connect(("127.0.0.1", PORT)))
            .is_err()
        {
            assert!(Instant::now() < deadline, "does not start: {}", sshd.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        sshd
    }

    /// Its key as files of known hosts have it.
    pub(crate) fn public_key(&self) -> String {
        fs::read_to_string(self.key.with_extension("key.pub")).expect("a key")
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new key pair in this file and the one beside it.
fn keygen(file: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]);
    command.arg(file);
    let output = program::run(command, b"", BOUND);
    assert!(output.success(), "{output:?}");
}

/// The sshd of this machine, or the one that scripts/setup.sh has put beside the tests; and where its libraries are.
#[track_caller]
fn found() -> (PathBuf, PathBuf) {
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sshd");
    for root in [Path::new("/"), &beside] {
        let program = root.join("usr/sbin/sshd");
        if program.is_file() {
            return (program, root.join("usr/lib/sshd"));
        }
    }
    panic!(
        "there is no sshd; `. scripts/setup.sh && need_sshd` fetches one that starts nothing by itself"
    );
}
