//! Ports and ranges of ports, as TCP, UDP, SCTP, DCCP and UDP-Lite count them.

use super::{ValueError, leaf};
use crate::diagnostic::Code;
use std::{fmt, str::FromStr};

/// A port: 1-65535, host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(u16);

impl Port {
    /// The number; never 0.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const HELP: &str = "a port is a number from 1 to 65535";
        if text.is_empty() {
            return Err(ValueError::new(Code::BadPort, "a port is missing").help(HELP));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ValueError::new(Code::BadPort, format!("`{text}` is no port")).help(HELP));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            let error = ValueError::new(
                Code::LeadingZero,
                format!("the port `{text}` has leading zeros"),
            );
            return Err(match digits.trim_start_matches('0') {
                "" => error.help(HELP),
                plain => error.help(format!("write `{plain}`")),
            });
        }
        match text.parse() {
            Ok(number @ 1..) => Ok(Port(number)),
            Ok(0) | Err(_) => Err(ValueError::new(
                Code::PortOutOfRange,
                format!("there is no port `{text}`"),
            )
            .help(HELP)),
        }
    }
}

leaf!(Port, "port", "a port", {
    "type": ["integer", "string"],
    "minimum": 1,
    "maximum": 65535,
    "pattern": "^[1-9][0-9]{0,4}$",
    "description": "A port: 1 to 65535."
});

/// A port, or all ports from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    lo: Port,
    hi: Port,
}

impl PortRange {
    /// The first port.
    #[must_use]
    pub fn lo(self) -> u16 {
        self.lo.0
    }

    /// The last port; not below the first.
    #[must_use]
    pub fn hi(self) -> u16 {
        self.hi.0
    }

    /// Whether it is one port.
    #[must_use]
    pub fn is_single(self) -> bool {
        self.lo == self.hi
    }
}

impl From<Port> for PortRange {
    fn from(port: Port) -> Self {
        PortRange { lo: port, hi: port }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortRange { lo, hi } = self;
        if lo == hi {
            lo.fmt(f)
        } else {
            write!(f, "{lo}-{hi}")
        }
    }
}

impl FromStr for PortRange {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((lo, hi)) = text.split_once('-').filter(|(lo, _)| !lo.is_empty()) else {
            return Ok(text.parse::<Port>()?.into());
        };
        if hi.is_empty() {
            return Err(
                ValueError::new(Code::BadPort, format!("the range `{text}` has no end"))
                    .help(format!("write `{lo}-65535` for all ports from {lo} on")),
            );
        }
        let (lo, hi) = (lo.parse::<Port>()?, hi.parse::<Port>()?);
        if hi < lo {
            return Err(ValueError::new(
                Code::ReversedRange,
                format!("the range `{text}` ends before it begins"),
            )
            .help(format!("write `{hi}-{lo}`")));
        }
        Ok(PortRange { lo, hi })
    }
}

leaf!(PortRange, "ports", "a port or a range of ports", {
    "type": ["integer", "string"],
    "minimum": 1,
    "maximum": 65535,
    "pattern": "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$",
    "description": "A port from 1 to 65535, or a range of them: `8080`, `\"9000-9010\"`."
});

#[cfg(test)]
mod tests {
    use super::{super::leaf::told, PortRange};

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(told::<PortRange>(text), expect);
    }

    #[test]
    fn good() {
        check("22", "ok: 22");
        check("9000-9010", "ok: 9000-9010");
        check("1-65535", "ok: 1-65535");
        check("7-7", "ok: 7");
    }

    #[test]
    fn bad() {
        let range = "a port is a number from 1 to 65535";
        check("", &format!("bad-port: a port is missing; {range}"));
        check(
            "0",
            &format!("port-out-of-range: there is no port `0`; {range}"),
        );
        check(
            "65536",
            &format!("port-out-of-range: there is no port `65536`; {range}"),
        );
        check(
            "99999999999999999999",
            &format!("port-out-of-range: there is no port `99999999999999999999`; {range}"),
        );
        check(
            "-1",
            &format!("port-out-of-range: there is no port `-1`; {range}"),
        );
        check(
            "022",
            "leading-zero: the port `022` has leading zeros; write `22`",
        );
        check(
            "00",
            &format!("leading-zero: the port `00` has leading zeros; {range}"),
        );
        check("0x16", &format!("bad-port: `0x16` is no port; {range}"));
        check("1e2", &format!("bad-port: `1e2` is no port; {range}"));
        check("22.0", &format!("bad-port: `22.0` is no port; {range}"));
        check("+22", &format!("bad-port: `+22` is no port; {range}"));
        check(
            "22-",
            "bad-port: the range `22-` has no end; write `22-65535` for all ports from 22 on",
        );
        check(
            "100-50",
            "reversed-range: the range `100-50` ends before it begins; write `50-100`",
        );
        check("1-2-3", &format!("bad-port: `2-3` is no port; {range}"));
        check("1 - 2", &format!("bad-port: `1 ` is no port; {range}"));
    }
}
