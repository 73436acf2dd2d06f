//! From a pattern to the files it matches.

use super::tree::{Tree, Unreadable, join};
use crate::policy::IncludePattern;

/// More directories than this are not listed for one policy.
pub(super) const MOST_LISTINGS: usize = 10_000;

/// The files that a pattern matches, in the order of their paths; a pattern without `*` and `?` matches the file of
/// its name, whether that is there or not. `listings` is how many directories may still be listed.
pub(super) fn expand(
    tree: &dyn Tree,
    pattern: &IncludePattern,
    listings: &mut usize,
) -> Result<Vec<String>, Unreadable> {
    let mut found = vec![String::new()];
    let mut parts = pattern.parts().peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        if !part.contains(['*', '?']) {
            for path in &mut found {
                *path = join(path, part);
            }
            continue;
        }
        let mut next = Vec::new();
        for directory in &found {
            let Some(left) = listings.checked_sub(1) else {
                break;
            };
            *listings = left;
            let entries = match tree.list(directory) {
                Ok(entries) => entries,
                // No directory: nothing is in it.
                Err(Unreadable::Missing | Unreadable::NotAFile) => continue,
                Err(why) => return Err(why),
            };
            let fits = entries.into_iter().filter(|entry| {
                (is_last || entry.may_hold_more)
                    && !entry.name.starts_with('.')
                    && matches(part, &entry.name)
            });
            next.extend(fits.map(|entry| join(directory, &entry.name)));
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

/// Whether a name is what a pattern of one name says. Takes at most as many steps as both are long, multiplied.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut here) = (0, 0);
    // The last star, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(here) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some('?') => (at, here) = (at + 1, here + 1),
            Some(p) if p == c => (at, here) = (at + 1, here + 1),
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, here) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names_and_patterns() {
        for (pattern, name, expect) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", ".yaml", true),
            ("*.yaml", "a.yaml.bak", false),
            ("a*b*c", "aXXbYYbc", true),
            ("a*b*c", "aXXbYY", false),
            ("?.yaml", "é.yaml", true),
            ("?.yaml", ".yaml", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        }
        // A bomb for those who go back over everything.
        let name = "a".repeat(250);
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &name));
    }
}
