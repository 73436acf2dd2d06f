//! What is known of others' commits because each of them was heard.
//!
//! The kernel has one generation for all tables, and nothing else that tells whether a table has changed. But it tells of
//! every commit: who has heard each one from a generation on, whole and in order, knows whether rfw's table was among
//! what they touched. Whatever is not heard so ends what is known; it is never guessed.

use super::event::Commit;

/// None of the commits after one generation and up to another has touched rfw's table: each of them was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untouched {
    /// The first generation; what made it is not known.
    pub since: u32,
    /// The last one.
    pub until: u32,
}

impl Untouched {
    /// Whether rfw's table is the same at both generations, the first of which is not the later.
    #[must_use]
    pub fn holds(self, from: u32, to: u32) -> bool {
        let Self { since, until } = self;
        let length = distance(since, until);
        distance(since, from) <= distance(since, to) && distance(since, to) <= length
    }
}

/// Listens, and knows how far back everything was heard.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    known: Option<Untouched>,
}

impl Hearing {
    /// What is known.
    pub(super) fn known(&self) -> Option<Untouched> {
        self.known
    }

    /// The generation was read from the kernel by somebody who was listening: whatever is committed after it is heard.
    pub(super) fn begins(&mut self, generation: u32) {
        let is_ahead = |known: Untouched| is_after(generation, known.until);
        if self.known.is_none_or(is_ahead) {
            self.known = Some(nothing_after(generation));
        }
    }

    /// A commit was heard.
    pub(super) fn hears(&mut self, commit: &Commit) {
        let Commit {
            generation,
            pid: _,
            process: _,
            touches_ours,
            is_whole,
        } = *commit;
        self.known = match self.known {
            // It is late: the generation that it made was read from the kernel before.
            Some(known) if !is_after(generation, known.until) => Some(known),
            Some(known) if generation == following(known.until) && is_whole && !touches_ours => {
                Some(Untouched {
                    until: generation,
                    ..known
                })
            }
            // What comes after this one will be heard; of what it was, or of what is missing before it, nothing is known.
            _ => Some(nothing_after(generation)),
        };
    }

    /// Something may have happened that was not heard.
    pub(super) fn loses(&mut self) {
        self.known = None;
    }
}

fn nothing_after(generation: u32) -> Untouched {
    Untouched {
        since: generation,
        until: generation,
    }
}

/// The generation after a commit; the kernel leaves out 0.
fn following(generation: u32) -> u32 {
    generation.wrapping_add(1).max(1)
}

/// How many generations it is from one to another; they wrap.
fn distance(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from)
}

/// Generations wrap.
pub(super) fn is_after(generation: u32, other: u32) -> bool {
    let ahead = distance(other, generation);
    0 < ahead && ahead <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::super::event::Commit;
    use super::{Hearing, Untouched};

    #[derive(Clone, Copy)]
    enum Happens {
        /// The kernel is read at a generation.
        Read(u32),
        /// A commit of another table.
        Other(u32),
        /// One of ours.
        Ours(u32),
        /// One of which only a part was heard.
        Part(u32),
        Lost,
    }
    use Happens::{Lost, Other, Ours, Part, Read};

    #[track_caller]
    fn check(happens: &[Happens], expect: Option<(u32, u32)>) {
        let mut hearing = Hearing::default();
        for one in happens {
            let commit = |generation, touches_ours, is_whole| Commit {
                generation,
                pid: 1,
                process: "nft".into(),
                touches_ours,
                is_whole,
            };
            match *one {
                Read(generation) => hearing.begins(generation),
                Other(generation) => hearing.hears(&commit(generation, false, true)),
                Ours(generation) => hearing.hears(&commit(generation, true, true)),
                Part(generation) => hearing.hears(&commit(generation, false, false)),
                Lost => hearing.loses(),
            }
        }
        let expect = expect.map(|(since, until)| Untouched { since, until });
        assert_eq!(hearing.known(), expect);
    }

    #[test]
    fn what_was_heard_without_a_gap_is_known() {
        check(&[], None);
        check(&[Read(5)], Some((5, 5)));
        check(&[Read(5), Other(6), Other(7)], Some((5, 7)));
        // Nobody has read anything: of the first commit that is heard the beginning may be missing.
        check(&[Other(6)], Some((6, 6)));
        check(&[Other(6), Other(7)], Some((6, 7)));
        // What was read meanwhile changes nothing, unless it is ahead of what was heard.
        check(&[Read(5), Other(6), Read(6), Other(7)], Some((5, 7)));
        check(&[Read(5), Other(6), Read(5), Other(7)], Some((5, 7)));
        check(&[Read(5), Other(6), Read(4)], Some((5, 6)));
        check(
            &[Read(5), Other(6), Read(8), Other(7), Other(8)],
            Some((8, 8)),
        );
        check(
            &[Read(5), Other(6), Read(8), Other(7), Ours(8), Other(9)],
            Some((8, 9)),
        );
        // Twice.
        check(&[Read(5), Other(6), Other(6), Other(7)], Some((5, 7)));
        // Round the end, without 0.
        check(
            &[Read(u32::MAX - 1), Other(u32::MAX), Other(1)],
            Some((u32::MAX - 1, 1)),
        );
        check(&[Read(u32::MAX), Other(0)], Some((0, 0)));
    }

    #[test]
    fn what_was_not_heard_ends_it() {
        // A gap, such as our own commit.
        check(&[Read(5), Other(6), Other(8)], Some((8, 8)));
        check(&[Read(5), Other(6), Other(8), Other(9)], Some((8, 9)));
        // Ours was touched.
        check(&[Read(5), Other(6), Ours(7)], Some((7, 7)));
        check(&[Read(5), Other(6), Ours(7), Other(8)], Some((7, 8)));
        check(&[Read(5), Ours(8)], Some((8, 8)));
        // Not all of it was heard.
        check(&[Read(5), Other(6), Part(7), Other(8)], Some((7, 8)));
        // Lost.
        check(&[Read(5), Other(6), Lost], None);
        check(&[Read(5), Other(6), Lost, Other(7)], Some((7, 7)));
        check(&[Read(5), Lost, Read(6), Other(7)], Some((6, 7)));
    }

    #[test]
    fn a_claim_is_about_what_lies_within() {
        let check = |since, until, from, to, expect| {
            let known = Untouched { since, until };
            assert_eq!(known.holds(from, to), expect, "{known:?} {from} {to}");
        };
        check(5, 9, 5, 9, true);
        check(5, 9, 6, 8, true);
        check(5, 9, 7, 7, true);
        check(5, 9, 4, 9, false);
        check(5, 9, 5, 10, false);
        check(5, 9, 8, 6, false);
        check(5, 9, 10, 12, false);
        check(5, 5, 5, 5, true);
        check(5, 5, 5, 6, false);
        check(u32::MAX - 1, 3, u32::MAX, 2, true);
        check(u32::MAX - 1, 3, u32::MAX, 4, false);
        check(u32::MAX - 1, 3, 7, 8, false);
    }
}
