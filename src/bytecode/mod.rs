//! What the kernel runs: instructions over registers.
//!
//! The desired ruleset is [`linearize`]d into a [`Program`]; the live ruleset arrives as the same
//! instructions. Both meet here, so one comparison serves both, and what rfw compares is what a packet
//! meets. Not a wire format: byte layout is netlink's.
//!
//! A rule is a list of [`Instruction`]s. One is in *canonical* form by construction: registers are counted in 32-bit slots
//! (the kernel reports the same register under two numbers), defaults are filled in, and values that
//! move by themselves (counters) are set apart by [`Instruction::same`].

mod candidate;
mod delinearize;
mod display;
mod instruction;
mod layout;
mod linearize;
mod load;
mod names;
mod program;
mod raw;
mod recover;
mod relation;
mod translation;
pub mod xtables;

pub use delinearize::{Recovered, delinearize, delinearize_in, piece_at};
pub use instruction::{Comparison, Instruction, LookupResult, PayloadBase, Register, same};
pub use linearize::instructions;
pub use program::{Chain, Program, Rule, linearize, linearize_with};
pub use raw::{RawCode, why_not};
