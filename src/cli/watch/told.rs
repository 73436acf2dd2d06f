//! What a step has come to, told to the log and to those who wait for it.

use super::daemon::Daemon;
use super::log::Level;
use super::words::{failure_line, line, names, reasons, stays};
use crate::reconcile::{Ending, Refused, Report, Stepped};
use crate::watch::Reply;

impl Daemon<'_> {
    /// What there is to tell of a step.
    pub(super) fn told(&mut self, stepped: &Stepped) -> Vec<(Level, String)> {
        let Stepped {
            ending,
            refused,
            causes,
            waiters,
        } = stepped;
        let said = self.world.said();
        let report = self.reconciler.report();
        let took = report.step.last_us;
        let took = format!("{}.{} ms", took / 1000, took / 100 % 10);
        let mut told = Vec::new();
        match ending {
            Ending::Busy => return told,
            Ending::Unchanged if refused.is_some() => {}
            Ending::Unchanged => {
                if report.steps.total == 1 || !self.trouble.is_empty() || !waiters.is_empty() {
                    told.push((Level::Info, line(report)));
                }
            }
            Ending::Applied {
                change,
                was_drift,
                by,
            } => {
                let summary = &change.summary;
                told.push(match was_drift {
                    true => {
                        let by = names(by);
                        let text = format!("drift, by {by}: {summary}; repaired in {took}");
                        (Level::Warning, text)
                    }
                    false => {
                        let reasons = reasons(causes);
                        (Level::Notice, format!("{summary} ({reasons}, {took})"))
                    }
                });
                told.push((Level::Notice, said));
            }
            Ending::DriftLeft { known: true, .. } => {}
            Ending::DriftLeft { change, by, .. } => {
                let by = names(by);
                let mut text = format!("drift, by {by}: {}; only reported", change.summary);
                for operation in &change.first {
                    text.push_str("\n  to undo it: ");
                    text.push_str(operation);
                }
                told.push((Level::Warning, text));
            }
            Ending::Failed { kind: _, text } => {
                told.push(trouble(text, &mut self.trouble, report));
                return told;
            }
        }
        match refused {
            Some(Refused { kind: _, text }) => {
                let is_known = *text == self.trouble;
                told.push(trouble(text, &mut self.trouble, report));
                if !is_known {
                    told.push((Level::Warning, stays(report)));
                }
            }
            None => self.trouble.clear(),
        }
        if report.warnings != self.warnings {
            self.warnings.clone_from(&report.warnings);
            told.push((Level::Warning, self.warnings.clone()));
        }
        told
    }

    /// Tells those who have waited what has become of it.
    pub(super) fn answer(&mut self, stepped: &Stepped) {
        let report = self.reconciler.report();
        for waiter in &stepped.waiters {
            let Some(replies) = self.replies.remove(waiter) else {
                continue;
            };
            let (ok, text) = match (&stepped.ending, &stepped.refused) {
                (Ending::Busy, _) => continue,
                (Ending::Failed { kind, text }, _) => (false, failure_line(*kind, text)),
                (_, Some(Refused { kind, text })) => {
                    let text = failure_line(*kind, text);
                    (false, format!("{text}\n{}", stays(report)))
                }
                (Ending::Unchanged, None) => (true, "nothing to change".to_owned()),
                (Ending::Applied { change, .. }, None) => {
                    (true, format!("applied and verified: {}", change.summary))
                }
                (Ending::DriftLeft { change, .. }, None) => (
                    false,
                    format!("drift is only reported, and left: {}", change.summary),
                ),
            };
            // Whoever has stopped reading has gone.
            let _ = replies.try_send(Reply::Done {
                ok,
                text,
                applied: report.applied.clone(),
                generation: report.generation,
            });
        }
    }
}

/// A failure in full, or that it is the one that was told last.
fn trouble(text: &str, last: &mut String, report: &Report) -> (Level, String) {
    if *text == *last {
        let failures = report.trouble.as_ref();
        let failures = failures.map_or(0, |trouble| trouble.failures);
        return (Level::Warning, format!("the same again, {failures} times"));
    }
    text.clone_into(last);
    (Level::Error, text.to_owned())
}
