//! What agent.yaml adds to the command line: the command line comes before the environment, which comes before the file,
//! which comes before what is built in.

use std::io;
use std::path::{Path, PathBuf};

use super::Global;
use super::error::Failure;
use super::output::Output;
use crate::agent::{self, Agent, Repository};
use crate::diagnostic::Report;
use crate::source::{SourceError, read_files};

/// The file where nothing else is said.
pub(super) const DEFAULT: &str = "/etc/rfw/agent.yaml";
/// The policy where nothing else is said.
const POLICY: &str = "/etc/rfw/policy";

/// Reads agent.yaml and settles what the command line leaves open.
pub(super) fn settle(global: &mut Global, output: &mut Output) -> Result<(), Failure> {
    global.agent = read(global.agent_file.as_deref(), output)?;
    if global.node.is_none() {
        global.node = global.agent.node.as_ref().map(ToString::to_string);
    }
    let repository = global.agent.repository.clone();
    global.access.owners = owners(repository.as_ref())?;
    global.policy = match (&global.given_policy, &repository) {
        (Some(path), _) => path.clone(),
        (None, None) => PathBuf::from(POLICY),
        (None, Some(repository)) => {
            if global.rev.is_none() {
                global.rev = Some(format!("refs/heads/{}", repository.branch));
            }
            let path = repository.path.as_path();
            match repository.subdirectory.as_str() {
                "" => path.to_owned(),
                below => path.join(below),
            }
        }
    };
    Ok(())
}

/// What the file says; nothing, when there is none and none was named.
fn read(named: Option<&Path>, output: &mut Output) -> Result<Agent, Failure> {
    let texts = match read_files(named.unwrap_or(Path::new(DEFAULT))) {
        Ok(texts) => texts,
        Err(SourceError::Read { source, .. })
            if named.is_none() && source.kind() == io::ErrorKind::NotFound =>
        {
            return Ok(Agent::default());
        }
        Err(SourceError::Read { path, source }) => {
            return Err(Failure::world(NotRead { path, source }));
        }
        Err(error) => return Err(Failure::world(error)),
    };
    let Some(text) = texts.sources.first() else {
        return Ok(Agent::default());
    };
    let parsed = agent::parse(text);
    let report = Report {
        diagnostics: &parsed.diagnostics,
        sources: &texts.sources,
        locations: &parsed.locations,
    };
    let said = match output.color_err() {
        true => report.colour(),
        false => report.plain(),
    };
    if !said.trim_end().is_empty() {
        output.note(said.trim_end());
    }
    let agent = parsed.policy.ok_or(Failure::Rejected)?;
    match agent.pull {
        Some(_) => Err(Failure::world(NoPull)),
        None => Ok(agent),
    }
}

/// Nobody shall rely on what is not done.
#[derive(Debug, thiserror::Error)]
#[error(
    "agent.yaml says `pull`, which this version does not do yet; take it out, and push to the repository or fetch by a timer"
)]
struct NoPull;

#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`, which says what this box trusts")]
struct NotRead {
    path: PathBuf,
    source: io::Error,
}

/// The numbers of the users whose repository it may be.
fn owners(repository: Option<&Repository>) -> Result<Vec<u32>, Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("there is no user `{0}`, whom agent.yaml names as the owner of the repository")]
    struct NoSuchUser(String);
    let Some(owner) = repository.and_then(|repository| repository.owner.as_ref()) else {
        return Ok(Vec::new());
    };
    match nix::unistd::User::from_name(owner.as_str()) {
        Ok(Some(user)) => Ok(vec![user.uid.as_raw()]),
        Ok(None) | Err(_) => Err(Failure::world(NoSuchUser(owner.to_string()))),
    }
}
