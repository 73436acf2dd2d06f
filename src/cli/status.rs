//! `rfw status`: how rfw stands.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::error::Failure;
use super::output::Output;
use super::{Global, daemon, metrics, peer, policy, session, settings, trust};
use crate::health::{CommitStatus, Drift, Peer, SettingDrift, Status, Verified};
use crate::source::Texts;
use crate::state::{self, digest};
use crate::view::Switch;
use crate::{host, netlink};

/// Show how rfw stands
///
/// Its table, the policy it has verified last, whether anything has drifted since, and how full the kernel's tables of
/// neighbours and connections are, and what the schedules do next. Only what is cheap to know; changes nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write metrics into a file, whole or not at all, instead of printing something: `/var/lib/prometheus/node-exporter/rfw.prom`
    #[arg(long, value_name = "PATH", conflicts_with = "format")]
    textfile: Option<PathBuf>,
    /// Also ask the `peers` of agent.yaml, over ssh, whether they have the same policy
    #[arg(long, conflicts_with = "textfile")]
    peers: bool,
    /// The program that runs a command on another box: it is given the host, and then the command
    #[arg(long, value_name = "PROGRAM", env = "RFW_SSH", default_value = "ssh")]
    ssh: String,
}

/// Forms of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// Metrics, with all that the rules have counted: reads the whole live ruleset
    Prometheus,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(path) = &arguments.textfile {
        return metrics::write(&metrics::text(global)?, path);
    }
    let status = || {
        let mut status = status(global)?;
        if arguments.peers {
            status.peers = peers(status.digest.as_ref(), &arguments.ssh, global);
        }
        Ok(status)
    };
    match arguments.format {
        Format::Text => output.result(&status()?.to_string()),
        Format::Json => {
            let status = status()?;
            output.line(&serde_json::to_string_pretty(&status).map_err(Failure::world)?);
        }
        Format::Prometheus => output.result(&metrics::text(global)?),
    }
    Ok(())
}

/// All that is cheap to know.
pub(super) fn status(global: &Global) -> Result<Status, Failure> {
    let mut kernel = session::open()?;
    let (generation, identity) = kernel.identity().map_err(session::unreadable)?;
    let kept = state::Verified::load(&global.state_dir);
    let difference = match kept.as_ref().and_then(state::Verified::settings) {
        Some(wanted) => settings::compare(&wanted, global)?,
        None => crate::system::Difference::default(),
    };
    let drift = match &kept {
        None => Drift::Unknown,
        Some(kept) => {
            if !session::is_its_table(kept, identity.as_ref()) || !difference.is_empty() {
                Drift::Yes
            } else if kept.generation == generation.0 {
                Drift::No
            } else {
                Drift::Unknown
            }
        }
    };
    let texts = policy::read(global).ok();
    let policy_is_same = kept.as_ref().and_then(|kept| {
        let texts = texts.as_ref()?;
        Some(digest(&texts.sources) == kept.policy && kept.node == global.node)
    });
    let verified = kept.as_ref().map(|kept| Verified {
        policy_is_same,
        policy: kept.policy.clone(),
        generation: kept.generation,
    });
    let digest = kept.as_ref().and_then(|kept| {
        let same = texts.as_ref().filter(|_| policy_is_same == Some(true));
        super::digest::of_texts(&kept.policy, same, global)
    });
    let next = match &kept {
        Some(kept) => next(kept, texts.filter(|_| policy_is_same == Some(true)), global),
        None => Vec::new(),
    };
    let settings = difference.changes.into_iter().map(|change| SettingDrift {
        key: change.key.to_string(),
        value: change.value,
        now: change.was,
    });
    Ok(Status {
        version: 1,
        generation: generation.0,
        table: identity.map(|identity| identity.handle),
        verified,
        drift,
        settings: settings.collect(),
        neighbours: netlink::neighbour_tables().unwrap_or_default(),
        conntrack: host::conntrack().ok().flatten(),
        next,
        digest,
        commit: commit(global),
        daemon: daemon::daemon(global),
        peers: Vec::new(),
    })
}

/// What the peers say, one after the other.
fn peers(digest: Option<&String>, ssh: &str, global: &Global) -> Vec<Peer> {
    let peers = global.agent.peers.iter().map(|named| {
        let node = named.node.to_string();
        match peer::ask(&node, ssh, global) {
            Ok(view) => Peer {
                same_policy: digest.map(|digest| *digest == view.policy),
                held: view.is_held(),
                digest: Some(view.policy),
                trouble: None,
                node,
            },
            Err(failure) => Peer {
                node,
                digest: None,
                same_policy: None,
                held: None,
                trouble: Some(failure.text()),
            },
        }
    });
    peers.collect()
}

/// The commit that is there, and the one that was applied.
fn commit(global: &Global) -> Option<CommitStatus> {
    let applied = state::AppliedCommit::load(&global.state_dir).ok().flatten();
    let now = trust::refusal(global);
    let (now, refused) = match now {
        Ok(Some((revision, why))) => (Some(revision.commit.to_string()), why.map(|why| why.text())),
        Ok(None) => (None, None),
        Err(why) => (None, Some(why.text())),
    };
    (now.is_some() || refused.is_some() || applied.is_some()).then(|| {
        let at = applied
            .as_ref()
            .and_then(|applied| Timestamp::from_second(applied.at).ok());
        let (commit, reference, signer) = match applied {
            Some(applied) => (Some(applied.commit), applied.reference, applied.signer),
            None => (None, None, None),
        };
        CommitStatus {
            now,
            refused,
            applied: commit,
            reference,
            signer,
            at: at.map(|at| at.to_string()),
        }
    })
}

/// What the schedules do next: as it was kept, or as the policy says, if it is still the same, when that is over.
fn next(kept: &state::Verified, texts: Option<Texts>, global: &Global) -> Vec<Switch> {
    let now = Timestamp::now().as_second();
    if kept.until.is_none_or(|until| now < until) {
        return kept.next.clone();
    }
    texts.map_or_else(Vec::new, |texts| policy::next(texts, global))
}
