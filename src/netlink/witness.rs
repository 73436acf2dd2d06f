//! A table beside rfw's whose chains decide nothing and log every packet: what the kernel does with packets, as packets.
//!
//! Its chains stand before and behind all others, and behind connection tracking. What they log (nflog, as ulogd reads it)
//! comes back as [`Sighting`]s. Only [`crate::testbed`] makes one, in a network namespace of its own.

use std::io;

use nix::libc;

use super::attribute::Writer;
use super::constants::{NFPROTO_INET, NFPROTO_UNSPEC, sys};
use super::encode;
use super::message::{self, Header, Truncated, messages};
use super::nflog::{self, Logged};
use super::socket::Socket;
use crate::bytecode::{self, Instruction, Register, instructions};
use crate::ruleset::{
    Base, ChainPolicy, ChainType, Ct, Expression, Field, Hook, Log, Meta, Operand, Relation,
    Statement, Verdict,
};

/// The name of the table.
pub const WITNESS: &str = "rfw-witness";
/// The nflog group; only this namespace's.
const GROUP: u16 = 0xfff0;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE` (linux/netfilter/nfnetlink_conntrack.h): without attributes, all.
const FORGET: u16 = (1 << 8) | 2;

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Before all other chains: it came in, or left a program of the box.
    Came,
    /// Behind connection tracking, which says this of it: the bits of `ct state`.
    Tracked(u32),
    /// Behind all other chains, for the box itself.
    In,
    /// Behind all other chains, on its way out.
    Out,
}

/// A packet that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where.
    pub seen: Seen,
    /// The index of the interface that it leaves by, if it leaves.
    pub oif: Option<u32>,
    /// The packet, from its IP header on; long ones are cut.
    pub packet: Vec<u8>,
}

/// The bits of `ct state` (`NF_CT_STATE_BIT` of linux/netfilter/nf_conntrack_common.h) and the prefixes they are logged with.
const STATES: [(u32, &str); 5] = [
    (1, "invalid"),
    (2, "established"),
    (4, "related"),
    (8, "new"),
    (64, "untracked"),
];
const CAME: &str = "came";
const IN: &str = "in";
const OUT: &str = "out";
/// The chains in which packets are seen first, and from which on they are traced.
pub const CAME_IN: &str = "came-in";
/// See [`CAME_IN`]: those of the box itself.
pub const CAME_OUT: &str = "came-out";
/// The chain of answers that are kept back for a while.
const STILL: &str = "still";

/// The table and the ear that listens to it. Both end with it, or with the namespace.
#[derive(Debug)]
pub struct Witness {
    socket: Socket,
    sequence: u32,
}

impl Witness {
    /// Makes the table in the network namespace of this thread. What comes in by the interface `beside` is seen to come, and ends.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(beside: &str) -> io::Result<Self> {
        let mut witness = Self {
            socket: Socket::open()?,
            sequence: 0,
        };
        for attributes in nflog::bound() {
            witness.ask(nflog::CONFIG, NFPROTO_UNSPEC, GROUP, &attributes)?;
        }
        witness.make(beside)?;
        Ok(witness)
    }

    /// Forgets all connections that the namespace tracks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn forget_connections(&mut self) -> io::Result<()> {
        self.ask(FORGET, NFPROTO_UNSPEC, 0, &[])
    }

    /// Whether the box itself shall keep still: resets and errors of its own are dropped before anything else sees them.
    ///
    /// # Errors
    /// The kernel's.
    pub fn keep_still(&mut self, still: bool) -> io::Result<()> {
        let mut batch = Batch::new();
        let mut flush = Writer::new();
        flush.string(sys::NFTA_RULE_TABLE, WITNESS);
        flush.string(sys::NFTA_RULE_CHAIN, STILL);
        batch.push(sys::NFT_MSG_DELRULE, 0, flush);
        if still {
            for statements in answers() {
                batch.rule(STILL, &statements);
            }
        }
        self.commit(batch)
    }

    /// What was seen since it was last asked, in order; nothing is waited for.
    ///
    /// # Errors
    /// `ENOBUFS` when so much was seen that some of it is lost; otherwise the kernel's.
    pub fn sightings(&mut self) -> io::Result<Vec<Sighting>> {
        let mut sightings = Vec::new();
        while let Some(datagram) = self.socket.receive_waiting()? {
            for message in messages(datagram) {
                let message = message?;
                if message.kind == nflog::PACKET {
                    sightings.extend(nflog::logged(message.body).and_then(sighting));
                }
            }
        }
        Ok(sightings)
    }

    fn make(&mut self, beside: &str) -> io::Result<()> {
        let mut batch = Batch::new();
        let mut table = Writer::new();
        table.string(sys::NFTA_TABLE_NAME, WITNESS);
        batch.push(sys::NFT_MSG_NEWTABLE, sys::NLM_F_CREATE, table);
        // Before raw (-300) and behind conntrack (-200), whose chains are those of nobody; behind everything (300 and less).
        let all = [
            (CAME_IN, Hook::Prerouting, -1000),
            (CAME_OUT, Hook::Output, -1000),
            (STILL, Hook::Output, -500),
            ("tracked-in", Hook::Prerouting, -199),
            ("tracked-out", Hook::Output, -199),
            (IN, Hook::Input, 1000),
            (OUT, Hook::Postrouting, 1000),
        ];
        for (name, hook, priority) in all {
            batch.chain(name, hook, priority);
        }
        let mut name = beside.as_bytes().to_vec();
        name.resize(16, 0);
        let from_beside = Statement::Match {
            left: Expression::Meta(Meta::Iifname),
            relation: Relation::Eq,
            right: Operand::Value(name.into()),
        };
        let end = Statement::Verdict(Verdict::Drop);
        batch.rule(CAME_IN, &[from_beside, log(CAME), end]);
        for chain in [CAME_IN, CAME_OUT] {
            let mut instructions = instructions(&[log(CAME)]);
            // Traced from here on.
            let (to, data) = (Register(0), vec![1]);
            instructions.push(Instruction::Immediate { to, data });
            let (key, from) = (sys::NFT_META_NFTRACE, Register(0));
            instructions.push(Instruction::MetaSet { key, from });
            batch.add(chain, instructions);
        }
        for chain in ["tracked-in", "tracked-out"] {
            for (bit, prefix) in STATES {
                let is = Statement::Match {
                    left: Expression::Ct(Ct::State),
                    relation: Relation::Eq,
                    right: Operand::AnyBit(bit.to_ne_bytes().into()),
                };
                batch.rule(chain, &[is, log(prefix)]);
            }
        }
        batch.rule(IN, &[log(IN)]);
        batch.rule(OUT, &[log(OUT)]);
        self.commit(batch)
    }

    /// Sends a request that the kernel answers with its number.
    fn ask(&mut self, kind: u16, family: u8, resource: u16, attributes: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header {
            kind,
            flags: sys::NLM_F_ACK,
            sequence: self.sequence,
            family,
            resource,
        };
        let mut request = Vec::new();
        message::append(&mut request, header, attributes);
        self.socket.send(&request)?;
        loop {
            for message in messages(self.socket.receive()?) {
                let message = message?;
                let is_answer = i32::from(message.kind) == libc::NLMSG_ERROR;
                if !is_answer || message.sequence != self.sequence {
                    continue;
                }
                return match message.outcome().ok_or(Truncated)? {
                    (0, _) => Ok(()),
                    (errno, _) => Err(io::Error::from_raw_os_error(errno)),
                };
            }
        }
    }

    /// All answers are there when the batch is sent (`batch`).
    fn commit(&mut self, batch: Batch) -> io::Result<()> {
        self.socket.send(&batch.finish())?;
        while let Some(datagram) = self.socket.receive_waiting()? {
            for message in messages(datagram) {
                let message = message?;
                if i32::from(message.kind) != libc::NLMSG_ERROR {
                    continue;
                }
                match message.outcome().ok_or(Truncated)? {
                    (0, _) => {}
                    (errno, _) => return Err(io::Error::from_raw_os_error(errno)),
                }
            }
        }
        Ok(())
    }
}

fn log(prefix: &str) -> Statement {
    Statement::Log(Log {
        prefix: prefix.to_owned(),
        group: Some(GROUP),
    })
}

/// Rules that drop TCP resets, and ICMP and ICMPv6 errors that say that something cannot be reached.
fn answers() -> [Vec<Statement>; 3] {
    let is = |left, value: u8| Statement::Match {
        left,
        relation: Relation::Eq,
        right: Operand::Value([value].into()),
    };
    let drop = || Statement::Verdict(Verdict::Drop);
    [
        vec![Statement::is_reset(), drop()],
        vec![is(Expression::Field(Field::IcmpType), 3), drop()],
        vec![is(Expression::Field(Field::Icmpv6Type), 1), drop()],
    ]
}

/// Messages to nf_tables that are one transaction.
struct Batch {
    bytes: Vec<u8>,
}

impl Batch {
    fn new() -> Self {
        let mut batch = Self { bytes: Vec::new() };
        batch.edge(sys::NFNL_MSG_BATCH_BEGIN, 0);
        batch
    }

    fn edge(&mut self, kind: u32, flags: u32) {
        let header = Header {
            // 16 and 17, and 10.
            kind: kind as u16,
            flags,
            sequence: 0,
            family: NFPROTO_UNSPEC,
            resource: sys::NFNL_SUBSYS_NFTABLES as u16,
        };
        message::append(&mut self.bytes, header, &[]);
    }

    fn push(&mut self, message: u32, flags: u32, writer: Writer) {
        let header = Header {
            kind: message::nftables(message),
            flags,
            sequence: 0,
            family: NFPROTO_INET,
            resource: 0,
        };
        message::append(
            &mut self.bytes,
            header,
            &writer.finish().unwrap_or_default(),
        );
    }

    fn chain(&mut self, name: &str, hook: Hook, priority: i32) {
        let mut writer = Writer::new();
        writer.string(sys::NFTA_CHAIN_TABLE, WITNESS);
        writer.string(sys::NFTA_CHAIN_NAME, name);
        let base = Base {
            kind: ChainType::Filter,
            hook,
            priority,
            policy: ChainPolicy::Accept,
        };
        encode::write_base(&mut writer, base);
        self.push(sys::NFT_MSG_NEWCHAIN, sys::NLM_F_CREATE, writer);
    }

    fn rule(&mut self, chain: &str, statements: &[Statement]) {
        self.add(chain, instructions(statements));
    }

    fn add(&mut self, chain: &str, instructions: Vec<Instruction>) {
        let mut writer = Writer::new();
        writer.string(sys::NFTA_RULE_TABLE, WITNESS);
        writer.string(sys::NFTA_RULE_CHAIN, chain);
        let rule = bytecode::Rule {
            name: None,
            instructions,
            origin: None,
        };
        encode::write_rule(&mut writer, &rule);
        let flags = sys::NLM_F_CREATE | sys::NLM_F_APPEND;
        self.push(sys::NFT_MSG_NEWRULE, flags, writer);
    }

    fn finish(mut self) -> Vec<u8> {
        self.edge(sys::NFNL_MSG_BATCH_END, 0);
        self.bytes
    }
}

fn sighting(logged: Logged) -> Option<Sighting> {
    let Logged {
        prefix,
        oif,
        packet,
    } = logged;
    Some(Sighting {
        seen: place(&prefix)?,
        oif,
        packet,
    })
}

fn place(prefix: &str) -> Option<Seen> {
    match prefix {
        CAME => Some(Seen::Came),
        IN => Some(Seen::In),
        OUT => Some(Seen::Out),
        state => {
            let known = STATES.iter().find(|(_, name)| *name == state);
            known.map(|(bit, _)| Seen::Tracked(*bit))
        }
    }
}
