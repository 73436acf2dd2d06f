//! The language an operator writes.
//!
//! [`Policy`] and its parts are plain data, made of leaf values (`value`). [`parse`] reads texts into it, with all complaints at once; [`Locations`] finds the
//! bytes of a document path again; a JSON schema describes it all for editors. What names refer to and
//! whether the whole makes sense is not decided here but in `compile`.

pub mod builtin;
mod document;
mod flowtable;
mod group;
mod locate;
mod log;
mod nat;
mod node;
mod parse;
mod raw;
mod refer;
mod schedule;
mod schema;
mod service;
mod set;
mod sysctl;
mod test;
mod value;
mod zone;

pub use document::{Action, ForeignTables, Policy, RejectWith, Rule, ZonePolicy};
pub use flowtable::Flowtable;
pub use group::{Group, Hosts};
pub use locate::Locations;
pub use log::{ConnLimit, Limit, LimitPer, Log};
pub use nat::{
    Backend, Balance, BalanceMode, Dnat, Masquerade, Nat, NatFamily, Netmap, Nptv6, Redirect, Snat,
};
pub use node::Node;
pub use parse::{LARGEST_FILE, LARGEST_POLICY, Parsed, parse, parse_and, thoroughly};
pub use raw::{Raw, RawHook, RawPlace};
pub use refer::{Reference, References, references};
pub use schedule::{Day, OnEnd, Schedule};
pub use schema::{Checker, Document, schema, schema_of, schema_text};
pub use service::{Helper, Service, ServiceRef};
pub use set::LivingSet;
pub use sysctl::{Neighbour, RpFilter, Sysctl, Thresholds};
pub use test::{
    DestinationAfter, Scan, ScanPorts, ScanRest, Test, TestEnd, TestFamily, TestHost, TestState,
};
pub use value::*;
pub use zone::{Zone, ZoneMatch, Zones};
