//! Leaf values of the language: text in, one exact meaning or a precise complaint out. They know nothing of
//! documents or positions.
//!
//! Every leaf is written as one scalar and read through [`std::str::FromStr`], whether it comes from a policy
//! or a command line. Its JSON schema carries a `pattern` for editors and a `format` by which the validator
//! finds the same `FromStr`, so that schema and types cannot disagree.

mod address;
mod auto;
mod branch;
mod claim;
mod duration;
mod endpoint;
mod host;
mod host_part;
mod leaf;
mod moment;
mod name;
mod path;
mod port;
mod protocol;
mod range;
mod rate;
mod shape;
mod text;
mod time;
mod url;

pub use address::{Address, Prefix};
pub use auto::Auto;
pub use branch::Branch;
pub use claim::{NamedPorts, RulePath, SourceAfter};
pub use duration::Duration;
pub use endpoint::Endpoint;
pub use host::Host;
pub use host_part::HostPart;
pub use leaf::{Leaf, ValueError};
pub(crate) use leaf::{complain, leaf, what, with_formats};
pub use moment::Moment;
pub use name::{InterfaceName, InterfacePattern, Name, ZoneName, ZoneRef};
pub use path::{FilePath, IncludePattern, ListFile, Subdirectory};
pub use port::{Port, PortRange};
pub use protocol::{IcmpType, Icmpv6Type, IpProtocol};
pub use range::{AddressPool, AddressRange};
pub use rate::{Rate, RateUnit};
pub(crate) use shape::{names, one_or_list, one_or_map, with_leaf};
pub use text::{Date, LogPrefix, RawRule, Text, TimeZoneName};
pub use time::{DateRange, TimeOfDay};
pub use url::{SetSource, Url};
