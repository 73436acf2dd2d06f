//! What is digested, in its order: a program, and a table of the kernel in the very same form.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::feed::{self, Feed};
use super::instruction::instruction;
use super::{Detail, Digest, Digested, FORM, Part};
use crate::bytecode::{self, Instruction, Program};
use crate::compile::Logical;
use crate::compile::model::Terms;
use crate::live::{self, Live};
use crate::ruleset::{Addresses, Base, Element, Elements, Object, SetKind, SetSpec};

/// `NFT_TABLE_F_DORMANT`: the table is there, and no packet meets it.
const DORMANT: u32 = 1;

/// The digest of a policy. `program` is that of [`Logical::ruleset`], without asking anybody what raw rules mean; `timezones` is the
/// version of the time zone database.
pub fn policy(program: &Program, logical: &Logical, timezones: &str, detail: Detail) -> Digested {
    let Logical {
        ruleset: _,
        settings,
        fetched,
        interfaces: _,
        has_schedules,
    } = logical;
    let mut walk = Walk::new("rfw policy", detail);
    walk.whole.text(env!("CARGO_PKG_VERSION"));
    walk.whole
        .option(has_schedules.then_some(timezones), |feed, timezones| {
            feed.text(timezones);
        });
    for setting in settings.iter() {
        let mut part = Feed::default();
        part.number(setting.value);
        walk.part(Place::Setting, &setting.key.to_string(), None, part);
    }
    for (name, terms) in fetched {
        let mut part = Feed::default();
        feed_terms(&mut part, terms);
        walk.part(Place::Fetched, name, None, part);
    }
    walk.program(program);
    walk.finish()
}

/// The digest of the table as a node compiles it.
pub fn ruleset(program: &Program, detail: Detail) -> Digested {
    let mut walk = Walk::new("rfw ruleset", detail);
    walk.program(program);
    walk.finish()
}

/// The digest of the table as the kernel holds it, equal to [`ruleset`] where a plan would find nothing to do.
/// No table is an empty one, which no policy compiles to.
pub fn live(live: &Live, detail: Detail) -> Digested {
    let mut walk = Walk::new("rfw ruleset", detail);
    let Live {
        generation: _,
        table,
        others: _,
    } = live;
    if let Some(table) = table {
        let live::Table {
            handle: _,
            flags,
            mark: _,
            sets,
            objects,
            chains,
        } = table;
        if flags & DORMANT != 0 {
            walk.part(Place::Table, "dormant", None, Feed::default());
        }
        // What is anonymous comes and goes with its rule, which names it.
        for live::LiveSet {
            handle: _,
            set,
            unknown,
            anonymous,
        } in sets
        {
            if !anonymous {
                walk.set(&set.spec, &set.elements, unknown);
            }
        }
        for live::LiveObject { handle: _, object } in objects {
            walk.object(object);
        }
        for live::LiveChain {
            handle: _,
            name,
            base,
            anonymous,
            rules,
        } in chains
        {
            if !anonymous {
                let rules = rules
                    .iter()
                    .map(|rule| (rule.name.as_deref(), rule.instructions.as_slice()));
                walk.chain(name, *base, rules);
            }
        }
    }
    walk.finish()
}

fn feed_terms(feed: &mut Feed, terms: &Terms) {
    let Terms {
        source,
        refresh,
        max_entries,
        keep_last_good,
        sha256_of,
        never_contains,
    } = terms;
    feed.text(&source.to_string()).number(*max_entries);
    for span in [refresh, keep_last_good] {
        feed.option(*span, |feed, seconds| {
            feed.number(seconds);
        });
    }
    feed.option(sha256_of.as_ref(), |feed, url| {
        feed.text(url.as_str());
    });
    // How an entry is written decides nothing.
    feed.list(never_contains, |feed, (_, Addresses { v4, v6 })| {
        for interval in v4.iter() {
            feed.number(interval.lo).number(interval.hi);
        }
        feed.flag(false);
        for interval in v6.iter() {
            let bounds = [interval.lo.to_be_bytes(), interval.hi.to_be_bytes()];
            feed.bytes(bounds.as_flattened());
        }
    });
}

/// What a part is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Table,
    Setting,
    Fetched,
    Set,
    Object,
    Chain,
}

impl Place {
    fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Setting => "setting",
            Self::Fetched => "terms",
            Self::Set => "set",
            Self::Object => "object",
            Self::Chain => "chain",
        }
    }
}

/// Part after part goes into the whole; those of one place and name are kept together where they are wanted.
struct Walk {
    whole: Feed,
    parts: Option<BTreeMap<(String, Option<String>), Feed>>,
}

impl Walk {
    fn new(what: &str, detail: Detail) -> Self {
        let mut whole = Feed::default();
        whole.text(what).number(FORM);
        let parts = (detail == Detail::Parts).then(BTreeMap::new);
        Self { whole, parts }
    }

    fn part(&mut self, place: Place, at: &str, name: Option<&str>, part: Feed) -> Digest {
        let digest = part.finish();
        self.whole.text(place.word()).text(at);
        self.whole.option(name, |feed, name| {
            feed.text(name);
        });
        self.whole.digest(&digest);
        if let Some(parts) = &mut self.parts {
            let key = (format!("{} {at}", place.word()), name.map(str::to_owned));
            parts.entry(key).or_default().digest(&digest);
        }
        digest
    }

    fn program(&mut self, program: &Program) {
        let Program {
            sets,
            objects,
            chains,
        } = program;
        for set in sets {
            self.set(&set.spec, &set.elements, &[]);
        }
        for object in objects {
            self.object(object);
        }
        for bytecode::Chain { name, base, rules } in chains {
            let rules = rules
                .iter()
                .map(|rule| (rule.name.as_deref(), rule.instructions.as_slice()));
            self.chain(name, *base, rules);
        }
    }

    fn set(&mut self, spec: &SetSpec, elements: &Elements, unknown: &[String]) {
        let mut part = Feed::default();
        feed::set_spec(&mut part, spec);
        part.list(unknown, |feed, what| {
            feed.text(what);
        });
        if spec.dynamic {
            self.part(Place::Set, &spec.name, None, part);
            return;
        }
        let elements = in_order(spec, elements);
        if let Some(keys) = elements.plain() {
            part.number(keys.width() as u64).flag(keys.has_ranges());
            part.bytes(keys.as_bytes());
        }
        self.part(Place::Set, &spec.name, None, part);
        for element in elements.rich() {
            let mut part = Feed::default();
            feed::element(&mut part, element);
            self.part(Place::Set, &spec.name, element.name.as_deref(), part);
        }
    }

    fn object(&mut self, object: &Object) {
        let mut part = Feed::default();
        feed::object(&mut part, object);
        self.part(Place::Object, &object.name, None, part);
    }

    fn chain<'a>(
        &mut self,
        name: &str,
        base: Option<Base>,
        rules: impl Iterator<Item = (Option<&'a str>, &'a [Instruction])>,
    ) {
        // The order of the rules is the chain's own.
        let mut chain = Feed::default();
        chain.option(base, feed::base);
        for (rule, instructions) in rules {
            let mut part = Feed::default();
            part.list(instructions, instruction);
            // A rule without a name is told apart from the chain.
            let digest = self.part(Place::Chain, name, Some(rule.unwrap_or_default()), part);
            chain.flag(rule.is_some()).text(rule.unwrap_or_default());
            chain.digest(&digest);
        }
        self.part(Place::Chain, name, None, chain);
    }

    fn finish(self) -> Digested {
        let parts = self.parts.into_iter().flatten();
        let parts = parts.map(|((place, name), feed)| Part {
            place,
            name,
            digest: feed.finish().to_string(),
        });
        Digested {
            whole: self.whole.finish(),
            parts: parts.collect(),
        }
    }
}

/// The elements by key, and without what they have counted where that is all there is to them.
fn in_order<'a>(spec: &SetSpec, elements: &'a Elements) -> Cow<'a, Elements> {
    let is_in_order = match elements.plain() {
        Some(keys) => keys.is_in_order(),
        None => elements
            .rich()
            .is_sorted_by(|left, right| left.key < right.key),
    };
    let only_counted = spec.kind == SetKind::Set && !elements.rich().is_empty();
    if is_in_order && !only_counted {
        return Cow::Borrowed(elements);
    }
    let uncounted = elements.iter().map(|element| Element {
        count: None,
        ..element.into_owned()
    });
    let mut elements: Vec<Element> = uncounted.collect();
    elements.sort_by(|left, right| left.key.cmp(&right.key));
    Cow::Owned(elements.into())
}
