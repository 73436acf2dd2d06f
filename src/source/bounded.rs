//! A program that gets a time, and no more. How it is started is said by whoever wants it to run.
#![expect(
    clippy::disallowed_methods,
    reason = "waits for programs, by the clock"
)]

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// How long it has to put its things away when it is ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often it is asked whether it is done.
const GLANCE: Duration = Duration::from_millis(10);
/// Most bytes that are read of what it says.
const MOST_WORDS: u64 = 16 << 10;

/// A program that has ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The beginning of what it said on standard error.
    pub(super) said: Vec<u8>,
}

/// Runs a program whose standard error is a pipe, in a group of its own; `None` when it took too long, and was ended with all that it
/// had started.
///
/// # Errors
/// When it cannot be started or waited for.
pub(super) fn run(mut command: Command, longest: Duration) -> io::Result<Option<Ended>> {
    let mut child = command.process_group(0).spawn()?;
    let complaint = child.stderr.take();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut complaint) = complaint {
            // What could be read is all there is to say; the rest is read, so that it does not wait for us.
            let _ = complaint.by_ref().take(MOST_WORDS).read_to_end(&mut bytes);
            let _ = io::copy(&mut complaint, &mut io::sink());
        }
        let _ = tell.send(bytes);
    });
    let Some(status) = wait(&mut child, longest)? else {
        end(&mut child);
        return Ok(None);
    };
    // Somebody that it has left behind may still hold the pipe.
    let said = told.recv_timeout(FAREWELL).unwrap_or_default();
    Ok(Some(Ended { status, said }))
}

/// Waits; `None` when it takes longer.
fn wait(child: &mut Child, longest: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if longest <= began.elapsed() {
            return Ok(None);
        }
        thread::sleep(GLANCE);
    }
}

/// Ends a program and its group: first so that it takes its locks away, then for good. Who cannot be ended is left.
fn end(child: &mut Child) {
    let Ok(group) = i32::try_from(child.id()).map(Pid::from_raw) else {
        return;
    };
    // Not waited for yet, so that the number is nobody else's.
    let _ = killpg(group, Signal::SIGTERM);
    let began = Instant::now();
    let is_over = || {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        !matches!(waitid(Id::Pid(group), flags), Ok(WaitStatus::StillAlive))
    };
    while !is_over() && began.elapsed() < FAREWELL {
        thread::sleep(GLANCE);
    }
    let _ = killpg(group, Signal::SIGKILL);
    let _ = wait(child, FAREWELL);
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::{MOST_WORDS, run};

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    #[test]
    fn who_hangs_is_ended_with_all_that_he_has_started() {
        let began = Instant::now();
        let (read, write) = std::io::pipe().unwrap();
        let mut command = shell("trap '' TERM; sleep 600 & sleep 600");
        command.stdout(write);
        assert!(run(command, Duration::from_millis(200)).unwrap().is_none());
        // Nobody holds the other end any more.
        let rest = std::io::read_to_string(read).unwrap();
        assert_eq!(rest, "");
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn who_talks_is_not_listened_to_for_ever() {
        let ended = run(
            shell("yes >&2 & sleep 0.3; kill $!; exit 3"),
            Duration::from_secs(20),
        );
        let ended = ended.unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.said.len(), MOST_WORDS as usize);
        let missing = run(Command::new("/nonexistent/program"), Duration::from_secs(1));
        assert!(missing.is_err());
    }
}
