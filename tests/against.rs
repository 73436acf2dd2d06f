//! Two revisions of a policy, compared without a kernel; and what a pull request is told of it.

use rfw::kernel::Kernel;
use rfw::live::Assumed;
use rfw::plan::{Detail, View, plan};
use serde_json::Value;

use super::notation::program;
use super::plan::{MARK, kernel};
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::{Host, alone};

const BEFORE: &str = "version: 1
name: office
zones: { net: { interfaces: [eth0] } }
sysctl: { forwarding: true }
policies:
  - name: in
    from: net
    to: firewall
    default: drop
    rules:
      - { name: ssh, services: [ssh], action: accept }
      - { name: web, services: [http], limit: { rate: 5/second }, action: accept }
  - { name: out, from: firewall, to: net, default: accept }
";

const FROM: &str = "set nets ipv4 interval: 10-19 30-39\nset ports port: 22#a 80\nlimit slow 5\n\
                    chain input filter input 0 drop\n a: @ports counter accept\n b: mark=1 accept\n \
                    c: @nets drop\n d: mark=2 accept\n e: mark=3 accept\nchain old\n x: mark=4 drop";
const TO: &str = "set nets ipv4 interval: 10-29 30-39\nset ports port: 22#b 443\nlimit slow 6\n\
                  set hosts ipv4 interval: 1 2 3 9-11\nchain input filter input 0 accept\n \
                  a: @ports counter accept\n c: @nets drop\n d: mark=5 accept\n n: @hosts accept\n \
                  e: mark=3 accept\n b: mark=1 accept";

/// A plan as programs see it, without what only a kernel knows.
fn view(live: &rfw::live::Live, to: &str) -> Value {
    let desired = program(to);
    let plan = plan(live, &desired, MARK);
    let view = View::new(live, &desired, &plan, Detail::All);
    let mut view = serde_json::to_value(view).unwrap();
    view["generation"] = Value::Null;
    for change in view["changes"].as_array_mut().unwrap() {
        change.as_object_mut().unwrap().remove("handle");
    }
    view
}

#[test]
fn what_is_assumed_is_what_a_kernel_would_hold() {
    for (from, to) in [(FROM, TO), (TO, FROM), (FROM, FROM)] {
        let live = kernel(from).observe().unwrap();
        let assumed = Assumed::of(program(from)).live;
        assert_eq!(view(&assumed, to), view(&live, to), "{from}\n{to}");
    }
    let assumed = Assumed::of(program(FROM)).live;
    assert!(plan(&assumed, &program(FROM), MARK).is_empty());
    let nothing = Assumed::nothing().live;
    assert!(!plan(&nothing, &program(FROM), MARK).is_empty());
}

/// A repository of two commits, `main` and `change`, which is checked out.
fn repository(desk: &Desk, before: &str, after: &str) -> Git {
    let git = Git::new(desk, "repository");
    git.commit(&[("gw/office.yaml", before)]);
    git.run(&["checkout", "-q", "-b", "change"]);
    git.commit(&[("gw/office.yaml", after)]);
    git
}

fn after() -> String {
    BEFORE
        .replace("services: [ssh]", "services: [ssh], log: { prefix: ssh }")
        .replace("5/second }, action", "6/second }, action")
        .replace(
            "  - { name: out",
            "      - { name: dns, services: [dns], action: accept }\n  - { name: out",
        )
        .replace("forwarding: true", "forwarding: false")
}

#[test]
fn revisions_are_compared_without_a_kernel() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let git = repository(&desk, BEFORE, &after());
        let path = git.path.join("gw");
        let path = path.to_str().unwrap();
        let run = |arguments: &[&str]| {
            let all = [arguments, &["--policy", path]].concat();
            desk.rfw_without_rights(&host, &all)
        };
        let output = run(&["plan", "--against", "main"]);
        assert_eq!(output.code(), 0, "{}", output.stderr);
        let commit = git.run(&["rev-parse", "main"]);
        let short = &commit[..12];
        let text = output.stdout.replace(short, "COMMIT");
        let text = text.replace(path, "GW");
        insta::assert_snapshot!(text, @r##"
        office   against revision COMMIT (main)
        table inet rfw
        + chain log/in/ssh
        +   log prefix "ssh: "     GW/office.yaml:11 "in/ssh/log"
        +   accept                 GW/office.yaml:11 "in/ssh/verdict"
          chain policy/in
        ~   tcp dport 22 counter goto log/in/ssh                                GW/office.yaml:11 "in/ssh"
              was tcp dport 22 counter accept     main:gw/office.yaml:11
        ~   tcp dport 80 limit rate 6/second burst 5 packets counter accept     GW/office.yaml:12 "in/web"
              was tcp dport 80 limit rate 5/second burst 5 packets counter accept     main:gw/office.yaml:12
        +   tcp dport 53 counter accept                                         GW/office.yaml:13 "in/dns"
        +   udp dport 53 counter accept                                         GW/office.yaml:13 "in/dns"
        system settings
        ~   net.ipv4.ip_forward 1 -> 0              GW/office.yaml:4
        ~   net.ipv6.conf.all.forwarding 1 -> 0     GW/office.yaml:4
        4 rules added, 2 replaced, 1 chain added, 2 settings changed; one batch of 7 operations
        "##);
        // The two may be the same, or both commits.
        let output = run(&["plan", "--against", "HEAD"]);
        assert!(output.stdout.contains("no changes"), "{}", output.stdout);
        let output = run(&[
            "plan",
            "--rev",
            "main",
            "--against",
            "change",
            "--detailed-exitcode",
        ]);
        assert_eq!(output.code(), 2, "{}", output.stderr);
        assert!(
            output
                .stdout
                .contains(" change:gw/office.yaml:13 \"in/dns\""),
            "what goes is found where it was: {}",
            output.stdout
        );
        let output = run(&["plan", "--against", "main", "--format", "json"]);
        let json: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(json["generation"], 0);
        let output = run(&["plan", "--against", "gone"]);
        assert_eq!(output.code(), 1);
        assert!(output.stderr.contains("has no revision `gone`"));
        let output = run(&["plan", "--against", "main", "--out", "x"]);
        assert_eq!(output.code(), 64);
    });
}

#[test]
fn where_there_was_no_policy_everything_is_new() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let git = repository(&desk, "version: 1\nzones: 7\n", BEFORE);
        git.commit(&[("other/office.yaml", BEFORE)]);
        for (directory, why) in [
            ("gw", "against nothing: the policy of revision "),
            ("other", "against nothing: the commit "),
        ] {
            let path = git.path.join(directory);
            let path = path.to_str().unwrap();
            let arguments = ["plan", "--against", "main", "--policy", path];
            let output = desk.rfw_without_rights(&host, &arguments);
            assert_eq!(output.code(), 0, "{}", output.stderr);
            assert!(output.stdout.contains(why), "{}", output.stdout);
            assert!(output.stdout.contains("+ table inet rfw"));
        }
    });
}

#[test]
fn a_pull_request_is_told() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let git = repository(&desk, BEFORE, &after());
        let path = git.path.join("gw");
        let path = path.to_str().unwrap();
        let run = |rev: &str, arguments: &[&str]| {
            let all = [arguments, &["--policy", path, "--rev", rev]].concat();
            desk.rfw_without_rights(&host, &all)
        };
        let plan = ["plan", "--against", "main", "--format"];
        let output = run("change", &[&plan[..], &["markdown"]].concat());
        let mut text = output.stdout;
        for rev in ["main", "change"] {
            text = text.replace(&git.run(&["rev-parse", rev])[..12], &rev.to_uppercase());
        }
        insta::assert_snapshot!(text, @r##"
        <!-- rfw-plan -->
        **rfw plan:** 4 rules added, 2 replaced, 1 chain added, 2 settings changed; one batch of 7 operations

        <details><summary>against revision MAIN (main)</summary>

        ```diff
        office   revision CHANGE (change)   against revision MAIN (main)
        table inet rfw
        + chain log/in/ssh
        +   log prefix "ssh: "     change:gw/office.yaml:11 "in/ssh/log"
        +   accept                 change:gw/office.yaml:11 "in/ssh/verdict"
          chain policy/in
        ~   tcp dport 22 counter goto log/in/ssh                                change:gw/office.yaml:11 "in/ssh"
              was tcp dport 22 counter accept     main:gw/office.yaml:11
        ~   tcp dport 80 limit rate 6/second burst 5 packets counter accept     change:gw/office.yaml:12 "in/web"
              was tcp dport 80 limit rate 5/second burst 5 packets counter accept     main:gw/office.yaml:12
        +   tcp dport 53 counter accept                                         change:gw/office.yaml:13 "in/dns"
        +   udp dport 53 counter accept                                         change:gw/office.yaml:13 "in/dns"
        system settings
        ~   net.ipv4.ip_forward 1 -> 0              change:gw/office.yaml:4
        ~   net.ipv6.conf.all.forwarding 1 -> 0     change:gw/office.yaml:4
        4 rules added, 2 replaced, 1 chain added, 2 settings changed; one batch of 7 operations
        ```

        </details>
        "##);
        // GitHub's own words in a policy stay words.
        let strange = after().replace("name: office", "name: office\n\"n%0A::error::\": 1");
        git.commit(&[("gw/office.yaml", &strange)]);
        let output = run("HEAD", &["validate", "--format", "github"]);
        assert_eq!(output.code(), 3);
        assert!(
            output.stdout.starts_with(
                "::error file=gw/office.yaml,line=3,endLine=3,col=1,endColumn=16,title=unknown-key::unknown key \
                 `n%250A::error::`%0Ano such key here%0Ahelp: possible here: "
            ),
            "{}",
            output.stdout
        );
        assert_eq!(output.stdout.lines().count(), 1);
        let output = run("HEAD", &[&plan[..], &["github"]].concat());
        assert_eq!(output.code(), 3);
        assert!(
            output.stdout.contains("::error file=gw/office.yaml,line=3"),
            "{}",
            output.stdout
        );
        let output = run("change~1", &[&plan[..], &["github"]].concat());
        insta::assert_snapshot!(output.stdout, @r##"
        ::notice title=rfw plan::4 rules added, 2 replaced, 1 chain added, 2 settings changed; one batch of 7 operations
        "##);
        let output = run("HEAD", &[&plan[..], &["markdown"]].concat());
        assert_eq!(output.code(), 3);
        assert!(
            output.stdout.starts_with(
                "<!-- rfw-plan -->\n**rfw plan: the policy is rejected**\n\n```text\nerror["
            ),
            "{}",
            output.stdout
        );
        for command in [
            &["validate", "--format", "sarif"][..],
            &[&plan[..], &["sarif"]].concat(),
        ] {
            let output = run("HEAD", command);
            assert_eq!(output.code(), 3);
            is_sarif(&serde_json::from_str(&output.stdout).unwrap());
        }
    });
}

/// The essential shape of SARIF 2.1.0, and of what GitHub's code scanning wants.
#[track_caller]
fn is_sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "rfw");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        let text = |of: &Value| of["text"].as_str().is_some_and(|text| !text.is_empty());
        assert!(rule["id"].is_string(), "{rule}");
        assert!(
            text(&rule["shortDescription"]) && text(&rule["help"]),
            "{rule}"
        );
    }
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            place["artifactLocation"]["uri"], "gw/office.yaml",
            "{result}"
        );
        let region = &place["region"];
        let number = |key: &str| region[key].as_u64().unwrap();
        assert!(1 <= number("startLine") && 1 <= number("startColumn"));
        let (start, end) = ("startLine", "endLine");
        assert!((number(start), number("startColumn")) <= (number(end), number("endColumn")));
    }
}
