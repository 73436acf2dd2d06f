//! Large sets whose elements are known already, so that nobody has to list them.
//!
//! The kernel takes 15 seconds to list a million elements, and an instant to say how many there are. Whoever knows
//! what a set held at a generation, because he read it or filled it in one transaction, knows it as long as the
//! generation is the same.

use std::collections::BTreeMap;

use super::Generation;
use crate::ruleset::{Keys, Set, SetKind, SetSpec};

/// Sets of fewer elements are listed each time.
const LARGE: usize = 10_000;

/// What large sets of rfw's table held at a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The generation.
    pub generation: Generation,
    /// Their elements, by name; nothing but keys.
    pub sets: BTreeMap<String, Keys>,
}

impl Known {
    /// The large ones of these sets.
    pub fn of<'a>(generation: Generation, sets: impl IntoIterator<Item = &'a Set>) -> Self {
        let large = sets.into_iter().filter_map(|set| {
            let keys = set.elements.plain().filter(|keys| LARGE <= keys.len())?;
            is_plain(&set.spec).then(|| (set.spec.name.clone(), keys.clone()))
        });
        Self {
            generation,
            sets: large.collect(),
        }
    }

    /// What a set holds, if that is known of this generation, and the kernel counts as many elements.
    pub fn elements(
        &self,
        generation: Generation,
        spec: &SetSpec,
        count: Option<u32>,
    ) -> Option<&Keys> {
        let keys = self
            .sets
            .get(&spec.name)
            .filter(|_| self.generation == generation)?;
        let fits = is_plain(spec)
            && keys.width() == spec.key_width()
            && (spec.interval || !keys.has_ranges());
        (fits && usize::try_from(count?) == Ok(counted(spec, keys))).then_some(keys)
    }
}

fn is_plain(spec: &SetSpec) -> bool {
    let SetSpec {
        name: _,
        key: _,
        kind,
        interval: _,
        dynamic,
        timeout,
        gc_interval: _,
        size: _,
        counter,
        comment: _,
    } = spec;
    *kind == SetKind::Set && !dynamic && timeout.is_none() && !counter
}

/// How many elements the kernel counts: of ranges of one field half of their ends, and one that reaches the greatest
/// key has only one (6.18, `nft_rbtree_usize`).
fn counted(spec: &SetSpec, keys: &Keys) -> usize {
    let is_open = |hi: &[u8]| hi.iter().all(|byte| *byte == u8::MAX);
    let open =
        spec.interval && spec.key.len() == 1 && keys.last().is_some_and(|(_, hi)| is_open(hi));
    keys.len() - usize::from(open)
}

#[cfg(test)]
mod tests {
    use super::Known;
    use crate::live::Generation;
    use crate::ruleset::{DataType, Elements, KeysBuilder, Set, SetKind, SetSpec};

    fn set(numbers: impl Iterator<Item = u32>) -> Set {
        let mut keys = KeysBuilder::new(4, true, 0);
        numbers.for_each(|number| keys.push(&number.to_be_bytes(), &(number | 1).to_be_bytes()));
        let mut spec = SetSpec::new("s", vec![DataType::Ipv4Addr], SetKind::Set);
        spec.interval = true;
        Set {
            spec,
            elements: Elements::from(keys.finish()),
            origin: None,
        }
    }

    #[test]
    fn what_is_known_holds_for_one_generation_and_one_number() {
        let set = set((0..20_000).map(|number| 4 * number));
        let known = Known::of(Generation(7), [&set]);
        let asks = |generation, count| {
            known
                .elements(Generation(generation), &set.spec, count)
                .is_some()
        };
        assert!(asks(7, Some(20_000)));
        assert!(!asks(7, Some(19_999)) && !asks(7, None) && !asks(8, Some(20_000)));
        for change in [
            |spec: &mut SetSpec| spec.name = "t".into(),
            |spec: &mut SetSpec| spec.counter = true,
            |spec: &mut SetSpec| spec.dynamic = true,
            |spec: &mut SetSpec| spec.timeout = Some(1000),
            |spec: &mut SetSpec| spec.interval = false,
            |spec: &mut SetSpec| spec.key = vec![DataType::Ipv6Addr],
        ] {
            let mut other = set.spec.clone();
            change(&mut other);
            assert!(
                known
                    .elements(Generation(7), &other, Some(20_000))
                    .is_none()
            );
        }
    }

    #[test]
    fn small_sets_are_not_kept_and_open_ends_count_once() {
        assert!(Known::of(Generation(1), [&set(0..9)]).sets.is_empty());
        let open = set((0..20_000).rev().map(|number| u32::MAX - 1 - 4 * number));
        let known = Known::of(Generation(1), [&open]);
        assert!(
            known
                .elements(Generation(1), &open.spec, Some(19_999))
                .is_some()
        );
    }
}
