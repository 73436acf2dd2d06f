//! Extensions in the words of iptables: `match conntrack --ctstate RELATED,ESTABLISHED`, `target DNAT --to-destination 10.0.0.2:80`.
//!
//! For people; what is not read is told by its name alone.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, SocketAddr};

use super::matches::{Connection, Match};
use super::targets::{Range, Target};
use super::{Extension, Masked};

impl Extension<'_> {
    /// In the words of iptables, in a table of a family (nfproto).
    pub fn text(&self, family: u8) -> String {
        let kind = if self.is_target { "target" } else { "match" };
        let options = match (self.matches(family), self.target(family)) {
            (Some(it), _) => it.to_string(),
            (None, Some(it)) => it.to_string(),
            (None, None) => String::new(),
        };
        let space = if options.is_empty() { "" } else { " " };
        format!("{kind} {}{space}{options}", self.name)
    }
}

fn not(inverted: bool) -> &'static str {
    if inverted { "! " } else { "" }
}

fn span<T: Copy + PartialEq + Display>(lo: T, hi: T, between: char) -> String {
    if lo == hi {
        lo.to_string()
    } else {
        format!("{lo}{between}{hi}")
    }
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comment(text) => write!(f, "--comment \"{}\"", text.escape_debug()),
            Self::Connection(connection) => connection.fmt(f),
            Self::AddressType {
                source,
                destination,
                on_iif,
                on_oif,
            } => {
                let mut parts = Vec::new();
                for ((mask, inverted), option) in
                    [(source, "--src-type"), (destination, "--dst-type")]
                {
                    if *mask != 0 {
                        let names = words(u32::from(*mask), &ADDRESS_TYPES);
                        parts.push(format!("{}{option} {names}", not(*inverted)));
                    }
                }
                parts.extend(on_iif.then(|| "--limit-iface-in".to_owned()));
                parts.extend(on_oif.then(|| "--limit-iface-out".to_owned()));
                f.write_str(&parts.join(" "))
            }
            Self::Ports {
                source,
                destination,
                ranges,
                inverted,
            } => {
                let option = match (source, destination) {
                    (true, false) => "--sports",
                    (false, _) => "--dports",
                    (true, true) => "--ports",
                };
                let ranges: Vec<String> = ranges.iter().map(|(lo, hi)| span(lo, hi, ':')).collect();
                write!(f, "{}{option} {}", not(*inverted), ranges.join(","))
            }
            Self::Transport {
                protocol: _,
                source,
                destination,
                flags,
            } => {
                let mut parts = Vec::new();
                for ((lo, hi, inverted), option) in [(source, "--sport"), (destination, "--dport")]
                {
                    if (*lo, *hi, *inverted) != (0, u16::MAX, false) {
                        parts.push(format!("{}{option} {}", not(*inverted), span(lo, hi, ':')));
                    }
                }
                let (mask, value, inverted) = flags;
                if *mask != 0 {
                    parts.push(format!(
                        "{}--tcp-flags {mask:#04x} {value:#04x}",
                        not(*inverted)
                    ));
                }
                f.write_str(&parts.join(" "))
            }
            Self::Icmp {
                kind,
                code: (lo, hi),
                inverted,
            } => match kind {
                None => write!(f, "{}any", not(*inverted)),
                Some(kind) if (*lo, *hi) == (0, u8::MAX) => {
                    write!(f, "{}--icmp-type {kind}", not(*inverted))
                }
                Some(kind) => {
                    write!(
                        f,
                        "{}--icmp-type {kind}/{}",
                        not(*inverted),
                        span(lo, hi, '-')
                    )
                }
            },
            Self::Mark {
                of_connection: _,
                mark,
                mask,
                inverted,
            } => write!(f, "{}--mark {mark:#x}/{mask:#x}", not(*inverted)),
            Self::Limit { inverted: false } => Ok(()),
            Self::Limit { inverted: true } => f.write_str("above the limit"),
            Self::Remember => f.write_str("--set"),
            Self::Often { inverted } => write!(f, "{}as often", not(*inverted)),
            Self::Header => Ok(()),
            Self::Connections { inverted: false } => f.write_str("above the number"),
            Self::Connections { inverted: true } => f.write_str("up to the number"),
            Self::Addresses {
                source,
                destination,
            } => {
                let mut parts = Vec::new();
                for (range, option) in [(source, "--src-range"), (destination, "--dst-range")] {
                    if let Some((lo, hi, inverted)) = range {
                        parts.push(format!("{}{option} {}", not(*inverted), span(lo, hi, '-')));
                    }
                }
                f.write_str(&parts.join(" "))
            }
            Self::Ether { address, inverted } => {
                let bytes: Vec<String> = address.iter().map(|byte| format!("{byte:02x}")).collect();
                write!(f, "{}--mac-source {}", not(*inverted), bytes.join(":"))
            }
            Self::PacketType { kind, inverted } => {
                let known = ["unicast", "broadcast", "multicast"].get(*kind as usize);
                let word = known.map_or_else(|| kind.to_string(), |word| (*word).to_owned());
                write!(f, "{}--pkt-type {word}", not(*inverted))
            }
            Self::Length { lo, hi, inverted } => {
                write!(f, "{}--length {}", not(*inverted), span(lo, hi, ':'))
            }
            Self::TrafficClass {
                mask,
                value,
                inverted,
            } => write!(f, "{}{value:#04x}/{mask:#04x}", not(*inverted)),
            Self::Ttl { mode, value } => {
                let relation = ["eq", "ne", "lt", "gt"].get(usize::from(*mode));
                write!(f, "{} {value}", relation.copied().unwrap_or("?"))
            }
            Self::Chance {
                probability,
                inverted,
            } => {
                let share = f64::from(*probability) / f64::from(1u32 << 31);
                write!(
                    f,
                    "{}--mode random --probability {share:.4}",
                    not(*inverted)
                )
            }
            Self::ReversePath {
                loose,
                accept_local,
                inverted,
            } => {
                let options = [
                    (loose, "--loose"),
                    (accept_local, "--accept-local"),
                    (inverted, "--invert"),
                ];
                let options: Vec<&str> = options
                    .iter()
                    .filter(|(on, _)| **on)
                    .map(|(_, option)| *option)
                    .collect();
                f.write_str(&options.join(" "))
            }
        }
    }
}

const ADDRESS_TYPES: [(u32, &str); 8] = [
    (1, "UNSPEC"),
    (1 << 1, "UNICAST"),
    (1 << 2, "LOCAL"),
    (1 << 3, "BROADCAST"),
    (1 << 4, "ANYCAST"),
    (1 << 5, "MULTICAST"),
    (1 << 6, "BLACKHOLE"),
    (1 << 7, "UNREACHABLE"),
];
const STATES: [(u32, &str); 7] = [
    (1, "INVALID"),
    (2, "ESTABLISHED"),
    (4, "RELATED"),
    (8, "NEW"),
    (64, "SNAT"),
    (128, "DNAT"),
    (256, "UNTRACKED"),
];
const STATUSES: [(u32, &str); 4] = [
    (1, "EXPECTED"),
    (2, "SEEN_REPLY"),
    (4, "ASSURED"),
    (8, "CONFIRMED"),
];

/// The names of the bits; what has none as a number.
fn words(mask: u32, names: &[(u32, &str)]) -> String {
    let mut rest = mask;
    let mut words = Vec::new();
    for (bit, name) in names {
        if mask & bit != 0 {
            rest &= !bit;
            words.push((*name).to_owned());
        }
    }
    if rest != 0 || words.is_empty() {
        words.push(format!("{rest:#x}"));
    }
    words.join(",")
}

impl Display for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            state,
            status,
            reply,
            protocol,
            source,
            destination,
            sport,
            dport,
        } = self;
        let mut parts = Vec::new();
        if let Some((mask, inverted)) = state {
            let states = words(u32::from(*mask), &STATES);
            parts.push(format!("{}--ctstate {states}", not(*inverted)));
        }
        if let Some((mask, inverted)) = status {
            let statuses = words(u32::from(*mask), &STATUSES);
            parts.push(format!("{}--ctstatus {statuses}", not(*inverted)));
        }
        if let Some(reply) = reply {
            let direction = if *reply { "REPLY" } else { "ORIGINAL" };
            parts.push(format!("--ctdir {direction}"));
        }
        if let Some((protocol, inverted)) = protocol {
            parts.push(format!("{}--ctproto {protocol}", not(*inverted)));
        }
        for (end, option) in [(source, "--ctorigsrc"), (destination, "--ctorigdst")] {
            if let Some((Masked { address, mask }, inverted)) = end {
                parts.push(format!("{}{option} {address}/{mask}", not(*inverted)));
            }
        }
        for (end, option) in [(sport, "--ctorigsrcport"), (dport, "--ctorigdstport")] {
            if let Some((lo, hi, inverted)) = end {
                parts.push(format!("{}{option} {}", not(*inverted), span(lo, hi, ':')));
            }
        }
        f.write_str(&parts.join(" "))
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing | Self::Notrack => Ok(()),
            Self::Reject(code) => write!(f, "with icmp code {code}"),
            Self::Reset => f.write_str("--reject-with tcp-reset"),
            Self::Nat { destination, range } => match destination {
                Some(true) => write!(f, "--to-destination {range}"),
                Some(false) => write!(f, "--to-source {range}"),
                None => write!(f, "--to {range}"),
            },
            Self::Masquerade(range) | Self::Redirect(range) => match range.port {
                Some((lo, hi)) => write!(f, "--to-ports {}", span(lo, hi, '-')),
                None => Ok(()),
            },
            Self::Mark { value, mask } => write!(f, "--set-xmark {value:#x}/{mask:#x}"),
            Self::ConnectionMark {
                mode,
                value,
                of_connection,
                of_packet,
            } => match mode {
                0 => write!(f, "--set-xmark {value:#x}/{of_connection:#x}"),
                1 => write!(f, "--save-mark {of_packet:#x}/{of_connection:#x}"),
                _ => write!(f, "--restore-mark {of_connection:#x}/{of_packet:#x}"),
            },
        }
    }
}

impl Display for Range {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (Some((lo, hi)), Some((first, last))) if lo == hi && first == last => {
                write!(f, "{}", SocketAddr::new(lo, first))
            }
            (address, port) => {
                if let Some((lo, hi)) = address {
                    match lo {
                        IpAddr::V6(_) if port.is_some() => {
                            write!(f, "[{}]", span(lo, hi, '-'))?;
                        }
                        _ => f.write_str(&span(lo, hi, '-'))?,
                    }
                }
                match port {
                    Some((lo, hi)) => write!(f, ":{}", span(lo, hi, '-')),
                    None => Ok(()),
                }
            }
        }
    }
}
