//! The file that keeps the settings over a reboot: sysctl.d(5), read by systemd-sysctl(8) and sysctl(8).
//!
//! A line that begins with `-` may fail: what it sets is not there without IPv6, or before connections are
//! tracked. `rfw apply` at boot sets it then.

use super::{Key, Settings};

/// What every file of ours begins with, and no other does.
const FIRST: &str = "# rfw wrote this file from its policy";

const REST: &str = "; the next `rfw apply` undoes edits and `rfw remove` takes it away.
# To change a setting, change the section `sysctl` of the policy.
";

/// The text that keeps these settings; `None` when there are none.
pub fn text_of(settings: &Settings) -> Option<String> {
    if settings.is_empty() {
        return None;
    }
    let lines = settings.iter().map(|setting| {
        let may_fail = match setting.key {
            Key::Forwarding(_) | Key::Neighbour(..) => setting.key.is_ipv6(),
            Key::ConntrackMax
            | Key::ConntrackTcpLiberal
            | Key::ConntrackTcpLoose
            | Key::RpFilter(_) => true,
        };
        let mark = if may_fail { "-" } else { "" };
        format!("{mark}{} = {}\n", setting.key, setting.value)
    });
    Some(format!("{FIRST}{REST}{}", lines.collect::<String>()))
}

/// Whether rfw has written this file, whatever was done to it since.
pub fn is_ours(text: &str) -> bool {
    text.starts_with(FIRST)
}

/// The settings that a file of ours sets, in its order; lines that rfw would not write are passed over.
pub fn keys_of(text: &str) -> impl Iterator<Item = Key> + '_ {
    text.lines().filter_map(|line| {
        let (key, _) = line.trim_start_matches('-').split_once('=')?;
        key.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Family, Key, Scope, Setting, Settings};
    use super::{is_ours, keys_of, text_of};

    #[test]
    fn a_file_says_whose_it_is_and_what_may_fail() {
        let keys = [
            Key::RpFilter(Scope::Every),
            Key::ConntrackMax,
            Key::Forwarding(Family::V6),
            Key::Forwarding(Family::V4),
        ];
        let settings = keys.map(|key| Setting {
            key,
            value: 1,
            origin: String::new(),
        });
        let settings = Settings::new(settings.to_vec());
        let text = text_of(&settings).unwrap();
        assert_eq!(
            text,
            "# rfw wrote this file from its policy; the next `rfw apply` undoes edits and `rfw remove` takes it away.\n\
             # To change a setting, change the section `sysctl` of the policy.\n\
             net.ipv4.ip_forward = 1\n\
             -net.ipv6.conf.all.forwarding = 1\n\
             -net.netfilter.nf_conntrack_max = 1\n\
             -net.ipv4.conf.*.rp_filter = 1\n"
        );
        assert!(is_ours(&text) && !is_ours("net.ipv4.ip_forward = 1\n"));
        let keys: Vec<Key> = keys_of(&text).collect();
        let wanted: Vec<Key> = settings.iter().map(|setting| setting.key.clone()).collect();
        assert_eq!(keys, wanted);
        assert_eq!(text_of(&Settings::default()), None);
    }
}
