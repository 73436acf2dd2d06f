//! What the policy wants of the box's settings.

use super::Key;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub key: Key,
    /// What it shall be.
    pub value: u32,
    /// Where in the policy it comes from, as a document path.
    pub origin: String,
}

/// All that the policy names, in the order of their keys, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// Puts them in order. Of two with one key the last stays.
    pub fn new(mut settings: Vec<Setting>) -> Self {
        settings.reverse();
        settings.sort_by(|left, right| left.key.cmp(&right.key));
        settings.dedup_by(|later, first| later.key == first.key);
        Self(settings)
    }

    /// Whether the policy names none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> std::slice::Iter<'_, Setting> {
        self.0.iter()
    }

    /// Whether a key is among them.
    pub fn names(&self, key: &Key) -> bool {
        self.0.iter().any(|setting| setting.key == *key)
    }
}
