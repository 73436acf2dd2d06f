//! `rfw watch`: the daemon. It joins the loop of `reconcile` with the world and with whoever has something to tell it.

mod allocator;
mod answer;
mod edges;
mod log;
mod published;
mod pull;
mod words;
mod world;

pub(super) use published::socket;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::error::{Explained, Failure};
use super::lists::{self, Wanted};
use super::output::Output;
use super::pull::Upstream;
use super::{Global, good, outlet, session, trust};
use crate::agent::DriftAnswer;
use crate::netlink::{Ears, LinkEvents, RulesetEvents};
use crate::policy::FilePath;
use crate::reconcile::{
    DriftMode, Ending, Event, Reconciler, Refused, Report, Rhythm, Stepped, Todo, World,
};
use crate::source::Texts;
use crate::source::git;
use crate::watch::{Control, Files, Reply, ServiceManager, Watched};
use answer::Shared;
use edges::{Loop, Message};
use log::{Level, Log};
use words::{failure_line, line, names, reasons, stays};
use world::Gateway;

/// Keep the kernel's ruleset what the policy says, for as long as this runs
///
/// Applies the policy, then again whenever it changes, whenever somebody else changes rfw's table or the settings, and when
/// a schedule or a list wants it. What fails is tried again; the rules in force stay. They also stay when this ends.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to do when somebody else has changed rfw's table or the settings [default: what agent.yaml says, else repair]
    #[arg(long, value_enum, value_name = "WHAT")]
    drift: Option<Drift>,
    /// How often to read the whole table, in seconds; stretched so that it takes at most a thousandth of the time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    verify: u32,
    /// How often to look at the policy and the settings without having been told of a change, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    poll: u32,
    /// Where to answer questions for metrics over HTTP, such as `127.0.0.1:9472` [default: what agent.yaml says, else nowhere]
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Drift {
    /// Undo it at once
    Repair,
    /// Only tell it; it stays until the policy changes or `rfw apply` runs
    Report,
}

/// Messages that may wait for the loop.
const WAITING: usize = 1024;

pub(super) fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    allocator::give_back();
    let _only = published::lock(global)?;
    let mut log = Log::open();
    let (sender, receiver) = sync_channel(WAITING);
    // Before the first look, so that nothing falls between.
    let ears = listen(global, &sender, &mut log)?;
    let mut kernel = session::open()?;
    kernel.shut_while_committing(ears);
    let mut world = Gateway::new(global, kernel);
    let in_force = world.in_force();
    let mode = match (arguments.drift, global.agent.drift) {
        (Some(Drift::Repair), _) | (None, DriftAnswer::Repair) => DriftMode::Repair,
        (Some(Drift::Report), _) | (None, DriftAnswer::Report) => DriftMode::Report,
    };
    let rhythm = Rhythm {
        poll: Duration::from_secs(arguments.poll.into()),
        verify: Duration::from_secs(arguments.verify.into()),
        ..Rhythm::default()
    };
    let now = world.now();
    let reconciler = Reconciler::new(rhythm, mode, std::process::id(), in_force, now);
    let shared = Arc::new(Mutex::new(reconciler.report().clone()));
    answer_at(global, &shared, &sender)?;
    let outlet = global.agent.metrics.as_ref();
    let listen = arguments.metrics.or_else(|| {
        let endpoint = outlet.and_then(|outlet| outlet.listen)?;
        Some(endpoint.socket_address())
    });
    let textfile = outlet.and_then(|outlet| outlet.textfile.as_ref());
    outlet::start(listen, textfile.map(FilePath::as_path), global)?;
    if let Some(address) = listen {
        log.say(Level::Info, &format!("metrics at http://{address}/metrics"));
    }
    let rev = global.rev.as_ref();
    let rev = rev.map_or_else(String::new, |rev| format!(" at {rev}"));
    let (version, policy) = (env!("CARGO_PKG_VERSION"), global.policy.display());
    log.say(Level::Info, &format!("rfw {version} watches {policy}{rev}"));
    let pull = fetch_from(global, &sender, &mut log)?;
    let daemon = Daemon {
        global,
        log,
        reconciler,
        world,
        shared,
        sender,
        pull,
        replies: BTreeMap::new(),
        manager: ServiceManager::from_environment(),
        is_ready: false,
        trouble: String::new(),
        warnings: String::new(),
        unpublished: None,
        chance: seed(),
    };
    daemon.run(&receiver);
    Ok(())
}

/// What the loop holds.
struct Daemon<'g> {
    global: &'g Global,
    log: Log,
    reconciler: Reconciler,
    world: Gateway<'g>,
    shared: Shared,
    sender: Loop,
    /// By which the next fetch of the branch is asked for.
    pull: Option<SyncSender<()>>,
    /// Who waits for a step.
    replies: BTreeMap<u64, SyncSender<Reply>>,
    manager: ServiceManager,
    is_ready: bool,
    /// The failure that was told last.
    trouble: String,
    /// The warnings that were told last.
    warnings: String,
    /// Why the report could not be written, told once.
    unpublished: Option<io::ErrorKind>,
    chance: u64,
}

impl Daemon<'_> {
    fn run(mut self, events: &Receiver<Message>) {
        let longest = self.manager.interval();
        // What the one before has left is not what this one says.
        self.publish();
        loop {
            self.manager.alive();
            while let Ok(message) = events.try_recv() {
                self.hear(message);
            }
            let now = self.world.now();
            match self.reconciler.todo(now) {
                Todo::Stop => break,
                Todo::Fetch => self.fetch(),
                Todo::Step => self.step(),
                Todo::Wait(span) => {
                    let span = longest.map_or(span, |longest| span.min(longest));
                    match events.recv_timeout(span) {
                        Ok(message) => self.hear(message),
                        Err(RecvTimeoutError::Timeout) => {}
                        // Nobody is left who could tell anything; we hold a sender ourselves, so it cannot be.
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
            }
        }
        self.manager.stopping();
        let now = self.world.now();
        self.reconciler.stopped(now);
        self.publish();
        self.log.say(Level::Info, "ended; the rules stay");
    }

    fn hear(&mut self, message: Message) {
        let Message { event, replies } = message;
        if let (Event::Wake(waiter), Some(replies)) = (&event, replies) {
            self.replies.insert(*waiter, replies);
        }
        let is_reload = event == Event::Reload;
        let level = match &event {
            Event::Commit(_) => Level::Notice,
            Event::Pulled { pull, .. } if pull.trouble.is_none() => Level::Notice,
            _ => Level::Warning,
        };
        let is_pull = matches!(event, Event::Pulled { .. });
        let now = self.world.now();
        if let Some(told) = self.reconciler.hear(event, now) {
            self.log.say(level, &told);
        }
        if is_reload {
            self.log.say(Level::Info, "SIGHUP: reading everything");
            // One that waits already is enough.
            let _ = self.pull.as_ref().map(|pull| pull.try_send(()));
        }
        if is_pull {
            self.publish();
        }
    }

    fn step(&mut self) {
        self.chance = next_chance(self.chance);
        let stepped = self.reconciler.step(&mut self.world, self.chance);
        if self.world.has_missed() {
            self.hear(Event::Lost.into());
        }
        // The report first: whoever is told that it is done finds it there.
        self.publish();
        for (level, text) in self.told(&stepped) {
            self.log.say(level, &text);
            for waiter in &stepped.waiters {
                if let Some(replies) = self.replies.get(waiter) {
                    // Whoever reads too slowly misses lines, not the end.
                    let _ = replies.try_send(Reply::Line { text: text.clone() });
                }
            }
        }
        self.answer(&stepped);
        if !self.is_ready && stepped.ending != Ending::Busy {
            // Also when the policy cannot be applied: the daemon does what it can, and the boot goes on.
            self.is_ready = true;
            self.manager.ready();
        }
        self.manager.status(&line(self.reconciler.report()));
    }

    /// What there is to tell of a step.
    fn told(&mut self, stepped: &Stepped) -> Vec<(Level, String)> {
        let Stepped {
            ending,
            refused,
            causes,
            waiters,
        } = stepped;
        let said = self.world.said();
        let report = self.reconciler.report();
        let took = report.step.last_us;
        let took = format!("{}.{} ms", took / 1000, took / 100 % 10);
        let mut told = Vec::new();
        match ending {
            Ending::Busy => return told,
            Ending::Unchanged if refused.is_some() => {}
            Ending::Unchanged => {
                if report.steps.total == 1 || !self.trouble.is_empty() || !waiters.is_empty() {
                    told.push((Level::Info, line(report)));
                }
            }
            Ending::Applied {
                change,
                was_drift,
                by,
            } => {
                let summary = &change.summary;
                told.push(match was_drift {
                    true => {
                        let by = names(by);
                        let text = format!("drift, by {by}: {summary}; repaired in {took}");
                        (Level::Warning, text)
                    }
                    false => {
                        let reasons = reasons(causes);
                        (Level::Notice, format!("{summary} ({reasons}, {took})"))
                    }
                });
                told.push((Level::Notice, said));
            }
            Ending::DriftLeft { known: true, .. } => {}
            Ending::DriftLeft { change, by, .. } => {
                let by = names(by);
                let mut text = format!("drift, by {by}: {}; only reported", change.summary);
                for operation in &change.first {
                    text.push_str("\n  to undo it: ");
                    text.push_str(operation);
                }
                told.push((Level::Warning, text));
            }
            Ending::Failed { kind: _, text } => {
                told.push(trouble(text, &mut self.trouble, report));
                return told;
            }
        }
        match refused {
            Some(Refused { kind: _, text }) => {
                let is_known = *text == self.trouble;
                told.push(trouble(text, &mut self.trouble, report));
                if !is_known {
                    told.push((Level::Warning, stays(report)));
                }
            }
            None => self.trouble.clear(),
        }
        if report.warnings != self.warnings {
            self.warnings.clone_from(&report.warnings);
            told.push((Level::Warning, self.warnings.clone()));
        }
        told
    }

    /// Tells those who have waited what has become of it.
    fn answer(&mut self, stepped: &Stepped) {
        let report = self.reconciler.report();
        for waiter in &stepped.waiters {
            let Some(replies) = self.replies.remove(waiter) else {
                continue;
            };
            let (ok, text) = match (&stepped.ending, &stepped.refused) {
                (Ending::Busy, _) => continue,
                (Ending::Failed { kind, text }, _) => (false, failure_line(*kind, text)),
                (_, Some(Refused { kind, text })) => {
                    let text = failure_line(*kind, text);
                    (false, format!("{text}\n{}", stays(report)))
                }
                (Ending::Unchanged, None) => (true, "nothing to change".to_owned()),
                (Ending::Applied { change, .. }, None) => {
                    (true, format!("applied and verified: {}", change.summary))
                }
                (Ending::DriftLeft { change, .. }, None) => (
                    false,
                    format!("drift is only reported, and left: {}", change.summary),
                ),
            };
            // Whoever has stopped reading has gone.
            let _ = replies.try_send(Reply::Done {
                ok,
                text,
                applied: report.applied.clone(),
                generation: report.generation,
            });
        }
    }

    fn publish(&mut self) {
        let report = self.reconciler.report();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.clone_from(report);
        drop(shared);
        let text = serde_json::to_string_pretty(report).map_err(io::Error::from);
        match text.and_then(|text| published::store(&self.global.run_dir, &text)) {
            Ok(()) => self.unpublished = None,
            Err(error) if self.unpublished == Some(error.kind()) => {}
            Err(error) => {
                self.unpublished = Some(error.kind());
                self.log.say(
                    Level::Warning,
                    &format!("the report cannot be written: {error}"),
                );
            }
        }
    }

    /// Fetches lists beside the loop.
    fn fetch(&mut self) {
        let due = self.world.due();
        self.reconciler.fetching();
        let (global, to) = (self.global.clone(), self.sender.clone());
        let is_kept = self.world.is_kept();
        let fetch = move || {
            let mut output = Output::kept();
            let wanted = Wanted {
                names: &due,
                any_size: false,
            };
            let missed = match due.is_empty() {
                true => Ok(None),
                // No list is fetched because a commit says so that may not be applied.
                false => in_force(is_kept, &global, &mut output)
                    .and_then(|texts| lists::refresh(wanted, texts, &global, &mut output)),
            };
            let failure = match missed {
                Ok(None) => None,
                Ok(Some(failure)) | Err(failure) => {
                    failure.report(&mut output);
                    Some(output.take().trim_end().to_owned())
                }
            };
            // The loop may have ended.
            let _ = to.send(Event::Fetched { failure }.into());
        };
        if let Err(error) = edges::spawn("fetch", fetch) {
            let failure = Some(format!("lists cannot be fetched: {error}"));
            self.hear(Event::Fetched { failure }.into());
        }
    }
}

/// The texts that are in force: of the source, or what was kept of it.
fn in_force(is_kept: bool, global: &Global, output: &mut Output) -> Result<Texts, Failure> {
    if is_kept && let Some((texts, _)) = good::texts(global).map_err(Failure::world)? {
        return Ok(texts);
    }
    trust::read(global, false, output).map(|(texts, _)| texts)
}

/// A failure in full, or that it is the one that was told last.
fn trouble(text: &str, last: &mut String, report: &Report) -> (Level, String) {
    if *text == *last {
        let failures = report.trouble.as_ref();
        let failures = failures.map_or(0, |trouble| trouble.failures);
        return (Level::Warning, format!("the same again, {failures} times"));
    }
    text.clone_into(last);
    (Level::Error, text.to_owned())
}

/// Begins to listen to everything.
fn listen(global: &Global, to: &Loop, log: &mut Log) -> Result<Ears, Failure> {
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

/// Begins to fetch the branch, where agent.yaml says so.
fn fetch_from(
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

/// Answers at the socket.
fn answer_at(global: &Global, shared: &Shared, to: &Loop) -> Result<(), Failure> {
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

/// Different for each daemon, so that two do not go in step.
fn seed() -> u64 {
    session::by_chance().map_or_else(|_| u64::from(std::process::id()), u64::from_ne_bytes)
}

/// Another each time (Knuth's generator; nothing depends on its quality).
fn next_chance(chance: u64) -> u64 {
    chance
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
        .rotate_left(17)
}
