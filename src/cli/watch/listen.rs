//! All that has something to tell the loop, begun: files, the kernel, signals, the fetching of the branch, the socket.
//!
//! Not here: the threads that listen, which are `edges`'.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::answer::{self, Shared};
use super::edges::{self, Loop};
use super::log::{Level, Log};
use super::{published, pull};
use crate::cli::error::{Explained, Failure};
use crate::cli::pull::Upstream;
use crate::cli::{Global, session};
use crate::netlink::{Ears, LinkEvents, RulesetEvents};
use crate::source::git;
use crate::watch::{Control, Files, Watched};

/// Begins to listen to everything.
pub(super) fn listen(global: &Global, to: &Loop, log: &mut Log) -> Result<Ears, Failure> {
    let failed = |what: &'static str| {
        move |source| {
            Failure::World(Explained {
                error: Box::new(CannotListen { what, source }),
                details: Vec::new(),
                now: vec![session::UNCHANGED.to_owned()],
            })
        }
    };
    let files = Files::open(watched(global)).map_err(failed("files"))?;
    for (path, why) in files.missed() {
        let path = path.display();
        log.say(
            Level::Warning,
            &format!("`{path}` cannot be watched ({why}); it is looked at now and then"),
        );
    }
    edges::files(files, to.clone()).map_err(failed("files"))?;
    let ruleset = RulesetEvents::open().map_err(failed("the ruleset"))?;
    let ears = ruleset.ears();
    edges::ruleset(ruleset, to.clone()).map_err(failed("the ruleset"))?;
    let links = LinkEvents::open().map_err(failed("interfaces"))?;
    edges::links(links, to.clone()).map_err(failed("interfaces"))?;
    edges::signals(to.clone()).map_err(failed("signals"))?;
    Ok(ears)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen to changes of {what}")]
struct CannotListen {
    what: &'static str,
    source: io::Error,
}

/// What the policy is read from: files, or where the refs of its repository are.
fn watched(global: &Global) -> Vec<Watched> {
    if global.rev.is_some() {
        let directories = git::watched(&global.policy, &global.access);
        return directories
            .unwrap_or_default()
            .into_iter()
            .map(
                |git::Watched {
                     directory,
                     recursive,
                 }| Watched {
                    path: directory,
                    recursive,
                    except: Vec::new(),
                    is_ref: true,
                },
            )
            .collect();
    }
    vec![Watched {
        path: global.policy.clone(),
        recursive: true,
        except: vec![global.state_dir.clone(), global.run_dir.clone()],
        is_ref: false,
    }]
}

/// Begins to fetch the branch, where agent.yaml says so.
pub(super) fn fetch_from(
    global: &Global,
    to: &Loop,
    log: &mut Log,
) -> Result<Option<SyncSender<()>>, Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot begin to fetch")]
    struct NoThread(#[source] io::Error);
    let Some(upstream) = &global.upstream else {
        return Ok(None);
    };
    let Upstream {
        remote,
        branch,
        puller,
        ..
    } = upstream;
    let name = &puller.name;
    log.say(
        Level::Info,
        &format!("`{branch}` is fetched from `{remote}` by the user {name}"),
    );
    let ask = pull::start(upstream.clone(), global.access.clone(), to.clone());
    ask.map(Some)
        .map_err(|error| Failure::world_now(NoThread(error), session::UNCHANGED))
}

/// Answers at the socket.
pub(super) fn answer_at(global: &Global, shared: &Shared, to: &Loop) -> Result<(), Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen at `{path}`")]
    struct NoSocket {
        path: PathBuf,
        source: io::Error,
    }
    let path = published::socket(global);
    let failed = |source| {
        Failure::world_now(
            NoSocket {
                path: path.clone(),
                source,
            },
            session::UNCHANGED,
        )
    };
    let control = Control::open(&path).map_err(failed)?;
    let (global, shared, to) = (global.clone(), Arc::clone(shared), to.clone());
    let serve = move || {
        control.serve(move |request, asked, say| {
            answer::answer(request, asked, &global, &shared, &to, say);
        });
    };
    edges::spawn("control", serve).map_err(failed)
}
