//! The path of a value in a document: `policies[2].rules[0].to`. Not a position in a file.

use std::fmt;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Into a map.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

/// The way from the root of the (merged) document to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocPath {
    segments: Vec<Segment>,
}

impl DocPath {
    /// The document itself.
    #[must_use]
    pub fn root() -> Self {
        DocPath::default()
    }

    /// The value below a key of this one.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.child(Segment::Key(key.into()))
    }

    /// The element of this list, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.child(Segment::Index(index))
    }

    fn child(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        segments.extend_from_slice(&self.segments);
        segments.push(segment);
        DocPath { segments }
    }

    /// What this value is part of; the root is part of nothing.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.segments.split_last()?;
        Some(DocPath {
            segments: rest.to_vec(),
        })
    }

    /// The steps from the root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// As a JSON pointer (RFC 6901): `/policies/2/to`.
    #[must_use]
    pub fn to_pointer(&self) -> String {
        let mut pointer = String::new();
        for segment in &self.segments {
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
                _ => Segment::Key(step.replace("~1", "/").replace("~0", "~")),
            }
        });
        DocPath {
            segments: segments.collect(),
        }
    }
}

impl From<Vec<Segment>> for DocPath {
    fn from(segments: Vec<Segment>) -> Self {
        DocPath { segments }
    }
}

impl fmt::Display for DocPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, segment) in self.segments.iter().enumerate() {
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
                segments.push(Segment::Key(key.to_owned()));
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
        Ok(DocPath { segments })
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
