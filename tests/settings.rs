//! System settings on a real kernel: planned, set after the rules, read back, kept in a file, and repaired like rules.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::support::rfw::Desk;
use super::support::{Host, alone, link, nft, serve, tcp};

/// A router between two networks, with room for the section `sysctl`.
const ROUTER: &str = "version: 1
name: router
sysctl: SYSCTL
zones:
  left: { interfaces: [eth0], networks: [10.1.0.0/24, \"fd00:1::/64\"] }
  right: { interfaces: [eth1], networks: [10.2.0.0/24, \"fd00:2::/64\"] }
policies:
  - name: across
    from: left
    to: right
    rules:
      - { name: web, services: [http], action: accept }
  - { name: in, from: any, to: firewall, default: accept }
  - { name: out, from: firewall, to: any, default: accept }
";

fn policy(sysctl: &str) -> String {
    ROUTER.replace("SYSCTL", sysctl)
}

fn sysctl(host: &Host, key: &str) -> String {
    host.must("cat", &[&format!("/proc/sys/{key}")], "")
        .trim()
        .to_owned()
}

/// A router between two hosts that reach each other by it, but for its forwarding.
struct Net {
    left: Host,
    router: Host,
    right: Host,
}

fn net() -> Net {
    let (left, router, right) = (Host::new("left"), Host::new("router"), Host::new("right"));
    link((&left, "eth0"), (&router, "eth0"));
    link((&right, "eth0"), (&router, "eth1"));
    left.ip(
        "addr add 10.1.0.2/24 dev eth0\naddr add fd00:1::2/64 dev eth0\n\
             route add default via 10.1.0.1\nroute add default via fd00:1::1\n",
    );
    router.ip(
        "addr add 10.1.0.1/24 dev eth0\naddr add fd00:1::1/64 dev eth0\n\
               addr add 10.2.0.1/24 dev eth1\naddr add fd00:2::1/64 dev eth1\n",
    );
    right.ip(
        "addr add 10.2.0.2/24 dev eth0\naddr add fd00:2::2/64 dev eth0\n\
              route add default via 10.2.0.1\nroute add default via fd00:2::1\n",
    );
    serve::tcp(&right, 80);
    serve::tcp(&right, 81);
    Net {
        left,
        router,
        right,
    }
}

const WAYS: [&str; 2] = ["10.2.0.2:", "[fd00:2::2]:"];

#[track_caller]
fn web(net: &Net, reaches: bool) {
    for way in WAYS {
        let seen = tcp::probe(&net.left, &format!("{way}80")).to_string();
        assert_eq!(seen.starts_with("open: right"), reaches, "{way} {seen}");
        let other = tcp::probe(&net.left, &format!("{way}81")).to_string();
        assert!(
            !other.starts_with("open"),
            "the policy does not let this through: {other}"
        );
    }
    assert_eq!(net.right.name(), "right");
}

#[test]
fn forwarding_is_set_seen_when_it_drifts_and_repaired() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let path = desk.write("router.yaml", &policy("{ forwarding: true }"));
        let rfw = |arguments: &[&str]| {
            desk.must(&net.router, &[arguments, &["--policy", &path]].concat())
        };
        web(&net, false);
        let plan = rfw(&["plan"]);
        for line in [
            "system settings\n~   net.ipv4.ip_forward 0 -> 1             ",
            "~   net.ipv6.conf.all.forwarding 0 -> 1     ",
            "router.yaml:3\n",
            "90-rfw.conf\n",
            "2 settings changed, 1 file written",
        ] {
            assert!(plan.contains(line), "{line} in\n{plan}");
        }
        assert_eq!(
            sysctl(&net.router, "net/ipv4/ip_forward"),
            "0",
            "a plan changes nothing"
        );
        let applied = desk.rfw(&net.router, &["apply", "--policy", &path]);
        assert!(
            applied
                .stderr
                .contains("2 settings set and read back; kept in "),
            "{}",
            applied.stderr
        );
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "1");
        assert_eq!(sysctl(&net.router, "net/ipv6/conf/all/forwarding"), "1");
        assert_eq!(sysctl(&net.router, "net/ipv6/conf/eth1/forwarding"), "1");
        web(&net, true);
        let kept = fs::read_to_string(desk.file("90-rfw.conf")).unwrap();
        assert!(
            kept.ends_with("\nnet.ipv4.ip_forward = 1\n-net.ipv6.conf.all.forwarding = 1\n"),
            "{kept}"
        );
        // The short way, and the long one.
        for arguments in [&["plan", "--detailed-exitcode"][..], &["plan", "--full"]] {
            assert_eq!(rfw(arguments).lines().last(), Some("no changes"));
        }

        for key in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
            net.router.sysctl(key, "0");
            let plan = desk.rfw(
                &net.router,
                &["plan", "--detailed-exitcode", "--policy", &path],
            );
            assert_eq!(plan.code(), 2, "{}", plan.stdout);
            assert!(
                plan.stdout
                    .contains("1 setting changed; the rules stay as they are"),
                "{}",
                plan.stdout
            );
            rfw(&["apply"]);
            assert_eq!(sysctl(&net.router, key), "1");
        }
        web(&net, true);

        // By hand in the file is drift as well.
        fs::write(
            desk.file("90-rfw.conf"),
            kept.replace("forward = 1", "forward = 0"),
        )
        .unwrap();
        let plan = rfw(&["plan"]);
        assert!(
            plan.contains("-     net.ipv4.ip_forward = 0\n+     net.ipv4.ip_forward = 1\n"),
            "{plan}"
        );
        rfw(&["apply"]);
        assert_eq!(fs::read_to_string(desk.file("90-rfw.conf")).unwrap(), kept);
        fs::remove_file(desk.file("90-rfw.conf")).unwrap();
        rfw(&["apply"]);
        assert_eq!(fs::read_to_string(desk.file("90-rfw.conf")).unwrap(), kept);

        let off = desk.write("off.yaml", &policy("{ forwarding: false }"));
        desk.must(&net.router, &["apply", "--policy", &off]);
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "0");
        web(&net, false);
        desk.must(&net.router, &["apply", "--policy", &path]);
        let removed = desk.must(&net.router, &["remove"]);
        assert!(
            removed.contains("stays until the next boot: net.ipv4.ip_forward = 1"),
            "{removed}"
        );
        assert!(!desk.file("90-rfw.conf").exists());
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "1");
    });
}

/// The table belongs to somebody else, so there can be no rules, and no forwarding.
#[test]
fn nothing_is_forwarded_before_the_rules_stand() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let on = desk.write("on.yaml", &policy("{ forwarding: true }"));
        let owner = net.router.watch(
            "sh",
            &[
                "-c",
                "(echo 'table inet rfw { flags owner; }'; sleep 5) | nft -i",
            ],
        );
        for _ in 0..50 {
            if nft::ruleset(&net.router).contains("flags owner") {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let refused = desk.rfw(&net.router, &["apply", "--policy", &on]);
        assert_eq!(refused.code(), 1, "{}{}", refused.stdout, refused.stderr);
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "0");
        assert!(!desk.file("90-rfw.conf").exists());
        owner.stop();
    });
}

#[test]
fn what_is_not_there_is_said_and_no_failure() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let path = desk.write(
            "router.yaml",
            &policy("{ neighbour: auto, conntrack_max: 1000, tcp_loose: false, conntrack_tcp_liberal: true }"),
        );
        let applied = desk.must(&net.router, &["apply", "--policy", &path]);
        assert!(
            applied.contains(
                "!   not set: it is the whole machine's and is not there in this network namespace\n      \
                 net.ipv4.neigh.default.gc_thresh1 = 1024\n"
            ),
            "{applied}"
        );
        assert_eq!(
            sysctl(&net.router, "net/netfilter/nf_conntrack_tcp_loose"),
            "0"
        );
        assert_eq!(
            sysctl(&net.router, "net/netfilter/nf_conntrack_tcp_be_liberal"),
            "1"
        );
        let plan = desk.rfw(
            &net.router,
            &["plan", "--detailed-exitcode", "--policy", &path],
        );
        assert_eq!(plan.code(), 0, "{}", plan.stdout);
        assert!(
            plan.stdout.contains(
                "!   not set: it is the whole machine's and cannot be set in this network namespace\n      \
                 net.netfilter.nf_conntrack_max = 1000, but "
            ),
            "{}",
            plan.stdout
        );
        assert_eq!(plan.stdout.lines().last(), Some("no changes"));
    });
}

#[test]
fn what_holds_for_an_interface_is_what_counts() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let strict = desk.write("strict.yaml", &policy("{ rp_filter: strict }"));
        let loose = desk.write("loose.yaml", &policy("{ rp_filter: loose }"));
        net.router.sysctl("net/ipv4/conf/eth0/rp_filter", "2");
        let plan = desk.must(&net.router, &["plan", "--policy", &strict]);
        for line in [
            "all.rp_filter 0 -> 1 ",
            "default.rp_filter 0 -> 1 ",
            "eth0.rp_filter 2 -> 1 ",
        ] {
            assert!(plan.contains(line), "{plan}");
        }
        assert!(
            !plan.contains("eth1.rp_filter"),
            "its 0 is less than all's 1: {plan}"
        );
        // Known to each other before, so that it is not the address resolution that fails.
        tcp::probe(&net.right, "10.2.0.1:80");
        // The right host pretends to be in the left network.
        net.right.ip("addr add 10.1.0.77/32 dev lo\n");
        nft::load(
            &net.router,
            "table ip seen { chain input { type filter hook input priority -400; ip saddr 10.1.0.77 counter; }; }",
        );
        let spoof = || {
            tcp::probe_from(&net.right, "10.1.0.77", "10.2.0.1:80");
            let seen = net.router.must("nft", &["list", "table", "ip", "seen"], "");
            !seen.contains("packets 0 ")
        };
        desk.must(&net.router, &["apply", "--policy", &strict]);
        assert!(!spoof(), "strict drops it");
        assert_eq!(sysctl(&net.router, "net/ipv4/conf/eth0/rp_filter"), "1");
        net.router.sysctl("net/ipv4/conf/eth1/rp_filter", "2");
        let plan = desk.must(&net.router, &["plan", "--policy", &strict]);
        assert!(
            plan.contains("~   net.ipv4.conf.eth1.rp_filter 2 -> 1 "),
            "{plan}"
        );
        assert!(spoof(), "an interface that is loose makes strict loose");
        // Loose: the value of `all` is the greatest there is.
        let plan = desk.must(&net.router, &["apply", "--policy", &loose]);
        assert!(!plan.contains("conf.eth"), "{plan}");
        assert_eq!(
            desk.must(&net.router, &["plan", "--policy", &loose])
                .lines()
                .last(),
            Some("no changes")
        );
    });
}

#[test]
fn a_refused_setting_is_named_and_the_rules_stand() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let path = desk.write("router.yaml", &policy("{ forwarding: true }"));
        // As in a container: the settings are there to be looked at.
        net.router
            .must("mount", &["-o", "bind", "/proc/sys", "/proc/sys"], "");
        net.router
            .must("mount", &["-o", "remount,bind,ro", "/proc/sys"], "");
        let refused = desk.rfw(&net.router, &["apply", "--policy", &path]);
        assert_eq!(refused.code(), 1, "{}{}", refused.stdout, refused.stderr);
        for line in [
            "error: the kernel refused 2 settings",
            "cannot set net.ipv4.ip_forward to 1: Read-only file system (os error 30); it is 0",
            "cannot set net.ipv6.conf.all.forwarding to 1: Read-only file system (os error 30); it is 0",
            "the rules are in force",
            "/proc/sys is mounted read-only here",
        ] {
            assert!(
                refused.stderr.contains(line),
                "{line} in {}",
                refused.stderr
            );
        }
        net.router
            .must("nft", &["list", "table", "inet", "rfw"], "");
        net.router.must("umount", &["/proc/sys"], "");
        desk.must(&net.router, &["apply", "--policy", &path]);
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "1");
    });
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let path = desk.write("router.yaml", &policy("{ forwarding: true }"));
        desk.write("90-rfw.conf", "net.ipv4.ip_forward = 0\n");
        let plan = desk.must(&net.router, &["plan", "--policy", &path]);
        assert!(
            plan.contains("90-rfw.conf cannot be written: rfw has not written it\n"),
            "{plan}"
        );
        let refused = desk.rfw(&net.router, &["apply", "--policy", &path]);
        assert_eq!(refused.code(), 1);
        assert!(
            refused
                .stderr
                .contains("neither the rules nor the settings have changed")
        );
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "0");
        assert_eq!(
            fs::read_to_string(desk.file("90-rfw.conf")).unwrap(),
            "net.ipv4.ip_forward = 0\n"
        );
    });
}

#[test]
fn a_kept_plan_holds_its_settings() {
    alone(|| {
        let (net, desk) = (net(), Desk::new());
        let path = desk.write(
            "router.yaml",
            &policy("{ forwarding: true, tcp_loose: false }"),
        );
        let keep = || {
            desk.must(
                &net.router,
                &["plan", "--policy", &path, "--out", "plan.json"],
            );
        };
        keep();
        net.router.sysctl("net/ipv4/ip_forward", "1");
        let stale = desk.rfw(&net.router, &["apply", "plan.json"]);
        assert_eq!(stale.code(), 5, "{}", stale.stderr);
        assert!(
            stale.stderr.contains("planned: net.ipv4.ip_forward 0 -> 1"),
            "{}",
            stale.stderr
        );
        net.router.sysctl("net/ipv4/ip_forward", "0");
        desk.must(&net.router, &["apply", "plan.json"]);
        assert_eq!(sysctl(&net.router, "net/ipv4/ip_forward"), "1");
        assert_eq!(
            sysctl(&net.router, "net/netfilter/nf_conntrack_tcp_loose"),
            "0"
        );
        let plan = desk.must(&net.router, &["plan", "--policy", &path, "--full"]);
        assert_eq!(plan.lines().last(), Some("no changes"));
    });
}
