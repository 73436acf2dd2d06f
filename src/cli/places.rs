//! Where the policy says what was met: file and line. Of a rule by where it was compiled from; of an element of a verdict map, which
//! is a rule merged with others, by the name of that rule.
#![expect(
    clippy::disallowed_methods,
    reason = "a policy is read as of today, and the command line is where the clock is read"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::policy;
use crate::bytecode::Program;
use crate::compile::{self, Given};
use crate::diagnostic::{DocPath, SourceText};
use crate::evaluate::{ElementView, Named};
use crate::policy::Locations;
use crate::ruleset::{Origin, TABLE};
use crate::source::Texts;

/// Where something that was compiled comes from.
type Of<'t> = Box<dyn Fn(&Origin) -> Option<String> + 't>;

/// Finds it.
pub(super) struct Places<'t> {
    of: Of<'t>,
    /// Of everything that counts packets.
    counted: BTreeMap<String, DocPath>,
    /// Only its elements are the policy's; `None`: all are.
    only: Option<&'t Program>,
}

impl<'t> Places<'t> {
    /// In these texts, with the places of names.
    pub(super) fn new(
        sources: &'t [SourceText],
        locations: &'t Locations,
        counted: Vec<(String, DocPath)>,
    ) -> Self {
        Self {
            of: Box::new(policy::places(sources, locations)),
            counted: counted.into_iter().collect(),
            only: None,
        }
    }

    /// The same of rules in the kernel, which may hold others: an element is the policy's only if that compiles to it.
    pub(super) fn in_kernel(self, program: &'t Program) -> Self {
        Self {
            only: Some(program),
            ..self
        }
    }

    /// Of what was compiled from there.
    pub(super) fn of(&self, origin: &Origin) -> Option<String> {
        (self.of)(origin)
    }

    /// Of a name.
    fn named(&self, name: &str) -> Option<String> {
        self.of(&Origin(self.counted.get(name)?.to_string()))
    }

    /// Of an element.
    pub(super) fn element(&self, view: &ElementView<'_>) -> Option<String> {
        let is_ours = self.only.is_none_or(|program| has(program, view));
        self.named(view.name()).filter(|_| is_ours)
    }

    /// Of what has decided.
    pub(super) fn decided(&self, named: &Named<'_>) -> Option<String> {
        match named {
            Named::Element(view) => self.element(view),
            Named::Rule(view) => self.of(view.origin?),
        }
    }

    /// Of all names.
    pub(super) fn all(self) -> BTreeMap<String, String> {
        let names = self.counted.keys();
        let placed = names.filter_map(|name| Some((name.clone(), self.named(name)?)));
        placed.collect()
    }
}

fn has(program: &Program, view: &ElementView<'_>) -> bool {
    let mut sets = program.sets.iter();
    (view.family, view.table) == ("inet", TABLE)
        && sets.any(|set| {
            let mut elements = set.elements.rich().iter();
            set.spec.name == view.set && elements.any(|element| is(element, view.element))
        })
}

/// Whether two are one, whatever they have counted.
fn is(a: &crate::ruleset::Element, b: &crate::ruleset::Element) -> bool {
    (&a.key, &a.datum, &a.name) == (&b.key, &b.datum, &b.name)
}

/// What counts packets, by stable name, and where everything stands; `None` for texts that are no policy.
pub(super) fn counted(texts: &Texts) -> Option<(Vec<(String, DocPath)>, Locations)> {
    let (lists, _) = compile::lists(texts.lists());
    let now = Timestamp::now();
    let parsed = crate::policy::parse_and(texts.documents(), |policy| {
        let given = Given {
            lists: &lists,
            ..Given::from(now.to_zoned_datetime(compile::timezone(&policy)).date())
        };
        compile::resolve(policy, given).0
    });
    let model = parsed.policy.flatten()?;
    Some((model.counted(), parsed.locations))
}
