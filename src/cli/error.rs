//! How a command fails: the exit code, and the one place where a chain of causes is printed.

use std::error::Error;
use std::io;

use super::exit;
use super::output::Output;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The policy has errors; they have been printed.
    Rejected,
    /// The kernel does something else than rfw says; that has been printed.
    Wrong,
    /// There are changes or warnings, which have been printed, and the exit code says so.
    Changes,
    /// A guard refused something.
    Guard(Explained),
    /// The kernel has moved on since the plan was made.
    Stale(Explained),
    /// The world: kernel, file system, permission.
    World(Explained),
    /// The words of the command line say nothing that can be done.
    Usage(Explained),
    /// The result could not be written.
    Output(io::Error),
}

/// An error, and what is true now.
#[derive(Debug)]
pub(super) struct Explained {
    /// What happened, with its causes.
    pub(super) error: Box<dyn Error>,
    /// More lines about it: which operation, which line of the policy.
    pub(super) details: Vec<String>,
    /// What is true now, and what to do.
    pub(super) now: Vec<String>,
}

impl Failure {
    /// An error of the world after which nothing has changed.
    pub(super) fn world(error: impl Error + 'static) -> Self {
        Self::World(Explained {
            error: Box::new(error),
            details: Vec::new(),
            now: Vec::new(),
        })
    }

    /// Words of the command line that cannot be meant.
    pub(super) fn usage(error: impl Error + 'static) -> Self {
        Self::Usage(Explained {
            error: Box::new(error),
            details: Vec::new(),
            now: Vec::new(),
        })
    }

    /// As [`Failure::world`], with what is true now.
    pub(super) fn world_now(error: impl Error + 'static, now: &str) -> Self {
        Self::World(Explained {
            error: Box::new(error),
            details: Vec::new(),
            now: vec![now.to_owned()],
        })
    }

    /// The same, with more that is true now.
    pub(super) fn also_now(mut self, more: Vec<String>) -> Self {
        if let Self::Stale(explained)
        | Self::Guard(explained)
        | Self::World(explained)
        | Self::Usage(explained) = &mut self
        {
            explained.now.extend(more);
        }
        self
    }

    /// What happened, with its causes, in a line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Rejected => "the policy has errors".to_owned(),
            Self::Wrong => "the kernel does something else".to_owned(),
            Self::Changes => "there are changes".to_owned(),
            Self::Stale(explained)
            | Self::Guard(explained)
            | Self::World(explained)
            | Self::Usage(explained) => {
                let mut text = explained.error.to_string();
                let mut cause = explained.error.source();
                while let Some(error) = cause {
                    text = format!("{text}: {error}");
                    cause = error.source();
                }
                text
            }
            Self::Output(error) => error.to_string(),
        }
    }

    /// Prints what there is to say and returns the exit code.
    pub(super) fn report(self, output: &mut Output) -> u8 {
        match self {
            Self::Rejected => exit::REJECTED,
            Self::Wrong => exit::WRONG,
            Self::Changes => exit::CHANGES,
            Self::Stale(explained) => {
                print(&explained, output);
                exit::STALE
            }
            Self::Guard(explained) => {
                print(&explained, output);
                exit::GUARD
            }
            Self::World(explained) => {
                print(&explained, output);
                exit::WORLD
            }
            Self::Usage(explained) => {
                print(&explained, output);
                exit::USAGE
            }
            // Whoever reads us has stopped reading: no reason to complain.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::DONE,
            Self::Output(error) => {
                output.error(&format!("cannot write the result: {error}"));
                exit::WORLD
            }
        }
    }
}

fn print(
    Explained {
        error,
        details,
        now,
    }: &Explained,
    output: &mut Output,
) {
    output.error(&error.to_string());
    for detail in details {
        output.note(&format!("  {detail}"));
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        output.note(&format!("  caused by: {error}"));
        cause = error.source();
    }
    for line in now {
        output.note(&format!("  {line}"));
    }
}
