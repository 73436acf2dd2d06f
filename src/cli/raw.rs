//! What raw rules mean: asked of nft(8) and the kernel in a network namespace that nothing else is in.
//!
//! rfw starts itself once more for it. The second one leaves for namespaces of its own before it does anything else, so it
//! cannot touch the ruleset of the machine, loads the rules there by nft, reads back over netlink what the kernel runs, sends
//! that to the kernel as rfw would and reads it back again. The namespaces go with it.
#![expect(
    clippy::disallowed_methods,
    reason = "nft is the only one that understands its language, and only programs can run it"
)]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output as Ended, Stdio};

use nix::sched::{CloneFlags, unshare};

use super::error::{Explained, Failure};
use super::output::Output;
use crate::bytecode::{RawCode, Rule, same, why_not};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath};
use crate::kernel::{CommitError, Kernel};
use crate::live::{Live, LiveRule};
use crate::netlink::Netlink;
use crate::nft::{RawLine, RawScript, raw_chain, raw_script};
use crate::plan::{Operation, Place, RawReading};
use crate::ruleset::Ruleset;

/// The name of the command that the second rfw is started with.
pub(super) const COMMAND: &str = "read-raw";
/// Where programs are; what the caller's environment says does not matter, so that the same text means the same.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why nobody can say what raw rules mean.
#[derive(Debug, thiserror::Error)]
pub(super) enum RawError {
    #[error("cannot start rfw once more to read raw rules")]
    Again(#[source] io::Error),
    #[error("cannot leave for a network namespace to read raw rules")]
    Namespace(#[source] io::Error),
    #[error("cannot run `nft`, which raw rules need")]
    Nft(#[source] io::Error),
    #[error("cannot say what raw rules mean: {0}")]
    Failed(String),
}

/// What the raw rules of a ruleset mean, and what is wrong with them.
pub(super) fn read(ruleset: &Ruleset) -> Result<(RawCode, Diagnostics), RawError> {
    let Some(script) = raw_script(ruleset) else {
        return Ok((RawCode::new(), Diagnostics::new()));
    };
    match ask(&script)? {
        RawReading::Rules(rules) if rules.len() == script.rules.len() => Ok(judge(&script, rules)),
        RawReading::Rules(_) => Err(RawError::Failed("not every rule came back".to_owned())),
        RawReading::Refused(said) => {
            let diagnostics = refusals(&script, &said);
            // Where rights are missing, no text is to blame.
            if diagnostics.is_empty() || said.contains("Operation not permitted") {
                return Err(RawError::Failed(format!("nft says: {}", said.trim())));
            }
            Ok((RawCode::new(), diagnostics))
        }
    }
}

/// How it is told, and what to do about it.
pub(super) fn failure(error: RawError) -> Failure {
    Failure::World(Explained {
        error: Box::new(error),
        details: vec![
            "raw rules are read by `nft` in a network namespace of its own: both are needed, as root or with user \
             namespaces allowed"
                .to_owned(),
        ],
        now: vec!["nothing has changed; a policy without `raw` needs neither".to_owned()],
    })
}

fn ask(script: &RawScript) -> Result<RawReading, RawError> {
    // The very program that runs, even if another has been put in its place.
    let mut command = Command::new("/proc/self/exe");
    command.arg(COMMAND);
    let ended = run(command, &script.text).map_err(RawError::Again)?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let lines = said.lines().map(str::trim);
        let lines: Vec<&str> = lines
            .map(|line| line.strip_prefix("error: ").unwrap_or(line))
            .collect();
        return Err(RawError::Failed(lines.join("; ")));
    }
    RawReading::from_json(&String::from_utf8_lossy(&ended.stdout))
        .map_err(|error| RawError::Failed(error.to_string()))
}

/// Runs a program with this input and nothing of our environment.
fn run(mut command: Command, input: &str) -> io::Result<Ended> {
    command
        .env_clear()
        .envs([("PATH", PATH), ("LC_ALL", "C"), ("TZ", "UTC")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // Both programs read all of it before they say anything.
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    child.wait_with_output()
}

fn at(line: &RawLine) -> DocPath {
    let path = line.origin.as_ref().and_then(|it| it.0.parse().ok());
    path.unwrap_or_else(|| DocPath::root().key("raw"))
}

fn judge(
    script: &RawScript,
    rules: Vec<(Vec<crate::bytecode::Instruction>, bool)>,
) -> (RawCode, Diagnostics) {
    let mut code = RawCode::new();
    let mut diagnostics = Diagnostics::new();
    for (line, (instructions, stays)) in script.rules.iter().zip(rules) {
        let why = why_not(&instructions).or_else(|| {
            (!stays).then(|| "means something else once rfw has sent it to the kernel".to_owned())
        });
        if let Some(why) = why {
            let diagnostic = Diagnostic::error(Code::RawNotPossible, format!("the raw rule {why}"))
                .at(at(line), "is read by nft like this")
                .help("keep what needs more in a table of your own: rfw leaves those alone");
            diagnostics.push(diagnostic);
        }
        code.insert(line.text.clone(), instructions);
    }
    (code, diagnostics)
}

/// nft's complaints, each at its rule.
fn refusals(script: &RawScript, said: &str) -> Diagnostics {
    let complaints = said.lines().filter_map(|line| {
        let (place, message) = line.split_once(" Error: ")?;
        let mut numbers = place.trim_end_matches(':').rsplit(':');
        let columns = numbers.next()?;
        let number: usize = numbers.next()?.parse().ok()?;
        let rule = script.rules.iter().find(|rule| rule.line == number)?;
        let words = words_at(rule, columns);
        let help = match message.starts_with("Could not process rule") {
            true => "the kernel does not have it, or it names what is not there: only sets of the policy's own rules are",
            false => "write what follows `add rule` and the chain, as nft(8) says",
        };
        let message = format!("nft does not take the raw rule: {message}");
        let label = match words {
            Some(words) => format!("stumbles over `{words}`"),
            None => String::new(),
        };
        Some(
            Diagnostic::error(Code::RawSyntax, message)
                .at(at(rule), label)
                .help(help),
        )
    });
    complaints.collect()
}

/// What stands at the columns that nft names: `25-28`, counted from 1, bounds inclusive.
fn words_at<'a>(rule: &'a RawLine, columns: &str) -> Option<&'a str> {
    let (lo, hi) = columns.split_once('-')?;
    let place = |column: &str| {
        let column: usize = column.parse().ok()?;
        column.checked_sub(rule.before)
    };
    let words = rule.text.get(place(lo)?.checked_sub(1)?..place(hi)?)?;
    (!words.trim().is_empty()).then_some(words)
}

/// The second rfw: a script on standard input, what it means on standard output.
pub(super) fn inside(output: &mut Output) -> Result<(), Failure> {
    leave().map_err(|error| Failure::world(RawError::Namespace(error)))?;
    let mut script = String::new();
    io::stdin()
        .read_to_string(&mut script)
        .map_err(|error| Failure::world(RawError::Again(error)))?;
    let reading = load(&script)?;
    output.line(&reading.to_json().map_err(Failure::world)?);
    Ok(())
}

/// Leaves for a network namespace that nothing else is in: with a user namespace in which we may do everything, or as root.
fn leave() -> io::Result<()> {
    let owner = fs::metadata("/proc/self")?.uid();
    let net = CloneFlags::CLONE_NEWNET;
    match unshare(CloneFlags::CLONE_NEWUSER | net) {
        // Only who is root keeps its rights when it starts nft.
        Ok(()) => fs::write("/proc/self/uid_map", format!("0 {owner} 1\n")),
        Err(_) => Ok(unshare(net)?),
    }
}

fn load(script: &str) -> Result<RawReading, Failure> {
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]);
    let ended = run(nft, script).map_err(|error| Failure::world(RawError::Nft(error)))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        return Ok(RawReading::Refused(said));
    }
    let mut kernel = Netlink::open().map_err(Failure::world)?;
    let live = kernel.observe().map_err(Failure::world)?;
    let chains = rules(&live)?;
    let first = chains.iter().map(|chain| match chain {
        [rule] => Ok(rule),
        _ => Err(Failure::world(RawError::Failed(
            "nft has made more or less than one rule of a text".to_owned(),
        ))),
    });
    let first: Vec<&LiveRule> = first.collect::<Result<_, _>>()?;
    let mut generation = live.generation;
    for (index, rule) in first.iter().enumerate() {
        if why_not(&rule.instructions).is_some() {
            continue;
        }
        let again = Operation::AddRule {
            chain: raw_chain(index),
            place: Place::Last,
            rule: Rule {
                name: None,
                instructions: rule.instructions.clone(),
                origin: None,
            },
        };
        match kernel.commit(generation, &[again]) {
            Ok(now) => generation = now,
            // It then has no second rule.
            Err(CommitError::Refused { .. }) => {}
            Err(error) => return Err(Failure::world(error)),
        }
    }
    let again = kernel.observe().map_err(Failure::world)?;
    let read = first.into_iter().zip(rules(&again)?);
    let read = read.map(|(once, twice)| {
        let stays =
            matches!(twice, [first, second] if same(&first.instructions, &second.instructions));
        (once.instructions.clone(), stays)
    });
    Ok(RawReading::Rules(read.collect()))
}

/// The rules of each chain, in the order of the chains; there is nothing beside them.
fn rules(live: &Live) -> Result<Vec<&[LiveRule]>, Failure> {
    let strange = || {
        let error = RawError::Failed("nft has made other things of them than rules".to_owned());
        Failure::world(error)
    };
    let table = live.table.as_ref().ok_or_else(strange)?;
    let is_alone = live.others.is_empty()
        && table.objects.is_empty()
        && !table.sets.iter().any(|set| set.anonymous);
    if !is_alone {
        return Err(strange());
    }
    let all = (0..table.chains.len()).map(|index| {
        let name = raw_chain(index);
        let chain = table.chains.iter().find(|chain| chain.name == name)?;
        let is_bare = chain.base.is_none() && chain.rules.iter().all(|rule| rule.name.is_none());
        is_bare.then_some(chain.rules.as_slice())
    });
    all.collect::<Option<Vec<_>>>().ok_or_else(strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> RawLine {
        RawLine {
            text: text.to_owned(),
            origin: None,
            line: 4,
            before: 24,
        }
    }

    #[test]
    fn complaints_find_their_rule() {
        let script = RawScript {
            text: String::new(),
            rules: vec![line("tcp dprt 22 drop")],
        };
        let said = "/dev/stdin:4:29-32: Error: syntax error, unexpected string\nadd rule …\n";
        let found = refusals(&script, said);
        let found: Vec<_> = found.iter().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "nft does not take the raw rule: syntax error, unexpected string"
        );
        assert_eq!(found[0].labels[0].text, "stumbles over `dprt`");
        assert!(refusals(&script, "/dev/stdin:1:1-2: Error: no\n").is_empty());
    }
}
