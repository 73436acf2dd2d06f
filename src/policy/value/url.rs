//! Where a set comes from: addresses on the web, and names.

use super::{ValueError, leaf};
use crate::diagnostic::Code;
use std::{fmt, str::FromStr};

/// The longest URL.
const LONGEST: usize = 2048;

/// The address of a list on the web: `https://` or `http://`, without a user, a password or a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Url {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "write it whole, such as `https://lists.example.net/drop.txt`";
        let bad = |message: String| ValueError::new(Code::BadSetSource, message).help(HELP);
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let Some(rest) = rest else {
            return Err(bad(format!(
                "`{text}` is no `https://` or `http://` address"
            )));
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let host = rest.get(..end).unwrap_or_default();
        if host.contains('@') {
            // Not shown: it may be a password.
            return Err(bad("an address with a user or a password in it".into())
                .help("a policy is no place for secrets"));
        }
        let strange = |letter: char| !letter.is_ascii_graphic() || r#""<>\^`{|}#"#.contains(letter);
        if host.is_empty() || text.len() > LONGEST || text.contains(strange) {
            return Err(bad(format!(
                "`{}` is no address on the web",
                text.escape_default()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

leaf!(Url, "uri", "an address such as `https://lists.example.net/drop.txt`", {
    "type": "string",
    "pattern": "^https?://[^/?@]+([/?].*)?$",
    "description": "An address on the web, `https://` or `http://`. Example: `https://lists.example.net/drop.txt`."
});

/// Where a set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetSource {
    /// A list on the web.
    Url(Url),
    /// The addresses of a name.
    Dns(String),
}

impl fmt::Display for SetSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

impl FromStr for SetSource {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some(name) = text.strip_prefix("dns:") else {
            return text.parse().map(Self::Url).map_err(|error: ValueError| {
                let scheme = text.starts_with("http://") || text.starts_with("https://");
                match scheme {
                    true => error,
                    false => ValueError::new(
                        Code::BadSetSource,
                        format!("`{}` is no source of a set", text.escape_default()),
                    )
                    .help("write `https://...`, or `\"dns:NAME\"`; a list in a file of the policy is a group"),
                }
            });
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(plain)
        };
        // The last label of an address is a number, of a name never (RFC 3696).
        let is_name = name.len() <= 253
            && name.split('.').all(is_label)
            && name
                .rsplit('.')
                .next()
                .is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
        if is_name {
            Ok(Self::Dns(name.to_owned()))
        } else {
            let message = format!("`{}` is no name of a host", name.escape_default());
            Err(ValueError::new(Code::BadSetSource, message)
                .help("write the name behind `dns:`, such as `\"dns:deb.example.org\"`"))
        }
    }
}

leaf!(SetSource, "set-source", "`https://...` or `dns:NAME`", {
    "type": "string",
    "pattern": "^(https?://[^/?@]+([/?].*)?|dns:[A-Za-z0-9._-]+)$",
    "description": "Where a set comes from: a list on the web (`https://` or `http://`), or the addresses of a name (`dns:`). Example: `https://lists.example.net/drop.txt`, `\"dns:deb.example.org\"`."
});

#[cfg(test)]
mod tests {
    use super::{super::leaf::told, SetSource};

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(told::<SetSource>(text).split(';').next().unwrap(), expect);
    }

    #[test]
    fn good() {
        for text in [
            "https://lists.example.net/drop.txt",
            "http://[2001:db8::1]:8080?a=b&c=d",
            "dns:deb.example.org",
            "dns:localhost",
        ] {
            check(text, &format!("ok: {text}"));
        }
    }

    #[test]
    fn bad() {
        for text in [
            "file:///etc/shadow",
            "/etc/shadow",
            "ftp://a/b",
            "drop.txt",
            "",
        ] {
            check(
                text,
                &format!("bad-set-source: `{text}` is no source of a set"),
            );
        }
        for text in [
            "https://",
            "https:///x",
            "http://a b",
            "http://a/#x",
            "http://a/\"x\"",
        ] {
            let shown = text.escape_default();
            check(
                text,
                &format!("bad-set-source: `{shown}` is no address on the web"),
            );
        }
        check(
            "https://me:secret@example.net/",
            "bad-set-source: an address with a user or a password in it",
        );
        for name in ["", "-a", "a..b", "10.0.0.1", "a b", "fd00::1", "--version"] {
            check(
                &format!("dns:{name}"),
                &format!("bad-set-source: `{name}` is no name of a host"),
            );
        }
    }
}
