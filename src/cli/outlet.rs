//! Where the daemon's metrics are to be had: an answer over HTTP, and a file that is written now and then.
//!
//! The answer is read-only and small: one question at a time, `GET` only, a bounded head, and a bounded time for all of it.
#![expect(
    clippy::disallowed_methods,
    reason = "looks at the clock while it waits for a question"
)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Failure;
use super::{Global, metrics};
use crate::metrics::CONTENT_TYPE;

/// How often the file is written.
const FILE_EVERY: Duration = Duration::from_secs(15);
/// A text that is not older than this is given again: reading the ruleset takes its time.
const FRESH: Duration = Duration::from_secs(1);
/// The most of a question that is read.
const LONGEST: usize = 8192;
/// How long a question and its answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
#[error("cannot answer questions about metrics at `{address}`")]
struct NotListening {
    address: String,
    source: io::Error,
}

/// Begins to answer at an address, and to write the file, where either is wanted. Returns where it answers.
///
/// # Errors
/// When the address cannot be had, or no thread.
pub(super) fn start(
    listen: Option<SocketAddr>,
    file: Option<&Path>,
    global: &Global,
) -> Result<Option<SocketAddr>, Failure> {
    if let Some(file) = file.map(Path::to_owned) {
        let global = global.clone();
        let thread = thread::Builder::new().name("metrics-file".to_owned());
        let write = move || loop {
            // What cannot be read or written now may be the next time; whoever reads the file sees its age.
            let _ = metrics::text(&global).and_then(|text| metrics::write(&text, &file));
            thread::sleep(FILE_EVERY);
        };
        thread.spawn(write).map_err(Failure::world)?;
    }
    let Some(address) = listen else {
        return Ok(None);
    };
    let global = global.clone();
    let made: Mutex<Option<(Instant, String)>> = Mutex::new(None);
    let make = move || {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((at, text)) if at.elapsed() < FRESH => Some(text.clone()),
            _ => {
                let text = metrics::text(&global).ok()?;
                *made = Some((Instant::now(), text.clone()));
                Some(text)
            }
        }
    };
    serve(&address.to_string(), make).map(Some)
}

/// Answers questions for metrics, in a thread of its own, for as long as the process lives. Returns the address it answers at.
///
/// # Errors
/// When the address cannot be had.
fn serve(
    address: &str,
    make: impl Fn() -> Option<String> + Send + 'static,
) -> Result<SocketAddr, Failure> {
    let failed = |source| {
        let address = address.to_owned();
        Failure::world(NotListening { address, source })
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let answer_all = move || {
        for stream in listener.incoming() {
            match stream {
                // Whoever does not listen to the answer has only himself to blame.
                Ok(stream) => drop(answer(stream, &make)),
                // Too many open files, for example: not again at once.
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    };
    let thread = thread::Builder::new().name("metrics".to_owned());
    thread.spawn(answer_all).map_err(failed)?;
    Ok(local)
}

fn answer(mut stream: TcpStream, make: &impl Fn() -> Option<String>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let head = question(&mut stream, deadline)?;
    let (status, kind, body) = match Question::of(&head) {
        Question::Metrics => match make() {
            Some(text) => ("200 OK", CONTENT_TYPE, text),
            None => (
                "503 Service Unavailable",
                "text/plain",
                "the state of rfw cannot be read\n".to_owned(),
            ),
        },
        Question::Other => (
            "404 Not Found",
            "text/plain",
            "only /metrics is here\n".to_owned(),
        ),
        Question::NotGet => (
            "405 Method Not Allowed",
            "text/plain",
            "only GET\n".to_owned(),
        ),
        Question::Bad => ("400 Bad Request", "text/plain", "no HTTP\n".to_owned()),
    };
    let length = body.len();
    // Making the text has taken its time; sending it has its own.
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.flush()
}

/// The head of a question: up to the empty line, or as much as is read at most.
fn question(stream: &mut TcpStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    Ok(head)
}

#[derive(Debug, PartialEq, Eq)]
enum Question {
    Metrics,
    Other,
    NotGet,
    Bad,
}

impl Question {
    fn of(head: &[u8]) -> Self {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(line) else {
            return Self::Bad;
        };
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Self::Bad;
        };
        if !version.starts_with("HTTP/1.") || !head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Self::Bad;
        }
        let path = target.split('?').next().unwrap_or_default();
        match (method, path) {
            ("GET", "/metrics") => Self::Metrics,
            ("GET", _) => Self::Other,
            _ => Self::NotGet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, serve};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::{Duration, Instant};

    /// What comes back when these pieces are sent, one after the other.
    fn ask(address: SocketAddr, pieces: &[&[u8]]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        for piece in pieces {
            // It may have had enough.
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        // A reset is an answer, too.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn it_answers_one_question_and_no_other() {
        let address = serve("127.0.0.1:0", || Some("rfw_info 1\n".to_owned())).unwrap();
        let check = |pieces: &[&[u8]], begin: &str, end: &str| {
            let said = ask(address, pieces);
            assert!(said.starts_with(begin) && said.ends_with(end), "{said}");
        };
        let good = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: 11\r\n";
        let end = "\r\n\r\nrfw_info 1\n";
        check(&[b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"], good, end);
        check(&[b"GET /metrics?x=1 HTTP/1.0\r\n", b"\r\n"], good, end);
        check(
            &[b"GET / HTTP/1.1\r\n\r\n"],
            "HTTP/1.1 404 ",
            "only /metrics is here\n",
        );
        check(
            &[b"POST /metrics HTTP/1.1\r\n\r\n"],
            "HTTP/1.1 405 ",
            "only GET\n",
        );
        check(
            &[b"HEAD /metrics HTTP/1.1\r\n\r\n"],
            "HTTP/1.1 405 ",
            "only GET\n",
        );
        for bad in [
            &b"GET /metrics\r\n\r\n"[..],
            b"\xff\xff\r\n\r\n",
            b"\r\n\r\n",
            b"GET  /metrics HTTP/1.1\r\n\r\n",
        ] {
            check(&[bad], "HTTP/1.1 400 ", "no HTTP\n");
        }
        // Whoever talks too long is not listened to, and whoever is silent is not waited for: the next one gets his answer.
        let long = vec![b'a'; 4 * LONGEST];
        let said = ask(address, &[b"GET /metrics HTTP/1.1\r\n", &long]);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400 "),
            "{said}"
        );
        let begin = Instant::now();
        let silent = TcpStream::connect(address).unwrap();
        check(&[b"GET /metrics HTTP/1.1\r\n\r\n"], good, end);
        assert!(begin.elapsed() < Duration::from_secs(8));
        drop(silent);
        assert!(
            serve(&address.to_string(), || None).is_err(),
            "the address is taken"
        );
        let mute = serve("127.0.0.1:0", || None).unwrap();
        let said = ask(mute, &[b"GET /metrics HTTP/1.1\r\n\r\n"]);
        assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    }
}
