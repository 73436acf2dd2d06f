//! What the kernel tests stand on: network namespaces of their own, hosts joined by cables, real packets between them.
//!
//! [`alone`] gives a test body fresh namespaces (no root needed) and a time bound. Inside it, [`Host`]s are network
//! namespaces and [`link`] is the cable between two of them; [`Office`] is the topology that most tests want.
//! `tcp`, `udp`, `ping`, `flood` and `nmap` send packets, `serve` answers them, `nft` reads what the kernel runs, and
//! `rfw` runs the program under test.
//!
//! Nothing here knows how rfw works inside.

pub(crate) mod daemon;
pub(crate) mod flood;
pub(crate) mod gate;
pub(crate) mod git;
pub(crate) mod host;
pub(crate) mod icmp;
pub(crate) mod netns;
pub(crate) mod nflog;
pub(crate) mod nft;
pub(crate) mod nmap;
pub(crate) mod policies;
pub(crate) mod program;
pub(crate) mod rfw;
pub(crate) mod serve;
pub(crate) mod site;
pub(crate) mod socket;
pub(crate) mod sshd;
pub(crate) mod star;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod topology;
pub(crate) mod udp;
pub(crate) mod web;
pub(crate) mod wire;

pub(crate) use host::{Host, link};
pub(crate) use icmp::Icmp;
pub(crate) use netns::{alone, alone_for};
pub(crate) use star::Star;
pub(crate) use topology::Office;
