//! The daemon's log: lines on standard error, which journald takes. With the priorities of sd-daemon(3) where it says
//! that it does.
//!
//! A thread of its own writes, so that a reader that has stopped reading (a full pipe, a journal that hangs) never stops
//! the loop; what does not fit is counted.
#![expect(
    clippy::disallowed_methods,
    reason = "whether standard error is the journal stands in the environment"
)]

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Lines that may wait to be written.
const WAITING: usize = 4096;
/// Longer texts are cut.
const LINES: usize = 60;

/// How important a line is; the numbers are those of syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Log {
    lines: Option<SyncSender<(Level, String)>>,
    writer: Option<JoinHandle<()>>,
    lost: u64,
}

impl Log {
    /// Begins to write.
    pub(super) fn open() -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let is_journal = std::env::var_os("JOURNAL_STREAM").is_some();
        let writer = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&receiver, is_journal))
            .ok();
        Self {
            lines: writer.is_some().then_some(sender),
            writer,
            lost: 0,
        }
    }

    /// Says it, line by line.
    pub(super) fn say(&mut self, level: Level, text: &str) {
        if self.lost > 0 && self.send(Level::Warning, format!("{} lines lost", self.lost)) {
            self.lost = 0;
        }
        let count = text.lines().count();
        for line in text.lines().take(LINES) {
            self.send(level, line.to_owned());
        }
        if LINES < count {
            self.send(level, format!("({} lines more)", count - LINES));
        }
    }

    fn send(&mut self, level: Level, line: String) -> bool {
        let Some(lines) = &self.lines else {
            return false;
        };
        let is_sent = lines.try_send((level, line)).is_ok();
        self.lost += u64::from(!is_sent);
        is_sent
    }
}

impl Drop for Log {
    /// What was said is written.
    fn drop(&mut self) {
        drop(self.lines.take());
        if let Some(writer) = self.writer.take() {
            // It never panics; and if it did, there is nobody to tell.
            let _ = writer.join();
        }
    }
}

fn write(lines: &Receiver<(Level, String)>, is_journal: bool) {
    let mut out = io::stderr();
    while let Ok((level, line)) = lines.recv() {
        // Nowhere else to go.
        let _ = match is_journal {
            true => writeln!(out, "<{}>{line}", level as u8),
            false => writeln!(out, "{line}"),
        };
    }
}
