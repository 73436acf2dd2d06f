//! The longest increasing run of matched pairs: what may stay where it is while the rest moves.
//!
//! Arithmetic over positions; it knows nothing of rules.

use std::collections::HashMap;
use std::hash::Hash;

/// Classes with more combinations than this are matched copy by copy, in order: still correct, only
/// not always shortest. It bounds the work when a chain holds thousands of equal rules.
const MOST_COMBINATIONS: usize = 4096;

/// A left position and a right position that hold the same thing.
pub(super) type Pair = (usize, usize);

/// All pairs of equal keys, by rising left and, within one left, falling right position: the order that
/// [`longest`] needs so that no position is taken twice. Positions without a key pair with nothing.
pub(super) fn pairs<K: Hash + Eq>(
    left: impl Iterator<Item = (usize, K)>,
    right: impl Iterator<Item = (usize, K)>,
) -> Vec<Pair> {
    #[derive(Default)]
    struct Class {
        left: Vec<usize>,
        right: Vec<usize>,
    }
    let mut numbers: HashMap<K, usize> = HashMap::new();
    let mut classes: Vec<Class> = Vec::new();
    for (at, key) in right {
        let number = *numbers.entry(key).or_insert(classes.len());
        if number == classes.len() {
            classes.push(Class::default());
        }
        if let Some(class) = classes.get_mut(number) {
            class.right.push(at);
        }
    }
    for (at, key) in left {
        if let Some(class) = numbers
            .get(&key)
            .and_then(|number| classes.get_mut(*number))
        {
            class.left.push(at);
        }
    }
    let mut pairs = Vec::new();
    for Class { left, right } in classes {
        if left.len().saturating_mul(right.len()) <= MOST_COMBINATIONS {
            for left in left {
                pairs.extend(right.iter().rev().map(|right| (left, *right)));
            }
        } else {
            pairs.extend(left.into_iter().zip(right));
        }
    }
    pairs.sort_unstable_by_key(|(left, right)| (*left, std::cmp::Reverse(*right)));
    pairs
}

/// A longest choice of pairs that rises on both sides, in O(n log n). Of several, always the same one.
pub(super) fn longest(pairs: &[Pair]) -> Vec<Pair> {
    // `ends` holds, for each length, the pair with the lowest right end that a run of this length can
    // have; `before` links each pair to the one before it in its run.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (_, right)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|(end, _)| end < right);
        before.push(
            length
                .checked_sub(1)
                .and_then(|shorter| ends.get(shorter))
                .map(|(_, at)| *at),
        );
        match ends.get_mut(length) {
            // Of equal ends the first stays, so that what is matched is what comes first.
            Some(end) if end.0 <= *right => {}
            Some(end) => *end = (*right, at),
            None => ends.push((*right, at)),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut at = ends.last().map(|(_, at)| *at);
    while let Some(here) = at {
        run.extend(pairs.get(here).copied());
        at = before.get(here).copied().flatten();
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn common(left: &str, right: &str) -> String {
        let run = longest(&pairs(left.char_indices(), right.char_indices()));
        run.iter()
            .map(|(left_at, right_at)| {
                let letter = left.as_bytes()[*left_at];
                assert_eq!(letter, right.as_bytes()[*right_at]);
                char::from(letter)
            })
            .collect()
    }

    /// Length of the longest common subsequence, by the textbook table.
    fn brute_force(left: &[u8], right: &[u8]) -> usize {
        let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
        for (i, a) in left.iter().enumerate() {
            for (j, b) in right.iter().enumerate() {
                table[i + 1][j + 1] = if a == b {
                    table[i][j] + 1
                } else {
                    table[i][j + 1].max(table[i + 1][j])
                };
            }
        }
        table[left.len()][right.len()]
    }

    #[test]
    fn keeps_the_most() {
        assert_eq!(common("abcdef", "abcdef"), "abcdef");
        assert_eq!(common("abcdef", "fabcde"), "abcde");
        assert_eq!(common("abcdef", "bcdefa"), "bcdef");
        assert_eq!(common("xaxb", "axbx"), "axb");
        assert_eq!(common("", "abc"), "");
    }

    #[test]
    fn thousands_of_equal_things_stay_cheap() {
        let same = |n: usize| (0..n).map(|at| (at, 'x'));
        let all = pairs(same(20_000), same(20_001));
        assert_eq!(all.len(), 20_000);
        assert_eq!(longest(&all).len(), 20_000);
    }

    proptest! {
        #[test]
        fn as_long_as_brute_force(left in "[a-e]{0,14}", right in "[a-e]{0,14}") {
            let run = longest(&pairs(left.char_indices(), right.char_indices()));
            prop_assert!(run.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
            prop_assert_eq!(run.len(), brute_force(left.as_bytes(), right.as_bytes()));
        }
    }
}
