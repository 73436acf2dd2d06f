//! `rfw trace --live`: one packet through everything that the kernel holds, whoever put it there.

use super::policies::merged;
use super::shapes;
use super::support::rfw::Desk;
use super::support::{Host, Office, alone, nft};

const DOCKER: &str = include_str!("differential/foreign/docker.rules");
const DOCKER_28: [&str; 2] = [
    include_str!("differential/foreign/recorded/docker-28.ip4.rules"),
    include_str!("differential/foreign/recorded/docker-28.ip6.rules"),
];
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/office.yaml");

struct Bench {
    office: Office,
    desk: Desk,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            office: Office::new(),
            desk: Desk::new(),
        };
        bench
            .desk
            .must(bench.gateway(), &["apply", "--policy", POLICY]);
        bench
    }

    fn gateway(&self) -> &Host {
        &self.office.gateway
    }

    /// What is said of a packet: the outcome's lines without the way, then standard error.
    #[track_caller]
    fn check(&self, words: &str, expect: &[&str]) {
        let arguments: Vec<&str> = ["trace", "--live", "--policy", POLICY]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        let output = self.desk.rfw(self.gateway(), &arguments);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(output.success(), "{words}: {said}");
        for line in expect {
            assert!(
                said.lines().any(|is| is.trim_start().starts_with(line)),
                "{words}: no line `{line}`:\n{said}"
            );
        }
    }
}

#[test]
fn the_table_of_rfw_alone() {
    alone(|| {
        let bench = Bench::new();
        bench.check(
            "--from wan 198.51.100.7 --to firewall tcp/22",
            &["accept by `wan-to-firewall/ssh` (", "input"],
        );
        bench.check(
            "--from lan --to wan udp/53",
            &[
                "goes on by eth0",
                "source 192.168.0.2 port 40000 becomes 203.0.113.10 port 40000 by `nat/lan-out`",
            ],
        );
        // By address alone: the routes tell where it comes in.
        bench.check(
            "--from 203.0.113.7 --to 203.0.113.10 tcp/443",
            &["accept by `nat/web"],
        );
        bench.check(
            "--from wan 203.0.113.7 --to 203.0.113.10 udp/22",
            &["drop by `wan-to-firewall/default` ("],
        );
        nft::load(
            bench.gateway(),
            "add rule inet rfw input ip saddr 198.51.100.7 drop",
        );
        bench.check(
            "--from wan --to firewall tcp/22",
            &["note: the rules of table inet rfw in the kernel are not those of this policy"],
        );
        nft::load(bench.gateway(), "delete table inet rfw");
        bench.check(
            "--from wan --to firewall tcp/22",
            &[
                "note: the kernel holds no table inet rfw",
                "accept, no rule",
            ],
        );
        nft::load(
            bench.gateway(),
            "table ip o { chain i { type filter hook input priority 0; policy drop; }; }",
        );
        let arguments = [
            "trace", "--live", "--policy", POLICY, "--from", "wan", "--to", "firewall",
        ];
        let said = bench.desk.must(bench.gateway(), &arguments);
        assert!(said.contains("drop, chain policy of table ip o, chain i"));
        assert!(!said.contains("table inet rfw accepts it"), "{said}");
    });
}

#[test]
fn what_others_drop_all_the_same() {
    alone(|| {
        let bench = Bench::new();
        bench.gateway().must("iptables-nft-restore", &[], DOCKER);
        bench.check(
            "--from wan 203.0.113.7 --to 203.0.113.10 tcp/443",
            &[
                "drop, chain policy of table ip filter, chain FORWARD",
                "table inet rfw accepts it, by `nat/web",
            ],
        );
        bench.check(
            "--from wan 203.0.113.9 --to 203.0.113.10 tcp/443",
            &[
                "DOCKER-USER, rule handle",
                "drop, table ip filter, chain DOCKER-USER, rule handle",
            ],
        );
        // What rfw drops before them is rfw's.
        bench.check(
            "--from wan 203.0.113.9 --to firewall udp/22",
            &["drop by `wan-to-firewall/default` ("],
        );
        let output = bench.desk.must(
            bench.gateway(),
            &[
                "trace",
                "--live",
                "--policy",
                POLICY,
                "--format",
                "json",
                "--from",
                "wan",
                "203.0.113.9",
                "--to",
                "203.0.113.10",
                "tcp/443",
            ],
        );
        let json: serde_json::Value = serde_json::from_str(&output).unwrap();
        shapes::is_of("trace", &json);
        let outcome = &json["outcomes"][0];
        assert_eq!(outcome["decision"], "drop");
        assert_eq!(outcome["live"]["table"], "ip filter");
        assert_eq!(outcome["live"]["chain"], "DOCKER-USER");
        assert_eq!(
            outcome["live"]["text"],
            "iifname \"eth0\" ip saddr 203.0.113.9 counter drop"
        );
        assert!(outcome["live"]["handle"].is_u64());
        let rfw = outcome["rfw"].as_str().unwrap();
        assert!(
            rfw.ends_with("table ip filter drops it all the same"),
            "{rfw}"
        );
    });
}

#[test]
fn a_rule_merged_into_a_verdict_map_has_its_place() {
    alone(|| {
        let (office, desk) = (Office::new(), Desk::new());
        let path = desk.write("policy.yaml", &merged());
        desk.must(&office.gateway, &["apply", "--policy", &path]);
        let said = || {
            let words = [
                "trace", "--live", "--policy", &path, "--from", "wan", "--to",
            ];
            let said = desk.must(
                &office.gateway,
                &[&words[..], &["192.168.1.3", "tcp/1003"]].concat(),
            );
            said.replace(path.strip_suffix("policy.yaml").unwrap(), "")
        };
        let first = said();
        for part in [
            "    in/r3 (policy.yaml:14): an element of the verdict map that the next rule asks\n",
            "\naccept by `in/r3` (policy.yaml:14), rule ",
        ] {
            assert!(first.contains(part), "{part}: {first}");
        }
        // An element that the policy does not have is not where it says so, whatever it is called.
        let map = "in.accept.4.d32.port";
        let key = "192.168.1.3 . tcp . 1003";
        nft::load(
            &office.gateway,
            &format!(
                "delete element inet rfw {map} {{ {key} }}\nadd element inet rfw {map} {{ {key} comment \"in/r3\" : drop }}"
            ),
        );
        let changed = said();
        for part in [
            "    in/r3: an element of the verdict map that the next rule asks\n",
            "\ndrop by `in/r3`, rule ",
        ] {
            assert!(changed.contains(part), "{part}: {changed}");
        }
    });
}

#[test]
fn what_docker_really_loads() {
    alone(|| {
        let bench = Bench::new();
        let gateway = bench.gateway();
        for (name, number) in [("docker0", 17), ("br-app", 18)] {
            gateway.ip(&format!(
                "link add {name} type bridge\nlink set {name} up\naddress add 172.{number}.0.1/16 dev {name}"
            ));
        }
        gateway.must("iptables-nft-restore", &[], DOCKER_28[0]);
        gateway.must("ip6tables-nft-restore", &[], DOCKER_28[1]);
        // The policy of its chain drops what rfw accepts.
        bench.check(
            "--from lan --to wan udp/53",
            &[
                "drop, chain policy of table ip filter, chain FORWARD",
                "table inet rfw accepts it, by `lan-to-wan/mail-and-dns` (",
            ],
        );
        // A published port goes to the container, and rfw lets nobody go there.
        bench.check(
            "--from wan 198.51.100.7 --to 203.0.113.10 tcp/8080",
            &[
                "destination 203.0.113.10 port 8080 becomes 172.17.0.2 port 80",
                "goes on by docker0",
                "drop by `forward/default`, ",
            ],
        );
        // Of two that translate a port rfw comes first, but Docker forwards it no better than anything else.
        bench.check(
            "--from wan 198.51.100.7 --to 203.0.113.10 tcp/443",
            &[
                "destination 203.0.113.10 port 443 becomes 192.168.1.20 port 443 by `nat/web`",
                "drop, chain policy of table ip filter, chain FORWARD",
                "table inet rfw accepts it, by `nat/web/forward` (",
            ],
        );
        // What iptables-nft leaves to iptables is told in its words, also where it does not fit.
        let words = [
            "trace", "--live", "--policy", POLICY, "--from", "lan", "--to", "wan", "udp/53",
        ];
        let said = bench.desk.must(gateway, &words);
        assert!(
            said.contains("does not fit: match addrtype --dst-type LOCAL\n"),
            "{said}"
        );
        bench.check(
            "--from wan 198.51.100.7 --to 172.17.0.2 tcp/80",
            &["drop, table ip raw, chain PREROUTING, rule handle "],
        );
    });
}

#[test]
fn what_cannot_be_followed_is_named() {
    alone(|| {
        let bench = Bench::new();
        let iptables = |words: &str| {
            let words: Vec<&str> = words.split(' ').collect();
            bench.gateway().must("iptables-nft", &words, "");
        };
        iptables("-A INPUT -m recent --name x --update -j DROP");
        nft::load(
            bench.gateway(),
            "table netdev n { chain c { type filter hook ingress device eth0 priority 0; }; }",
        );
        bench.check(
            "--from wan 198.51.100.7 --to firewall tcp/22",
            &[
                "unknown, table ip filter, chain INPUT, rule handle",
                "table inet rfw accepts it, by `wan-to-firewall/ssh` (",
                "note: table netdev n is not followed, and may decide otherwise",
            ],
        );
        iptables("-I INPUT -m conntrack --ctstate NEW -j REJECT");
        bench.check(
            "--from wan 198.51.100.7 --to firewall tcp/22",
            &[
                "reject with icmp code 3, table ip filter, chain INPUT, rule handle",
                "table inet rfw accepts it, by `wan-to-firewall/ssh` (",
            ],
        );
        bench.gateway().sysctl("net/ipv4/conf/eth0/rp_filter", "1");
        bench.check(
            "--from wan 192.168.2.50 --to firewall tcp/22",
            &["note: the kernel drops what comes from 192.168.2.50 by eth0, whatever the rules say: the way back leads by eth1"],
        );
        bench.gateway().sysctl("net/ipv4/ip_forward", "0");
        bench.check(
            "--from lan --to wan tcp/80",
            &["note: this box forwards no IPv4 packets"],
        );
    });
}

#[test]
fn it_needs_rights() {
    alone(|| {
        let (host, desk) = (Host::new("box"), Desk::new());
        let arguments = [
            "trace", "--live", "--policy", POLICY, "--from", "wan", "--to", "firewall",
        ];
        let output = desk.rfw_without_rights(&host, &arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stderr.contains("CAP_NET_ADMIN"), "{}", output.stderr);
    });
}
