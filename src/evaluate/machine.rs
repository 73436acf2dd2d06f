//! One base chain run on one packet, expression by expression, as linux/net/netfilter/nf_tables_core.c does it.

use super::choice::{Choice, Choices, Script};
use super::environment::Environment;
use super::firewall::Firewall;
use super::header::Headers;
use super::operation::{Act, Op};
use super::outcome::{Answer, Decision, Kernel, Met, Opaque, Reason, Step, Translation};
use super::packet::Packet;
use super::register::Registers;
use super::table::{Chain, Table};
use super::view::{ChainRef, RuleRef};
use crate::ruleset::{ChainPolicy, Hook};

/// `NFT_JUMP_STACK_SIZE`
const STACK: usize = 16;

/// Whether the packet has its connection yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracking {
    NotYet,
    Tracked,
    Untracked,
}

/// One run of one packet.
pub(super) struct Run<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) environment: &'a Environment,
    pub(super) choices: &'a Choices,
    /// The packet as it is now.
    pub(super) packet: Packet,
    /// The packet as it came.
    pub(super) original: &'a Packet,
    pub(super) headers: Headers,
    /// Whether the address is just the one, or another that the kernel chooses.
    pub(super) source_is_known: bool,
    pub(super) destination_is_known: bool,
    /// Likewise the ports.
    pub(super) sport_is_known: bool,
    pub(super) dport_is_known: bool,
    /// Whether a redirection made the box the destination.
    pub(super) redirected: bool,
    pub(super) hook: Hook,
    pub(super) tracking: Tracking,
    pub(super) registers: Registers,
    pub(super) path: Vec<Step>,
    pub(super) translations: Vec<Translation>,
    pub(super) taken: Vec<Choice>,
    pub(super) script: Script,
    /// In how many orders tables could have been asked, as far as they were.
    pub(super) orders: f64,
    /// Keys that this packet put into dynamic sets, or took out of them: table, set, key, whether it is in.
    pub(super) changed: Vec<(u16, u32, Vec<u8>, bool)>,
    /// The rules through which the rule that decided was reached.
    pub(super) callers: Vec<RuleRef>,
}

/// How a base chain ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The packet goes on, for this reason.
    Accept(Reason),
    /// The packet goes on, translated.
    Translated(RuleRef),
    /// That is all.
    Final(Decision, Reason),
}

/// How an instruction ended.
pub(super) enum Flow {
    /// It does not fit.
    Break,
    /// Next instruction.
    Next,
    Act(Act),
    Reject(Answer),
    Translated,
    Kernel(Kernel),
    Opaque(Opaque),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        firewall: &'a Firewall,
        environment: &'a Environment,
        choices: &'a Choices,
        packet: &'a Packet,
        script: Script,
    ) -> Self {
        Self {
            firewall,
            environment,
            choices,
            packet: packet.clone(),
            original: packet,
            headers: Headers::of(packet),
            source_is_known: true,
            destination_is_known: true,
            sport_is_known: true,
            dport_is_known: true,
            redirected: false,
            hook: Hook::Prerouting,
            tracking: Tracking::NotYet,
            registers: Registers::new(),
            path: Vec::with_capacity(64),
            translations: Vec::new(),
            taken: Vec::new(),
            script,
            orders: 1.0,
            changed: Vec::new(),
            callers: Vec::new(),
        }
    }

    /// Runs a base chain to its end.
    pub(super) fn chain(&mut self, base: ChainRef) -> Ended {
        let firewall = self.firewall;
        let Some(table) = firewall.table(base.table) else {
            return Ended::Accept(Reason::Nothing);
        };
        self.path.push(Step::Base(base));
        self.registers = Registers::new();
        let mut stack: Vec<RuleRef> = Vec::new();
        let mut callers: Vec<RuleRef> = Vec::new();
        let mut at = RuleRef {
            chain: base,
            rule: 0,
        };
        loop {
            let Some(chain) = table.chains.get(at.chain.chain as usize) else {
                return self.policy(base, table);
            };
            let Some(act) = self.rules(chain, table, &mut at) else {
                // The end of the chain.
                match self.go_back(&mut stack, &mut callers, &mut at) {
                    true => continue,
                    false => return self.policy(base, table),
                }
            };
            let to = match act {
                Stop::Return => match self.go_back(&mut stack, &mut callers, &mut at) {
                    true => continue,
                    false => return self.policy(base, table),
                },
                Stop::Ended(ended) => {
                    self.callers = callers;
                    return ended;
                }
                Stop::Jump(to) => {
                    if stack.len() >= STACK {
                        self.path.push(Step::Kernel(Kernel::JumpStack));
                        return Ended::Final(Decision::Drop, Reason::Kernel(Kernel::JumpStack));
                    }
                    stack.push(at);
                    to
                }
                Stop::Goto(to) => to,
            };
            callers.push(at);
            at = RuleRef {
                chain: ChainRef {
                    table: base.table,
                    chain: to,
                },
                rule: 0,
            };
        }
    }

    /// Back behind the rule that jumped here.
    fn go_back(
        &self,
        stack: &mut Vec<RuleRef>,
        callers: &mut Vec<RuleRef>,
        at: &mut RuleRef,
    ) -> bool {
        let Some(caller) = stack.pop() else {
            return false;
        };
        while let Some(last) = callers.pop() {
            if last == caller {
                break;
            }
        }
        *at = RuleRef {
            rule: caller.rule + 1,
            ..caller
        };
        true
    }

    fn policy(&mut self, base: ChainRef, table: &Table) -> Ended {
        let chain = table.chains.get(base.chain as usize);
        let policy = chain.and_then(|chain| chain.base).map(|base| base.policy);
        let policy = policy.unwrap_or(ChainPolicy::Accept);
        self.path.push(Step::Policy(base, policy));
        match policy {
            ChainPolicy::Accept => Ended::Accept(Reason::Policy(base)),
            ChainPolicy::Drop => Ended::Final(Decision::Drop, Reason::Policy(base)),
        }
    }

    /// Runs the rules of a chain from `at` on, up to one that leads elsewhere.
    fn rules(&mut self, chain: &'a Chain, table: &'a Table, at: &mut RuleRef) -> Option<Stop> {
        let first = at.rule as usize;
        let mut begin = match first.checked_sub(1) {
            Some(before) => chain.ends.get(before).copied()? as usize,
            None => 0,
        };
        for end in chain.ends.get(first..)? {
            let end = *end as usize;
            let ops = chain.ops.get(begin..end).unwrap_or_default();
            begin = end;
            if let Some(stop) = self.rule(ops, table, *at) {
                return Some(stop);
            }
            at.rule += 1;
        }
        None
    }

    fn rule(&mut self, ops: &'a [Op], table: &'a Table, at: RuleRef) -> Option<Stop> {
        let mut place: u16 = 0;
        for op in ops {
            let (met, stop) = match self.op(op, table, at) {
                Flow::Next => {
                    place = place.saturating_add(1);
                    continue;
                }
                Flow::Break => (Met::Failed(place), None),
                Flow::Act(Act::Accept) => {
                    let ended = Ended::Accept(Reason::Rule(at));
                    (Met::Accept, Some(Stop::Ended(ended)))
                }
                Flow::Act(Act::Drop) => {
                    let ended = Ended::Final(Decision::Drop, Reason::Rule(at));
                    (Met::Drop, Some(Stop::Ended(ended)))
                }
                Flow::Act(Act::Continue | Act::Lost) => {
                    place = place.saturating_add(1);
                    continue;
                }
                Flow::Act(Act::Return) => (Met::Return, Some(Stop::Return)),
                Flow::Act(Act::Jump(to)) => (Met::Jump(to), Some(Stop::Jump(to))),
                Flow::Act(Act::Goto(to)) => (Met::Goto(to), Some(Stop::Goto(to))),
                Flow::Reject(answer) => {
                    let ended = Ended::Final(Decision::Reject(answer), Reason::Rule(at));
                    (Met::Reject(answer), Some(Stop::Ended(ended)))
                }
                Flow::Translated => (Met::Translate, Some(Stop::Ended(Ended::Translated(at)))),
                Flow::Kernel(kernel) => {
                    self.path.push(Step::Rule(at, Met::Drop));
                    self.path.push(Step::Kernel(kernel));
                    let ended = Ended::Final(Decision::Drop, Reason::Kernel(kernel));
                    return Some(Stop::Ended(ended));
                }
                Flow::Opaque(_) if is_idle(ops, place) => (Met::Idle(place), None),
                Flow::Opaque(opaque) => {
                    let ended = Ended::Final(Decision::Unknown, Reason::Opaque(at, opaque));
                    (Met::Opaque(place), Some(Stop::Ended(ended)))
                }
            };
            self.path.push(Step::Rule(at, met));
            if let Stop::Ended(Ended::Translated(_)) = stop.as_ref()? {
                let index = self.translations.len().saturating_sub(1) as u16;
                self.path.push(Step::Translated(index));
            }
            return stop;
        }
        self.path.push(Step::Rule(at, Met::Passed));
        None
    }
}

/// Whether a rule does nothing to the packet from an instruction on, whether it fits or not.
fn is_idle(ops: &[Op], from: u16) -> bool {
    let mut rest = ops.iter().skip(usize::from(from));
    rest.all(Op::is_idle)
}

/// Why the rules of a chain are left.
enum Stop {
    Return,
    Jump(u32),
    Goto(u32),
    Ended(Ended),
}
