//! From a policy to a ruleset.

mod lower;
pub mod model;
pub use lower::lower;
