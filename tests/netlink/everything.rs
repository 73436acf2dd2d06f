//! What is read of all tables: everything that others may make, and nothing that is not understood is dropped.

use rfw::evaluate::{Choices, Environment, Firewall, Interface, Packet, Upper, evaluate};
use rfw::live::{AnyTable, Everything};
use rfw::netlink::Netlink;

use crate::support::{Host, alone, nft};

fn read(host: &Host) -> Everything {
    host.run(|| Netlink::open().unwrap().everything().unwrap())
}

fn table<'e>(everything: &'e Everything, name: &str) -> &'e AnyTable {
    let mut tables = everything.tables.iter();
    tables.find(|table| table.name == name).unwrap()
}

/// What becomes of a packet to port 22 that comes in by eth0.
#[track_caller]
fn check(host: &Host, source: &str, destination: &str, expect: &str) {
    let firewall = read(host)
        .tables
        .into_iter()
        .fold(Firewall::new(), |all, table| {
            all.with_any(table, &|_, _| None)
        });
    let environment = Environment {
        interfaces: vec![Interface {
            name: "eth0".to_owned(),
            index: None,
            kind: Some(1),
            addresses: ["192.0.2.1/24", "2001:db8::1/64"]
                .map(|it| it.parse().unwrap())
                .to_vec(),
            not_sources: Vec::new(),
            routes_loopback: false,
        }],
        routes: Vec::new(),
    };
    let mut packet = Packet::new(
        source.parse().unwrap(),
        destination.parse().unwrap(),
        Upper::syn(40_000, 22),
    );
    packet.iif = Some("eth0".to_owned());
    packet.ether = Some(([2, 0, 0, 0, 0, 7], [2, 0, 0, 0, 0, 1]));
    let evaluation = evaluate(&firewall, &packet, &environment, &Choices::default());
    let outcome = evaluation.only().expect("one outcome");
    let said = format!("{:?} {:?}", outcome.decision, firewall.unmodelled());
    assert_eq!(said, expect, "{:?}", outcome.reason);
}

const TABLES: &str = r#"
table ip one {
    set plain { type ipv4_addr; flags timeout; elements = { 192.0.2.9 timeout 1h, 192.0.2.8 timeout 2h } }
    set ethers { type ether_addr; elements = { 02:00:00:00:00:07 } }
    set strange { type ipv4_addr . ether_addr . mark; flags interval; elements = { 192.0.2.0/24 . 02:00:00:00:00:01 . 7 } }
    map others { type ipv4_addr : verdict; elements = { 192.0.2.3 : accept, * : drop } }
    counter hits { }
    quota much { over 10 mbytes }
    chain c {
        type filter hook input priority 0; policy accept;
        ip saddr @plain accept
        counter name hits
        ether saddr @ethers ip saddr 192.0.2.6 drop
        ip saddr vmap @others
    }
}
table ip6 two {
    chain c { type filter hook input priority 5; policy drop; ct state { new, untracked } log flags all accept; }
}
table inet dormant { flags dormant; chain c { type filter hook input priority -5; policy drop; }; }
table arp three { chain c { type filter hook input priority 0; policy accept; }; }
"#;

#[test]
fn everything_is_read_and_followed() {
    alone(|| {
        let host = Host::new("box");
        nft::load(&host, TABLES);
        let everything = read(&host);
        let one = table(&everything, "one");
        let names: Vec<&str> = one
            .sets
            .iter()
            .map(|set| set.live.set.spec.name.as_str())
            .collect();
        assert_eq!(names, ["ethers", "others", "plain", "strange"]);
        let [ether, others, plain, strange] = one.sets.as_slice() else {
            panic!("four sets")
        };
        assert_eq!((&*ether.fields, &ether.obstacle), (&[6][..], &None));
        assert!(others.catch_all.is_some());
        assert_eq!(plain.live.set.elements.len(), 2);
        assert_eq!(strange.fields, [4, 6, 4]);
        assert_eq!(one.table.objects.len(), 2);
        assert_eq!(everything.tables.len(), 4);
        for (source, destination, decision) in [
            ("192.0.2.9", "192.0.2.1", "Accept"),
            ("192.0.2.6", "192.0.2.1", "Drop"),
            ("192.0.2.3", "192.0.2.1", "Accept"),
            ("192.0.2.4", "192.0.2.1", "Drop"),
            ("2001:db8::7", "2001:db8::1", "Accept"),
        ] {
            let expect = format!("{decision} [\"table arp three\"]");
            check(&host, source, destination, &expect);
        }
    });
}

#[test]
fn what_cannot_be_followed_makes_the_answer_unknown() {
    alone(|| {
        let host = Host::new("box");
        for (rule, expect) in [
            ("-m recent --name x --update -j DROP", "Unknown []"),
            // It decides nothing, whatever it says.
            ("-m recent --name x --set", "Accept []"),
            ("-m string --string x --algo bm -j LOG", "Accept []"),
            ("-j NFQUEUE --queue-num 3", "Unknown []"),
            ("-m comment --comment x -j REJECT", "Reject(Icmp(3)) []"),
        ] {
            let mut words: Vec<&str> = vec!["-A", "INPUT"];
            words.extend(rule.split(' '));
            nft::load(&host, "flush ruleset");
            host.must("iptables-nft", &words, "");
            check(&host, "192.0.2.9", "192.0.2.1", expect);
        }
    });
}

/// Plan and apply read rfw's own table, whatever others have.
#[test]
fn many_rules_of_others_are_read_chain_by_chain() {
    alone(|| {
        let host = Host::new("box");
        // As much at once as a user namespace takes.
        for part in 0..105 {
            let (chain, first) = (part / 5, 1000 + 200 * (part % 5));
            let rules: String = (first..first + 200)
                .map(|port| format!("tcp dport {port} drop\n"))
                .collect();
            let script = format!("table ip many {{ chain c{chain} {{\n{rules}}}; }}");
            nft::load(&host, &script);
        }
        nft::load(
            &host,
            "table ip many { chain c { type filter hook input priority 0; tcp dport 22 jump c7; }; }",
        );
        let everything = read(&host);
        let chains = &table(&everything, "many").table.chains;
        let rules: usize = chains.iter().map(|chain| chain.rules.len()).sum();
        assert_eq!(rules, 21_001);
        check(&host, "192.0.2.9", "192.0.2.1", "Accept []");
    });
}
