//! What `packaging/ci` holds for the repositories of others is run here as it stands, with the real program on a real repository: each
//! step of the workflows by the shell that they name, the hook by `git commit`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::support::git::Git;
use super::support::program::{self, Output};
use super::support::rfw::Desk;

const BOUND: Duration = Duration::from_secs(60);

/// A policy that opens a port, and a test that says that another is closed.
fn policy(port: u16, closed: u16) -> String {
    format!(
        "version: 1
name: small
zones: {{ lan: {{ interfaces: [eth0] }} }}
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules: [{{ name: door, services: [{{ tcp: [{port}] }}], action: accept }}]
tests:
  - {{ name: closed, from: lan, to: firewall, service: {{ tcp: [{closed}] }}, expect: drop }}
"
    )
}

fn read(file: &str) -> Value {
    let text = fs::read_to_string(format!("packaging/ci/{file}")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

/// A repository with a change, and programs of ours in place of those that meet the network.
struct Site {
    desk: Desk,
    git: Git,
    base: String,
}

impl Site {
    fn new(after: &str) -> Self {
        let desk = Desk::new();
        let git = Git::new(&desk, "repository");
        let base = git.commit(&[("gateway.yaml", &policy(1001, 7))]);
        git.commit(&[("gateway.yaml", after)]);
        desk.write("plan.md", "");
        let rfw = env!("CARGO_BIN_EXE_rfw");
        let program = |name: &str, text: &str| {
            let file = desk.write(&format!("bin/{name}"), text);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        // Brings the program that is to be installed, or takes a comment.
        program(
            "curl",
            &format!(
                "#!/bin/sh\necho \"$@\" >>{said}\nfor word; do case $last in --output) [ $word = /dev/null ] || cp {rfw} $word;; esac; last=$word; done\n",
                said = desk.file("curl").display()
            ),
        );
        program(
            "gh",
            &format!(
                "#!/bin/sh\necho \"$@\" >>{said}\ncase \"$*\" in *--paginate*) cat {ids} 2>/dev/null || :;; esac\n",
                said = desk.file("gh").display(),
                ids = desk.file("ids").display()
            ),
        );
        Self { desk, git, base }
    }

    /// Runs a script by a shell in the repository.
    fn run(&self, shell: &[&str], script: &str, environment: &BTreeMap<String, String>) -> Output {
        let file = self.desk.write("script", script);
        let mut command = Command::new(shell[0]);
        let bin = self.desk.file("bin");
        let installed = self.desk.file("installed/bin");
        command
            .args(&shell[1..])
            .arg(file)
            .current_dir(&self.git.path)
            .env_clear()
            .env("RFW_STATE_DIR", self.desk.file("state"))
            .env("LC_ALL", "C")
            .env(
                "PATH",
                format!("{}:{}:/usr/bin:/bin", bin.display(), installed.display()),
            )
            .envs(environment);
        program::run(command, b"", BOUND)
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.desk.file(name)).unwrap_or_default()
    }

    fn plan(&self) -> String {
        fs::read_to_string(self.git.path.join("plan.md")).unwrap_or_default()
    }

    /// What `sha256sum` says of the program.
    fn sum() -> String {
        let mut command = Command::new("sha256sum");
        command.arg(env!("CARGO_BIN_EXE_rfw"));
        let output = program::run(command, b"", BOUND);
        output.stdout.split(' ').next().unwrap().to_owned()
    }
}

/// Puts values in place of `${{ … }}`; one that nobody has thought of fails the test.
fn fill(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{") {
        let (expression, more) = behind.split_once("}}").unwrap();
        let value = values.get(expression.trim());
        filled.push_str(before);
        filled.push_str(value.unwrap_or_else(|| panic!("no value for {expression}")));
        rest = more;
    }
    filled + rest
}

/// How a job went: each step by name, with its output; `None`: it was left out.
type Steps = Vec<(String, Option<Output>)>;

/// Runs a job of the workflow as GitHub does: after a failure only those steps that say so.
fn job(site: &Site, name: &str, event: &str) -> Steps {
    let workflow = read("github-actions.yml");
    let runner = site.desk.file("installed");
    fs::create_dir_all(&runner).unwrap();
    let values = BTreeMap::from([
        ("vars.RFW_POLICY || '.'", ".".to_owned()),
        ("vars.RFW_NODE", String::new()),
        ("vars.RFW_URL", "https://example.org/rfw".to_owned()),
        ("vars.RFW_SHA256", Site::sum()),
        ("github.event.pull_request.base.sha", site.base.clone()),
        ("github.event.pull_request.number", "7".to_owned()),
        ("github.token", "t".to_owned()),
    ]);
    let file = |name: &str| site.desk.file(name).to_str().unwrap().to_owned();
    let mut environment = BTreeMap::from([
        (
            "RUNNER_TEMP".to_owned(),
            runner.to_str().unwrap().to_owned(),
        ),
        ("GITHUB_PATH".to_owned(), file("path")),
        ("GITHUB_STEP_SUMMARY".to_owned(), file("summary")),
        ("GITHUB_REPOSITORY".to_owned(), "net/policy".to_owned()),
    ]);
    let more = |of: &Value, environment: &mut BTreeMap<String, String>| {
        for (key, value) in of["env"].as_object().into_iter().flatten() {
            environment.insert(key.clone(), fill(value.as_str().unwrap(), &values));
        }
    };
    let job = &workflow["jobs"][name];
    more(job, &mut environment);
    let shell = workflow["defaults"]["run"]["shell"].as_str().unwrap();
    let shell: Vec<&str> = shell.strip_suffix(" {0}").unwrap().split(' ').collect();
    let mut failed = false;
    let mut steps = Vec::new();
    for step in job["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else {
            continue;
        };
        let condition = step["if"].as_str().unwrap_or("${{ success() }}");
        let is_pull = event == "pull_request";
        let runs = match condition.trim_start_matches("${{ ").trim_end_matches(" }}") {
            "success()" => !failed,
            "!cancelled()" => true,
            "!cancelled() && github.event_name == 'pull_request'" => is_pull,
            "github.event_name == 'pull_request'" => is_pull && !failed,
            other => panic!("no value for {other}"),
        };
        let mut environment = environment.clone();
        more(step, &mut environment);
        let output = runs.then(|| site.run(&shell, &fill(script, &values), &environment));
        failed |= output.as_ref().is_some_and(|output| !output.success());
        steps.push((step["name"].as_str().unwrap().to_owned(), output));
    }
    steps
}

/// The exit codes of the steps that were run.
fn codes(steps: &Steps) -> Vec<(&str, i32)> {
    let run = steps
        .iter()
        .filter_map(|(name, output)| Some((name, output.as_ref()?)));
    run.map(|(name, output)| (name.as_str(), output.code()))
        .collect()
}

fn step<'s>(steps: &'s Steps, name: &str) -> &'s Output {
    let found = steps.iter().find(|(step, _)| step == name);
    found.unwrap().1.as_ref().unwrap()
}

#[test]
fn github_is_told_of_a_change() {
    let site = Site::new(&policy(1002, 7));
    let steps = job(&site, "check", "pull_request");
    let all = [
        "Install rfw",
        "Validate",
        "Test",
        "For code scanning",
        "Plan",
    ];
    assert_eq!(codes(&steps), all.map(|name| (name, 0)), "{steps:?}");
    let plan = site.plan();
    assert!(plan.starts_with("<!-- rfw-plan -->\n"), "{plan}");
    assert!(
        plan.contains("tcp dport 1002") && plan.contains("tcp dport 1001"),
        "{plan}"
    );
    assert_eq!(site.said("summary"), plan);
    assert!(site.said("path").trim_end().ends_with("/bin"));
    assert!(step(&steps, "Test").stdout.contains("1 passed, 0 failed"));
    let sarif = fs::read_to_string(site.git.path.join("rfw.sarif")).unwrap();
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    // The comment is made once, and then written anew.
    for (ids, expect) in [
        (
            "",
            "api --silent --method POST repos/net/policy/issues/7/comments --field body=@plan.md\n",
        ),
        (
            "41\n42\n",
            "api --silent --method PATCH repos/net/policy/issues/comments/41 --field body=@plan.md\n",
        ),
    ] {
        site.desk.write("ids", ids);
        let steps = job(&site, "report", "pull_request");
        assert_eq!(codes(&steps), [("Comment", 0)], "{steps:?}");
        assert!(site.said("gh").ends_with(expect), "{}", site.said("gh"));
    }
    // On the branch itself there is nothing to compare.
    let steps = job(&site, "check", "push");
    assert_eq!(
        codes(&steps),
        all[..4].iter().map(|name| (*name, 0)).collect::<Vec<_>>()
    );
}

#[test]
fn github_is_told_of_mistakes_beside_their_lines() {
    let site = Site::new(&policy(1002, 7).replace("from: lan", "from: lann"));
    let steps = job(&site, "check", "pull_request");
    assert_eq!(
        codes(&steps),
        [
            ("Install rfw", 0),
            ("Validate", 3),
            ("For code scanning", 0),
            ("Plan", 3)
        ],
        "{steps:?}"
    );
    let said = &step(&steps, "Validate").stdout;
    assert!(
        said.contains("::error file=gateway.yaml,line=6,endLine=6,col=11,"),
        "{said}"
    );
    assert!(
        site.plan().contains("the policy is rejected"),
        "{}",
        site.plan()
    );
    assert_eq!(site.said("summary"), site.plan());
    let sarif = fs::read_to_string(site.git.path.join("rfw.sarif")).unwrap();
    assert!(sarif.contains("\"ruleId\": \"unknown-zone\""), "{sarif}");
    // A policy that is valid and does not do what its test says.
    let site = Site::new(&policy(1002, 1002));
    let steps = job(&site, "check", "pull_request");
    assert_eq!(
        codes(&steps),
        [
            ("Install rfw", 0),
            ("Validate", 0),
            ("Test", 3),
            ("For code scanning", 0),
            ("Plan", 0)
        ],
        "{steps:?}"
    );
    // Somebody else's program is not run.
    let site = Site::new(&policy(1002, 7));
    let curl = site.desk.file("bin/curl");
    let other = site
        .said("bin/curl")
        .replace("cp ", "cp /bin/true $word; : ");
    fs::write(&curl, other).unwrap();
    let steps = job(&site, "check", "push");
    assert_ne!(step(&steps, "Install rfw").code(), 0);
}

#[test]
fn the_workflow_may_little_and_runs_what_is_named_exactly() {
    let workflow = read("github-actions.yml");
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    let text = fs::read_to_string("packaging/ci/github-actions.yml").unwrap();
    for (name, permissions) in [
        ("check", serde_json::json!({ "contents": "read" })),
        (
            "report",
            serde_json::json!({ "actions": "read", "pull-requests": "write", "security-events": "write" }),
        ),
    ] {
        let job = &workflow["jobs"][name];
        assert_eq!(job["permissions"], permissions, "{name}");
        for step in job["steps"].as_array().unwrap() {
            // Who writes comments does not read what somebody wants to change.
            let uses = step["uses"].as_str().unwrap_or_default();
            assert!(name == "check" || !uses.contains("checkout"));
            if let Some((_, version)) = uses.split_once('@') {
                assert_eq!(version.len(), 40, "{uses}");
                assert!(version.bytes().all(|byte| byte.is_ascii_hexdigit()));
                assert!(
                    text.contains(&format!("{uses} # v")),
                    "its version is said: {uses}"
                );
            }
            // What others have written never comes into a script.
            let script = step["run"].as_str().unwrap_or_default();
            assert!(!script.contains("${{"), "{script}");
        }
    }
    assert_eq!(workflow["jobs"].as_object().unwrap().len(), 2);
    assert_eq!(
        workflow["jobs"]["check"]["steps"][0]["with"]["persist-credentials"],
        false
    );
}

/// Runs a job of the file as GitLab does: its lines one after the other, in one shell.
fn gitlab(site: &Site, name: &str, more: &[(&str, &str)]) -> Output {
    let file = read("gitlab-ci.yml");
    let job = &file[name];
    let template = &file[job["extends"].as_str().unwrap()];
    let lines = |of: &Value, key: &str| {
        let lines = of[key].as_array().unwrap();
        lines
            .iter()
            .map(|line| line.as_str().unwrap().to_owned() + "\n")
            .collect::<String>()
    };
    let script = lines(template, "before_script") + &lines(job, "script");
    let builds = site.desk.file("builds").to_str().unwrap().to_owned();
    let given = [
        ("CI_BUILDS_DIR", builds.as_str()),
        ("RFW_URL", "https://example.org/rfw"),
        ("RFW_SHA256", &Site::sum()),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &site.base),
        ("CI_API_V4_URL", "https://gitlab.example.org/api/v4"),
        ("CI_PROJECT_ID", "3"),
        ("CI_MERGE_REQUEST_IID", "7"),
    ];
    let mut environment: BTreeMap<String, String> = given
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    for (key, value) in file["variables"].as_object().unwrap() {
        environment.insert(key.clone(), value.as_str().unwrap().to_owned());
    }
    site.run(&["sh", "-e"], &script, &environment)
}

#[test]
fn gitlab_is_told_of_a_change_and_of_mistakes() {
    let site = Site::new(&policy(1002, 7));
    // As GitLab leaves it.
    let mut open = Command::new("chmod");
    open.args(["-R", "a+rwX"]).arg(&site.git.path);
    assert!(program::run(open, b"", BOUND).success());
    for name in ["validate", "test", "plan"] {
        let output = gitlab(&site, name, &[]);
        assert!(output.success(), "{name}: {output:?}");
    }
    assert!(site.plan().contains("tcp dport 1002"), "{}", site.plan());
    let junit = fs::read_to_string(site.git.path.join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"0\""), "{junit}");
    assert!(
        !site.said("curl").contains("/notes"),
        "without a token nothing is written"
    );
    let output = gitlab(&site, "plan", &[("RFW_COMMENT_TOKEN", "t")]);
    assert!(output.success(), "{output:?}");
    assert!(
        site.said("curl").ends_with(
            "--header PRIVATE-TOKEN: t --data-urlencode body@plan.md https://gitlab.example.org/api/v4/projects/3/merge_requests/7/notes\n"
        ),
        "{}",
        site.said("curl")
    );
    let site = Site::new(&policy(1002, 7).replace("from: lan", "from: lann"));
    for name in ["validate", "test", "plan"] {
        let output = gitlab(&site, name, &[]);
        assert_eq!(output.code(), 3, "{name}: {output:?}");
    }
    assert!(
        site.plan().contains("the policy is rejected"),
        "{}",
        site.plan()
    );
    let site = Site::new(&policy(1002, 1002));
    assert_eq!(gitlab(&site, "test", &[]).code(), 3);
    let junit = fs::read_to_string(site.git.path.join("junit.xml")).unwrap();
    assert!(junit.contains("failures=\"1\""), "{junit}");
    let jobs = read("gitlab-ci.yml");
    let jobs = jobs
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !key.starts_with('.'));
    let jobs: Vec<&str> = jobs
        .map(String::as_str)
        .filter(|key| !["workflow", "variables"].contains(key))
        .collect();
    assert_eq!(
        jobs,
        ["plan", "test", "validate"],
        "all of them are run here"
    );
}

/// Commits with the hook; what is said.
fn commit(site: &Site, arguments: &[&str]) -> (bool, String) {
    let all = [&["commit", "-q", "-m", "x"], arguments].concat();
    let mut command = site.git.command(&all);
    let rfw = std::path::Path::new(env!("CARGO_BIN_EXE_rfw"))
        .parent()
        .unwrap();
    command
        .env("PATH", format!("{}:/usr/bin:/bin", rfw.display()))
        .env("RFW_STATE_DIR", site.desk.file("state"));
    let output = program::run(command, b"", BOUND);
    (output.success(), output.stdout + &output.stderr)
}

#[test]
fn a_bad_policy_is_not_committed() {
    let site = Site::new(&policy(1002, 7));
    let hook = site.git.inner("hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::copy("packaging/ci/pre-commit", &hook).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let head = || site.git.run(&["rev-parse", "HEAD"]);
    let bad = policy(1003, 7).replace("from: lan", "from: lann");
    #[track_caller]
    fn check((taken, said): (bool, String), expect: bool, word: &str) {
        assert_eq!(taken, expect, "{said}");
        assert!(said.contains(word), "{said}");
    }
    let before = head();
    site.git.write("gateway.yaml", &bad);
    check(commit(&site, &["-a"]), false, "error[unknown-zone]");
    assert_eq!(head(), before);
    site.git.write("gateway.yaml", &policy(1003, 7));
    check(commit(&site, &["-a"]), true, "valid, 0 errors");
    assert_ne!(head(), before);
    // What is committed counts, and not what lies beside it.
    site.git.write("gateway.yaml", &policy(1004, 7));
    site.git.run(&["add", "-A"]);
    site.git.write("gateway.yaml", &bad);
    check(commit(&site, &[]), true, "valid");
    site.git.run(&["add", "-A"]);
    site.git.write("gateway.yaml", &policy(1005, 7));
    check(commit(&site, &[]), false, "error[unknown-zone]");
    // Of one file out of several, git shows the hook an index of its own.
    site.git.write("other", "");
    check(commit(&site, &["gateway.yaml"]), true, "valid");
    // A test of the policy's own fails.
    site.git.write("gateway.yaml", &policy(1006, 1006));
    check(commit(&site, &["-a"]), false, "0 passed, 1 failed");
    site.git
        .run(&["checkout", "-q", "HEAD", "--", "gateway.yaml"]);
    // In a directory of the repository, from a directory of it, in another work tree.
    fs::create_dir_all(site.git.path.join("office")).unwrap();
    site.git.run(&["mv", "gateway.yaml", "office/gateway.yaml"]);
    check(commit(&site, &[]), false, "error: ");
    site.git.run(&["config", "rfw.policy", "office"]);
    check(commit(&site, &[]), true, "valid");
    site.git
        .run(&["worktree", "add", "-q", "../linked", "-b", "linked"]);
    let linked = Site {
        git: site.git.at(site.desk.file("linked")),
        base: String::new(),
        desk: Desk::new(),
    };
    linked.git.write("office/gateway.yaml", &bad);
    check(commit(&linked, &["-a"]), false, "error[unknown-zone]");
    linked.git.write("office/gateway.yaml", &policy(1007, 7));
    check(commit(&linked, &["-a"]), true, "valid");
}

#[test]
fn pre_commit_runs_what_there_is() {
    let config = read("pre-commit-config.yaml");
    let hooks = config["repos"][0]["hooks"].as_array().unwrap();
    assert_eq!(config["repos"][0]["repo"], "local");
    for (after, expect) in [
        (policy(1002, 7), [0, 0]),
        (policy(1002, 1002), [0, 3]),
        (policy(1002, 7).replace("from: lan", "from: lann"), [3, 3]),
    ] {
        let site = Site::new(&after);
        let rfw = std::path::Path::new(env!("CARGO_BIN_EXE_rfw"))
            .parent()
            .unwrap();
        let path = format!("{}:/usr/bin:/bin", rfw.display());
        let environment = BTreeMap::from([("PATH".to_owned(), path)]);
        let run = |hook: &Value| {
            for (key, expect) in [("language", "system"), ("pass_filenames", "false")] {
                assert_eq!(hook[key].to_string().trim_matches('"'), expect);
            }
            let script = hook["entry"].as_str().unwrap();
            site.run(&["sh"], script, &environment).code()
        };
        assert_eq!(hooks.iter().map(run).collect::<Vec<_>>(), expect, "{after}");
    }
}
