//! Where policies come from: texts out of a [`Tree`], a directory or a commit. Meets the file system, and nothing else
//! does on the way from a policy to a plan.

mod bounded;
mod directory;
mod expand;
mod fetch;
mod files;
mod gather;
pub mod git;
mod tree;
mod unprivileged;

pub use directory::Directory;
pub use fetch::{FetchError, fetch, fetch_sum};
pub use files::{SourceError, read_files, read_own};
pub use gather::{LARGEST_LIST, Texts, gather};
pub use tree::{Entry, Odd, Tree, Unreadable};
