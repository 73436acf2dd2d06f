//! What targets of iptables do: answers, translations and marks.

use super::super::machine::{Flow, Run, Tracking};
use super::super::outcome::Answer;
use super::super::step::translated;
use super::super::translate::NETMAP;
use super::super::view::RuleRef;
use crate::bytecode::xtables::{Range, Target};
use crate::ruleset::Hook;

impl Run<'_> {
    /// What a target does to the packet.
    pub(in crate::evaluate) fn target(&mut self, it: &Target, rule: RuleRef) -> Flow {
        match it {
            Target::Nothing => Flow::Next,
            Target::Reject(code) => Flow::Reject(Answer::Icmp(*code)),
            Target::Reset => Flow::Reject(Answer::TcpReset),
            Target::Nat { destination, range } => {
                let (destination, range, flags) = match destination {
                    Some(destination) => (*destination, range, range.flags),
                    None => {
                        let is_early = matches!(self.hook, Hook::Prerouting | Hook::Output);
                        (is_early, range, range.flags | NETMAP)
                    }
                };
                let Range { address, port, .. } = *range;
                translated(self.nat_to(rule, destination, address, port, flags))
            }
            Target::Masquerade(range) => {
                translated(self.masquerade_to(rule, range.port, range.flags))
            }
            Target::Redirect(range) => translated(self.redirect_to(rule, range.port)),
            Target::Mark { value, mask } => {
                self.packet.mark = (self.packet.mark & !mask) ^ value;
                Flow::Next
            }
            Target::ConnectionMark {
                mode,
                value,
                of_connection,
                of_packet,
            } => {
                if self.connection().is_none() {
                    return Flow::Next;
                }
                let (of_connection, of_packet) = (*of_connection, *of_packet);
                let packet = &mut self.packet;
                let connection = &mut packet.connection;
                match u32::from(*mode) {
                    0 => connection.mark = (connection.mark & !of_connection) ^ value,
                    1 => {
                        let new = packet.mark & of_packet;
                        connection.mark = (connection.mark & !of_connection) ^ new;
                    }
                    _ => {
                        let new = connection.mark & of_connection;
                        packet.mark = (packet.mark & !of_packet) ^ new;
                    }
                }
                Flow::Next
            }
            Target::Notrack => {
                if self.tracking == Tracking::NotYet {
                    self.tracking = Tracking::Untracked;
                }
                Flow::Next
            }
        }
    }
}
