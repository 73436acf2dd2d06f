//! Rules of iptables by chance, as an operator or another tool might write them: any match beside any other, any target.

use crate::differential::field::Dice;

/// What a table and its chain let a rule ask for.
#[derive(Clone, Copy)]
struct Chain {
    name: &'static str,
    iif: bool,
    oif: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Filter,
    Mangle,
    Dnat,
    Snat,
}

const fn chain(name: &'static str, iif: bool, oif: bool, kind: Kind) -> Chain {
    Chain {
        name,
        iif,
        oif,
        kind,
    }
}

const TABLES: [(&str, &[Chain]); 3] = [
    (
        "mangle",
        &[
            chain("PREROUTING", true, false, Kind::Mangle),
            chain("FORWARD", true, true, Kind::Mangle),
        ],
    ),
    (
        "nat",
        &[
            chain("PREROUTING", true, false, Kind::Dnat),
            chain("POSTROUTING", false, true, Kind::Snat),
        ],
    ),
    (
        "filter",
        &[
            chain("INPUT", true, false, Kind::Filter),
            chain("FORWARD", true, true, Kind::Filter),
            chain("own", false, false, Kind::Filter),
        ],
    ),
];

/// The rules of both families as iptables-restore and ip6tables-restore read them.
pub(super) fn rules(dice: &mut Dice) -> (String, String) {
    (family(dice, false), family(dice, true))
}

fn family(dice: &mut Dice, v6: bool) -> String {
    let mut text = String::new();
    for (table, chains) in TABLES {
        text.push_str(&format!("*{table}\n"));
        for chain in chains {
            let policy = match (chain.name, chain.kind, dice.below(4)) {
                ("own", ..) => "-",
                (_, Kind::Filter, 0) => "DROP",
                _ => "ACCEPT",
            };
            text.push_str(&format!(":{} {policy} [0:0]\n", chain.name));
        }
        for chain in chains {
            let count = match chain.kind {
                Kind::Mangle => dice.below(3),
                Kind::Dnat | Kind::Snat => dice.below(4),
                Kind::Filter => 2 + dice.below(8),
            };
            for _ in 0..count {
                text.push_str(&format!("-A {}{}\n", chain.name, rule(dice, *chain, v6)));
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

fn rule(dice: &mut Dice, chain: Chain, v6: bool) -> String {
    let mut words = String::new();
    let mut add = |word: &str| {
        words.push(' ');
        words.push_str(word);
    };
    let links = ["eth0", "eth1", "! -i eth2", "wg+", "docker0", "eth+"];
    for (asks, option) in [(chain.iif, "-i"), (chain.oif, "-o")] {
        if asks && dice.below(3) == 0 {
            let link = dice.one(&links).replace("! -i ", "");
            let not = if dice.below(4) == 0 { "! " } else { "" };
            add(&format!("{not}{option} {link}"));
        }
    }
    let networks: &[&str] = match v6 {
        false => &[
            "192.168.0.0/16",
            "10.0.0.0/8",
            "203.0.113.9",
            "172.17.0.0/16",
            "203.0.113.10",
            "192.168.1.0/28",
        ],
        true => &[
            "fd00::/16",
            "fd00:1::/64",
            "2001:db8::/32",
            "2001:db8:0:1::9",
        ],
    };
    for option in ["-s", "-d"] {
        if dice.below(4) == 0 {
            let not = if dice.below(4) == 0 { "! " } else { "" };
            add(&format!("{not}{option} {}", dice.one(networks)));
        }
    }
    let protocol = dice.below(5);
    let transport: &[&str] = match protocol {
        0 => &[
            "-p tcp --dport 443",
            "-p tcp --dport 1:1024",
            "-p tcp ! --dport 22",
            "-p tcp --syn",
            "-p tcp --tcp-flags ALL ACK",
            "-p tcp -m multiport --dports 22,80,9000:9010",
            "-p tcp -m multiport ! --ports 443,8080",
            "-p tcp --sport 20000:40000",
        ],
        1 => &[
            "-p udp --dport 53",
            "-p udp --dport 5000:6000",
            "-p udp -m multiport --dports 53,5353",
        ],
        2 if v6 => &["-p icmpv6 --icmpv6-type echo-request", "-p icmpv6"],
        2 => &[
            "-p icmp --icmp-type 8",
            "-p icmp ! --icmp-type 3/1",
            "-p icmp",
        ],
        _ => &[""],
    };
    add(dice.one(transport));
    for _ in 0..dice.below(3) {
        add(&matches(dice, chain, v6));
    }
    let ends = match chain.kind {
        Kind::Filter => filter_target(dice, chain, v6, protocol == 0),
        Kind::Mangle => mangle_target(dice),
        Kind::Dnat => dnat_target(dice, v6, protocol < 2),
        Kind::Snat => snat_target(dice, v6),
    };
    add(&ends);
    words
}

fn matches(dice: &mut Dice, chain: Chain, v6: bool) -> String {
    let plain = [
        "-m conntrack --ctstate NEW",
        "-m conntrack --ctstate RELATED,ESTABLISHED",
        "-m conntrack ! --ctstate INVALID",
        "-m conntrack --ctstate DNAT",
        "-m conntrack --ctproto tcp",
        "-m conntrack --ctdir ORIGINAL",
        "-m state --state NEW,UNTRACKED",
        "-m mark --mark 0x1/0x3",
        "-m mark ! --mark 0x2",
        "-m connmark --mark 0x1",
        "-m comment --comment said",
        "-m pkttype --pkt-type unicast",
        "-m mac --mac-source 02:00:00:00:00:02",
        "-m mac ! --mac-source 02:00:00:00:00:01",
        "-m length --length 0:52",
        "-m length ! --length 40",
        "-m limit --limit 1/second",
        "-m hashlimit --hashlimit-name h --hashlimit-above 5/min --hashlimit-mode srcip",
        "-m statistic --mode random --probability 0.25",
        "-m addrtype --dst-type LOCAL",
        "-m addrtype ! --dst-type LOCAL",
    ];
    let v4_only = [
        "-m addrtype --src-type UNICAST --dst-type UNICAST,LOCAL",
        "-m iprange --src-range 10.0.0.0-10.0.0.9",
        "-m iprange ! --dst-range 192.168.1.1-192.168.1.20",
        "-m ttl --ttl-lt 64",
        "-m ttl --ttl-eq 64",
        "-m dscp --dscp 0",
        "-m tos ! --tos 0x10/0x3f",
        "-m conntrack --ctorigdst 203.0.113.10",
        "-m conntrack --ctorigsrc 192.168.0.0/16",
    ];
    let v6_only = [
        "-m iprange --src-range fd00::1-fd00::ffff",
        "-m hl --hl-gt 63",
        "-m conntrack --ctorigdst 2001:db8:0:1::10",
    ];
    if chain.name == "PREROUTING" && dice.below(6) == 0 && chain.kind == Kind::Mangle {
        let forms = ["", " --loose", " --invert", " --accept-local --invert"];
        return format!("-m rpfilter{}", dice.one(&forms));
    }
    match (dice.below(3), v6) {
        (0, false) => dice.one(&v4_only).to_owned(),
        (0, true) => dice.one(&v6_only).to_owned(),
        _ => match dice.one(&plain) {
            // Behind routing there is no sender on the link.
            it if it.starts_with("-m mac") && chain.kind == Kind::Snat => plain[0].to_owned(),
            it => it.to_owned(),
        },
    }
}

fn filter_target(dice: &mut Dice, chain: Chain, v6: bool, tcp: bool) -> String {
    let rejects: &[&str] = match v6 {
        false => &[
            "REJECT",
            "REJECT --reject-with icmp-host-prohibited",
            "REJECT --reject-with icmp-admin-prohibited",
            "REJECT --reject-with icmp-net-unreachable",
        ],
        true => &[
            "REJECT",
            "REJECT --reject-with icmp6-no-route",
            "REJECT --reject-with icmp6-adm-prohibited",
            "REJECT --reject-with icmp6-addr-unreachable",
        ],
    };
    let target = match dice.below(9) {
        0..3 => "ACCEPT",
        3 | 4 => "DROP",
        5 if tcp && dice.below(2) == 0 => "REJECT --reject-with tcp-reset",
        5 => dice.one(rejects),
        6 => "RETURN",
        7 => "LOG --log-prefix said",
        _ if chain.name == "own" => "NFLOG --nflog-group 5",
        _ if dice.below(3) == 0 => return "-g own".to_owned(),
        _ => "own",
    };
    format!("-j {target}")
}

fn mangle_target(dice: &mut Dice) -> String {
    let targets = [
        "MARK --set-mark 0x1",
        "MARK --set-xmark 0x2/0x3",
        "MARK --or-mark 0x4",
        "CONNMARK --save-mark",
        "CONNMARK --set-mark 0x1",
        "CONNMARK --restore-mark",
        "DROP",
        "ACCEPT",
    ];
    format!("-j {}", dice.one(&targets))
}

fn dnat_target(dice: &mut Dice, v6: bool, ports: bool) -> String {
    let targets: &[&str] = match (v6, ports) {
        (false, true) => &[
            "DNAT --to-destination 172.17.0.2:80",
            "DNAT --to-destination 192.168.1.20",
            "DNAT --to-destination 10.0.0.9-10.0.0.12",
            "REDIRECT --to-ports 8999",
            "REDIRECT",
            "ACCEPT",
        ],
        (false, false) => &["DNAT --to-destination 192.168.1.20", "REDIRECT", "RETURN"],
        (true, true) => &[
            "DNAT --to-destination [fd00:17::2]:80",
            "DNAT --to-destination fd00:1::9",
            "REDIRECT --to-ports 22",
        ],
        (true, false) => &["DNAT --to-destination fd00:1::9", "REDIRECT"],
    };
    format!("-j {}", dice.one(targets))
}

fn snat_target(dice: &mut Dice, v6: bool) -> String {
    let targets: &[&str] = match v6 {
        false => &[
            "MASQUERADE",
            "SNAT --to-source 203.0.113.10",
            "NETMAP --to 100.64.0.0/10",
            "ACCEPT",
        ],
        true => &["MASQUERADE", "SNAT --to-source 2001:db8:0:1::10", "ACCEPT"],
    };
    format!("-j {}", dice.one(targets))
}
