//! One instruction as the kernel runs it, and when two do the same.
//!
//! Not here: what numbers stand for, which is `layout`'s and `names`', and how one is written, which is `display`'s.

use crate::ruleset::{Count, Limit, Verdict};

/// A 32-bit slot of the register file, 0 to 15. `NFT_REG_1` to `NFT_REG_4` are the slots 0, 4, 8 and
/// 12, `NFT_REG32_00` and up the slots in order (linux/netfilter/nf_tables.h `nft_registers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(pub u8);

/// Where a payload offset counts from (`nft_payload_bases`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadBase {
    /// 0
    Link,
    /// 1
    Network,
    /// 2
    Transport,
    /// 3
    Inner,
}

/// `nft_cmp_ops`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// 0
    Eq,
    /// 1
    Neq,
    /// 2
    Lt,
    /// 3
    Lte,
    /// 4
    Gt,
    /// 5
    Gte,
}

/// What a lookup does with what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookupResult {
    /// Go on if the key is in the set, or if it is not when inverted.
    Member {
        /// `!=`
        inverted: bool,
    },
    /// Put the map's value into a register; end the rule when the key is missing.
    Data(Register),
    /// Take the verdict; go on when the key is missing.
    Verdict,
}

/// One expression as the kernel runs it. Bytes are as they stand in the registers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instruction {
    /// `meta load KEY => reg` (`nft_meta_keys`)
    Meta {
        /// `NFT_META_*`
        key: u32,
        /// Destination.
        to: Register,
    },
    /// `meta set KEY with reg`
    MetaSet {
        /// `NFT_META_*`
        key: u32,
        /// Source.
        from: Register,
    },
    /// `payload load LENb @ BASE header + OFFSET => reg`
    Payload {
        /// Where the offset counts from.
        base: PayloadBase,
        /// In bytes.
        offset: u32,
        /// In bytes.
        len: u32,
        /// Destination.
        to: Register,
    },
    /// `cmp OP reg DATA`
    Cmp {
        /// Source.
        from: Register,
        /// The relation that must hold.
        op: Comparison,
        /// What it is compared with.
        data: Vec<u8>,
    },
    /// `range eq|neq reg LO HI`, bounds inclusive.
    Range {
        /// Source.
        from: Register,
        /// Outside instead of inside.
        inverted: bool,
        /// First value inside.
        lo: Vec<u8>,
        /// Last value inside.
        hi: Vec<u8>,
    },
    /// `bitwise reg = ( reg & MASK ) ^ XOR`
    Bitwise {
        /// Source.
        from: Register,
        /// Destination.
        to: Register,
        /// In bytes.
        len: u32,
        /// The bits kept.
        mask: Vec<u8>,
        /// The bits then turned.
        xor: Vec<u8>,
    },
    /// `byteorder reg = hton(reg, SIZE, LEN)`
    Byteorder {
        /// Source.
        from: Register,
        /// Destination.
        to: Register,
        /// `NFT_BYTEORDER_*`: 0 ntoh, 1 hton.
        op: u32,
        /// In bytes, in all.
        len: u32,
        /// In bytes, of one number.
        size: u32,
    },
    /// `lookup reg SET`
    Lookup {
        /// The set's name.
        set: String,
        /// Where the key begins.
        from: Register,
        /// What to do with the result.
        result: LookupResult,
    },
    /// `immediate reg DATA`
    Immediate {
        /// Destination.
        to: Register,
        /// The bytes.
        data: Vec<u8>,
    },
    /// `immediate reg 0 VERDICT`
    Verdict(Verdict),
    /// `counter pkts P bytes B`; the numbers are what it has counted, or where it starts.
    Counter(Count),
    /// `limit rate …`, in packets.
    Limit(Limit),
    /// `log …`
    Log {
        /// Empty for none.
        prefix: String,
        /// The nflog group.
        group: Option<u16>,
        /// Syslog level of the kernel log; 4 unless said otherwise, `None` with a group.
        level: Option<u32>,
    },
    /// `reject type T code C`
    Reject {
        /// `NFT_REJECT_*`: 0 icmp, 1 TCP reset, 2 icmpx.
        kind: u32,
        /// The ICMP code, or `NFT_REJECT_ICMPX_*`; 0 for a reset.
        code: u8,
    },
    /// `nat snat|dnat …`
    Nat {
        /// `NFT_NAT_*`: 0 snat, 1 dnat.
        kind: u32,
        /// nfproto of the address.
        family: u32,
        /// Where the lowest and the highest address stand.
        address: Option<(Register, Register)>,
        /// Where the lowest and the highest port stand.
        port: Option<(Register, Register)>,
        /// `NF_NAT_RANGE_*` without the bits 1 and 2 that follow from address and port.
        flags: u32,
    },
    /// `masq`
    Masquerade {
        /// Where the lowest and the highest port stand.
        port: Option<(Register, Register)>,
        /// `NF_NAT_RANGE_*` without bit 2.
        flags: u32,
    },
    /// `redir`
    Redirect {
        /// Where the lowest and the highest port stand.
        port: Option<(Register, Register)>,
        /// `NF_NAT_RANGE_*` without bit 2.
        flags: u32,
    },
    /// `ct load KEY => reg`
    Ct {
        /// `NFT_CT_*`
        key: u32,
        /// Destination.
        to: Register,
        /// 0 original, 1 reply.
        direction: Option<u8>,
    },
    /// `ct set KEY with reg`
    CtSet {
        /// `NFT_CT_*`
        key: u32,
        /// Source.
        from: Register,
    },
    /// `fib …`
    Fib {
        /// Destination.
        to: Register,
        /// `NFT_FIB_RESULT_*`: 1 oif, 2 oifname, 3 address type.
        result: u32,
        /// `NFTA_FIB_F_*`: 1 saddr, 2 daddr, 4 mark, 8 iif, 16 oif, 32 present.
        flags: u32,
    },
    /// `numgen reg = inc|random mod N`
    Numgen {
        /// Destination.
        to: Register,
        /// The values are below this.
        modulus: u32,
        /// `NFT_NG_*`: 0 inc, 1 random.
        mode: u32,
        /// Added to the value.
        offset: u32,
    },
    /// `hash reg = jhash(reg, LEN, SEED) % mod N`
    Hash {
        /// `NFT_HASH_*`: 0 jenkins, 1 symmetric.
        kind: u32,
        /// Where the hashed bytes begin; `None` for the symmetric hash.
        from: Option<Register>,
        /// How many bytes are hashed.
        len: u32,
        /// Destination.
        to: Register,
        /// The values are below this.
        modulus: u32,
        /// `None`: the kernel picks one.
        seed: Option<u32>,
        /// Added to the value.
        offset: u32,
    },
    /// `objref type T name N`, and `flow_offload flowtable N`
    Object {
        /// `NFT_OBJECT_*`: 1 counter, 2 quota, 3 ct helper, 4 limit; [`crate::ruleset::FLOWTABLE`].
        kind: u32,
        /// The object's name.
        name: String,
    },
    /// `dynset add|update reg_key K set S …`
    Dynset {
        /// The set's name.
        set: String,
        /// `NFT_DYNSET_OP_*`: 0 add, 1 update, 2 delete.
        op: u32,
        /// Where the key begins.
        key: Register,
        /// Where a map's value stands.
        data: Option<Register>,
        /// Milliseconds; 0 is the set's own.
        timeout: u64,
        /// Go on only when the set is full.
        inverted: bool,
        /// What each element keeps.
        state: Vec<Instruction>,
    },
    /// `exthdr load …`
    Exthdr {
        /// Destination.
        to: Register,
        /// The header or option.
        header: u8,
        /// In bytes.
        offset: u32,
        /// In bytes.
        len: u32,
        /// `NFT_EXTHDR_OP_*`: 0 ipv6, 1 tcpopt, 2 ipv4, 3 sctp.
        op: u32,
        /// 1: only whether it is there.
        flags: u32,
    },
    /// `exthdr write …`
    ExthdrSet {
        /// Source.
        from: Register,
        /// The header or option.
        header: u8,
        /// In bytes.
        offset: u32,
        /// In bytes.
        len: u32,
        /// `NFT_EXTHDR_OP_*`
        op: u32,
    },
    /// `rt load KEY => reg`
    Rt {
        /// `NFT_RT_*`: 3 tcpmss.
        key: u32,
        /// Destination.
        to: Register,
    },
    /// `connlimit count N`
    Connlimit {
        /// How many connections.
        count: u32,
        /// 1: over instead of up to.
        flags: u32,
    },
    /// `notrack`
    Notrack,
    /// An expression, or an attribute of one, that rfw does not know: its name and its attributes as
    /// the kernel sent them. Never equal to anything rfw wants.
    Opaque {
        /// `NFTA_EXPR_NAME`
        name: String,
        /// `NFTA_EXPR_DATA`, byte for byte.
        data: Vec<u8>,
    },
}

impl Instruction {
    /// Whether two instructions do the same to a packet: equal, whatever they have counted.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Counter(_), Self::Counter(_)) => true,
            (
                Self::Dynset {
                    set,
                    op,
                    key,
                    data,
                    timeout,
                    inverted,
                    state,
                },
                Self::Dynset {
                    set: set2,
                    op: op2,
                    key: key2,
                    data: data2,
                    timeout: timeout2,
                    inverted: inverted2,
                    state: state2,
                },
            ) => {
                (set, op, key, data, timeout, inverted)
                    == (set2, op2, key2, data2, timeout2, inverted2)
                    && same(state, state2)
            }
            _ => self == other,
        }
    }
}

/// Whether two rules do the same to a packet.
pub fn same(left: &[Instruction], right: &[Instruction]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.same(right))
}
