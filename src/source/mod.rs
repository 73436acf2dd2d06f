//! Where policies come from. Files for now; meets the file system, and nothing else does on the way from a
//! policy to a plan.

mod files;

pub use files::{SourceError, read_files};
