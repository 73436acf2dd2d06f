//! Settings of the box: what it needs to be one, and what a policy wants of it.

use std::io;

use crate::system::{Key, Scope, Settings};

/// Settings of a box that is about to get its interfaces: what is told is told at once and as often as it happens, and addresses
/// are those that it is given.
pub(super) fn prepare() -> io::Result<()> {
    for (path, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/icmp_ratemask", "0"),
        ("net/ipv6/icmp/ratelimit", "0"),
        ("net/ipv6/conf/all/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_dad", "0"),
        // IN6_ADDR_GEN_MODE_NONE
        ("net/ipv6/conf/default/addr_gen_mode", "1"),
    ] {
        write(path, value)?;
    }
    for scope in ["all", "default"] {
        for key in ["rp_filter", "send_redirects"] {
            write(&format!("net/ipv4/conf/{scope}/{key}"), "0")?;
        }
    }
    Ok(())
}

/// What holds for every interface, where the policy says something.
pub(super) fn rp_filter(settings: &Settings) -> u32 {
    let mut all = settings.iter();
    let said = all.find(|setting| setting.key == Key::RpFilter(Scope::All));
    said.map_or(0, |setting| setting.value)
}

/// Those of a policy's settings that decide what becomes of packets; the others are the machine's. Without forwarding there would
/// be nothing to try.
pub(super) fn wanted(settings: &Settings, names: &[&str]) -> Vec<(String, u32)> {
    let mut wanted = Vec::new();
    for setting in settings.iter() {
        match &setting.key {
            Key::Forwarding(_) | Key::Neighbour(..) | Key::ConntrackMax => {}
            Key::RpFilter(Scope::Every) => {
                let every = names.iter().map(|name| {
                    let key = Key::RpFilter(Scope::Interface((*name).to_owned()));
                    (key.path(), setting.value)
                });
                wanted.extend(every);
            }
            key @ (Key::RpFilter(_) | Key::ConntrackTcpLiberal | Key::ConntrackTcpLoose) => {
                wanted.push((key.path(), setting.value));
            }
        }
    }
    wanted
}

#[expect(clippy::disallowed_methods, reason = "settings are files")]
pub(super) fn write(path: &str, value: &str) -> io::Result<()> {
    let path = format!("/proc/sys/{path}");
    std::fs::write(&path, value)
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}
