//! Findings and status as text for people.

use std::fmt::{self, Display, Formatter};

use super::{
    CommitStatus, Daemon, Drift, Finding, Peer, Report, SettingDrift, Severity, Status, Verified,
};
use crate::reconcile::{self, Change, LastDrift, Latency, Pull, Revision, State, Trouble};
use crate::view::{moment, printable};

impl Display for Severity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version: _,
            worst: _,
            findings,
        } = self;
        let mut said = None;
        for finding in findings {
            let Finding {
                check,
                severity,
                message,
                advice,
            } = finding;
            writeln!(f, "{severity:8} {check:16} {}", printable(message))?;
            // What to do is the same for all findings of one table.
            if let Some(advice) = advice
                && said != Some(advice)
            {
                writeln!(f, "{:26}{advice}", "")?;
                said = Some(advice);
            }
        }
        Ok(())
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version: _,
            generation,
            table,
            verified,
            drift,
            settings,
            neighbours,
            conntrack,
            next,
            digest,
            commit,
            daemon,
            peers,
        } = self;
        match table {
            Some(handle) => writeln!(
                f,
                "table      inet rfw, handle {handle}; live generation {generation}"
            )?,
            None => writeln!(f, "table      none; live generation {generation}")?,
        }
        match verified {
            Some(Verified {
                policy,
                generation,
                policy_is_same,
            }) => {
                let now = match policy_is_same {
                    Some(true) => "the policy is the same now",
                    Some(false) => "the policy has changed since",
                    None => "the policy cannot be read now",
                };
                let short = policy.get(..12).unwrap_or(policy);
                writeln!(
                    f,
                    "verified   policy {short} at generation {generation}; {now}"
                )?;
            }
            None => writeln!(f, "verified   nothing yet")?,
        }
        if let Some(digest) = digest {
            writeln!(f, "digest     {digest}")?;
        }
        commit.iter().try_for_each(|commit| commit.fmt(f))?;
        let drift = match drift {
            Drift::No => "no",
            Drift::Yes => "yes; `rfw plan` shows it",
            Drift::Unknown => "not known; `rfw plan` tells",
        };
        writeln!(f, "drift      {drift}")?;
        for SettingDrift { key, value, now } in settings {
            writeln!(f, "           {key} is {}, not {value}", printable(now))?;
        }
        for table in neighbours {
            writeln!(
                f,
                "neighbours {} {} of at most {}",
                table.family, table.entries, table.gc_thresh3
            )?;
        }
        match conntrack {
            Some(conntrack) => writeln!(
                f,
                "conntrack  {} of at most {}",
                conntrack.count, conntrack.max
            )?,
            None => writeln!(f, "conntrack  not known")?,
        }
        for switch in next {
            writeln!(f, "next       {}", switch.text)?;
        }
        daemon.iter().try_for_each(|daemon| daemon.fmt(f))?;
        peers.iter().try_for_each(|peer| peer.fmt(f))
    }
}

impl Display for Peer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            digest: _,
            same_policy,
            held,
            trouble,
        } = self;
        let node = printable(node);
        if let Some(trouble) = trouble {
            return writeln!(f, "peer       {node}: {}", printable(trouble));
        }
        let policy = match same_policy {
            Some(true) => "the same policy",
            Some(false) => "another policy",
            None => "a policy that cannot be compared",
        };
        let held = match held {
            Some(true) => "and its kernel holds it",
            Some(false) => "and its kernel holds something else",
            None => "whether its kernel holds it is not known",
        };
        let more = match same_policy {
            Some(true) => String::new(),
            Some(false) | None => format!("; `rfw digest --peer {node}` tells more"),
        };
        writeln!(f, "peer       {node}: {policy}, {held}{more}")
    }
}

impl Display for CommitStatus {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            now,
            refused,
            applied,
            reference,
            signer,
            at,
        } = self;
        let short = |commit: &String| commit.get(..12).unwrap_or(commit).to_owned();
        let applied = match applied {
            None => "none applied yet".to_owned(),
            Some(applied) => {
                let from = reference.as_deref().unwrap_or_default();
                let from = from.strip_prefix("refs/heads/").unwrap_or(from);
                let from = match from {
                    "" => String::new(),
                    from => format!(" ({})", printable(from)),
                };
                let by = signer.as_ref();
                let by = by.map_or_else(String::new, |by| format!(", signed by {}", printable(by)));
                let at = at.as_deref().unwrap_or("an unknown time");
                format!("{}{from} applied at {at}{by}", short(applied))
            }
        };
        match now {
            Some(now) => writeln!(f, "commit     {} now; {applied}", short(now))?,
            None => writeln!(f, "commit     {applied}")?,
        }
        match refused {
            Some(why) => writeln!(f, "           `rfw apply` refuses it: {}", printable(why)),
            None => Ok(()),
        }
    }
}

impl Display for Daemon {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { running, report } = self;
        let reconcile::Report {
            version: _,
            pid,
            started,
            written,
            state,
            trouble,
            attempted,
            applied,
            generation: _,
            verified,
            drift,
            last_change,
            steps,
            step,
            reaction,
            foreign: _,
            next: _,
            warnings: _,
            lists,
            pull,
        } = report;
        let stands = match state {
            State::Starting => "has not looked yet",
            State::InForce => "the policy is in force",
            State::Drifted => "the table has drifted",
            State::Refused => {
                "what the source says is refused, what was applied last is looked after"
            }
            State::Degraded => "the last step failed, the rules that were in force stay",
            State::Stopped => "stopped, the rules stay",
        };
        if *running {
            let since = moment(*started);
            writeln!(f, "daemon     runs since {since} (pid {pid}); {stands}")?;
        } else if *state == State::Stopped {
            writeln!(
                f,
                "daemon     stopped at {}; the rules stay",
                moment(*written)
            )?;
        } else {
            let at = moment(*written);
            writeln!(
                f,
                "daemon     gone without a word (pid {pid}), last heard of at {at}"
            )?;
        }
        if attempted != applied {
            revision(f, "attempted", attempted.as_ref())?;
        }
        revision(f, "applied", applied.as_ref())?;
        if let Some(verified) = verified {
            writeln!(f, "{:11}found in force at {}", "", moment(*verified))?;
        }
        if let Some(trouble) = trouble {
            self::trouble(f, "trouble", trouble)?;
        }
        if let Some(lists) = lists {
            self::trouble(f, "refresh", lists)?;
        }
        if let Some(pull) = pull {
            self::pull(f, pull)?;
        }
        if let Some(change) = last_change {
            let Change { at, summary, .. } = change;
            writeln!(f, "changed    {} at {}", printable(summary), moment(*at))?;
        }
        let reconcile::Drift {
            mode: _,
            seen,
            repaired,
            present: _,
            last,
        } = drift;
        if 0 < *seen {
            writeln!(f, "drift seen {seen} times, undone {repaired} times")?;
        }
        if let Some(LastDrift { at, by, change, .. }) = last {
            let by = match by.as_slice() {
                [] => "somebody".to_owned(),
                by => printable(&by.join(", ")),
            };
            let (what, at) = (printable(&change.summary), moment(*at));
            writeln!(f, "{:11}last by {by} at {at}: {what}", "")?;
        }
        writeln!(
            f,
            "steps      {}, of which {} changed something and {} failed; {}",
            steps.total,
            steps.changed,
            steps.failed,
            Took(step)
        )?;
        if 0 < reaction.count {
            writeln!(f, "reaction   {}", Took(reaction))?;
        }
        Ok(())
    }
}

fn trouble(f: &mut Formatter<'_>, word: &str, trouble: &Trouble) -> fmt::Result {
    let Trouble {
        kind,
        text,
        since,
        failures,
    } = trouble;
    let (kind, since) = (printable(kind), moment(*since));
    writeln!(f, "{word:10} {kind} since {since}, {failures} times")?;
    for line in text.lines() {
        writeln!(f, "{:11}{}", "", printable(line))?;
    }
    Ok(())
}

/// How fetching goes.
fn pull(f: &mut Formatter<'_>, pull: &Pull) -> fmt::Result {
    let Pull {
        remote,
        branch,
        succeeded,
        commit,
        trouble,
        next,
    } = pull;
    let (branch, remote) = (printable(branch), printable(remote));
    let last = match (succeeded, commit) {
        (Some(at), Some(commit)) => {
            let short = commit.get(..12).unwrap_or(commit);
            format!("{} at {}", printable(short), moment(*at))
        }
        _ => "not yet since the daemon started".to_owned(),
    };
    writeln!(f, "fetched    {branch} from {remote}: {last}")?;
    if let Some(trouble) = trouble {
        let Trouble {
            kind: _,
            text,
            since,
            failures,
        } = trouble;
        let (since, next) = (moment(*since), moment(*next));
        writeln!(
            f,
            "{:11}fails since {since}, {failures} times; tried again at {next}",
            ""
        )?;
        for line in text.lines() {
            writeln!(f, "{:11}{}", "", printable(line))?;
        }
    }
    Ok(())
}

struct Took<'a>(&'a Latency);

impl Display for Took<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Latency {
            count,
            sum_us,
            last_us,
            max_us,
        } = self.0;
        let mean = sum_us.checked_div(*count).unwrap_or(0);
        let ms = |us: u64| format!("{}.{:01} ms", us / 1000, us % 1000 / 100);
        write!(
            f,
            "{} in the mean, {} the last, {} the longest",
            ms(mean),
            ms(*last_us),
            ms(*max_us)
        )
    }
}

fn revision(f: &mut Formatter<'_>, word: &str, revision: Option<&Revision>) -> fmt::Result {
    match revision {
        None => writeln!(f, "{word:10} nothing yet"),
        Some(Revision { commit, policy }) => {
            let commit = commit.as_ref();
            let commit = commit.map(|commit| format!("commit {}", printable(commit)));
            let policy = policy.as_ref();
            let policy =
                policy.map(|policy| format!("policy {}", policy.get(..12).unwrap_or(policy)));
            let both: Vec<String> = commit.into_iter().chain(policy).collect();
            writeln!(f, "{word:10} {}", both.join(", "))
        }
    }
}
