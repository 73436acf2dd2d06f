//! The bytes of a text, kept once however many look at them: what was read is printed in diagnostics, told apart into nodes,
//! digested and kept on disk.

use std::ops::Deref;
use std::sync::Arc;

/// A text as it was read; not necessarily UTF-8. A clone shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Bytes);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Bytes {
    Utf8(Arc<String>),
    /// At least one of them begins no character.
    Other(Arc<Vec<u8>>),
}

impl Text {
    /// The text, if it is UTF-8.
    #[must_use]
    pub fn utf8(&self) -> Option<&Arc<String>> {
        match &self.0 {
            Bytes::Utf8(text) => Some(text),
            Bytes::Other(_) => None,
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Utf8(text) => text.as_bytes(),
            Bytes::Other(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(match String::from_utf8(bytes) {
            Ok(text) => Bytes::Utf8(text.into()),
            Err(error) => Bytes::Other(error.into_bytes().into()),
        })
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::Utf8(text.into()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn bytes_stay_what_they_are() {
        for bytes in [&b""[..], b"port: 22\n", "für".as_bytes(), b"f\xfcr"] {
            let text = Text::from(bytes.to_vec());
            assert_eq!(&*text, bytes);
            assert_eq!(
                text.utf8().map(|text| text.as_bytes()),
                std::str::from_utf8(bytes).ok().map(str::as_bytes)
            );
        }
        assert_eq!(Text::from("a"), Text::from(b"a".to_vec()));
    }
}
