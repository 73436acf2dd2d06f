//! `agent.yaml`: its example and its schema are true, and what it says comes after the command line and the environment.

use std::fs;

use rfw::agent::{self, Agent};
use rfw::diagnostic::SourceText;
use serde_json::Value;

use super::support::git::Git;
use super::support::program::{self, Output};
use super::support::rfw::Desk;

const POLICY: &str = "version: 1
name: NAME
nodes:
  a: { interfaces: { net0: eth0 } }
  b: { interfaces: { net0: eth1 } }
zones: { net: { interfaces: [net0] } }
policies:
  - name: in
    from: net
    to: firewall
    rules: [{ name: ssh, services: [ssh], action: accept }]
";

/// `RFW_UPDATE=1 cargo test --test main agent` writes the file anew.
#[test]
fn the_schema_is_fresh_and_describes_everything() {
    let path = "schema/agent.schema.json";
    if std::env::var_os("RFW_UPDATE").is_some() {
        fs::write(path, agent::schema_text()).unwrap();
    }
    let written = fs::read_to_string(path).unwrap();
    assert!(
        written == agent::schema_text(),
        "run `RFW_UPDATE=1 cargo test --test main agent`"
    );
    let mut found = Vec::new();
    super::schema::undescribed(&agent::schema(), "", &mut found);
    assert_eq!(found, [""; 0]);
    assert!(jsonschema::draft7::meta::is_valid(&agent::schema()));
}

#[test]
fn the_example_says_every_key() {
    let text = fs::read_to_string("packaging/agent.yaml").unwrap();
    let source = SourceText {
        name: "agent.yaml".into(),
        text: text.clone().into(),
    };
    let parsed = agent::parse(&source);
    assert!(parsed.diagnostics.iter().next().is_none());
    let agent: Agent = parsed.policy.unwrap();
    let document: Value = serde_yaml::from_str(&text).unwrap();
    // What is said is what is read, and nothing is read that is not said.
    assert_eq!(serde_json::to_value(&agent).unwrap(), document);
    let keys = |value: &Value| value["properties"].as_object().unwrap().len();
    assert_eq!(keys(&agent::schema()), document.as_object().unwrap().len());
    for (definition, key) in [
        ("Repository", "repository"),
        ("Pull", "pull"),
        ("MetricsOutlet", "metrics"),
    ] {
        let schema = &agent::schema()["definitions"][definition];
        assert_eq!(
            keys(schema),
            document[key].as_object().unwrap().len(),
            "{key}"
        );
    }
    // As an editor does it.
    let validator = jsonschema::validator_for(&agent::schema()).unwrap();
    assert!(validator.is_valid(&document));
}

fn rfw(desk: &Desk, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rfw"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied());
    command
        .env("RFW_STATE_DIR", desk.file("state"))
        .current_dir(desk.file(""));
    program::run(command, b"", std::time::Duration::from_secs(60))
}

#[test]
fn the_command_line_comes_first_and_the_file_last() {
    let desk = Desk::new();
    let git = Git::new(&desk, "repository");
    git.commit(&[("office/p.yaml", &POLICY.replace("NAME", "main-office"))]);
    git.run(&["checkout", "-q", "-b", "next"]);
    git.commit(&[
        ("office/p.yaml", &POLICY.replace("NAME", "next-office")),
        ("p.yaml", &POLICY.replace("NAME", "next-root")),
    ]);
    let path = git.path.to_str().unwrap();
    let file = |rest: &str| desk.write("agent.yaml", &format!("version: 1\nnode: b\n{rest}"));
    let agent = file(&format!(
        "repository: {{ path: {path}, branch: main, subdirectory: office }}\n"
    ));
    let agent = agent.as_str();
    let other = desk.write("other.yaml", &POLICY.replace("NAME", "other"));
    let other = other.as_str();
    // What is rendered tells the policy and the node; `status` and the like need the kernel.
    let check = |arguments: &[&str], environment: &[(&str, &str)], expect: &[&str]| {
        let output = rfw(&desk, &[&["validate"], arguments].concat(), environment);
        let said = format!("{}{}", output.stdout, output.stderr);
        for expect in expect {
            assert!(
                said.contains(expect),
                "{arguments:?} {environment:?}: {said}"
            );
        }
    };
    let by = ["--agent", agent];
    let main = git.run(&["rev-parse", "main"]);
    let next = git.run(&["rev-parse", "next"]);
    check(
        &by,
        &[],
        &[&format!("{path}/office at {} (main)", &main[..12])],
    );
    check(&[], &[("RFW_AGENT", agent)], &["/office at"]);
    check(
        &["--agent", agent, "--rev", "next"],
        &[],
        &[&format!("/office at {} (next)", &next[..12])],
    );
    check(&by, &[("RFW_REV", "next")], &[&next[..12]]);
    check(
        &["--agent", agent, "--rev", "main"],
        &[("RFW_REV", "next")],
        &[&main[..12]],
    );
    // A path that was given is a path of the file system, unless a revision is given, too.
    check(
        &["--agent", agent, "--policy", other],
        &[],
        &["other.yaml: valid"],
    );
    check(&by, &[("RFW_POLICY", other)], &["other.yaml: valid"]);
    check(
        &["--agent", agent, "--policy", path, "--rev", "next"],
        &[],
        &["repository at"],
    );
    // The node: `render` of a policy for several needs one.
    let node = |arguments: &[&str], environment: &[(&str, &str)], expect: &str| {
        let output = rfw(
            &desk,
            &[&["render", "--policy", other], arguments].concat(),
            environment,
        );
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(
            said.contains(expect),
            "{arguments:?} {environment:?}: {said}"
        );
    };
    node(&[], &[], "error[node-needed]");
    node(&by, &[], "\"eth1\"");
    node(&by, &[("RFW_NODE", "a")], "\"eth0\"");
    node(
        &["--agent", agent, "--node", "b"],
        &[("RFW_NODE", "a")],
        "\"eth1\"",
    );
}

#[test]
fn a_file_that_is_named_is_there_and_right() {
    let desk = Desk::new();
    let policy = desk.write("p.yaml", &POLICY.replace("NAME", "x"));
    let policy = policy.as_str();
    let code = |arguments: &[&str], code: i32, expect: &str| {
        let output = rfw(&desk, arguments, &[]);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code(), code, "{said}");
        assert!(said.contains(expect), "{said}");
    };
    code(
        &["validate", "--policy", policy, "--agent", "gone.yaml"],
        1,
        "cannot read `gone.yaml`, which says what this box trusts",
    );
    desk.write("bad.yaml", "version: 1\nrepository:\n  pth: /srv/x\n");
    code(
        &["validate", "--policy", policy, "--agent", "bad.yaml"],
        3,
        "--> bad.yaml:3:3",
    );
    code(
        &["validate", "--policy", policy, "--agent", "bad.yaml"],
        3,
        "did you mean `path`?",
    );
    // What is not about a policy works all the same.
    code(&["schema", "--agent", "bad.yaml"], 0, "urn:rfw:policy:1");
    code(&["schema", "--for-agent"], 0, "urn:rfw:agent:1");
    desk.write(
        "nobody.yaml",
        "version: 1\nrepository: { path: /srv/x, owner: nobody-of-this-name }\n",
    );
    code(
        &["validate", "--agent", "nobody.yaml"],
        3,
        "error[unknown-value]: there is no user `nobody-of-this-name` on this box\n --> nobody.yaml:2:36",
    );
    desk.write(
        "puller.yaml",
        "version: 1\nrepository: { path: /srv/x }\npull: { remote: origin, interval: 60s, user: who-is-that }\n",
    );
    code(
        &["validate", "--agent", "puller.yaml"],
        3,
        "error[unknown-value]: there is no user `who-is-that` on this box\n --> puller.yaml:3:46",
    );
    desk.write(
        "where-to.yaml",
        "version: 1\npull: { remote: origin, interval: 60s, user: git }\n",
    );
    code(
        &["validate", "--policy", policy, "--agent", "where-to.yaml"],
        3,
        "error[missing-key]: `pull` without `repository`: there is nothing to fetch into\n --> where-to.yaml:2:1",
    );
    desk.write("where.yaml", "version: 1\nrepository: { path: /proc }\n");
    code(
        &["validate", "--agent", "where.yaml"],
        1,
        "`/proc` lies in no Git repository",
    );
    // Whoever may write it decides whom the box trusts.
    use std::os::unix::fs::PermissionsExt;
    let open = desk.write("open.yaml", "version: 1\n");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
    code(
        &["validate", "--policy", policy, "--agent", "open.yaml"],
        1,
        "may be written by everybody",
    );
}
