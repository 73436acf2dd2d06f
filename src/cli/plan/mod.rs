//! `rfw plan`: what would change. Other commands compare and show with `compare` and `show`.

mod compare;
mod show;

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::Failure;
use super::output::Output;
use super::policy::{self, Loaded};
use super::trust::{self, Trusted};
use super::{Global, against, pull, session};
use crate::plan::{SavedPlan, SavedPolicy, SettingPromise, View};
use crate::state::digest;

pub(super) use compare::{
    Comparison, Planned, Reading, StillEqual, compare, compare_beside, compare_texts,
};
pub(super) use show::{
    Format, PlanFormat, coloured, detail, print, show, show_comparison, unchanged,
};

/// Show what would change in the kernel
///
/// Reads the live ruleset and compares what it does with what the policy says. Changes nothing.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print the plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    format: PlanFormat,
    /// Compare with the policy at this revision of its Git repository, and not with the kernel; needs no rights
    #[arg(long, value_name = "REV", conflicts_with_all = ["out", "full"])]
    against: Option<String>,
    /// Keep the plan in a file for `rfw apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// Read the live ruleset even when neither it nor the policy has changed since it was verified
    #[arg(long)]
    full: bool,
    /// Show every element of new and removed sets, not only the first ten
    #[arg(long)]
    all: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    output.tell(arguments.format.findings());
    if let Some(rev) = &arguments.against {
        let compared = against::compare(rev, detail(arguments.all), global, output)?;
        let is_empty = compared.view.changes_nothing();
        let against = compared.against.as_str();
        print(
            &compared.view,
            Some(&compared.loaded),
            Some(against),
            arguments.format,
            output,
        )?;
        return if_changes(arguments.detailed_exitcode && !is_empty, output);
    }
    pull::note(global, output);
    let (texts, trusted) = match &arguments.out {
        // What is kept may be applied, and is then what the box boots with.
        Some(_) => trust::read(global, false, output)?,
        None => {
            if let Some((_, Some(why))) = trust::refusal(global)? {
                output.note(&format!(
                    "note: `rfw apply` would refuse this: {}",
                    why.text()
                ));
            }
            (policy::read(global)?, None)
        }
    };
    let mut kernel = session::open()?;
    let reading = match arguments.full || arguments.out.is_some() {
        true => Reading::Everything,
        false => Reading::Nothing,
    };
    let digest = digest(&texts.sources);
    match compare_texts(&mut kernel, texts, digest, reading, global, output)? {
        Comparison::StillEqual(equal) => show(unchanged(*equal), None, arguments.format, output),
        Comparison::Read(planned) => {
            let nothing_to_do = planned.is_empty();
            let Planned {
                digest,
                loaded,
                program,
                live,
                plan,
                settings,
            } = *planned;
            if plan.is_empty() {
                session::remember(&loaded, &digest, &live, global, output);
            }
            let view =
                View::new(&live, &program, &plan, detail(arguments.all)).with_settings(&settings);
            show(view, Some(&loaded), arguments.format, output)?;
            if let Some(path) = &arguments.out {
                save(
                    &SavedPlan {
                        plan,
                        desired: program,
                        settings: loaded.settings.clone(),
                        changes: SettingPromise::all(&settings),
                        policy: saved_policy(loaded, trusted, global),
                    },
                    path,
                )?;
                output.note(&format!(
                    "plan kept in {}; apply it with `rfw apply {0}`",
                    path.display()
                ));
            }
            if_changes(arguments.detailed_exitcode && !nothing_to_do, output)
        }
    }
}

/// Ends with the exit code that says that there are changes.
fn if_changes(says_so: bool, output: &mut Output) -> Result<(), Failure> {
    match says_so {
        true => output
            .finish()
            .map_err(Failure::Output)
            .and(Err(Failure::Changes)),
        false => Ok(()),
    }
}

/// What a plan was made of.
fn saved_policy(loaded: Loaded, trusted: Option<Trusted>, global: &Global) -> SavedPolicy {
    let revision = loaded.revision;
    let texts = loaded.sources.into_iter();
    SavedPolicy {
        node: global.node.clone(),
        commit: revision.as_ref().map(|it| it.commit.to_string()),
        reference: revision.and_then(|it| it.reference),
        signer: trusted.and_then(|it| it.signer),
        documents: loaded.documents,
        lists: loaded.list_paths,
        texts: texts.map(|it| (it.name, it.text.to_vec().into())).collect(),
    }
}

/// Keeps a plan in a file that only its owner can read: it holds the whole ruleset.
fn save(plan: &SavedPlan, path: &Path) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    #[derive(Debug, thiserror::Error)]
    #[error("cannot write the plan to `{path}`")]
    struct NotWritten {
        path: PathBuf,
        source: std::io::Error,
    }
    let text = plan.to_json().map_err(Failure::world)?;
    let mut options = std::fs::OpenOptions::new();
    let written = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| {
        Failure::world(NotWritten {
            path: path.to_owned(),
            source,
        })
    })
}
