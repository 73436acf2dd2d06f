//! Network namespaces that nothing else is in. They go with the process, however it ends.
#![expect(
    clippy::disallowed_methods,
    reason = "namespaces are entered and left by way of files under /proc"
)]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// Leaves for a user namespace in which this process may do everything, and nothing elsewhere. To be called as long as the
/// process has one thread.
pub(super) fn leave() -> io::Result<()> {
    let owner = fs::metadata("/proc/self")?.uid();
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/uid_map", format!("0 {owner} 1\n"))
}

/// A network namespace.
#[derive(Debug)]
pub(super) struct Namespace(File);

impl Namespace {
    /// A new one: a thread makes it and ends, its file keeps it.
    pub(super) fn new() -> io::Result<Self> {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let file = made.join().map_err(|_| ended())?;
        Ok(Self(file?))
    }

    /// Does something there, in a thread that ends with it.
    pub(super) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET)?;
                Ok(act())
            });
            done.join().map_err(|_| ended())?
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn ended() -> io::Error {
    io::Error::other("a thread has ended early")
}
