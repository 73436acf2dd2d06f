//! Instructions in the notation of `nft --debug=netlink`, one line each.
//!
//! What libnftnl 1.2.4 prints, so that both listings can be compared as text. Not nft's rule syntax;
//! that is the `nft` module's.

use std::fmt::{self, Display, Formatter};

use rustables::sys;

use super::linearize::LOG_WARNING;
use super::names::{ct_name, exthdr_name, family_name, meta_name, rt_name};
use super::{Comparison, Instruction, LookupResult, PayloadBase, Register, Rule};
use crate::ruleset::{FLOWTABLE, Limit, Verdict};

impl Display for Register {
    /// The kernel's number: 1 to 4 for a slot that begins 16 bytes, 8 and up for the others.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(4) {
            write!(f, "{}", sys::NFT_REG_1 + u32::from(self.0) / 4)
        } else {
            write!(f, "{}", sys::NFT_REG32_00 + u32::from(self.0))
        }
    }
}

impl Display for Rule {
    /// One instruction a line, as a block.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for instruction in &self.instructions {
            writeln!(f, "{instruction}")?;
        }
        Ok(())
    }
}

impl Display for Instruction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[ ")?;
        body(self, f)?;
        f.write_str(" ]")
    }
}

fn body(instruction: &Instruction, f: &mut Formatter<'_>) -> fmt::Result {
    match instruction {
        Instruction::Meta { key, to } => write!(f, "meta load {} => reg {to}", meta_name(*key)),
        Instruction::MetaSet { key, from } => {
            write!(f, "meta set {} with reg {from}", meta_name(*key))
        }
        Instruction::Payload {
            base,
            offset,
            len,
            to,
        } => write!(
            f,
            "payload load {len}b @ {base} header + {offset} => reg {to}"
        ),
        Instruction::Cmp { from, op, data } => write!(f, "cmp {op} reg {from} {}", Words(data)),
        Instruction::Range {
            from,
            inverted,
            lo,
            hi,
        } => {
            let op = if *inverted { "neq" } else { "eq" };
            write!(f, "range {op} reg {from} {} {}", Words(lo), Words(hi))
        }
        Instruction::Bitwise {
            from,
            to,
            len: _,
            mask,
            xor,
        } => write!(
            f,
            "bitwise reg {to} = ( reg {from} & {} ) ^ {}",
            Words(mask),
            Words(xor)
        ),
        Instruction::Byteorder {
            from,
            to,
            op,
            len,
            size,
        } => {
            let op = if *op == sys::NFT_BYTEORDER_HTON {
                "hton"
            } else {
                "ntoh"
            };
            write!(f, "byteorder reg {to} = {op}(reg {from}, {size}, {len})")
        }
        Instruction::Lookup { set, from, result } => {
            write!(f, "lookup reg {from} set {set}")?;
            match result {
                LookupResult::Member { inverted: false } => Ok(()),
                LookupResult::Member { inverted: true } => f.write_str(" 0x1"),
                LookupResult::Data(to) => write!(f, " dreg {to}"),
                LookupResult::Verdict => f.write_str(" dreg 0"),
            }
        }
        Instruction::Immediate { to, data } => write!(f, "immediate reg {to} {}", Words(data)),
        Instruction::Verdict(verdict) => {
            f.write_str("immediate reg 0 ")?;
            match verdict {
                Verdict::Accept => f.write_str("accept"),
                Verdict::Drop => f.write_str("drop"),
                Verdict::Continue => f.write_str("continue"),
                Verdict::Return => f.write_str("return"),
                Verdict::Jump(chain) => write!(f, "jump -> {chain}"),
                Verdict::Goto(chain) => write!(f, "goto -> {chain}"),
            }
        }
        Instruction::Counter(count) => {
            write!(f, "counter pkts {} bytes {}", count.packets, count.bytes)
        }
        Instruction::Limit(limit) => limit_body(limit, f),
        Instruction::Log {
            prefix,
            group,
            level,
        } => {
            f.write_str("log")?;
            if !prefix.is_empty() {
                write!(f, " prefix {prefix}")?;
            }
            if let Some(group) = group {
                write!(f, " group {group} snaplen 0 qthreshold 0")?;
            }
            match level {
                None | Some(LOG_WARNING) => Ok(()),
                Some(level) => write!(f, " level {level}"),
            }
        }
        Instruction::Reject { kind, code } => write!(f, "reject type {kind} code {code}"),
        Instruction::Nat {
            kind,
            family,
            address,
            port,
            flags,
        } => {
            let kind = if *kind == sys::NFT_NAT_SNAT {
                "snat"
            } else {
                "dnat"
            };
            write!(f, "nat {kind} {}", family_name(*family))?;
            range(f, "addr", *address)?;
            range(f, "proto", *port)?;
            nat_flags(f, *flags, *port)
        }
        Instruction::Masquerade { port, flags } => {
            f.write_str("masq")?;
            range(f, "proto", *port)?;
            nat_flags(f, *flags, *port)
        }
        Instruction::Redirect { port, flags } => {
            f.write_str("redir")?;
            range(f, "proto", *port)?;
            nat_flags(f, *flags, *port)
        }
        Instruction::Ct { key, to, direction } => {
            write!(f, "ct load {} => reg {to}", ct_name(*key))?;
            match direction {
                None => Ok(()),
                Some(0) => f.write_str(" , dir original"),
                Some(_) => f.write_str(" , dir reply"),
            }
        }
        Instruction::CtSet { key, from } => write!(f, "ct set {} with reg {from}", ct_name(*key)),
        Instruction::Fib { to, result, flags } => fib(f, *to, *result, *flags),
        Instruction::Numgen {
            to,
            modulus,
            mode,
            offset,
        } => {
            let mode = if *mode == sys::NFT_NG_INCREMENTAL {
                "inc"
            } else {
                "random"
            };
            write!(f, "numgen reg {to} = {mode} mod {modulus}")?;
            plus(f, *offset)
        }
        Instruction::Hash {
            kind: _,
            from,
            len,
            to,
            modulus,
            seed,
            offset,
        } => {
            match from {
                Some(from) => {
                    let seed = seed.unwrap_or(0);
                    write!(f, "hash reg {to} = jhash(reg {from}, {len}, 0x{seed:x})")?;
                }
                None => write!(f, "hash reg {to} = symhash()")?,
            }
            write!(f, " % mod {modulus}")?;
            plus(f, *offset)
        }
        Instruction::Object {
            kind: FLOWTABLE,
            name,
        } => write!(f, "flow_offload flowtable {name}"),
        Instruction::Object { kind, name } => write!(f, "objref type {kind} name {name}"),
        Instruction::Dynset {
            set,
            op,
            key,
            data,
            timeout,
            inverted,
            state,
        } => {
            let op = match *op {
                sys::NFT_DYNSET_OP_ADD => "add",
                sys::NFT_DYNSET_OP_UPDATE => "update",
                _ => "delete",
            };
            write!(f, "dynset {op} reg_key {key} set {set}")?;
            if let Some(data) = data {
                write!(f, " sreg_data {data}")?;
            }
            if *timeout > 0 {
                write!(f, " timeout {timeout}ms")?;
            }
            if *inverted {
                f.write_str(" inv")?;
            }
            state
                .iter()
                .try_for_each(|state| write!(f, " expr {state}"))
        }
        Instruction::Exthdr {
            to,
            header,
            offset,
            len,
            op,
            flags,
        } => {
            let op = exthdr_name(*op);
            write!(f, "exthdr load {op} {len}b @ {header} + {offset}")?;
            if *flags != 0 {
                f.write_str(" present")?;
            }
            write!(f, " => reg {to}")
        }
        Instruction::ExthdrSet {
            from,
            header,
            offset,
            len,
            op,
        } => {
            let op = exthdr_name(*op);
            write!(
                f,
                "exthdr write {op} reg {from} => {len}b @ {header} + {offset}"
            )
        }
        Instruction::Rt { key, to } => write!(f, "rt load {} => reg {to}", rt_name(*key)),
        Instruction::Connlimit { count, flags } => {
            write!(f, "connlimit count {count} flags {flags:x}")
        }
        Instruction::Notrack => f.write_str("notrack"),
        Instruction::Opaque { name, data } => {
            write!(f, "{name} ")?;
            data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

/// Bytes as the 32-bit words they are in a register, in the byte order of the host.
struct Words<'a>(&'a [u8]);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, chunk) in self.0.chunks(4).enumerate() {
            let mut word = [0; 4];
            word.iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}0x{:08x}", u32::from_ne_bytes(word))?;
        }
        Ok(())
    }
}

impl Display for PayloadBase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "link",
            Self::Network => "network",
            Self::Transport => "transport",
            Self::Inner => "inner",
        })
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Gt => "gt",
            Self::Gte => "gte",
        })
    }
}

fn limit_body(limit: &Limit, f: &mut Formatter<'_>) -> fmt::Result {
    let Limit { rate, unit, burst } = limit;
    write!(f, "limit rate {rate}/")?;
    match unit {
        1 => f.write_str("second")?,
        60 => f.write_str("minute")?,
        3_600 => f.write_str("hour")?,
        86_400 => f.write_str("day")?,
        604_800 => f.write_str("week")?,
        other => write!(f, "{other}s")?,
    }
    write!(f, " burst {burst} type packets flags 0x0")
}

/// `addr_min reg 1 addr_max reg 2`; one register when both are the same.
fn range(f: &mut Formatter<'_>, what: &str, range: Option<(Register, Register)>) -> fmt::Result {
    let Some((min, max)) = range else {
        return Ok(());
    };
    write!(f, " {what}_min reg {min}")?;
    if min != max {
        write!(f, " {what}_max reg {max}")?;
    }
    Ok(())
}

/// The flags with what follows from the port, as nft sends them.
fn nat_flags(f: &mut Formatter<'_>, flags: u32, port: Option<(Register, Register)>) -> fmt::Result {
    let flags = flags | if port.is_some() { PROTO_SPECIFIED } else { 0 };
    if flags == 0 {
        return Ok(());
    }
    write!(f, " flags 0x{flags:x}")
}

/// linux/netfilter/nf_nat.h `NF_NAT_RANGE_PROTO_SPECIFIED`
const PROTO_SPECIFIED: u32 = 2;

fn plus(f: &mut Formatter<'_>, offset: u32) -> fmt::Result {
    if offset == 0 {
        return Ok(());
    }
    write!(f, " offset {offset}")
}

fn fib(f: &mut Formatter<'_>, to: Register, result: u32, flags: u32) -> fmt::Result {
    f.write_str("fib ")?;
    let inputs = [
        (sys::NFTA_FIB_F_SADDR, "saddr"),
        (sys::NFTA_FIB_F_DADDR, "daddr"),
        (sys::NFTA_FIB_F_MARK, "mark"),
        (sys::NFTA_FIB_F_IIF, "iif"),
        (sys::NFTA_FIB_F_OIF, "oif"),
    ];
    let inputs: Vec<&str> = inputs
        .into_iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, name)| name)
        .collect();
    f.write_str(&inputs.join(" . "))?;
    f.write_str(match result {
        sys::NFT_FIB_RESULT_OIF => " oif",
        sys::NFT_FIB_RESULT_OIFNAME => " oifname",
        sys::NFT_FIB_RESULT_ADDRTYPE => " type",
        _ => " unknown",
    })?;
    if flags & sys::NFTA_FIB_F_PRESENT != 0 {
        f.write_str(" present")?;
    }
    write!(f, " => reg {to}")
}
