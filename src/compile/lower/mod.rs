//! From a checked policy to the ruleset.
//!
//! The whole of it, top to bottom: [`skeleton`] makes the base chains and what is built into every
//! ruleset, [`dispatch`] leads a pair of zones into its chain, through [`segment`] where zones share interfaces ([`membership`] says
//! what makes a packet one of a zone), [`filter`] lowers zone policies rule by
//! rule, [`block`] turns long runs of rules into verdict maps, [`schedule`] makes sets of times, [`set`] those whose content is not the policy's, [`nat`] makes the translation chains and
//! the paths they open. [`row`] and [`address`] are the words they share.
//!
//! Names in the table are built from the policy's own names, with `/` and `.` between, which no name
//! of the policy may contain:
//!
//! | name | what |
//! |---|---|
//! | `policy/NAME` | chain of a zone policy |
//! | `pair/FROM/TO` | chain of a pair of zones that more than one policy speaks about |
//! | `from/ZONE.ZONE/TO` | chain that tells zones on the same interfaces apart by the source |
//! | `to/FROM/ZONE.ZONE` | … by the destination |
//! | `zone/NAME.ip4` `.net4` `.ip6` `.net6` | a zone's networks, where there are several |
//! | `zone/NAME.SUM.net4` … | the same where zones are told apart by them: other networks are another set |
//! | `zone/others.net4`, `zone/NAME.others.net4` | addresses of other zones |
//! | `log/POLICY/RULE` | chain of a rule that logs |
//! | `add/POLICY/RULE` | chain of a rule that adds to a set, and may log |
//! | `schedule/NAME` | the times at which a schedule is open |
//! | `raw/NAME` | chain of a raw block |
//! | `cut/NAME` | chain of connections that a schedule ends |
//! | `group/NAME.ip4` `.net4` `.ip6` `.net6` | a group's hosts, or hosts and prefixes |
//! | `set/NAME.ip4` `.ip6` | the sources in a dynamic set; IPv6 by /64 |
//! | `set/NAME.net4` `.net6` | what a fetched set holds |
//! | `POLICY/RULE.tcp`, `.source.net4`, … | what one rule lists |
//! | `POLICY.accept.4.s24.d32.port` | verdict map of a run of rules |
//! | `nat/NAME.backends`, … | what one translation lists |

mod address;
mod block;
mod closed;
mod dispatch;
mod filter;
mod interface;
mod membership;
mod nat;
mod octets;
mod offload;
mod output;
mod raw;
mod row;
mod schedule;
mod segment;
mod set;
mod skeleton;

pub use closed::closed;
pub use schedule::moved_schedules;
pub(super) use set::without_copies;

use super::model::Model;
use crate::ruleset::Ruleset;
use output::Output;

/// The ruleset of a checked policy. Same model, same bytes: nothing else is looked at.
pub fn lower(model: &Model) -> Ruleset {
    let mut output = Output::default();
    schedule::sets(model, &mut output);
    set::sets(model, &mut output);
    for policy in &model.policies {
        filter::policy_chain(policy, model, &mut output);
    }
    let openings = nat::openings(model, &mut output);
    let entries = dispatch::entries(model, &openings, &mut output);
    skeleton::base_chains(model, entries, &mut output);
    nat::chains(model, &mut output);
    output.finish()
}
