//! From instructions back to statements, for people to read.
//!
//! A statement is recovered only if linearizing it again gives the very instructions it was read from,
//! so what is shown is what runs. What has another form stays an instruction.

use super::Instruction;
use super::candidate::candidate;
use super::load::{Context, Linear};
use crate::ruleset::{Expression, Meta, Operand, Relation, Statement};

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
    let parts = parts(family, instructions).into_iter();
    parts.map(|(part, _)| part).collect()
}

/// The piece of a rule that an instruction, counted from 0, belongs to. `family` as in [`delinearize_in`].
pub fn piece_at(
    family: Option<u8>,
    instructions: &[Instruction],
    place: usize,
) -> Option<Recovered> {
    let mut parts = parts(family, instructions).into_iter();
    let (part, _) = parts.find(|(_, end)| place < *end)?;
    Some(part)
}

/// The pieces in order, each with the number of instructions that have been read behind it.
fn parts(family: Option<u8>, instructions: &[Instruction]) -> Vec<(Recovered, usize)> {
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
    end: usize,
    before: Context,
    statement: Statement,
}

struct Reader<'a> {
    instructions: &'a [Instruction],
    at: usize,
    context: Context,
    held: Vec<Held>,
    out: Vec<(Recovered, usize)>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let rest = self.instructions.get(self.at..).unwrap_or_default();
        let found = candidate(rest, self.context)
            .and_then(|(statement, len)| self.accept(statement, self.at + len));
        if found.is_none() {
            self.release(self.held.len());
            self.at += 1;
            let one = rest.first().cloned().map(Recovered::Instruction);
            self.out.extend(one.map(|one| (one, self.at)));
        }
    }

    /// Takes a statement that ends before `end`, with as many of the held matches as it implies.
    fn accept(&mut self, statement: Statement, end: usize) -> Option<()> {
        if let Some(after) = self.reproduces(&statement, self.context, self.at, end)
            && is_dependency(&statement)
        {
            self.held.push(Held {
                start: self.at,
                end,
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
        self.out.push((Recovered::Statement(statement), end));
        self.context = after;
        self.at = end;
        Some(())
    }

    /// Writes out the first of the held matches, and forgets the others.
    fn release(&mut self, count: usize) {
        let kept = self.held.drain(..).take(count);
        self.out
            .extend(kept.map(|held| (Recovered::Statement(held.statement), held.end)));
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

#[cfg(test)]
mod tests {
    use rustables::sys;

    use super::*;
    use crate::bytecode::{Comparison, PayloadBase, Register, instructions};
    use crate::ruleset::{Ct, Field, Reject, Verdict};

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

    #[test]
    fn times_and_labels_come_back() {
        let rule = [
            is(
                Expression::Ct(Ct::Label),
                Operand::AnyBit(Ct::label_bits([5, 91])),
            ),
            is(Expression::Meta(Meta::Time), Operand::Set("s".into())),
            is(
                Expression::Concat([Meta::Day, Meta::Hour].map(Expression::Meta).into()),
                Operand::Set("t".into()),
            ),
            Statement::CtLabel(91),
            Statement::CtLabel(0),
            Statement::Verdict(Verdict::Accept),
        ];
        check(&rule, &rule);
    }

    /// Linearizes, reads back, and compares.
    #[track_caller]
    fn check(statements: &[Statement], expect: &[Statement]) {
        let expect: Vec<Recovered> = expect.iter().cloned().map(Recovered::Statement).collect();
        assert_eq!(delinearize(&instructions(statements)), expect);
    }

    #[test]
    fn an_instruction_belongs_to_a_statement() {
        let port = is(
            Expression::Field(Field::Dport(crate::ruleset::Transport::Tcp)),
            Operand::Value([0, 22].into()),
        );
        let accept = Statement::Verdict(Verdict::Accept);
        let rule = instructions(&[port.clone(), Statement::Counter, accept.clone()]);
        let belongs = |place| piece_at(None, &rule, place);
        // Load and compare the protocol, load and compare the port.
        for place in 0..4 {
            assert_eq!(belongs(place), Some(Recovered::Statement(port.clone())));
        }
        assert_eq!(belongs(4), Some(Recovered::Statement(Statement::Counter)));
        assert_eq!(belongs(5), Some(Recovered::Statement(accept)));
        assert_eq!(belongs(6), None);
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
