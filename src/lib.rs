//! rfw: a declarative firewall reconciler for Linux gateways.
//!
//! Two shapes at once: a *compiler* (text → policy → model → ruleset → bytecode) and a *reconciler*
//! (desired and live → diff → plan → apply → verify).
//!
//! ```text
//! policy ─► compile ─► ruleset ─► bytecode ─┬─► nft            (text, the second opinion)
//!                                           ▼
//!                         live ──────────► diff ─► plan ─► kernel ◄── netlink, FakeKernel
//!                                                    │
//!       source, state, host ─────────────────────────┴──► apply          cli on top of all
//! ```
//!
//! Bytecode is a stage of its own because the live ruleset *is* bytecode: desired and live meet where
//! the packets do, so what rfw compares is what a packet meets, not names or texts.
//!
//! # Invariants
//!
//! * [`ruleset`] and [`bytecode`] know no YAML, no netlink, no place in a text, no handle, no serde. Only
//!   [`policy`] types are deserialised, only view types made for `--format json` and the files that rfw
//!   keeps are serialised.
//! * [`compile`], [`diff`], [`plan`] are functions of their arguments: no clock, no environment, no order
//!   of a hash map. Same input, same bytes.
//! * [`digest`] puts nothing of the host, the date, a path or an order of files into the digest of a policy, and nothing that moves by
//!   itself into those of a table: replicas compare them.
//! * Backends are made from a [`ruleset::Valid`] ruleset.
//! * [`apply`] takes no decision that [`plan`] could have taken. A plan names the generation it was made
//!   from and is refused when the kernel has moved on and something else would have to be done.
//! * One plan is at most one batch that no packet notices, then exactly one batch that changes
//!   behaviour; both are taken by the kernel only at the generation they were made for.
//! * Nothing read from the kernel is dropped: what rfw does not understand is opaque, is shown, and never
//!   equals anything that rfw wants.
//! * rfw writes the table `inet rfw` and no other, the settings that [`system`] knows and no others, and one
//!   file that keeps them.
//! * Base chains are never made anew unless their hook or priority changes; each filter base chain ends in
//!   an explicit verdict; new interval sets are filled a batch before anything looks at them.
//!
//! # Who may use whom
//!
//! | module | what it is | may use |
//! |---|---|---|
//! | [`diagnostic`] | what we tell an operator about a policy | – |
//! | [`ruleset`] | the desired ruleset as values | – |
//! | [`system`] | settings of the box under `/proc/sys`, as values | – |
//! | [`view`] | what everything that is printed has in common | – |
//! | [`policy`] | the language | diagnostic |
//! | [`agent`] | what stays on the box: `agent.yaml` | policy, diagnostic |
//! | [`signature`] | whether somebody who may has signed something | – |
//! | [`schedule`] | when a time window is open | – |
//! | [`compile`] | from a policy to a ruleset and settings | policy, schedule, ruleset, system, diagnostic |
//! | [`bytecode`] | what the kernel runs | ruleset |
//! | [`nft`] | text for people and for nft(8) | bytecode, ruleset |
//! | [`live`] | what the kernel holds now | bytecode, ruleset |
//! | [`evaluate`] | what becomes of a packet | live, bytecode, ruleset |
//! | [`prove`] | whether a test holds for all packets that it is about | compile, schedule, evaluate, bytecode, ruleset |
//! | [`diff`] | what differs | live, bytecode, ruleset |
//! | [`plan`] | what has to be done | diff, live, nft, bytecode, ruleset, system, view |
//! | [`kernel`] | the kernel as rfw needs it, and one in memory | plan, diff, live, bytecode, ruleset |
//! | [`apply`] | does it, reads back, compares | kernel, plan, diff, live, bytecode, ruleset |
//! | [`digest`] | one number for what a policy means, and one for what the kernel holds | compile, live, bytecode, ruleset, view |
//! | [`counters`] | what rules count, and when each was last seen to | live, ruleset, view |
//! | [`health`] | whether the box is well, and how rfw stands | reconcile, system, view |
//! | [`metrics`] | how rfw stands, in Prometheus' text format | counters, digest, health, live, reconcile, system |
//! | [`netlink`] | the real kernel | kernel, plan, live, bytecode, ruleset, health, system, view |
//! | [`source`] | where policies come from | policy, diagnostic |
//! | [`state`] | what rfw remembers | diagnostic, system, view |
//! | [`host`] | the box itself: reads and writes settings, reads counts and the log | health, system |
//! | [`testbed`] | rules in the real kernel and real packets, in namespaces of rfw's own | prove, compile, evaluate, apply, kernel, netlink, plan, live, bytecode, ruleset, system |
//! | [`reconcile`] | the loop: when to look, what to do about it | – |
//! | [`watch`] | files that change, signals, the service manager, whoever asks | reconcile |
//! | [`cli`] | the command line | all |
//!
//! `tests/architecture.rs` holds the code against this table. Only `source`, `state`, `netlink`, `host`,
//! `testbed`, `watch` and `cli` meet the operating system; `clippy.toml` says so of every function that would.

pub mod agent;
pub mod apply;
pub mod bytecode;
pub mod cli;
pub mod compile;
pub mod counters;
pub mod diagnostic;
pub mod diff;
pub mod digest;
pub mod evaluate;
pub mod health;
pub mod host;
pub mod kernel;
pub mod live;
pub mod metrics;
pub mod netlink;
pub mod nft;
pub mod plan;
pub mod policy;
pub mod prove;
pub mod reconcile;
pub mod ruleset;
pub mod schedule;
pub mod signature;
pub mod source;
pub mod state;
pub mod system;
pub mod testbed;
pub mod view;
pub mod watch;
