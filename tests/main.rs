//! One binary for all integration tests.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests meet the system, wait, and stop at the first surprise; clippy exempts only `#[test]` functions"
)]

mod against;
mod agent;
mod architecture;
mod blocks;
mod ci;
mod cli;
mod compile;
mod contract;
mod counters;
mod diagnostics;
mod differential;
mod digest;
mod doctor;
mod drift;
mod due;
mod evaluate;
mod files;
mod git;
mod harness;
mod health;
mod hook;
mod large_sets;
mod laws;
mod leak;
mod metrics;
mod netlink;
mod nft_text;
mod notation;
mod over_https;
mod over_ssh;
mod packets_balance;
mod packets_dmz;
mod packets_filter;
mod packets_helper;
mod packets_host_part;
mod packets_limit;
mod packets_list;
mod packets_map;
mod packets_nat;
mod packets_office;
mod packets_offload;
mod packets_raw;
mod packets_schedule;
mod packets_set;
mod packets_state;
mod packets_zone;
mod packets_zone_nat;
mod plan;
mod plan_listing;
mod plan_saved;
mod policies;
mod proofs;
mod properties;
mod pull;
mod push;
mod readme;
mod reconcile;
mod refused;
mod replicas;
mod restore;
mod scenarios;
mod schedules;
mod schema;
mod settings;
mod shapes;
mod simulation;
mod soak;
mod support;
mod testbed;
mod trace;
mod trace_live;
mod trust;
mod watch;
