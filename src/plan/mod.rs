//! What has to be done: the operations that lead from the live ruleset to the desired one.

mod operation;

pub use operation::{Operation, Place};
