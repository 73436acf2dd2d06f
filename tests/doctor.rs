//! `rfw doctor`: each check says nothing where all is well, and names what is wrong where it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use super::support::rfw::Desk;
use super::support::{Host, alone, link, nft, serve, tcp};

const POLICY: &str = "version: 1
name: small
sysctl: { forwarding: true }
zones:
  lan: { interfaces: [eth0] }
  wan: { interfaces: [eth1] }
policies:
  - { name: out, from: lan, to: wan, default: accept, log: { prefix: out, rate: 1/second } }
  - { name: in, from: lan, to: firewall, default: accept }
  - { name: self, from: firewall, to: any, default: accept }
";

/// A host with rfw's table, and a desk whose state directory is as rfw makes it.
struct Lab {
    host: Host,
    desk: Desk,
    policy: String,
}

impl Lab {
    fn new() -> Self {
        let (host, desk) = (Host::new("box"), Desk::new());
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(desk.file("state"), mode).unwrap();
        let policy = desk.write("small.yaml", POLICY);
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o644)).unwrap();
        desk.must(&host, &["apply", "--policy", &policy]);
        desk.write(
            "root/etc/nftables.conf",
            "#!/usr/sbin/nft -f\n# flush ruleset\n",
        );
        Self { host, desk, policy }
    }

    /// What is found by a check: severity and message.
    fn found(&self, check: &str) -> Vec<(String, String)> {
        let root = self.desk.file("root");
        let arguments = [
            "doctor",
            "--policy",
            &self.policy,
            "--root",
            root.to_str().unwrap(),
            "--format",
            "json",
        ];
        let said = self.desk.rfw(&self.host, &arguments);
        let report: Value =
            serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        let warns = report["worst"] == "warning" || report["worst"] == "error";
        assert_eq!(said.code(), if warns { 2 } else { 0 }, "{said:?}");
        let findings = report["findings"].as_array().unwrap().iter();
        let found = findings.filter(|it| it["check"] == check);
        let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
        found
            .map(|it| (text(it, "severity"), text(it, "message")))
            .collect()
    }

    /// The check says that all is well.
    #[track_caller]
    fn well(&self, check: &str) {
        let found = self.found(check);
        assert!(found.len() == 1 && found[0].0 == "ok", "{check}: {found:?}");
    }

    /// The check says something of this severity that begins so.
    #[track_caller]
    fn says(&self, check: &str, severity: &str, begin: &str) {
        let found = self.found(check);
        let is_it =
            |(level, message): &(String, String)| level == severity && message.starts_with(begin);
        assert!(
            found.iter().any(is_it),
            "{check}: {severity} {begin}: {found:?}"
        );
    }
}

#[test]
fn features_are_asked_for_without_changing_anything() {
    alone(|| {
        let lab = Lab::new();
        let before = nft::ruleset(&lab.host);
        let watch = lab.host.watch("nft", &["monitor"]);
        let found = lab.found("kernel-feature");
        let told = watch.stop();
        assert_eq!(nft::ruleset(&lab.host), before);
        assert!(!told.contains("add"), "{told}");
        let (severity, message) = &found[0];
        assert_eq!(severity, "ok");
        assert!(
            message.ends_with(" of 20 things that rfw can use are there"),
            "{message}"
        );
        // What is missing is said of each, and nothing that the tests use is.
        for (severity, message) in &found[1..] {
            assert_eq!(severity, "note", "{message}");
            assert!(message.starts_with("the kernel has no "), "{message}");
            assert!(!message.contains("change of a dynamic set"), "{message}");
        }
        // Where there is a table already, of whatever making, and where rfw has no rights.
        let (other, desk) = (Host::new("other"), Desk::new());
        nft::load(
            &other,
            "table inet rfw { chain c { type filter hook input priority 0;\n }\n}",
        );
        let said = desk.rfw(&other, &["doctor"]).stdout;
        assert!(said.contains("things that rfw can use are there"), "{said}");
        let said = lab.desk.rfw_without_rights(&lab.host, &["doctor"]);
        assert!(
            said.stdout
                .contains("kernel-feature   cannot be looked at: no permission"),
            "{said:?}"
        );
        assert!(said.stdout.contains("no CAP_NET_ADMIN"), "{said:?}");
    });
}

#[test]
fn rules_of_iptables_legacy_are_found_where_nft_shows_nothing() {
    alone(|| {
        let (lab, peer) = (Lab::new(), Host::new("peer"));
        link((&lab.host, "eth0"), (&peer, "eth0"));
        for (side, last) in [(&lab.host, 1), (&peer, 2)] {
            side.ip(&format!("addr add 10.1.0.{last}/24 dev eth0\n"));
        }
        serve::tcp(&lab.host, 25);
        let reaches = || {
            let bound = std::time::Duration::from_millis(300);
            let outcome = tcp::probe_with(&peer, None, "10.1.0.1:25", bound);
            matches!(outcome, tcp::Connection::Open(_))
        };
        let legacy = |program: &str, words: &str| {
            let words: Vec<&str> = words.split(' ').collect();
            lab.host.must(&format!("{program}-legacy"), &words, "");
        };
        lab.well("legacy-rules");
        // Whoever looks makes the table come to be.
        legacy("iptables", "-S");
        lab.well("legacy-rules");
        legacy("iptables", "-A INPUT -p tcp --dport 26 -j ACCEPT");
        let begin = "table ip filter of iptables-legacy has rules (1)";
        lab.says("legacy-rules", "note", begin);
        assert!(reaches());
        let before = nft::ruleset(&lab.host);
        legacy("iptables", "-N mine");
        legacy("iptables", "-A mine -j DROP");
        legacy("iptables", "-A INPUT -p tcp --dport 25 -g mine");
        assert!(!reaches(), "rfw accepts it, and it is dropped");
        assert_eq!(nft::ruleset(&lab.host), before);
        lab.says(
            "legacy-rules",
            "warning",
            "table ip filter of iptables-legacy may drop what rfw accepts, and nft does not show it: `INPUT` at input, priority 0, \
             after rfw (rules that drop or reject: 1, in `mine`)",
        );
        legacy("ip6tables", "-P FORWARD DROP");
        lab.says(
            "legacy-rules",
            "warning",
            "table ip6 filter of iptables-legacy may drop what rfw accepts, and nft does not show it: `FORWARD` at forward, \
             priority 0, after rfw (drops by default)",
        );
        legacy("iptables", "-t nat -A POSTROUTING -o eth1 -j MASQUERADE");
        let begin = "table ip nat of iptables-legacy translates addresses";
        lab.says("legacy-rules", "warning", begin);
        // Without rights it is said that there is something.
        let said = lab.desk.rfw_without_rights(&lab.host, &["doctor"]).stdout;
        let line = said.lines().find(|line| line.contains("legacy-rules"));
        let expect = "note     legacy-rules     there are tables of iptables-legacy (ip nat, ip filter, ip6 filter), and what is in them cannot be told: ";
        assert!(line.unwrap().starts_with(expect), "{said}");
        let trace = [
            "trace",
            "--live",
            "--policy",
            &lab.policy,
            "--from",
            "lan",
            "--to",
        ];
        let output = lab
            .desk
            .rfw(&lab.host, &[&trace[..], &["firewall", "tcp/25"]].concat());
        let note = "rules of iptables-legacy are not followed, and may decide otherwise (ip ";
        assert!(output.stderr.contains(note), "{output:?}");
    });
}

/// As Docker 28 makes it with iptables-nft (its filter table, shortened).
const DOCKER: &str = "table ip filter {
  chain DOCKER { iifname != \"docker0\" oifname \"docker0\" counter drop
  }
  chain DOCKER-USER { counter return
  }
  chain DOCKER-FORWARD { oifname \"docker0\" counter jump DOCKER
  }
  chain FORWARD { type filter hook forward priority filter; policy drop;
    counter jump DOCKER-USER
    counter jump DOCKER-FORWARD
  }
}
table ip nat {
  chain DOCKER { iifname \"docker0\" counter return
    tcp dport 8080 counter dnat to 172.17.0.2:80
  }
  chain PREROUTING { type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local counter jump DOCKER
  }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept;
    ip saddr 172.17.0.0/16 oifname != \"docker0\" counter masquerade
  }
}";

/// As firewalld 1.3 makes it, shortened.
const FIREWALLD: &str = "table inet firewalld {
  chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    jump filter_FORWARD_POLICIES
    ct state invalid drop
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD_POLICIES { iifname vmap { \"eth0\" : goto filter_FWD_public }
  }
  chain filter_FWD_public { reject with icmpx admin-prohibited
  }
}";

/// As ufw makes it, shortened, earlier than rfw.
const UFW: &str = "table ip6 filter {
  chain INPUT { type filter hook input priority -20; policy accept;
    jump ufw6-before-input
  }
  chain ufw6-before-input { rt type 0 drop
  }
}";

#[test]
fn rules_of_other_firewalls_are_told() {
    alone(|| {
        let lab = Lab::new();
        lab.well("foreign-rules");
        // What only accepts or counts is in nobody's way.
        nft::load(
            &lab.host,
            "table inet mine { chain c { type filter hook forward priority 0; counter accept\n }\n}",
        );
        lab.well("foreign-rules");
        nft::load(&lab.host, DOCKER);
        lab.says(
            "foreign-rules",
            "note",
            "table ip filter (Docker by iptables) may drop what rfw accepts: `FORWARD` at forward, priority 0, after rfw \
             (drops by default; rules that drop or reject: 1, in `DOCKER`)",
        );
        lab.says(
            "foreign-rules",
            "note",
            "table ip nat (Docker by iptables) translates addresses, too: `POSTROUTING` at postrouting, priority 100, `PREROUTING` at prerouting, priority -100;",
        );
        nft::load(&lab.host, FIREWALLD);
        lab.says(
            "foreign-rules",
            "note",
            "table inet firewalld (firewalld) may drop what rfw accepts: `filter_FORWARD` at forward, priority 10, after rfw \
             (rules that drop or reject: 3, in `filter_FORWARD`, `filter_FWD_public`)",
        );
        nft::load(&lab.host, UFW);
        lab.says(
            "foreign-rules",
            "note",
            "table ip6 filter (ufw by iptables) may drop what rfw accepts: `INPUT` at input, priority -20, before rfw \
             (rules that drop or reject: 1, in `ufw6-before-input`)",
        );
    });
}

/// What the finding says is so: rfw accepts, and the packet does not come through.
#[test]
fn what_another_table_drops_does_not_come_through() {
    alone(|| {
        let lab = Lab::new();
        let (client, server) = (Host::new("client"), Host::new("server"));
        link((&lab.host, "eth0"), (&client, "eth0"));
        link((&lab.host, "eth1"), (&server, "eth0"));
        lab.host
            .ip("addr add 10.1.0.1/24 dev eth0\naddr add 10.2.0.1/24 dev eth1\n");
        client.ip("addr add 10.1.0.2/24 dev eth0\nroute add default via 10.1.0.1\n");
        server.ip("addr add 10.2.0.2/24 dev eth0\nroute add default via 10.2.0.1\n");
        serve::tcp(&server, 80);
        let seen = || tcp::probe(&client, "10.2.0.2:80").to_string();
        assert!(seen().starts_with("open"), "{}", seen());
        nft::load(&lab.host, DOCKER);
        assert_eq!(seen(), "filtered");
        lab.says(
            "foreign-rules",
            "note",
            "table ip filter (Docker by iptables) may drop",
        );
    });
}

#[test]
fn services_that_write_to_the_ruleset_are_told() {
    alone(|| {
        let lab = Lab::new();
        lab.well("service");
        let root = lab.desk.file("root");
        let wants = root.join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink("/lib/systemd/system/ssh.service", wants.join("ssh.service")).unwrap();
        lab.well("service");
        symlink("/lib/systemd/system/ufw.service", wants.join("ufw.service")).unwrap();
        lab.says(
            "service",
            "warning",
            "ufw.service is started at boot: two firewalls",
        );
        // Masked is off, whatever else there is.
        symlink("/dev/null", root.join("etc/systemd/system/ufw.service")).unwrap();
        lab.well("service");
        let units = root.join("run/systemd/units");
        fs::create_dir_all(&units).unwrap();
        symlink(
            "0123456789abcdef",
            units.join("invocation:firewalld.service"),
        )
        .unwrap();
        lab.says(
            "service",
            "warning",
            "firewalld.service is active: two firewalls",
        );
        symlink("/x", wants.join("nftables.service")).unwrap();
        lab.says(
            "service",
            "note",
            "nftables.service is started at boot; its file does not begin",
        );
        lab.desk.write(
            "root/etc/nftables.conf",
            "#!/usr/sbin/nft -f\n\nflush ruleset;\n",
        );
        lab.says(
            "service",
            "warning",
            "nftables.service is started at boot, and `/etc/nftables.conf` has `flush ruleset`",
        );
    });
}

#[test]
fn who_may_write_what_rfw_trusts_is_told() {
    alone(|| {
        let lab = Lab::new();
        lab.well("permission");
        fs::set_permissions(&lab.policy, fs::Permissions::from_mode(0o666)).unwrap();
        lab.says(
            "permission",
            "warning",
            &format!("`{}` has mode 0666: whoever may write it", lab.policy),
        );
        fs::set_permissions(&lab.policy, fs::Permissions::from_mode(0o600)).unwrap();
        lab.well("permission");
        let state = lab.desk.file("state");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        lab.says(
            "permission",
            "warning",
            &format!("`{}` has mode 0755:", state.display()),
        );
    });
}

#[test]
fn settings_in_the_way_are_told() {
    alone(|| {
        let lab = Lab::new();
        for (key, value) in [
            ("net/ipv4/conf/all/rp_filter", "0"),
            ("net/ipv4/conf/all/accept_redirects", "0"),
            ("net/ipv6/conf/default/accept_ra", "2"),
            ("net/netfilter/nf_conntrack_tcp_loose", "0"),
            ("net/ipv4/conf/all/accept_source_route", "0"),
        ] {
            lab.host.sysctl(key, value);
        }
        let others = |found: Vec<(String, String)>| -> Vec<(String, String)> {
            // Those of the whole machine are not the test's.
            let machine = ["net.netfilter.nf_log_all_netns", "net.bridge."];
            found
                .into_iter()
                .filter(|(severity, message)| {
                    severity != "ok" && !machine.iter().any(|key| message.starts_with(key))
                })
                .collect()
        };
        assert_eq!(others(lab.found("sysctl")), []);
        lab.host.sysctl("net/ipv4/ip_forward", "0");
        lab.says(
            "sysctl",
            "warning",
            "net.ipv4.ip_forward is 0, and the policy wants 1",
        );
        lab.host.sysctl("net/ipv4/ip_forward", "1");
        lab.host.sysctl("net/ipv4/conf/all/rp_filter", "1");
        lab.says(
            "sysctl",
            "note",
            "net.ipv4.conf.all.rp_filter is 1 (strict)",
        );
        lab.host.sysctl("net/netfilter/nf_conntrack_tcp_loose", "1");
        lab.says(
            "sysctl",
            "note",
            "net.netfilter.nf_conntrack_tcp_loose is 1",
        );
        lab.host
            .sysctl("net/ipv4/conf/all/accept_source_route", "1");
        lab.says(
            "sysctl",
            "warning",
            "net.ipv4.conf.all.accept_source_route is 1",
        );
    });
}
