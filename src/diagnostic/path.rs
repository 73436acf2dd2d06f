//! The path of a value in a document: `policies[2].rules[0].to`. Not a position in a file.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into a map.
    Key(Cow<'static, str>),
    /// Into a list, counted from 0.
    Index(usize),
}

/// The way from the root of the (merged) document to a value.
///
/// Paths are made for every value of a policy and shown for very few, so a step further shares the way so
/// far instead of copying it.
#[derive(Clone, Default)]
pub struct DocPath(Option<Arc<Step>>);

struct Step {
    parent: DocPath,
    segment: Segment,
}

impl DocPath {
    /// The document itself.
    #[must_use]
    pub fn root() -> Self {
        DocPath::default()
    }

    /// The value below a key of this one.
    #[must_use]
    pub fn key(&self, key: impl Into<Cow<'static, str>>) -> Self {
        self.child(Segment::Key(key.into()))
    }

    /// The value below a key of this one that is not a word of the language.
    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        self.key(name.to_owned())
    }

    /// The element of this list, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.child(Segment::Index(index))
    }

    fn child(&self, segment: Segment) -> Self {
        let parent = self.clone();
        DocPath(Some(Arc::new(Step { parent, segment })))
    }

    /// What this value is part of; the root is part of nothing.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.as_ref().map(|step| step.parent.clone())
    }

    /// The last step; the root has none.
    #[must_use]
    pub fn last(&self) -> Option<&Segment> {
        self.0.as_ref().map(|step| &step.segment)
    }

    /// The steps from the root.
    #[must_use]
    pub fn segments(&self) -> Vec<&Segment> {
        let mut segments = Vec::new();
        let mut rest = self;
        while let Some(step) = &rest.0 {
            segments.push(&step.segment);
            rest = &step.parent;
        }
        segments.reverse();
        segments
    }

    /// As a JSON pointer (RFC 6901): `/policies/2/to`.
    #[must_use]
    pub fn to_pointer(&self) -> String {
        let mut pointer = String::new();
        for segment in self.segments() {
            pointer.push('/');
            match segment {
                Segment::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
                Segment::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }

    /// From a JSON pointer. A pointer does not tell a list from a map: steps that look like an index become one.
    #[must_use]
    pub fn from_pointer(pointer: &str) -> Self {
        let segments = pointer.split('/').skip(1).map(|step| {
            let canonical = step == "0" || !step.starts_with('0');
            match step.parse() {
                Ok(index) if canonical && !step.starts_with('+') => Segment::Index(index),
                _ => Segment::Key(step.replace("~1", "/").replace("~0", "~").into()),
            }
        });
        segments.collect()
    }
}

impl FromIterator<Segment> for DocPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        segments
            .into_iter()
            .fold(DocPath::root(), |path, segment| path.child(segment))
    }
}

impl PartialEq for DocPath {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                Arc::ptr_eq(a, b) || (a.segment == b.segment && a.parent == b.parent)
            }
            _ => false,
        }
    }
}

impl Eq for DocPath {}

impl PartialOrd for DocPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DocPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.segments().cmp(&other.segments())
    }
}

impl Hash for DocPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.segments().hash(state);
    }
}

impl fmt::Debug for DocPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocPath({self})")
    }
}

impl fmt::Display for DocPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, segment) in self.segments().into_iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) => {
                    let dot = if nth == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                }
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Not the way a document path is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a document path")]
pub struct NotAPath;

impl std::str::FromStr for DocPath {
    type Err = NotAPath;

    /// From the way it is displayed, `rules[3].to`; quoted keys are not read back.
    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let mut segments = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            if !key.is_empty() {
                segments.push(Segment::Key(key.to_owned().into()));
            }
            while let Some(index) = rest.strip_prefix('[') {
                let (index, after) = index.split_once(']').ok_or(NotAPath)?;
                segments.push(Segment::Index(index.parse().map_err(|_| NotAPath)?));
                rest = after;
            }
            if !rest.is_empty() {
                return Err(NotAPath);
            }
        }
        Ok(segments.into_iter().collect())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::DocPath;

    #[track_caller]
    fn check(pointer: &str, display: &str) {
        let path = DocPath::from_pointer(pointer);
        assert_eq!(path.to_string(), display);
        assert_eq!(path.to_pointer(), pointer);
    }

    #[test]
    fn read_back() {
        for text in [
            "",
            "policies[2].rules[0].services[1]",
            "zones.wan",
            "a[1][2]",
        ] {
            assert_eq!(
                text.parse::<DocPath>()
                    .map(|path| path.to_string())
                    .as_deref(),
                Ok(text)
            );
        }
        assert!("a[x]".parse::<DocPath>().is_err());
    }

    #[test]
    fn pointer_and_display() {
        check("", "");
        check("/rules/3/to", "rules[3].to");
        check("/zones/a~1b~0c/networks/0", "zones[\"a/b~c\"].networks[0]");
        check("/zones/010", "zones.010");
        check("/zones/+1/", "zones[\"+1\"][\"\"]");
    }

    #[test]
    fn parents() {
        let path = DocPath::root().key("rules").index(3);
        assert_eq!(path.parent(), Some(DocPath::root().key("rules")));
        assert_eq!(DocPath::root().parent(), None);
    }
}
