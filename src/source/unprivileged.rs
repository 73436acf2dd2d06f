//! Whether a program can be started as somebody else.
#![expect(
    clippy::disallowed_methods,
    reason = "which users there are stands in /proc"
)]

use std::fs;

/// Whether a process that is root can become this user and this group. In a user namespace that does not know them
/// (`user_namespaces(7)`) nobody can, and there root is no root.
pub(super) fn can_become(uid: u32, gid: u32) -> bool {
    let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    holds(&text("uid_map"), uid)
        && holds(&text("gid_map"), gid)
        && text("setgroups").trim() != "deny"
}

/// Whether a map of numbers, `FIRST OUTSIDE COUNT` in each line, knows one.
fn holds(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let numbers = line.split_whitespace().map(str::parse::<u32>);
        match numbers.collect::<Result<Vec<_>, _>>().as_deref() {
            Ok([first, _, count]) => id.checked_sub(*first).is_some_and(|behind| behind < *count),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[track_caller]
    fn check(map: &str, id: u32, expect: bool) {
        assert_eq!(holds(map, id), expect, "{id} in {map:?}");
    }

    #[test]
    fn who_is_known() {
        let whole = "         0          0 4294967295\n";
        check(whole, 0, true);
        check(whole, 65_534, true);
        check(whole, u32::MAX, false);
        check("0 1000 1\n", 0, true);
        check("0 1000 1\n", 1, false);
        check("0 1000 1\n1 100000 65536\n", 65_534, true);
        check("0 1000 1\n1 100000 65536\n", 65_537, false);
        check("", 0, false);
        check("0 1000\n", 0, false);
    }
}
