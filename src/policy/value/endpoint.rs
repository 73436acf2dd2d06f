//! Where something listens: an address and a port.

use super::{ValueError, leaf};
use crate::diagnostic::Code;
use std::net::SocketAddr;
use std::{fmt, str::FromStr};

/// An address of the box and a port to listen on. Example: `127.0.0.1:9472`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(SocketAddr);

impl Endpoint {
    /// Both.
    #[must_use]
    pub fn socket_address(self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Endpoint {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Self(address)),
            _ => {
                let message = format!("`{text}` is no address with a port");
                let help = "write `127.0.0.1:9472` or `\"[::1]:9472\"`";
                Err(ValueError::new(Code::BadAddress, message).help(help))
            }
        }
    }
}

leaf!(Endpoint, "endpoint", "an address with a port", {
    "type": "string",
    "pattern": "^(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+):[0-9]{1,5}$",
    "description": "An address of the box and a port: `127.0.0.1:9472`, `[::1]:9472`."
});

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use crate::policy::value::leaf::told;

    #[test]
    fn endpoints() {
        for good in ["127.0.0.1:9472", "[::1]:80"] {
            assert_eq!(told::<Endpoint>(good), format!("ok: {good}"));
        }
        for bad in [
            "",
            "localhost:80",
            "127.0.0.1",
            "::1:80",
            "127.0.0.1:0",
            "127.0.0.1:65536",
        ] {
            assert!(told::<Endpoint>(bad).starts_with("bad-address: "), "{bad}");
        }
    }
}
