//! The evaluator beside the kernel: one answer.
//!
//! What passes and as what, what is answered and how, what is gone: all that must be one of the outcomes that the evaluator
//! names, by the program that was compiled as well as by the table that the kernel lists.
//!
//! `RFW_DIFFERENTIAL_POLICIES` and `RFW_DIFFERENTIAL_SEED` make longer and other runs: see `scripts/fuzz`.

mod field;
mod foreign;
mod ledger;
mod made;
mod rules;

/// A number of the environment.
fn given(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}
