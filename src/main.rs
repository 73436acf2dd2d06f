//! The `rfw` program.

fn main() {}
