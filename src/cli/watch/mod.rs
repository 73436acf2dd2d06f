//! `rfw watch`: the daemon. It joins the loop of `reconcile` with the world and with whoever has something to tell it.

mod allocator;
mod answer;
mod chance;
mod daemon;
mod edges;
mod listen;
mod log;
mod published;
mod pull;
mod terms;
mod told;
mod words;
mod world;

pub(super) use published::socket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::error::Failure;
use super::{Global, outlet, session};
use crate::agent::DriftAnswer;
use crate::policy::FilePath;
use crate::reconcile::{DriftMode, Reconciler, Rhythm, World};
use crate::watch::ServiceManager;
use chance::seed;
use daemon::Daemon;
use listen::{answer_at, fetch_from, listen};
use log::{Level, Log};
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
        heard: None,
        chance: seed(),
    };
    daemon.run(&receiver);
    Ok(())
}
