//! Random sets and maps: a name tells what a set is, so that rules can name what is made later.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use rfw::ruleset::{
    Chain, DataType, Datum, Element, Elements, Expression, Field, Key, Meta, Nat, NatAddress,
    NatPort, Operand, Set, SetKind, SetSpec, Statement, Verdict,
};

/// The chains that jumps lead to.
pub(super) const LEAVES: [&str; 2] = ["leaf", "leaf/b.1"];

/// The types of a key's fields.
pub(super) fn types(key: &Expression) -> Vec<DataType> {
    match key {
        Expression::Concat(fields) => fields.iter().flat_map(types).collect(),
        Expression::Meta(Meta::Iifname | Meta::Oifname) => vec![DataType::Ifname],
        Expression::Meta(Meta::L4proto) => vec![DataType::InetProto],
        Expression::Field(field) | Expression::Masked(field, _) => vec![match field {
            Field::IpSaddr | Field::IpDaddr => DataType::Ipv4Addr,
            Field::Ip6Saddr | Field::Ip6Daddr => DataType::Ipv6Addr,
            Field::IcmpType => DataType::IcmpType,
            Field::Icmpv6Type => DataType::Icmpv6Type,
            _ => DataType::InetService,
        }],
        Expression::Numgen { .. } | Expression::Jhash { .. } => vec![DataType::Number],
        _ => panic!("no set has this key: {key:?}"),
    }
}

const TYPES: [(DataType, &str); 9] = [
    (DataType::Ipv4Addr, "v4"),
    (DataType::Ipv6Addr, "v6"),
    (DataType::InetService, "port"),
    (DataType::InetProto, "proto"),
    (DataType::Ifname, "if"),
    (DataType::Mark, "mark1"),
    (DataType::IcmpType, "icmp4"),
    (DataType::Icmpv6Type, "icmp6"),
    (DataType::Number, "n"),
];

/// A name that tells what the set is: `s-v4.port`.
pub(super) fn set_name(kind: &str, types: &[DataType]) -> String {
    let words: Vec<&str> = types
        .iter()
        .map(|data| TYPES.iter().find(|(known, _)| known == data).unwrap().1)
        .collect();
    format!("{kind}-{}", words.join("."))
}

/// The set that a name tells of.
fn spec_of(name: &str) -> SetSpec {
    let (kind, words) = name.split_once('-').unwrap();
    let key = words
        .split('.')
        .map(|word| TYPES.iter().find(|(_, known)| *known == word).unwrap().0)
        .collect();
    let set_kind = match kind {
        "s" | "i" | "d" | "c" => SetKind::Set,
        "v" => SetKind::VerdictMap,
        "m4" => SetKind::Map(DataType::Ipv4Addr),
        "m6" => SetKind::Map(DataType::Ipv6Addr),
        "mp" => SetKind::Map(DataType::InetService),
        _ => panic!("no such set: {name}"),
    };
    let mut spec = SetSpec::new(name, key, set_kind);
    spec.interval = kind == "i";
    spec.counter = kind == "v";
    if kind == "d" {
        spec.dynamic = true;
        spec.timeout = Some(61_000);
        spec.size = Some(65_535);
    }
    if kind == "c" {
        // Sets that count connections must not forget them.
        spec.dynamic = true;
        spec.size = Some(65_535);
    }
    if kind == "i" {
        spec.comment = Some("what it is".to_owned());
        spec.gc_interval = Some(604_800_000);
    }
    spec
}

pub(super) fn specs_of(chains: &[Chain]) -> BTreeMap<String, SetSpec> {
    let statements = chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .flat_map(|rule| &rule.statements);
    let mut names = Vec::new();
    for statement in statements {
        if let Statement::Redirect { port } | Statement::Nat(Nat { port, .. }) = statement
            && let Some(NatPort::Map(Expression::Map(_, name))) = port
        {
            names.push(name.clone());
        }
        match statement {
            Statement::Match {
                right: Operand::Set(name),
                ..
            }
            | Statement::VerdictMap { map: name, .. }
            | Statement::Meter { set: name, .. }
            | Statement::CountConnections { set: name, .. }
            | Statement::SetUpdate { set: name, .. }
            | Statement::Nat(Nat {
                address: NatAddress::Map(Expression::Map(_, name)),
                ..
            }) => names.push(name.clone()),
            _ => {}
        }
    }
    names
        .into_iter()
        .map(|name| (name.clone(), spec_of(&name)))
        .collect()
}

/// A set with some elements.
pub(super) fn filled(spec: SetSpec) -> BoxedStrategy<Set> {
    if spec.dynamic {
        return Just(Set {
            spec,
            elements: Elements::new(),
            origin: None,
        })
        .boxed();
    }
    let keys = match spec.key.as_slice() {
        [only] if spec.interval => disjoint(*only),
        fields if spec.interval => boxes(fields),
        fields => {
            let lo: Vec<_> = fields.iter().map(|data| value(*data)).collect();
            // A map that a rule translates by has something in it.
            let least = usize::from(fields.contains(&DataType::Number));
            btree_set(lo.prop_map(|fields| Key::exact(padded(&fields))), least..5)
                .prop_map(|keys| keys.into_iter().collect())
                .boxed()
        }
    };
    let names = select(vec![None, Some("p/r"), Some("a 'quoted' b")]);
    (keys, Just(spec))
        .prop_flat_map(move |(keys, spec)| {
            let datum: BoxedStrategy<Option<Datum>> = match &spec.kind {
                SetKind::Set => Just(None).boxed(),
                SetKind::Map(data) => value(*data).prop_map(|it| Some(Datum::Value(it))).boxed(),
                SetKind::VerdictMap => verdict().prop_map(|it| Some(Datum::Verdict(it))).boxed(),
            };
            let count = keys.len();
            (
                Just(keys),
                vec((datum, names.clone()), count..=count),
                Just(spec),
            )
        })
        .prop_map(|(keys, rest, spec)| Set {
            elements: keys
                .into_iter()
                .zip(rest)
                .map(|(key, (datum, name))| Element {
                    key,
                    datum,
                    name: name.map(str::to_owned),
                    count: None,
                })
                .collect(),
            spec,
            origin: None,
        })
        .boxed()
}

/// Ranges by several fields; what is in the first tells them apart.
fn boxes(fields: &[DataType]) -> BoxedStrategy<Vec<Key>> {
    let field = |data: DataType| {
        (value(data), value(data)).prop_map(move |(one, other)| match data {
            DataType::Ifname => (one.clone(), one),
            _ => (one.clone().min(other.clone()), one.max(other)),
        })
    };
    let rest: Vec<_> = fields[1..]
        .iter()
        .map(|data| field(*data).boxed())
        .collect();
    btree_map(value(fields[0]), rest, 0..5)
        .prop_map(|keys| {
            keys.into_iter()
                .map(|(first, rest)| {
                    let (mut lo, mut hi) = (vec![first.clone()], vec![first]);
                    for (low, high) in rest {
                        lo.push(low);
                        hi.push(high);
                    }
                    Key::range(padded(&lo), padded(&hi))
                })
                .collect()
        })
        .boxed()
}

fn padded(fields: &[Box<[u8]>]) -> Vec<u8> {
    if let [only] = fields {
        return only.to_vec();
    }
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(field);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// Ranges that do not touch.
fn disjoint(data: DataType) -> BoxedStrategy<Vec<Key>> {
    if data == DataType::Ifname {
        let names = vec!["eth0", "lan1", "wan"];
        return subsequence(names, 0..=3)
            .prop_map(|names| {
                let names = names.into_iter().map(|name| Key::exact(interface(name)));
                let (mut first, mut last) = ([0; 16], [u8::MAX; 16]);
                first[..2].copy_from_slice(b"wg");
                last[..2].copy_from_slice(b"wg");
                names.chain([Key::range(first, last)]).collect()
            })
            .boxed();
    }
    btree_set(value(data), 0..8)
        .prop_map(|bounds| {
            let bounds: Vec<_> = bounds.into_iter().collect();
            bounds
                .chunks(2)
                .map(|pair| Key::range(pair[0].clone(), pair[pair.len() - 1].clone()))
                .collect()
        })
        .boxed()
}

fn interface(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(16, 0);
    bytes
}

pub(super) fn value(data: DataType) -> BoxedStrategy<Box<[u8]>> {
    match data {
        DataType::Ifname => select(vec!["eth0", "lan", "wan.7", "a-b_c", "fifteen-letters"])
            .prop_map(|name| interface(name).into())
            .boxed(),
        DataType::Number => (0u32..9).prop_map(|it| it.to_ne_bytes().into()).boxed(),
        _ => vec(any::<u8>(), data.width())
            .prop_map(Vec::into_boxed_slice)
            .boxed(),
    }
}

/// A verdict; jumps lead to the leaves.
pub(super) fn verdict() -> BoxedStrategy<Verdict> {
    let leaf = || select(LEAVES.to_vec());
    prop_oneof![
        Just(Verdict::Accept),
        Just(Verdict::Drop),
        Just(Verdict::Continue),
        Just(Verdict::Return),
        leaf().prop_map(|leaf| Verdict::Jump(leaf.to_owned())),
        leaf().prop_map(|leaf| Verdict::Goto(leaf.to_owned())),
    ]
    .boxed()
}
