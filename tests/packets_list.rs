//! Sets from elsewhere: fetched when asked to and never otherwise, guarded, kept, and changed element by element.

use std::net::SocketAddr;
use std::time::Duration;

use super::support::gate::Gate;
use super::support::web::{publish, web};
use super::support::{alone, serve, tcp};

fn policy(set: &str) -> String {
    let set = if set.is_empty() {
        String::new()
    } else {
        format!(", {set}")
    };
    format!(
        "groups: {{ admins: [192.168.1.10] }}
sets: {{ bad: {{ source: http://203.0.113.7:8080/bad.txt{set} }} }}
policies:
  - {{ name: early, from: wan, to: any, rules: [{{ name: bad, source: [bad], action: drop }}] }}
  - {{ name: in, from: wan, to: firewall, default: reject, rules: [{{ name: web, services: [{{ tcp: [1000] }}], action: accept }}] }}
  - {{ name: admin, from: lan, to: firewall, default: reject, rules: [{{ name: ssh, services: [ssh], source: [admins], action: accept }}] }}
  - {{ name: out, from: firewall, to: any, default: accept }}
"
    )
}

fn ask(gate: &Gate, from: &str, to: &str) -> String {
    let from = SocketAddr::new(from.parse().unwrap(), 0);
    match tcp::probe_with(&gate.internet, Some(from), to, Duration::from_millis(150)) {
        tcp::Connection::Open(_) => "open".to_owned(),
        other => other.to_string(),
    }
}

/// Runs `rfw` and returns its exit code and all it says.
fn rfw(gate: &Gate, arguments: &[&str]) -> (i32, String) {
    let all: Vec<&str> = arguments
        .iter()
        .copied()
        .chain(["--policy", "policy.yaml"])
        .collect();
    let output = gate.rfw(&all);
    (output.code(), output.stdout.clone() + &output.stderr)
}

#[track_caller]
fn check(gate: &Gate, arguments: &[&str], code: i32, says: &str) {
    let (exit, said) = rfw(gate, arguments);
    assert_eq!(exit, code, "{said}");
    assert!(said.contains(says), "{said}");
}

const WEB: &str = "203.0.113.10:1000";
const WEB6: &str = "[2001:db8:0:1::10]:1000";

#[test]
fn a_list_is_fetched_when_asked_to_and_kept() {
    alone(|| {
        let text = policy("never_contains: [admins, 10.0.0.0/8]");
        let gate = Gate::new(&text);
        let pages = web(&gate.internet);
        serve::tcp(&gate.gateway, 1000);
        // Never fetched: empty, and that is said each time.
        check(
            &gate,
            &["plan"],
            0,
            "warning: the set `bad` is empty: it has never been fetched",
        );
        check(&gate, &["apply"], 0, "no changes");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");

        publish(
            &pages,
            "/bad.txt",
            "; drop\n203.0.113.8/31\n198.51.100.0/24 ; SBL1\n2001:db8:0:1::7\n",
        );
        check(
            &gate,
            &["apply", "--refresh"],
            0,
            "bad: fetched from http://203.0.113.7:8080/bad.txt, entries: 3, none before",
        );
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "filtered");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");
        assert_eq!(ask(&gate, "2001:db8:0:1::7", WEB6), "filtered");
        check(&gate, &["plan", "--full"], 0, "no changes");
        check(&gate, &["plan"], 0, "no changes");

        // Another one: only what differs is sent.
        publish(&pages, "/bad.txt", "203.0.113.8\n203.0.113.7\n");
        check(&gate, &["apply"], 0, "no changes");
        check(
            &gate,
            &["apply", "--refresh", "bad"],
            0,
            "entries: 2, 3 before",
        );
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
        assert_eq!(ask(&gate, "2001:db8:0:1::7", WEB6), "open");
        check(&gate, &["plan", "--full"], 0, "no changes");
        // The source is down: what was good stays, also over a table that is lost, as over a reboot.
        pages.lock().unwrap().clear();
        check(&gate, &["apply", "--refresh"], 1, "404");
        check(&gate, &["remove"], 0, "");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");
        check(&gate, &["apply"], 0, "applied and verified");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "filtered");
        // A copy that changes behind rfw's back is noticed, and a damaged one is none.
        let copy = gate.state_file("lists/bad");
        let whole = std::fs::read(&copy).unwrap();
        std::fs::write(&copy, &whole[..whole.len() - 1]).unwrap();
        check(&gate, &["apply"], 0, "is damaged or cannot be read");
        assert_eq!(ask(&gate, "203.0.113.7", WEB), "open");
    });
}

#[test]
fn what_is_no_good_is_refused_and_the_old_one_stays() {
    alone(|| {
        let text = policy("never_contains: [admins, 10.0.0.0/8], max_entries: 60");
        let gate = Gate::new(&text);
        let pages = web(&gate.internet);
        serve::tcp(&gate.gateway, 1000);
        let many = |number: u8| -> String {
            (0..number)
                .map(|host| format!("203.0.113.{}\n", 8 + 2 * host))
                .map(|line| line.replace("203.0.113.10\n", "203.0.113.200\n"))
                .collect()
        };
        publish(&pages, "/bad.txt", &many(40));
        check(&gate, &["apply", "--refresh"], 0, "entries: 40");
        for (list, says) in [
            (String::new(), "it holds no address"),
            ("<html>moved</html>".into(), "line 1: "),
            (many(61), "it has 61 entries, and `max_entries` is 60"),
            (
                many(19),
                "it has shrunk by more than half, from 40 entries to 19",
            ),
            (
                format!("{}192.168.0.0/16\n", many(30)),
                "line 31, `192.168.0.0/16`, holds addresses of `admins`",
            ),
            (
                format!("{}10.1.2.3\n", many(30)),
                "line 31, `10.1.2.3`, holds addresses of `10.0.0.0/8`",
            ),
            (
                format!("{}203.0.112.0/23\n", many(30)),
                "holds 203.0.113.10, an address of this box",
            ),
        ] {
            publish(&pages, "/bad.txt", &list);
            check(&gate, &["apply", "--refresh"], 4, says);
            assert_eq!(ask(&gate, "203.0.113.8", WEB), "filtered", "{says}");
            assert_eq!(ask(&gate, "203.0.113.7", WEB), "open", "{says}");
        }
        publish(&pages, "/bad.txt", &many(19));
        check(
            &gate,
            &["apply", "--refresh", "bad", "--any-size"],
            0,
            "entries: 19, 40 before",
        );
        // A policy that says more about what it must not hold is held against the copy, too.
        gate.write(&policy("never_contains: [203.0.113.8]"));
        check(
            &gate,
            &["apply"],
            4,
            "the last good copy of `bad`: it holds addresses of `203.0.113.8`",
        );
        check(
            &gate,
            &["apply", "--refresh", "good"],
            1,
            "no set `good` with a `source`",
        );
    });
}

#[test]
fn checksums_redirects_and_age() {
    alone(|| {
        let sum = "sha256_of: http://203.0.113.7:8080/bad.sum";
        let gate = Gate::new(&policy(sum));
        let pages = web(&gate.internet);
        serve::tcp(&gate.gateway, 1000);
        publish(&pages, "/bad.txt", "203.0.113.8\n");
        publish(
            &pages,
            "/bad.sum",
            &format!("{}  bad.txt\n", "0".repeat(64)),
        );
        check(&gate, &["apply", "--refresh"], 4, "its SHA-256 is ");
        // sha256sum of the line above.
        let right = gate.gateway.must("sha256sum", &[], "203.0.113.8\n");
        publish(&pages, "/bad.sum", &right);
        check(&gate, &["apply", "--refresh"], 0, "entries: 1");
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "filtered");

        // One that is new enough is not fetched, unless it is named.
        gate.write(&policy("refresh: 1h"));
        publish(&pages, "/bad.txt", "203.0.113.9\n");
        check(
            &gate,
            &["apply", "--refresh"],
            0,
            "bad: its copy is new enough",
        );
        check(
            &gate,
            &["apply", "--refresh", "bad"],
            0,
            "entries: 1, 1 before",
        );
        assert_eq!(ask(&gate, "203.0.113.9", WEB), "filtered");
        assert_eq!(ask(&gate, "203.0.113.8", WEB), "open");

        // One that is too old is used no more, from the second on at which it is.
        gate.apply(&policy("keep_last_good: 3s"));
        assert_eq!(ask(&gate, "203.0.113.9", WEB), "filtered");
        std::thread::sleep(Duration::from_millis(3100));
        check(&gate, &["apply"], 0, "and `keep_last_good` is 3s");
        assert_eq!(ask(&gate, "203.0.113.9", WEB), "open");

        // A redirect that does not end, a port where nobody answers.
        gate.write(&policy("").replace("/bad.txt", "/loop"));
        check(&gate, &["apply", "--refresh"], 1, "redirects");
        gate.write(&policy("").replace("8080", "8081"));
        check(&gate, &["apply", "--refresh"], 1, "8081");
        check(&gate, &["plan"], 0, "its copy is from another source");
    });
}

#[test]
fn the_addresses_of_a_name() {
    alone(|| {
        let named = |name: &str| policy("").replace("http://203.0.113.7:8080/bad.txt", name);
        let gate = Gate::new(&named("dns:localhost"));
        check(
            &gate,
            &["apply", "--refresh"],
            0,
            "fetched from dns:localhost",
        );
        let listed = gate
            .gateway
            .must("nft", &["list", "table", "inet", "rfw"], "");
        assert!(listed.contains("127.0.0.1"), "{listed}");
        gate.write(&named("dns:nobody.invalid"));
        check(
            &gate,
            &["apply", "--refresh"],
            1,
            "dns:nobody.invalid: no such name",
        );
    });
}
