//! Sets whose content is not the policy's: which there are in the kernel, and how a packet meets them.

use super::address::{End, address_type};
use super::output::Output;
use crate::compile::model::{LivingSet, Model};
use crate::ruleset::{Expression, Family, Operand, Origin, Relation, SetKind, SetSpec, Statement};

/// Makes the sets that the policy defines, whether rules have them at the moment or not: what is in them must not be
/// lost because a rule is away for a while.
pub(super) fn sets(model: &Model, output: &mut Output) {
    for (name, set) in &model.sets {
        let LivingSet::Dynamic { timeout, size } = set;
        for family in Family::BOTH {
            let key = vec![address_type(family)];
            let mut spec = SetSpec::new(set_name(name, family), key, SetKind::Set);
            spec.dynamic = true;
            spec.timeout = Some(timeout * 1000);
            spec.size = Some(*size);
            output.set(spec, Vec::new(), Some(Origin(format!("sets.{name}"))));
        }
    }
}

/// Whether an address is in a set.
pub(super) fn is_in(name: &str, end: End, family: Family, relation: Relation) -> Statement {
    Statement::Match {
        left: key(end, family),
        relation,
        right: Operand::Set(set_name(name, family)),
    }
}

/// Puts the source of a packet into a dynamic set, a statement for each family.
pub(super) fn add_source(name: &str) -> impl Iterator<Item = Statement> {
    Family::BOTH
        .into_iter()
        .map(move |family| Statement::SetUpdate {
            set: set_name(name, family),
            key: key(End::Source, family),
        })
}

fn set_name(name: &str, family: Family) -> String {
    let end = match family {
        Family::Ipv4 => "ip4",
        Family::Ipv6 => "ip6",
    };
    format!("set/{name}.{end}")
}

/// What counts as one host: an IPv4 address, or an IPv6 /64, inside of which a host picks its own address (RFC 8981).
pub(super) fn key(end: End, family: Family) -> Expression {
    let field = end.field(family);
    match family {
        Family::Ipv4 => Expression::Field(field),
        Family::Ipv6 => Expression::Masked(field, (u128::MAX << 64).to_be_bytes().into()),
    }
}
