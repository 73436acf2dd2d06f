//! Rules by chance, as nft(8) compiles them: expressions that no policy of rfw makes, and others' tables may have.
//!
//! The table has rfw's name, so that it is read as a whole; nothing else of it is rfw's.

use std::fmt::Write as _;
use std::time::Duration;

use rfw::evaluate::{Choices, Decision, Firewall, Opaque, Reason, Within, evaluate};
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;

use super::field::{Dice, FIRST, Field, LINKS, after, packet};
use super::given;
use super::ledger::Ledger;
use crate::support::wire::Sent;
use crate::support::{alone_for, nft};

/// Rulesets in a usual run, and packets to each.
const RULESETS: usize = 40;
const PACKETS: usize = 60;
/// Rules in each chain.
const RULES: usize = 9;

const V4: [&str; 7] = [
    "192.168.1.10",
    "192.168.1.20",
    "10.0.0.9",
    "172.16.0.5",
    "192.168.2.9",
    "203.0.113.9",
    "198.51.100.40",
];
const V4_SPANS: [&str; 6] = [
    "10.0.0.0/8",
    "192.168.0.0/16",
    "192.168.1.11-192.168.1.21",
    "172.16.0.4/31",
    "0.0.0.0-172.16.0.4",
    "198.51.100.0/24",
];
const V6: [&str; 4] = ["fd00::10", "fd00:1::9", "2001:db8:9::9", "fd00:2::9"];
const V6_SPANS: [&str; 4] = [
    "fd00::/32",
    "fd00:1::/64",
    "2001:db8::-2001:db8:9::9",
    "::/1",
];
const PORTS: [&str; 8] = ["1", "22", "53", "80", "443", "8080", "9000", "9011"];
const PORT_SPANS: [&str; 4] = ["1-53", "80-443", "1024-9010", "9000-65535"];
const OPERATORS: [&str; 6] = ["", "!= ", "< ", "<= ", "> ", ">= "];
const EITHER: [&str; 2] = ["", "!= "];

/// Text of rules, piece by piece.
impl Dice {
    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// `{ A, B }` with some of these.
    fn some(&mut self, of: &[&str]) -> String {
        let mut some: Vec<&str> = of.iter().copied().filter(|_| !self.chance(2)).collect();
        if some.is_empty() {
            some.push(of[0]);
        }
        format!("{{ {} }}", some.join(", "))
    }

    /// `= value`, `< value`, `!= from-to`, `{ some }` of one kind of value.
    fn compared(&mut self, values: &[&str], spans: &[&str]) -> String {
        match self.below(6) {
            0 | 1 => format!("{}{}", self.one(&OPERATORS), self.one(values)),
            2 => format!("{}{}", self.one(&EITHER), self.one(spans)),
            3 => format!("{}{}", self.one(&EITHER), self.some(values)),
            // Spans of one pool overlap; in a set they must not.
            4 => format!("{}{{ {} }}", self.one(&EITHER), self.one(spans)),
            _ => self.one(spans).to_owned(),
        }
    }

    /// What of the network layer is asked, of IPv4 or IPv6.
    fn network(&mut self, v6: bool) -> String {
        let end = self.one(&["saddr", "daddr"]);
        match (v6, self.below(7)) {
            (false, 0..3) => format!("ip {end} {}", self.compared(&V4, &V4_SPANS)),
            (false, 3) => {
                let mask = self.one(&["255.255.0.255", "0.0.0.1", "255.0.0.3"]);
                let value = self.one(&["192.168.0.10", "0.0.0.1", "10.0.0.1"]);
                format!("ip {end} & {mask} {}{value}", self.one(&["== ", "!= "]))
            }
            (false, 4) => {
                let text = [
                    "ip ttl 64",
                    "ip ttl < 64",
                    "ip ttl 63",
                    "ip length > 40",
                    "ip id 1",
                    "ip dscp cs0",
                    "ip dscp != cs1",
                ];
                self.one(&text).to_owned()
            }
            (false, 5) => format!(
                "ip protocol {}",
                self.compared(&["1", "6", "17"], &["2-17", "0-6"])
            ),
            (false, _) => format!(
                "@nh,{} {}",
                self.one(&["96,8", "128,8"]),
                self.compared(&["10", "192"], &["100-198"])
            ),
            (true, 0..4) => format!("ip6 {end} {}", self.compared(&V6, &V6_SPANS)),
            (true, 4) => format!("ip6 {end} & ffff:0:ffff::f == fd00:0:0::9"),
            (true, 5) => {
                let text = [
                    "ip6 hoplimit 64",
                    "ip6 hoplimit != 64",
                    "ip6 hoplimit 62-63",
                    "ip6 length < 20",
                    "ip6 flowlabel 0",
                    "ip6 dscp cs0",
                ];
                self.one(&text).to_owned()
            }
            (true, _) => format!(
                "ip6 nexthdr {}",
                self.compared(&["6", "17", "58"], &["2-17"])
            ),
        }
    }

    /// What of the transport layer is asked, for a family when it is one.
    fn transport(&mut self, v6: Option<bool>) -> String {
        match (self.below(8), v6) {
            (0..2, _) => format!("tcp dport {}", self.compared(&PORTS, &PORT_SPANS)),
            (2, _) => format!("udp dport {}", self.compared(&PORTS, &PORT_SPANS)),
            (3, _) => format!("th dport {}", self.compared(&PORTS, &PORT_SPANS)),
            (4, _) => {
                let flags = [
                    "syn / syn,ack",
                    "& (syn | ack) == ack",
                    "syn",
                    "! syn",
                    "!= ack",
                    "{ syn, ack }",
                ];
                format!("tcp flags {}", self.one(&flags))
            }
            (5, _) => format!("@th,16,16 {}", self.compared(&PORTS, &PORT_SPANS)),
            (6, Some(false)) => "icmp type echo-request".to_owned(),
            (6, Some(true)) => "icmpv6 type { echo-request, echo-reply }".to_owned(),
            (6, None) => format!("tcp sport {}", self.one(&OPERATORS[2..])) + "30000",
            (_, _) => self
                .one(&[
                    "udp length 12",
                    "udp length < 12",
                    "tcp sequence 1",
                    "tcp doff 5",
                ])
                .to_owned(),
        }
    }

    /// What is asked besides.
    fn meta(&mut self) -> String {
        let text = [
            "iifname \"eth*\"",
            "iifname != \"eth1\"",
            "iifname { \"eth0\", \"wg0\" }",
            "meta nfproto ipv6",
            "meta nfproto != ipv6",
            "meta l4proto { tcp, udp }",
            "meta l4proto > 6",
            "meta protocol ip",
            "ct state new",
            "ct state { new, established }",
            "ct state != established",
            "ct state new,invalid",
            "ct direction original",
            "ct mark & 0x3 == 0",
            "meta mark 0-7",
            "meta mark & 0x4 != 0",
            "meta mark != 3",
            "meta length > 40",
            "meta length 40-59",
            "fib daddr type local",
            "fib saddr type != local",
            "meta mark { 1, 3, 5-9 }",
        ];
        self.one(&text).to_owned()
    }

    /// A hash of what every packet has.
    fn hash(&mut self, v6: bool) -> String {
        let key = match (v6, self.below(5)) {
            (false, 0) => "ip saddr",
            (false, 1) => "ip saddr . ip daddr",
            (false, 2) => "ip saddr . ip daddr . ip protocol",
            (false, 3) => "ip saddr . ip protocol",
            (false, _) => "ip protocol . ip saddr . ip daddr . ip ttl",
            (true, 0) => "ip6 saddr",
            (true, 1) => "ip6 saddr . ip6 daddr",
            (true, 2) => "ip6 daddr . ip6 nexthdr",
            (true, 3) => "ip6 nexthdr . ip6 daddr . ip6 saddr",
            (true, _) => "ip6 saddr . ip6 daddr . ip6 nexthdr . ip6 hoplimit",
        };
        let modulus = self.one(&["2", "3", "7", "16", "4096"]);
        // nft sends no seed when it is not asked to, and the kernel makes one up.
        let seed = self.one(&["0x1", "0xdeadbeef", "0x7"]);
        format!("jhash {key} mod {modulus} seed {seed}")
    }

    /// What is done before a verdict.
    fn statement(&mut self, v6: Option<bool>) -> String {
        match (self.below(8), v6) {
            (0, Some(v6)) => format!("meta mark set {}", self.hash(v6)),
            (1, Some(false)) => {
                "meta mark set ip saddr map { 10.0.0.0/8 : 1, 192.168.1.0/24 : 5, 203.0.113.9 : 9 }"
                    .to_owned()
            }
            (2, _) => "meta mark set meta mark | 0x4".to_owned(),
            (3, _) => "meta mark set meta mark & 0xfffffffe ^ 0x2".to_owned(),
            (4, _) => "ct mark set meta mark".to_owned(),
            (5, _) => "meta mark set ct mark".to_owned(),
            (6, _) => "meta mark set tcp dport map { 1-79 : 2, 80 : 3, 443 : 4 }".to_owned(),
            (_, _) => "counter".to_owned(),
        }
    }

    /// How a rule ends. `deeper` chains may be called.
    fn verdict(&mut self, v6: Option<bool>, deeper: &[&str], hook: &str) -> String {
        let called = |dice: &mut Self| {
            format!(
                "{} {}",
                dice.one(&["jump", "jump", "goto"]),
                dice.one(deeper)
            )
        };
        let rejects = matches!(hook, "input" | "forward");
        match self.below(10) {
            0 | 1 => "accept".to_owned(),
            2 | 3 => "drop".to_owned(),
            4 if rejects => format!(
                "reject with icmpx {}",
                self.one(&[
                    "port-unreachable",
                    "admin-prohibited",
                    "host-unreachable",
                    "no-route"
                ])
            ),
            5..8 if !deeper.is_empty() => called(self),
            8 if !deeper.is_empty() => {
                let (one, two) = (called(self), self.one(deeper));
                match (self.below(4), v6) {
                    (0, Some(false)) => format!(
                        "ip saddr . ip daddr vmap {{ 10.0.0.0/8 . 192.168.0.0/16 : {one}, 192.168.1.10-192.168.1.20 . 203.0.113.9 : accept }}"
                    ),
                    (1 | 2, Some(v6)) => format!(
                        "{} vmap {{ 0 : {one}, 1 : drop, 2-3 : accept, 4-15 : jump {two}, 16-2048 : drop }}",
                        self.hash(v6)
                    ),
                    _ => format!(
                        "meta l4proto . th dport vmap {{ tcp . 80 : {one}, udp . 53 : accept, tcp . 22 : drop }}"
                    ),
                }
            }
            9 => self.one(&["return", "continue"]).to_owned(),
            _ => "counter".to_owned(),
        }
    }

    fn rule(&mut self, deeper: &[&str], hook: &str) -> String {
        let v6 = [None, Some(false), Some(false), Some(true)][self.below(4)];
        let mut parts = Vec::new();
        if let Some(v6) = v6.filter(|_| !self.chance(4)) {
            parts.push(self.network(v6));
        }
        if self.chance(2) {
            parts.push(self.transport(v6));
        }
        if self.chance(3) {
            parts.push(self.meta());
        }
        if self.chance(3) {
            parts.push(self.statement(v6));
        }
        parts.push(self.verdict(v6, deeper, hook));
        parts.join(" ")
    }

    fn chain(&mut self, name: &str, hook: Option<&str>, deeper: &[&str]) -> String {
        let mut text = format!("  chain {name} {{\n");
        if let Some(hook) = hook {
            let policy = self.one(&["accept", "accept", "drop"]);
            let priority = self.one(&["-5", "0", "10"]);
            let _ = writeln!(
                text,
                "    type filter hook {hook} priority {priority}; policy {policy};\n    \
                 icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept"
            );
        }
        for _ in 0..RULES {
            let _ = writeln!(text, "    {}", self.rule(deeper, hook.unwrap_or("")));
        }
        text + "  }\n"
    }

    /// A table with chains on every hook that packets through the box meet.
    fn ruleset(&mut self) -> String {
        let mut text = String::from("table inet rfw\ndelete table inet rfw\ntable inet rfw {\n");
        text += &self.chain("c", None, &[]);
        text += &self.chain("b", None, &["c"]);
        text += &self.chain("a", None, &["b", "c"]);
        for hook in ["prerouting", "input", "forward", "postrouting"] {
            text += &self.chain(hook, Some(hook), &["a", "b", "c"]);
        }
        text + "}\n"
    }
}

/// Whether it claims to come from the box itself: such packets never reach most hooks.
fn is_martian(sent: &Sent) -> bool {
    let own = LINKS.iter().flat_map(|(_, here, _)| here);
    own.filter_map(|it| it.split_once('/'))
        .any(|(address, _)| address.parse() == Ok(sent.source))
}

#[test]
fn the_kernel_does_what_the_evaluator_says_of_any_rules() {
    let count = given("RFW_DIFFERENTIAL_POLICIES", RULESETS);
    let seed = given("RFW_DIFFERENTIAL_SEED", 1) as u64;
    alone_for(Duration::from_secs(120 + 3 * count as u64), || {
        run(count, seed);
    });
}

fn run(count: usize, seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1);
    let field = Field::new(&LINKS);
    let choices = Choices {
        rates: Within::Either,
        ..Choices::default()
    };
    let mut id = FIRST;
    let mut unknown = 0;
    let mut ledger = Ledger::default();
    for _ in 0..count {
        let text = nft::load_what_is_right(&field.center, &dice.ruleset(), 3 * RULES);
        let live = field
            .center
            .run(|| Netlink::open().unwrap().observe().unwrap());
        let firewall = Firewall::new().with_table(1, "rfw", live.table.expect("the table"));
        let batch: Vec<(u16, usize, Sent)> = (0..PACKETS)
            .map(|_| {
                id = after(id);
                let (link, sent) = dice.packet(id);
                (id, link, sent)
            })
            .filter(|(_, _, sent)| !is_martian(sent))
            .collect();
        for (link, sent, events) in field.try_all(batch) {
            ledger.count(&events);
            let evaluation = evaluate(
                &firewall,
                &packet(LINKS[link].0, &sent),
                &field.environment,
                &choices,
            );
            let mut outcomes = evaluation.outcomes.iter();
            match outcomes.find(|it| it.decision == Decision::Unknown) {
                Some(outcome) => match &outcome.reason {
                    Reason::Opaque(_, Opaque::Value(_) | Opaque::Set(_)) => unknown += 1,
                    other => ledger.refuse(format!("{other:?} {sent:?}\n{text}")),
                },
                None => ledger.hold(&evaluation, (LINKS[link].0, &sent), &events, &text),
            }
        }
    }
    ledger.close(&format!(
        "{count} rulesets, seed {seed}, {unknown} of which ask what a packet of the evaluator does not have"
    ));
    let packets = ledger.packets();
    assert!(
        unknown < packets / 2,
        "{unknown} of {packets} are not followed"
    );
}
