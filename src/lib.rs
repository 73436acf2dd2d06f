//! rfw: a declarative firewall reconciler for Linux gateways.
//!
//! ```text
//! policy ─► compile ─► ruleset ─► bytecode ─┬─► nft            (text)
//!                                           ▼
//!                         live ──────────► diff ─► plan ─► kernel ◄── netlink, FakeKernel
//!                                                    │
//!             source ────────────────────────────────┴──► apply          cli on top of all
//! ```

pub mod apply;
pub mod bytecode;
pub mod cli;
pub mod compile;
pub mod diagnostic;
pub mod diff;
pub mod kernel;
pub mod live;
pub mod netlink;
pub mod nft;
pub mod plan;
pub mod policy;
pub mod ruleset;
pub mod source;
pub mod state;
