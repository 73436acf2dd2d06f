//! What became of a packet, for people and for programs.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

use crate::evaluate::{
    Answer, Decision, Evaluation, Firewall, Kernel, Met, Opaque, Outcome, Packet, Reason, RuleRef,
    RuleView, Step, Translation, Upper,
};
use crate::nft;
use crate::ruleset::{ChainPolicy, Origin, TABLE};

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

/// A rule as the kernel has it.
#[derive(Debug, Serialize, JsonSchema)]
struct LiveRule {
    /// Family and name of its table: `inet rfw`, `ip filter`.
    table: String,
    /// Its chain.
    chain: String,
    /// By which nft(8) deletes or replaces it.
    handle: u64,
    /// What it does, in nft's words.
    text: String,
}

/// A step on the way of a packet.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
struct Line {
    /// 0: a hook, or which way routing sends the packet; 1: the kernel, or a table with its base chain; 2: what is in that chain and
    /// the chains that it leads to.
    depth: usize,
    /// What is met: the hook, the chain, the rule by its name (or by its chain and number), the end of the chain, or a translation.
    what: String,
    /// Where the policy says so: `office.yaml:73`.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// What comes of it: `accept`, `drop`, `reject with …`, `jump …`, `goto …`, `return`, `translates`, `fits, and goes on`,
    /// `does nothing to the packet`, `cannot be followed…`, or `does not fit…` with the comparison that fails. Absent for what is no rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    result: String,
}

/// The text of `schema/trace.schema.json`.
pub(in crate::cli) fn schema() -> String {
    crate::view::schema::<View>("urn:rfw:trace:1", "rfw trace")
}

/// Finds the place in the policy.
type Places<'a> = &'a dyn Fn(&Origin) -> Option<String>;

/// What becomes of a packet. `alone` is what rfw's table would do without those of others.
pub(super) fn of(
    packet: &Packet,
    evaluation: &Evaluation,
    firewall: &Firewall,
    alone: Option<&(Evaluation, Firewall)>,
    places: Places<'_>,
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

fn one(outcome: &Outcome, firewall: &Firewall, places: Places<'_>) -> OutcomeView {
    let deciding = match &outcome.reason {
        Reason::Rule(rule) | Reason::Opaque(rule, _) => Some(*rule),
        _ => None,
    };
    let named = deciding.and_then(|rule| {
        let rules = std::iter::once(rule).chain(outcome.callers.iter().rev().copied());
        rules
            .filter_map(|rule| firewall.rule(rule))
            .find(|rule| rule.name.is_some())
    });
    let translations = outcome.translations.iter();
    OutcomeView {
        decision: decision(outcome.decision),
        reason: reason(&outcome.reason, firewall),
        rule: named.and_then(|rule| rule.name.map(str::to_owned)),
        at: named.and_then(|rule| places(rule.origin?)),
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

/// A rule as the kernel has it.
fn live_rule(rule: RuleView<'_>) -> Option<LiveRule> {
    Some(LiveRule {
        table: format!("{} {}", rule.family, rule.table),
        chain: rule.chain.to_owned(),
        handle: rule.handle?,
        text: text(&rule),
    })
}

fn is_own(rule: &RuleView<'_>) -> bool {
    (rule.family, rule.table) == ("inet", TABLE)
}

fn text(rule: &RuleView<'_>) -> String {
    let text = nft::any_rule_text(rule.nfproto, None, rule.instructions);
    visible(&text)
}

/// Names and comments of others may hold anything.
fn visible(text: &str) -> String {
    let visible = text.chars().map(|character| {
        if character.is_control() {
            '?'
        } else {
            character
        }
    });
    visible.collect()
}

/// What rfw's table alone says, if another one decides against it.
fn despite(
    outcome: &Outcome,
    firewall: &Firewall,
    alone: &Evaluation,
    of: &Firewall,
    places: Places<'_>,
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
        Decision::Drop => format!("table {family} {} drops it all the same", visible(table)),
        Decision::Reject(_) => format!("table {family} {} rejects it all the same", visible(table)),
        Decision::Accept => return None,
        Decision::Unknown => format!("what table {family} {} does is not known", visible(table)),
    };
    Some(format!("table inet rfw accepts it{by}; {all_the_same}"))
}

fn line(step: &Step, outcome: &Outcome, firewall: &Firewall, places: Places<'_>) -> Line {
    let plain = |depth, what: String| Line {
        depth,
        what,
        at: None,
        result: String::new(),
    };
    match step {
        Step::Hook(hook) => plain(0, hook.name().unwrap_or("another hook").to_owned()),
        Step::Local => plain(0, "for the box itself".to_owned()),
        Step::Forward => {
            let oif = outcome.packet.oif.as_deref().unwrap_or("?");
            plain(0, format!("goes on by {oif}"))
        }
        Step::Kernel(kernel) => plain(1, kernel_text(*kernel).to_owned()),
        Step::Base(chain) => {
            let text = firewall.chain(*chain).map(|chain| {
                format!(
                    "table {} {}, chain {}",
                    chain.family, chain.table, chain.chain
                )
            });
            plain(1, text.unwrap_or_default())
        }
        Step::Policy(_, policy) => Line {
            result: match policy {
                ChainPolicy::Accept => "accept".to_owned(),
                ChainPolicy::Drop => "drop".to_owned(),
            },
            ..plain(2, "chain policy".to_owned())
        },
        Step::Translated(index) => {
            let text = outcome.translations.get(usize::from(*index));
            plain(
                2,
                text.map_or(String::new(), |it| translation(it, firewall)),
            )
        }
        Step::Element(element) => {
            let name = firewall.element(*element).unwrap_or_default();
            plain(2, format!("{name}, by the verdict map of"))
        }
        Step::Rule(rule, met) => {
            let view = firewall.rule(*rule);
            let name = view.map_or_else(String::new, |view| match (view.name, view.handle) {
                (_, Some(handle)) if !is_own(&view) => {
                    format!(
                        "{}, rule handle {handle}: {}",
                        visible(view.chain),
                        text(&view)
                    )
                }
                (Some(name), _) => name.to_owned(),
                (None, _) => format!("rule {} of {}", view.index + 1, view.chain),
            });
            Line {
                depth: 2,
                what: name,
                at: view.and_then(|view| places(view.origin?)),
                result: met_text(*met, *rule, firewall),
            }
        }
    }
}

fn met_text(met: Met, rule: RuleRef, firewall: &Firewall) -> String {
    let chain = |index: u32| {
        let at = crate::evaluate::ChainRef {
            chain: index,
            ..rule.chain
        };
        firewall.chain(at).map_or("?", |chain| chain.chain)
    };
    match met {
        Met::Failed(place) => format!("does not fit{}", at_instruction(rule, place, firewall)),
        Met::Passed => "fits, and goes on".to_owned(),
        Met::Accept => "accept".to_owned(),
        Met::Drop => "drop".to_owned(),
        Met::Reject(answer) => decision(Decision::Reject(answer)),
        Met::Return => "return".to_owned(),
        Met::Jump(to) => format!("jump {}", chain(to)),
        Met::Goto(to) => format!("goto {}", chain(to)),
        Met::Translate => "translates".to_owned(),
        Met::Idle(_) => "does nothing to the packet".to_owned(),
        Met::Opaque(place) => {
            format!(
                "cannot be followed{}",
                at_instruction(rule, place, firewall)
            )
        }
    }
}

/// The instruction at which a rule ended, with what was loaded for it.
fn at_instruction(rule: RuleRef, place: u16, firewall: &Firewall) -> String {
    let Some(view) = firewall.rule(rule) else {
        return String::new();
    };
    let place = usize::from(place);
    let first = place.saturating_sub(1);
    let shown = view.instructions.get(first..=place).unwrap_or_default();
    let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
    match shown.is_empty() {
        true => String::new(),
        false => format!(": {}", shown.join(" ")),
    }
}

fn translation(translation: &Translation, firewall: &Firewall) -> String {
    let Translation {
        rule,
        destination,
        before,
        address,
        port,
    } = translation;
    let end = if *destination {
        "destination"
    } else {
        "source"
    };
    let address = match address {
        None => "an address of the box".to_owned(),
        Some((lo, hi)) if lo == hi => lo.to_string(),
        Some((lo, hi)) => format!("{lo}-{hi}"),
    };
    let port = match port {
        None => String::new(),
        Some((lo, hi)) if lo == hi => format!(" port {lo}"),
        Some((lo, hi)) => format!(" port {lo}-{hi}"),
    };
    let old = before
        .1
        .map_or(String::new(), |port| format!(" port {port}"));
    let by = firewall.rule(*rule).and_then(|rule| rule.name);
    let by = by.map_or(String::new(), |name| format!(" by `{name}`"));
    format!("{end} {}{old} becomes {address}{port}{by}", before.0)
}

fn decision(decision: Decision) -> String {
    match decision {
        Decision::Accept => "accept".to_owned(),
        Decision::Drop => "drop".to_owned(),
        Decision::Reject(Answer::TcpReset) => "reject with tcp reset".to_owned(),
        Decision::Reject(Answer::Icmp(code)) => format!("reject with icmp code {code}"),
        Decision::Reject(Answer::Icmpx(code)) => {
            let known = crate::ruleset::Icmpx::ALL.get(usize::from(code));
            format!("reject with {}", known.map_or("icmpx", |it| it.name()))
        }
        Decision::Unknown => "unknown".to_owned(),
    }
}

fn reason(reason: &Reason, firewall: &Firewall) -> String {
    let rule_text = |rule: &RuleRef| {
        let view = firewall.rule(*rule);
        view.map_or_else(String::new, |view| match live_rule(view) {
            Some(rule) if !is_own(&view) => {
                let LiveRule {
                    table,
                    chain,
                    handle,
                    text,
                } = rule;
                format!(
                    "table {}, chain {}, rule handle {handle}: {text}",
                    visible(&table),
                    visible(&chain)
                )
            }
            _ => format!(
                "rule {} of table {} {}, chain {}",
                view.index + 1,
                view.family,
                view.table,
                view.chain
            ),
        })
    };
    match reason {
        Reason::Rule(rule) => rule_text(rule),
        Reason::Policy(chain) => firewall.chain(*chain).map_or_else(String::new, |chain| {
            format!(
                "chain policy of table {} {}, chain {}",
                chain.family, chain.table, chain.chain
            )
        }),
        Reason::Nothing => "no rule".to_owned(),
        Reason::Kernel(kernel) => kernel_text(*kernel).to_owned(),
        Reason::Opaque(rule, opaque) => {
            let why = match opaque {
                Opaque::Expression(name) => format!("the expression `{name}`"),
                Opaque::Set(name) => format!("the set `{name}`"),
                Opaque::Object(name) => format!("the object `{name}`"),
                Opaque::Chain(name) => format!("the chain `{name}`"),
                Opaque::Value(what) => (*what).to_owned(),
            };
            format!("{}: {why}", rule_text(rule))
        }
        Reason::TooManyWays => "chance has too many ways here".to_owned(),
    }
}

fn kernel_text(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::TimeExceeded => "the kernel forwards no packet that has no hop left",
        Kernel::NoRoute => "the kernel has no route to the destination",
        Kernel::MartianSource => "the kernel takes no packet from such a source",
        Kernel::MartianDestination => "the kernel takes no packet to such a destination",
        Kernel::NotForwarded => "the kernel does not forward such a packet",
        Kernel::NoAddress => "the interface has no address to translate to",
        Kernel::JumpStack => "more than 16 jumps deep",
    }
}

fn packet_text(packet: &Packet) -> String {
    let end = |address: std::net::IpAddr, port: Option<u16>| match port {
        Some(port) => std::net::SocketAddr::new(address, port).to_string(),
        None => address.to_string(),
    };
    let ports = packet.upper.ports();
    let what = match packet.upper {
        Upper::Tcp { .. } => "tcp".to_owned(),
        Upper::Icmp { kind, code } => format!("icmp type {kind} code {code}"),
        Upper::Ports { protocol: 17, .. } => "udp".to_owned(),
        Upper::Ports { protocol, .. } | Upper::Other(protocol) => format!("protocol {protocol}"),
    };
    format!(
        "{} {} > {} {} {}, {}",
        packet.iif.as_deref().unwrap_or("-"),
        end(packet.source, ports.map(|it| it.0)),
        packet.oif.as_deref().unwrap_or("-"),
        end(packet.destination, ports.map(|it| it.1)),
        what,
        packet.connection.state.name()
    )
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
