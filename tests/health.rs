//! `rfw doctor` and `rfw status`: what they read is what the kernel has.

use rfw::health::{Report, Status};
use serde_json::Value;
use std::fs;

use super::support::rfw::Desk;
use super::support::{Host, alone, link, serve, tcp};

const POLICY: &str = "version: 1
name: small
sysctl: { forwarding: true }
zones:
  lan: { interfaces: [eth0], networks: [10.1.0.0/24] }
policies:
  - { name: in, from: lan, to: firewall, default: accept }
  - { name: out, from: firewall, to: lan, default: accept }
";

fn json(desk: &Desk, host: &Host, arguments: &[&str]) -> Value {
    let output = desk.rfw(host, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// How many neighbours of a family `rfw status` counts.
fn neighbours(desk: &Desk, host: &Host, family: &str) -> u64 {
    let status = json(desk, host, &["status"]);
    let tables = status["neighbours"].as_array().unwrap();
    let table = tables.iter().find(|table| table["family"] == family);
    table.unwrap()["entries"].as_u64().unwrap()
}

/// The table is the whole machine's, so it is not filled here, and others use it at the same time: the test adds a
/// few, and takes it that others do not take away as many at the same moment.
#[test]
fn neighbours_are_counted_and_permanent_ones_are_not() {
    alone(|| {
        let (host, peer, desk) = (Host::new("box"), Host::new("peer"), Desk::new());
        link((&host, "eth0"), (&peer, "eth0"));
        host.ip("addr add 10.1.0.1/24 dev eth0\naddr add fd00:1::1/64 dev eth0\n");
        for (family, prefix) in [("ipv4", "10.1.0."), ("ipv6", "fd00:1::")] {
            let add = |range: std::ops::Range<u32>, state: &str| {
                let lines = range.map(|nth| {
                    format!(
                        "neigh add {prefix}{nth} lladdr 02:00:00:00:00:01 dev eth0 nud {state}\n"
                    )
                });
                host.ip(&lines.collect::<String>());
            };
            let before = neighbours(&desk, &host, family);
            add(10..110, "permanent");
            let permanent = neighbours(&desk, &host, family);
            assert!(permanent < before + 50, "{family}: {before} -> {permanent}");
            add(110..210, "reachable");
            let reachable = neighbours(&desk, &host, family);
            assert!(
                permanent + 50 < reachable,
                "{family}: {permanent} -> {reachable}"
            );
        }
    });
}

#[test]
fn connections_are_counted() {
    alone(|| {
        let (host, peer, desk) = (Host::new("box"), Host::new("peer"), Desk::new());
        link((&host, "eth0"), (&peer, "eth0"));
        host.ip("addr add 10.1.0.1/24 dev eth0\n");
        peer.ip("addr add 10.1.0.2/24 dev eth0\n");
        serve::tcp(&host, 80);
        let path = desk.write("small.yaml", POLICY);
        desk.must(&host, &["apply", "--policy", &path]);
        let count = || {
            let status = json(&desk, &host, &["status", "--policy", &path]);
            status["conntrack"]["count"].as_u64().unwrap()
        };
        let before = count();
        for _ in 0..5 {
            assert!(
                tcp::probe(&peer, "10.1.0.1:80")
                    .to_string()
                    .starts_with("open")
            );
        }
        assert_eq!(count(), before + 5);
        let report = json(&desk, &host, &["doctor"]);
        let findings = report["findings"].as_array().unwrap();
        let checks: Vec<&str> = findings
            .iter()
            .map(|finding| finding["check"].as_str().unwrap())
            .collect();
        for check in [
            "neighbours-ipv4",
            "neighbours-ipv6",
            "conntrack",
            "kernel-log",
        ] {
            assert!(checks.contains(&check), "{checks:?}");
        }
    });
}

#[test]
fn status_tells_of_the_table_the_policy_and_drift() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("small.yaml", POLICY);
        let status = || json(&desk, &host, &["status", "--policy", &path]);
        let fresh = status();
        assert_eq!(
            (&fresh["table"], &fresh["verified"]),
            (&Value::Null, &Value::Null)
        );
        desk.must(&host, &["apply", "--policy", &path]);
        let now = status();
        assert!(now["table"].is_u64(), "{now}");
        assert_eq!(now["drift"], "no");
        assert_eq!(now["verified"]["policy_is_same"], true);
        host.sysctl("net/ipv4/ip_forward", "0");
        let drifted = status();
        assert_eq!(drifted["drift"], "yes");
        assert_eq!(drifted["settings"][0]["key"], "net.ipv4.ip_forward");
        let text = desk.must(&host, &["status", "--policy", &path]);
        assert!(text.contains("net.ipv4.ip_forward is 0, not 1\n"), "{text}");
        host.sysctl("net/ipv4/ip_forward", "1");
        desk.write("small.yaml", &POLICY.replace("name: small", "name: other"));
        assert_eq!(status()["verified"]["policy_is_same"], false);
        host.must("nft", &["add", "table", "inet", "other"], "");
        assert_eq!(status()["drift"], "unknown");
        host.must("nft", &["delete", "table", "inet", "rfw"], "");
        assert_eq!(status()["drift"], "yes");
        // Nothing was written meanwhile.
        assert!(desk.file("90-rfw.conf").exists());
    });
}

#[test]
fn status_tells_what_schedules_do_next() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let policy = "version: 1\nname: clock\ntimezone: Europe/Berlin\nzones: { net: { interfaces: [eth0] } }\n\
             schedules: { later: { dates: [2040-03-01], from: \"08:00\", to: \"09:00\" } }\n\
             policies:\n  - name: in\n    from: net\n    to: firewall\n    rules:\n\
             \x20     - { name: ssh, services: [ssh], schedule: later, action: accept }\n";
        let path = desk.write("clock.yaml", policy);
        desk.must(&host, &["apply", "--policy", &path]);
        let line = "next       later opens Thu 2040-03-01 08:00 Europe/Berlin\n";
        let said = || desk.must(&host, &["status", "--policy", &path]);
        assert!(said().ends_with(line), "{}", said());
        // What was kept is over: the policy is asked again.
        let kept = desk.state_file("verified.json");
        let text = fs::read_to_string(&kept).unwrap();
        let mut state: Value = serde_json::from_str(&text).unwrap();
        state["until"] = 1.into();
        state["next"][0]["text"] = "is over".into();
        fs::write(&kept, state.to_string()).unwrap();
        assert!(said().ends_with(line), "{}", said());
        desk.write("clock.yaml", &policy.replace("09:00", "10:00"));
        assert!(!said().contains("next"), "{}", said());
    });
}

/// `RFW_UPDATE=1` rewrites the files.
#[test]
fn the_shapes_are_published() {
    for (name, schema) in [("doctor", Report::schema()), ("status", Status::schema())] {
        let path = format!("{}/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("RFW_UPDATE").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), schema, "{name}");
    }
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        for (command, schema) in [("doctor", Report::schema()), ("status", Status::schema())] {
            let schema: Value = serde_json::from_str(&schema).unwrap();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let printed = json(&desk, &host, &[command]);
            let errors: Vec<String> = validator
                .iter_errors(&printed)
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors, [""; 0], "{command}: {printed}");
        }
    });
}
