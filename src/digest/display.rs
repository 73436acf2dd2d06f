//! Digests and comparisons as text for people.

use std::fmt::{self, Display, Formatter};

use super::compare::{Both, Comparison, Difference, NodeDifference, Side};
use super::view::{NodeValue, View};
use crate::view::printable;

impl Display for View {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version: _,
            rfw: _,
            timezones: _,
            policy,
            ruleset,
            live,
            node,
            parts,
        } = self;
        writeln!(f, "policy     {policy}")?;
        writeln!(f, "ruleset    {ruleset}")?;
        let says = match self.is_held() {
            Some(true) => "",
            Some(false) => "  is not the ruleset; `rfw plan` shows what differs",
            None => "was not read",
        };
        writeln!(
            f,
            "live       {}{says}",
            live.as_deref().unwrap_or_default()
        )?;
        for NodeValue { what, value } in node {
            writeln!(f, "node       {what}: {}", printable(value))?;
        }
        for part in parts {
            let short = part.digest.get(..16).unwrap_or(&part.digest);
            write!(f, "{short}  {}", printable(&part.place))?;
            named(f, part.name.as_deref())?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version: _,
            same_policy,
            rfw,
            policy,
            timezones,
            differences,
            node,
            held_here,
            held_there,
        } = self;
        let Both { here, there } = policy;
        let (here, there) = (shown(here.as_deref()), shown(there.as_deref()));
        if *same_policy {
            writeln!(f, "policy     the same: {here}")?;
        } else {
            writeln!(f, "policy     differs: {here} here, {there} there")?;
        }
        for (what, Both { here, there }) in [("rfw", rfw), ("time zones", timezones)] {
            if here != there {
                let (here, there) = (shown(here.as_deref()), shown(there.as_deref()));
                writeln!(f, "{what:10} {here} here, {there} there")?;
            }
        }
        for Difference { place, name, on } in differences {
            let word = match on {
                Side::Here => "here",
                Side::There => "there",
                Side::Both => "differs",
            };
            write!(f, "{word:10} {}", printable(place))?;
            named(f, name.as_deref())?;
            if name.is_none() && *on == Side::Both && place.starts_with("chain ") {
                write!(f, ": the order of its rules, or its hook")?;
            }
            writeln!(f)?;
        }
        if !same_policy && differences.is_empty() {
            writeln!(f, "           which rules differ, the peer does not say")?;
        }
        for NodeDifference { what, here, there } in node {
            let (here, there) = (shown(here.as_deref()), shown(there.as_deref()));
            writeln!(f, "node       {what}: {here} here, {there} there")?;
        }
        let holds = |held: &Option<bool>, which: &str| match held {
            Some(true) => format!("what {which} node compiles"),
            Some(false) => format!("not what {which} node compiles; `rfw plan` shows what differs"),
            None => "not known".to_owned(),
        };
        writeln!(
            f,
            "live       here {}; there {}",
            holds(held_here, "this"),
            holds(held_there, "that")
        )
    }
}

fn named(f: &mut Formatter<'_>, name: Option<&str>) -> fmt::Result {
    match name {
        None => Ok(()),
        Some("") => write!(f, ": rules without a name"),
        Some(name) => write!(f, " \"{}\"", printable(name)),
    }
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), printable)
}
