//! Whether a list from elsewhere may become the content of a set: a list is foreign input to a firewall.

use std::net::IpAddr;

use super::list::{lists, place_of};
use super::model::Terms;
use crate::diagnostic::{Place, Severity};
use crate::policy::SetSource;
use crate::ruleset::Addresses;

/// Lists of fewer entries may change in size as they like.
const FEW: usize = 16;

/// What a list is held against, beside the terms of its set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Against<'a> {
    /// What the set held before.
    pub before: Option<&'a Addresses>,
    /// Addresses that a list on the web must not hold: those of the box, and of whoever is connected to it.
    pub us: &'a [IpAddr],
    /// Whether it may have shrunk or grown by any amount.
    pub any_size: bool,
}

/// The addresses of a list, or why it is refused: one line, with the line of the list where there is one.
///
/// # Errors
/// The list cannot be read, is empty, is too long, holds what it must not, or is less than half or more than
/// twice of what it was.
pub fn judge(terms: &Terms, text: &[u8], against: Against<'_>) -> Result<Addresses, String> {
    let Against {
        before,
        us,
        any_size,
    } = against;
    let addresses = read(text)?;
    let entries = size(&addresses);
    if entries > usize::try_from(terms.max_entries).unwrap_or(usize::MAX) {
        let most = terms.max_entries;
        return Err(format!(
            "it has {entries} entries, and `max_entries` is {most}"
        ));
    }
    holds_nothing_forbidden(terms, &addresses, text)?;
    if matches!(terms.source, SetSource::Url(_))
        && let Some(address) = us.iter().find(|address| addresses.contains(**address))
    {
        let only = one(*address);
        return Err(format!(
            "{} holds {address}, an address of this box or of who is connected to it",
            entry_with(text, &only)
        ));
    }
    let before = before.map(size).filter(|_| !any_size);
    if let Some(before) = before
        && matches!(terms.source, SetSource::Url(_))
        && FEW <= before.max(entries)
        && before > 0
    {
        let change = match () {
            () if entries * 2 < before => "shrunk by more than half",
            () if before * 2 < entries => "more than doubled",
            () => return Ok(addresses),
        };
        return Err(format!(
            "it has {change}, from {before} entries to {entries}; if that is right, `--any-size` takes it"
        ));
    }
    Ok(addresses)
}

/// Whether addresses keep to `never_contains` and `max_entries`, for a copy that was taken under other terms.
///
/// # Errors
/// Why they do not.
pub fn still_good(terms: &Terms, addresses: &Addresses) -> Result<(), String> {
    let entries = size(addresses);
    if entries > usize::try_from(terms.max_entries).unwrap_or(usize::MAX) {
        let most = terms.max_entries;
        return Err(format!(
            "it has {entries} entries, and `max_entries` is {most}"
        ));
    }
    holds_nothing_forbidden(terms, addresses, b"")
}

/// How many entries addresses are.
pub fn size(addresses: &Addresses) -> usize {
    addresses.v4.len() + addresses.v6.len()
}

fn holds_nothing_forbidden(
    terms: &Terms,
    addresses: &Addresses,
    text: &[u8],
) -> Result<(), String> {
    for (written, never) in &terms.never_contains {
        if addresses.v4.overlaps(&never.v4) || addresses.v6.overlaps(&never.v6) {
            let entry = entry_with(text, never);
            return Err(format!(
                "{entry} holds addresses of `{written}`, which `never_contains` names"
            ));
        }
    }
    Ok(())
}

/// `line 7, `10.0.0.0/8`,`, or `it`.
fn entry_with(text: &[u8], addresses: &Addresses) -> String {
    place_of(&plain(text), addresses).map_or_else(
        || "it".to_owned(),
        |(line, entry)| format!("line {line}, `{entry}`,"),
    )
}

fn one(address: IpAddr) -> Addresses {
    let one = match address {
        IpAddr::V4(address) => Addresses::v4_range(address, address),
        IpAddr::V6(address) => Addresses::v6_range(address, address),
    };
    one.unwrap_or_default()
}

/// Reads a list as those of groups are read; `;` begins a comment, too, because lists on the web have such.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn read(text: &[u8]) -> Result<Addresses, String> {
    let text = plain(text);
    let (mut lists, diagnostics) = lists([("list", 0, text.as_slice())]);
    let worst = diagnostics
        .iter()
        .find(|found| found.severity == Severity::Error);
    if let Some(found) = worst {
        let place = found.labels.first().map(|label| &label.at);
        return Err(match place {
            Some(Place::Text(spot)) if !spot.bytes.is_empty() => {
                let before = text.get(..spot.bytes.start).unwrap_or_default();
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                format!("line {line}: {}", found.message)
            }
            _ => found.message.replace("the list `list`", "it"),
        });
    }
    lists
        .remove("list")
        .flatten()
        .ok_or_else(|| "it cannot be read".to_owned())
}

/// The text without comments that begin with `;`, every line where it was.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut in_comment = false;
    let plain = text.iter().map(|byte| {
        in_comment = *byte != b'\n' && (in_comment || *byte == b';');
        if in_comment { b' ' } else { *byte }
    });
    plain.collect()
}

#[cfg(test)]
mod tests {
    use super::{Against, judge, size};
    use crate::compile::model::Terms;
    use crate::ruleset::Addresses;
    use std::net::IpAddr;

    fn terms(source: &str) -> Terms {
        let net = |lo: [u8; 4], hi: [u8; 4]| Addresses::v4_range(lo.into(), hi.into()).unwrap();
        Terms {
            source: source.parse().unwrap(),
            refresh: None,
            max_entries: 100,
            keep_last_good: None,
            sha256_of: None,
            never_contains: vec![
                ("admins".into(), net([10, 9, 0, 10], [10, 9, 0, 11])),
                ("10.2.0.0/24".into(), net([10, 2, 0, 0], [10, 2, 0, 255])),
            ],
        }
    }

    #[track_caller]
    fn check(text: &str, before: usize, expect: &str) {
        let before: Option<Addresses> = (before > 0)
            .then(|| judge(&terms("dns:a"), many(before).as_bytes(), Against::default()).unwrap());
        let us: [IpAddr; 2] = [
            "203.0.113.10".parse().unwrap(),
            "2001:db8::10".parse().unwrap(),
        ];
        let against = Against {
            before: before.as_ref(),
            us: &us,
            any_size: false,
        };
        let said = match judge(&terms("https://a/b"), text.as_bytes(), against) {
            Ok(addresses) => format!("{} entries", size(&addresses)),
            Err(why) => why,
        };
        assert_eq!(said, expect);
    }

    /// So many addresses, none of which touches another.
    fn many(number: usize) -> String {
        (0..number)
            .map(|host| format!("192.0.2.{}\n", host * 2))
            .collect()
    }

    #[test]
    fn lists_on_the_web() {
        check(
            "; Spamhaus\n1.10.16.0/20 ; SBL256894\n# x\n2001:db8:1::/48",
            0,
            "2 entries",
        );
        check("", 0, "it holds no address");
        check(
            "1.2.3.4\n<html>\n",
            0,
            "line 2: `<html>` is no address, prefix, range or name",
        );
        check(
            "1.2.3.4/24",
            0,
            "line 1: `1.2.3.4/24` has address bits beyond the prefix length",
        );
        check(
            &many(101),
            0,
            "it has 101 entries, and `max_entries` is 100",
        );
    }

    #[test]
    fn what_it_must_not_hold() {
        check(
            "1.2.3.4\n\n10.9.0.11 # an admin\n",
            0,
            "line 3, `10.9.0.11`, holds addresses of `admins`, which `never_contains` names",
        );
        check(
            "10.0.0.0/8",
            0,
            "line 1, `10.0.0.0/8`, holds addresses of `admins`, which `never_contains` names",
        );
        check(
            "10.2.0.128-10.3.0.0",
            0,
            "line 1, `10.2.0.128-10.3.0.0`, holds addresses of `10.2.0.0/24`, which `never_contains` names",
        );
        check(
            "1.1.1.1\n::/0",
            0,
            "line 2, `::/0`, holds 2001:db8::10, an address of this box or of who is connected to it",
        );
    }

    #[test]
    fn what_it_was_before() {
        let more = "if that is right, `--any-size` takes it";
        check(&many(50), 100, "50 entries");
        check(
            &many(49),
            100,
            &format!("it has shrunk by more than half, from 100 entries to 49; {more}"),
        );
        check(&many(100), 50, "100 entries");
        check(
            &many(100),
            49,
            &format!("it has more than doubled, from 49 entries to 100; {more}"),
        );
        check(&many(15), 1, "15 entries");
        check("# nothing", 3, "it holds no address");
    }
}
