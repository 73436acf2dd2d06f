//! What became of a packet, for people and for programs.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

use super::line::{Line, line};
use super::rule::{LiveRule, live_rule};
use super::words::{decision, packet_text, reason, translation};
use crate::cli::places::Places;
use crate::evaluate::{Decision, Evaluation, Firewall, Outcome, Packet, Reason};
use crate::ruleset::TABLE;
use crate::view::printable;

/// A packet and all that can become of it. Whatever becomes of it, the exit code is 0.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trace")]
pub(super) struct View {
    /// Of this shape: 1.
    version: u32,
    /// The packet as it was sent, for people: `eth0 203.0.113.7:40000 > - 203.0.113.10:443 tcp, new` are the interface by which it
    /// comes, source, the interface by which it leaves as far as that was said, destination, protocol, and the state of its connection.
    packet: String,
    /// What can become of it: one outcome, and more where chance decides. Their shares make 1.
    outcomes: Vec<OutcomeView>,
}

/// What becomes of a packet.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Outcome")]
struct OutcomeView {
    /// `accept`, `drop`, `unknown` (a rule that cannot be followed decides), or `reject with` and the answer: `tcp reset`, `icmp code 3`
    /// (of ICMP or ICMPv6, by the packet's family), or one of `no-route`, `port-unreachable`, `host-unreachable` and `admin-prohibited`.
    #[schemars(regex(pattern = r"^(accept|drop|unknown|reject with .+)$"))]
    decision: String,
    /// What decides, for people: a rule by its table and chain, a chain's policy, the kernel, or `no rule`.
    reason: String,
    /// The rule of the policy that decides, by its name: `lan-to-wan/web`, `nat/web`. Absent where something else decides, such as a
    /// rule of another table, or routing.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// Where the policy says so: `office.yaml:73`. Absent for what is built in, and for rules in the kernel that this policy does not
    /// have.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// The rule that decides, as the kernel has it; only with `--live`.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<LiveRule>,
    /// For people: what rfw's table alone would do. Only with `--live`, and only where it accepts the packet and another table does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    rfw: Option<String>,
    /// How often it comes to this, from 0 to 1; 1 where nothing is left to chance.
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f64,
    /// The packet as it is at the end, translated, in the form of the packet as it was sent.
    packet: String,
    /// How it was translated, for people, in order; empty where it was not.
    translations: Vec<String>,
    /// Its way, in order.
    path: Vec<Line>,
}

/// The text of `schema/trace.schema.json`.
pub(in crate::cli) fn schema() -> String {
    crate::view::schema::<View>("urn:rfw:trace:1", "rfw trace")
}

/// What becomes of a packet. `alone` is what rfw's table would do without those of others.
pub(super) fn of(
    packet: &Packet,
    evaluation: &Evaluation,
    firewall: &Firewall,
    alone: Option<&(Evaluation, Firewall)>,
    places: &Places<'_>,
) -> View {
    let outcomes = evaluation.outcomes.iter();
    View {
        version: 1,
        packet: packet_text(packet),
        outcomes: outcomes
            .map(|outcome| OutcomeView {
                rfw: alone.and_then(|(alone, of)| despite(outcome, firewall, alone, of, places)),
                ..one(outcome, firewall, places)
            })
            .collect(),
    }
}

fn one(outcome: &Outcome, firewall: &Firewall, places: &Places<'_>) -> OutcomeView {
    let deciding = match &outcome.reason {
        Reason::Rule(rule) | Reason::Opaque(rule, _) => Some(*rule),
        _ => None,
    };
    let named = outcome.named(firewall);
    let translations = outcome.translations.iter();
    OutcomeView {
        decision: decision(outcome.decision),
        reason: reason(&outcome.reason, firewall),
        rule: named.map(|named| printable(named.name())),
        at: named.and_then(|named| places.decided(&named)),
        live: deciding
            .and_then(|rule| firewall.rule(rule))
            .and_then(live_rule),
        rfw: None,
        share: outcome.share,
        packet: packet_text(&outcome.packet),
        translations: translations.map(|it| translation(it, firewall)).collect(),
        path: outcome
            .path
            .iter()
            .map(|step| line(step, outcome, firewall, places))
            .collect(),
    }
}

/// What rfw's table alone says, if another one decides against it.
fn despite(
    outcome: &Outcome,
    firewall: &Firewall,
    alone: &Evaluation,
    of: &Firewall,
    places: &Places<'_>,
) -> Option<String> {
    let (family, table) = match &outcome.reason {
        Reason::Rule(rule) | Reason::Opaque(rule, _) => {
            let rule = firewall.rule(*rule)?;
            (rule.family, rule.table)
        }
        Reason::Policy(chain) => {
            let chain = firewall.chain(*chain)?;
            (chain.family, chain.table)
        }
        Reason::Nothing | Reason::Kernel(_) | Reason::TooManyWays => return None,
    };
    if (family, table) == ("inet", TABLE) || alone.decision() != Some(Decision::Accept) {
        return None;
    }
    let accepts = one(alone.outcomes.first()?, of, places);
    let by = accepts.rule.map_or(String::new(), |rule| {
        let at = accepts.at.map_or(String::new(), |at| format!(" ({at})"));
        format!(", by `{rule}`{at}")
    });
    let all_the_same = match outcome.decision {
        Decision::Drop => format!("table {family} {} drops it all the same", printable(table)),
        Decision::Reject(_) => format!(
            "table {family} {} rejects it all the same",
            printable(table)
        ),
        Decision::Accept => return None,
        Decision::Unknown => format!("what table {family} {} does is not known", printable(table)),
    };
    Some(format!("table inet rfw accepts it{by}; {all_the_same}"))
}

impl Display for View {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.packet)?;
        for outcome in &self.outcomes {
            writeln!(f)?;
            outcome.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for OutcomeView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for line in &self.path {
            write!(f, "{:width$}{}", "", line.what, width = line.depth * 2)?;
            if let Some(at) = &line.at {
                write!(f, " ({at})")?;
            }
            if !line.result.is_empty() {
                write!(f, ": {}", line.result)?;
            }
            writeln!(f)?;
        }
        write!(f, "{}", self.decision)?;
        if let Some(rule) = &self.rule {
            write!(f, " by `{rule}`")?;
        }
        if let Some(at) = &self.at {
            write!(f, " ({at})")?;
        }
        writeln!(f, ", {}", self.reason)?;
        if let Some(rfw) = &self.rfw {
            writeln!(f, "{rfw}")?;
        }
        if !self.translations.is_empty() {
            writeln!(f, "leaves as {}", self.packet)?;
        }
        if self.share < 1.0 {
            writeln!(f, "in {:.1} % of the cases", self.share * 100.0)?;
        }
        Ok(())
    }
}
