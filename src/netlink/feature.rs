//! What the kernel can do, asked by dry runs: batches without an end, which the kernel checks and throws away.
//!
//! One batch asks for all that a rule can hold: each refused rule is answered by itself. In a table of another family's
//! name nothing could be asked that is as sure, so it is rfw's own table, in which nothing is committed.

use std::io;

use nix::libc;

use super::Netlink;
use super::attribute::Writer;
use super::batch;
use super::constants::sys;
use crate::bytecode::{Instruction, Register, Rule};
use crate::health::{Feature, FeatureAnswer};
use crate::kernel::{CommitError, Kernel};
use crate::plan::{Operation, Place};
use crate::ruleset::{Count, DataType, Limit, Object, ObjectKind, SetKind, SetSpec};

/// Neither a policy nor a person makes such names.
const CHAIN: &str = "\u{1}probe";
const SET: &str = "\u{1}probe/set";
const COUNTS: &str = "\u{1}probe/counts";
const BOUNDS: &str = "\u{1}probe/bounds";
/// How many sets there are of these.
const SETS: usize = 3;

/// One flag of `NFT_TABLE_F_*` (linux/netfilter/nf_tables.h).
const OWNER: u32 = 2;
/// See [`OWNER`]; only together with it.
const PERSIST: u32 = 4;

impl Netlink {
    /// Which features the kernel has. Nothing is changed.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn features(&mut self) -> Result<Vec<FeatureAnswer>, CommitError> {
        let mut operations = vec![
            Operation::AddTable { mark: [0; 16] },
            Operation::AddChain {
                name: CHAIN.to_owned(),
                base: None,
            },
            Operation::AddSet {
                spec: dynamic_set(SET),
                origin: None,
            },
            Operation::AddSet {
                spec: dynamic_set(COUNTS),
                origin: None,
            },
            Operation::AddSet {
                spec: bounded_set(1),
                origin: None,
            },
        ];
        // Refused sets are answers; without the table or the chain nothing was asked.
        let ground = operations.len() - SETS;
        let mut asked = Vec::new();
        for feature in Feature::ALL {
            if let Some(operation) = probe(feature) {
                asked.push((feature, operations.len()));
                operations.push(operation);
            }
        }
        let refusals = match self.check(&operations) {
            Ok(()) => Vec::new(),
            Err(CommitError::Refused { refusals }) => refusals,
            Err(error) => return Err(error),
        };
        let is_ground = |place: Option<usize>| place.is_none_or(|place| place < ground);
        if let Some(ground) = refusals.iter().find(|refusal| is_ground(refusal.operation)) {
            return Err(CommitError::Io {
                action: "asking what the kernel can do in table inet rfw",
                source: again(&ground.reason),
            });
        }
        let mut answers: Vec<FeatureAnswer> = asked
            .into_iter()
            .map(|(feature, place)| {
                let refusal = refusals.iter().find(|it| it.operation == Some(place));
                (feature, refusal.map(|refusal| reason(&refusal.reason)))
            })
            .collect();
        let not = |has: bool| (!has).then(|| "it does not know such a thing".to_owned());
        answers.push((Feature::Flowtable, not(self.has_flowtables()?)));
        let sequence = self.next_sequence();
        let destroys = batch::knows_destroy(&mut self.socket, sequence)?;
        answers.push((Feature::Destroy, not(destroys)));
        answers.push((Feature::EndAck, not(self.acknowledges_ends()?)));
        for (feature, flags) in [(Feature::Owner, OWNER), (Feature::Persist, OWNER | PERSIST)] {
            let first = self.next_sequence();
            let mut table = Writer::new();
            table.string(sys::NFTA_TABLE_NAME, CHAIN);
            table.be32(sys::NFTA_TABLE_FLAGS, flags);
            let attributes = table.finish().unwrap_or_default();
            let kind = sys::NFT_MSG_NEWTABLE;
            let refusal = batch::is_refused(&mut self.socket, first, kind, &attributes)?;
            self.sequence = first.wrapping_add(1);
            answers.push((feature, refusal.map(|error| reason(&error))));
        }
        Ok(answers)
    }

    /// Whether the end of a batch is acknowledged: by one that holds nothing, so it commits nothing and the generation
    /// stays.
    fn acknowledges_ends(&mut self) -> Result<bool, CommitError> {
        let answers = self.send(None, &[], batch::Ending::Commit)?;
        Ok(answers.acknowledged)
    }
}

fn again(error: &io::Error) -> io::Error {
    io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO))
}

fn reason(error: &io::Error) -> String {
    error.to_string()
}

fn dynamic_set(name: &str) -> SetSpec {
    let mut spec = SetSpec::new(name, vec![DataType::Ipv4Addr], SetKind::Set);
    spec.dynamic = true;
    spec.size = Some(16);
    spec
}

/// A set with a timeout, and so much of it.
fn bounded_set(much: u32) -> SetSpec {
    let mut spec = dynamic_set(BOUNDS);
    spec.size = Some(16 * much);
    spec.timeout = Some(60_000 * u64::from(much));
    spec
}

/// What asks for a feature, where a rule or an object does.
fn probe(feature: Feature) -> Option<Operation> {
    /// The first and the second whole register.
    const ONE: Register = Register(0);
    const TWO: Register = Register(4);
    /// 192.0.2.1 (RFC 5737).
    const ADDRESS: [u8; 4] = [192, 0, 2, 1];
    let tcp = || {
        [
            Instruction::Meta {
                key: sys::NFT_META_L4PROTO,
                to: ONE,
            },
            Instruction::Cmp {
                from: ONE,
                op: crate::bytecode::Comparison::Eq,
                data: vec![6],
            },
        ]
    };
    let source = || Instruction::Payload {
        base: crate::bytecode::PayloadBase::Network,
        offset: 12,
        len: 4,
        to: ONE,
    };
    let dynset = |set: &str, state| Instruction::Dynset {
        set: set.to_owned(),
        op: 0,
        key: ONE,
        data: None,
        timeout: 0,
        inverted: false,
        state,
    };
    let instructions = match feature {
        Feature::Fib => vec![Instruction::Fib {
            to: ONE,
            result: sys::NFT_FIB_RESULT_ADDRTYPE,
            flags: sys::NFTA_FIB_F_DADDR,
        }],
        Feature::Labels => vec![
            Instruction::Immediate {
                to: ONE,
                data: vec![0; 16],
            },
            Instruction::CtSet {
                key: sys::NFT_CT_LABELS,
                from: ONE,
            },
        ],
        Feature::Limit => vec![Instruction::Limit(Limit {
            rate: 1,
            unit: 1,
            burst: 5,
        })],
        Feature::Log => vec![Instruction::Log {
            prefix: "probe".to_owned(),
            group: None,
            level: Some(4),
        }],
        Feature::Reject => vec![Instruction::Reject {
            kind: sys::NFT_REJECT_ICMPX_UNREACH,
            code: 3,
        }],
        Feature::DynamicSets => vec![source(), dynset(SET, Vec::new())],
        Feature::SetBounds => {
            return Some(Operation::SetBounds {
                spec: bounded_set(2),
            });
        }
        Feature::Nat => vec![
            Instruction::Immediate {
                to: ONE,
                data: ADDRESS.to_vec(),
            },
            Instruction::Nat {
                kind: sys::NFT_NAT_SNAT,
                family: 2,
                address: Some((ONE, ONE)),
                port: None,
                flags: 0,
            },
        ],
        Feature::Masquerade => vec![Instruction::Masquerade {
            port: None,
            flags: 0,
        }],
        Feature::Redirect => vec![Instruction::Redirect {
            port: None,
            flags: 0,
        }],
        Feature::ClampMss => {
            let mut rule = tcp().to_vec();
            rule.extend([
                Instruction::Rt {
                    key: sys::NFT_RT_TCPMSS,
                    to: ONE,
                },
                Instruction::Byteorder {
                    from: ONE,
                    to: ONE,
                    op: sys::NFT_BYTEORDER_HTON,
                    len: 2,
                    size: 2,
                },
                Instruction::ExthdrSet {
                    from: ONE,
                    header: 2,
                    offset: 2,
                    len: 2,
                    op: sys::NFT_EXTHDR_OP_TCPOPT,
                },
            ]);
            rule
        }
        Feature::Numgen => vec![Instruction::Numgen {
            to: ONE,
            modulus: 2,
            mode: 0,
            offset: 0,
        }],
        Feature::Jhash => vec![
            source(),
            Instruction::Hash {
                kind: sys::NFT_HASH_JENKINS,
                from: Some(ONE),
                len: 4,
                to: TWO,
                modulus: 2,
                seed: Some(1),
                offset: 0,
            },
        ],
        Feature::Connlimit => vec![
            source(),
            dynset(COUNTS, vec![Instruction::Connlimit { count: 9, flags: 0 }]),
        ],
        Feature::Helper => {
            let kind = ObjectKind::CtHelper {
                helper: "ftp".to_owned(),
                protocol: 6,
            };
            return Some(Operation::AddObject {
                object: Object {
                    name: CHAIN.to_owned(),
                    kind,
                    origin: None,
                },
            });
        }
        Feature::Flowtable
        | Feature::Destroy
        | Feature::EndAck
        | Feature::Owner
        | Feature::Persist => return None,
    };
    let mut instructions = instructions;
    instructions.push(Instruction::Counter(Count::default()));
    // What translates or decides ends a rule.
    if matches!(
        feature,
        Feature::Nat | Feature::Masquerade | Feature::Redirect | Feature::Reject
    ) {
        instructions.pop();
    }
    Some(Operation::AddRule {
        chain: CHAIN.to_owned(),
        place: Place::Last,
        rule: Rule {
            name: None,
            instructions,
            origin: None,
        },
    })
}
