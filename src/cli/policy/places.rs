//! Where the texts of a policy say something: `office.yaml:73`.

use std::cell::LazyCell;

use crate::diagnostic::{DocPath, Lines, Locate, Place, SourceText};
use crate::policy::Locations;
use crate::ruleset::Origin;

/// Finds where texts say what something came from: `office.yaml:73`.
pub(in crate::cli) fn places<'t>(
    sources: &'t [SourceText],
    locations: &'t Locations,
) -> impl Fn(&Origin) -> Option<String> + 't {
    let lines = LazyCell::new(|| {
        let texts = sources.iter().map(|source| Lines::new(&source.text));
        texts.collect::<Vec<_>>()
    });
    move |origin| {
        let path: DocPath = origin.0.parse().ok()?;
        let spot = locations.locate(&Place::Value(path))?;
        let line = lines.get(spot.source)?.position(spot.bytes.start).line;
        Some(format!("{}:{line}", sources.get(spot.source)?.name))
    }
}
