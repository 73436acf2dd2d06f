//! The images of all that a plan is made of.

use serde::{Deserialize, Serialize};

use super::mirror::{Mirror, mirror_enum, mirror_newtype, mirror_struct};
use crate::bytecode::{
    Chain, Comparison, Instruction, LookupResult, PayloadBase, Program, Register, Rule,
};
use crate::live::Generation;
use crate::plan::{Operation, Place};
use crate::ruleset::{
    Base, ChainPolicy, ChainType, Count, DataType, Datum, Element, Elements, Flowtable, Hook, Key,
    Limit, Object, ObjectKind, Origin, Set, SetKind, SetSpec, Verdict,
};

mirror_newtype!(Generation(u32), Origin(String), Register(u8));

mirror_struct!(ProgramImage of Program {
    sets: Vec<Set>,
    objects: Vec<Object>,
    chains: Vec<Chain>,
});

mirror_struct!(ChainImage of Chain {
    name: String,
    base: Option<Base>,
    rules: Vec<Rule>,
});

mirror_struct!(RuleImage of Rule {
    name: Option<String>,
    instructions: Vec<Instruction>,
    origin: Option<Origin>,
});

mirror_struct!(BaseImage of Base {
    kind: ChainType,
    hook: Hook,
    priority: i32,
    policy: ChainPolicy,
});

mirror_enum!(ChainTypeImage of ChainType {
    plain: [Filter, Nat, Route],
    one: [],
    named: []
});

mirror_enum!(HookImage of Hook {
    plain: [Prerouting, Input, Forward, Output, Postrouting],
    one: [Other(u32)],
    named: []
});

mirror_enum!(ChainPolicyImage of ChainPolicy {
    plain: [Accept, Drop],
    one: [],
    named: []
});

mirror_enum!(VerdictImage of Verdict {
    plain: [Accept, Drop, Continue, Return],
    one: [Jump(String), Goto(String)],
    named: []
});

mirror_struct!(SetImage of Set {
    spec: SetSpec,
    elements: Elements,
    origin: Option<Origin>,
});

mirror_struct!(SetSpecImage of SetSpec {
    name: String,
    key: Vec<DataType>,
    kind: SetKind,
    interval: bool,
    dynamic: bool,
    timeout: Option<u64>,
    gc_interval: Option<u32>,
    size: Option<u32>,
    counter: bool,
    comment: Option<String>,
});

mirror_enum!(DataTypeImage of DataType {
    plain: [
        Ipv4Addr, Ipv6Addr, InetService, InetProto, Ifname, Mark, IcmpType, Icmpv6Type, Time,
        Day, Hour, Number,
    ],
    one: [],
    named: []
});

mirror_enum!(SetKindImage of SetKind {
    plain: [Set, VerdictMap],
    one: [Map(DataType)],
    named: []
});

mirror_struct!(ElementImage of Element {
    key: Key,
    datum: Option<Datum>,
    name: Option<String>,
    count: Option<Count>,
});

mirror_struct!(KeyImage of Key {
    lo: Box<[u8]>,
    hi: Option<Box<[u8]>>,
});

mirror_enum!(DatumImage of Datum {
    plain: [],
    one: [Value(Box<[u8]>), Verdict(Verdict)],
    named: []
});

mirror_struct!(CountImage of Count {
    packets: u64,
    bytes: u64,
});

mirror_struct!(ObjectImage of Object {
    name: String,
    kind: ObjectKind,
    origin: Option<Origin>,
});

mirror_enum!(ObjectKindImage of ObjectKind {
    plain: [],
    one: [Limit(Limit), Flowtable(Flowtable), Other(u32)],
    named: [CtHelper { helper: String, protocol: u8 }]
});

mirror_struct!(FlowtableImage of Flowtable {
    interfaces: Vec<String>,
    hardware: bool,
});

mirror_struct!(LimitImage of Limit {
    rate: u64,
    unit: u64,
    burst: u32,
});

mirror_enum!(PayloadBaseImage of PayloadBase {
    plain: [Link, Network, Transport, Inner],
    one: [],
    named: []
});

mirror_enum!(ComparisonImage of Comparison {
    plain: [Eq, Neq, Lt, Lte, Gt, Gte],
    one: [],
    named: []
});

mirror_enum!(LookupResultImage of LookupResult {
    plain: [Verdict],
    one: [Data(Register)],
    named: [Member { inverted: bool }]
});

mirror_enum!(InstructionImage of Instruction {
    plain: [Notrack],
    one: [Verdict(Verdict), Counter(Count), Limit(Limit)],
    named: [
        Meta { key: u32, to: Register },
        MetaSet { key: u32, from: Register },
        Payload { base: PayloadBase, offset: u32, len: u32, to: Register },
        Cmp { from: Register, op: Comparison, data: Vec<u8> },
        Range { from: Register, inverted: bool, lo: Vec<u8>, hi: Vec<u8> },
        Bitwise { from: Register, to: Register, len: u32, mask: Vec<u8>, xor: Vec<u8> },
        Byteorder { from: Register, to: Register, op: u32, len: u32, size: u32 },
        Lookup { set: String, from: Register, result: LookupResult },
        Immediate { to: Register, data: Vec<u8> },
        Log { prefix: String, group: Option<u16>, level: Option<u32> },
        Reject { kind: u32, code: u8 },
        Nat {
            kind: u32,
            family: u32,
            address: Option<(Register, Register)>,
            port: Option<(Register, Register)>,
            flags: u32,
        },
        Masquerade { port: Option<(Register, Register)>, flags: u32 },
        Redirect { port: Option<(Register, Register)>, flags: u32 },
        Ct { key: u32, to: Register, direction: Option<u8> },
        CtSet { key: u32, from: Register },
        Fib { to: Register, result: u32, flags: u32 },
        Numgen { to: Register, modulus: u32, mode: u32, offset: u32 },
        Hash {
            kind: u32,
            from: Option<Register>,
            len: u32,
            to: Register,
            modulus: u32,
            seed: Option<u32>,
            offset: u32,
        },
        Object { kind: u32, name: String },
        Dynset {
            set: String,
            op: u32,
            key: Register,
            data: Option<Register>,
            timeout: u64,
            inverted: bool,
            state: Vec<Instruction>,
        },
        Exthdr { to: Register, header: u8, offset: u32, len: u32, op: u32, flags: u32 },
        ExthdrSet { from: Register, header: u8, offset: u32, len: u32, op: u32 },
        Rt { key: u32, to: Register },
        Connlimit { count: u32, flags: u32 },
        Opaque { name: String, data: Vec<u8> },
    ]
});

mirror_enum!(PlaceImage of Place {
    plain: [Last],
    one: [Before(u64)],
    named: []
});

mirror_enum!(OperationImage of Operation {
    plain: [DeleteTable],
    one: [],
    named: [
        AddTable { mark: [u8; 16] },
        SetTableFlags { flags: u32 },
        AddChain { name: String, base: Option<Base> },
        SetChainPolicy { name: String, base: Base },
        FlushChain { chain: String },
        DeleteChain { name: String },
        AddSet { spec: SetSpec, origin: Option<Origin> },
        SetBounds { spec: SetSpec },
        DeleteSet { name: String },
        AddElements { set: SetSpec, elements: Elements },
        DeleteElements { set: SetSpec, elements: Elements },
        AddObject { object: Object },
        DeleteObject { object: Object },
        AddRule { chain: String, place: Place, rule: Rule },
        ReplaceRule { chain: String, handle: u64, rule: Rule },
        DeleteRule { chain: String, handle: u64, name: Option<String> },
    ]
});

impl ProgramImage {
    /// Without what no packet and no reader of the kernel ever sees.
    pub(super) fn without_origins(mut self) -> Self {
        for set in &mut self.sets {
            set.origin = None;
        }
        for object in &mut self.objects {
            object.origin = None;
        }
        for rule in self.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            rule.origin = None;
        }
        self
    }
}
