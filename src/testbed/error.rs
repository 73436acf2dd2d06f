//! Why packets could not be sent through the kernel.

use std::io;

use crate::apply::ApplyError;
use crate::kernel::{CommitError, ObserveError};

/// Why packets could not be sent through the kernel.
#[derive(Debug, thiserror::Error)]
pub enum TestbedError {
    /// There are no namespaces for us.
    #[error("cannot make a network namespace to send packets in")]
    Namespace(#[source] io::Error),
    /// The kernel refused a part of it.
    #[error("cannot build the testbed: {action}")]
    Build {
        /// What was being done.
        action: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The rules could not be read.
    #[error("cannot read the rules of the testbed")]
    Observe(#[source] ObserveError),
    /// The kernel does not take the rules.
    #[error("the kernel of the testbed does not take the rules")]
    Load(#[source] Box<ApplyError>),
    /// The kernel does not take rules any more that it has taken before.
    #[error("cannot load the rules of the testbed again")]
    Commit(#[source] CommitError),
    /// Packets are not seen any more.
    #[error("cannot follow packets on the testbed: {action}")]
    Follow {
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

pub(super) fn build(action: String) -> impl FnOnce(io::Error) -> TestbedError {
    move |source| TestbedError::Build { action, source }
}

pub(super) fn follow(action: &'static str) -> impl FnOnce(io::Error) -> TestbedError {
    move |source| TestbedError::Follow { action, source }
}
