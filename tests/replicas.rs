//! Two gateways that follow one repository: the same policy before and after a push, told by their digests, and nothing of
//! the traffic is lost meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::support::daemon::Daemon;
use super::support::git::Git;
use super::support::rfw::Desk;
use super::support::{Host, alone, link, serve, tcp};

/// The policy of both, which lets these ports through.
fn policy(ports: &str) -> String {
    format!(
        "version: 1
name: pair
sysctl: {{ forwarding: true }}
nodes:
  fw-a: {{ interfaces: {{ wan0: eth0, lan0: eth1 }} }}
  fw-b: {{ interfaces: {{ wan0: enp1s0, lan0: enp2s0 }} }}
zones:
  wan: {{ interfaces: [wan0] }}
  lan: {{ interfaces: [lan0], networks: [10.1.0.0/24] }}
services: {{ door: {{ tcp: [{ports}] }} }}
policies:
  - name: lan-to-wan
    from: lan
    to: wan
    default: reject
    rules: [{{ name: door, services: [door], action: accept }}]
  - {{ name: out, from: firewall, to: any, default: accept }}
"
    )
}

/// A gateway between a client and a server.
struct Gateway {
    host: Host,
    client: Host,
    _server: Host,
    desk: Desk,
    node: &'static str,
}

impl Gateway {
    fn new(node: &'static str, wan: &str, lan: &str) -> Self {
        let (host, client, server) = (Host::new(node), Host::new("client"), Host::new("server"));
        link((&host, lan), (&client, "eth0"));
        link((&host, wan), (&server, "eth0"));
        host.ip(&format!(
            "addr add 10.1.0.1/24 dev {lan}\naddr add 10.2.0.1/24 dev {wan}\n"
        ));
        client.ip("addr add 10.1.0.2/24 dev eth0\nroute add default via 10.1.0.1\n");
        server.ip("addr add 10.2.0.2/24 dev eth0\nroute add default via 10.2.0.1\n");
        serve::tcp(&server, 8080);
        serve::tcp(&server, 8081);
        Self {
            host,
            client,
            _server: server,
            desk: Desk::new(),
            node,
        }
    }

    fn seen(&self, port: u16) -> String {
        tcp::probe(&self.client, &format!("10.2.0.2:{port}")).to_string()
    }
}

/// A daemon's report of this commit in force.
fn applied(commit: &str) -> impl Fn(&Value) -> bool {
    let commit = commit.trim().to_owned();
    move |report| report["state"] == "in-force" && report["applied"]["commit"] == *commit
}

#[test]
fn two_gateways_that_follow_one_repository_are_one() {
    alone(|| {
        let a = Gateway::new("fw-a", "eth0", "eth1");
        let b = Gateway::new("fw-b", "enp1s0", "enp2s0");
        let author = Desk::new();
        let work = Git::new(&author, "work");
        let first = work.commit(&[("gateway.yaml", &policy("8080"))]);
        let shared = author.file("shared.git").display().to_string();
        work.run(&["clone", "--quiet", "--bare", ".", &shared]);
        let start = |gateway: &Gateway| {
            let arguments = ["--policy", &shared, "--rev", "main", "--node", gateway.node];
            Daemon::start(&gateway.desk, &gateway.host, &arguments)
        };
        let (on_a, on_b) = (start(&a), start(&b));
        on_a.until("the first commit", applied(&first));
        on_b.until("the first commit", applied(&first));

        // The other one is asked as over ssh.
        let script = format!(
            "#!/bin/sh\nshift 2\nexec /usr/bin/nsenter --net={} /usr/bin/env RFW_STATE_DIR={} RFW_RUN_DIR={} {} \"$@\" \
             --policy {shared} --rev main --node fw-b\n",
            b.host.path(),
            b.desk.file("state").display(),
            b.desk.file("run").display(),
            env!("CARGO_BIN_EXE_rfw"),
        );
        let ssh = a.desk.write("ssh", &script);
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        let compare = || {
            let arguments = [
                "digest", "--policy", &shared, "--rev", "main", "--node", "fw-a", "--peer", "fw-b",
                "--ssh", &ssh,
            ];
            a.desk.rfw(&a.host, &arguments)
        };
        let same = || {
            let said = compare();
            assert_eq!(said.code(), 0, "{said:?}");
            let (first, rest) = said.stdout.split_once('\n').unwrap();
            assert_eq!(
                rest,
                "node       interface lan0: eth1 here, enp2s0 there\n\
                 node       interface wan0: eth0 here, enp1s0 there\n\
                 node       node: fw-a here, fw-b there\n\
                 live       here what this node compiles; there what that node compiles\n"
            );
            first
                .strip_prefix("policy     the same: ")
                .unwrap()
                .to_owned()
        };
        let ruleset = |gateway: &Gateway| {
            let arguments = [
                "digest",
                "--policy",
                &shared,
                "--rev",
                "main",
                "--node",
                gateway.node,
            ];
            let said = gateway.desk.must(&gateway.host, &arguments);
            said.lines().nth(1).unwrap().to_owned()
        };
        let before = same();
        assert_ne!(ruleset(&a), ruleset(&b));
        assert!(a.seen(8080).starts_with("open"));
        assert_eq!(a.seen(8081), b.seen(8081));
        assert!(!a.seen(8081).starts_with("open"));

        // A push, while both have traffic.
        let (stop, passed) = (AtomicBool::new(false), AtomicU32::new(0));
        let lost = thread::scope(|scope| {
            let floods = [&a, &b].map(|gateway| {
                let (stop, passed) = (&stop, &passed);
                scope.spawn(move || {
                    let mut lost = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let seen = gateway.seen(8080);
                        match seen.starts_with("open") {
                            true => _ = passed.fetch_add(1, Ordering::Relaxed),
                            false => lost.push(seen),
                        }
                    }
                    lost
                })
            });
            thread::sleep(Duration::from_millis(200));
            let second = work.commit(&[("gateway.yaml", &policy("8080, 8081"))]);
            work.run(&["push", "--quiet", &shared, "main"]);
            on_a.until("the push", applied(&second));
            on_b.until("the push", applied(&second));
            thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
            floods.map(|flood| flood.join().unwrap()).concat()
        });
        assert_eq!(lost, [""; 0]);
        assert!(100 < passed.load(Ordering::Relaxed), "{passed:?}");
        for gateway in [&a, &b] {
            assert!(gateway.seen(8081).starts_with("open"), "{}", gateway.node);
        }
        let after = same();
        assert_ne!(before, after);

        // One of them stays behind: its policy is the same, its kernel is not.
        on_b.stop();
        let third = work.commit(&[("gateway.yaml", &policy("8081"))]);
        work.run(&["push", "--quiet", &shared, "main"]);
        on_a.until("the third commit", applied(&third));
        let said = compare();
        assert_eq!(said.code(), 2, "{said:?}");
        assert!(
            said.stdout.contains("there not what that node compiles"),
            "{said:?}"
        );
    });
}
