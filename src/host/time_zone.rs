//! The time zone that the kernel has been given.
//!
//! The only place of rfw with `unsafe`: the system call has no other way, as the C library's function of that name has
//! answered 0 since glibc 2.31, whatever the kernel says, and no library wraps the call itself.
#![expect(unsafe_code, reason = "a system call that nobody wraps")]

use std::io;

use nix::libc;

/// Minutes west of Greenwich of the kernel's time zone (`sys_tz`), negative is east: the days of the week of `meta day` begin
/// as much later (linux/net/netfilter/nft_meta.c, `nft_meta_weekday`). 0 is UTC, as systemd(1) sets it when the machine
/// starts; hwclock(8) and `timedatectl set-timezone` set others. It is one for the whole machine.
///
/// # Errors
/// When the kernel refuses to tell; Linux never does.
pub fn minutes_west() -> io::Result<i32> {
    // linux/time.h `struct timezone`: minutes west, and a kind of daylight saving that nobody uses.
    let mut zone: [libc::c_int; 2] = [0; 2];
    let nothing = std::ptr::null_mut::<libc::timeval>();
    // SAFETY: the kernel writes two integers to where the second argument points, which are there and are ours, and nothing to
    // the first, which is null; it keeps neither (linux/kernel/time/time.c, `gettimeofday`).
    let answer = unsafe { libc::syscall(libc::SYS_gettimeofday, nothing, zone.as_mut_ptr()) };
    if answer == 0 {
        Ok(zone[0])
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    /// Nobody has given another one to the machines that tests run on; setting it for a test would be for all.
    #[test]
    fn it_is_told() {
        let minutes = super::minutes_west().unwrap();
        assert!((-15 * 60..=13 * 60).contains(&minutes), "{minutes}");
    }
}
