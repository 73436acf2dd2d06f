//! From statements to instructions: the dependencies nft(8) adds, and the registers. Matches and translations are in `relation`
//! and `translation`, both ways.
//!
//! The result is what nft 1.0.6 makes of the same rule in an `inet` table, instruction for instruction,
//! but for this:
//!
//! * nft joins matches on the source and on the destination port of one rule into one load of four bytes,
//!   even `!=` ones, which then mean something else; here they stay apart;
//! * a reset in a rule that has not established TCP gets the match where it stands; nft puts it first;
//! * before a lookup of `meta l4proto` among ranges of several fields nft turns one byte around, which does
//!   nothing.
//!
//! Keys in host order ([`DataType::is_host_order`]) other than names and times do not work in a set of ranges: the
//! kernel compares bytes, and nothing here turns them. A time is turned before it is looked up: there are no sets of
//! single times.
//!
//! [`DataType::is_host_order`]: crate::ruleset::DataType::is_host_order

use rustables::sys;

use super::layout;
use super::load::{FIRST, Linear};
use super::raw;
use super::{Instruction, LookupResult};
use crate::ruleset::{Count, Ct, Expression, FLOWTABLE, NatPort, Reject, Statement, Verdict};

/// The instructions of one rule.
pub fn instructions(statements: &[Statement]) -> Vec<Instruction> {
    let mut lines = Linear::default();
    // Enough for most rules: a match takes two instructions, and two more for what it depends on.
    lines.out.reserve(statements.len() * 2 + 4);
    for statement in statements {
        lines.statement(statement);
    }
    lines.out
}

impl Linear {
    /// Appends a statement.
    pub(super) fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Match {
                left,
                relation,
                right,
            } => self.relation(left, *relation, right),
            Statement::Counter => self.out.push(Instruction::Counter(Count::default())),
            Statement::Limit(limit) => self.out.push(Instruction::Limit(*limit)),
            Statement::NamedLimit(name) => self.object(sys::NFT_OBJECT_LIMIT, name),
            Statement::CtHelper(name) => self.object(sys::NFT_OBJECT_CT_HELPER, name),
            Statement::CtLabel(label) => {
                self.immediate(FIRST, &Ct::label_bits([*label]));
                self.out.push(Instruction::CtSet {
                    key: sys::NFT_CT_LABELS,
                    from: FIRST,
                });
            }
            Statement::Offload(name) => self.object(FLOWTABLE, name),
            Statement::Log(log) => self.out.push(Instruction::Log {
                prefix: log.prefix.clone(),
                group: log.group,
                level: log.group.is_none().then_some(LOG_WARNING),
            }),
            Statement::Reject(Reject::TcpReset) => {
                self.establish_protocol(layout::TCP);
                self.reject(sys::NFT_REJECT_TCP_RST, 0);
            }
            Statement::Reject(Reject::Icmpx(code)) => {
                self.reject(sys::NFT_REJECT_ICMPX_UNREACH, *code as u8);
            }
            Statement::Verdict(verdict) => self.verdict(verdict),
            Statement::VerdictMap { key, map } => {
                self.key(key);
                self.out.push(Instruction::Lookup {
                    set: map.clone(),
                    from: FIRST,
                    result: LookupResult::Verdict,
                });
            }
            Statement::Nat(nat) => self.nat(nat),
            Statement::Masquerade => self.out.push(Instruction::Masquerade {
                port: None,
                flags: 0,
            }),
            Statement::Redirect { port } => {
                if let Some(NatPort::Map(map)) = port {
                    self.require(map);
                }
                let port = port.as_ref().map(|port| self.nat_port(port, FIRST));
                self.out.push(Instruction::Redirect { port, flags: 0 });
            }
            Statement::Meter { set, key, limit } => {
                let state = vec![Instruction::Limit(*limit)];
                self.dynset(set, key, sys::NFT_DYNSET_OP_UPDATE, state);
            }
            Statement::CountConnections { set, key, most } => {
                let (count, flags) = (*most, 0);
                let state = vec![Instruction::Connlimit { count, flags }];
                self.dynset(set, key, sys::NFT_DYNSET_OP_ADD, state);
            }
            Statement::SetUpdate { set, key } => {
                self.dynset(set, key, sys::NFT_DYNSET_OP_UPDATE, Vec::new());
            }
            Statement::ClampMss => self.clamp_mss(),
            Statement::Raw(text) => self.out.push(raw::unread(text)),
        }
    }

    fn dynset(&mut self, set: &str, key: &Expression, op: u32, state: Vec<Instruction>) {
        self.key(key);
        self.out.push(Instruction::Dynset {
            set: set.to_owned(),
            op,
            key: FIRST,
            data: None,
            timeout: 0,
            inverted: false,
            state,
        });
    }

    /// `tcp option maxseg size set rt mtu`
    fn clamp_mss(&mut self) {
        self.out.push(Instruction::Rt {
            key: sys::NFT_RT_TCPMSS,
            to: FIRST,
        });
        self.hton(FIRST, 2);
        self.out.push(Instruction::ExthdrSet {
            from: FIRST,
            header: TCPOPT_MAXSEG,
            offset: 2,
            len: 2,
            op: sys::NFT_EXTHDR_OP_TCPOPT,
        });
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.out.push(Instruction::Verdict(verdict.clone()));
    }

    fn reject(&mut self, kind: u32, code: u8) {
        self.out.push(Instruction::Reject { kind, code });
    }

    fn object(&mut self, kind: u32, name: &str) {
        self.out.push(Instruction::Object {
            kind,
            name: name.to_owned(),
        });
    }
}

/// syslog(3) `LOG_WARNING`: what the kernel takes when a rule names no level.
pub(super) const LOG_WARNING: u32 = 4;
/// The kind of TCP option that carries the maximum segment size (RFC 9293, 3.2).
const TCPOPT_MAXSEG: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::Rule;
    use crate::ruleset::{
        Field, Limit, Meta, Nat, NatAddress, NatFlags, NatKind, Operand, Relation, Transport,
    };

    #[track_caller]
    fn check(statements: &[Statement], expect: &str) {
        let rule = Rule {
            name: None,
            instructions: instructions(statements),
            origin: None,
        };
        let expect: String = expect
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(rule.to_string(), expect);
    }

    fn equals(left: Expression, value: &[u8]) -> Statement {
        is(left, Operand::Value(value.into()))
    }

    fn is(left: Expression, right: Operand) -> Statement {
        Statement::Match {
            left,
            relation: Relation::Eq,
            right,
        }
    }

    const SADDR: Expression = Expression::Field(Field::IpSaddr);
    const DPORT: Expression = Expression::Field(Field::Dport(Transport::Tcp));

    #[test]
    fn establishes_each_dependency_once() {
        check(
            &[
                equals(DPORT, &[0, 80]),
                equals(SADDR, &[10, 0, 0, 1]),
                equals(DPORT, &[0, 81]),
                Statement::Verdict(Verdict::Accept),
            ],
            "
            [ meta load l4proto => reg 1 ]
            [ cmp eq reg 1 0x00000006 ]
            [ payload load 2b @ transport header + 2 => reg 1 ]
            [ cmp eq reg 1 0x00005000 ]
            [ meta load nfproto => reg 1 ]
            [ cmp eq reg 1 0x00000002 ]
            [ payload load 4b @ network header + 12 => reg 1 ]
            [ cmp eq reg 1 0x0100000a ]
            [ payload load 2b @ transport header + 2 => reg 1 ]
            [ cmp eq reg 1 0x00005100 ]
            [ immediate reg 0 accept ]
            ",
        );
    }

    #[test]
    fn an_explicit_protocol_is_a_dependency() {
        check(
            &[
                equals(Expression::Meta(Meta::L4proto), &[58]),
                equals(Expression::Field(Field::Icmpv6Type), &[135]),
            ],
            "
            [ meta load l4proto => reg 1 ]
            [ cmp eq reg 1 0x0000003a ]
            [ payload load 1b @ transport header + 0 => reg 1 ]
            [ cmp eq reg 1 0x00000087 ]
            ",
        );
    }

    #[test]
    fn prefixes_that_end_at_a_byte_are_shorter_loads() {
        check(
            &[
                is(SADDR, Operand::Prefix([10, 0, 0, 0].into(), 8)),
                is(SADDR, Operand::Prefix([10, 0, 5, 0].into(), 22)),
            ],
            "
            [ meta load nfproto => reg 1 ]
            [ cmp eq reg 1 0x00000002 ]
            [ payload load 1b @ network header + 12 => reg 1 ]
            [ cmp eq reg 1 0x0000000a ]
            [ payload load 4b @ network header + 12 => reg 1 ]
            [ bitwise reg 1 = ( reg 1 & 0x00fcffff ) ^ 0x00000000 ]
            [ cmp eq reg 1 0x0004000a ]
            ",
        );
    }

    #[test]
    fn fields_of_a_concatenation_follow_each_other() {
        check(
            &[Statement::VerdictMap {
                key: Expression::Concat(vec![
                    Expression::Masked(Field::Ip6Saddr, [255; 16].into()),
                    Expression::Meta(Meta::L4proto),
                    Expression::Field(Field::ThDport),
                ]),
                map: "m".into(),
            }],
            "
            [ meta load nfproto => reg 1 ]
            [ cmp eq reg 1 0x0000000a ]
            [ payload load 16b @ network header + 8 => reg 1 ]
            [ bitwise reg 1 = ( reg 1 & 0xffffffff 0xffffffff 0xffffffff 0xffffffff ) ^ 0x00000000 0x00000000 0x00000000 0x00000000 ]
            [ meta load l4proto => reg 2 ]
            [ payload load 2b @ transport header + 2 => reg 13 ]
            [ lookup reg 1 set m dreg 0 ]
            ",
        );
    }

    #[test]
    fn hash_map_and_nat() {
        check(
            &[Statement::Nat(Nat {
                kind: NatKind::Dnat,
                family: crate::ruleset::Family::Ipv4,
                address: NatAddress::Map(Expression::Map(
                    Box::new(Expression::Jhash {
                        field: Field::IpSaddr,
                        modulus: 3,
                        seed: 0x1234,
                    }),
                    "backends".into(),
                )),
                port: Some(NatPort::Value(8443)),
                flags: NatFlags::default(),
            })],
            "
            [ meta load nfproto => reg 1 ]
            [ cmp eq reg 1 0x00000002 ]
            [ payload load 4b @ network header + 12 => reg 2 ]
            [ hash reg 1 = jhash(reg 2, 4, 0x1234) % mod 3 ]
            [ lookup reg 1 set backends dreg 1 ]
            [ immediate reg 2 0x0000fb20 ]
            [ nat dnat ip addr_min reg 1 proto_min reg 2 flags 0x2 ]
            ",
        );
    }

    #[test]
    fn ranges_of_host_numbers_are_turned() {
        check(
            &[is(
                Expression::Meta(Meta::Iif),
                Operand::Range(1u32.to_ne_bytes().into(), 3u32.to_ne_bytes().into()),
            )],
            "
            [ meta load iif => reg 1 ]
            [ byteorder reg 1 = hton(reg 1, 4, 4) ]
            [ cmp gte reg 1 0x01000000 ]
            [ cmp lte reg 1 0x03000000 ]
            ",
        );
    }

    #[test]
    fn bits_meters_and_mss() {
        let limit = Limit {
            rate: 10,
            unit: 60,
            burst: 5,
        };
        check(
            &[
                is(
                    Expression::Ct(Ct::State),
                    Operand::AnyBit(6u32.to_ne_bytes().into()),
                ),
                Statement::Meter {
                    set: "s".into(),
                    key: SADDR,
                    limit,
                },
                Statement::SetUpdate {
                    set: "d".into(),
                    key: SADDR,
                },
                Statement::ClampMss,
            ],
            "
            [ ct load state => reg 1 ]
            [ bitwise reg 1 = ( reg 1 & 0x00000006 ) ^ 0x00000000 ]
            [ cmp neq reg 1 0x00000000 ]
            [ meta load nfproto => reg 1 ]
            [ cmp eq reg 1 0x00000002 ]
            [ payload load 4b @ network header + 12 => reg 1 ]
            [ dynset update reg_key 1 set s expr [ limit rate 10/minute burst 5 type packets flags 0x0 ] ]
            [ payload load 4b @ network header + 12 => reg 1 ]
            [ dynset update reg_key 1 set d ]
            [ rt load tcpmss => reg 1 ]
            [ byteorder reg 1 = hton(reg 1, 2, 2) ]
            [ exthdr write tcpopt reg 1 => 2b @ 2 + 2 ]
            ",
        );
    }

    #[test]
    fn handing_a_connection_over() {
        check(
            &[Statement::Counter, Statement::Offload("ft".into())],
            "
            [ counter pkts 0 bytes 0 ]
            [ flow_offload flowtable ft ]
            ",
        );
    }
}
