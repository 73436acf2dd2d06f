//! Words that tests claim things in: which rule decides, what a packet looks like behind the box, which ports are
//! tried.

use super::{Host, InterfaceName, Name, ValueError, leaf};
use crate::diagnostic::Code;
use std::{fmt, str::FromStr};

/// A rule as plans, logs and counters name it: `policy/rule`, `policy/default`, `nat/entry`, or one of the built-in
/// ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulePath(Vec<Name>);

impl RulePath {
    /// The names between the slashes, at least one.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.0
    }
}

impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, name) in self.0.iter().enumerate() {
            let slash = if nth == 0 { "" } else { "/" };
            write!(f, "{slash}{name}")?;
        }
        Ok(())
    }
}

impl FromStr for RulePath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let names: Result<Vec<Name>, ValueError> = text.split('/').map(str::parse).collect();
        let names = names.map_err(|error| error.help("write policy and rule: `lan-to-wan/web`"))?;
        if 2 < names.len() {
            let message = format!("`{text}` has more than a policy and a rule");
            let error = ValueError::new(Code::BadName, message);
            return Err(error.help("write policy and rule: `lan-to-wan/web`"));
        }
        Ok(RulePath(names))
    }
}

leaf!(RulePath, "rule", "the name of a rule such as `lan-to-wan/web`", {
    "type": "string",
    "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,62}(/[A-Za-z_][A-Za-z0-9_-]{0,62})?$",
    "description": "A rule by the name of its policy and its own: `lan-to-wan/web`; `lan-to-wan/default` for the end of the policy, `nat/shop` for what a translation opens."
});

/// Where a packet seems to come from behind the box: addresses, or the address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceAfter {
    /// An address, a prefix, a range, the name of a group; or of an interface, if it is none of a group.
    Host(Host),
    /// An interface whose name no group can have.
    Interface(InterfaceName),
}

impl fmt::Display for SourceAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceAfter::Host(host) => host.fmt(f),
            SourceAfter::Interface(interface) => f.write_str(interface.as_str()),
        }
    }
}

impl FromStr for SourceAfter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = match text.parse() {
            Ok(Host::HostPart(host)) => {
                let message = format!("`{host}` is only the host part of an address");
                return Err(
                    ValueError::new(Code::HostPartAlone, message).help("write the whole address")
                );
            }
            Ok(host) => return Ok(SourceAfter::Host(host)),
            Err(error) => error,
        };
        let looks_like_address =
            text.contains([':', '/']) || text.starts_with(|c: char| c.is_ascii_digit());
        match text.parse() {
            Ok(interface) if !looks_like_address => Ok(SourceAfter::Interface(interface)),
            _ => Err(error),
        }
    }
}

leaf!(SourceAfter, "source-after", "an address, a group or an interface", {
    "type": "string",
    "pattern": "^([0-9a-fA-F:.]+(/[0-9]{1,3}|-[0-9a-fA-F:.]+)?|(?!\\.{1,2}$)[!#-)+-.0-9;-~]{1,15}|[A-Za-z_][A-Za-z0-9_-]{0,62})$",
    "description": "An address, prefix, range or group, or the name of an interface for the address of the box on it."
});

/// Ports that go by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedPorts {
    /// `top-1000`
    Top1000,
    /// `all`
    All,
}

impl fmt::Display for NamedPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NamedPorts::Top1000 => "top-1000",
            NamedPorts::All => "all",
        })
    }
}

impl FromStr for NamedPorts {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "top-1000" => Ok(NamedPorts::Top1000),
            "all" => Ok(NamedPorts::All),
            other => {
                let message = format!("`{other}` is not known here");
                let error = ValueError::new(Code::UnknownValue, message);
                Err(error.help("write `top-1000`, `all` or a list of ports"))
            }
        }
    }
}

leaf!(NamedPorts, "named-ports", "`top-1000`, `all`", {
    "type": "string",
    "pattern": "^(top-1000|all)$",
    "description": "`top-1000`: the TCP ports of the built-in services, and the lowest ones up to 1000 in all; `all`: 1 to 65535."
});

#[cfg(test)]
mod tests {
    use super::{NamedPorts, RulePath, SourceAfter};
    use crate::policy::value::leaf::check;

    #[test]
    fn rules() {
        check::<RulePath>("lan-to-wan/web", "ok: lan-to-wan/web");
        check::<RulePath>("established", "ok: established");
        check::<RulePath>(
            "a/b/c",
            "bad-name: `a/b/c` has more than a policy and a rule; write policy and rule: `lan-to-wan/web`",
        );
        check::<RulePath>(
            "a/",
            "bad-name: a name cannot be empty; write policy and rule: `lan-to-wan/web`",
        );
    }

    #[test]
    fn ends_behind_the_box() {
        check::<SourceAfter>("203.0.113.10", "ok: 203.0.113.10");
        check::<SourceAfter>("eth0", "ok: eth0");
        check::<SourceAfter>("eth0.100", "ok: eth0.100");
        check::<SourceAfter>(
            "203.0.113.300",
            "bad-address: `300` in the address `203.0.113.300` is larger than 255",
        );
        check::<SourceAfter>(
            "::25/-64",
            "host-part-alone: `::25/-64` is only the host part of an address; write the whole address",
        );
    }

    #[test]
    fn tables_of_ports() {
        check::<NamedPorts>("top-1000", "ok: top-1000");
        check::<NamedPorts>(
            "top-100",
            "unknown-value: `top-100` is not known here; write `top-1000`, `all` or a list of ports",
        );
    }
}
