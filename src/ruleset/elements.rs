//! The elements of a set, and a form of them that a million takes no more room than its keys.

use std::borrow::Cow;
use std::sync::Arc;

use super::set::{Element, Key};

/// The elements of a set, sorted by key where the set promises it.
///
/// Elements that are nothing but their keys are kept as [`Keys`], all others one by one. Which of the two it is,
/// depends on the elements alone, so equal elements are equal values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Elements(Form);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Plain(Keys),
    Rich(Arc<Vec<Element>>),
}

impl Elements {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Plain(keys) => keys.len(),
            Form::Rich(elements) => elements.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, Element>> {
        let keys = self.plain().into_iter().flat_map(Keys::iter);
        let plain = keys.map(|(lo, hi)| Cow::Owned(plain_element(lo, hi)));
        plain.chain(self.rich().iter().map(Cow::Borrowed))
    }

    /// The elements, if they hold something beside their keys; else none.
    pub fn rich(&self) -> &[Element] {
        match &self.0 {
            Form::Plain(_) => &[],
            Form::Rich(elements) => elements,
        }
    }

    /// The keys, if the elements are nothing else.
    pub fn plain(&self) -> Option<&Keys> {
        match &self.0 {
            Form::Plain(keys) => Some(keys),
            Form::Rich(_) => None,
        }
    }

    /// Changes them as a list.
    pub fn edit<T>(&mut self, change: impl FnOnce(&mut Vec<Element>) -> T) -> T {
        let mut elements: Vec<Element> = self.iter().map(Cow::into_owned).collect();
        let result = change(&mut elements);
        *self = elements.into();
        result
    }
}

impl Default for Elements {
    fn default() -> Self {
        Self(Form::Plain(Keys::default()))
    }
}

impl From<Keys> for Elements {
    fn from(keys: Keys) -> Self {
        if keys.is_empty() {
            return Self::default();
        }
        Self(Form::Plain(keys))
    }
}

impl From<Vec<Element>> for Elements {
    fn from(elements: Vec<Element>) -> Self {
        match plain_keys(&elements) {
            Some(keys) => keys.into(),
            None => Self(Form::Rich(Arc::new(elements))),
        }
    }
}

impl FromIterator<Element> for Elements {
    fn from_iter<I: IntoIterator<Item = Element>>(elements: I) -> Self {
        elements.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> FromIterator<Cow<'a, Element>> for Elements {
    fn from_iter<I: IntoIterator<Item = Cow<'a, Element>>>(elements: I) -> Self {
        elements.into_iter().map(Cow::into_owned).collect()
    }
}

impl PartialEq<[Element]> for Elements {
    fn eq(&self, other: &[Element]) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(left, right)| *left == *right)
    }
}

impl PartialEq<Vec<Element>> for Elements {
    fn eq(&self, other: &Vec<Element>) -> bool {
        *self == **other
    }
}

impl<const N: usize> PartialEq<[Element; N]> for Elements {
    fn eq(&self, other: &[Element; N]) -> bool {
        *self == other[..]
    }
}

fn plain_element(lo: &[u8], hi: &[u8]) -> Element {
    Element {
        key: Key::range(lo, hi),
        datum: None,
        name: None,
        count: None,
    }
}

/// The keys of elements that are nothing else; all of one width.
fn plain_keys(elements: &[Element]) -> Option<Keys> {
    let width = elements.first().map_or(0, |element| element.key.lo.len());
    let mut ranges = false;
    for element in elements {
        let Element {
            key,
            datum,
            name,
            count,
        } = element;
        let is_plain = datum.is_none() && name.is_none() && count.is_none();
        // A range of one value is another key than the value.
        let is_usual = key.hi.as_ref().is_none_or(|hi| *hi != key.lo);
        if !is_plain || !is_usual || key.lo.len() != width || key.last().len() != width {
            return None;
        }
        ranges |= key.hi.is_some();
    }
    if width == 0 && !elements.is_empty() {
        return None;
    }
    let mut keys = KeysBuilder::new(width, ranges, elements.len());
    for element in elements {
        keys.push(&element.key.lo, element.key.last());
    }
    Some(keys.finish())
}

/// Keys of one width, or ranges of them, in one piece of memory that copies share.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keys {
    /// Bytes of a key.
    width: usize,
    /// Whether each has a last key behind it; so if at least one is a range.
    ranges: bool,
    bytes: Arc<Vec<u8>>,
}

/// How many bytes at the beginning are equal, in whole pieces of `size`.
fn equal_pieces(left: &[u8], right: &[u8], size: usize) -> usize {
    let pieces = left.chunks_exact(size).zip(right.chunks_exact(size));
    pieces.take_while(|(left, right)| left == right).count() * size
}

impl Keys {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.stride()).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of a key.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether one of them is a range.
    pub fn has_ranges(&self) -> bool {
        self.ranges
    }

    /// First and last key of each; the same twice where it is one value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.bytes.chunks_exact(self.stride().max(1));
        entries.map(|entry| match entry.split_at_checked(self.width) {
            Some((lo, hi)) if self.ranges => (lo, hi),
            _ => (entry, entry),
        })
    }

    /// One of them; see [`Keys::iter`].
    pub fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let from = index.checked_mul(self.stride())?;
        let entry = self.bytes.get(from..from.checked_add(self.stride())?)?;
        match entry.split_at_checked(self.width) {
            _ if entry.is_empty() => None,
            Some((lo, hi)) if self.ranges => Some((lo, hi)),
            _ => Some((entry, entry)),
        }
    }

    /// How many from `index` on are equal to those of `other` from `of_other` on; 0 as well where the two are not of one
    /// form, though some may be equal then.
    pub fn equal_run(&self, index: usize, other: &Self, of_other: usize) -> usize {
        /// Long pieces are compared at once.
        const PIECE: usize = 512;
        let stride = self.stride();
        if stride == 0 || self.width != other.width || self.ranges != other.ranges {
            return 0;
        }
        let rest =
            |keys: &'_ Self, index: usize| keys.bytes.len().min(index.saturating_mul(stride));
        let left = self.bytes.get(rest(self, index)..).unwrap_or_default();
        let right = other.bytes.get(rest(other, of_other)..).unwrap_or_default();
        let long = equal_pieces(left, right, stride * PIECE);
        let left = left.get(long..).unwrap_or_default();
        let right = right.get(long..).unwrap_or_default();
        (long + equal_pieces(left, right, stride)) / stride
    }

    /// Whether each is greater than the one before.
    pub fn is_in_order(&self) -> bool {
        // Of keys of one width, the bytes of both ends in one piece have the order of the ends.
        let entries = self.bytes.chunks_exact(self.stride().max(1));
        if self.stride() == 8 {
            let numbers = entries.map(|entry| entry.try_into().map_or(0, u64::from_be_bytes));
            return numbers.is_sorted_by(|one, next| one < next);
        }
        entries.is_sorted_by(|one, next| one < next)
    }

    /// The last one; see [`Keys::iter`].
    pub fn last(&self) -> Option<(&[u8], &[u8])> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Everything in one piece: [`Keys::width`] bytes for each, twice as many if there are ranges.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keys from such a piece; `None` where it is none.
    pub fn from_bytes(width: usize, ranges: bool, bytes: Vec<u8>) -> Option<Self> {
        let stride = if ranges { 2 * width } else { width };
        let keys = Self {
            width,
            ranges,
            bytes: Arc::new(bytes),
        };
        let whole = stride != 0 && keys.bytes.len().is_multiple_of(stride);
        (whole && (!ranges || keys.iter().any(|(lo, hi)| lo != hi))).then_some(keys)
    }

    fn stride(&self) -> usize {
        if self.ranges {
            2 * self.width
        } else {
            self.width
        }
    }
}

/// Keys under construction.
pub struct KeysBuilder(Keys, Vec<u8>);

impl KeysBuilder {
    /// For keys of a width, some of which may be ranges, about so many.
    pub fn new(width: usize, ranges: bool, number: usize) -> Self {
        let keys = Keys {
            width,
            ranges,
            bytes: Arc::default(),
        };
        let bytes = Vec::with_capacity(number * keys.stride());
        Self(keys, bytes)
    }

    /// Adds one, from its first to its last key.
    pub fn push(&mut self, lo: &[u8], hi: &[u8]) {
        self.1.extend_from_slice(lo);
        if self.0.ranges {
            self.1.extend_from_slice(hi);
        }
    }

    /// All of them.
    pub fn finish(self) -> Keys {
        let Self(keys, bytes) = self;
        if bytes.is_empty() {
            return Keys::default();
        }
        Keys {
            bytes: Arc::new(bytes),
            ..keys
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Elements, Keys, KeysBuilder};
    use crate::ruleset::{Count, Element, Key};

    fn element(key: Key, name: Option<&str>) -> Element {
        Element {
            key,
            datum: None,
            name: name.map(Into::into),
            count: None,
        }
    }

    /// What goes in comes out, in the form that is expected.
    #[track_caller]
    fn check(elements: &[Element], plain: bool) {
        let kept = Elements::from(elements.to_vec());
        assert_eq!(kept.plain().is_some(), plain);
        assert_eq!(kept.len(), elements.len());
        assert_eq!(kept, *elements);
        let again: Elements = kept.iter().collect();
        assert_eq!(again, kept);
    }

    #[test]
    fn elements_are_kept_as_they_are() {
        let exact = |a: u8| element(Key::exact([a, 0]), None);
        check(&[], true);
        check(&[exact(3), exact(1)], true);
        check(&[exact(3), element(Key::range([4, 0], [5, 9]), None)], true);
        check(&[exact(3), element(Key::exact([4, 0]), Some("x"))], false);
        check(&[exact(3), element(Key::exact([4]), None)], false);
        check(&[element(Key::exact([]), None)], false);
        let odd = Key {
            lo: [1].into(),
            hi: Some([1].into()),
        };
        check(&[element(odd, None)], false);
        let mut counted = exact(1);
        counted.count = Some(Count::default());
        check(&[counted], false);
    }

    #[test]
    fn one_form_for_the_same_elements() {
        let mut elements: Elements = vec![element(Key::exact([4]), Some("x"))].into();
        elements.edit(|all| all[0].name = None);
        assert_eq!(
            elements,
            Elements::from(vec![element(Key::exact([4]), None)])
        );
        elements.edit(Vec::clear);
        assert_eq!(elements, Elements::new());
        assert_eq!(Keys::from_bytes(2, true, vec![0; 6]), None);
        assert_eq!(Keys::from_bytes(2, true, vec![0; 8]), None);
        assert_eq!(
            Keys::from_bytes(2, true, vec![0, 1, 0, 2]).unwrap().len(),
            1
        );
    }

    #[test]
    fn keys_know_their_order_and_what_they_share() {
        let of = |ranges: &[(u32, u32)]| {
            let mut keys = KeysBuilder::new(4, true, 0);
            for (lo, hi) in ranges {
                keys.push(&lo.to_be_bytes(), &hi.to_be_bytes());
            }
            keys.finish()
        };
        let keys = of(&[(1, 2), (1, 3), (256, 257)]);
        assert!(keys.is_in_order());
        assert!(!of(&[(256, 257), (1, 2)]).is_in_order());
        assert!(!of(&[(1, 2), (1, 2)]).is_in_order());
        assert_eq!(keys.get(1), keys.iter().nth(1));
        assert_eq!((keys.get(3), keys.get(usize::MAX)), (None, None));
        assert_eq!(Keys::default().get(0), None);
        let other = of(&[(0, 9), (1, 2), (1, 3), (7, 9)]);
        assert_eq!(keys.equal_run(0, &other, 1), 2);
        assert_eq!(keys.equal_run(0, &other, 0), 0);
        assert_eq!(keys.equal_run(9, &other, 9), 0);
        assert_eq!(keys.equal_run(0, &Keys::default(), 0), 0);
    }
}
