//! What became of packets, counted, and where the evaluator and the kernel do not say the same.

use std::collections::BTreeMap;
use std::io::{self, Write};

use rfw::evaluate::Evaluation;

use super::field::{Event, agrees, told};
use crate::support::wire::Sent;

/// Of a whole run.
#[derive(Default)]
pub(super) struct Ledger {
    packets: usize,
    kinds: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

impl Ledger {
    /// A packet, by what the kernel made of it.
    pub(super) fn count(&mut self, events: &[Event]) {
        self.packets += 1;
        let kind = match events.first() {
            None => "dropped",
            Some(Event::Passed(..)) => "passed",
            Some(_) => "rejected",
        };
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub(super) fn packets(&self) -> usize {
        self.packets
    }

    /// What the kernel made of a packet must be one of the outcomes. `rules` are told otherwise.
    pub(super) fn hold(
        &mut self,
        evaluation: &Evaluation,
        (link, sent): (&str, &Sent),
        events: &[Event],
        rules: &str,
    ) {
        if !evaluation.outcomes.iter().any(|it| agrees(it, events)) {
            self.refuse(format!(
                "{sent:?} by {link}: the kernel: {events:?}\n{}\n{rules}",
                told(evaluation)
            ));
        }
    }

    pub(super) fn refuse(&mut self, why: String) {
        self.wrong.push(why);
    }

    /// Tells how it went, and demands that nothing was wrong.
    #[track_caller]
    pub(super) fn close(&self, of: &str) {
        let Self {
            packets,
            kinds,
            wrong,
        } = self;
        // Not `println!`: what that prints is only shown for tests that fail.
        let _ = writeln!(
            io::stderr(),
            "{packets} packets to {of}: {kinds:?}, {} wrong",
            wrong.len()
        );
        assert!(
            wrong.is_empty(),
            "{} wrong, first:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(3)].join("\n\n")
        );
    }

    /// Demands that each kind was more than one of fifty.
    #[track_caller]
    pub(super) fn assert_all_kinds(&self) {
        for kind in ["dropped", "passed", "rejected"] {
            assert!(
                self.kinds
                    .get(kind)
                    .is_some_and(|number| self.packets / 50 < *number),
                "{:?}",
                self.kinds
            );
        }
    }
}
