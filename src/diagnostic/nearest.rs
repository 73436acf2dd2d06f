//! The name somebody probably meant.

/// The candidate with the smallest edit distance to `name`, if it is near enough to be worth a suggestion:
/// at most a third of the name's length away (at least 1, at most 4), and not another name altogether.
/// Differences of case cost nothing; of
/// equally near candidates the first one wins.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name
        .chars()
        .take(LONGEST)
        .flat_map(char::to_lowercase)
        .collect();
    let limit = (wanted.len() / 3).clamp(1, 4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let have: Vec<char> = candidate
            .chars()
            .take(LONGEST)
            .flat_map(char::to_lowercase)
            .collect();
        if wanted.len().abs_diff(have.len()) > limit {
            continue;
        }
        let distance = distance(&wanted, &have);
        if distance <= limit
            && distance < wanted.len()
            && best.is_none_or(|(least, _)| distance < least)
        {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Longer names are compared by their beginning only: the cost is quadratic and the text is a stranger's.
const LONGEST: usize = 128;

/// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours cost 1 each.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, &ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut previous_b = None;
        for (j, &cb) in b.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut cost = (at(&above, j) + usize::from(ca != cb))
                .min(at(&above, j + 1) + 1)
                .min(at(&row, j) + 1);
            if previous_a == Some(cb) && previous_b == Some(ca) && j >= 1 {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
            previous_b = Some(cb);
        }
        previous_a = Some(ca);
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[track_caller]
    fn check(name: &str, candidates: &[&str], expect: Option<&str>) {
        assert_eq!(nearest(name, candidates.iter().copied()), expect);
    }

    #[test]
    fn suggestions() {
        check("wann", &["lan", "wan", "dmz"], Some("wan"));
        check("actoin", &["name", "action"], Some("action"));
        check("LAN", &["wan", "lan"], Some("lan"));
        check("x", &["wan", "lan"], None);
        check("servers", &["services", "rules"], None);
        check("", &["a"], None);
        check("b", &["a"], None);
        check("completely-different", &["wan"], None);
    }

    #[test]
    fn distances() {
        let d = |a: &str, b: &str| {
            distance(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(d("", ""), 0);
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("abc", ""), 3);
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("ab", "ba"), 1);
        assert_eq!(d("actoin", "action"), 1);
    }
}
