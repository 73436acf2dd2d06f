//! What the service manager is told, by the protocol of sd_notify(3): one datagram with lines to the socket that it
//! names. Without one, nothing is told.
#![expect(
    clippy::disallowed_methods,
    reason = "the service manager speaks through the environment"
)]

use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager.
#[derive(Debug)]
pub struct ServiceManager {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How long it waits for a sign of life before it ends us.
    patience: Option<Duration>,
}

impl ServiceManager {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn from_environment() -> Self {
        let is_for_us = env::var("WATCHDOG_PID")
            .map_or(true, |pid| pid.parse().ok() == Some(std::process::id()));
        let micros = env::var("WATCHDOG_USEC").ok();
        let micros = micros.and_then(|micros| micros.parse().ok());
        Self {
            to: env::var_os("NOTIFY_SOCKET").and_then(|path| connect(&path)),
            patience: micros.filter(|_| is_for_us).map(Duration::from_micros),
        }
    }

    /// How often it wants to hear of us: twice as often as it must.
    pub fn interval(&self) -> Option<Duration> {
        self.to.as_ref()?;
        self.patience.map(|patience| patience / 2)
    }

    /// The daemon does its work.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// It ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// It lives. To be called from the loop only, so that a loop that hangs is noticed.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How it stands, in a line.
    pub fn status(&self, line: &str) {
        self.tell(&format!("STATUS={}", line.replace('\n', " ")));
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.to {
            // A service manager that does not listen is no reason to stop.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

fn connect(path: &OsStr) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match path.as_bytes().split_first()? {
        (b'@', name) => SocketAddr::from_abstract_name(name).ok()?,
        _ => SocketAddr::from_pathname(path).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    // Never wait for it.
    socket.set_nonblocking(true).ok()?;
    Some((socket, address))
}

#[cfg(test)]
mod tests {
    use super::{ServiceManager, connect};
    use std::os::unix::net::UnixDatagram;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn it_hears_what_it_is_told() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/notify-socket");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let manager = ServiceManager {
            to: connect(path.as_os_str()),
            patience: Some(Duration::from_secs(60)),
        };
        assert_eq!(manager.interval(), Some(Duration::from_secs(30)));
        manager.ready();
        manager.status("two\nlines");
        let mut buffer = [0; 64];
        let mut heard = || {
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!(heard(), "READY=1");
        assert_eq!(heard(), "STATUS=two lines");
    }

    #[test]
    fn without_one_nothing_happens() {
        let manager = ServiceManager {
            to: None,
            patience: Some(Duration::from_secs(60)),
        };
        manager.ready();
        assert_eq!(manager.interval(), None);
    }
}
