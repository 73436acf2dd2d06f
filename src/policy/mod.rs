//! The language an operator writes.
