//! The daemon woken after a push, and what it says of it shown to who has pushed.

use std::io;

use super::declined;
use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::{Global, plan, watch};
use crate::source::git::ObjectId;
use crate::watch::{Reply, Request, ask};

/// Wakes the daemon, and shows what it says until it is done. Whoever pushes may go at any time: the daemon goes on.
pub(super) fn wake(commit: &ObjectId, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let request = Request::Wake {
        revision: Some(commit.as_str().to_owned()),
    };
    let mut end = None;
    let asked = ask(&watch::socket(global), &request, |reply| match reply {
        Reply::Line { text } => output.note(&plan::coloured(text.trim_end(), output.color_err())),
        Reply::Done {
            ok: true,
            generation: Some(generation),
            ..
        } => end = Some((true, format!("in force, live generation {generation}"))),
        Reply::Done { ok, text, .. } => end = Some((ok, text)),
        Reply::Error { text } => end = Some((false, text)),
        Reply::Report { .. } => {}
    });
    match (asked, end) {
        (_, Some((true, text))) => {
            output.note(&format!("rfw: {text}"));
            Ok(())
        }
        (_, Some((false, text))) => Err(declined(format!("taken, but not in force: {text}"))),
        (Err(error), None) if error.kind() == io::ErrorKind::UnexpectedEof => Err(declined(
            "the daemon has ended in between; `rfw status` on the box says what is in force",
        )),
        (_, None) => {
            output.note(
                "rfw: taken; no daemon that this user may ask runs here: `rfw apply` on the box puts it in force",
            );
            Ok(())
        }
    }
}
