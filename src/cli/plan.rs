//! `rfw plan`: what would change.

use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use anstyle::AnsiColor;
use clap::{Args, ValueEnum};

use super::error::Failure;
use super::output::{Findings, Output};
use super::policy::{self, Loaded};
use super::{Global, against, foreign, offload, pull, session, settings, trust};
use crate::bytecode::{Program, linearize_with};
use crate::kernel::Kernel;
use crate::live::{Generation, Live};
use crate::netlink::Netlink;
use crate::plan::{Detail, Listing, Markdown, Plan, SavedPlan, SettingPromise, View, plan};
use crate::source::Texts;
use crate::state::{Verified, digest};
use crate::system::Difference;
use crate::view::Switch;

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

/// How much of large sets is shown.
pub(super) fn detail(all: bool) -> Detail {
    if all { Detail::All } else { Detail::Few }
}

/// Forms of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Forms of what `rfw plan` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// The comment of a pull request
    Markdown,
    /// For GitHub Actions: what there is to say about the policy beside its lines, and one line about the plan
    Github,
    /// For code scanning: what there is to say about the policy, in the form SARIF 2.1.0
    Sarif,
}

impl PlanFormat {
    /// How diagnostics are told along with it.
    pub(super) fn findings(self) -> Findings {
        match self {
            Self::Text | Self::Json => Findings::Text,
            Self::Markdown => Findings::Markdown,
            Self::Github => Findings::Github,
            Self::Sarif => Findings::Sarif,
        }
    }
}

impl From<Format> for PlanFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

/// A plan and all that it was made from.
pub(super) struct Planned {
    /// The digest of the policy's texts.
    pub(super) digest: String,
    pub(super) loaded: Loaded,
    pub(super) program: Program,
    pub(super) live: Live,
    pub(super) plan: Plan,
    /// What differs of the settings of the box.
    pub(super) settings: Difference,
}

impl Planned {
    /// Whether all is as the policy says.
    pub(super) fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.settings.is_empty()
    }

    /// All of it for people and programs.
    pub(super) fn view(&self, detail: Detail) -> View {
        View::new(&self.live, &self.program, &self.plan, detail).with_settings(&self.settings)
    }
}

/// What was verified, and holds still.
pub(super) struct StillEqual {
    /// What was verified, and at which generation.
    pub(super) verified: Verified,
    /// What there is to say of the settings, which are equal, too.
    pub(super) settings: Difference,
    /// What the schedules do next.
    pub(super) next: Vec<Switch>,
}

/// The policy against the live ruleset.
pub(super) enum Comparison {
    /// Neither has changed since they were verified to be equal.
    StillEqual(Box<StillEqual>),
    /// Both were read.
    Read(Box<Planned>),
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
    if let Some((_, Some(why))) = trust::refusal(global)? {
        if arguments.out.is_some() {
            return Err(why);
        }
        output.note(&format!(
            "note: `rfw apply` would refuse this: {}",
            why.text()
        ));
    }
    let mut kernel = session::open()?;
    let reading = match arguments.full || arguments.out.is_some() {
        true => Reading::Everything,
        false => Reading::Nothing,
    };
    match compare(&mut kernel, reading, global, output)? {
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

/// How much of the kernel is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nothing where nothing can have changed.
    Nothing,
    /// The ruleset, without large sets that are known to be as they were.
    Ruleset,
    /// All of it.
    Everything,
}

/// Compares, and takes the short way where nothing can have changed.
pub(super) fn compare(
    kernel: &mut Netlink,
    reading: Reading,
    global: &Global,
    output: &mut Output,
) -> Result<Comparison, Failure> {
    let texts = policy::read(global)?;
    let digest = digest(&texts.sources);
    compare_texts(kernel, texts, digest, reading, global, output)
}

/// The same, of a policy that was read, with the digest of its texts.
pub(super) fn compare_texts(
    kernel: &mut Netlink,
    texts: Texts,
    digest: String,
    reading: Reading,
    global: &Global,
    output: &mut Output,
) -> Result<Comparison, Failure> {
    let remembered = match reading {
        Reading::Everything => None,
        Reading::Nothing | Reading::Ruleset => session::remembered(kernel, global)?,
    };
    if reading == Reading::Nothing
        && let Some((verified, _)) = &remembered
        && let Some((settings, next)) = session::still_verified(verified, global, &digest, output)?
    {
        return Ok(Comparison::StillEqual(Box::new(StillEqual {
            verified: verified.clone(),
            settings,
            next,
        })));
    }
    let (loaded, live) = thread::scope(|scope| {
        // The kernel takes its time to list a large ruleset, as we do to read a large policy.
        let reader = thread::Builder::new().spawn_scoped(scope, || {
            let known = remembered
                .as_ref()
                .and_then(|(verified, now)| session::known(verified, *now, global));
            kernel.observe_beside(&known.unwrap_or_default())
        });
        let loaded = policy::load(texts, global, output).map(|(loaded, ruleset)| {
            let ruleset = ruleset.into_ruleset();
            let without = ruleset
                .offloads()
                .then(|| ruleset.clone().without_offload());
            let program = linearize_with(ruleset, &loaded.raw);
            (loaded, program, without)
        });
        (loaded, reader.ok().map(ScopedJoinHandle::join))
    });
    let (mut loaded, mut program, without) = loaded?;
    if let Some(without) = without
        && offload::is_left_out(&mut loaded, kernel, output)?
    {
        program = linearize_with(without, &loaded.raw);
    }
    let live = match live {
        Some(Ok(live)) => live.map_err(session::unreadable)?,
        // No thread to be had.
        None | Some(Err(_)) => session::observe(kernel)?,
    };
    foreign::report(&mut loaded, kernel, output)?;
    let plan = plan(&live, &program, session::fresh_mark()?);
    let settings = settings::compare(&loaded.settings, global)?;
    Ok(Comparison::Read(Box::new(Planned {
        digest,
        loaded,
        program,
        live,
        plan,
        settings,
    })))
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

/// What is shown when nothing can have changed.
pub(super) fn unchanged(equal: StillEqual) -> View {
    let StillEqual {
        verified,
        settings,
        next,
    } = equal;
    let generation = Generation(verified.generation);
    let mut view = View::of_table(&Plan::nothing(generation)).with_settings(&settings);
    view.next = next;
    view
}

/// Prints a comparison for people.
pub(super) fn show_comparison(comparison: Comparison, output: &mut Output) -> Result<(), Failure> {
    match comparison {
        Comparison::StillEqual(equal) => show(unchanged(*equal), None, Format::Text, output),
        Comparison::Read(planned) => {
            let view = planned.view(Detail::Few);
            show(view, Some(&planned.loaded), Format::Text, output)
        }
    }
}

/// Prints what a plan changes, and what the schedules do next.
pub(super) fn show(
    mut view: View,
    loaded: Option<&Loaded>,
    format: impl Into<PlanFormat>,
    output: &mut Output,
) -> Result<(), Failure> {
    if let Some(loaded) = loaded {
        view.locate(loaded.places());
        view.next.clone_from(&loaded.switches);
    }
    print(&view, loaded, None, format.into(), output)
}

/// The lines of a plan that carry no colour yet, as a terminal shows them.
pub(super) fn coloured(text: &str, color: bool) -> String {
    if !color {
        return text.to_owned();
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let style = match line.get(..2) {
            Some("+ ") => AnsiColor::Green.on_default(),
            Some("- ") => AnsiColor::Red.on_default(),
            Some("~ ") => AnsiColor::Yellow.on_default(),
            Some("> " | "= ") => AnsiColor::Cyan.on_default(),
            _ => return line.to_owned(),
        };
        let bare = line.trim_end_matches('\n');
        let end = line.get(bare.len()..).unwrap_or_default();
        format!("{style}{bare}{style:#}{end}")
    });
    lines.collect()
}

/// Prints a view; `against` is what it was compared with, where that is not the kernel.
pub(super) fn print(
    view: &View,
    loaded: Option<&Loaded>,
    against: Option<&str>,
    format: PlanFormat,
    output: &mut Output,
) -> Result<(), Failure> {
    let headline = loaded.and_then(Loaded::headline);
    let headline = headline.as_deref();
    match format {
        PlanFormat::Text => output.result(
            &Listing {
                view,
                headline,
                against,
                color: output.color(),
            }
            .to_string(),
        ),
        PlanFormat::Json => {
            let text = serde_json::to_string_pretty(view).map_err(Failure::world)?;
            output.line(&text);
        }
        PlanFormat::Markdown => output.result(
            &Markdown::Plan {
                view,
                headline,
                against,
                warnings: loaded.map_or("", |loaded| &loaded.warnings),
            }
            .to_string(),
        ),
        // Nothing in the sentence is anybody's text.
        PlanFormat::Github => {
            output.line(&format!("::notice title=rfw plan::{}", view.sentence()));
        }
        PlanFormat::Sarif => {}
    }
    Ok(())
}
