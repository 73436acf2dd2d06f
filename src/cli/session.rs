//! What plan, apply and remove share: the kernel, the lock, and what was verified last.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line reads the clock, chance, and the lock file"
)]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::Global;
use super::error::{Explained, Failure};
use super::output::Output;
use super::policy::Loaded;
use super::{counters, settings, time_zone};
use crate::kernel::{Kernel, ObserveError};
use crate::live::{Generation, Known, Live};
use crate::netlink::{Netlink, TableIdentity};
use crate::reconcile::Untouched;
use crate::ruleset::Keys;
use crate::state::{self, KeptSet, UntouchedTable, Verified, hex, keep, kept};
use crate::system::Difference;
use crate::view::Switch;

/// Held while the ruleset is changed.
pub(super) const LOCK: &str = "lock";
/// How long another rfw may hold it before a command gives up.
const PATIENCE: Duration = Duration::from_secs(5);

const CHANCE: &str = "/dev/urandom";

/// What is true after every failure to read.
pub(super) const UNCHANGED: &str = "the ruleset in the kernel is unchanged";

/// Opens the conversation with the kernel.
pub(super) fn open() -> Result<Netlink, Failure> {
    Netlink::open().map_err(unreadable)
}

/// One consistent reading of the live ruleset.
pub(super) fn observe(kernel: &mut Netlink) -> Result<Live, Failure> {
    kernel.observe().map_err(unreadable)
}

/// Why there is no reading.
pub(super) fn unreadable(error: ObserveError) -> Failure {
    Failure::world_now(error, UNCHANGED)
}

/// Bytes by chance.
pub(super) fn by_chance<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open(CHANCE)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A fresh mark for a table that rfw creates.
pub(super) fn fresh_mark() -> Result<[u8; 16], Failure> {
    by_chance().map_err(|source| {
        let path = CHANCE.into();
        Failure::world_now(CannotOpen { path, source }, UNCHANGED)
    })
}

/// What was verified last, and is in rfw's table still.
pub(super) struct Remembered {
    pub(super) verified: Verified,
    /// The generation of the kernel.
    pub(super) now: Generation,
    /// Whether nobody has committed anything since; else it was heard that nobody has touched rfw's table.
    pub(super) is_still: bool,
}

impl Remembered {
    /// The elements of large sets.
    pub(super) fn known(&self, global: &Global) -> Option<Known> {
        known(&self.verified, self.now, global)
    }
}

/// What was verified last, if rfw's table is still the same for all that a daemon has heard.
pub(super) fn remembered(
    kernel: &mut Netlink,
    global: &Global,
) -> Result<Option<Remembered>, Failure> {
    let heard = UntouchedTable::load(&global.run_dir);
    remembered_where(kernel, global, |verified| {
        let UntouchedTable {
            version: _,
            table,
            mark,
            since,
            until,
        } = heard?;
        let is_its = table == verified.table && mark == verified.mark;
        is_its.then_some(Untouched { since, until })
    })
}

/// The same, with what was heard.
pub(super) fn remembered_where(
    kernel: &mut Netlink,
    global: &Global,
    heard: impl FnOnce(&Verified) -> Option<Untouched>,
) -> Result<Option<Remembered>, Failure> {
    let Some(verified) = Verified::load(&global.state_dir) else {
        return Ok(None);
    };
    let (now, identity) = kernel.identity().map_err(unreadable)?;
    if !is_its_table(&verified, identity.as_ref()) {
        return Ok(None);
    }
    let is_still = now.0 == verified.generation;
    let is_same =
        is_still || heard(&verified).is_some_and(|heard| heard.holds(verified.generation, now.0));
    Ok(is_same.then_some(Remembered {
        verified,
        now,
        is_still,
    }))
}

/// Whether the table is the one that was verified, and not another of its name.
pub(super) fn is_its_table(verified: &Verified, table: Option<&TableIdentity>) -> bool {
    table.is_some_and(|table| {
        table.handle == verified.table && table.mark.is_some_and(|mark| hex(&mark) == verified.mark)
    })
}

/// The settings of the box, and what the schedules do next, if these texts are what was verified, neither the time nor
/// the node has moved on since, and the settings are still equal; says again what there was to say.
pub(super) fn still_verified(
    verified: &Verified,
    global: &Global,
    digest: &str,
    output: &mut Output,
) -> Result<Option<(Difference, Vec<Switch>)>, Failure> {
    let Some(wanted) = verified.settings() else {
        return Ok(None);
    };
    let Verified {
        version: _,
        rfw: _,
        policy,
        node,
        generation: _,
        table: _,
        mark: _,
        until,
        settings: _,
        lists,
        elements: _,
        minutes_west,
        warnings,
        next,
    } = verified;
    let holds = policy == digest
        && *node == global.node
        && *minutes_west == time_zone::minutes_west()
        && *lists == state::copies_digest(&global.state_dir)
        && until.is_none_or(|until| Timestamp::now().as_second() < until);
    if !holds {
        return Ok(None);
    }
    let difference = settings::compare(&wanted, global)?;
    if !difference.is_empty() {
        return Ok(None);
    }
    if !warnings.is_empty() {
        output.note(warnings);
    }
    Ok(Some((difference, next.clone())))
}

/// The elements of large sets, as they were verified last and are still at this generation.
fn known(verified: &Verified, now: Generation, global: &Global) -> Option<Known> {
    let digest = verified.elements.as_ref()?;
    let sets = kept(&global.state_dir, digest, |set| {
        let keys = Keys::from_bytes(set.width, set.ranges, set.bytes.to_vec())?;
        Some((set.name.to_owned(), keys))
    })?;
    Some(Known {
        generation: now,
        sets: sets.into_iter().collect(),
    })
}

/// Remembers that the kernel holds this policy at this generation. Not being able to is no failure: the
/// next run reads the kernel in full.
pub(super) fn remember(
    loaded: &Loaded,
    digest: &str,
    live: &Live,
    global: &Global,
    output: &mut Output,
) {
    let Some((table, mark)) = live
        .table
        .as_ref()
        .and_then(|table| Some((table, table.mark?)))
    else {
        return;
    };
    counters::take_note(live, global, output);
    let large = Known::of(
        live.generation,
        live.table
            .iter()
            .flat_map(|table| table.sets.iter().map(|set| &set.set)),
    );
    let sets = large.sets.iter().map(|(name, keys)| KeptSet {
        name,
        width: keys.width(),
        ranges: keys.has_ranges(),
        bytes: keys.as_bytes(),
    });
    let kept = keep(&global.state_dir, &sets.collect::<Vec<_>>());
    let kept = kept.and_then(|elements| {
        Verified {
            version: Verified::VERSION,
            rfw: env!("CARGO_PKG_VERSION").to_owned(),
            policy: digest.to_owned(),
            node: global.node.clone(),
            generation: live.generation.0,
            table: table.handle,
            mark: hex(&mark),
            until: loaded.until.map(Timestamp::as_second),
            settings: loaded
                .settings
                .iter()
                .map(|setting| (setting.key.to_string(), setting.value))
                .collect(),
            lists: loaded.lists.clone(),
            elements,
            minutes_west: time_zone::minutes_west(),
            warnings: loaded.warnings.clone(),
            next: loaded.switches.clone(),
        }
        .store(&global.state_dir)
    });
    if let Err(error) = kept {
        output.note(&format!(
            "note: {error}: {}; the next run reads the kernel in full",
            error.source
        ));
    }
}

/// Refuses to change a table that another process has taken for itself (`flags owner`): the kernel would
/// refuse every operation with no better reason than missing permission.
pub(super) fn refuse_owned(live: Option<&Live>) -> Result<(), Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error(
        "table inet rfw belongs to another process (flags owner), and only that one may change it"
    )]
    struct Owned;
    /// `NFT_TABLE_F_OWNER` of linux/netfilter/nf_tables.h.
    const OWNER: u32 = 2;
    match live.and_then(|live| live.table.as_ref()) {
        Some(table) if table.flags & OWNER != 0 => Err(Failure::World(Explained {
            error: Box::new(Owned),
            details: Vec::new(),
            now: vec![
                UNCHANGED.to_owned(),
                "`nft list table inet rfw` names the process; end it, then try again".to_owned(),
            ],
        })),
        _ => Ok(()),
    }
}

/// Forgets what was verified, before something changes.
pub(super) fn forget(global: &Global, output: &mut Output) {
    if let Err(error) = Verified::forget(&global.state_dir) {
        output.note(&format!("note: {error}: {}", error.source));
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open `{path}`")]
struct CannotOpen {
    path: PathBuf,
    source: io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("another rfw is changing the ruleset (it holds `{path}`)")]
struct Locked {
    path: PathBuf,
}

/// The lock that only one rfw holds while it changes the ruleset; released when dropped, or when the
/// process ends however it ends. A daemon holds it for a moment now and then, so it is waited for.
pub(super) fn lock(global: &Global) -> Result<Flock<File>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(lock) = try_lock(global, LOCK)? {
            return Ok(lock);
        }
        if deadline <= Instant::now() {
            return Err(Failure::World(Explained {
                error: Box::new(Locked {
                    path: global.run_dir.join(LOCK),
                }),
                details: Vec::new(),
                now: vec![
                    "this one has changed nothing; try again when the other is done".to_owned(),
                ],
            }));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The lock of this name in the run directory; `None` when another process holds it.
pub(super) fn try_lock(global: &Global, name: &str) -> Result<Option<Flock<File>>, Failure> {
    let path = global.run_dir.join(name);
    let failed = |source| {
        Failure::world_now(
            CannotOpen {
                path: path.clone(),
                source,
            },
            UNCHANGED,
        )
    };
    fs::create_dir_all(&global.run_dir).map_err(failed)?;
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(failed(errno.into())),
    }
}
