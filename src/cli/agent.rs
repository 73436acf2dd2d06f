//! What agent.yaml adds to the command line: the command line comes before the environment, which comes before the file,
//! which comes before what is built in.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::User;

use super::Global;
use super::error::Failure;
use super::output::Output;
use super::pull::Upstream;
use crate::agent::{self, Agent, Pull, Repository};
use crate::diagnostic::{Code, Diagnostic, DocPath, Report};
use crate::policy::Name;
use crate::source::git::Puller;
use crate::source::{SourceError, read_files};

/// The file where nothing else is said.
pub(super) const DEFAULT: &str = "/etc/rfw/agent.yaml";
/// The policy where nothing else is said.
const POLICY: &str = "/etc/rfw/policy";
/// How much a fetch may bring when nothing is said, in MiB.
const MAX_SIZE: u32 = 64;

/// Reads agent.yaml and settles what the command line leaves open.
pub(super) fn settle(global: &mut Global, output: &mut Output) -> Result<(), Failure> {
    let users;
    (global.agent, users) = read(global.agent_file.as_deref(), output)?;
    if global.node.is_none() {
        global.node = global.agent.node.as_ref().map(ToString::to_string);
    }
    let repository = global.agent.repository.clone();
    let both = users.owner.iter().chain(&users.puller);
    global.access.owners = both.map(|user| user.uid.as_raw()).collect();
    global.policy = match (&global.given_policy, &repository) {
        (Some(path), _) => path.clone(),
        (None, None) => PathBuf::from(POLICY),
        (None, Some(repository)) => {
            if global.rev.is_none() {
                global.rev = Some(format!("refs/heads/{}", repository.branch));
            }
            global.upstream = upstream(repository, &global.agent, users.puller);
            let path = repository.path.as_path();
            match repository.subdirectory.as_str() {
                "" => path.to_owned(),
                below => path.join(below),
            }
        }
    };
    Ok(())
}

fn upstream(repository: &Repository, agent: &Agent, puller: Option<User>) -> Option<Upstream> {
    let Pull {
        remote,
        interval,
        user: _,
        max_size,
    } = agent.pull.as_ref()?;
    let user = puller?;
    Some(Upstream {
        repository: repository.path.as_path().to_owned(),
        remote: remote.to_string(),
        branch: repository.branch.to_string(),
        interval: Duration::from_secs(interval.seconds()),
        puller: Puller {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir,
        },
        most: u64::from(max_size.unwrap_or(MAX_SIZE)) << 20,
    })
}

/// What the file says; nothing, when there is none and none was named.
fn read(named: Option<&Path>, output: &mut Output) -> Result<(Agent, Users), Failure> {
    let texts = match read_files(named.unwrap_or(Path::new(DEFAULT))) {
        Ok(texts) => texts,
        Err(SourceError::Read { source, .. })
            if named.is_none() && source.kind() == io::ErrorKind::NotFound =>
        {
            return Ok((Agent::default(), Users::default()));
        }
        Err(SourceError::Read { path, source }) => {
            return Err(Failure::world(NotRead { path, source }));
        }
        Err(error) => return Err(Failure::world(error)),
    };
    let Some(text) = texts.sources.first() else {
        return Ok((Agent::default(), Users::default()));
    };
    let mut parsed = agent::parse(text);
    let mut users = Users::default();
    if let Some(agent) = &parsed.policy {
        let found;
        (users, found) = Users::of(agent);
        for diagnostic in found {
            parsed.diagnostics.push(diagnostic);
        }
    }
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
    let has_errors = parsed.diagnostics.has_errors();
    let agent = parsed.policy.filter(|_| !has_errors);
    Ok((agent.ok_or(Failure::Rejected)?, users))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`, which says what this box trusts")]
struct NotRead {
    path: PathBuf,
    source: io::Error,
}

/// The users of this box that the file names.
#[derive(Debug, Default)]
struct Users {
    /// To whom the repository may belong.
    owner: Option<User>,
    /// Who fetches; the repository may belong to that one, too.
    puller: Option<User>,
}

impl Users {
    /// Those that there are, and what is wrong with the others.
    fn of(agent: &Agent) -> (Self, Vec<Diagnostic>) {
        let root = DocPath::root();
        let mut found = Vec::new();
        let mut known = |name: &Name, place: DocPath| match User::from_name(name.as_str()) {
            Ok(Some(user)) => Some(user),
            missing => {
                let help = missing.err().map_or("", |error| error.desc());
                let message = format!("there is no user `{name}` on this box");
                found.push(Diagnostic::error(Code::UnknownValue, message).at(place, help));
                None
            }
        };
        let owner = agent.repository.as_ref();
        let owner = owner.and_then(|repository| repository.owner.as_ref());
        let place = root.key("repository").key("owner");
        let owner = owner.and_then(|name| known(name, place.clone()));
        let (puller, place) = match &agent.pull {
            None => (None, place),
            Some(Pull { user: None, .. }) => (owner.clone(), place),
            Some(Pull {
                user: Some(name), ..
            }) => {
                let place = root.key("pull").key("user");
                (known(name, place.clone()), place)
            }
        };
        if let Some(user) = puller.as_ref().filter(|user| user.uid.is_root()) {
            let message = format!("`{}` is root, and root does not fetch", user.name);
            found.push(
                Diagnostic::error(Code::UnknownValue, message)
                    .at(place, "")
                    .help("name another `user` for `pull`"),
            );
        }
        (Self { owner, puller }, found)
    }
}
