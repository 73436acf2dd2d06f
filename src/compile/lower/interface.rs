//! Interfaces of zones as matches. Always by name: an index changes when the interface comes back.

use super::output::{Entry, Output, element};
use crate::compile::model::{Interface, Model};
use crate::ruleset::{
    DataType, Expression, Key, Meta, Operand, Relation, SetKind, SetSpec, Statement,
};

/// `IFNAMSIZ` (linux/if.h): a name with its NUL.
const NAME_WIDTH: usize = 16;

/// A name as the kernel keeps it, padded with NUL.
pub(super) fn padded(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(NAME_WIDTH, 0);
    bytes
}

/// The match for one interface, or for all whose names begin alike.
pub(super) fn matches_one(interface: &Interface, key: Meta) -> Statement {
    let right = if interface.prefix {
        Operand::StartsWith(interface.name.as_bytes().into())
    } else {
        Operand::Value(padded(&interface.name).into())
    };
    Statement::Match {
        left: Expression::Meta(key),
        relation: Relation::Eq,
        right,
    }
}

/// The interfaces of zones, in order, without duplicates.
pub(super) fn of_zones<'a>(
    zones: impl IntoIterator<Item = &'a String>,
    model: &'a Model,
) -> Vec<&'a Interface> {
    let mut all: Vec<&Interface> = zones
        .into_iter()
        .filter_map(|zone| model.zones.get(zone))
        .flat_map(|zone| &zone.interfaces)
        .collect();
    all.sort();
    all.dedup();
    all
}

/// The matches that together mean "one of these interfaces": one for all plain names, one for each
/// prefix. `word` ends the name of the set that several plain names need.
pub(super) fn matches_any(
    interfaces: &[&Interface],
    key: Meta,
    word: &str,
    entry: &Entry<'_>,
    output: &mut Output,
) -> Vec<Statement> {
    let plain: Vec<&Interface> = interfaces
        .iter()
        .filter(|interface| !interface.prefix)
        .copied()
        .collect();
    let mut matches = match plain.as_slice() {
        [] => Vec::new(),
        [only] => vec![matches_one(only, key)],
        several => {
            let name = format!("{}.{word}", entry.name);
            let elements = several
                .iter()
                .map(|interface| element(Key::exact(padded(&interface.name)), None));
            let spec = SetSpec::new(name.clone(), vec![DataType::Ifname], SetKind::Set);
            output.set(spec, elements.collect(), Some(entry.origin.clone()));
            let right = Operand::Set(name);
            vec![Statement::Match {
                left: Expression::Meta(key),
                relation: Relation::Eq,
                right,
            }]
        }
    };
    let prefixes = interfaces.iter().filter(|interface| interface.prefix);
    matches.extend(prefixes.map(|interface| matches_one(interface, key)));
    matches
}
