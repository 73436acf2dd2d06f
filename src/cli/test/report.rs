//! What tests have found, for people and programs.

use std::fmt::Write as _;
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::kernel::{Asked, InKernel, Told};
use crate::compile::claim::{Claim, Port, Test, size};
use crate::evaluate::{Met, Outcome, Packet, Step, Upper};
use crate::prove::{Proof, Prover, deciding};
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

/// A stop on the way of a packet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stop {
    /// The hook: `prerouting`, `input`, `forward`, `output`, `postrouting`; empty before the first.
    pub(super) hook: &'static str,
    /// The rule by its name, its chain where it has none, or `routing`, `the kernel`, `source`, `destination`, `the end of CHAIN`.
    pub(super) what: String,
    /// What happens there: `accept`, `drop`, `reject`, `return`, `translates`, `fits, goes on`, `→ CHAIN`, or words for people.
    pub(super) does: String,
    /// Where the policy says so: `office.yaml:73`. Absent for what is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
}

/// The text of `schema/test.schema.json`.
pub(in crate::cli) fn schema() -> String {
    crate::view::schema::<Whole>("urn:rfw:test:1", "rfw test")
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

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

    /// For people.
    pub(super) fn text(&self, color: bool) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            // Writing to a string cannot fail.
            _ = writeln!(text, "{}", suite.policy);
            let width = suite.cases.iter().map(|case| case.name.len()).max();
            for case in &suite.cases {
                case.print(&mut text, width.unwrap_or(0), color);
            }
        }
        let Self { passed, failed, .. } = self;
        let kernel = self.kernel.as_ref().map(|Asked { release, .. }| {
            let cases = self.suites.iter().flat_map(|suite| &suite.cases);
            let sent = cases.filter_map(|case| case.kernel.as_ref());
            let sent: usize = sent.map(|kernel| kernel.packets).sum();
            format!("; {sent} packets sent through kernel {release}")
        });
        _ = writeln!(
            text,
            "{passed} passed, {failed} failed in {:.2} s{}",
            self.seconds,
            kernel.unwrap_or_default()
        );
        text
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
        places: &dyn Fn(&Origin) -> Option<String>,
    ) -> Self {
        let Proof { packets, result } = proof;
        let (packet, outcome) = match result {
            Ok(()) => (None, None),
            Err(failed) => (failed.packet.as_ref(), failed.outcome.as_ref()),
        };
        Self {
            name: test.name.clone(),
            at: places(&Origin(test.at.to_string())),
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

    fn print(&self, text: &mut String, width: usize, color: bool) {
        let (word, style) = match self.passed {
            true => ("ok  ", GOOD),
            false => ("FAIL", BAD),
        };
        let (on, off) = match color {
            true => (style.render().to_string(), style.render_reset().to_string()),
            false => (String::new(), String::new()),
        };
        let (name, message) = (&self.name, &self.message);
        // Writing to a string cannot fail.
        let kernel = self.kernel.as_ref().map(InKernel::text);
        let kernel = kernel.unwrap_or_default();
        _ = writeln!(text, "{on}{word}{off}  {name:width$}  {message}{kernel}");
        if self.passed {
            return;
        }
        if let Some(at) = &self.at {
            _ = writeln!(text, "      {at}");
        }
        if let Some(packet) = &self.packet {
            _ = writeln!(text, "      {packet}");
        }
        let widest = self.path.iter().map(|stop| stop.what.len()).max();
        let widest = widest.unwrap_or(0);
        for Stop {
            hook,
            what,
            does,
            at,
        } in &self.path
        {
            let at = at
                .as_deref()
                .map(|at| format!("   {at}"))
                .unwrap_or_default();
            let line = format!("        {hook:11} {what:widest$}  {does}{at}");
            _ = writeln!(text, "{}", line.trim_end());
        }
        let told = self.kernel.as_ref().and_then(|it| it.disagreement.as_ref());
        if let Some(told) = told {
            told.print(text);
        }
    }
}

impl InKernel {
    /// Behind the message of a test.
    pub(super) fn text(&self) -> String {
        let Self {
            agrees,
            packets,
            of,
            left_out,
            untraced,
            seconds: _,
            disagreements,
            disagreement: _,
        } = self;
        let mut text = match (packets, of) {
            (0, _) => "; nothing to send".to_owned(),
            (packets, None) => format!("; {packets} sent"),
            (packets, Some(of)) => format!("; {packets} of {of} sent"),
        };
        match agrees {
            _ if *packets == 0 => {}
            true => text.push_str(", the kernel agrees"),
            // Writing to a string cannot fail.
            false => _ = write!(text, ", with {disagreements} of them"),
        }
        if *untraced > 0 {
            _ = write!(text, "; {untraced} met more rules than it could tell");
        }
        for left in left_out {
            _ = write!(text, "; {} left out: {}", left.packets, left.why);
        }
        text
    }
}

impl Told {
    pub(super) fn print(&self, text: &mut String) {
        let Self {
            rfw,
            kernel,
            policy,
            packet,
            bytes,
            kernel_says,
            kernel_met,
            rfw_met,
            rfw_says,
            path: _,
            world,
            chains,
        } = self;
        let mut line = |line: &str| {
            // Writing to a string cannot fail.
            _ = writeln!(text, "      {line}");
        };
        line(
            "This is a mistake in rfw, not in the policy. Please report it with everything below.",
        );
        line(&format!("rfw {rfw}, kernel {kernel}, policy {policy}"));
        line(&format!("packet: {packet}"));
        line(&format!("bytes: {bytes}"));
        line(&format!("the kernel: {kernel_says}"));
        line(&format!("the kernel, by: {}", kernel_met.join(", ")));
        line(&format!("rfw, by: {}", rfw_met.join(", ")));
        for said in rfw_says {
            line(&format!("rfw: {said}"));
        }
        for known in world {
            line(&format!("box: {known}"));
        }
        for chain in chains {
            chain.lines().for_each(&mut line);
        }
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

pub(super) fn shown(packet: &Packet, zone: &TimeZone) -> String {
    let (sport, dport) = packet.upper.ports().unzip();
    let end = |address: IpAddr, port: Option<u16>| match (address, port) {
        (address, None) => address.to_string(),
        (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
    };
    let by = |interface: &Option<String>| match interface {
        Some(name) => name.clone(),
        None => "the box".to_owned(),
    };
    let what = match packet.upper {
        Upper::Tcp { .. } => "tcp".to_owned(),
        Upper::Ports { protocol: 17, .. } => "udp".to_owned(),
        Upper::Ports { protocol, .. } | Upper::Other(protocol) => format!("protocol {protocol}"),
        Upper::Icmp { kind, .. } if packet.is_v6() => format!("icmpv6 type {kind}"),
        Upper::Icmp { kind, .. } => format!("icmp type {kind}"),
    };
    let seconds = i64::try_from(packet.time / 1_000_000_000).unwrap_or_default();
    let at = Timestamp::from_second(seconds).unwrap_or_default();
    let at = at.to_zoned_datetime(zone.clone());
    format!(
        "{} from {} ({}) to {} ({}), {}, on {} {}",
        what,
        end(packet.source, sport),
        by(&packet.iif),
        end(packet.destination, dport),
        by(&packet.oif),
        packet.connection.state.name(),
        at.strftime("%a %Y-%m-%d %H:%M:%S"),
        zone.iana_name().unwrap_or("UTC"),
    )
}

/// The way of a packet: every rule that it fits.
pub(super) fn path(
    outcome: &Outcome,
    prover: &Prover<'_>,
    places: &dyn Fn(&Origin) -> Option<String>,
) -> Vec<Stop> {
    let firewall = prover.firewall();
    let mut hook = "";
    let mut stops = Vec::new();
    let mut element = None;
    for step in &outcome.path {
        let mut stop = |what: String, does: String, at: Option<String>| {
            stops.push(Stop {
                hook,
                what,
                does,
                at,
            });
        };
        match step {
            Step::Hook(at) => hook = at.name().unwrap_or("?"),
            Step::Base(_) | Step::Rule(_, Met::Failed(_)) => {}
            Step::Element(at) => element = firewall.element(*at),
            Step::Rule(at, met) => {
                let Some(rule) = firewall.rule(*at) else {
                    continue;
                };
                let does = match met {
                    Met::Failed(_) | Met::Idle(_) => continue,
                    Met::Passed => "fits, goes on".to_owned(),
                    Met::Accept => "accept".to_owned(),
                    Met::Drop => "drop".to_owned(),
                    Met::Reject(_) => "reject".to_owned(),
                    Met::Return => "return".to_owned(),
                    Met::Jump(to) | Met::Goto(to) => {
                        let to = crate::evaluate::ChainRef {
                            chain: *to,
                            ..at.chain
                        };
                        let to = firewall.chain(to).map_or("?", |chain| chain.chain);
                        format!("→ {to}")
                    }
                    Met::Translate => "translates".to_owned(),
                    Met::Opaque(_) => "is not followed".to_owned(),
                };
                let (what, at) = match element.take() {
                    Some(name) => {
                        let at = prover.place(&name);
                        let at = at.and_then(|at| places(&Origin(at)));
                        (name, at)
                    }
                    None => {
                        let what = rule.name.unwrap_or(rule.chain).to_owned();
                        (what, rule.origin.and_then(places))
                    }
                };
                stop(what, does, at);
            }
            Step::Policy(chain, policy) => {
                let name = firewall.chain(*chain).map_or("?", |chain| chain.chain);
                let does = match policy {
                    crate::ruleset::ChainPolicy::Accept => "accept",
                    crate::ruleset::ChainPolicy::Drop => "drop",
                };
                // The end of a chain that translates is no news.
                if hook != "prerouting" && hook != "postrouting" {
                    stop(format!("the end of {name}"), does.to_owned(), None);
                }
            }
            Step::Local => stop("routing".to_owned(), "for the box".to_owned(), None),
            Step::Forward => {
                let by = outcome.packet.oif.as_deref().unwrap_or("?");
                stop("routing".to_owned(), format!("on by {by}"), None);
            }
            Step::Translated(index) => {
                let Some(it) = outcome.translations.get(usize::from(*index)) else {
                    continue;
                };
                let end = if it.destination {
                    "destination"
                } else {
                    "source"
                };
                let address = match it.address {
                    None => "an address of the box".to_owned(),
                    Some((lo, hi)) if lo == hi => lo.to_string(),
                    Some((lo, hi)) => format!("one of {lo}-{hi}"),
                };
                let port = match it.port {
                    Some((lo, hi)) if lo == hi => format!(" port {lo}"),
                    _ => String::new(),
                };
                stop(end.to_owned(), format!("is now {address}{port}"), None);
            }
            Step::Kernel(kernel) => stop("the kernel".to_owned(), format!("{kernel:?}"), None),
        }
    }
    if stops.is_empty() {
        let decided = deciding(firewall, outcome);
        stops.push(Stop {
            hook,
            what: decided,
            does: String::new(),
            at: None,
        });
    }
    stops
}
