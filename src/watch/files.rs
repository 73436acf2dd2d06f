//! Directories whose entries change, by inotify(7).
//!
//! A file is never watched itself: editors and ConfigMaps put another one in its place, and the watch would stay with
//! the old one. Directories are watched, and so is the parent of the policy, because a directory may be replaced as a
//! whole. After each event the set of watches is made anew, so that new directories and replaced ones are in it. Only
//! what changes something is subscribed to: rfw does not see its own reading.
//!
//! Events are hints. What cannot be watched (a network file system, no watches left) is noticed by looking now and then.
#![expect(
    clippy::disallowed_methods,
    reason = "lists the directories that are to be watched"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// More directories than these below one are not watched.
const MOST: usize = 1_000;
/// Deeper ones neither.
const DEEPEST: usize = 16;

/// Something to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// A file or directory, which need not be there yet.
    pub path: PathBuf,
    /// Whether directories below it matter, too.
    pub recursive: bool,
    /// Directories below it that do not matter: those that rfw itself writes to.
    pub except: Vec<PathBuf>,
    /// Whether a change means that a ref of a repository may have moved; else a file of the policy has changed.
    pub is_ref: bool,
}

/// What has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Files of the policy.
    pub files: bool,
    /// Refs.
    pub refs: bool,
}

/// The watches.
#[derive(Debug)]
pub struct Files {
    inotify: Inotify,
    wanted: Vec<Watched>,
    armed: BTreeMap<PathBuf, Armed>,
    /// What could not be watched, and why; told once.
    missed: BTreeMap<PathBuf, String>,
}

#[derive(Clone, Debug)]
struct Armed {
    descriptor: i32,
    /// Which entries matter; `None`: all.
    names: Option<BTreeSet<std::ffi::OsString>>,
    is_ref: bool,
}

impl Files {
    /// Begins to watch.
    ///
    /// # Errors
    /// When the system has no inotify instance left.
    pub fn open(wanted: Vec<Watched>) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
        let mut files = Self {
            inotify,
            wanted,
            armed: BTreeMap::new(),
            missed: BTreeMap::new(),
        };
        files.arm();
        Ok(files)
    }

    /// What could not be watched, and why.
    pub fn missed(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.missed
            .iter()
            .map(|(path, why)| (path.as_path(), why.as_str()))
    }

    /// Waits until something changes that matters.
    ///
    /// # Errors
    /// When events cannot be read any more.
    pub fn wait(&mut self) -> io::Result<Changed> {
        loop {
            let events = match self.inotify.read_events() {
                Err(nix::errno::Errno::EINTR) => continue,
                events => events?,
            };
            let mut changed = Changed::default();
            let mut rearm = false;
            for event in &events {
                rearm |= self.take(event, &mut changed) && is_structural(event);
            }
            if rearm {
                self.arm();
            }
            if changed.files || changed.refs {
                return Ok(changed);
            }
        }
    }

    /// Notes what has changed; whether the event matters.
    fn take(&self, event: &InotifyEvent, changed: &mut Changed) -> bool {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            *changed = Changed {
                files: true,
                refs: true,
            };
            return true;
        }
        let mut matters = false;
        for armed in self.armed.values() {
            if armed.descriptor == event.wd.as_raw() && armed.matters(event) {
                matters = true;
                changed.refs |= armed.is_ref;
                changed.files |= !armed.is_ref;
            }
        }
        matters
    }

    /// Watches what is there now.
    fn arm(&mut self) {
        let mut directories = BTreeMap::new();
        for watched in &self.wanted {
            directories_of(watched, &mut directories);
        }
        let before: BTreeSet<i32> = self.armed.values().map(|armed| armed.descriptor).collect();
        let mut now = BTreeMap::new();
        self.missed.clear();
        for (path, (names, is_ref)) in directories {
            match self.inotify.add_watch(&path, mask()) {
                Ok(descriptor) => {
                    let descriptor = descriptor.as_raw();
                    now.insert(
                        path,
                        Armed {
                            descriptor,
                            names,
                            is_ref,
                        },
                    );
                }
                // It has gone again, and its parent tells when it comes.
                Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => {}
                Err(errno) => _ = self.missed.insert(path, errno.desc().to_owned()),
            }
        }
        let kept: BTreeSet<i32> = now.values().map(|armed| armed.descriptor).collect();
        let gone = before.difference(&kept).copied().collect::<BTreeSet<_>>();
        for descriptor in self.descriptors(&gone) {
            // The kernel has removed those of directories that have gone.
            let _ = self.inotify.rm_watch(descriptor);
        }
        self.armed = now;
    }

    /// The descriptors of these numbers. A watch that is added again is the same one, and tells its descriptor.
    fn descriptors(&self, numbers: &BTreeSet<i32>) -> Vec<WatchDescriptor> {
        let paths = self
            .armed
            .iter()
            .filter(|(_, armed)| numbers.contains(&armed.descriptor))
            .map(|(path, _)| path);
        paths
            .filter_map(|path| self.inotify.add_watch(path, mask()).ok())
            .filter(|descriptor| numbers.contains(&descriptor.as_raw()))
            .collect()
    }
}

impl Armed {
    fn matters(&self, event: &InotifyEvent) -> bool {
        let Some(name) = &event.name else {
            // The directory itself.
            return true;
        };
        match &self.names {
            Some(names) => names.contains(name),
            None if self.is_ref => !name.as_encoded_bytes().ends_with(b".lock"),
            None => !is_noise(name),
        }
    }
}

/// What editors leave beside a file while they work on it. `..data` is how a ConfigMap is switched.
fn is_noise(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b"~") || name.starts_with(b".") && !name.starts_with(b"..")
}

fn mask() -> AddWatchFlags {
    AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// Whether there may be other directories now.
fn is_structural(event: &InotifyEvent) -> bool {
    event.mask.intersects(
        AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_IGNORED
            | AddWatchFlags::IN_Q_OVERFLOW,
    )
}

/// Which entries of a directory matter (`None`: all), and whether they are refs.
type Entries = (Option<BTreeSet<std::ffi::OsString>>, bool);

/// The directories that tell of a path: itself, what is below it, its parent, and both again where a link leads.
fn directories_of(watched: &Watched, into: &mut BTreeMap<PathBuf, Entries>) {
    let Watched {
        path,
        recursive,
        except,
        is_ref,
    } = watched;
    let except: Vec<PathBuf> = except
        .iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect();
    let real = fs::canonicalize(path).ok();
    for path in [Some(path.clone()), real].into_iter().flatten() {
        // A relative path of one name has the parent "".
        let path = std::path::absolute(&path).unwrap_or(path);
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            entry(nearest(parent, name), *is_ref, into);
        }
        let below = match path.is_dir() {
            true => Some(path.as_path()),
            // What a file includes lies beside it.
            false if *recursive => path.parent(),
            false => None,
        };
        if let Some(directory) = below {
            let depth = if *recursive { DEEPEST } else { 0 };
            all_below(directory, depth, (&except, *is_ref), into);
        }
    }
}

/// The nearest directory that is there, and the entry in it that leads on to the name.
fn nearest(parent: &Path, name: &OsStr) -> (PathBuf, std::ffi::OsString) {
    let mut name = name;
    let mut directory = parent;
    while !directory.is_dir() {
        let (Some(above), Some(next)) = (directory.parent(), directory.file_name()) else {
            break;
        };
        (directory, name) = (above, next);
    }
    (directory.to_owned(), name.to_owned())
}

fn entry(
    (directory, name): (PathBuf, std::ffi::OsString),
    is_ref: bool,
    into: &mut BTreeMap<PathBuf, Entries>,
) {
    let entries = into
        .entry(directory)
        .or_insert_with(|| (Some(BTreeSet::new()), is_ref));
    if let (Some(names), _) = entries {
        names.insert(name);
    }
}

fn all_below(
    directory: &Path,
    depth: usize,
    (except, is_ref): (&[PathBuf], bool),
    into: &mut BTreeMap<PathBuf, Entries>,
) {
    let is_excepted =
        || fs::canonicalize(directory).is_ok_and(|directory| except.contains(&directory));
    if MOST <= into.len() || is_excepted() {
        return;
    }
    into.insert(directory.to_owned(), (None, is_ref));
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name != ".git" && name != "objects")
        })
        .collect();
    names.sort();
    for path in names {
        all_below(&path, depth, (except, is_ref), into);
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, Watched};
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    /// A directory of the test's own.
    fn desk(name: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/tmp/watch")
            .join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("policy")).unwrap();
        fs::write(root.join("policy/a.yaml"), "1").unwrap();
        root
    }

    fn watch(path: &Path) -> Receiver<()> {
        let mut files = Files::open(vec![Watched {
            path: path.to_owned(),
            recursive: true,
            except: vec![path.join("except")],
            is_ref: false,
        }])
        .unwrap();
        assert_eq!(files.missed().count(), 0);
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            while let Ok(changed) = files.wait() {
                assert!(changed.files);
                if sender.send(()).is_err() {
                    break;
                }
            }
        });
        receiver
    }

    #[track_caller]
    fn check(events: &Receiver<()>, what: &str, seen: bool) {
        let first = events.recv_timeout(Duration::from_millis(if seen { 5_000 } else { 150 }));
        assert_eq!(first.is_ok(), seen, "{what}");
        while events.recv_timeout(Duration::from_millis(60)).is_ok() {}
    }

    #[test]
    fn whatever_happens_to_a_directory_is_seen() {
        let root = desk("directory");
        let policy = root.join("policy");
        let events = watch(&policy);
        check(&events, "nothing", false);
        fs::read_dir(&policy).unwrap().for_each(drop);
        let _ = fs::read(policy.join("a.yaml")).unwrap();
        check(&events, "reading", false);
        fs::create_dir(policy.join("except")).unwrap();
        check(&events, "a directory that does not matter", true);
        fs::write(policy.join("except/b"), "1").unwrap();
        check(&events, "in a directory that does not matter", false);
        for round in 0..2 {
            fs::write(policy.join("a.yaml"), "2").unwrap();
            check(&events, &format!("written in place, {round}"), true);
            fs::write(policy.join(".a.yaml.swp"), "x").unwrap();
            fs::write(policy.join("a.yaml~"), "x").unwrap();
            check(&events, &format!("what editors leave, {round}"), false);
            fs::write(root.join("new"), "3").unwrap();
            check(&events, &format!("beside the directory, {round}"), false);
            fs::rename(root.join("new"), policy.join("a.yaml")).unwrap();
            check(&events, &format!("renamed over, {round}"), true);
            fs::create_dir_all(policy.join(format!("services{round}/deep"))).unwrap();
            check(&events, &format!("a new directory, {round}"), true);
            fs::write(policy.join(format!("services{round}/deep/x.yaml")), "4").unwrap();
            check(&events, &format!("in a new directory, {round}"), true);
            // The directory as a whole is replaced.
            fs::create_dir(root.join("next")).unwrap();
            fs::write(root.join("next/a.yaml"), "5").unwrap();
            fs::rename(&policy, root.join("old")).unwrap();
            fs::rename(root.join("next"), &policy).unwrap();
            fs::remove_dir_all(root.join("old")).unwrap();
            check(&events, &format!("replaced, {round}"), true);
        }
        fs::remove_dir_all(&policy).unwrap();
        check(&events, "removed", true);
        fs::create_dir(&policy).unwrap();
        check(&events, "made again", true);
        fs::write(policy.join("a.yaml"), "6").unwrap();
        check(&events, "written after that", true);
    }

    #[test]
    fn links_are_followed_and_their_turning_is_seen() {
        let root = desk("links");
        // As a ConfigMap is mounted: a.yaml -> ..data/a.yaml, ..data -> ..1
        let map = root.join("map");
        for version in ["..1", "..2"] {
            fs::create_dir_all(map.join(version)).unwrap();
            fs::write(map.join(version).join("a.yaml"), version).unwrap();
        }
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, map.join(at)).unwrap();
        link("..1", "..data");
        link("..data/a.yaml", "a.yaml");
        let directory = watch(&map);
        let file = watch(&map.join("a.yaml"));
        link("..2", "..data_tmp");
        fs::rename(map.join("..data_tmp"), map.join("..data")).unwrap();
        fs::remove_dir_all(map.join("..1")).unwrap();
        check(&directory, "the directory of a ConfigMap", true);
        check(&file, "a file of a ConfigMap", true);
        fs::create_dir(map.join("..3")).unwrap();
        fs::write(map.join("..3/a.yaml"), "3").unwrap();
        link("..3", "..data_tmp");
        fs::rename(map.join("..data_tmp"), map.join("..data")).unwrap();
        check(&directory, "the directory, again", true);
        check(&file, "the file, again", true);
        // A link to a directory elsewhere.
        std::os::unix::fs::symlink(root.join("policy"), root.join("current")).unwrap();
        let events = watch(&root.join("current"));
        fs::write(root.join("policy/a.yaml"), "2").unwrap();
        check(&events, "behind the link", true);
        std::os::unix::fs::symlink(&map, root.join("turned")).unwrap();
        fs::rename(root.join("turned"), root.join("current")).unwrap();
        check(&events, "the link is turned", true);
        fs::write(map.join("..3/a.yaml"), "4").unwrap();
        check(&events, "behind the turned link", true);
    }

    #[test]
    fn what_is_not_there_is_waited_for() {
        let root = desk("missing");
        let events = watch(&root.join("not/yet/policy"));
        fs::write(root.join("other"), "1").unwrap();
        check(&events, "something else", false);
        fs::create_dir_all(root.join("not/yet/policy")).unwrap();
        check(&events, "it comes", true);
        fs::write(root.join("not/yet/policy/a.yaml"), "1").unwrap();
        check(&events, "and is filled", true);
    }
}
