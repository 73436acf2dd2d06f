//! What tests have found, as programs read it; `text` and `junit` write it for others.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::kernel::{Asked, InKernel};
use super::way::{Stop, path, shown};
use crate::cli::places::Places;
use crate::compile::claim::{Claim, Port, Test, size};
use crate::prove::{Proof, Prover};
use crate::ruleset::Origin;
use crate::testbed::Tried;

/// What has come out of the tests of one policy or several. Policies that were rejected are told on standard error, and are not here;
/// the exit code is 3 then, as when a test has failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tests")]
pub(super) struct Whole {
    /// Of this shape: 1.
    pub(super) version: u32,
    /// How many tests have passed, of all policies together.
    pub(super) passed: usize,
    /// How many have failed.
    pub(super) failed: usize,
    /// How long all of it took, in seconds.
    pub(super) seconds: f64,
    /// The kernel that was asked as well; only with `--kernel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<Asked>,
    /// One for each policy, in the order in which they were named.
    #[serde(rename = "policies")]
    pub(super) suites: Vec<Suite>,
}

/// The tests of one policy.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Policy")]
pub(super) struct Suite {
    /// Its path, as it was named.
    pub(super) policy: String,
    /// Its tests, in the order in which they are written; with `--filter` only those that were wanted.
    #[serde(rename = "tests")]
    pub(super) cases: Vec<Case>,
    /// How long it took, in seconds, compiling included.
    pub(super) seconds: f64,
}

/// A test, and what has come out of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Test")]
pub(super) struct Case {
    /// Its name in the policy.
    pub(super) name: String,
    /// Where it stands: `office.yaml:140`.
    pub(super) at: Option<String>,
    /// Whether it has passed; with `--kernel` only if it holds in the kernel, too, and the kernel agrees.
    pub(super) passed: bool,
    /// For people: what it was about, or what should be and what is.
    pub(super) message: String,
    /// How many kinds of packets it was held against: one packet of each that the rules tell apart, until the first with which it fails.
    pub(super) packets: usize,
    /// How long the proof took, in seconds.
    pub(super) seconds: f64,
    /// The counterexample, for people: the packet with which it fails. Absent where it has passed, and where no single packet is to
    /// blame, as for the shares of a balance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) packet: Option<String>,
    /// Every rule that this packet meets and fits, in order, and what the kernel does between. Absent where there is no packet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) path: Vec<Stop>,
    /// What the kernel did with the packets; only with `--kernel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<InKernel>,
}

/// The text of `schema/test.schema.json`.
pub(in crate::cli) fn schema() -> String {
    crate::view::schema::<Whole>("urn:rfw:test:1", "rfw test")
}

impl Suite {
    pub(super) fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.passed).count()
    }

    pub(super) fn failed(&self) -> usize {
        self.cases.len() - self.passed()
    }
}

impl Whole {
    /// With how many tests the kernel does something else than the proof says.
    pub(super) fn disagreements(&self) -> usize {
        let cases = self.suites.iter().flat_map(|suite| &suite.cases);
        let kernels = cases.filter_map(|case| case.kernel.as_ref());
        kernels.filter(|kernel| !kernel.agrees).count()
    }
}

impl Case {
    /// What has come out of a test.
    pub(super) fn of(
        test: &Test,
        proof: &Proof,
        seconds: f64,
        prover: &Prover<'_>,
        zone: &TimeZone,
        places: &Places<'_>,
    ) -> Self {
        let Proof { packets, result } = proof;
        let (packet, outcome) = match result {
            Ok(()) => (None, None),
            Err(failed) => (failed.packet.as_ref(), failed.outcome.as_ref()),
        };
        Self {
            name: test.name.clone(),
            at: places.of(&Origin(test.at.to_string())),
            passed: result.is_ok(),
            message: match result {
                Ok(()) => about(test, *packets),
                Err(failed) => failed.message.clone(),
            },
            packets: *packets,
            seconds,
            packet: packet.map(|packet| shown(packet, zone)),
            path: outcome.map_or_else(Vec::new, |outcome| path(outcome, prover, places)),
            kernel: None,
        }
    }

    /// With what has come out in the kernel.
    pub(super) fn also(&mut self, kernel: InKernel, (tried, _): &(Tried, f64)) {
        if self.passed {
            let wrong = match &tried.failed {
                _ if !kernel.agrees => Some("the kernel does something else".to_owned()),
                Some(failed) => Some(format!("in the kernel: {failed}")),
                None => None,
            };
            self.passed = wrong.is_none();
            self.message = wrong.unwrap_or_else(|| self.message.clone());
        }
        self.kernel = Some(kernel);
    }
}

/// What a test that has passed was about.
fn about(test: &Test, packets: usize) -> String {
    match &test.claim {
        Claim::Packets { expect, .. } => {
            let kinds = match packets {
                1 => "1 kind of packet".to_owned(),
                packets => format!("{packets} kinds of packets"),
            };
            format!("{}, {kinds}", expect.verdict.name())
        }
        Claim::Scan { ports, .. } => {
            let parts = ports.iter().map(|(state, ports)| {
                let list: Vec<String> = ports
                    .iter()
                    .map(|span| match span.lo == span.hi {
                        true => span.lo.to_string(),
                        false => format!("{}-{}", span.lo, span.hi),
                    })
                    .collect();
                match *state {
                    Port::Open | Port::Closed if list.len() <= 8 => {
                        format!("{} {}", list.join(", "), state.name())
                    }
                    _ => format!("{} {}", size(ports), state.name()),
                }
            });
            parts.collect::<Vec<_>>().join("; ")
        }
        Claim::Set { set, .. } => format!("`never_contains` of {set} sees to it"),
    }
}
