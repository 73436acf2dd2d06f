//! What every ruleset has: the base chains, and what twenty years of outages say must not be forgotten.
//!
//! Established and related traffic passes (ICMP errors and path-MTU messages about a known flow are
//! *related*), loopback passes, IPv6 neighbour discovery and multicast listener reports pass on the
//! link, what conntrack calls invalid is dropped. A source that cannot live behind its interface is
//! dropped where the policy says what lives there. Each base chain ends in an explicit, counted drop:
//! its chain policy is only the second line.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::address::{self, End, spans, suffixes};
use super::dispatch::Entries;
use super::interface::matches_any;
use super::membership::{by_others, is_of, numbered, stem};
use super::nat;
use super::offload;
use super::output::{Entry, Output, SetNames, element};
use super::raw;
use super::row::equal;
use super::schedule::{self, Way};
use crate::compile::model::{Model, Zone};
use crate::diagnostic::DocPath;
use crate::policy::{RawHook, RawPlace};
use crate::ruleset::{
    Addresses, Base, Chain, ChainPolicy, ChainType, Ct, DataType, Expression, Family, Field, Hook,
    Key, Meta, Operand, Relation, Rule, SetKind, SetSpec, Statement, Verdict,
};

/// Before `filter`, so that rfw's drops come before what other tools decide at that priority.
pub(super) const FILTER_PRIORITY: i32 = -10;

/// Makes `input`, `forward` and `output`.
pub(super) fn base_chains(model: &Model, entries: Entries, output: &mut Output) {
    let Entries {
        input,
        forward,
        output: out,
    } = entries;
    let spoofed = anti_spoof(model, output);

    let mut rules = raw::visits(model, RawHook::Input, RawPlace::Before, output);
    rules.extend(schedule::cuts(model, Way::Input, output));
    rules.extend([established(), interface_index(Meta::Iif)]);
    rules.extend(neighbour_discovery(output));
    rules.push(invalid());
    rules.extend(spoofed.clone());
    rules.extend(input);
    rules.extend(raw::visits(model, RawHook::Input, RawPlace::After, output));
    base_chain("input", Hook::Input, rules, output);

    let mut rules = raw::visits(model, RawHook::Forward, RawPlace::Before, output);
    rules.extend(nat::mss_rules(model, output));
    rules.extend(schedule::cuts(model, Way::Forward, output));
    rules.extend(offload::hand_over(model, output));
    rules.extend([established(), invalid()]);
    rules.extend(spoofed);
    rules.extend(forward);
    rules.extend(raw::visits(
        model,
        RawHook::Forward,
        RawPlace::After,
        output,
    ));
    base_chain("forward", Hook::Forward, rules, output);

    let mut rules = raw::visits(model, RawHook::Output, RawPlace::Before, output);
    rules.extend(schedule::cuts(model, Way::Output, output));
    rules.extend([established(), interface_index(Meta::Oif)]);
    rules.extend(neighbour_discovery(output));
    rules.push(invalid());
    rules.extend(out);
    rules.extend(raw::visits(model, RawHook::Output, RawPlace::After, output));
    base_chain("output", Hook::Output, rules, output);
}

pub(super) fn base_chain(name: &str, hook: Hook, mut rules: Vec<Rule>, output: &mut Output) {
    rules.push(built_in(
        &format!("{name}/default"),
        vec![Statement::Counter, Statement::Verdict(Verdict::Drop)],
    ));
    let base = Base {
        kind: ChainType::Filter,
        hook,
        priority: FILTER_PRIORITY,
        policy: ChainPolicy::Drop,
    };
    output.chain(Chain {
        name: name.to_owned(),
        base: Some(base),
        rules,
    });
}

pub(super) fn built_in(name: &str, statements: Vec<Statement>) -> Rule {
    Rule {
        name: Some(name.to_owned()),
        statements,
        origin: None,
    }
}

/// `NF_CT_STATE_BIT`s of linux/netfilter/nf_conntrack_common.h, host order.
const INVALID: u32 = 1;
const ESTABLISHED: u32 = 2;
const RELATED: u32 = 4;

fn ct_state(bits: u32) -> Statement {
    let right = Operand::AnyBit(bits.to_ne_bytes().into());
    Statement::Match {
        left: Expression::Ct(Ct::State),
        relation: Relation::Eq,
        right,
    }
}

pub(super) fn established() -> Rule {
    built_in(
        "established",
        vec![
            ct_state(ESTABLISHED | RELATED),
            Statement::Verdict(Verdict::Accept),
        ],
    )
}

pub(super) fn invalid() -> Rule {
    built_in(
        "invalid",
        vec![
            ct_state(INVALID),
            Statement::Counter,
            Statement::Verdict(Verdict::Drop),
        ],
    )
}

/// `lo` is the first interface of every network namespace: its index is always 1.
pub(super) fn interface_index(key: Meta) -> Rule {
    let statements = vec![
        equal(Expression::Meta(key), 1u32.to_ne_bytes()),
        Statement::Verdict(Verdict::Accept),
    ];
    built_in("loopback", statements)
}

/// RFC 4861 (hop limit 255: it cannot come from beyond the link) and RFC 2710/3810 (from a link-local
/// address). RFC 4890 section 4.4 says why both must pass.
pub(super) fn neighbour_discovery(output: &mut Output) -> Vec<Rule> {
    let kinds = |name: &str, types: &[u8], output: &mut Output| {
        let elements = types
            .iter()
            .map(|kind| element(Key::exact([*kind]), None))
            .collect();
        output.set(
            SetSpec::new(name, vec![DataType::Icmpv6Type], SetKind::Set),
            elements,
            None,
        );
        let left = Expression::Field(Field::Icmpv6Type);
        Statement::Match {
            left,
            relation: Relation::Eq,
            right: Operand::Set(name.to_owned()),
        }
    };
    let discovery = vec![
        kinds("icmpv6/neighbour-discovery", &[133, 134, 135, 136], output),
        equal(Expression::Field(Field::Ip6Hoplimit), [255]),
        Statement::Verdict(Verdict::Accept),
    ];
    let listener = vec![
        kinds("icmpv6/multicast-listener", &[130, 131, 132, 143], output),
        Statement::Match {
            left: Expression::Field(Field::Ip6Saddr),
            relation: Relation::Eq,
            right: link_local(),
        },
        Statement::Verdict(Verdict::Accept),
    ];
    vec![
        built_in("neighbour-discovery", discovery),
        built_in("multicast-listener", listener),
    ]
}

/// `fe80::`
const LINK_LOCAL: u128 = 0xfe80 << 112;

/// `fe80::/10`
fn link_local() -> Operand {
    Operand::Prefix(LINK_LOCAL.to_be_bytes().into(), 10)
}

/// The chain of impossible sources, and the rule that visits it; none when no zone has networks.
///
/// A zone with networks may only send from them (in a family that it lists; link-local, unspecified and
/// DHCP's 0.0.0.0 always pass); a zone without may not send from the networks of another. Zones that are told by address
/// send from theirs on the same interfaces; by themselves they need no such rule: what is not theirs is nobody's.
fn anti_spoof(model: &Model, output: &mut Output) -> Option<Rule> {
    let mut rules = Vec::new();
    let taken = model
        .zones
        .values()
        .fold(Addresses::default(), |all, zone| all.union(&zone.networks))
        .subtract(&passing());
    for (name, zone) in &model.zones {
        if zone.by_address {
            continue;
        }
        let at = DocPath::root().key("zones").name(name).key("networks");
        let entry = Entry::new(format!("zone/{name}"), &at, model);
        let groups = by_others(zone, &zone.interfaces, model);
        for (number, (others, interfaces)) in (1..).zip(groups) {
            let word = numbered("interfaces", number);
            let interfaces = matches_any(&interfaces, Meta::Iifname, &word, &entry, output);
            let beside = Beside {
                zone: name,
                others,
                word: numbered("others", number),
            };
            for family in Family::BOTH {
                let Some(sources) =
                    impossible_sources(zone, family, &taken, &beside, &entry, output)
                else {
                    continue;
                };
                for interface in &interfaces {
                    let mut statements = vec![interface.clone()];
                    statements.extend(sources.clone());
                    statements.extend([Statement::Counter, Statement::Verdict(Verdict::Drop)]);
                    rules.push(entry.part("anti-spoof", statements));
                }
            }
        }
    }
    if rules.is_empty() {
        return None;
    }
    output.regular_chain("anti-spoof", rules);
    Some(built_in(
        "anti-spoof",
        vec![Statement::Verdict(Verdict::Jump("anti-spoof".to_owned()))],
    ))
}

/// The zones that are told by address beside a zone on some of its interfaces.
struct Beside<'a> {
    zone: &'a str,
    others: Vec<&'a String>,
    /// Ends the name of what is impossible there.
    word: String,
}

/// What passes behind every interface: link-local addresses, and none at all.
fn passing() -> Addresses {
    let v4 = Addresses::v4_range(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    let none = Addresses::v6_range(Ipv6Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    let link_local = Addresses::v6_range(
        Ipv6Addr::from(LINK_LOCAL),
        Ipv6Addr::from(LINK_LOCAL | u128::MAX >> 10),
    );
    [v4, none, link_local]
        .into_iter()
        .flatten()
        .fold(Addresses::default(), |all, one| all.union(&one))
}

fn impossible_sources(
    zone: &Zone,
    family: Family,
    taken: &Addresses,
    beside: &Beside<'_>,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Option<Vec<Statement>> {
    let Beside {
        zone: name,
        others,
        word,
    } = beside;
    let model = entry.model;
    let field = Expression::Field(End::Source.field(family));
    let (exact, ranges) = suffixes(family);
    if zone.networks.is_empty() {
        let here = others.iter().filter_map(|other| model.zones.get(*other));
        let here = here.fold(Addresses::default(), |all, other| {
            all.union(&other.networks)
        });
        let taken = spans(&taken.subtract(&here), family);
        if taken.is_empty() {
            return None;
        }
        // By itself, and not as those of all without those that are here: two sets do not change at once.
        let own = format!("{}.{word}", entry.name);
        let names = SetNames {
            stem: if others.is_empty() {
                "zone/others"
            } else {
                &own
            },
            exact,
            ranges,
        };
        let right = output.operand(&taken, names, address::address_type(family), &entry.origin);
        return Some(vec![Statement::Match {
            left: field,
            relation: Relation::Eq,
            right,
        }]);
    }
    let own = spans(&zone.networks, family);
    if own.is_empty() {
        return None;
    }
    let summed = stem(name, &own);
    let names = SetNames {
        stem: if others.is_empty() {
            &entry.name
        } else {
            &summed
        },
        exact,
        ranges,
    };
    let not = |right| Statement::Match {
        left: field.clone(),
        relation: Relation::Ne,
        right,
    };
    let mut statements = vec![not(output.operand(
        &own,
        names,
        address::address_type(family),
        &entry.origin,
    ))];
    statements.extend(
        others
            .iter()
            .filter_map(|other| is_of(other, End::Source, family, Relation::Ne, model, output)),
    );
    match family {
        Family::Ipv4 => statements.push(not(Operand::Value([0; 4].into()))),
        Family::Ipv6 => {
            statements.push(not(link_local()));
            statements.push(not(Operand::Value([0; 16].into())));
        }
    }
    Some(statements)
}
