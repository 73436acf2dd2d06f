//! A policy in several files, groups from lists: what they mean to packets, and that nothing outside is read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::support::gate::Gate;
use super::support::program::Output;
use super::support::rfw::Desk;
use super::support::{Host, Office, alone, nft, serve, tcp};

const MAIN: &str = "version: 1
include: [services/*.yaml, groups/*.yaml]
zones: { wan: { interfaces: [eth0] } }
policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules:
      - { name: bad, source: [bad], action: drop }
      - { name: own, services: [own], action: accept }
";

#[test]
fn a_list_stops_its_addresses_and_no_others() {
    alone(|| {
        let (office, desk) = (Office::new(), Desk::new());
        let policy = desk.write("p/gate.yaml", MAIN);
        desk.write(
            "p/services/own.yaml",
            "services: { own: { tcp: [1000] } }\n",
        );
        desk.write(
            "p/groups/bad.yaml",
            "groups: { bad: [listed], listed: { file: lists/bad.txt } }\n",
        );
        desk.write(
            "p/lists/bad.txt",
            "# bad\r\n203.0.113.8\r\n2001:db8:0:1::8/125 # some\r\n",
        );
        serve::tcp(&office.gateway, 1000);
        office
            .internet
            .ip("addr add 2001:db8:0:1::8/64 dev eth0 nodad");
        let seen = |from: &str, to: &str| tcp::probe_from(&office.internet, from, to).to_string();
        let apply = || desk.must(&office.gateway, &["apply", "--policy", &policy]);
        apply();
        let (v4, v6) = ("203.0.113.10:1000", "[2001:db8:0:1::10]:1000");
        assert_eq!(seen("203.0.113.8", v4), "filtered");
        assert_eq!(seen("203.0.113.7", v4), "open: gateway 203.0.113.7");
        assert_eq!(seen("2001:db8:0:1::8", v6), "filtered");
        assert_eq!(seen("2001:db8:0:1::7", v6), "open: gateway 2001:db8:0:1::7");
        assert!(apply().contains("no changes"));
        // The list is part of the policy: another line, another plan.
        desk.write("p/lists/bad.txt", "203.0.113.7\n");
        assert!(apply().contains("element"), "elements change");
        assert_eq!(seen("203.0.113.7", v4), "filtered");
        assert_eq!(seen("203.0.113.8", v4), "open: gateway 203.0.113.8");
        assert_eq!(seen("2001:db8:0:1::8", v6), "open: gateway 2001:db8:0:1::8");
    });
}

/// What validating a policy comes to: it must fail, and not show the secret.
#[track_caller]
fn check(desk: &Desk, host: &Host, policy: &str, code: i32, expect: &str) {
    let Output {
        status,
        stdout,
        stderr,
        timed_out,
    } = desk.rfw(host, &["validate", "--policy", policy]);
    assert!(!timed_out);
    assert_eq!(status.code(), Some(code), "{stdout}{stderr}");
    assert!(stderr.contains(expect), "{stdout}{stderr}");
    assert!(
        !format!("{stdout}{stderr}").contains("hunter2"),
        "{stdout}{stderr}"
    );
}

#[test]
fn nothing_outside_is_read_or_shown() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let secret = desk.write("secret.yaml", "hunter2: [");
        desk.write("secret/x.yaml", "hunter2: [");
        let policy = desk.write("p/p.yaml", MAIN);
        let root = Path::new(&policy).parent().unwrap().to_owned();
        fs::create_dir(root.join("groups")).unwrap();
        desk.write(
            "p/services/own.yaml",
            "services: { own: { tcp: [1000] } }\n",
        );
        let group = |text: &str| {
            desk.write(
                "p/groups/g.yaml",
                &format!("groups: {{ bad: {{ file: \"{text}\" }} }}\n"),
            )
        };
        for (path, expect) in [
            ("../secret.yaml", "error[bad-path]"),
            (secret.as_str(), "error[bad-path]"),
            ("~/secret.yaml", "error[bad-path]"),
            ("groups/../../secret.yaml", "error[bad-path]"),
            ("secret\\0.yaml", "error[bad-path]"),
            (".git/config", "error[bad-path]"),
            ("link", "error[leads-out]"),
            ("absolute", "error[leads-out]"),
            ("magic", "error["),
            ("away/secret.yaml", "error[leads-out]"),
            ("round", "error[not-a-file]"),
            ("pipe", "error[not-a-file]"),
            ("groups", "error[not-a-file]"),
            ("gone", "error[no-such-file]"),
        ] {
            group(path);
            let _ = symlink("../secret.yaml", root.join("link"));
            let _ = symlink(&secret, root.join("absolute"));
            let _ = symlink("/proc/self/fd/0", root.join("magic"));
            let _ = symlink("..", root.join("away"));
            let _ = symlink("round", root.join("round"));
            let _ = nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRUSR);
            check(&desk, &host, &policy, 3, expect);
        }
        // Links that stay inside are as good as files.
        desk.write("p/lists/bad.txt", "192.0.2.1\n");
        symlink("lists/bad.txt", root.join("inside")).unwrap();
        group("inside");
        desk.must(&host, &["validate", "--policy", &policy]);
        // Included files and directories likewise.
        symlink("../../secret.yaml", root.join("services/x.yaml")).unwrap();
        check(&desk, &host, &policy, 3, "error[leads-out]");
        fs::remove_file(root.join("services/x.yaml")).unwrap();
        symlink("../secret", root.join("other")).unwrap();
        desk.write("p/p.yaml", &MAIN.replace("services/*.yaml", "'*/*.yaml'"));
        check(&desk, &host, &policy, 3, "error[leads-out]");
        fs::remove_file(root.join("other")).unwrap();
        for link in ["away", "link", "absolute", "magic"] {
            fs::remove_file(root.join(link)).unwrap();
        }
        desk.must(&host, &["validate", "--policy", &policy]);
        // A directory's own files, too.
        symlink("../secret.yaml", root.join("q.yaml")).unwrap();
        let directory = root.to_str().unwrap();
        check(
            &desk,
            &host,
            directory,
            1,
            "leads out of the directory of the policy",
        );
        fs::remove_file(root.join("q.yaml")).unwrap();
        // Whoever may write a list decides what it says.
        fs::set_permissions(
            root.join("lists/bad.txt"),
            fs::Permissions::from_mode(0o666),
        )
        .unwrap();
        check(&desk, &host, &policy, 1, "may be written by everybody");
    });
}

/// A policy whose only group is read from `bad.txt`; its path.
fn policy_with_list(desk: &Desk) -> String {
    let one_file = MAIN.replace(
        "include: [services/*.yaml, groups/*.yaml]",
        "services: { own: { tcp: [1] } }\ngroups: { bad: { file: bad.txt } }",
    );
    desk.write("p.yaml", &one_file)
}

#[test]
fn lines_of_a_list_are_complained_about_where_they_are() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = policy_with_list(&desk);
        let says = |list: &str| {
            desk.write("bad.txt", list);
            let output = desk.rfw(&host, &["validate", "--policy", &policy]);
            output.stderr.replace(policy.trim_end_matches("p.yaml"), "")
        };
        let said = says("10.0.0.0/8\n  10.0.0.0/33 # much\n");
        assert!(
            said.contains("error[bad-prefix-length]") && said.contains("bad.txt:2:3"),
            "{said}"
        );
        let said = says("10.0.0.0/8\n10.1.0.0/16\n10.2.0.0/16\n");
        assert!(
            said.contains("warning[overlapping-entries]: 2 entries")
                && said.contains("bad.txt:2:1"),
            "{said}"
        );
        let said = says("# nothing\n");
        assert!(
            said.contains("error[empty-list]") && said.contains("bad.txt:1:1"),
            "{said}"
        );
    });
}

#[test]
fn a_name_in_two_files_is_told_with_both_places() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        let desk = Desk::new();
        let policy = desk.write("p.yaml", MAIN);
        desk.write("services/a.yaml", "services: { own: { tcp: [1000] } }\n");
        desk.write("services/b.yaml", "services:\n  own: { tcp: [1001] }\n");
        desk.write("groups/bad.yaml", "groups: { bad: [192.0.2.1] }\n");
        let output = desk.rfw(&gate.gateway, &["validate", "--policy", &policy]);
        assert_eq!(output.code(), 3);
        for part in [
            "error[defined-twice]",
            "services/b.yaml:2:3",
            "services/a.yaml:1:13",
        ] {
            assert!(output.stderr.contains(part), "{}", output.stderr);
        }
    });
}

#[test]
fn each_node_has_interfaces_of_its_own() {
    alone(|| {
        let (office, desk) = (Office::new(), Desk::new());
        let policy = desk.write(
            "p.yaml",
            "version: 1
nodes:
  a: { interfaces: { wan0: eth0, lan0: eth1 } }
  b: { interfaces: { wan0: eth1, lan0: eth0 } }
zones:
  wan: { interfaces: [wan0] }
  lan: { interfaces: [lan0, \"wg*\"] }
policies:
  - { name: in, from: wan, to: firewall, default: drop }
  - { name: inside, from: lan, to: firewall, rules: [{ name: own, services: [{ tcp: [1000] }], action: accept }] }
",
        );
        serve::tcp(&office.gateway, 1000);
        let rfw = |arguments: &[&str]| {
            desk.rfw(
                &office.gateway,
                &[arguments, &["--policy", &policy]].concat(),
            )
        };
        let says = |arguments: &[&str], code: i32, expect: &str| {
            let output = rfw(arguments);
            assert_eq!(output.code(), code, "{}{}", output.stdout, output.stderr);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(said.contains(expect), "{arguments:?}: {said}");
        };
        says(&["validate"], 0, "valid");
        says(&["plan"], 3, "error[node-needed]");
        says(&["apply", "--node", "c"], 3, "the policy is for `a`, `b`");
        let seen = |host: &Host, to: &str| tcp::probe(host, to).to_string();
        let (wan4, wan6) = ("203.0.113.10:1000", "[2001:db8:0:1::10]:1000");
        let (lan4, lan6) = ("192.168.0.1:1000", "[fd12:3456:789a::1]:1000");
        for (node, wan, lan) in [("a", "filtered", "open"), ("b", "open", "filtered")] {
            // The other node's state is not this one's.
            says(&["apply", "--node", node], 0, "applied and verified");
            says(&["plan", "--node", node], 0, "no changes");
            for (host, to, expect) in [
                (&office.internet, wan4, wan),
                (&office.internet, wan6, wan),
                (&office.admin, lan4, lan),
                (&office.admin, lan6, lan),
            ] {
                assert!(seen(host, to).starts_with(expect), "{node}: {to}");
            }
        }
    });
}

/// A list of so many prefixes, one of them another.
fn list(other: &str) -> String {
    let prefixes =
        (0..20_000u32).map(|n| format!("10.{}.{}.{}/30\n", n / 256 % 256, n % 256, n / 65_536 * 4));
    prefixes.chain([other.to_owned()]).collect()
}

#[test]
fn a_large_list_changes_by_its_elements_whoever_changed_it() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = policy_with_list(&desk);
        let rfw =
            |arguments: &[&str]| desk.must(&host, &[arguments, &["--policy", &policy]].concat());
        let says = |arguments: &[&str], expect: &str| {
            let said = rfw(arguments);
            assert!(said.contains(expect), "{arguments:?}: {said}");
        };
        let nft = |text: &str| nft::load(&host, text);
        desk.write("bad.txt", &list("192.0.2.1"));
        says(&["apply"], "19,991 more");
        says(&["plan"], "no changes");
        says(&["plan", "--full"], "no changes");
        // One line is one element, whether what is known is still there or not.
        for (address, lost) in [("192.0.2.2", false), ("192.0.2.3", true)] {
            desk.write("bad.txt", &list(address));
            if lost {
                let mut kept = fs::read(desk.state_file("elements")).unwrap();
                kept[100] ^= 1;
                fs::write(desk.state_file("elements"), kept).unwrap();
            }
            says(&["plan"], "1 element added, 1 removed");
            says(&["apply"], address);
            says(&["plan", "--full"], "no changes");
        }
        // Somebody else's change is another generation: nothing is known any more.
        nft("delete element inet rfw group/bad.net4 { 10.0.7.0/30 }");
        nft("add element inet rfw group/bad.net4 { 192.0.2.77 }");
        says(&["plan"], "1 element added, 1 removed");
        says(&["apply"], "192.0.2.77");
        says(&["plan", "--full"], "no changes");
        // And so is a change of another table, which changes nothing.
        nft("add table inet other");
        says(&["plan"], "no changes");
        desk.write("bad.txt", "192.0.2.1\n");
        says(&["apply"], "set");
        says(&["plan", "--full"], "no changes");
    });
}
