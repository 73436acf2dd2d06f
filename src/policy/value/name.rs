//! Names: of policies and rules, of zones, of interfaces. What they refer to is decided elsewhere.
//!
//! The kernel takes nearly any bytes as a name (newlines, escape sequences, slashes); rfw takes those that
//! survive a shell, a log line and a rule comment.

use super::{ValueError, leaf};
use crate::diagnostic::Code;
use std::{fmt, str::FromStr};

/// The name of a policy, rule, service, group or NAT entry: a letter or `_`, then letters, digits, `_` and
/// `-`; at most 63 characters, all ASCII.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "a name is a letter or `_`, then letters, digits, `_` and `-`";
        if text.is_empty() {
            return Err(ValueError::new(Code::BadName, "a name cannot be empty").help(HELP));
        }
        if let Some(odd) = text
            .chars()
            .find(|c| !matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '-'))
        {
            let message = if odd.is_alphanumeric() {
                format!(
                    "`{odd}` in the name `{text}` is not an ASCII letter (U+{:04X})",
                    u32::from(odd)
                )
            } else {
                format!("a name cannot hold {}", spell(odd))
            };
            return Err(ValueError::new(Code::BadName, message).help(HELP));
        }
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let message = format!("the name `{text}` does not begin with a letter");
            return Err(ValueError::new(Code::BadName, message).help(HELP));
        }
        if text.len() > 63 {
            let message = format!("a name of {} characters is too long", text.len());
            return Err(ValueError::new(Code::NameTooLong, message)
                .help("a name has at most 63 characters"));
        }
        Ok(Name(text.into()))
    }
}

/// A character in a message: itself if it can be seen, else by its number.
fn spell(c: char) -> String {
    match c {
        ' ' => "a space".into(),
        '\n' => "a line break".into(),
        '\t' => "a tab".into(),
        c if c.is_ascii_graphic() => format!("`{c}`"),
        c => format!("the character U+{:04X}", u32::from(c)),
    }
}

leaf!(Name, "name", "a name", {
    "type": "string",
    "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
    "description": "A name: a letter or `_`, then letters, digits, `_` and `-`; at most 63 characters."
});

/// The name of a zone as it is defined: a [`Name`] that is not `any`, `firewall` or `self`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneName(Name);

impl ZoneName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::borrow::Borrow<str> for ZoneName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for ZoneName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let name: Name = text.parse()?;
        let taken = match text {
            "any" => "it stands for every zone",
            "firewall" | "self" => "the box itself is the zone `firewall`, which always exists",
            _ => return Ok(ZoneName(name)),
        };
        Err(ValueError::new(
            Code::ReservedName,
            format!("a zone cannot be named `{text}`"),
        )
        .help(taken))
    }
}

leaf!(ZoneName, "zone-name", "the name of a zone", {
    "type": "string",
    "pattern": "^(?!(any|firewall|self)$)[A-Za-z_][A-Za-z0-9_-]{0,62}$",
    "description": "The name of a zone: a name other than `any`, `firewall` and `self`."
});

/// A zone as it is referred to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneRef {
    /// `any`: every zone, `firewall` included.
    Any,
    /// `firewall`: the box itself.
    Firewall,
    /// A zone of the policy.
    Zone(ZoneName),
}

impl fmt::Display for ZoneRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ZoneRef::Any => f.write_str("any"),
            ZoneRef::Firewall => f.write_str("firewall"),
            ZoneRef::Zone(name) => name.fmt(f),
        }
    }
}

impl FromStr for ZoneRef {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "any" => Ok(ZoneRef::Any),
            "firewall" => Ok(ZoneRef::Firewall),
            "self" => Err(
                ValueError::new(Code::ReservedName, "no zone is named `self`")
                    .help("write `firewall` for the box itself"),
            ),
            _ => Ok(ZoneRef::Zone(text.parse()?)),
        }
    }
}

leaf!(ZoneRef, "zone", "a zone", {
    "type": "string",
    "pattern": "^(?!self$)[A-Za-z_][A-Za-z0-9_-]{0,62}$",
    "description": "A zone of this policy, `firewall` for the box itself, or `any` for every zone."
});

/// The name of an interface, or the beginning of such names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfacePattern {
    /// This interface: at most 15 bytes, as the kernel's `IFNAMSIZ` allows.
    Exact(String),
    /// `wg*`: all interfaces whose name begins with this, present or not.
    Prefix(String),
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InterfacePattern::Exact(name) => f.write_str(name),
            InterfacePattern::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl FromStr for InterfacePattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = |message: String| ValueError::new(Code::BadInterface, message);
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if name.is_empty() && is_prefix {
            return Err(bad("`*` would be every interface".into())
                .help("name the interfaces, or begin their names: `wg*`"));
        }
        if name.is_empty() {
            return Err(bad("an interface name cannot be empty".into()));
        }
        if name == "." || name == ".." {
            return Err(bad(format!("`{name}` is no interface name")));
        }
        let odd = |c: &char| !c.is_ascii_graphic() || matches!(c, '/' | ':' | '*' | '"');
        if let Some(odd) = name.chars().find(odd) {
            let error = bad(format!("an interface name cannot hold {}", spell(odd)));
            return Err(match odd {
                '*' => error.help("`*` stands at the end only: `wg*`"),
                ':' => error
                    .help("addresses of an alias such as `eth0:1` belong to the interface `eth0`"),
                _ => error,
            });
        }
        if name.len() > 15 {
            let message = format!(
                "`{name}` has {} characters, an interface name at most 15",
                name.len()
            );
            return Err(ValueError::new(Code::InterfaceTooLong, message));
        }
        Ok(if is_prefix {
            InterfacePattern::Prefix(name.into())
        } else {
            InterfacePattern::Exact(name.into())
        })
    }
}

leaf!(InterfacePattern, "interface", "the name of an interface", {
    "type": "string",
    "pattern": "^(?!\\.{1,2}$)[!#-)+-.0-9;-~]{1,15}\\*?$",
    "description": "The name of an interface, such as `eth0`, or the beginning of names, such as `wg*`, also of interfaces that appear later."
});

/// The name of one interface: at most 15 bytes, as the kernel's `IFNAMSIZ` allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InterfaceName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse()? {
            InterfacePattern::Exact(name) => Ok(InterfaceName(name)),
            InterfacePattern::Prefix(_) => {
                let message = format!("`{text}` is not the name of one interface");
                Err(ValueError::new(Code::BadInterface, message).help(
                    "beginnings of names are written in `zones` and are the same on every node",
                ))
            }
        }
    }
}

leaf!(InterfaceName, "interface-name", "the name of one interface", {
    "type": "string",
    "pattern": "^(?!\\.{1,2}$)[!#-)+-.0-9;-~]{1,15}$",
    "description": "The name of one interface, such as `eth0`."
});

#[cfg(test)]
mod tests {
    use super::{InterfacePattern, Name, ZoneName, ZoneRef};
    use crate::policy::value::leaf::check;

    #[test]
    fn names() {
        let form = "a name is a letter or `_`, then letters, digits, `_` and `-`";
        check::<Name>("lan-to-wan_2", "ok: lan-to-wan_2");
        check::<Name>("no", "ok: no");
        check::<Name>(&"x".repeat(63), &format!("ok: {}", "x".repeat(63)));
        check::<Name>(
            &"x".repeat(64),
            "name-too-long: a name of 64 characters is too long; a name has at most 63 characters",
        );
        check::<Name>("", &format!("bad-name: a name cannot be empty; {form}"));
        check::<Name>(
            "010",
            &format!("bad-name: the name `010` does not begin with a letter; {form}"),
        );
        check::<Name>(
            "a b",
            &format!("bad-name: a name cannot hold a space; {form}"),
        );
        check::<Name>(
            "a;flush",
            &format!("bad-name: a name cannot hold `;`; {form}"),
        );
        check::<Name>(
            "a\u{1b}",
            &format!("bad-name: a name cannot hold the character U+001B; {form}"),
        );
        check::<Name>(
            "a\u{202e}",
            &format!("bad-name: a name cannot hold the character U+202E; {form}"),
        );
        check::<Name>(
            "l\u{430}n",
            &format!(
                "bad-name: `\u{430}` in the name `l\u{430}n` is not an ASCII letter (U+0430); {form}"
            ),
        );
    }

    #[test]
    fn zones() {
        check::<ZoneName>("lan", "ok: lan");
        check::<ZoneName>(
            "any",
            "reserved-name: a zone cannot be named `any`; it stands for every zone",
        );
        check::<ZoneName>(
            "self",
            "reserved-name: a zone cannot be named `self`; the box itself is the zone `firewall`, which always exists",
        );
        check::<ZoneRef>("any", "ok: any");
        check::<ZoneRef>("firewall", "ok: firewall");
        check::<ZoneRef>(
            "self",
            "reserved-name: no zone is named `self`; write `firewall` for the box itself",
        );
    }

    #[test]
    fn interfaces() {
        check::<InterfacePattern>("eth0.100", "ok: eth0.100");
        check::<InterfacePattern>("wg*", "ok: wg*");
        check::<InterfacePattern>("abcdefghijklmno", "ok: abcdefghijklmno");
        check::<InterfacePattern>(
            "abcdefghijklmnop",
            "interface-too-long: `abcdefghijklmnop` has 16 characters, an interface name at most 15",
        );
        check::<InterfacePattern>(
            "*",
            "bad-interface: `*` would be every interface; name the interfaces, or begin their names: `wg*`",
        );
        check::<InterfacePattern>(
            "w*g",
            "bad-interface: an interface name cannot hold `*`; `*` stands at the end only: `wg*`",
        );
        check::<InterfacePattern>(
            "eth0:1",
            "bad-interface: an interface name cannot hold `:`; addresses of an alias such as `eth0:1` belong to the interface `eth0`",
        );
        check::<InterfacePattern>("a/b", "bad-interface: an interface name cannot hold `/`");
        check::<InterfacePattern>("..", "bad-interface: `..` is no interface name");
        check::<InterfacePattern>("", "bad-interface: an interface name cannot be empty");
        check::<InterfacePattern>(
            "é",
            "bad-interface: an interface name cannot hold the character U+00E9",
        );
    }
}
