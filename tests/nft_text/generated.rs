//! Random rulesets that nft can express: every kind of statement, operand, set and object.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rfw::ruleset::{
    Base, Chain, ChainPolicy, ChainType, Ct, DataType, Expression, Family, Field, Hook, Icmpx,
    Limit, Log, Meta, Nat, NatAddress, NatFlags, NatKind, NatPort, NumgenMode, Object, ObjectKind,
    Operand, Reject, Relation, Rule, Ruleset, Set, Statement, Transport,
};

use super::sets::{LEAVES, filled, set_name, specs_of, types, value, verdict};

/// What the matches of one rule may be about, so that they do not contradict each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    family: Option<Family>,
    protocol: Option<u8>,
}

/// A ruleset with a few rules of each chain type, and every set and object that they name.
pub(super) fn rulesets() -> BoxedStrategy<Ruleset> {
    let chain = |place: Place| vec(rule(place), 0..4);
    (
        chain(Place::Filter),
        chain(Place::Prerouting),
        chain(Place::Postrouting),
        chain(Place::Regular),
    )
        .prop_flat_map(|(filter, prerouting, postrouting, regular)| {
            let mut chains = vec![
                base("forward", ChainType::Filter, Hook::Forward, -10, filter),
                base("pre", ChainType::Nat, Hook::Prerouting, -110, prerouting),
                base("post", ChainType::Nat, Hook::Postrouting, 90, postrouting),
            ];
            chains.extend(LEAVES.map(|name| Chain {
                name: name.to_owned(),
                base: None,
                rules: Vec::new(),
            }));
            chains.push(Chain {
                name: "pair/lan/wan".to_owned(),
                base: None,
                rules: regular,
            });
            let specs = specs_of(&chains);
            let sets: Vec<BoxedStrategy<Set>> = specs.into_values().map(filled).collect();
            (sets, Just(chains))
        })
        .prop_map(|(sets, chains)| Ruleset {
            sets,
            objects: objects(),
            chains,
        })
        .boxed()
}

/// The statements of one rule, for any chain of the filter type.
pub(super) fn statements() -> BoxedStrategy<Vec<Statement>> {
    rule(Place::Filter).prop_map(|rule| rule.statements).boxed()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Filter,
    Prerouting,
    Postrouting,
    Regular,
}

fn base(name: &str, kind: ChainType, hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
    Chain {
        name: name.to_owned(),
        base: Some(Base {
            kind,
            hook,
            priority,
            policy: match kind {
                ChainType::Filter => ChainPolicy::Drop,
                _ => ChainPolicy::Accept,
            },
        }),
        rules,
    }
}

fn objects() -> Vec<Object> {
    let object = |name: &str, kind| Object {
        name: name.to_owned(),
        kind,
        origin: None,
    };
    vec![
        object(
            "wan/ping.limit",
            ObjectKind::Limit(Limit {
                rate: 5,
                unit: 1,
                burst: 7,
            }),
        ),
        object(
            "helper/ftp-tcp",
            ObjectKind::CtHelper {
                helper: "ftp".to_owned(),
                protocol: 6,
            },
        ),
    ]
}

fn rule(place: Place) -> BoxedStrategy<Rule> {
    let about = (
        select(vec![None, Some(Family::Ipv4), Some(Family::Ipv6)]),
        select(vec![
            None,
            Some(6),
            Some(17),
            Some(33),
            Some(132),
            Some(136),
            Some(1),
            Some(58),
        ]),
    )
        .prop_map(|(family, protocol)| About {
            family: match protocol {
                Some(1) => Some(Family::Ipv4),
                Some(58) => Some(Family::Ipv6),
                _ => family,
            },
            protocol,
        });
    let names = vec!["lan-to-wan/web", "nat/a b", "it's #1; { } $x \\", "ümlaut"];
    (about, option::of(select(names)))
        .prop_flat_map(move |(about, name)| {
            (
                vec(relation(about, place), 0..4),
                vec(action(about, place), 0..3),
                end(about, place),
            )
                .prop_map(move |(matches, actions, end)| Rule {
                    name: name.map(str::to_owned),
                    statements: matches.into_iter().chain(actions).chain(end).collect(),
                    origin: None,
                })
        })
        .prop_filter("an empty rule is none", |rule| !rule.statements.is_empty())
        .boxed()
}

/// A match.
fn relation(about: About, place: Place) -> BoxedStrategy<Statement> {
    let relation = select(vec![Relation::Eq, Relation::Ne]);
    (comparison(about, place), relation)
        .prop_map(|((left, right), relation)| Statement::Match {
            left,
            relation,
            right,
        })
        .boxed()
}

fn comparison(about: About, place: Place) -> BoxedStrategy<(Expression, Operand)> {
    let mut kinds: Vec<BoxedStrategy<(Expression, Operand)>> = vec![
        set_member(about),
        pair(
            select(vec![Meta::Iifname, Meta::Oifname]).prop_map(Expression::Meta),
            prop_oneof![
                value(DataType::Ifname).prop_map(Operand::Value),
                select(vec!["wg", "e", "tun-1."])
                    .prop_map(|start| Operand::StartsWith(start.as_bytes().into())),
            ],
        ),
        pair(
            select(vec![Meta::Iif, Meta::Oif]).prop_map(Expression::Meta),
            host_number(),
        ),
        pair(
            Just(Expression::Meta(Meta::L4proto)),
            prop_oneof![
                range(DataType::InetProto),
                Just(Operand::Value([about.protocol.unwrap_or(6)].into())),
            ],
        ),
        pair(
            Just(Expression::Ct(Ct::State)),
            bits(&[1, 2, 4, 8, 64], |bits| bits.to_ne_bytes().into()),
        ),
        pair(
            Just(Expression::Ct(Ct::Status)),
            bits(&[1, 2, 4, 16, 32], |bits| bits.to_ne_bytes().into()),
        ),
        pair(
            Just(Expression::Ct(Ct::Label)),
            subsequence((0u8..128).collect::<Vec<_>>(), 1..4)
                .prop_map(|labels| Operand::AnyBit(Ct::label_bits(labels))),
        ),
        pair(
            Just(Expression::Meta(Meta::Time)),
            (1_767_225_600u64..2_240_611_200, 1u64..90_000).prop_map(|(start, seconds)| {
                let moment = |second: u64| (second * 1_000_000_000).to_ne_bytes().into();
                Operand::Range(moment(start), moment(start + seconds))
            }),
        ),
        pair(
            // No chain behind the routing decision may ask by interface.
            any::<bool>().prop_map(move |iif| Expression::FibDaddrType {
                iif: iif && place != Place::Postrouting,
            }),
            (0u32..9).prop_map(|kind| Operand::Value(kind.to_ne_bytes().into())),
        ),
        pair(number(about), host_number()),
    ];
    if let Some(family) = about.family {
        kinds.push(address(family));
        kinds.push(masked(family));
    }
    if about.family == Some(Family::Ipv6) {
        let hoplimit = Expression::Field(Field::Ip6Hoplimit);
        kinds.push(pair(
            Just(hoplimit),
            prop_oneof![range(DataType::InetProto), exact(DataType::InetProto)],
        ));
    }
    match about.protocol.map(|number| (number, transport(number))) {
        None => kinds.push(pair(
            Just(Expression::Field(Field::ThDport)),
            prop_oneof![exact(DataType::InetService), range(DataType::InetService)],
        )),
        Some((number, None)) => {
            let (field, data) = match number {
                1 => (Field::IcmpType, DataType::IcmpType),
                _ => (Field::Icmpv6Type, DataType::Icmpv6Type),
            };
            kinds.push(pair(
                Just(Expression::Field(field)),
                prop_oneof![exact(data), range(data)],
            ));
        }
        Some((number, Some(transport))) => {
            kinds.push(pair(
                Just(Expression::Field(Field::Dport(transport))),
                prop_oneof![exact(DataType::InetService), range(DataType::InetService)],
            ));
            // Never one source port: nft joins it with a match on the destination port, and wrongly when both are `!=`.
            kinds.push(pair(
                Just(Expression::Field(Field::Sport(transport))),
                range(DataType::InetService),
            ));
            if number == 6 {
                kinds.push(pair(
                    Just(Expression::Field(Field::TcpFlags)),
                    bits(&[1, 2, 4, 8, 16, 32, 64, 128], |bits| [bits as u8].into()),
                ));
            }
        }
    }
    proptest::strategy::Union::new(kinds).boxed()
}

fn pair(
    left: impl Strategy<Value = Expression> + 'static,
    right: impl Strategy<Value = Operand> + 'static,
) -> BoxedStrategy<(Expression, Operand)> {
    (left, right).boxed()
}

fn transport(number: u8) -> Option<Transport> {
    Transport::ALL
        .into_iter()
        .find(|transport| transport.number() == number)
}

fn host_number() -> BoxedStrategy<Operand> {
    (1u32..500, 0u32..500, any::<bool>())
        .prop_map(|(lo, more, one)| {
            let bytes = |number: u32| number.to_ne_bytes().into();
            if one {
                Operand::Value(bytes(lo))
            } else {
                Operand::Range(bytes(lo), bytes(lo + more))
            }
        })
        .boxed()
}

/// `numgen`, or `jhash` where the rule is about a family.
fn number(about: About) -> BoxedStrategy<Expression> {
    let mode = select(vec![NumgenMode::Inc, NumgenMode::Random]);
    let numgen =
        (mode, 1_000u32..9_999).prop_map(|(mode, modulus)| Expression::Numgen { mode, modulus });
    match about.family {
        None => numgen.boxed(),
        Some(family) => {
            let jhash = (select(addresses(family)), 1_000u32..9_999, any::<u32>()).prop_map(
                |(field, modulus, seed)| Expression::Jhash {
                    field,
                    modulus,
                    seed,
                },
            );
            prop_oneof![numgen, jhash].boxed()
        }
    }
}

fn addresses(family: Family) -> Vec<Field> {
    match family {
        Family::Ipv4 => vec![Field::IpSaddr, Field::IpDaddr],
        Family::Ipv6 => vec![Field::Ip6Saddr, Field::Ip6Daddr],
    }
}

fn address_type(family: Family) -> DataType {
    match family {
        Family::Ipv4 => DataType::Ipv4Addr,
        Family::Ipv6 => DataType::Ipv6Addr,
    }
}

fn address(family: Family) -> BoxedStrategy<(Expression, Operand)> {
    let data = address_type(family);
    let longest = data.width() as u8 * 8;
    let prefix = (value(data), 0..longest)
        .prop_map(move |(address, bits)| Operand::Prefix(masked_to(&address, bits), bits));
    pair(
        select(addresses(family)).prop_map(Expression::Field),
        prop_oneof![exact(data), range(data), prefix],
    )
}

/// The first bits of an address, and zeros.
fn masked_to(address: &[u8], bits: u8) -> Box<[u8]> {
    let mask = |(at, byte): (usize, &u8)| {
        let ones = usize::from(bits).saturating_sub(at * 8).min(8);
        byte & !(0xffu16 >> ones) as u8
    };
    address.iter().enumerate().map(mask).collect()
}

/// A mask that is no prefix: nft shows another as one.
fn masked(family: Family) -> BoxedStrategy<(Expression, Operand)> {
    let data = address_type(family);
    let mask = move |last: u8| {
        let mut mask = vec![0; data.width()];
        mask[data.width() - 1] = last;
        mask.into_boxed_slice()
    };
    (select(addresses(family)), 1u8..=255, 1u8..=255)
        .prop_map(move |(field, bits, value)| {
            let left = Expression::Masked(field, mask(bits));
            (left, Operand::Value(mask(value & bits)))
        })
        .boxed()
}

/// A member of a named set, by one field or several.
fn set_member(about: About) -> BoxedStrategy<(Expression, Operand)> {
    (key(about), any::<bool>())
        .prop_map(|(key, interval)| {
            let prefix = if interval { "i" } else { "s" };
            let name = set_name(prefix, &types(&key));
            (key, Operand::Set(name))
        })
        .boxed()
}

/// What a set is asked for: one to four fields.
fn key(about: About) -> BoxedStrategy<Expression> {
    let mut fields = vec![
        Expression::Meta(Meta::Iifname),
        Expression::Meta(Meta::Oifname),
        Expression::Meta(Meta::L4proto),
    ];
    match about.family {
        None => {}
        Some(Family::Ipv4) => {
            fields.push(Expression::Field(Field::IpSaddr));
            fields.push(Expression::Masked(
                Field::IpDaddr,
                [255, 255, 240, 0].into(),
            ));
        }
        Some(Family::Ipv6) => {
            let mut mask = [0; 16];
            mask[..8].fill(255);
            fields.push(Expression::Masked(Field::Ip6Saddr, mask.into()));
            fields.push(Expression::Field(Field::Ip6Daddr));
        }
    }
    fields.push(Expression::Field(match about.protocol {
        None => Field::ThDport,
        Some(1) => Field::IcmpType,
        Some(58) => Field::Icmpv6Type,
        Some(number) => transport(number).map_or(Field::ThDport, Field::Dport),
    }));
    // The kernel's registers hold 64 bytes.
    let wide = |fields: &Vec<Expression>| {
        types(&Expression::Concat(fields.clone()))
            .iter()
            .map(|data| data.width().next_multiple_of(4))
            .sum::<usize>()
    };
    subsequence(fields, 1..=4)
        .prop_shuffle()
        .prop_filter("it fits the registers", move |fields| wide(fields) <= 64)
        .prop_map(|mut fields| match fields.len() {
            1 => fields.remove(0),
            _ => Expression::Concat(fields),
        })
        .boxed()
}

fn has_mask(key: &Expression) -> bool {
    match key {
        Expression::Concat(fields) => fields.iter().any(has_mask),
        _ => matches!(key, Expression::Masked(..)),
    }
}

fn exact(data: DataType) -> BoxedStrategy<Operand> {
    value(data).prop_map(Operand::Value).boxed()
}

fn range(data: DataType) -> BoxedStrategy<Operand> {
    (value(data), value(data))
        .prop_map(|(one, other)| match one <= other {
            true => Operand::Range(one, other),
            false => Operand::Range(other, one),
        })
        .boxed()
}

/// Tests of bits that have names.
fn bits(known: &[u32], bytes: fn(u32) -> Box<[u8]>) -> BoxedStrategy<Operand> {
    let some = |known: &[u32]| {
        subsequence(known.to_vec(), 1..=known.len())
            .prop_map(|bits| bits.into_iter().fold(0, |sum, bit| sum | bit))
    };
    prop_oneof![
        some(known).prop_map(move |it| Operand::AnyBit(bytes(it))),
        some(known).prop_map(move |it| Operand::Value(bytes(it))),
        (some(known), some(known))
            .prop_filter("no bits is another test", |(mask, value)| mask & value != 0)
            .prop_map(move |(mask, value)| Operand::Bits {
                mask: bytes(mask),
                value: bytes(value & mask),
            }),
    ]
    .boxed()
}

fn limit() -> BoxedStrategy<Limit> {
    let unit = select(vec![1, 60, 3_600, 86_400, 604_800]);
    (1u64..1000, unit, 1u32..20)
        .prop_map(|(rate, unit, burst)| Limit { rate, unit, burst })
        .boxed()
}

/// Something that does not decide.
fn action(about: About, place: Place) -> BoxedStrategy<Statement> {
    let prefix = select(vec!["", "wan-in: ", "a b {c};"]);
    let log = (prefix, option::of(0u16..9)).prop_map(|(prefix, group)| {
        Statement::Log(Log {
            prefix: prefix.to_owned(),
            group,
        })
    });
    let meter = (key(about), limit()).prop_map(|(key, limit)| Statement::Meter {
        set: set_name("d", &types(&key)),
        key,
        limit,
    });
    let connections = (key(about), 0u32..9_999).prop_map(|(key, most)| {
        let set = set_name("c", &types(&key));
        Statement::CountConnections { set, key, most }
    });
    let update = key(about).prop_map(|key| Statement::SetUpdate {
        set: set_name("d", &types(&key)),
        key,
    });
    let mut kinds = vec![
        connections.boxed(),
        update.boxed(),
        Just(Statement::Counter).boxed(),
        (0u8..128).prop_map(Statement::CtLabel).boxed(),
        limit().prop_map(Statement::Limit).boxed(),
        Just(Statement::NamedLimit("wan/ping.limit".to_owned())).boxed(),
        log.boxed(),
        meter.boxed(),
    ];
    if matches!(place, Place::Filter | Place::Postrouting)
        && about.protocol.is_none_or(|number| number == 6)
    {
        kinds.push(Just(Statement::ClampMss).boxed());
    }
    if place == Place::Filter && about.protocol == Some(6) {
        kinds.push(Just(Statement::CtHelper("helper/ftp-tcp".to_owned())).boxed());
    }
    proptest::strategy::Union::new(kinds).boxed()
}

/// The end of a rule.
fn end(about: About, place: Place) -> BoxedStrategy<Vec<Statement>> {
    let decide = verdict().prop_map(|it| vec![Statement::Verdict(it)]);
    let map = key(about).prop_map(|key| {
        let map = set_name("v", &types(&key));
        vec![Statement::VerdictMap { key, map }]
    });
    let plain = prop_oneof![Just(Vec::new()), decide, map];
    match place {
        Place::Regular => plain.boxed(),
        Place::Filter => {
            let mut answers: Vec<Reject> = Icmpx::ALL.map(Reject::Icmpx).into();
            if about.protocol.is_none_or(|number| number == 6) {
                answers.push(Reject::TcpReset);
            }
            let reject = select(answers).prop_map(|it| match it {
                Reject::TcpReset => vec![protocol(6), Statement::Reject(it)],
                Reject::Icmpx(_) => vec![Statement::Reject(it)],
            });
            prop_oneof![plain, reject].boxed()
        }
        Place::Prerouting => {
            let redirect = new_port(about)
                .prop_map(move |port| translated(about, port, |port| Statement::Redirect { port }));
            prop_oneof![plain, nat(about, NatKind::Dnat), redirect].boxed()
        }
        Place::Postrouting => {
            let masquerade = Just(vec![Statement::Masquerade]);
            prop_oneof![plain, nat(about, NatKind::Snat), masquerade].boxed()
        }
    }
}

fn protocol(number: u8) -> Statement {
    Statement::Match {
        left: Expression::Meta(Meta::L4proto),
        relation: Relation::Eq,
        right: Operand::Value([number].into()),
    }
}

/// A new port, which can only be given where the rule names a protocol that has ports.
fn new_port(about: About) -> BoxedStrategy<Option<NatPort>> {
    let Some(transport) = about.protocol.and_then(transport) else {
        return Just(None).boxed();
    };
    let key = Expression::Field(Field::Dport(transport));
    let map = Expression::Map(Box::new(key), set_name("mp", &[DataType::InetService]));
    let range = (1u16..40_000, 1u16..20_000).prop_map(|(lo, more)| NatPort::Range(lo, lo + more));
    let port = prop_oneof![
        any::<u16>().prop_map(NatPort::Value),
        range,
        Just(NatPort::Map(map)),
    ];
    option::of(port).boxed()
}

/// A translation, after the protocol that its port needs.
fn translated(
    about: About,
    port: Option<NatPort>,
    end: impl Fn(Option<NatPort>) -> Statement,
) -> Vec<Statement> {
    match (about.protocol, port) {
        (Some(number), Some(port)) => vec![protocol(number), end(Some(port))],
        _ => vec![end(None)],
    }
}

fn nat(about: About, kind: NatKind) -> BoxedStrategy<Vec<Statement>> {
    let family = match about.family {
        Some(family) => vec![family],
        None => Family::BOTH.to_vec(),
    };
    let flags = (any::<bool>(), any::<bool>()).prop_map(|(fully_random, persistent)| NatFlags {
        fully_random,
        persistent,
    });
    (select(family), new_port(about), flags)
        .prop_flat_map(move |(family, port, flags)| {
            let map = if family == Family::Ipv4 { "m4" } else { "m6" };
            // nft's grammar has no masks here.
            let plain = key(about).prop_filter("no masked field", |key| !has_mask(key));
            let mapped = prop_oneof![number(about), plain].prop_map(move |key| {
                let name = set_name(map, &types(&key));
                NatAddress::Map(Expression::Map(Box::new(key), name))
            });
            let data = address_type(family);
            let fixed = value(data).prop_map(NatAddress::Value);
            let pool = (value(data), value(data))
                .prop_filter("two addresses", |(one, other)| one != other)
                .prop_map(|(one, other)| {
                    let (lo, hi) = (one.clone().min(other.clone()), one.max(other));
                    NatAddress::Range(lo, hi)
                });
            let network = (value(data), 1..data.width() as u8 * 8)
                .prop_map(|(address, bits)| NatAddress::Prefix(masked_to(&address, bits), bits));
            prop_oneof![fixed, pool, network, mapped].prop_map(move |address| {
                // A network takes neither.
                let (port, flags) = match address {
                    NatAddress::Prefix(..) => (None, NatFlags::default()),
                    _ => (port.clone(), flags),
                };
                translated(about, port, |port| {
                    Statement::Nat(Nat {
                        kind,
                        family,
                        address: address.clone(),
                        port,
                        flags,
                    })
                })
            })
        })
        .boxed()
}
