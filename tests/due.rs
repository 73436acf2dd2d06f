//! What the daemon does because its time has come: a schedule that switches, a list that is to be fetched. With the real
//! program on a real kernel.

use std::time::Duration;

use jiff::Timestamp;

use super::support::daemon::Daemon;
use super::support::rfw::Desk;
use super::support::web::{publish, web};
use super::support::{Host, alone, nft};

#[test]
fn a_switch_of_a_schedule_is_a_step_and_the_next_is_told() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        // Far enough ahead for a busy machine to start the daemon.
        let opens = Timestamp::now().as_second() + 8;
        let closes = opens + 3_600;
        let time = |at: i64| {
            let at = Timestamp::from_second(at).unwrap();
            at.strftime("%H:%M:%S").to_string()
        };
        let policy = format!(
            "version: 1
timezone: UTC
zones: {{ net: {{ interfaces: [eth0] }} }}
schedules: {{ soon: {{ from: \"{}\", to: \"{}\" }} }}
policies:
  - name: in
    from: net
    to: firewall
    rules: [{{ name: own, services: [{{ tcp: [1000] }}], schedule: soon, action: accept }}]
",
            time(opens),
            time(closes)
        );
        let path = desk.write("p.yaml", &policy);
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        let report = daemon.until("in force", |report| report["state"] == "in-force");
        assert_eq!(report["next"]["switch"], opens);
        assert_eq!(
            report["steps"]["causes"]["boundary"],
            serde_json::Value::Null
        );
        let status = || desk.must(&host, &["status", "--policy", &path]);
        assert!(status().contains("next       soon opens"), "{}", status());
        // Also while what the source says is refused.
        desk.write("p.yaml", "version: 1\nzones: 3\n");
        daemon.until("refused", |report| report["state"] == "refused");
        let report = daemon.until("the switch", |report| report["next"]["switch"] == closes);
        assert_eq!(report["steps"]["causes"]["boundary"], 1);
        assert_eq!(report["state"], "refused");
        assert_eq!(report["drift"]["seen"], 0, "it is no drift");
        assert!(opens <= report["verified"].as_i64().unwrap());
        desk.write("p.yaml", &policy);
        daemon.until("in force", |report| report["state"] == "in-force");
        assert!(status().contains("next       soon closes"), "{}", status());
        daemon.stop();
    });
}

#[test]
fn a_list_is_fetched_when_it_is_due_and_one_that_is_no_good_is_told() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let pages = web(&host);
        publish(&pages, "/bad.txt", "192.0.2.1\n192.0.2.2\n");
        let policy = "version: 1
zones: { net: { interfaces: [eth0] } }
sets: { bad: { source: http://127.0.0.1:8080/bad.txt, refresh: 1s, never_contains: [10.0.0.0/8] } }
policies:
  - name: in
    from: net
    to: firewall
    rules: [{ name: bad, source: [bad], action: drop }]
  - { name: out, from: firewall, to: net, default: accept }
";
        let path = desk.write("p.yaml", policy);
        let daemon = Daemon::start(&desk, &host, &["--policy", &path]);
        let holds = |address: &str| nft::table(&host, "inet rfw").contains(address);
        // Never fetched: at once. Then each time that it is due, and only the elements differ.
        daemon.until("the first list", |report| {
            report["state"] == "in-force" && holds("192.0.2.1")
        });
        publish(&pages, "/bad.txt", "192.0.2.2\n192.0.2.3\n");
        let report = daemon.until("the second list", |report| {
            let fetched = report["steps"]["causes"]["lists"].as_u64();
            report["state"] == "in-force"
                && Some(2) <= fetched
                && holds("192.0.2.3")
                && !holds("192.0.2.1")
        });
        assert_eq!(report["drift"]["seen"], 0);
        assert_eq!(report["lists"], serde_json::Value::Null);
        let table = nft::table(&host, "inet rfw");
        // One that is no good: the old one stays, and it is told. It is tried again after a while, not at once.
        publish(&pages, "/bad.txt", "192.0.2.3\n10.1.2.3\n");
        let report = daemon.until("refused", |report| {
            report["lists"] != serde_json::Value::Null
        });
        let text = report["lists"]["text"].as_str().unwrap();
        assert!(
            text.contains("line 2, `10.1.2.3`, holds addresses of `10.0.0.0/8`"),
            "{text}"
        );
        assert_eq!(report["state"], "in-force", "{report:#}");
        assert_eq!(report["lists"]["failures"], 1);
        let now = Timestamp::now().as_second();
        assert!(now + 20 < report["next"]["refresh"].as_i64().unwrap());
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(daemon.report()["lists"]["failures"], 1);
        assert_eq!(nft::table(&host, "inet rfw"), table, "what was good stays");
        let status = desk.must(&host, &["status", "--policy", &path]);
        for line in [
            "refresh    lists since ",
            "holds addresses of `10.0.0.0/8`",
            "the last good copy stays in use",
        ] {
            assert!(status.contains(line), "{line}{status}");
        }
        let metrics = desk.must(
            &host,
            &["status", "--policy", &path, "--format", "prometheus"],
        );
        assert!(metrics.contains("rfw_lists_failures 1\n"), "{metrics}");
        let log = daemon.stop();
        assert!(log.contains("error: a list was refused"), "{log}");
    });
}
