//! Sets whose content is not the policy's: which there are in the kernel, and how a packet meets them.

use super::address::{End, address_type, keys, suffixes};
use super::output::{NEVER_EXPIRES, Output};
use crate::compile::model::{LivingSet, Model};
use crate::ruleset::{
    Elements, Expression, Family, Operand, Origin, Relation, Ruleset, SetKind, SetSpec, Statement,
};

/// How the names of all of them begin, and of no other set.
const PREFIX: &str = "set/";

/// Makes the sets that the policy defines, whether rules have them at the moment or not: what is in them must not be
/// lost because a rule is away for a while.
pub(super) fn sets(model: &Model, output: &mut Output) {
    for (name, set) in &model.sets {
        for family in Family::BOTH {
            let key = vec![address_type(family)];
            let mut spec = SetSpec::new(set_name(name, set, family), key, SetKind::Set);
            let elements = match set {
                LivingSet::Dynamic { timeout, size } => {
                    spec.dynamic = true;
                    spec.timeout = Some(timeout * 1000);
                    spec.size = Some(*size);
                    Elements::new()
                }
                // Always of ranges, so that another copy is never another set.
                LivingSet::Fetched {
                    addresses,
                    terms: _,
                } => {
                    spec.interval = true;
                    spec.gc_interval = Some(NEVER_EXPIRES);
                    keys(addresses, family).into()
                }
            };
            output.filled_set(spec, elements, Origin(format!("sets.{name}")));
        }
    }
}

/// A ruleset whose fetched sets hold nothing: what the copies of a box hold is no part of a policy.
pub(in crate::compile) fn without_copies(mut ruleset: Ruleset) -> Ruleset {
    let sets = ruleset.sets.iter_mut();
    for set in sets.filter(|set| set.spec.name.starts_with(PREFIX)) {
        set.elements = Elements::new();
    }
    ruleset
}

/// Whether an address is in a set.
pub(super) fn is_in(
    name: &str,
    end: End,
    family: Family,
    relation: Relation,
    model: &Model,
) -> Option<Statement> {
    let set = model.sets.get(name)?;
    Some(Statement::Match {
        left: match set {
            LivingSet::Dynamic { .. } => key(end, family),
            LivingSet::Fetched { .. } => Expression::Field(end.field(family)),
        },
        relation,
        right: Operand::Set(set_name(name, set, family)),
    })
}

/// Puts the source of a packet into a dynamic set, a statement for each family.
pub(super) fn add_source(name: &str, model: &Model) -> Vec<Statement> {
    let set = model.sets.get(name);
    let families = Family::BOTH.into_iter().filter_map(|family| {
        Some(Statement::SetUpdate {
            set: set_name(name, set?, family),
            key: key(End::Source, family),
        })
    });
    families.collect()
}

fn set_name(name: &str, set: &LivingSet, family: Family) -> String {
    let (exact, ranges) = suffixes(family);
    let end = match set {
        LivingSet::Dynamic { .. } => exact,
        LivingSet::Fetched { .. } => ranges,
    };
    format!("{PREFIX}{name}.{end}")
}

/// What counts as one host: an IPv4 address, or an IPv6 /64, inside of which a host picks its own address (RFC 8981).
pub(super) fn key(end: End, family: Family) -> Expression {
    let field = end.field(family);
    match family {
        Family::Ipv4 => Expression::Field(field),
        Family::Ipv6 => Expression::Masked(field, (u128::MAX << 64).to_be_bytes().into()),
    }
}
