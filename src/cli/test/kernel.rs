//! `rfw test --kernel`: the testbed, and what it has found, for people and programs.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read, and the release of the kernel"
)]

use std::fmt::Write as _;
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use super::Compiled;
use super::way::{Stop, path, shown};
use crate::apply::ApplyError;
use crate::cli::error::{Explained, Failure};
use crate::cli::places::Places;
use crate::compile::claim::Test;
use crate::evaluate::{Answer, Decision, Environment, Evaluation, Met, Outcome, RuleRef, Step};
use crate::nft;
use crate::prove::{Prover, deciding};
use crate::state::digest;
use crate::system::Settings;
use crate::testbed::{self, Disagreement, Sight, Testbed, TestbedError, Tried};

/// The kernel that was asked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Kernel")]
pub(super) struct Asked {
    /// Its release, as `uname -r` says it.
    pub(super) release: String,
    /// Whether it has flowtables; rules that use one are tried without them where it has not.
    #[serde(skip)]
    pub(super) has_flowtables: bool,
}

/// What a test has come to in the kernel.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InKernel {
    /// Whether it did with every packet that was sent what the proof says. If not, rfw is wrong, and the exit code is 70.
    pub(super) agrees: bool,
    /// How many packets were sent.
    pub(super) packets: usize,
    /// Of how many, where more than 20,000 would have had to be sent; absent where all were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<usize>,
    /// Packets that do not count for the test, by reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) left_out: Vec<LeftOut>,
    /// How many of those sent met more rules than the kernel could tell, so that only what became of them was compared; absent for
    /// none.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) untraced: usize,
    /// How long sending took, in seconds.
    pub(super) seconds: f64,
    /// With how many packets it did something else; absent for none.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) disagreements: usize,
    /// Everything about the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disagreement: Option<Told>,
}

/// Packets that say nothing about a test.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LeftOut {
    /// How many packets.
    pub(super) packets: usize,
    /// Why they do not count, for people.
    pub(super) why: String,
}

/// A disagreement: everything that somebody needs who has to find out why.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Disagreement")]
pub(super) struct Told {
    /// The version of rfw.
    pub(super) rfw: String,
    /// The release of the kernel.
    pub(super) kernel: String,
    /// SHA-256 of the policy's file names and texts.
    pub(super) policy: String,
    /// The packet, for people.
    pub(super) packet: String,
    /// Its bytes, from the IP header on, hexadecimal.
    pub(super) bytes: String,
    /// What the kernel did with it, for people.
    pub(super) kernel_says: String,
    /// The rules that the packet fits, in order: in the kernel.
    pub(super) kernel_met: Vec<String>,
    /// The same, as rfw's own evaluation has it.
    pub(super) rfw_met: Vec<String>,
    /// What that evaluation says: each thing that may become of the packet, and by which rule.
    pub(super) rfw_says: Vec<String>,
    /// The way of the packet, as the evaluation has it.
    pub(super) path: Vec<Stop>,
    /// Addresses and routes of the box.
    #[serde(rename = "box")]
    pub(super) world: Vec<String>,
    /// The chains on that way, in nft's words.
    pub(super) chains: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Leaves for namespaces of our own.
pub(super) fn leave() -> Result<Asked, Failure> {
    testbed::leave().map_err(failure)?;
    Ok(Asked {
        release: release(),
        has_flowtables: testbed::has_flowtables().map_err(failure)?,
    })
}

fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// A box with the policy's interfaces and settings.
pub(super) fn testbed(prover: &Prover<'_>, settings: &Settings) -> Result<Testbed, Failure> {
    let testbed = Testbed::new(&prover.environment().interfaces, settings);
    let mut testbed = testbed.map_err(failure)?;
    testbed.apply(prover.program()).map_err(failure)?;
    Ok(testbed)
}

/// Sends the packets of a test.
pub(super) fn tried(
    testbed: &mut Testbed,
    prover: &Prover<'_>,
    test: &Test,
) -> Result<(Tried, f64), Failure> {
    let begin = Instant::now();
    let tried = testbed::try_test(testbed, prover, test).map_err(failure)?;
    Ok((tried, begin.elapsed().as_secs_f64()))
}

fn failure(error: TestbedError) -> Failure {
    let details = match &error {
        TestbedError::Namespace(_) => vec![
            "packets are sent in network namespaces of rfw's own: as root, or where user namespaces are allowed \
             (user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
                .to_owned(),
        ],
        TestbedError::Build { .. } => vec![
            "it needs veth interfaces, nf_tables with nflog, conntrack, and a /proc/sys/net that may be written".to_owned(),
        ],
        TestbedError::Load(error) => match &**error {
            ApplyError::Refused { operations, .. } => operations
                .iter()
                .map(|refused| format!("{refused}: {}", refused.reason))
                .collect(),
            _ => Vec::new(),
        },
        TestbedError::Observe(_) | TestbedError::Commit(_) | TestbedError::Follow { .. } => Vec::new(),
    };
    Failure::World(Explained {
        error: Box::new(error),
        details,
        now: vec![
            "nothing outside of these namespaces was touched; without `--kernel` tests need none of this".to_owned(),
        ],
    })
}

/// What has come out, in words.
pub(super) fn told(
    (tried, seconds): &(Tried, f64),
    policy: &Compiled,
    prover: &Prover<'_>,
    places: &Places<'_>,
) -> InKernel {
    let Tried {
        sent,
        of,
        left_out,
        untraced,
        disagreements,
        disagreement,
        failed: _,
    } = tried;
    InKernel {
        agrees: *disagreements == 0,
        packets: *sent,
        of: (testbed::MOST_SENT < *of).then_some(*of),
        left_out: left_out
            .iter()
            .map(|(why, packets)| LeftOut {
                packets: *packets,
                why: why.why(),
            })
            .collect(),
        untraced: *untraced,
        seconds: *seconds,
        disagreements: *disagreements,
        disagreement: disagreement
            .as_deref()
            .map(|it| report(it, policy, prover, places)),
    }
}

fn report(
    disagreement: &Disagreement,
    policy: &Compiled,
    prover: &Prover<'_>,
    places: &Places<'_>,
) -> Told {
    let Disagreement {
        packet,
        bytes,
        environment,
        kernel,
        evaluation,
        met,
    } = disagreement;
    let first = evaluation.outcomes.first();
    Told {
        rfw: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: release(),
        policy: digest(&policy.sources),
        packet: shown(packet, &policy.zone),
        bytes: bytes.iter().fold(String::new(), |mut all, byte| {
            // Writing to a string cannot fail.
            _ = write!(all, "{byte:02x}");
            all
        }),
        kernel_says: seen(kernel),
        kernel_met: met.iter().flatten().map(|at| rule(*at, prover)).collect(),
        rfw_met: first.map_or_else(Vec::new, |outcome| said_to_meet(outcome, prover)),
        rfw_says: said(evaluation, prover, places),
        path: first.map_or_else(Vec::new, |outcome| path(outcome, prover, places)),
        world: world(environment),
        chains: first.map_or_else(Vec::new, |outcome| chains(outcome, prover)),
    }
}

/// A rule by its chain, its place there and its name.
fn rule(at: RuleRef, prover: &Prover<'_>) -> String {
    prover.firewall().rule(at).map_or_else(
        || "?".to_owned(),
        |rule| {
            let (chain, number) = (rule.chain, rule.index + 1);
            let name = rule.name.map(|name| format!(" ({name})"));
            format!("{chain} {number}{}", name.unwrap_or_default())
        },
    )
}

fn said_to_meet(outcome: &Outcome, prover: &Prover<'_>) -> Vec<String> {
    let rules = outcome.path.iter().filter_map(|step| match step {
        Step::Rule(_, Met::Failed(_)) => None,
        Step::Rule(at, _) => Some(rule(*at, prover)),
        _ => None,
    });
    rules.collect()
}

fn seen(sight: &Sight) -> String {
    let Sight {
        came,
        state,
        fate,
        rules: _,
    } = sight;
    let state = state.map_or("not tracked", crate::evaluate::State::name);
    match came {
        true => format!("{fate}; connection tracking: {state}"),
        false => format!("{fate}; it has not reached the first chain"),
    }
}

fn said(evaluation: &Evaluation, prover: &Prover<'_>, places: &Places<'_>) -> Vec<String> {
    let firewall = prover.firewall();
    let outcomes = evaluation.outcomes.iter();
    let lines = outcomes.map(|outcome| {
        let what = match outcome.decision {
            Decision::Accept => {
                let packet = &outcome.packet;
                let by = packet.oif.as_deref().map(|oif| format!(", by {oif}"));
                format!(
                    "passed from {} to {}{}",
                    packet.source,
                    packet.destination,
                    by.unwrap_or_default()
                )
            }
            Decision::Drop => "dropped".to_owned(),
            Decision::Reject(Answer::TcpReset) => "rejected with a TCP reset".to_owned(),
            Decision::Reject(answer) => format!("rejected with an error, {answer:?}"),
            Decision::Unknown => "not known".to_owned(),
        };
        let at = outcome.named(firewall).and_then(|it| places.decided(&it));
        let at = at.map(|at| format!(" ({at})")).unwrap_or_default();
        format!("{what}; by {}{at}", deciding(firewall, outcome))
    });
    lines.collect()
}

fn world(environment: &Environment) -> Vec<String> {
    let Environment { interfaces, routes } = environment;
    let interfaces = interfaces.iter().map(|interface| {
        let all = interface.addresses.iter().map(ToString::to_string);
        format!("{}: {}", interface.name, all.collect::<Vec<_>>().join(", "))
    });
    let routes = routes
        .iter()
        .map(|route| format!("route to {} by {}", route.network, route.oif));
    interfaces.chain(routes).collect()
}

/// The chains that a packet has come through, each once.
fn chains(outcome: &Outcome, prover: &Prover<'_>) -> Vec<String> {
    let firewall = prover.firewall();
    let mut names: Vec<&str> = Vec::new();
    for step in &outcome.path {
        let name = match step {
            Step::Base(chain) => firewall.chain(*chain).map(|it| it.chain),
            Step::Rule(at, _) => firewall.chain(at.chain).map(|it| it.chain),
            _ => None,
        };
        names.extend(name.filter(|name| !names.contains(name)));
    }
    let program = prover.program();
    let chains = names.into_iter().filter_map(|name| {
        let chain = program.chains.iter().find(|chain| chain.name == name)?;
        let mut text = format!("chain {name} {{\n");
        if let Some(base) = &chain.base {
            // Writing to a string cannot fail.
            _ = writeln!(text, "\t{}", nft::chain_text(base));
        }
        for rule in &chain.rules {
            let rule = nft::rule_text(rule.name.as_deref(), &rule.instructions);
            _ = writeln!(text, "\t{rule}");
        }
        text.push('}');
        Some(text)
    });
    chains.collect()
}
