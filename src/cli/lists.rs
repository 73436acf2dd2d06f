//! Fetched sets: the copies that they are filled from, and how new ones come.
#![expect(
    clippy::disallowed_methods,
    reason = "copies have an age, and whoever is connected must not be on a list"
)]

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::error::{Explained, Failure};
use super::output::Output;
use super::policy::{self, Purpose};
use super::{Global, session};
use crate::compile::guard::{self, Against};
use crate::compile::model::Terms;
use crate::compile::{Compiled, Copies};
use crate::policy::Policy;
use crate::ruleset::Addresses;
use crate::source::{Texts, fetch, fetch_sum};
use crate::state::{ListCopy, hex};

/// What fetched sets are filled from now.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// Their addresses, where there is a copy to be used.
    pub(super) copies: Copies,
    /// What there is to say about the others.
    pub(super) notes: Vec<String>,
    /// When the first copy becomes too old.
    pub(super) until: Option<Timestamp>,
}

/// The copies that a policy's fetched sets are filled from.
pub(super) fn stock(policy: &Policy, state_dir: &Path, now: Timestamp) -> Stock {
    let mut stock = Stock::default();
    for (name, set) in &policy.sets {
        let Some(source) = &set.source else {
            continue;
        };
        let name = name.as_str();
        let mut empty = |why: &str| {
            stock.notes.push(format!(
                "warning: the set `{name}` is empty: {why}; `rfw apply --refresh` fetches it"
            ));
        };
        let copy = match ListCopy::load(state_dir, name) {
            Err(error) => {
                empty(&error.to_string());
                continue;
            }
            Ok(None) => {
                empty("it has never been fetched");
                continue;
            }
            Ok(Some(copy)) => copy,
        };
        if copy.source != source.to_string() {
            empty("its copy is from another source");
            continue;
        }
        if let Some(keep) = set.keep_last_good {
            let end = copy.fetched.saturating_add_unsigned(keep.seconds());
            if end <= now.as_second() {
                let day = day(copy.fetched);
                empty(&format!(
                    "its last good copy is from {day}, and `keep_last_good` is {keep}"
                ));
                continue;
            }
            let end = Timestamp::from_second(end).ok();
            stock.until = stock.until.into_iter().chain(end).min();
        }
        match guard::read(&copy.text) {
            Ok(addresses) => _ = stock.copies.insert(name.to_owned(), addresses),
            Err(why) => empty(&format!("its copy cannot be read: {why}")),
        }
    }
    stock
}

fn day(seconds: i64) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or_default();
    moment.strftime("%Y-%m-%d").to_string()
}

/// Refuses copies that the policy as it is now would not have taken.
pub(super) fn refuse_forbidden(compiled: &Compiled, copies: &Copies) -> Result<(), Failure> {
    let refused = compiled.fetched.iter().filter_map(|(name, terms)| {
        let why = guard::still_good(terms, copies.get(name)?).err()?;
        Some(format!("the last good copy of `{name}`: {why}"))
    });
    let refused: Vec<String> = refused.collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::Guard(Explained {
        error: Box::new(Refused),
        details: refused,
        now: vec![
            session::UNCHANGED.to_owned(),
            "`rfw apply --refresh` fetches a list that may be better".to_owned(),
        ],
    }))
}

#[derive(Debug, thiserror::Error)]
#[error("a list was refused")]
struct Refused;

#[derive(Debug, thiserror::Error)]
#[error("a list could not be fetched")]
struct NotFetched;

#[derive(Debug, thiserror::Error)]
#[error("the policy has no set `{0}` with a `source`")]
struct NoSuchSet(String);

/// Which sets are fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// These, whatever their age; those that are due when there is none.
    pub(super) names: &'a [String],
    /// Whether they may have shrunk or grown by any amount.
    pub(super) any_size: bool,
}

/// Fetches lists and keeps the good ones. What went wrong with single ones is no reason not to go on, and is
/// returned: it is the end of the command.
pub(super) fn refresh(
    wanted: Wanted<'_>,
    texts: Texts,
    global: &Global,
    output: &mut Output,
) -> Result<Option<Failure>, Failure> {
    let purpose = Purpose::Ruleset(global.node.as_deref());
    let examined = policy::examine(texts, purpose, Some(&global.state_dir));
    let Some((_, compiled, _)) = &examined.compiled else {
        policy::print(&examined, output);
        return Err(Failure::Rejected);
    };
    let sets = &compiled.fetched;
    if let Some(unknown) = wanted.names.iter().find(|name| !sets.contains_key(*name)) {
        return Err(Failure::world_now(
            NoSuchSet(unknown.clone()),
            session::UNCHANGED,
        ));
    }
    let us = us();
    let (mut refused, mut missed) = (Vec::new(), Vec::new());
    for (name, terms) in sets {
        let copy = ListCopy::load(&global.state_dir, name).ok().flatten();
        let copy = copy.filter(|copy| copy.source == terms.source.to_string());
        let is_wanted = match wanted.names {
            [] => is_due(terms, copy.as_ref()),
            names => names.contains(name),
        };
        if !is_wanted {
            if wanted.names.is_empty() {
                output.note(&format!("{name}: its copy is new enough"));
            }
            continue;
        }
        let before = copy.and_then(|copy| guard::read(&copy.text).ok());
        let against = Against {
            before: before.as_ref(),
            us: &us,
            any_size: wanted.any_size,
        };
        match renew(name, terms, against, global) {
            Ok(addresses) => {
                let entries = guard::size(&addresses);
                let was = before.map_or_else(
                    || "none before".to_owned(),
                    |before| format!("{} before", guard::size(&before)),
                );
                output.note(&format!(
                    "{name}: fetched from {}, entries: {entries}, {was}",
                    terms.source
                ));
            }
            Err(Miss::Refused(why)) => {
                refused.push(format!("`{name}` from {}: {why}", terms.source));
            }
            Err(Miss::Failed(why)) => missed.push(format!("`{name}`: {why}")),
        }
    }
    let now = vec!["the last good copy stays in use".to_owned()];
    Ok(match (refused.is_empty(), missed.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Failure::World(Explained {
            error: Box::new(NotFetched),
            details: missed,
            now,
        })),
        (false, _) => Some(Failure::Guard(Explained {
            error: Box::new(Refused),
            details: [refused, missed].concat(),
            now,
        })),
    })
}

/// A fetched set, as far as one must know it to see whether its list is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Its name.
    pub(super) name: String,
    /// Where its list comes from.
    source: String,
    /// How old a copy is, in seconds, when it is fetched again.
    refresh: Option<u64>,
}

impl Fetched {
    pub(super) fn new(name: String, terms: &Terms) -> Self {
        Self {
            name,
            source: terms.source.to_string(),
            refresh: terms.refresh,
        }
    }

    /// When it is due (Unix seconds): long ago without a copy; never with one, when there is no `refresh`.
    fn due(&self, state_dir: &Path) -> Option<i64> {
        let copy = ListCopy::load(state_dir, &self.name).ok().flatten();
        match copy.filter(|copy| copy.source == self.source) {
            None => Some(0),
            Some(copy) => Some(copy.fetched.saturating_add_unsigned(self.refresh?)),
        }
    }
}

/// When the first of these is due (Unix seconds).
pub(super) fn next(fetched: &[Fetched], state_dir: &Path) -> Option<i64> {
    fetched.iter().filter_map(|set| set.due(state_dir)).min()
}

/// Those that are due.
pub(super) fn due(fetched: &[Fetched], state_dir: &Path, now: Timestamp) -> Vec<String> {
    let is_due = |set: &&Fetched| set.due(state_dir).is_some_and(|at| at <= now.as_second());
    let due = fetched.iter().filter(is_due);
    due.map(|set| set.name.clone()).collect()
}

fn is_due(terms: &Terms, copy: Option<&ListCopy>) -> bool {
    let (Some(copy), Some(refresh)) = (copy, terms.refresh) else {
        return true;
    };
    copy.fetched.saturating_add_unsigned(refresh) <= Timestamp::now().as_second()
}

/// Why there is no new copy.
enum Miss {
    /// The list is not good.
    Refused(String),
    /// There is no list.
    Failed(String),
}

fn renew(
    name: &str,
    terms: &Terms,
    against: Against<'_>,
    global: &Global,
) -> Result<Addresses, Miss> {
    let failed = |error: &dyn std::error::Error| Miss::Failed(error.to_string());
    let text = fetch(&terms.source).map_err(|error| failed(&error))?;
    if let Some(url) = &terms.sha256_of {
        let published = fetch_sum(url).map_err(|error| failed(&error))?;
        let sum = hex(&Sha256::digest(&text));
        // `sha256sum` writes the name behind it.
        let said = String::from_utf8_lossy(&published);
        let said = said.split_whitespace().next().unwrap_or_default();
        if !said.eq_ignore_ascii_case(&sum) {
            let message = format!("its SHA-256 is {sum}, and {url} says another");
            return Err(Miss::Refused(message));
        }
    }
    let addresses = guard::judge(terms, &text, against).map_err(Miss::Refused)?;
    let copy = ListCopy {
        source: terms.source.to_string(),
        fetched: Timestamp::now().as_second(),
        text,
    };
    copy.store(&global.state_dir, name)
        .map_err(|error| Miss::Failed(format!("{error}: {}", error.source)))?;
    Ok(addresses)
}

/// The addresses of this box, and of whoever runs this command over ssh.
fn us() -> Vec<IpAddr> {
    let connected = std::env::var("SSH_CONNECTION").unwrap_or_default();
    let connected = connected.split_whitespace().next();
    let mut us = crate::host::addresses();
    us.extend(connected.and_then(|address| address.parse::<IpAddr>().ok()));
    us
}
