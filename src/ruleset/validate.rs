//! The contract of a ruleset, checked once: backends accept [`Valid`] only.
//!
//! What is found here is a mistake of the compiler, or a policy that is larger than nf_tables can hold;
//! mistakes of the operator are diagnostics and are found before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{
    Chain, ChainType, Datum, Element, Expression, Operand, Rule, Ruleset, Set, SetKind, SetSpec,
    Statement, Verdict,
};

/// A ruleset that keeps the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid(Ruleset);

impl Valid {
    /// The ruleset.
    pub fn ruleset(&self) -> &Ruleset {
        &self.0
    }

    /// The ruleset, for the backend that it ends in.
    pub fn into_ruleset(self) -> Ruleset {
        self.0
    }
}

/// What breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// Two chains, or two sets, have one name.
    Duplicate(String),
    /// The kernel takes at most 255 bytes (linux/netfilter/nf_tables.h `NFT_NAME_MAXLEN`).
    NameTooLong(String),
    /// A comment that nft(8) cannot show: 127 bytes at most.
    CommentTooLong(String),
    /// A chain, set or object that is referred to does not exist.
    Missing(String),
    /// Chains call each other deeper than 15 levels or in a circle; the chain named.
    TooDeep(String),
    /// A filter base chain does not end in a rule that always decides.
    OpenEnd(String),
    /// An element has another width than its set's key, or its keys are not sorted and disjoint.
    BadElement(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(name) => write!(f, "`{name}` is there twice"),
            Self::NameTooLong(name) => write!(f, "the name `{name}` has more than 255 bytes"),
            Self::CommentTooLong(name) => write!(f, "the comment `{name}` has more than 127 bytes"),
            Self::Missing(name) => write!(f, "`{name}` is referred to but not there"),
            Self::TooDeep(name) => write!(
                f,
                "chain `{name}` is called deeper than 15 levels, or by itself"
            ),
            Self::OpenEnd(name) => write!(f, "base chain `{name}` does not end in a verdict"),
            Self::BadElement(name) => write!(f, "set `{name}` has an element that does not fit"),
        }
    }
}

/// Checks the contract.
///
/// # Errors
/// Everything that breaks it, sorted.
pub fn validate(ruleset: Ruleset) -> Result<Valid, Vec<Violation>> {
    let mut found = BTreeSet::new();
    names(&ruleset, &mut found);
    references(&ruleset, &mut found);
    depth(&ruleset, &mut found);
    for chain in &ruleset.chains {
        if chain
            .base
            .is_some_and(|base| base.kind == ChainType::Filter)
            && !ends(chain)
        {
            found.insert(Violation::OpenEnd(chain.name.clone()));
        }
    }
    for set in ruleset.sets.iter().filter(|set| !elements_fit(set)) {
        found.insert(Violation::BadElement(set.spec.name.clone()));
    }
    if found.is_empty() {
        Ok(Valid(ruleset))
    } else {
        Err(found.into_iter().collect())
    }
}

fn names(ruleset: &Ruleset, found: &mut BTreeSet<Violation>) {
    const MOST: usize = 255;
    const MOST_COMMENT: usize = 127;
    let groups: [Vec<&String>; 3] = [
        ruleset.chains.iter().map(|chain| &chain.name).collect(),
        ruleset.sets.iter().map(|set| &set.spec.name).collect(),
        ruleset.objects.iter().map(|object| &object.name).collect(),
    ];
    for group in groups {
        let mut seen = BTreeSet::new();
        for name in group {
            if !seen.insert(name) {
                found.insert(Violation::Duplicate(name.clone()));
            }
            if name.len() > MOST {
                found.insert(Violation::NameTooLong(name.clone()));
            }
        }
    }
    let rules = ruleset
        .chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .filter_map(|rule| rule.name.as_ref());
    let elements = ruleset
        .sets
        .iter()
        .flat_map(|set| set.elements.rich())
        .filter_map(|element| element.name.as_ref());
    found.extend(
        rules
            .chain(elements)
            .filter(|name| name.len() > MOST_COMMENT)
            .map(|name| Violation::CommentTooLong(name.clone())),
    );
}

/// What a ruleset refers to.
enum Reference<'a> {
    Chain(&'a str),
    Set(&'a str),
    Object(&'a str),
}

fn references(ruleset: &Ruleset, found: &mut BTreeSet<Violation>) {
    let chains: BTreeSet<&str> = ruleset
        .chains
        .iter()
        .map(|chain| chain.name.as_str())
        .collect();
    let sets: BTreeSet<&str> = ruleset
        .sets
        .iter()
        .map(|set| set.spec.name.as_str())
        .collect();
    let objects: BTreeSet<&str> = ruleset
        .objects
        .iter()
        .map(|object| object.name.as_str())
        .collect();
    let mut check = |reference: Reference<'_>| {
        let (name, there) = match reference {
            Reference::Chain(name) => (name, chains.contains(name)),
            Reference::Set(name) => (name, sets.contains(name)),
            Reference::Object(name) => (name, objects.contains(name)),
        };
        if !there {
            found.insert(Violation::Missing(name.to_owned()));
        }
    };
    for statement in ruleset
        .chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .flat_map(|rule| &rule.statements)
    {
        refers(statement, &mut check);
    }
    for element in ruleset.sets.iter().flat_map(|set| set.elements.rich()) {
        if let Some(Datum::Verdict(verdict)) = &element.datum {
            target(verdict)
                .map(Reference::Chain)
                .into_iter()
                .for_each(&mut check);
        }
    }
}

fn refers<'a>(statement: &'a Statement, check: &mut impl FnMut(Reference<'a>)) {
    match statement {
        Statement::Match {
            left,
            relation: _,
            right,
        } => {
            map_of(left)
                .map(Reference::Set)
                .into_iter()
                .for_each(&mut *check);
            if let Operand::Set(name) = right {
                check(Reference::Set(name));
            }
        }
        Statement::NamedLimit(name) | Statement::CtHelper(name) | Statement::Offload(name) => {
            check(Reference::Object(name));
        }
        Statement::Verdict(verdict) => target(verdict)
            .map(Reference::Chain)
            .into_iter()
            .for_each(check),
        Statement::VerdictMap { key: _, map } => check(Reference::Set(map)),
        Statement::Meter {
            set,
            key: _,
            limit: _,
        }
        | Statement::CountConnections {
            set,
            key: _,
            most: _,
        }
        | Statement::SetUpdate { set, key: _ } => check(Reference::Set(set)),
        Statement::Nat(super::Nat {
            kind: _,
            family: _,
            address,
            port,
            flags: _,
        }) => {
            if let super::NatAddress::Map(expression) = address {
                map_of(expression)
                    .map(Reference::Set)
                    .into_iter()
                    .for_each(&mut *check);
            }
            port_refers(port.as_ref(), check);
        }
        Statement::Redirect { port } => port_refers(port.as_ref(), check),
        Statement::Counter
        | Statement::Limit(_)
        | Statement::CtLabel(_)
        | Statement::Log(_)
        | Statement::Reject(_)
        | Statement::Masquerade
        | Statement::Raw(_)
        | Statement::ClampMss => {}
    }
}

fn port_refers<'a>(port: Option<&'a super::NatPort>, check: &mut impl FnMut(Reference<'a>)) {
    if let Some(super::NatPort::Map(expression)) = port {
        map_of(expression)
            .map(Reference::Set)
            .into_iter()
            .for_each(check);
    }
}

fn map_of(expression: &Expression) -> Option<&str> {
    if let Expression::Map(_, name) = expression {
        Some(name)
    } else {
        None
    }
}

fn target(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Jump(name) | Verdict::Goto(name) => Some(name),
        Verdict::Accept | Verdict::Drop | Verdict::Continue | Verdict::Return => None,
    }
}

/// The kernel follows at most 16 levels including the base chain (`NFT_JUMP_STACK_SIZE`), and counts a
/// goto like a jump.
fn depth(ruleset: &Ruleset, found: &mut BTreeSet<Violation>) {
    const MOST: usize = 15;
    let sets: BTreeMap<&str, &Set> = ruleset
        .sets
        .iter()
        .map(|set| (set.spec.name.as_str(), set))
        .collect();
    let calls: BTreeMap<&str, BTreeSet<&str>> = ruleset
        .chains
        .iter()
        .map(|chain| (chain.name.as_str(), called(chain, &sets)))
        .collect();
    for chain in ruleset.chains.iter().filter(|chain| chain.base.is_some()) {
        let mut level = BTreeSet::from([chain.name.as_str()]);
        for _ in 0..MOST {
            level = level
                .iter()
                .filter_map(|name| calls.get(name))
                .flatten()
                .copied()
                .collect();
        }
        let deeper = level
            .iter()
            .filter(|name| calls.get(*name).is_some_and(|next| !next.is_empty()));
        found.extend(deeper.map(|name| Violation::TooDeep((*name).to_owned())));
    }
}

fn called<'a>(chain: &'a Chain, sets: &BTreeMap<&str, &'a Set>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for statement in chain.rules.iter().flat_map(|rule| &rule.statements) {
        if let Statement::Verdict(verdict) = statement {
            names.extend(target(verdict));
        }
        if let Statement::VerdictMap { key: _, map } = statement {
            for element in sets
                .get(map.as_str())
                .into_iter()
                .flat_map(|set| set.elements.rich())
            {
                if let Some(Datum::Verdict(verdict)) = &element.datum {
                    names.extend(target(verdict));
                }
            }
        }
    }
    names
}

/// Whether the last rule decides whatever the packet is.
fn ends(chain: &Chain) -> bool {
    let decides = |rule: &Rule| {
        matches!(
            rule.statements.as_slice(),
            [Statement::Verdict(Verdict::Accept | Verdict::Drop)]
                | [
                    Statement::Counter,
                    Statement::Verdict(Verdict::Accept | Verdict::Drop)
                ]
        )
    };
    chain.rules.last().is_some_and(decides)
}

fn elements_fit(set: &Set) -> bool {
    let concatenated_ranges = set.spec.interval && set.spec.key.len() > 1;
    match set.elements.plain() {
        Some(keys) => {
            let kind_fits = keys.is_empty()
                || keys.width() == set.spec.key_width()
                    && set.spec.kind == SetKind::Set
                    && (set.spec.interval || !keys.has_ranges());
            let in_order = concatenated_ranges
                || keys
                    .iter()
                    .zip(keys.iter().skip(1))
                    .all(|((_, last), (lo, _))| last < lo);
            kind_fits && in_order
        }
        None => rich_elements_fit(&set.spec, set.elements.rich(), concatenated_ranges),
    }
}

fn rich_elements_fit(spec: &SetSpec, elements: &[Element], concatenated_ranges: bool) -> bool {
    let width = spec.key_width();
    let wide = elements.iter().all(|element| {
        let has_datum = element.datum.is_some();
        element.key.lo.len() == width
            && element.key.last().len() == width
            && has_datum == (spec.kind != SetKind::Set)
            && (spec.interval || element.key.hi.is_none())
    });
    let in_order = elements.windows(2).all(|pair| match pair {
        [before, after] => before.key.last() < &*after.key.lo || concatenated_ranges,
        _ => true,
    });
    wide && in_order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Base, ChainPolicy, DataType, Hook, Key};

    #[track_caller]
    fn check(ruleset: Ruleset, expect: &str) {
        let found = validate(ruleset).err().unwrap_or_default();
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(text.join("; "), expect);
    }

    fn chain(name: &str, base: bool, verdicts: &[Verdict]) -> Chain {
        let base = base.then_some(Base {
            kind: ChainType::Filter,
            hook: Hook::Input,
            priority: 0,
            policy: ChainPolicy::Drop,
        });
        let rules = verdicts
            .iter()
            .map(|verdict| Rule {
                name: None,
                statements: vec![Statement::Verdict(verdict.clone())],
                origin: None,
            })
            .collect();
        Chain {
            name: name.to_owned(),
            base,
            rules,
        }
    }

    fn jump(to: &str) -> Verdict {
        Verdict::Jump(to.to_owned())
    }

    #[test]
    fn a_base_chain_must_end_in_a_verdict() {
        let open = chain("input", true, &[Verdict::Drop, Verdict::Return]);
        check(
            Ruleset {
                chains: vec![open],
                ..Ruleset::default()
            },
            "base chain `input` does not end in a verdict",
        );
        let closed = chain("input", true, &[Verdict::Drop]);
        check(
            Ruleset {
                chains: vec![closed],
                ..Ruleset::default()
            },
            "",
        );
    }

    #[test]
    fn references_must_exist() {
        let chains = vec![chain("input", true, &[jump("gone"), Verdict::Drop])];
        check(
            Ruleset {
                chains,
                ..Ruleset::default()
            },
            "`gone` is referred to but not there",
        );
    }

    #[test]
    fn chains_may_nest_fifteen_deep() {
        let nested = |levels: usize| {
            let mut chains = vec![chain("c0", true, &[jump("c1"), Verdict::Drop])];
            chains.extend((1..levels).map(|level| {
                chain(
                    &format!("c{level}"),
                    false,
                    &[jump(&format!("c{}", level + 1))],
                )
            }));
            chains.push(chain(&format!("c{levels}"), false, &[]));
            Ruleset {
                chains,
                ..Ruleset::default()
            }
        };
        check(nested(15), "");
        check(
            nested(16),
            "chain `c15` is called deeper than 15 levels, or by itself",
        );
    }

    #[test]
    fn elements_must_fit_and_be_disjoint() {
        let set = |elements: Vec<Key>| {
            let mut spec = SetSpec::new("ports", vec![DataType::InetService], SetKind::Set);
            spec.interval = true;
            let elements = elements
                .into_iter()
                .map(|key| Element {
                    key,
                    datum: None,
                    name: None,
                    count: None,
                })
                .collect();
            Ruleset {
                sets: vec![Set {
                    spec,
                    elements,
                    origin: None,
                }],
                ..Ruleset::default()
            }
        };
        check(
            set(vec![Key::exact([0, 1]), Key::range([0, 2], [0, 9])]),
            "",
        );
        check(
            set(vec![Key::range([0, 1], [0, 2]), Key::range([0, 2], [0, 9])]),
            "set `ports` has an element that does not fit",
        );
        check(
            set(vec![Key::exact([0, 0, 1])]),
            "set `ports` has an element that does not fit",
        );
    }
}
