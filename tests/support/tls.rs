//! A repository that is served by https, with a certificate of the test's own: openssl(1) serves the files of it as they are.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Host;
use super::git::Git;
use super::program;
use super::rfw::Desk;

/// The time it has to start.
const BOUND: Duration = Duration::from_secs(20);
/// Its port.
pub(crate) const PORT: u16 = 8443;

/// A server that runs; ended when dropped.
#[derive(Debug)]
pub(crate) struct Tls {
    child: Child,
    /// Who says that it is who it is.
    pub(crate) authority: PathBuf,
}

impl Tls {
    /// Serves the directory above a repository's own to whoever asks for this address.
    #[track_caller]
    pub(crate) fn serve(desk: &Desk, host: &Host, address: &str, repository: &Git) -> Self {
        publish(repository);
        let (certificate, key) = (desk.file("tls.pem"), desk.file("tls.key"));
        let mut openssl = program::command("openssl");
        openssl
            .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=forge"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-addext", &format!("subjectAltName=IP:{address}")])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        let output = program::run(openssl, b"", BOUND);
        assert!(output.success(), "{output:?}");
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-WWW", "-quiet", "-accept", &PORT.to_string()])
            .arg("-cert")
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .current_dir(repository.path.parent().expect("a directory"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = host.run(|| command.spawn().expect("openssl can be started"));
        let deadline = Instant::now() + BOUND;
        while host.run(|| TcpStream::connect((address, PORT))).is_err() {
            assert!(Instant::now() < deadline, "does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            child,
            authority: certificate,
        }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes what git asks a server of plain files for, under the name that it asks for.
pub(crate) fn publish(repository: &Git) {
    repository.run(&["update-server-info"]);
    let refs = repository.inner("info/refs");
    fs::copy(&refs, repository.inner("info/refs?service=git-upload-pack")).expect("a copy");
}
