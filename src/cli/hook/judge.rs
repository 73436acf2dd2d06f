//! Whether a push is taken, and what it would change, shown to who pushes.

use std::io;
use std::path::Path;

use super::declined;
use crate::cli::against::{Before, compare_loaded, why_nothing};
use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::plan::PlanFormat;
use crate::cli::policy::{self, Purpose};
use crate::cli::{Global, plan, raw, trust, watch};
use crate::plan::Detail;
use crate::source::git::{ObjectId, Repository};
use crate::state;
use crate::watch::{Reply, Request, ask};

/// What is pushed to the branch that is followed.
pub(super) struct Push<'a> {
    pub(super) old: Option<ObjectId>,
    pub(super) new: Option<ObjectId>,
    pub(super) repository: &'a Path,
    /// With the policy's path in the repository, and the quarantine.
    pub(super) global: &'a Global,
}

/// Whether it is taken; shows what it changes.
pub(super) fn judge(push: &Push<'_>, output: &mut Output) -> Result<(), Failure> {
    let Push {
        old,
        new,
        repository,
        global,
    } = push;
    let Some(new) = new else {
        return Err(declined("the branch that is followed cannot be deleted"));
    };
    if let Some(old) = old {
        let opened = Repository::open(&global.policy, &global.access).map_err(Failure::world)?;
        if !opened.descends(new, old).map_err(Failure::world)? {
            return Err(declined(format!(
                "{} does not come after {}: the branch that is followed only goes forward",
                new.short(),
                old.short()
            )));
        }
    }
    let mut global = Global {
        rev: Some(new.as_str().to_owned()),
        ..(*global).clone()
    };
    // That it comes after what was applied last is the daemon's to say: whoever is pushed to need not be able to read that.
    global.agent.verify.never_go_back = false;
    if let Some((_, Some(refused))) = trust::refusal(&global)? {
        return Err(refused);
    }
    let lists = state::copies_digest(&global.state_dir);
    // On all nodes, where it has several and none is named.
    let purpose = Purpose::Push(global.node.as_deref());
    let examined = policy::examine(policy::read(&global)?, purpose, Some(&global.state_dir));
    if examined.diagnostics.has_errors() {
        policy::print(&examined, output);
        return Err(Failure::Rejected);
    }
    match plan_of_daemon(new, repository, &global, output)? {
        // With what there is to say of the policy.
        Told::All => return Ok(()),
        Told::Nothing(why) => {
            policy::print(&examined, output);
            output.note(&format!(
                "rfw: {why}: compared with the branch as it is, not with the live ruleset"
            ));
        }
    }
    if let Err(error) = examined.raw {
        return Err(raw::failure(error));
    }
    if examined.compiled.is_none() {
        output.note("rfw: no plan, because nobody says which node this box is (--node, or `node` of agent.yaml)");
        return Ok(());
    }
    let before = match old {
        None => Before::Nothing("nothing: the branch is new".to_owned()),
        Some(old) => match policy::read_at(&global, old.as_str()) {
            Ok(texts) => Before::Texts(Box::new(texts)),
            Err(error) => Before::Nothing(why_nothing(error).map_err(Failure::world)?),
        },
    };
    let loaded = policy::finish(examined, String::new(), lists)?;
    let compared = compare_loaded(before, loaded, Detail::Few, &global)?;
    plan::print(
        &compared.view,
        Some(&compared.loaded),
        Some(&compared.against),
        PlanFormat::Text,
        output,
    )
}

/// What the daemon has told.
enum Told {
    All,
    /// And why.
    Nothing(&'static str),
}

/// Shows what the daemon says that the commit would change in the kernel.
fn plan_of_daemon(
    commit: &ObjectId,
    repository: &Path,
    global: &Global,
    output: &mut Output,
) -> Result<Told, Failure> {
    let quarantine = global.access.quarantine.as_ref();
    let quarantine = quarantine.and_then(|path| path.canonicalize().ok());
    let request = Request::Plan {
        repository: repository.to_owned(),
        commit: commit.as_str().to_owned(),
        quarantine,
    };
    let mut told = None;
    let asked = ask(&watch::socket(global), &request, |reply| match reply {
        Reply::Line { text } => output.note(&plan::coloured(&text, output.color_err())),
        Reply::Done { ok: true, .. } => told = Some(Ok(Told::All)),
        Reply::Done {
            ok: false, text, ..
        } => told = Some(Err(declined(text))),
        Reply::Error { text } => {
            output.note(&format!("rfw: the daemon cannot say: {text}"));
            told = Some(Ok(Told::Nothing("without the daemon")));
        }
        Reply::Report { .. } => {}
    });
    match (asked, told) {
        (_, Some(told)) => told,
        (Err(error), None) if error.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Told::Nothing("this user may not ask the daemon"))
        }
        (_, None) => Ok(Told::Nothing("no daemon runs")),
    }
}
