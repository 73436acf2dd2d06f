//! What a fetched set's source says now.
//!
//! Foreign input is read by programs of their own, so that rfw holds no TLS and no resolver: `curl` for lists on the
//! web, `getent ahosts` for names, which asks whatever the box itself asks (`/etc/hosts`, DNS). They run as `nobody`
//! where rfw is root, with an empty environment but for proxies and certificates, and are ended when they take too
//! long or say too much.
#![expect(
    clippy::disallowed_methods,
    reason = "starts the programs that meet the network"
)]

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::unprivileged::can_become;
use crate::policy::{SetSource, Url};

/// Most bytes of a list.
const LARGEST: usize = 64 << 20;
/// Most bytes of a published checksum.
const LARGEST_SUM: usize = 64 << 10;
/// How long one list may take, in seconds.
const LONGEST: u64 = 60;
/// `nobody`, and its group on most systems.
const NOBODY: u32 = 65_534;
/// What programs that meet the network see of the environment.
pub(super) const PASSED_ON: [&str; 10] = [
    "PATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "all_proxy",
];

/// Why there is no new list.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The program could not be started.
    #[error("cannot run `{program}`: {source}")]
    NoProgram {
        /// Which.
        program: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// It ended without a list.
    #[error("{what}: {said}")]
    Failed {
        /// What was fetched.
        what: String,
        /// What the program said, in one line.
        said: String,
    },
    /// It took too long.
    #[error("{what}: no end after {LONGEST} seconds")]
    TooSlow {
        /// What was fetched.
        what: String,
    },
    /// It said too much.
    #[error("{what}: more than {most} bytes")]
    TooLarge {
        /// What was fetched.
        what: String,
        /// How much was allowed.
        most: usize,
    },
}

/// Fetches a source: a text with one entry a line.
///
/// # Errors
/// Why there is none.
pub fn fetch(source: &SetSource) -> Result<Vec<u8>, FetchError> {
    match source {
        SetSource::Url(url) => download(url, LARGEST),
        SetSource::Dns(name) => resolve(name),
    }
}

/// Fetches a published checksum.
///
/// # Errors
/// Why there is none.
pub fn fetch_sum(url: &Url) -> Result<Vec<u8>, FetchError> {
    download(url, LARGEST_SUM)
}

fn download(url: &Url, most: usize) -> Result<Vec<u8>, FetchError> {
    let redirects = match url.as_str().starts_with("https:") {
        true => "=https",
        false => "=http,https",
    };
    let (seconds, bytes) = (LONGEST.to_string(), most.to_string());
    let arguments = [
        // No ~/.curlrc; has to come first.
        "--disable",
        "--silent",
        "--show-error",
        "--fail",
        "--globoff",
        "--location",
        "--max-redirs",
        "3",
        "--proto",
        "=http,https",
        "--proto-redir",
        redirects,
        "--connect-timeout",
        "10",
        "--max-time",
        &seconds,
        "--max-filesize",
        &bytes,
        "--output",
        "-",
        "--url",
        url.as_str(),
    ];
    run("curl", &arguments, url.to_string(), most)
}

/// `getent ahosts` prints `ADDRESS TYPE NAME` a line, each address up to three times.
fn resolve(name: &str) -> Result<Vec<u8>, FetchError> {
    let what = format!("dns:{name}");
    let output = run("getent", &["ahosts", name], what.clone(), LARGEST_SUM)?;
    let output = String::from_utf8_lossy(&output);
    let words = output
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let addresses: BTreeSet<IpAddr> = words
        .filter_map(|word| word.parse::<IpAddr>().ok())
        .map(|address| address.to_canonical())
        .collect();
    if addresses.is_empty() {
        let said = "the name has no address".to_owned();
        return Err(FetchError::Failed { what, said });
    }
    let lines = addresses.iter().map(|address| format!("{address}\n"));
    Ok(lines.collect::<String>().into_bytes())
}

fn run(
    program: &'static str,
    arguments: &[&str],
    what: String,
    most: usize,
) -> Result<Vec<u8>, FetchError> {
    let mut command = Command::new(program);
    let environment =
        std::env::vars_os().filter(|(key, _)| PASSED_ON.iter().any(|known| key == known));
    command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if nix::unistd::geteuid().is_root() && can_become(NOBODY, NOBODY) {
        command.uid(NOBODY).gid(NOBODY);
    }
    let no_program = |source| FetchError::NoProgram { program, source };
    let mut child = command.spawn().map_err(no_program)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (tell, told) = channel();
    // They end when the program does.
    thread::spawn(move || {
        let complaint = thread::spawn(move || read(err, 4 << 10));
        let output = read(out, most.saturating_add(1));
        let _ = tell.send((output, complaint.join().unwrap_or_default()));
    });
    let read = told.recv_timeout(Duration::from_secs(LONGEST + 5));
    let too_much = read.as_ref().is_ok_and(|(output, _)| output.len() > most);
    if too_much || read.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(no_program)?;
    match read {
        Err(_) => Err(FetchError::TooSlow { what }),
        Ok(_) if too_much => Err(FetchError::TooLarge { what, most }),
        Ok((output, _)) if status.success() => Ok(output),
        Ok((_, complaint)) => {
            let complaint = String::from_utf8_lossy(&complaint);
            let line = complaint.lines().find(|line| !line.trim().is_empty());
            let said = line.map_or_else(
                || match (program, status.code()) {
                    ("getent", Some(2)) => "no such name, or nobody to ask".to_owned(),
                    _ => format!("`{program}` ended with {status}"),
                },
                |line| line.trim().escape_debug().to_string(),
            );
            Err(FetchError::Failed { what, said })
        }
    }
}

fn read(from: Option<impl Read>, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What could be read is all there is to judge.
        let _ = from.take(most as u64).read_to_end(&mut bytes);
    }
    bytes
}
