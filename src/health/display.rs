//! Findings and status as text for people.

use std::fmt::{self, Display, Formatter};

use super::{Drift, Finding, Report, SettingDrift, Severity, Status, Verified};

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
        Ok(())
    }
}

/// What others put into the kernel must not act on the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
