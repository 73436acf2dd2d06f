//! Another box with the same policy: what it says of its digests.
#![expect(
    clippy::disallowed_methods,
    reason = "starts the program that asks the other box"
)]

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Global;
use super::error::{Explained, Failure};
use crate::digest::View;
use crate::metrics;
use crate::view::printable;

/// How long the other box may be silent.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of its metrics that is read.
const LONGEST: u64 = 64 << 20;

#[derive(Debug, thiserror::Error)]
enum PeerError {
    #[error("cannot start `{program}`")]
    NotStarted {
        program: String,
        source: std::io::Error,
    },
    #[error("`{program} {host} rfw digest` has failed ({status})")]
    Failed {
        program: String,
        host: String,
        status: std::process::ExitStatus,
    },
    #[error("`{host}` has answered with something else than digests")]
    Unreadable {
        host: String,
        source: serde_json::Error,
    },
    #[error("`{host}` is no name of a host")]
    NoHost { host: String },
    #[error("cannot get the metrics of `{host}`")]
    NoMetrics { host: String, source: io::Error },
    #[error("the metrics of `{host}` do not tell the digest of its policy")]
    NoDigest { host: String },
}

/// The digests of another box: of a node in agent.yaml, of an address of metrics, or of a host that `program` knows.
pub(super) fn ask(host: &str, program: &str, global: &Global) -> Result<View, Failure> {
    // Else it would be an option of ssh.
    if host.starts_with('-') || host.is_empty() {
        let host = host.to_owned();
        return Err(Failure::world(PeerError::NoHost { host }));
    }
    if let Some(address) = host.strip_prefix("http://") {
        return over_http(host, address);
    }
    let mut peers = global.agent.peers.iter();
    let named = peers.find(|peer| peer.node.as_str() == host);
    match named {
        Some(peer) => over_ssh(&peer.address.to_string(), program),
        None => over_ssh(host, program),
    }
}

fn over_ssh(host: &str, program: &str) -> Result<View, Failure> {
    let mut command = Command::new(program);
    command
        .args([host, "rfw", "digest", "--format", "json", "--rules"])
        .stdin(Stdio::null());
    let answer = command.output().map_err(|source| {
        Failure::world(PeerError::NotStarted {
            program: program.to_owned(),
            source,
        })
    })?;
    let said = String::from_utf8_lossy(&answer.stdout);
    // 1 and 2 may be about its kernel alone; the digests are there all the same.
    View::from_json(&said).map_err(|source| {
        if answer.status.success() {
            let host = host.to_owned();
            return Failure::world(PeerError::Unreadable { host, source });
        }
        let words = String::from_utf8_lossy(&answer.stderr);
        Failure::World(Explained {
            error: Box::new(PeerError::Failed {
                program: program.to_owned(),
                host: host.to_owned(),
                status: answer.status,
            }),
            details: words.lines().take(20).map(printable).collect(),
            now: Vec::new(),
        })
    })
}

/// What the metrics at `address` tell: whether the policy is the same, and whether the box has drifted.
fn over_http(host: &str, address: &str) -> Result<View, Failure> {
    let text = get(address).map_err(|source| {
        let host = host.to_owned();
        Failure::world(PeerError::NoMetrics { host, source })
    })?;
    let host = host.to_owned();
    let told = metrics::read_policy(&text);
    told.ok_or_else(|| Failure::world(PeerError::NoDigest { host }))
}

/// The body of an answer to `GET`; `address` is without the scheme.
fn get(address: &str) -> io::Result<String> {
    let (authority, path) = match address.split_once('/') {
        Some((authority, path)) => (authority, format!("/{path}")),
        None => (address, "/metrics".to_owned()),
    };
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    if !address.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("it is no address"));
    }
    let mut found = authority.to_socket_addrs()?;
    let to = found.next().ok_or_else(|| bad("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| bad("the answer is no HTTP"))?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.0" | "HTTP/1.1"), Some("200")) => Ok(body.to_owned()),
        (_, Some(code)) => Err(bad(&format!("the answer is {}", printable(code)))),
        (_, None) => Err(bad("the answer is no HTTP")),
    }
}
