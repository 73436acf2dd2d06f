//! What has to be written so that the box has the settings that the policy wants, and what cannot be.

use super::file::{keys_of, text_of};
use super::{FileState, Key, Observed, Reading, Scope, Setting, Settings, SysctlFile};

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Settings that have another value.
    pub changes: Vec<Change>,
    /// Settings that the policy names and that cannot be set here.
    pub unavailable: Vec<Unavailable>,
    /// Settings that the policy no longer names: they stay as they are until the next boot.
    pub released: Vec<Key>,
    /// The file that keeps the settings.
    pub file: FileDifference,
}

/// A setting that has another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub key: Key,
    /// What it shall be.
    pub value: u32,
    /// What it is.
    pub was: String,
    /// Where in the policy it comes from.
    pub origin: String,
}

/// A setting that cannot be set here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Which.
    pub key: Key,
    /// What it should be.
    pub value: u32,
    /// What it is, when it is there.
    pub now: Option<String>,
    /// Why it cannot be set.
    pub why: &'static str,
}

/// What happens to the file that keeps the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileDifference {
    /// Nothing: it is as it should be.
    #[default]
    Same,
    /// It is written.
    Write {
        /// Where.
        path: String,
        /// What it shall say.
        text: String,
        /// What it says.
        was: Option<String>,
    },
    /// It goes.
    Remove {
        /// Where it is.
        path: String,
        /// What it says.
        was: String,
    },
    /// It cannot be written: something else is there.
    Blocked {
        /// Where.
        path: String,
        /// What is there.
        why: String,
    },
    /// It is not written, and that is right.
    NotHere {
        /// Why.
        why: String,
    },
}

impl Difference {
    /// Whether nothing is left that could be done.
    pub fn is_empty(&self) -> bool {
        let Self {
            changes,
            unavailable: _,
            released: _,
            file,
        } = self;
        changes.is_empty() && matches!(file, FileDifference::Same | FileDifference::NotHere { .. })
    }

    /// Whether there is nothing to say either.
    pub fn is_silent(&self) -> bool {
        self.is_empty() && self.unavailable.is_empty() && self.file == FileDifference::Same
    }

    /// What is set before the rules change: forwarding that ends, so that nothing is forwarded by rules that
    /// no longer expect it.
    pub fn before_rules(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.ends_forwarding())
    }

    /// What is set once the rules stand, forwarding last: never a packet is forwarded before all else is as
    /// it should be.
    pub fn after_rules(&self) -> impl Iterator<Item = &Change> {
        let rest = |forwarding| {
            self.changes.iter().filter(move |change| {
                let is_forwarding = matches!(change.key, Key::Forwarding(_));
                !change.ends_forwarding() && is_forwarding == forwarding
            })
        };
        rest(false).chain(rest(true))
    }
}

impl Change {
    fn ends_forwarding(&self) -> bool {
        matches!(self.key, Key::Forwarding(_)) && self.value == 0
    }
}

/// Compares what two revisions of a policy want, whatever the box has. Of the file that keeps it nothing is known.
pub fn between(before: &Settings, after: &Settings) -> Difference {
    let old = |key: &Key| before.iter().find(|setting| setting.key == *key);
    let changes = after.iter().filter_map(|setting| {
        let Setting { key, value, origin } = setting;
        let was = match old(key) {
            Some(old) if old.value == *value => return None,
            Some(old) => old.value.to_string(),
            None => "(not named)".to_owned(),
        };
        Some(Change {
            key: key.clone(),
            value: *value,
            was,
            origin: origin.clone(),
        })
    });
    let keys = before.iter().map(|setting| &setting.key);
    Difference {
        changes: changes.collect(),
        released: keys.filter(|key| !after.names(key)).cloned().collect(),
        ..Difference::default()
    }
}

/// Compares.
pub fn difference(settings: &Settings, observed: &Observed) -> Difference {
    let mut difference = Difference {
        file: file_difference(settings, &observed.file),
        ..Difference::default()
    };
    if let FileState::Ours(text) = &observed.file.state {
        let released = keys_of(text).filter(|key| !settings.names(key));
        difference.released = released
            .filter(|key| *key != Key::RpFilter(Scope::Every))
            .collect();
    }
    for setting in settings.iter() {
        if setting.key == Key::RpFilter(Scope::Every) {
            add_interfaces(setting, observed, &mut difference);
        } else {
            let reading = observed.readings.get(&setting.key);
            add(setting, reading, observed.ipv6, &mut difference);
        }
    }
    difference
}

fn add(setting: &Setting, reading: Option<&Reading>, ipv6: bool, difference: &mut Difference) {
    let Setting { key, value, origin } = setting;
    let unavailable = |now: Option<&String>, why| Unavailable {
        key: key.clone(),
        value: *value,
        now: now.cloned(),
        why,
    };
    match reading {
        Some(Reading::Value { text, writable: _ }) if *text == value.to_string() => {}
        Some(Reading::Value {
            text,
            writable: true,
        }) => difference.changes.push(Change {
            key: key.clone(),
            value: *value,
            was: text.clone(),
            origin: origin.clone(),
        }),
        Some(Reading::Value {
            text,
            writable: false,
        }) => difference.unavailable.push(unavailable(
            Some(text),
            "it is the whole machine's and cannot be set in this network namespace",
        )),
        Some(Reading::Absent) | None => {
            let why = why_absent(key, ipv6);
            difference.unavailable.push(unavailable(None, why));
        }
    }
}

fn why_absent(key: &Key, ipv6: bool) -> &'static str {
    match key {
        key if key.is_ipv6() && !ipv6 => "the kernel has no IPv6 here",
        Key::Neighbour(..) => {
            "it is the whole machine's and is not there in this network namespace"
        }
        key if key.is_conntrack() => {
            "connections are not tracked yet; `rfw apply` sets it when the rules stand"
        }
        _ => "this kernel does not have it",
    }
}

/// What holds for an interface is the greater of its own value and that of `all`, which is the wanted one. So
/// an interface matters only when its own value is greater: `loose` (2) is greater than `strict` (1), and both
/// than off (0).
fn add_interfaces(setting: &Setting, observed: &Observed, difference: &mut Difference) {
    for (key, reading) in &observed.readings {
        let (Key::RpFilter(Scope::Interface(_)), Reading::Value { text, .. }) = (key, reading)
        else {
            continue;
        };
        let greater = text.parse::<u32>().map_or(true, |own| setting.value < own);
        if greater {
            let setting = Setting {
                key: key.clone(),
                ..setting.clone()
            };
            add(&setting, Some(reading), observed.ipv6, difference);
        }
    }
}

fn file_difference(settings: &Settings, file: &SysctlFile) -> FileDifference {
    let SysctlFile { path, state } = file;
    let path = path.clone();
    match (text_of(settings), state) {
        (None, FileState::Ours(was)) => FileDifference::Remove {
            path,
            was: was.clone(),
        },
        (Some(text), FileState::Ours(was)) if text == *was => FileDifference::Same,
        (Some(text), FileState::Ours(was)) => FileDifference::Write {
            path,
            text,
            was: Some(was.clone()),
        },
        (Some(text), FileState::Missing) => FileDifference::Write {
            path,
            text,
            was: None,
        },
        (Some(_), FileState::Foreign(why)) => FileDifference::Blocked {
            path,
            why: why.clone(),
        },
        (Some(_), FileState::NotHere(why)) => FileDifference::NotHere { why: why.clone() },
        (None, FileState::Missing | FileState::Foreign(_) | FileState::NotHere(_)) => {
            FileDifference::Same
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Family, Key, Reading, Scope, Setting, Settings, Threshold};
    use super::super::{FileState, Observed, SysctlFile, text_of};
    use super::{FileDifference, between, difference};

    fn settings(of: &[(Key, u32)]) -> Settings {
        let settings = of.iter().map(|(key, value)| Setting {
            key: key.clone(),
            value: *value,
            origin: String::new(),
        });
        Settings::new(settings.collect())
    }

    fn value(text: &str, writable: bool) -> Reading {
        Reading::Value {
            text: text.to_owned(),
            writable,
        }
    }

    /// What is written in which order, what is not, and whether anything is left to do.
    #[track_caller]
    fn check(wanted: &[(Key, u32)], readings: &[(Key, Reading)], expect: &str) {
        let wanted = settings(wanted);
        let observed = Observed {
            ipv6: true,
            readings: readings.iter().cloned().collect(),
            file: SysctlFile {
                path: String::new(),
                state: text_of(&wanted).map_or(FileState::Missing, FileState::Ours),
            },
        };
        let difference = difference(&wanted, &observed);
        let before = difference.before_rules().map(|change| ("before", change));
        let after = difference.after_rules().map(|change| ("after", change));
        let mut lines: Vec<String> = before
            .chain(after)
            .map(|(when, change)| {
                format!("{when} {} {} -> {}", change.key, change.was, change.value)
            })
            .collect();
        assert_eq!(difference.is_empty(), lines.is_empty());
        let unavailable = difference.unavailable.iter();
        lines.extend(unavailable.map(|setting| format!("{}: {}", setting.key, setting.why)));
        assert_eq!(lines.join("\n"), expect);
    }

    const FORWARD: Key = Key::Forwarding(Family::V4);

    #[test]
    fn forwarding_begins_last_and_ends_first() {
        let off = (FORWARD, value("0", true));
        let loose = (Key::ConntrackTcpLoose, value("1", true));
        check(
            &[(FORWARD, 1), (Key::ConntrackTcpLoose, 0)],
            &[off, loose.clone()],
            "after net.netfilter.nf_conntrack_tcp_loose 1 -> 0\nafter net.ipv4.ip_forward 0 -> 1",
        );
        check(
            &[(FORWARD, 0), (Key::ConntrackTcpLoose, 0)],
            &[(FORWARD, value("1", true)), loose],
            "before net.ipv4.ip_forward 1 -> 0\nafter net.netfilter.nf_conntrack_tcp_loose 1 -> 0",
        );
        check(&[(FORWARD, 1)], &[(FORWARD, value("1", false))], "");
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let threshold = Key::Neighbour(Family::V6, Threshold::One);
        check(
            &[(Key::ConntrackMax, 5), (threshold.clone(), 6)],
            &[
                (Key::ConntrackMax, value("7", false)),
                (threshold, Reading::Absent),
            ],
            "net.ipv6.neigh.default.gc_thresh1: it is the whole machine's and is not there in this network namespace\n\
             net.netfilter.nf_conntrack_max: it is the whole machine's and cannot be set in this network namespace",
        );
    }

    #[test]
    fn an_interface_counts_when_its_value_is_greater() {
        let interface = |name: &str, text: &str| {
            let key = Key::RpFilter(Scope::Interface(name.to_owned()));
            (key, value(text, true))
        };
        let interfaces = [
            interface("a0", "0"),
            interface("a1", "1"),
            interface("a2", "2"),
        ];
        let every = Key::RpFilter(Scope::Every);
        check(
            &[(every.clone(), 0)],
            &interfaces,
            "after net.ipv4.conf.a1.rp_filter 1 -> 0\nafter net.ipv4.conf.a2.rp_filter 2 -> 0",
        );
        check(
            &[(every.clone(), 1)],
            &interfaces,
            "after net.ipv4.conf.a2.rp_filter 2 -> 1",
        );
        check(&[(every, 2)], &interfaces, "");
    }

    #[test]
    fn the_file_is_ours_or_left_alone() {
        let wanted = settings(&[(FORWARD, 1)]);
        let text = text_of(&wanted).unwrap();
        let with = |settings: &Settings, state| {
            let observed = Observed {
                ipv6: true,
                readings: [(FORWARD, value("1", true))].into(),
                file: SysctlFile {
                    path: "f".to_owned(),
                    state,
                },
            };
            difference(settings, &observed)
        };
        let same = with(&wanted, FileState::Ours(text.clone()));
        assert!(same.is_silent());
        let missing = with(&wanted, FileState::Missing).file;
        assert!(matches!(missing, FileDifference::Write { was: None, .. }));
        let blocked = with(&wanted, FileState::Foreign("x".to_owned()));
        assert!(matches!(blocked.file, FileDifference::Blocked { .. }) && !blocked.is_empty());
        let elsewhere = with(&wanted, FileState::NotHere("x".to_owned()));
        assert!(elsewhere.is_empty() && !elsewhere.is_silent());
        let gone = with(&Settings::default(), FileState::Ours(text));
        assert!(matches!(gone.file, FileDifference::Remove { .. }));
        assert_eq!(gone.released, [FORWARD]);
        assert!(with(&Settings::default(), FileState::Foreign("x".to_owned())).is_silent());
    }

    #[test]
    fn between_two_revisions() {
        let rp = Key::RpFilter(Scope::Every);
        let (v4, v6) = (Key::Forwarding(Family::V4), Key::Forwarding(Family::V6));
        let before = settings(&[(v4.clone(), 1), (rp, 1)]);
        let after = settings(&[(v4, 0), (v6, 1)]);
        let difference = between(&before, &after);
        let lines = difference
            .changes
            .iter()
            .map(|change| format!("{} {} -> {}", change.key, change.was, change.value));
        let gone = difference.released.iter().map(|key| format!("{key} gone"));
        let lines: Vec<String> = lines.chain(gone).collect();
        assert_eq!(
            lines,
            [
                "net.ipv4.ip_forward 1 -> 0",
                "net.ipv6.conf.all.forwarding (not named) -> 1",
                "net.ipv4.conf.*.rp_filter gone"
            ]
        );
        assert!(between(&before, &before).is_silent());
    }
}
