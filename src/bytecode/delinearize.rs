//! From instructions back to statements, for people to read.
//!
//! A statement is recovered only if linearizing it again gives the very instructions it was read from,
//! so what is shown is what runs. What has another form stays an instruction.

use rustables::sys;

use super::layout::{self, prefix_of};
use super::linearize::{LOG_WARNING, is_netmap, nat_flags_of};
use super::load::{Context, Linear};
use super::recover::{Load, key, loads};
use super::{Comparison, Instruction, LookupResult};
use crate::ruleset::{
    Expression, FLOWTABLE, Family, Field, Icmpx, Log, Meta, Nat, NatAddress, NatKind, NatPort,
    Operand, Reject, Relation, Statement,
};

/// A piece of a rule, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Instructions that are exactly this statement.
    Statement(Statement),
    /// An instruction that is part of no statement rfw knows.
    Instruction(Instruction),
}

/// The statements of a rule. Matches on the protocol or the family that a later statement implies are
/// left out, as nft(8) does it: `meta l4proto 6` before `tcp dport 22` says nothing new.
pub fn delinearize(instructions: &[Instruction]) -> Vec<Recovered> {
    delinearize_in(None, instructions)
}

/// The same in a table that sees packets of one family only, by nfproto number, which its rules need not ask for.
pub fn delinearize_in(family: Option<u8>, instructions: &[Instruction]) -> Vec<Recovered> {
    let mut reader = Reader {
        instructions,
        at: 0,
        context: Context {
            family,
            ..Context::default()
        },
        held: Vec::new(),
        out: Vec::new(),
    };
    while reader.at < instructions.len() {
        reader.step();
    }
    reader.release(reader.held.len());
    reader.out
}

/// A match on family or protocol that the next statement may imply.
struct Held {
    start: usize,
    before: Context,
    statement: Statement,
}

struct Reader<'a> {
    instructions: &'a [Instruction],
    at: usize,
    context: Context,
    held: Vec<Held>,
    out: Vec<Recovered>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let rest = self.instructions.get(self.at..).unwrap_or_default();
        let found = candidate(rest, self.context)
            .and_then(|(statement, len)| self.accept(statement, self.at + len));
        if found.is_none() {
            self.release(self.held.len());
            self.out
                .extend(rest.first().cloned().map(Recovered::Instruction));
            self.at += 1;
        }
    }

    /// Takes a statement that ends before `end`, with as many of the held matches as it implies.
    fn accept(&mut self, statement: Statement, end: usize) -> Option<()> {
        if let Some(after) = self.reproduces(&statement, self.context, self.at, end)
            && is_dependency(&statement)
        {
            self.held.push(Held {
                start: self.at,
                before: self.context,
                statement,
            });
            self.context = after;
            self.at = end;
            return Some(());
        }
        let starts = self.held.iter().map(|held| (held.start, held.before));
        let mut starts: Vec<_> = starts.chain([(self.at, self.context)]).collect();
        if matches!(statement, Statement::Reject(_)) {
            // What is rejected with a reset should be readable: keep the match.
            starts.drain(..self.held.len());
        }
        let spared = self.held.len() + 1 - starts.len();
        let (skipped, after) =
            starts
                .into_iter()
                .enumerate()
                .find_map(|(skipped, (start, before))| {
                    let after = self.reproduces(&statement, before, start, end)?;
                    Some((skipped, after))
                })?;
        self.release(spared + skipped);
        self.held.clear();
        self.out.push(Recovered::Statement(statement));
        self.context = after;
        self.at = end;
        Some(())
    }

    /// Writes out the first of the held matches, and forgets the others.
    fn release(&mut self, count: usize) {
        let kept = self.held.drain(..).take(count);
        self.out
            .extend(kept.map(|held| Recovered::Statement(held.statement)));
    }

    /// The context behind the statement, if it gives exactly these instructions.
    fn reproduces(
        &self,
        statement: &Statement,
        context: Context,
        start: usize,
        end: usize,
    ) -> Option<Context> {
        let mut linear = Linear {
            context,
            out: Vec::new(),
        };
        linear.statement(statement);
        let window = self.instructions.get(start..end)?;
        super::same(&linear.out, window).then_some(linear.context)
    }
}

fn is_dependency(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Match {
            left: Expression::Meta(Meta::Nfproto | Meta::L4proto),
            relation: Relation::Eq,
            right: Operand::Value(_),
        }
    )
}

/// What the first instructions may be, and how many they are; not checked yet.
fn candidate(instructions: &[Instruction], context: Context) -> Option<(Statement, usize)> {
    if let Some(statement) = instructions.first().and_then(single) {
        return Some((statement, 1));
    }
    if let Some((port, rest)) = nat_port(instructions, context)
        && matches!(
            rest.first(),
            Some(Instruction::Redirect { port: Some(_), .. })
        )
    {
        let used = instructions.len() - rest.len() + 1;
        return Some((Statement::Redirect { port: Some(port) }, used));
    }
    let mut mss = Linear::default();
    mss.statement(&Statement::ClampMss);
    if instructions.starts_with(&mss.out) {
        return Some((Statement::ClampMss, mss.out.len()));
    }
    if let Some((labels, rest)) = immediate(instructions)
        && let Some(Instruction::CtSet {
            key: sys::NFT_CT_LABELS,
            ..
        }) = rest.first()
    {
        let bits = u128::from_ne_bytes(labels.try_into().ok()?);
        let label = u8::try_from(bits.checked_ilog2()?).ok()?;
        return Some((Statement::CtLabel(label), 2));
    }
    if let Some((address, rest)) = immediate(instructions) {
        return fixed_nat(address, rest, context, instructions.len());
    }
    if let Some(found) = mapped_nat(instructions, context) {
        return Some(found);
    }
    let (loads, rest) = loads(instructions, context)?;
    let used = instructions.len() - rest.len();
    consumer(&loads, rest, used)
}

/// Statements of one instruction.
fn single(instruction: &Instruction) -> Option<Statement> {
    match instruction {
        Instruction::Counter(_) => Some(Statement::Counter),
        Instruction::Limit(limit) => Some(Statement::Limit(*limit)),
        Instruction::Verdict(verdict) => Some(Statement::Verdict(verdict.clone())),
        Instruction::Object { kind, name } => match *kind {
            sys::NFT_OBJECT_LIMIT => Some(Statement::NamedLimit(name.clone())),
            sys::NFT_OBJECT_CT_HELPER => Some(Statement::CtHelper(name.clone())),
            FLOWTABLE => Some(Statement::Offload(name.clone())),
            _ => None,
        },
        Instruction::Log {
            prefix,
            group,
            level: None | Some(LOG_WARNING),
        } => Some(Statement::Log(Log {
            prefix: prefix.clone(),
            group: *group,
        })),
        Instruction::Reject { kind, code } => match *kind {
            sys::NFT_REJECT_TCP_RST => Some(Statement::Reject(Reject::TcpReset)),
            sys::NFT_REJECT_ICMPX_UNREACH => Icmpx::ALL
                .get(usize::from(*code))
                .map(|code| Statement::Reject(Reject::Icmpx(*code))),
            _ => None,
        },
        Instruction::Masquerade { .. } => Some(Statement::Masquerade),
        Instruction::Redirect { port: None, .. } => Some(Statement::Redirect { port: None }),
        _ => None,
    }
}

fn immediate(instructions: &[Instruction]) -> Option<(&[u8], &[Instruction])> {
    match instructions.split_first()? {
        (Instruction::Immediate { data, .. }, rest) => Some((data, rest)),
        _ => None,
    }
}

/// `nat` to an address, or to one of several.
fn fixed_nat(
    lo: &[u8],
    rest: &[Instruction],
    context: Context,
    all: usize,
) -> Option<(Statement, usize)> {
    // A second address, if it is as wide as the first: a port never is.
    let (hi, rest) = match immediate(rest) {
        Some((hi, behind)) if hi.len() == lo.len() => (Some(hi), behind),
        _ => (None, rest),
    };
    let flags = rest
        .iter()
        .take(4)
        .find_map(|instruction| match instruction {
            Instruction::Nat { flags, .. } => Some(*flags),
            _ => None,
        })?;
    let address = match hi {
        None => NatAddress::Value(lo.into()),
        Some(hi) if is_netmap(flags) => {
            let mask: Vec<u8> = lo.iter().zip(hi).map(|(lo, hi)| !(lo ^ hi)).collect();
            NatAddress::Prefix(lo.into(), prefix_of(&mask)?)
        }
        Some(hi) => NatAddress::Range(lo.into(), hi.into()),
    };
    nat(address, rest, context, all)
}

/// `nat` to what a map holds.
fn mapped_nat(instructions: &[Instruction], context: Context) -> Option<(Statement, usize)> {
    let (address, rest) = mapped(instructions, context)?;
    nat(NatAddress::Map(address), rest, context, instructions.len())
}

/// The first lookup that puts a value into a register, with what it depends on.
fn mapped(instructions: &[Instruction], context: Context) -> Option<(Expression, &[Instruction])> {
    let end = instructions.iter().position(|instruction| {
        matches!(
            instruction,
            Instruction::Lookup {
                result: LookupResult::Data(_),
                ..
            }
        )
    })?;
    let (own, rest) = instructions.split_at_checked(end + 1)?;
    let (loads, behind) = loads(own, context)?;
    (behind.is_empty()).then_some((key(&loads)?, rest))
}

/// A new port at the beginning.
fn nat_port(instructions: &[Instruction], context: Context) -> Option<(NatPort, &[Instruction])> {
    let number = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.try_into().ok()?));
    let Some((lo, rest)) = immediate(instructions) else {
        let (map, rest) = mapped(instructions, context)?;
        return Some((NatPort::Map(map), rest));
    };
    match immediate(rest) {
        Some((hi, rest)) => Some((NatPort::Range(number(lo)?, number(hi)?), rest)),
        None => Some((NatPort::Value(number(lo)?), rest)),
    }
}

/// `nat` with its address known; a port may come before it.
fn nat(
    address: NatAddress,
    rest: &[Instruction],
    context: Context,
    all: usize,
) -> Option<(Statement, usize)> {
    let (port, rest) = match rest.first()? {
        Instruction::Nat { .. } => (None, rest),
        _ => {
            let (port, rest) = nat_port(rest, context)?;
            (Some(port), rest)
        }
    };
    let (
        Instruction::Nat {
            kind,
            family,
            flags,
            ..
        },
        rest,
    ) = rest.split_first()?
    else {
        return None;
    };
    let nat = Nat {
        kind: match *kind {
            sys::NFT_NAT_SNAT => NatKind::Snat,
            _ => NatKind::Dnat,
        },
        family: Family::BOTH
            .into_iter()
            .find(|known| u32::from(known.nfproto()) == *family)?,
        address,
        port,
        flags: nat_flags_of(*flags),
    };
    Some((Statement::Nat(nat), all - rest.len()))
}

/// What is done with the loaded values.
fn consumer(loads: &[Load], rest: &[Instruction], used: usize) -> Option<(Statement, usize)> {
    let statement = match rest.first()? {
        Instruction::Cmp {
            op: Comparison::Gte,
            data: lo,
            ..
        } => {
            let Instruction::Cmp {
                op: Comparison::Lte,
                data: hi,
                ..
            } = rest.get(1)?
            else {
                return None;
            };
            return Some((range(loads, Relation::Eq, lo, hi)?, used + 2));
        }
        Instruction::Range { lo, hi, .. } => range(loads, Relation::Ne, lo, hi)?,
        Instruction::Cmp { op, data, .. } => comparison(loads, *op, data)?,
        Instruction::Lookup { set, result, .. } => match result {
            LookupResult::Member { inverted } => Statement::Match {
                left: key(loads)?,
                relation: relation(*inverted),
                right: Operand::Set(set.clone()),
            },
            LookupResult::Verdict => Statement::VerdictMap {
                key: key(loads)?,
                map: set.clone(),
            },
            LookupResult::Data(_) => return None,
        },
        Instruction::Dynset { set, state, .. } => {
            let (set, key) = (set.clone(), key(loads)?);
            match state.as_slice() {
                [] => Statement::SetUpdate { set, key },
                [Instruction::Limit(limit)] => Statement::Meter {
                    set,
                    key,
                    limit: *limit,
                },
                [Instruction::Connlimit { count, .. }] => Statement::CountConnections {
                    set,
                    key,
                    most: *count,
                },
                _ => return None,
            }
        }
        _ => return None,
    };
    Some((statement, used + 1))
}

fn relation(inverted: bool) -> Relation {
    if inverted { Relation::Ne } else { Relation::Eq }
}

fn range(loads: &[Load], relation: Relation, lo: &[u8], hi: &[u8]) -> Option<Statement> {
    let (mut lo, mut hi) = (lo.to_vec(), hi.to_vec());
    if loads.first()?.turned && cfg!(target_endian = "little") {
        lo.reverse();
        hi.reverse();
    }
    Some(Statement::Match {
        left: key(loads)?,
        relation,
        right: Operand::Range(lo.into(), hi.into()),
    })
}

fn comparison(loads: &[Load], op: Comparison, data: &[u8]) -> Option<Statement> {
    let inverted = match op {
        Comparison::Eq => false,
        Comparison::Neq => true,
        Comparison::Lt | Comparison::Lte | Comparison::Gt | Comparison::Gte => return None,
    };
    let is = |left: Expression, inverted, right| Statement::Match {
        left,
        relation: relation(inverted),
        right,
    };
    let [load] = loads else {
        return Some(is(key(loads)?, inverted, Operand::Value(data.into())));
    };
    let left = load.expression.clone();
    let width = layout::width(&left);
    let Some(mask) = &load.mask else {
        let right = match load.len {
            Some(len) if len < width => {
                let mut value = data.to_vec();
                value.resize(width, 0);
                Operand::Prefix(value.into(), u8::try_from(len * 8).ok()?)
            }
            None if data.len() < width => Operand::StartsWith(data.into()),
            Some(_) | None => Operand::Value(data.into()),
        };
        return Some(is(left, inverted, right));
    };
    Some(match left {
        Expression::Field(field) if field != Field::TcpFlags => match prefix_of(mask) {
            Some(bits) if bits == 0 || !bits.is_multiple_of(8) => {
                is(left, inverted, Operand::Prefix(data.into(), bits))
            }
            _ => is(
                Expression::Masked(field, mask.as_slice().into()),
                inverted,
                Operand::Value(data.into()),
            ),
        },
        left if data.iter().all(|byte| *byte == 0) => {
            is(left, !inverted, Operand::AnyBit(mask.as_slice().into()))
        }
        left => is(
            left,
            inverted,
            Operand::Bits {
                mask: mask.as_slice().into(),
                value: data.into(),
            },
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::{PayloadBase, Register, instructions};
    use crate::ruleset::{Ct, Verdict};

    fn is(left: Expression, right: Operand) -> Statement {
        Statement::Match {
            left,
            relation: Relation::Eq,
            right,
        }
    }

    fn protocol(number: u8) -> Statement {
        is(
            Expression::Meta(Meta::L4proto),
            Operand::Value([number].into()),
        )
    }

    /// Linearizes, reads back, and compares.
    #[test]
    fn times_and_labels_come_back() {
        let rule = [
            is(
                Expression::Ct(Ct::Label),
                Operand::AnyBit(Ct::label_bits([5, 91])),
            ),
            is(Expression::Meta(Meta::Time), Operand::Set("s".into())),
            Statement::CtLabel(91),
            Statement::CtLabel(0),
            Statement::Verdict(Verdict::Accept),
        ];
        check(&rule, &rule);
    }

    #[track_caller]
    fn check(statements: &[Statement], expect: &[Statement]) {
        let expect: Vec<Recovered> = expect.iter().cloned().map(Recovered::Statement).collect();
        assert_eq!(delinearize(&instructions(statements)), expect);
    }

    #[test]
    fn leaves_out_what_is_implied() {
        let port = is(
            Expression::Field(Field::Dport(crate::ruleset::Transport::Tcp)),
            Operand::Value([0, 22].into()),
        );
        let ssh = [protocol(6), port.clone()];
        check(&ssh, &[port]);
        let counted = [protocol(6), Statement::Counter, ssh[1].clone()];
        check(&counted, &counted);
        let reset = [protocol(6), Statement::Reject(Reject::TcpReset)];
        check(&reset, &reset);
    }

    #[test]
    fn bits_are_told_apart() {
        let state = |right| is(Expression::Ct(Ct::State), right);
        let bytes = |bits: u32| bits.to_ne_bytes().into();
        for right in [
            Operand::AnyBit(bytes(6)),
            Operand::Value(bytes(8)),
            Operand::Bits {
                mask: bytes(10),
                value: bytes(8),
            },
        ] {
            check(&[state(right.clone())], &[state(right)]);
        }
    }

    #[test]
    fn keeps_what_has_another_form() {
        let strange = [
            Instruction::Payload {
                base: PayloadBase::Link,
                offset: 0,
                len: 6,
                to: Register(0),
            },
            Instruction::Meta {
                key: sys::NFT_META_L4PROTO,
                to: Register(4),
            },
            Instruction::Cmp {
                from: Register(4),
                op: Comparison::Eq,
                data: vec![6],
            },
            Instruction::Opaque {
                name: "quota".to_owned(),
                data: vec![1, 2],
            },
        ];
        let accept = Instruction::Verdict(Verdict::Accept);
        let mut expect: Vec<Recovered> = strange
            .iter()
            .cloned()
            .map(Recovered::Instruction)
            .collect();
        expect.push(Recovered::Statement(Statement::Verdict(Verdict::Accept)));
        let rule: Vec<Instruction> = strange.into_iter().chain([accept]).collect();
        assert_eq!(delinearize(&rule), expect);
    }

    #[test]
    fn what_counters_have_counted_does_not_matter() {
        let count = crate::ruleset::Count {
            packets: 7,
            bytes: 9,
        };
        assert_eq!(
            delinearize(&[Instruction::Counter(count)]),
            [Recovered::Statement(Statement::Counter)]
        );
    }
}
