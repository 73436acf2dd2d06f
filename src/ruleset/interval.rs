//! Sorted, disjoint intervals over numbers: addresses, ports.
//!
//! Not a packet set and not a kernel set: just the arithmetic that both need. All bounds are inclusive.

use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A number that intervals can be made of.
pub trait Bound: Copy + Ord + Debug {
    /// The smallest value of the type.
    const MIN: Self;
    /// The largest value of the type.
    const MAX: Self;
    /// The next value up, or `None` at [`Bound::MAX`].
    fn next(self) -> Option<Self>;
    /// The next value down, or `None` at [`Bound::MIN`].
    fn previous(self) -> Option<Self>;
    /// The bits of the value, as the low bits of a `u128`.
    fn bits(self) -> u128;
    /// The number of bits of the type.
    const WIDTH: u8;
}

macro_rules! bound {
    ($($number:ty),*) => {$(
        impl Bound for $number {
            const MIN: Self = <$number>::MIN;
            const MAX: Self = <$number>::MAX;
            const WIDTH: u8 = <$number>::BITS as u8;
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }
            fn bits(self) -> u128 {
                u128::from(self)
            }
        }
    )*};
}
bound!(u8, u16, u32, u128);

/// `lo..=hi`, with `lo <= hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval<T> {
    /// First value inside.
    pub lo: T,
    /// Last value inside.
    pub hi: T,
}

impl<T: Bound> Interval<T> {
    /// The interval that holds one value.
    pub fn single(value: T) -> Self {
        Self {
            lo: value,
            hi: value,
        }
    }

    /// The interval between two values, or `None` when they are reversed.
    pub fn new(lo: T, hi: T) -> Option<Self> {
        (lo <= hi).then_some(Self { lo, hi })
    }

    /// Whether the interval is one value.
    pub fn is_single(self) -> bool {
        self.lo == self.hi
    }

    /// The prefix length when the interval is exactly one prefix (a single value is the longest prefix).
    pub fn prefix_len(self) -> Option<u8> {
        let size_minus_one = self.hi.bits() ^ self.lo.bits();
        let host_bits =
            u8::try_from(u128::BITS - size_minus_one.leading_zeros()).unwrap_or(T::WIDTH);
        let host_mask = if host_bits == 128 {
            u128::MAX
        } else {
            (1u128 << host_bits) - 1
        };
        (size_minus_one == host_mask && self.lo.bits() & host_mask == 0)
            .then(|| T::WIDTH - host_bits)
    }
}

/// A set of values as sorted, disjoint intervals. What overlaps is merged; neighbours stay apart as they
/// were written, so that one address more or less is one element more or less. The same values cut in
/// another way are therefore not equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intervals<T>(Vec<Interval<T>>);

impl<T> Default for Intervals<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Bound> Intervals<T> {
    /// The empty set.
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals, lowest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Interval<T>> + '_ {
        self.0.iter().copied()
    }

    /// How many intervals it takes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a value is inside.
    pub fn contains(&self, value: T) -> bool {
        let after = self.0.partition_point(|interval| interval.lo <= value);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|interval| value <= interval.hi)
    }

    /// Whether every value of `other` is inside.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.subtract(self).is_empty()
    }

    /// Whether some value is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.intersect(other).is_empty()
    }

    /// The values in both.
    pub fn intersect(&self, other: &Self) -> Self {
        self.subtract(&other.complement())
    }

    /// Everything that is not inside.
    pub fn complement(&self) -> Self {
        let mut gaps = Vec::new();
        let mut from = Some(T::MIN);
        for interval in &self.0 {
            if let (Some(lo), Some(hi)) = (from, interval.lo.previous())
                && lo <= hi
            {
                gaps.push(Interval { lo, hi });
            }
            from = interval.hi.next();
        }
        if let Some(lo) = from {
            gaps.push(Interval { lo, hi: T::MAX });
        }
        Self(gaps)
    }

    /// The values that are in `self` and not in `other`.
    pub fn subtract(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        let mut holes = other.0.iter().copied().peekable();
        for interval in &self.0 {
            let mut lo = Some(interval.lo);
            while let Some(hole) = holes.peek().copied() {
                let Some(from) = lo else { break };
                if hole.hi < from {
                    holes.next();
                    continue;
                }
                if interval.hi < hole.lo {
                    break;
                }
                if let Some(before) = hole.lo.previous()
                    && from <= before
                {
                    rest.push(Interval {
                        lo: from,
                        hi: before,
                    });
                }
                lo = hole.hi.next().filter(|next| *next <= interval.hi);
                if interval.hi < hole.hi {
                    break;
                }
                holes.next();
            }
            if let Some(lo) = lo
                && lo <= interval.hi
            {
                rest.push(Interval {
                    lo,
                    hi: interval.hi,
                });
            }
        }
        Self(rest)
    }

    /// The values in either.
    pub fn union(&self, other: &Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            (false, false) => self.iter().chain(other.iter()).collect(),
        }
    }
}

impl<T: Bound> FromIterator<Interval<T>> for Intervals<T> {
    fn from_iter<I: IntoIterator<Item = Interval<T>>>(intervals: I) -> Self {
        let mut sorted: Vec<_> = intervals.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup_by(|next, last| {
            let meets = next.lo <= last.hi;
            if meets {
                last.hi = last.hi.max(next.hi);
            }
            meets
        });
        Self(sorted)
    }
}

/// IPv4 and IPv6 addresses together, each family as its own intervals (host byte order numbers).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addresses {
    /// IPv4 addresses, `u32::from(Ipv4Addr)`.
    pub v4: Intervals<u32>,
    /// IPv6 addresses, `u128::from(Ipv6Addr)`.
    pub v6: Intervals<u128>,
}

impl Addresses {
    /// Whether no address is inside.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The addresses in either.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.union(&other.v4),
            v6: self.v6.union(&other.v6),
        }
    }

    /// The addresses in `self` and not in `other`.
    pub fn subtract(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.subtract(&other.v4),
            v6: self.v6.subtract(&other.v6),
        }
    }

    /// Whether an address is inside.
    pub fn contains(&self, address: std::net::IpAddr) -> bool {
        match address {
            std::net::IpAddr::V4(v4) => self.v4.contains(u32::from(v4)),
            std::net::IpAddr::V6(v6) => self.v6.contains(u128::from(v6)),
        }
    }

    /// One IPv4 range, bounds inclusive.
    pub fn v4_range(lo: Ipv4Addr, hi: Ipv4Addr) -> Option<Self> {
        let interval = Interval::new(u32::from(lo), u32::from(hi))?;
        Some(Self {
            v4: std::iter::once(interval).collect(),
            v6: Intervals::empty(),
        })
    }

    /// One IPv6 range, bounds inclusive.
    pub fn v6_range(lo: Ipv6Addr, hi: Ipv6Addr) -> Option<Self> {
        let interval = Interval::new(u128::from(lo), u128::from(hi))?;
        Some(Self {
            v4: Intervals::empty(),
            v6: std::iter::once(interval).collect(),
        })
    }
}

impl FromIterator<Self> for Addresses {
    /// The addresses in any of them.
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        let mut all = all.into_iter();
        let Self { mut v4, mut v6 } = all.next().unwrap_or_default();
        for more in all {
            v4.0.extend(more.v4.0);
            v6.0.extend(more.v6.0);
        }
        Self {
            v4: v4.0.into_iter().collect(),
            v6: v6.0.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(u8, u8)]) -> Intervals<u8> {
        pairs
            .iter()
            .map(|(lo, hi)| Interval { lo: *lo, hi: *hi })
            .collect()
    }

    #[test]
    fn merges_overlap_and_keeps_neighbours_apart() {
        assert_eq!(
            set(&[(5, 9), (1, 4), (20, 30), (25, 255), (5, 5)]),
            set(&[(1, 4), (5, 9), (20, 255)])
        );
    }

    #[test]
    fn algebra_agrees_with_membership() {
        let sets = [
            set(&[]),
            set(&[(0, 255)]),
            set(&[(0, 3), (7, 7), (250, 255)]),
            set(&[(1, 8), (9, 9), (100, 251)]),
        ];
        for a in &sets {
            for b in &sets {
                for value in 0..=255u8 {
                    let (in_a, in_b) = (a.contains(value), b.contains(value));
                    assert_eq!(
                        a.subtract(b).contains(value),
                        in_a && !in_b,
                        "{a:?} minus {b:?} at {value}"
                    );
                    assert_eq!(
                        a.intersect(b).contains(value),
                        in_a && in_b,
                        "{a:?} and {b:?} at {value}"
                    );
                    assert_eq!(
                        a.union(b).contains(value),
                        in_a || in_b,
                        "{a:?} or {b:?} at {value}"
                    );
                    assert_eq!(
                        a.complement().contains(value),
                        !in_a,
                        "not {a:?} at {value}"
                    );
                }
            }
        }
    }

    #[test]
    fn knows_prefixes() {
        assert_eq!(
            Interval::new(0x0a00_0000u32, 0x0aff_ffff)
                .unwrap()
                .prefix_len(),
            Some(8)
        );
        assert_eq!(Interval::single(7u32).prefix_len(), Some(32));
        assert_eq!(Interval::new(0u32, u32::MAX).unwrap().prefix_len(), Some(0));
        assert_eq!(
            Interval::new(0u128, u128::MAX).unwrap().prefix_len(),
            Some(0)
        );
        assert_eq!(Interval::new(1u32, 2).unwrap().prefix_len(), None);
        assert_eq!(Interval::new(2u32, 5).unwrap().prefix_len(), None);
    }
}
