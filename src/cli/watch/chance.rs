//! Numbers by chance, so that daemons do not go in step.

use crate::cli::session;

/// Different for each daemon, so that two do not go in step.
pub(super) fn seed() -> u64 {
    session::by_chance().map_or_else(|_| u64::from(std::process::id()), u64::from_ne_bytes)
}

/// Another each time (Knuth's generator; nothing depends on its quality).
pub(super) fn next_chance(chance: u64) -> u64 {
    chance
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
        .rotate_left(17)
}
