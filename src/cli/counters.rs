//! `rfw counters`: what the rules count, and which do not.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read, and waits between readings"
)]

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;

use super::error::Failure;
use super::output::Output;
use super::places::{self, Places};
use super::plan::Format;
use super::{Global, policy, session};
use crate::counters::{Counters, Record, Unused, counts};
use crate::live::{Live, Table};
use crate::netlink::Netlink;
use crate::policy::Duration as Span;
use crate::state;

/// Show what each rule of the policy has counted
///
/// Packets and bytes since the rule is in the kernel, those that have counted most first. A rule that accepts counts the packets that open
/// connections. Changes nothing but rfw's memory of which rules were seen to count, which outlives reloads and reboots.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Read again and again, with what is counted in a second, until stopped; every two seconds unless said otherwise
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "2s", value_parser = seconds)]
    watch: Option<u64>,
    /// With --watch: end after so many readings
    #[arg(long, value_name = "N", requires = "watch")]
    count: Option<u64>,
    /// Show only the rules that were not seen to count for so long: `30d`
    #[arg(long, value_name = "DURATION", conflicts_with = "watch", value_parser = seconds)]
    unused: Option<u64>,
}

fn seconds(text: &str) -> Result<u64, String> {
    let span: Span = text
        .parse()
        .map_err(|_| "a number and s, m, h, d or w: `30d`".to_owned())?;
    Ok(span.seconds())
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut kernel = session::open()?;
    let live = read(&mut kernel, global)?;
    let mut record = remembered(global);
    let now = Timestamp::now().as_second();
    let mut read_now = counts(&live);
    record.update(mark(&live).as_deref(), read_now.clone(), now);
    keep(&record, global, output);
    let places = places(global);
    if places.is_empty() {
        output.note(
            "note: the policy cannot be read or has errors; where its rules stand is not known",
        );
    }
    if let Some(seconds) = arguments.unused {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let view = Unused::new(&read_now, &record, &places, now, seconds);
        return match arguments.format {
            Format::Text => {
                output.result(&view.to_string());
                Ok(())
            }
            Format::Json => json(&view, true, output),
        };
    }
    let view = Counters::new(&read_now, None, &record, &places, now);
    let Some(interval) = arguments.watch else {
        return show(&view, arguments.format, false, output);
    };
    show(&view, arguments.format, true, output)?;
    let mut at = Instant::now();
    let mut kept = at;
    let mut left = arguments.count.map(|count| count.saturating_sub(1));
    while left != Some(0) {
        thread::sleep(Duration::from_secs(interval));
        let live = read(&mut kernel, global)?;
        let elapsed = at.elapsed().as_secs_f64();
        at = Instant::now();
        let now = Timestamp::now().as_second();
        let before = std::mem::replace(&mut read_now, counts(&live));
        record.update(mark(&live).as_deref(), read_now.clone(), now);
        if KEEP_EVERY <= kept.elapsed() {
            keep(&record, global, output);
            kept = at;
        }
        let view = Counters::new(&read_now, Some((&before, elapsed)), &record, &places, now);
        show(&view, arguments.format, true, output)?;
        left = left.map(|left| left - 1);
    }
    keep(&record, global, output);
    Ok(())
}

/// While it watches, it does not write with every reading.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// Remembers which rules have counted by a reading that was made for another reason. Not being able to is no failure.
pub(super) fn take_note(live: &Live, global: &Global, output: &mut Output) {
    if let Some(record) = noted(live, global) {
        keep(&record, global, output);
    }
}

/// The same, where there is nobody to tell that it is not remembered.
pub(super) fn take_note_silently(live: &Live, global: &Global) {
    if let Some(record) = noted(live, global) {
        let _ = state::keep_seen(&global.state_dir, &record.to_text());
    }
}

/// What is to be remembered after a reading; nothing when the last one was just now.
fn noted(live: &Live, global: &Global) -> Option<Record> {
    let mut record = remembered(global);
    let now = Timestamp::now().as_second();
    let (table, counts) = (mark(live), counts(live));
    if record.is_fresh(table.as_deref(), &counts, now) {
        return None;
    }
    record.update(table.as_deref(), counts, now);
    Some(record)
}

fn remembered(global: &Global) -> Record {
    let text = state::seen(&global.state_dir);
    let record = text.and_then(|text| Record::from_text(&text));
    record.unwrap_or_default()
}

fn keep(record: &Record, global: &Global, output: &mut Output) {
    if let Err(error) = state::keep_seen(&global.state_dir, &record.to_text()) {
        output.note(&format!(
            "note: {error}: {}; which rules have counted is not remembered",
            error.source
        ));
    }
}

fn mark(live: &Live) -> Option<String> {
    let Table { mark, handle, .. } = live.table.as_ref()?;
    // A table that rfw has not made has no mark.
    Some(mark.map_or_else(|| format!("handle-{handle}"), |mark| state::hex(&mark)))
}

/// The live ruleset, without listing what is known of large sets.
pub(super) fn read(kernel: &mut Netlink, global: &Global) -> Result<Live, Failure> {
    use crate::kernel::Kernel;
    let known = session::remembered(kernel, global)?;
    let known = known.and_then(|remembered| remembered.known(global));
    let live = kernel.observe_beside(&known.unwrap_or_default());
    live.map_err(session::unreadable)
}

/// Where the policy says what is counted; nothing when it cannot be read or has errors.
fn places(global: &Global) -> BTreeMap<String, String> {
    let Ok(texts) = policy::read(global) else {
        return BTreeMap::new();
    };
    places::counted(&texts).map_or_else(BTreeMap::new, |(counted, locations)| {
        Places::new(&texts.sources, &locations, counted).all()
    })
}

/// A table, or a document; one after the other where there are several.
fn show(
    view: &Counters,
    format: Format,
    is_one_of_many: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    match format {
        Format::Json => json(view, !is_one_of_many, output)?,
        Format::Text if is_one_of_many && output.is_terminal() => {
            // From the upper left corner down; what does not fit is left out, and what was there before is cleared.
            let mut text = format!("\x1b[H\x1b[J{}\n", view.read_at);
            let rows = output.rows().saturating_sub(2);
            for line in view.to_string().lines().take(rows) {
                text.push_str(line);
                text.push('\n');
            }
            output.result(&text);
        }
        Format::Text => {
            if is_one_of_many {
                output.line(&view.read_at);
            }
            output.result(&view.to_string());
            if is_one_of_many {
                output.line("");
            }
        }
    }
    output.finish().map_err(Failure::Output)
}

fn json<T: serde::Serialize>(view: &T, pretty: bool, output: &mut Output) -> Result<(), Failure> {
    let text = if pretty {
        serde_json::to_string_pretty(view)
    } else {
        // One a line.
        serde_json::to_string(view)
    };
    output.line(&text.map_err(Failure::world)?);
    Ok(())
}
