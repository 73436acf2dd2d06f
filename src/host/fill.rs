//! How full the kernel's tables are, and what its log says of it.
#![expect(
    clippy::disallowed_methods,
    reason = "reads /proc and the kernel's log"
)]

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use nix::libc;

use crate::health::{Conntrack, LogRecord, kernel_log_record};

/// The connection tracking table of this network namespace; `None` where no connections are tracked.
///
/// # Errors
/// When it is there and cannot be read.
pub fn conntrack() -> io::Result<Option<Conntrack>> {
    let number = |name: &str| -> io::Result<Option<u64>> {
        let path = Path::new("/proc/sys/net/netfilter").join(name);
        match fs::read_to_string(path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (Some(count), Some(max)) = (number("nf_conntrack_count")?, number("nf_conntrack_max")?)
    else {
        return Ok(None);
    };
    let conntrack = Conntrack {
        count,
        max,
        drop: 0,
        early_drop: 0,
        insert_failed: 0,
    };
    // It is gone where the kernel was built without it; the counts are worth knowing without.
    let statistics = fs::read_to_string("/proc/net/stat/nf_conntrack").unwrap_or_default();
    Ok(Some(conntrack.with_statistics(&statistics)))
}

/// The lines of the kernel's log about full tables.
///
/// # Errors
/// When it cannot be read, as without CAP_SYSLOG where `kernel.dmesg_restrict` is set, or in a container.
pub fn kernel_log() -> io::Result<Vec<LogRecord>> {
    use std::os::unix::fs::OpenOptionsExt;
    /// A record is at most this long (kernel/printk/printk.c `PRINTK_MESSAGE_MAX`).
    const LONGEST: usize = 8192;
    /// Far more than the largest log holds.
    const MOST: usize = 1 << 20;
    let mut log = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")?;
    let mut records = Vec::new();
    let mut buffer = [0; LONGEST];
    for _ in 0..MOST {
        match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let record = buffer.get(..length).unwrap_or_default();
                records.extend(kernel_log_record(&String::from_utf8_lossy(record)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // Overwritten while it was read: the next one is there.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}
