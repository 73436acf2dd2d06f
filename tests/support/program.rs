//! Runs other programs: always with a time bound, never with our terminal.

use std::env;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// How it ended; by a signal when `timed_out`.
    pub(crate) status: ExitStatus,
    /// All it wrote to stdout.
    pub(crate) stdout: String,
    /// All it wrote to stderr.
    pub(crate) stderr: String,
    /// It was killed because its time was up.
    pub(crate) timed_out: bool,
}

impl Output {
    /// It ended by itself with exit code 0.
    pub(crate) fn success(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// Its exit code.
    ///
    /// # Panics
    /// When a signal ended it.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }
}

/// A command whose program is also looked for in the sbin directories, where `nft` and `ip` live and where the PATH of
/// an ordinary user does not lead.
pub(crate) fn command(program: &str) -> Command {
    let path = env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .env("LC_ALL", "C");
    command
}

/// Runs `command` with `input` on its stdin and collects what it says; kills it after `bound`.
///
/// # Panics
/// When the program cannot be started: a missing tool is never passed over.
#[track_caller]
pub(crate) fn run(mut command: Command, input: &[u8], bound: Duration) -> Output {
    // Not `output()`: that opens /dev/null, which some sandboxes do not let an ordinary user read.
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    thread::scope(|scope| {
        let stdout = scope.spawn(move || read(stdout));
        let stderr = scope.spawn(move || read(stderr));
        scope.spawn(move || {
            // A program may end before it has read everything; its exit code tells.
            let _ = stdin.write_all(input);
        });
        let (status, timed_out) = wait(&mut child, bound);
        Output {
            status,
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
            timed_out,
        }
    })
}

/// A program that runs beside the test and whose words are read at its end.
#[derive(Debug)]
pub(crate) struct Watch {
    child: Child,
    reader: JoinHandle<String>,
}

impl Watch {
    /// Starts it, in the namespace of this thread.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program that can be started");
        let stdout = child.stdout.take().expect("stdout is piped");
        Self {
            child,
            reader: thread::spawn(move || read(stdout)),
        }
    }

    /// Ends it and returns all that it wrote to stdout.
    #[track_caller]
    pub(crate) fn stop(self) -> String {
        let Self { mut child, reader } = self;
        // What happened just now is still on its way.
        thread::sleep(Duration::from_millis(200));
        let early = child.try_wait().expect("the child is ours");
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
        let said = reader.join().expect("a pipe can be read");
        assert!(early.is_none(), "it ended by itself ({early:?}): {said}");
        said
    }
}

/// Waits for a child that may be late, and kills it then.
fn wait(child: &mut Child, bound: Duration) -> (ExitStatus, bool) {
    let deadline = Instant::now() + bound;
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return (status, false);
        }
        if Instant::now() >= deadline {
            child.kill().expect("the child is ours");
            return (child.wait().expect("the child is ours"), true);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// All bytes until the end, as text.
fn read(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("a pipe can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
