//! `rfw counters`: what is counted is what was sent, and what was not is known over reloads and reboots.

use std::fs;

use rfw::counters::{Counters, Unused};
use serde_json::Value;

use super::support::rfw::Desk;
use super::support::{Host, alone, link, serve, tcp};

const POLICY: &str = "version: 1
name: small
zones:
  lan: { interfaces: [eth0], networks: [10.1.0.0/24, \"fd00:1::/64\"] }
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules:
      - { name: web, services: [http, https], action: accept }
      - { name: never, services: [ssh], action: accept }
  - { name: out, from: firewall, to: lan, default: accept }
";

struct Lab {
    host: Host,
    peer: Host,
    desk: Desk,
    path: String,
}

impl Lab {
    fn new() -> Self {
        let (host, peer, desk) = (Host::new("box"), Host::new("peer"), Desk::new());
        link((&host, "eth0"), (&peer, "eth0"));
        host.ip("addr add 10.1.0.1/24 dev eth0\naddr add fd00:1::1/64 dev eth0\n");
        peer.ip("addr add 10.1.0.2/24 dev eth0\naddr add fd00:1::2/64 dev eth0\n");
        serve::tcp(&host, 80);
        let path = desk.write("small.yaml", POLICY);
        desk.must(&host, &["apply", "--policy", &path]);
        Self {
            host,
            peer,
            desk,
            path,
        }
    }

    fn knock(&self, times: usize) {
        for to in ["10.1.0.1:80", "[fd00:1::1]:80"] {
            for _ in 0..times {
                assert!(tcp::probe(&self.peer, to).to_string().starts_with("open"));
            }
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let common = ["counters", "--policy", &self.path, "--format", "json"];
        let said = self.desk.must(&self.host, &[&common, arguments].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    fn of(&self, name: &str) -> Value {
        let all = self.json(&[]);
        let counters = all["counters"].as_array().unwrap();
        let found = counters.iter().find(|counter| counter["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {all}")).clone()
    }

    /// The names in a list of `--unused`.
    fn unused(&self, span: &str, list: &str) -> Vec<String> {
        let said = self.json(&["--unused", span]);
        let names = said[list].as_array().unwrap().iter();
        names
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Moves everything that is remembered into the past.
    fn age(&self, seconds: i64) {
        let path = self.desk.state_file("seen");
        let text = fs::read_to_string(&path).unwrap();
        let older = |word: &str| match word.parse::<i64>() {
            Ok(time) if 1_000_000_000 < time => (time - seconds).to_string(),
            _ => word.to_owned(),
        };
        let lines = text.lines().map(|line| {
            let words: Vec<String> = line.split(' ').map(older).collect();
            words.join(" ") + "\n"
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
}

#[test]
fn each_rule_of_the_policy_counts_its_packets() {
    alone(|| {
        let lab = Lab::new();
        assert_eq!(lab.of("in/web")["packets"], 0);
        lab.knock(3);
        let web = lab.of("in/web");
        // Both families; only the first packet of a connection meets a rule.
        assert_eq!(web["packets"], 6);
        assert!(web["place"].as_str().unwrap().ends_with("/small.yaml:11"));
        assert!(web["bytes"].as_u64().unwrap() >= 6 * 40, "{web}");
        assert!(web["last_seen"].is_string(), "{web}");
        let never = lab.of("in/never");
        assert_eq!(
            (&never["packets"], &never["last_seen"]),
            (&0.into(), &Value::Null)
        );
        let default = lab.of("in/default");
        assert!(
            default["place"]
                .as_str()
                .unwrap()
                .ends_with("/small.yaml:9")
        );
        // The most first.
        let said = lab
            .desk
            .must(&lab.host, &["counters", "--policy", &lab.path]);
        let first = said.lines().nth(1).unwrap();
        assert!(
            first.contains("  in/web") && first.ends_with("/small.yaml:11"),
            "{said}"
        );
        // Without a policy the counters are there all the same.
        let said = lab
            .desk
            .rfw(&lab.host, &["counters", "--policy", "/nowhere"]);
        assert_eq!(said.code(), 0, "{said:?}");
        assert!(said.stdout.contains("  in/web\n"), "{said:?}");
        assert!(
            said.stderr.contains("the policy cannot be read"),
            "{said:?}"
        );
        let said = lab
            .desk
            .rfw_without_rights(&lab.host, &["counters", "--policy", &lab.path]);
        assert_eq!(said.code(), 1, "{said:?}");
    });
}

#[test]
fn rates_are_those_between_two_readings() {
    alone(|| {
        let lab = Lab::new();
        lab.knock(2);
        let said = std::thread::scope(|scope| {
            let lab = &lab;
            let watch = scope.spawn(move || {
                let arguments = [
                    "counters", "--policy", &lab.path, "--watch", "1s", "--count", "3", "--format",
                    "json",
                ];
                lab.desk.must(&lab.host, &arguments)
            });
            std::thread::sleep(std::time::Duration::from_millis(500));
            lab.knock(5);
            watch.join().unwrap()
        });
        let readings: Vec<Value> = said
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(readings.len(), 3, "{said}");
        let web = |reading: &Value| {
            let counters = reading["counters"].as_array().unwrap();
            counters
                .iter()
                .find(|it| it["name"] == "in/web")
                .unwrap()
                .clone()
        };
        assert_eq!(web(&readings[0])["packet_rate"], Value::Null);
        let rates: f64 = readings[1..]
            .iter()
            .map(|it| web(it)["packet_rate"].as_f64().unwrap())
            .sum();
        assert!((5.0..=10.5).contains(&rates), "{said}");
        assert_eq!(web(&readings[2])["packets"], 14);
        // The same for people in a pipe: a table each time.
        let arguments = [
            "counters", "--policy", &lab.path, "--watch", "1s", "--count", "2",
        ];
        let said = lab.desk.must(&lab.host, &arguments);
        assert_eq!(said.matches(" rule\n").count(), 2, "{said}");
        assert!(!said.contains('\x1b'), "{said}");
    });
}

#[test]
fn what_never_counts_is_known_over_reloads_and_reboots() {
    const DAY: i64 = 86_400;
    alone(|| {
        let lab = Lab::new();
        lab.knock(1);
        // Known for a moment only: nobody can say anything about 30 days.
        assert_eq!(lab.unused("30d", "unused"), [""; 0]);
        assert!(
            lab.unused("30d", "too_young")
                .contains(&"in/never".to_owned())
        );
        assert!(
            !lab.unused("30d", "too_young")
                .contains(&"in/web".to_owned())
        );
        lab.age(40 * DAY);
        let unused = lab.unused("30d", "unused");
        assert!(
            unused.contains(&"in/never".to_owned()) && unused.contains(&"in/web".to_owned()),
            "{unused:?}"
        );
        // What is built in is no rule of the policy.
        assert!(!unused.contains(&"invalid".to_owned()), "{unused:?}");
        lab.knock(1);
        assert!(!lab.unused("30d", "unused").contains(&"in/web".to_owned()));
        // A reload keeps the memory, also where the rule changes.
        lab.desk
            .write("small.yaml", &POLICY.replace("[ssh]", "[ssh, telnet]"));
        lab.desk.must(&lab.host, &["apply", "--policy", &lab.path]);
        assert!(lab.unused("30d", "unused").contains(&"in/never".to_owned()));
        assert_eq!(
            lab.json(&["--unused", "30d"])["blind"],
            Value::Array(Vec::new())
        );
        // So does a boot: the table is gone, a new one counts from nothing.
        lab.age(2);
        lab.host.must("nft", &["flush", "ruleset"], "");
        lab.desk.must(&lab.host, &["apply", "--policy", &lab.path]);
        assert_eq!(lab.of("in/web")["packets"], 0);
        let unused = lab.unused("30d", "unused");
        assert!(
            unused.contains(&"in/never".to_owned()) && !unused.contains(&"in/web".to_owned()),
            "{unused:?}"
        );
        // But what was counted between the last reading and it, nobody knows, and that is said.
        let said = lab.desk.must(
            &lab.host,
            &["counters", "--policy", &lab.path, "--unused", "30d"],
        );
        assert!(
            said.contains("small.yaml:12  never seen, known since"),
            "{said}"
        );
        assert!(
            said.contains("not known: what has counted between"),
            "{said}"
        );
    });
}

/// `RFW_UPDATE=1` rewrites the files.
#[test]
fn the_shapes_are_published() {
    for (name, schema) in [
        ("counters", Counters::schema()),
        ("unused", Unused::schema()),
    ] {
        let path = format!("{}/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("RFW_UPDATE").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), schema, "{name}");
    }
    alone(|| {
        let lab = Lab::new();
        for (arguments, schema) in [
            (&[][..], Counters::schema()),
            (&["--unused", "1s"], Unused::schema()),
        ] {
            let schema: Value = serde_json::from_str(&schema).unwrap();
            let printed = lab.json(arguments);
            let validator = jsonschema::validator_for(&schema).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&printed)
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors, [""; 0], "{printed}");
        }
    });
}
