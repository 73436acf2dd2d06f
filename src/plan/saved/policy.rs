//! The policy that a kept plan was made of. A plan is applied without it; whoever has applied one keeps it as the policy in force.

use serde::{Deserialize, Serialize};

/// Its texts as they were read, and whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPolicy {
    /// Which of its nodes it was compiled for.
    pub node: Option<String>,
    /// The commit that it is of, if it is of one, hexadecimal.
    pub commit: Option<String>,
    /// The branch or tag that the commit came from, by its whole name.
    pub reference: Option<String>,
    /// Who had signed the commit, where that matters.
    pub signer: Option<String>,
    /// How many of the texts are the policy itself; lists follow.
    pub documents: usize,
    /// Of each list, the path by which the policy names it.
    pub lists: Vec<String>,
    /// Name and bytes of each text.
    pub texts: Vec<(String, SavedText)>,
}

/// Bytes, which are nearly always text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SavedText {
    /// In UTF-8.
    Utf8(String),
    /// Anything, as comments of a list may be.
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for SavedText {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Utf8)
    }
}

impl From<SavedText> for Vec<u8> {
    fn from(text: SavedText) -> Self {
        match text {
            SavedText::Utf8(text) => text.into_bytes(),
            SavedText::Bytes(bytes) => bytes,
        }
    }
}

impl SavedPolicy {
    /// Whether all texts are there that it speaks of.
    pub(super) fn is_whole(&self) -> bool {
        self.documents > 0 && self.documents.checked_add(self.lists.len()) == Some(self.texts.len())
    }
}
