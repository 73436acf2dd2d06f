//! The desired ruleset as values.
