//! Runs a test body alone in fresh user, network, mount and process namespaces. Needs no root.
//!
//! A user namespace can only be entered by a process with one thread, and Rust's test harness has many. So the test
//! starts its own binary again under `unshare`, asks for exactly this one test, and the second run executes the body.
//! That works the same under `cargo test` and under nextest. When the time is up or the body is done, the process
//! namespace goes, and with it everything that the test started.

use std::any::type_name;
use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::program;

/// Set in the second run, where the body is executed.
const INSIDE: &str = "RFW_TEST_INSIDE";
/// Set (to anything but `0`) by `scripts/test` in CI: a kernel test that cannot run is a failure.
const REQUIRE: &str = "RFW_REQUIRE_KERNEL";
/// The time a test gets when it does not say otherwise: far more than it needs, for busy machines.
const BOUND: Duration = Duration::from_secs(120);

/// Runs `body` in namespaces of its own, for at most two minutes. To be called from a `#[test]` function, with a closure
/// written there: its type tells the test's name.
#[track_caller]
pub(crate) fn alone<F: FnOnce()>(body: F) {
    alone_for(BOUND, body);
}

/// As [`alone`], with another bound.
#[track_caller]
pub(crate) fn alone_for<F: FnOnce()>(bound: Duration, body: F) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let test = test_name(type_name::<F>());
    let flags = match namespaces() {
        Ok(flags) => flags,
        Err(why) => return did_not_run(&test, why),
    };
    if let Err(failure) = again(flags, &test, bound) {
        panic!("{test}: {failure}");
    }
}

/// Runs one test of this binary again, in namespaces.
fn again(flags: &[&str], test: &str, bound: Duration) -> Result<(), String> {
    let mut command = unshare(flags);
    command
        .arg(env::current_exe().expect("the path of the test binary"))
        .args([
            test,
            "--exact",
            "--nocapture",
            "--test-threads=1",
            "--include-ignored",
        ])
        .env(INSIDE, "1");
    let output = program::run(command, b"", bound);
    let said = format!("{}{}", output.stdout, output.stderr);
    if output.timed_out {
        return Err(format!("not done after {bound:?}\n{said}"));
    }
    if !output.success() {
        return Err(format!("failed in its namespace\n{said}"));
    }
    // A name that no test has runs no test, successfully.
    if !output.stdout.contains("1 passed") {
        return Err(format!("no such test in its namespace\n{said}"));
    }
    // What a test tells although it succeeded.
    let _ = io::stderr().write_all(output.stderr.as_bytes());
    Ok(())
}

/// The test's name as libtest knows it, from the type name of a closure in it: `main::harness::drop::{{closure}}`.
fn test_name(closure: &str) -> String {
    let path = closure
        .split_once("::")
        .map_or(closure, |(_crate, path)| path);
    path.split("::{{closure}}")
        .next()
        .unwrap_or(path)
        .to_owned()
}

/// The `unshare` flags that work here, or why none do. Asked once.
fn namespaces() -> Result<&'static [&'static str], &'static str> {
    /// Best first. Without a process namespace (some containers forbid a fresh /proc) what a killed test leaves behind lives
    /// until its own bound; without a user namespace root is needed.
    const CANDIDATES: [&[&str]; 3] = [
        &[
            "-Urnm",
            "--propagation",
            "private",
            "-p",
            "--kill-child",
            "--mount-proc",
        ],
        &["-Urnm", "--propagation", "private", "--kill-child"],
        &["-nm", "--propagation", "private", "--kill-child"],
    ];
    static FOUND: OnceLock<Result<&[&str], String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let mut refusals = Vec::new();
        for flags in CANDIDATES {
            let mut command = unshare(flags);
            command.args(["nft", "add", "table", "inet", "probe"]);
            let output = program::run(command, b"", Duration::from_secs(10));
            if output.success() {
                return Ok(flags);
            }
            refusals.push(format!(
                "`unshare {}`: {}",
                flags.join(" "),
                output.stderr.trim()
            ));
        }
        Err(refusals.join("; "))
    });
    found.as_ref().copied().map_err(String::as_str)
}

/// `unshare` with these flags, to be followed by a program; it may not read the terminal.
fn unshare(flags: &[&str]) -> Command {
    let mut command = program::command("unshare");
    command
        .args(flags)
        .args(["--fork", "--"])
        .stdin(Stdio::piped());
    command
}

/// Says loudly that a test did not run; where that is not allowed, fails.
#[track_caller]
fn did_not_run(test: &str, why: &str) {
    let required = env::var_os(REQUIRE).is_some_and(|value| value != "0");
    assert!(
        !required,
        "{test}: {REQUIRE} is set, and no network namespace with nf_tables can be made: {why}"
    );
    // Not `eprintln!`: what that prints is only shown for tests that fail.
    let _ = writeln!(
        io::stderr(),
        "{test}: DID NOT RUN, no network namespace with nf_tables can be made: {why}"
    );
}

#[cfg(test)]
mod tests {
    use std::any::type_name;
    use std::env;
    use std::thread::sleep;
    use std::time::Duration;

    use super::{INSIDE, again, did_not_run, namespaces, test_name};

    #[test]
    fn a_closure_tells_the_name_of_its_test() {
        fn name_of<F: Fn()>(_: F) -> String {
            test_name(type_name::<F>())
        }
        assert_eq!(
            name_of(|| ()),
            "support::netns::tests::a_closure_tells_the_name_of_its_test"
        );
    }

    /// Runs the test `name` of this module again, for one second, and tells the first line of its failure.
    #[track_caller]
    fn check(name: &str, expect: &str) {
        let test = format!("support::netns::tests::{name}");
        match namespaces() {
            Ok(flags) => {
                let failure = again(flags, &test, Duration::from_secs(1)).unwrap_err();
                assert_eq!(failure.lines().next(), Some(expect));
            }
            Err(why) => did_not_run(&test, why),
        }
    }

    #[test]
    fn a_test_has_its_time() {
        match env::var_os(INSIDE) {
            Some(_) => sleep(Duration::from_secs(30)),
            None => check("a_test_has_its_time", "not done after 1s"),
        }
    }

    #[test]
    fn a_failure_inside_is_a_failure_outside() {
        match env::var_os(INSIDE) {
            Some(_) => panic!("as it should"),
            None => check(
                "a_failure_inside_is_a_failure_outside",
                "failed in its namespace",
            ),
        }
    }

    #[test]
    fn a_name_that_no_test_has_is_a_failure() {
        check("a_nmae_that_no_test_has", "no such test in its namespace");
    }
}
