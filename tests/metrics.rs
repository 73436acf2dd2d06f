//! Metrics: the text is of Prometheus' format, and says what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::fcntl::{Flock, FlockArg};

use super::support::daemon::Daemon;
use super::support::rfw::Desk;
use super::support::{Host, alone, link, serve, tcp};

/// The samples of a text in the text format 0.0.4, by name and labels; or what is wrong with it.
///
/// Stricter than the format: every metric has its help and its type, right before its samples, once.
fn read(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let mut samples = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let (mut helped, mut metric, mut kind) = (String::new(), String::new(), String::new());
    let lines = text.strip_suffix('\n').ok_or("the last line has no end")?;
    for line in lines.split('\n') {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, _) = help.split_once(' ').ok_or("help without words")?;
            helped = name.to_owned();
            if !is_name(name) || !seen.insert(name.to_owned()) {
                return wrong("no name, or not the first time");
            }
        } else if let Some(of_type) = line.strip_prefix("# TYPE ") {
            let (name, word) = of_type.split_once(' ').ok_or("no type")?;
            if name != helped || !["counter", "gauge", "summary"].contains(&word) {
                return wrong("no type of the metric that was helped");
            }
            if (word == "counter") != name.ends_with("_total") {
                return wrong("counters end in `_total`, others do not");
            }
            (metric, kind) = (name.to_owned(), word.to_owned());
        } else {
            let end = line.find(['{', ' ']).ok_or("no sample")?;
            let name = &line[..end];
            let stem = match kind.as_str() {
                "summary" => name
                    .strip_suffix("_sum")
                    .or(name.strip_suffix("_count"))
                    .unwrap_or(""),
                _ => name,
            };
            if stem != metric {
                return wrong("a sample of another metric");
            }
            let rest = labels(&line[end..]).ok_or(format!("labels: {line}"))?;
            let value = rest.strip_prefix(' ').ok_or("no value")?;
            let value: f64 = value.parse().map_err(|_| format!("value: {line}"))?;
            let series = line[..line.len() - rest.len()].to_owned();
            if samples.insert(series, value).is_some() {
                return wrong("twice");
            }
        }
    }
    Ok(samples)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// What follows the labels.
fn labels(text: &str) -> Option<&str> {
    let Some(mut rest) = text.strip_prefix('{') else {
        return Some(text);
    };
    loop {
        let (name, value) = rest.split_once("=\"")?;
        if !is_name(name) {
            return None;
        }
        let mut letters = value.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => {
                    letters
                        .next()
                        .filter(|(_, letter)| ['\\', '"', 'n'].contains(letter))?;
                }
                _ => {}
            }
        };
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return rest.strip_prefix('}'),
        }
    }
}

#[test]
fn the_reader_tells_right_from_wrong() {
    const RIGHT: &str = "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"q\\\"\\\\\\n,}\",y=\"\"} 7\na_total 8\n\
        # HELP b B.\n# TYPE b summary\nb_sum 1.5\nb_count 2\n";
    assert_eq!(read(RIGHT).unwrap().len(), 4);
    for (from, to) in [
        ("count 2\n", "count 2"),
        ("a_total 8", "a_total{x=\"q\\\"\\\\\\n,}\",y=\"\"} 8"),
        ("a_total 8", "b_total 8"),
        (" 8", " eight"),
        (" 8", "  8"),
        (" 8", ""),
        ("x=", "X="),
        ("\\\\\\n", "\\\\\\t"),
        ("y=\"\"}", "y=\"}"),
        ("# TYPE b summary\n", ""),
        ("b summary", "b histogram"),
        ("b summary", "b counter"),
        ("a_total counter", "a_total gauge"),
        ("# HELP b B.", "# HELP a_total B."),
        ("b_sum", "b_mean"),
    ] {
        let wrong = RIGHT.replacen(from, to, 1);
        assert_ne!(wrong, RIGHT);
        assert!(read(&wrong).is_err(), "{from} -> {to}");
    }
}

const POLICY: &str = "version: 1
name: small
timezone: Europe/Berlin
sysctl: { forwarding: true }
zones:
  lan: { interfaces: [eth0], networks: [10.1.0.0/24] }
groups:
  some: [10.1.0.2, 10.1.0.3, 10.1.0.4]
schedules:
  later: { dates: [2040-03-01], from: \"08:00\", to: \"09:00\" }
policies:
  - name: in
    from: lan
    to: firewall
    default: drop
    rules:
      - { name: web, services: [http], source: [some], action: accept }
      - { name: ssh, services: [ssh], schedule: later, action: accept }
  - { name: out, from: firewall, to: lan, default: accept }
";

/// A report of a daemon whose process is not there; `$NAME` stands for what a test says.
const REPORT: &str = r#"{ "version": 1, "pid": PID, "started": 100, "written": 300, "state": "degraded",
    "trouble": { "kind": "rejected", "text": "error: unknown zone `wann`\n --> a.yaml:3", "since": 250, "failures": 3 },
    "attempted": { "commit": "beef", "policy": "2222222222222222" },
    "applied": { "commit": "c0ffee\"x", "policy": "1111111111111111" },
    "generation": 7, "verified": 200,
    "drift": { "mode": "repair", "seen": 4, "repaired": 3, "present": true, "last": { "at": 220, "by": ["nft (pid 47)"],
        "change": { "at": 220, "operations": 1, "settings": 0, "summary": "1 rule added", "first": [] }, "repaired": true } },
    "last_change": { "at": 210, "operations": 2, "settings": 0, "summary": "2 rules replaced", "first": [] },
    "steps": { "total": 40, "full": 5, "changed": 6, "failed": 7, "causes": {} },
    "step": { "count": 40, "sum_us": 80000, "last_us": 1500, "max_us": 9000 },
    "reaction": { "count": 6, "sum_us": 120000, "last_us": 20000, "max_us": 30000 },
    "foreign": { "commits": 11, "touching_ours": 4, "lost": 1 },
    "next": { "switch": null, "refresh": null, "retry": 400, "verify": null }, "warnings": "" }"#;

#[test]
fn metrics_say_what_is_so() {
    alone(|| {
        let (host, peer, desk) = (Host::new("box"), Host::new("peer"), Desk::new());
        link((&host, "eth0"), (&peer, "eth0"));
        host.ip("addr add 10.1.0.1/24 dev eth0\n");
        peer.ip("addr add 10.1.0.2/24 dev eth0\n");
        serve::tcp(&host, 80);
        let path = desk.write("small.yaml", POLICY);
        let ask = ["status", "--policy", &path, "--format", "prometheus"];
        let metrics = || {
            let text = desk.must(&host, &ask);
            read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
        };
        let before = metrics();
        assert_eq!(before["rfw_table_present"], 0.0);
        assert!(
            !before
                .keys()
                .any(|series| series.starts_with("rfw_policy_info"))
        );
        assert!(!before.keys().any(|series| series.starts_with("rfw_daemon")));
        desk.must(&host, &["apply", "--policy", &path]);
        for _ in 0..3 {
            assert!(
                tcp::probe(&peer, "10.1.0.1:80")
                    .to_string()
                    .starts_with("open")
            );
        }
        let digest = desk.must(&host, &["digest", "--policy", &path]);
        let digest = digest
            .lines()
            .next()
            .unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned();
        let now = metrics();
        for (series, value) in [
            ("rfw_table_present", 1.0),
            ("rfw_drift", 0.0),
            ("rfw_policy_changed", 0.0),
            ("rfw_rule_packets_total{rule=\"in/web\"}", 3.0),
            ("rfw_rule_packets_total{rule=\"in/ssh\"}", 0.0),
            ("rfw_set_elements{set=\"group/some.ip4\"}", 3.0),
            (
                "rfw_next_switch_timestamp_seconds{schedule=\"later\",does=\"opens\"}",
                2_214_198_000.0,
            ),
        ] {
            assert_eq!(now.get(series), Some(&value), "{series}: {now:#?}");
        }
        assert!(
            now["rfw_conntrack_entries"] >= 3.0
                && now["rfw_neighbour_limit{family=\"ipv4\"}"] > 0.0
        );
        let info = now
            .keys()
            .find(|series| series.starts_with("rfw_policy_info"))
            .unwrap();
        assert!(info.contains(&format!("digest=\"{digest}\"")), "{info}");
        assert!(
            desk.must(&host, &["status", "--policy", &path])
                .contains(&format!("digest     {digest}\n"))
        );
        host.sysctl("net/ipv4/ip_forward", "0");
        assert_eq!(metrics()["rfw_drift"], 1.0);
        // What the daemon says is passed on.
        fs::write(desk.run_file("status.json"), REPORT.replace("PID", "1")).unwrap();
        // A process with its number lives, but it is not the daemon: that holds a lock.
        let lock = fs::File::create(desk.run_file("watch.lock")).unwrap();
        assert_eq!(metrics()["rfw_daemon_running"], 0.0);
        assert!(
            desk.must(&host, &["status", "--policy", &path])
                .contains("daemon     gone without a word (pid 1), last heard of at")
        );
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
        let now = metrics();
        for (series, value) in [
            ("rfw_daemon_running", 1.0),
            ("rfw_state{state=\"degraded\"}", 1.0),
            ("rfw_state{state=\"in-force\"}", 0.0),
            ("rfw_last_reconcile_success", 0.0),
            (
                "rfw_trouble_since_timestamp_seconds{kind=\"rejected\"}",
                250.0,
            ),
            ("rfw_reconcile_steps_total", 40.0),
            ("rfw_reconcile_errors_total", 7.0),
            ("rfw_reconcile_seconds_sum", 0.08),
            ("rfw_reconcile_seconds_count", 40.0),
            ("rfw_reaction_seconds_max", 0.03),
            ("rfw_drift_seen_total", 4.0),
            ("rfw_drift_present", 1.0),
            ("rfw_last_change_timestamp_seconds", 210.0),
        ] {
            assert_eq!(now.get(series), Some(&value), "{series}: {now:#?}");
        }
        assert!(
            now.keys()
                .any(|series| series.contains("revision=\"c0ffee\\\"x\"")),
            "{now:#?}"
        );
        let said = desk.must(&host, &["status", "--policy", &path]);
        for line in [
            "daemon     runs since 1970-01-01T00:01:40Z (pid 1); the last step failed, the rules that were in force stay\n",
            "attempted  commit beef, policy 222222222222\n",
            "applied    commit c0ffee\"x, policy 111111111111\n",
            "trouble    rejected since 1970-01-01T00:04:10Z, 3 times\n           error: unknown zone `wann`\n",
            "changed    2 rules replaced at 1970-01-01T00:03:30Z\n",
            "last by nft (pid 47) at 1970-01-01T00:03:40Z: 1 rule added\n",
            "steps      40, of which 6 changed something and 7 failed; 2.0 ms in the mean, 1.5 ms the last, 9.0 ms the longest\n",
        ] {
            assert!(said.contains(line), "{line}{said}");
        }
        drop(lock);
        assert_eq!(metrics()["rfw_daemon_running"], 0.0);
        assert!(
            desk.must(&host, &["status", "--policy", &path])
                .contains("daemon     gone without a word")
        );
        // A file of another version, or half of one, is none.
        fs::write(desk.run_file("status.json"), "{ \"version\": 1,").unwrap();
        assert!(!metrics().contains_key("rfw_daemon_running"));
    });
}

/// The body of the answer to a question over HTTP, from the host itself.
fn get(host: &Host, address: &str) -> String {
    use std::io::{Read, Write};
    host.run(|| {
        let mut stream = std::net::TcpStream::connect(address).expect("somebody listens");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        body.to_owned()
    })
}

#[test]
fn the_daemon_answers_and_writes_and_its_peer_is_compared() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("p/small.yaml", POLICY);
        let file = desk.file("rfw.prom");
        let agent = desk.write(
            "agent.yaml",
            &format!(
                "version: 1\nmetrics: {{ listen: 127.0.0.1:9472, textfile: {} }}\n",
                file.display()
            ),
        );
        let daemon = Daemon::start(&desk, &host, &["--policy", &path, "--agent", &agent]);
        daemon.until("in force", |report| report["state"] == "in-force");
        let now = read(&get(&host, "127.0.0.1:9472")).unwrap();
        assert_eq!(now["rfw_daemon_running"], 1.0);
        assert_eq!(now["rfw_state{state=\"in-force\"}"], 1.0);
        assert_eq!(now["rfw_drift"], 0.0);
        assert_eq!(now["rfw_reconcile_changed_total"], 1.0);
        assert_eq!(now["rfw_rule_packets_total{rule=\"in/web\"}"], 0.0);
        read(&fs::read_to_string(&file).unwrap()).unwrap();
        let peer = [
            "digest",
            "--policy",
            &path,
            "--peer",
            "http://127.0.0.1:9472/metrics",
        ];
        let said = desk.rfw(&host, &peer);
        assert_eq!(said.code(), 0, "{said:?}");
        assert!(said.stdout.starts_with("policy     the same: "), "{said:?}");
        let other = desk.write("q/small.yaml", &POLICY.replace("[ssh]", "[telnet]"));
        let said = desk.rfw(
            &host,
            &[
                "digest",
                "--policy",
                &other,
                "--peer",
                "http://127.0.0.1:9472/metrics",
            ],
        );
        assert_eq!(said.code(), 2, "{said:?}");
        assert!(
            said.stdout
                .contains("which rules differ, the peer does not say"),
            "{said:?}"
        );
        let said = desk.rfw(
            &host,
            &[
                "digest",
                "--policy",
                &path,
                "--peer",
                "http://127.0.0.1:9472/other",
            ],
        );
        assert_eq!(said.code(), 1, "{said:?}");
        // The address is taken: no second daemon, and nothing has changed.
        let second = Desk::new();
        let said = second.rfw(
            &host,
            &["watch", "--policy", &path, "--metrics", "127.0.0.1:9472"],
        );
        assert_eq!(said.code(), 1, "{said:?}");
        assert!(
            said.stderr
                .contains("cannot answer questions about metrics at `127.0.0.1:9472`"),
            "{said:?}"
        );
        daemon.stop();
        assert_eq!(
            read(&desk.must(
                &host,
                &["status", "--policy", &path, "--format", "prometheus"]
            ))
            .unwrap()["rfw_daemon_running"],
            0.0
        );
    });
}

#[test]
fn the_textfile_is_whole_and_can_be_read_by_others() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let path = desk.write("small.yaml", POLICY);
        let file = desk.write("out/rfw.prom", "old");
        let said = desk.must(&host, &["status", "--policy", &path, "--textfile", &file]);
        assert_eq!(said, "");
        read(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o644
        );
        let beside = fs::read_dir(desk.file("out")).unwrap().count();
        assert_eq!(beside, 1);
        let said = desk.rfw(
            &host,
            &[
                "status",
                "--policy",
                &path,
                "--textfile",
                "/nowhere/rfw.prom",
            ],
        );
        assert_eq!(said.code(), 1, "{said:?}");
        assert!(
            said.stderr
                .contains("cannot write the metrics to `/nowhere/rfw.prom`"),
            "{said:?}"
        );
    });
}
