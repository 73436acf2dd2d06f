//! The socket on which commands ask the daemon: one request, a line of JSON; then lines of JSON until the answer ends.
//!
//! ```text
//! {"request":"wake"}                          look now, and tell how it goes
//! {"request":"status"}                        the report, as in status.json
//! {"request":"plan","repository":…,"commit":…,"quarantine":…}    what a pushed commit would change
//!
//! {"reply":"line","text":…}                   progress, any number of times
//! {"reply":"report","report":{…}}             to `status`
//! {"reply":"done","ok":true,"text":…,…}       the last line to `wake` and `plan`
//! {"reply":"error","text":…}                  the last line when it cannot be answered
//! ```
//!
//! Who may connect is what the file permits (0660: the user of the daemon and its group). A connection has a thread of
//! its own, sizes and times are bounded and there are few at once, so nobody who is slow, loud or silent here keeps the
//! loop from its work.
#![expect(
    clippy::disallowed_methods,
    reason = "a request has a deadline, and a socket that nobody listens on is removed"
)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use serde::{Deserialize, Serialize};

use crate::reconcile::{Report, Revision};

/// The longest request.
const LONGEST_REQUEST: usize = 64 * 1024;
/// The longest line of an answer.
const LONGEST_REPLY: u64 = 16 * 1024 * 1024;
/// How long a request may take to come, and a line of the answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once.
const MOST: usize = 8;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Look at the source now, make it so, and tell how it goes.
    Wake {
        /// The commit that has been pushed, for the log only: what is applied is what the source says then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
    },
    /// The report.
    Status {},
    /// What a commit would change that is pushed, and perhaps still in quarantine. Changes nothing.
    Plan {
        /// The repository.
        repository: PathBuf,
        /// The commit, hexadecimal.
        commit: String,
        /// Where its objects are until the push is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quarantine: Option<PathBuf>,
    },
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Progress.
    Line {
        /// For people, without colour; perhaps several lines.
        text: String,
    },
    /// How the daemon stands.
    Report {
        /// All of it.
        report: Box<Report>,
    },
    /// The end.
    Done {
        /// Whether what was asked for is in force, or could be.
        ok: bool,
        /// What has become of it.
        text: String,
        /// What is in force now.
        applied: Option<Revision>,
        /// The live generation at which that was read back.
        generation: Option<u32>,
    },
    /// It cannot be answered.
    Error {
        /// Why.
        text: String,
    },
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The process.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// The socket, listening.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
}

impl Control {
    /// Listens at the path. Whoever calls this is the only daemon: a socket that is there is left over.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        Ok(Self { listener })
    }

    /// Answers until the process ends. `answer` may take its time: each connection has its own thread.
    pub fn serve<A>(self, answer: A)
    where
        A: Fn(Request, Asked, &mut dyn FnMut(&Reply) -> io::Result<()>) + Send + Sync + 'static,
    {
        let answer = Arc::new(answer);
        let open = Arc::new(AtomicUsize::new(0));
        for stream in self.listener.incoming() {
            let Ok(mut stream) = stream else {
                // No descriptors left: others may free some.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            if MOST <= open.fetch_add(1, Ordering::SeqCst) {
                let _ = stream.set_nonblocking(true);
                let _ = send(&mut stream, &busy());
                open.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let (answer, leave) = (Arc::clone(&answer), Arc::clone(&open));
            let spawned = thread::Builder::new()
                .name("control".to_owned())
                .spawn(move || {
                    // Whoever does not listen to the end has gone.
                    let _ = converse(stream, &*answer);
                    leave.fetch_sub(1, Ordering::SeqCst);
                });
            if spawned.is_err() {
                open.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

/// Asks the daemon; each line of its answer goes to `each`, until the last.
///
/// # Errors
/// When no daemon listens, or the conversation breaks off.
pub fn ask(path: &Path, request: &Request, mut each: impl FnMut(Reply)) -> io::Result<()> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&line(request)?)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut bytes = Vec::new();
        (&mut reader)
            .take(LONGEST_REPLY)
            .read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let reply = serde_json::from_slice(&bytes)?;
        let is_last = !matches!(reply, Reply::Line { .. });
        each(reply);
        if is_last {
            return Ok(());
        }
    }
}

fn busy() -> Reply {
    Reply::Error {
        text: "too many ask at once; try again".to_owned(),
    }
}

fn converse<A>(mut stream: UnixStream, answer: &A) -> io::Result<()>
where
    A: Fn(Request, Asked, &mut dyn FnMut(&Reply) -> io::Result<()>),
{
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = getsockopt(&stream, sockopt::PeerCredentials)?;
    let asked = Asked {
        pid: peer.pid(),
        uid: peer.uid(),
    };
    let request = receive(&mut stream)?;
    match serde_json::from_slice(&request) {
        Ok(request) => {
            answer(request, asked, &mut |reply| send(&mut stream, reply));
            Ok(())
        }
        Err(error) => send(
            &mut stream,
            &Reply::Error {
                text: format!("this is no request: {error}"),
            },
        ),
    }
}

/// One line, whole within its time.
fn receive(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let length = stream.read(&mut buffer)?;
        let read = buffer.get(..length).unwrap_or_default();
        let end = read.iter().position(|byte| *byte == b'\n');
        request.extend_from_slice(read.get(..end.unwrap_or(length)).unwrap_or_default());
        if end.is_some() || length == 0 {
            return Ok(request);
        }
        if LONGEST_REQUEST < request.len() {
            let text = format!("a request has at most {LONGEST_REQUEST} bytes");
            send(stream, &Reply::Error { text })?;
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn send(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    stream.write_all(&line(reply)?)
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::{Asked, Control, MOST, Reply, Request, ask};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};
    use std::thread;
    use std::time::Duration;

    fn socket(name: &str) -> PathBuf {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(format!("control-{name}"))
    }

    fn serve(name: &str) -> PathBuf {
        let path = socket(name);
        let control = Control::open(&path).unwrap();
        thread::spawn(move || {
            control.serve(|request, Asked { uid, .. }, say| {
                for text in ["one", "two"] {
                    let _ = say(&Reply::Line { text: text.into() });
                }
                let _ = say(&Reply::Done {
                    ok: true,
                    text: format!("{request:?} {}", uid == nix::unistd::getuid().as_raw()),
                    applied: None,
                    generation: Some(7),
                });
            });
        });
        path
    }

    fn answer(path: &Path, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let _ = stream.write_all(request);
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    }

    #[test]
    fn a_request_is_answered_line_by_line() {
        let path = serve("lines");
        let mut replies = Vec::new();
        ask(&path, &Request::Status {}, |reply| replies.push(reply)).unwrap();
        assert_eq!(replies.len(), 3);
        assert!(
            matches!(&replies[2], Reply::Done { text, .. } if text == "Status true"),
            "{replies:?}"
        );
        assert!(answer(&path, b"{\"request\":\"wake\"}\n").contains("Wake { revision: None }"));
        assert!(
            answer(
                &path,
                b"{\"request\":\"plan\",\"repository\":\"/r\",\"commit\":\"c\"}\n"
            )
            .contains("quarantine: None")
        );
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        let path = serve("malformed");
        for request in [
            &b"\n"[..],
            b"{}\n",
            b"{\"request\":\"format\"}\n",
            b"{\"request\":\"wake\",\"more\":1}\n",
            b"\xff\xfe\n",
        ] {
            let answer = answer(&path, request);
            assert!(answer.contains("\"reply\":\"error\""), "{answer}");
        }
        let long = vec![b' '; 200_000];
        assert!(!answer(&path, &long).contains("done"));
        assert!(answer(&path, b"{\"request\":\"status\"}\n").contains("done"));
    }

    #[test]
    fn whoever_is_silent_keeps_nobody_out_for_long() {
        let path = serve("flooded");
        let silent: Vec<UnixStream> = (0..MOST + 2)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        thread::sleep(Duration::from_millis(200));
        assert!(answer(&path, b"{\"request\":\"status\"}\n").contains("too many"));
        // A busy machine may take its time to notice that they are silent.
        let answered = (0..40).any(|_| {
            thread::sleep(super::PATIENCE / 10);
            answer(&path, b"{\"request\":\"status\"}\n").contains("done")
        });
        assert!(answered);
        drop(silent);
    }
}
