//! A ruleset with something of everything that rfw makes, small enough to read.

use rfw::ruleset::{
    Base, Chain, ChainPolicy, ChainType, Ct, DataType, Datum, Element, Expression, Family, Field,
    Hook, Icmpx, Key, Limit, Log, Meta, Nat, NatAddress, NatFlags, NatKind, NatPort, NumgenMode,
    Object, ObjectKind, Operand, Reject, Relation, Rule, Ruleset, Set, SetKind, SetSpec, Statement,
    Transport, Verdict,
};

/// A ruleset with something of everything that rfw makes, as a person would write it.
pub(super) fn office() -> Ruleset {
    let rule = |name: Option<&str>, statements: Vec<Statement>| Rule {
        name: name.map(str::to_owned),
        statements,
        origin: None,
    };
    let is = |left, right| Statement::Match {
        left,
        relation: Relation::Eq,
        right,
    };
    let name = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(16, 0);
        bytes
    };
    let element = |key: Key, datum, name: Option<&str>| Element {
        key,
        datum,
        name: name.map(str::to_owned),
        count: None,
    };
    let set = |spec, elements: Vec<Element>| Set {
        spec,
        elements: elements.into(),
        origin: None,
    };
    let goto = |chain: &str| Some(Datum::Verdict(Verdict::Goto(chain.to_owned())));
    let accept = || Statement::Verdict(Verdict::Accept);
    let limit = Limit {
        rate: 10,
        unit: 60,
        burst: 7,
    };
    let mut interval = SetSpec::new("group/admins.net4", vec![DataType::Ipv4Addr], SetKind::Set);
    interval.interval = true;
    interval.comment = Some("group admins".to_owned());
    let mut block = SetSpec::new(
        "lan/dmz.s24.port",
        vec![
            DataType::Ipv4Addr,
            DataType::InetProto,
            DataType::InetService,
        ],
        SetKind::VerdictMap,
    );
    block.counter = true;
    let mut meter = SetSpec::new("wan/ssh.meter6", vec![DataType::Ipv6Addr], SetKind::Set);
    meter.dynamic = true;
    meter.timeout = Some(90_000);
    meter.size = Some(65_535);
    let pairs = SetSpec::new(
        "forward-pairs",
        vec![DataType::Ifname, DataType::Ifname],
        SetKind::VerdictMap,
    );
    let backends = SetSpec::new(
        "nat/web.backends",
        vec![DataType::Number],
        SetKind::Map(DataType::Ipv4Addr),
    );
    let web = Key::exact([10, 1, 2, 0, 6, 0, 0, 0, 0, 80, 0, 0]);
    let saddr = Expression::Field(Field::IpSaddr);
    let dport = || Expression::Field(Field::Dport(Transport::Tcp));
    let mut prefix64 = [0; 16];
    prefix64[..8].fill(255);
    let base = |kind, hook, priority, policy| {
        Some(Base {
            kind,
            hook,
            priority,
            policy,
        })
    };
    let object = |name: &str, kind| Object {
        name: name.to_owned(),
        kind,
        origin: None,
    };
    Ruleset {
        objects: vec![
            object("wan/ping.limit", ObjectKind::Limit(limit)),
            object(
                "helper/ftp-tcp",
                ObjectKind::CtHelper {
                    helper: "ftp".to_owned(),
                    protocol: 6,
                },
            ),
        ],
        sets: vec![
            set(
                interval,
                vec![
                    element(Key::range([10, 0, 0, 0], [10, 0, 0, 255]), None, Some("hq")),
                    element(Key::range([10, 0, 1, 1], [10, 0, 1, 5]), None, None),
                ],
            ),
            set(
                block,
                vec![element(
                    web,
                    Some(Datum::Verdict(Verdict::Accept)),
                    Some("lan/dmz-web"),
                )],
            ),
            set(meter, vec![]),
            set(
                pairs,
                vec![element(
                    Key::exact([name("eth0"), name("wan.7")].concat()),
                    goto("pair/lan/wan"),
                    None,
                )],
            ),
            set(
                backends,
                vec![
                    element(
                        Key::exact(0u32.to_ne_bytes()),
                        Some(Datum::Value([10, 0, 0, 1].into())),
                        None,
                    ),
                    element(
                        Key::exact(1u32.to_ne_bytes()),
                        Some(Datum::Value([10, 0, 0, 2].into())),
                        None,
                    ),
                ],
            ),
        ],
        chains: vec![
            Chain {
                name: "pair/lan/wan".to_owned(),
                base: None,
                rules: vec![
                    rule(
                        Some("lan/web"),
                        vec![Statement::VerdictMap {
                            key: Expression::Concat(vec![
                                Expression::Masked(Field::IpSaddr, [255, 255, 255, 0].into()),
                                Expression::Meta(Meta::L4proto),
                                Expression::Field(Field::ThDport),
                            ]),
                            map: "lan/dmz.s24.port".to_owned(),
                        }],
                    ),
                    rule(
                        Some("lan/ssh"),
                        vec![
                            is(dport(), Operand::Value([0, 22].into())),
                            Statement::Meter {
                                set: "wan/ssh.meter6".to_owned(),
                                key: Expression::Masked(Field::Ip6Saddr, prefix64.into()),
                                limit,
                            },
                            Statement::Counter,
                            accept(),
                        ],
                    ),
                    rule(
                        None,
                        vec![
                            is(saddr, Operand::Set("group/admins.net4".to_owned())),
                            is(dport(), Operand::Value([0, 21].into())),
                            Statement::CtHelper("helper/ftp-tcp".to_owned()),
                            accept(),
                        ],
                    ),
                    rule(
                        Some("lan/reject"),
                        vec![
                            Statement::Limit(limit),
                            Statement::Log(Log {
                                prefix: "lan-wan: ".to_owned(),
                                group: Some(3),
                            }),
                        ],
                    ),
                    rule(
                        None,
                        vec![Statement::Reject(Reject::Icmpx(Icmpx::AdminProhibited))],
                    ),
                ],
            },
            Chain {
                name: "forward".to_owned(),
                base: base(ChainType::Filter, Hook::Forward, -10, ChainPolicy::Drop),
                rules: vec![
                    rule(
                        None,
                        vec![
                            is(
                                Expression::Ct(Ct::State),
                                Operand::AnyBit(6u32.to_ne_bytes().into()),
                            ),
                            accept(),
                        ],
                    ),
                    rule(
                        None,
                        vec![
                            is(
                                Expression::Field(Field::TcpFlags),
                                Operand::Bits {
                                    mask: [6].into(),
                                    value: [2].into(),
                                },
                            ),
                            Statement::ClampMss,
                        ],
                    ),
                    rule(
                        None,
                        vec![Statement::VerdictMap {
                            key: Expression::Concat(vec![
                                Expression::Meta(Meta::Iifname),
                                Expression::Meta(Meta::Oifname),
                            ]),
                            map: "forward-pairs".to_owned(),
                        }],
                    ),
                ],
            },
            Chain {
                name: "prerouting".to_owned(),
                base: base(ChainType::Nat, Hook::Prerouting, -110, ChainPolicy::Accept),
                rules: vec![rule(
                    Some("nat/web"),
                    vec![
                        is(dport(), Operand::Value([1, 187].into())),
                        Statement::Nat(Nat {
                            kind: NatKind::Dnat,
                            family: Family::Ipv4,
                            address: NatAddress::Map(Expression::Map(
                                Box::new(Expression::Numgen {
                                    mode: NumgenMode::Inc,
                                    modulus: 2,
                                }),
                                "nat/web.backends".to_owned(),
                            )),
                            port: Some(NatPort::Value(8443)),
                            flags: NatFlags::default(),
                        }),
                    ],
                )],
            },
        ],
    }
}
