//! A box with several addresses on its interfaces: which of them it takes when it masquerades, and to which it redirects; and where those of
//! 127.0.0.0/8 may go.

use std::time::Duration;

use super::{LINKS, Read, ether, know_each_other};
use crate::differential::field::{Dice, FIRST, Field, WATCH, after, packet};
use crate::differential::ledger::Ledger;
use crate::support::wire::{Sent, What};
use crate::support::{alone_for, nft};

/// Beside those of every field: a secondary one, other networks, a single address, some for less than the world, one that is no longer
/// preferred; and ways that lead by neighbours in them.
const MORE: &str = "address add 203.0.113.20/24 dev eth0
address add 198.18.0.1/24 dev eth0
address add 100.64.0.1/32 dev eth0
address add 169.254.7.7/16 dev eth0 scope link
address add 192.0.2.1/32 dev lo
address del 192.168.2.1/24 dev eth2
address add 192.168.2.2/24 dev eth2 scope link
route add 198.51.100.0/24 via 198.18.0.9
route add 192.168.9.0/24 via 192.168.2.9 dev eth2
address add 2001:db8:0:1::20/64 dev eth0 nodad preferred_lft 0
address add 2001:db8:0:2::1/64 dev eth0 nodad
address add 2001:db8:9::1/128 dev eth0 nodad
address add fd00:99::1/64 dev eth0 nodad
address add fec0::1/64 dev eth0 nodad
route add fd00:5::/64 via 2001:db8:0:1::9
route add 2002::/16 via 2001:db8:0:1::9
route add 2001:db8:9::/48 via 2001:db8:0:1::9
address del fd00:2::1/64 dev eth2";

const RULES: &str = "table inet several {
    chain pre { type nat hook prerouting priority -100; udp dport 5353 redirect to :53; }
    chain post { type nat hook postrouting priority 100; masquerade; }
}";

const V4: [&str; 13] = [
    "203.0.113.9",
    "203.0.113.77",
    "198.18.0.9",
    "198.51.100.40",
    "100.64.0.1",
    "100.64.0.9",
    "169.254.9.9",
    "8.8.8.8",
    "192.168.1.20",
    "192.168.2.9",
    "192.168.9.9",
    "10.1.2.3",
    "172.17.0.2",
];
const V6: [&str; 11] = [
    "2001:db8:0:1::9",
    "2001:db8:0:2::9",
    "2001:db8:9::9",
    "2001:db8:77::9",
    "2002::9",
    "fd00:5::9",
    "fd00:99::9",
    "fec0::9",
    "fd00:1::9",
    "fd00:2::9",
    "fd00::11",
];

#[test]
fn the_kernel_takes_the_address_that_the_evaluator_takes() {
    alone_for(Duration::from_secs(120), || {
        let field = Field::new(&LINKS);
        know_each_other(&field, &LINKS);
        field.center.ip(MORE);
        nft::load(&field.center, &format!("flush ruleset\n{WATCH}\n{RULES}"));
        let read = Read::of(&field);
        let mut dice = Dice(7);
        let mut id = FIRST;
        let mut batch = Vec::new();
        for pool in [&V4[..], &V6] {
            for destination in pool {
                for (link, (_, _, there)) in LINKS.iter().enumerate() {
                    id = after(id);
                    let [v4, v6] = *there;
                    let destination = destination.parse().unwrap();
                    let source = if pool.len() == V4.len() { v4 } else { v6 };
                    let dport = dice.one(&[53, 5353]);
                    let what = What::Udp { sport: id, dport };
                    let source = source.parse().unwrap();
                    let sent = Sent {
                        source,
                        destination,
                        what,
                    };
                    if source != destination {
                        batch.push((id, link, sent));
                    }
                }
            }
        }
        let mut ledger = Ledger::default();
        for (link, sent, events) in field.try_all(batch) {
            let mut packet = packet(LINKS[link].0, &sent);
            packet.ether = Some((ether(link), ether(link + LINKS.len())));
            let unknown = read.hold(&mut ledger, &packet, (LINKS[link].0, &sent), &events, RULES);
            assert_eq!(unknown, None);
        }
        ledger.close("a box with several addresses");
    });
}

/// What the box sends to itself goes elsewhere, and what comes in goes to what listens at 127.0.0.1 alone.
const LOOPBACK: &str = "table ip loopback {
    chain out { type nat hook output priority -100; udp dport 5353 dnat to 192.168.1.20:53; }
    chain pre { type nat hook prerouting priority -100; udp dport 9000 dnat to 127.0.0.1:9000; }
}";

#[test]
fn loopback_addresses_go_where_the_box_lets_them() {
    alone_for(Duration::from_secs(120), || {
        let field = Field::new(&LINKS);
        know_each_other(&field, &LINKS);
        nft::load(
            &field.center,
            &format!("flush ruleset\n{WATCH}\n{LOOPBACK}"),
        );
        let mut id = FIRST;
        let mut passed = Vec::new();
        for (name, value) in [("eth1", "0"), ("eth1", "1"), ("eth1", "0"), ("all", "1")] {
            let key = format!("net/ipv4/conf/{name}/route_localnet");
            field.center.sysctl(&key, value);
            let read = Read::of(&field);
            let ends = [
                (LINKS.len(), "127.0.0.1", "127.0.0.1", 5353),
                (LINKS.len(), "192.168.1.1", "127.0.0.1", 5353),
                (1, "192.168.1.20", "192.168.1.1", 9000),
                (0, "203.0.113.9", "203.0.113.10", 9000),
            ];
            let batch = ends.map(|(link, source, destination, dport)| {
                id = after(id);
                let sent = Sent {
                    source: source.parse().unwrap(),
                    destination: destination.parse().unwrap(),
                    what: What::Udp { sport: id, dport },
                };
                (id, link, sent)
            });
            let mut ledger = Ledger::default();
            for (link, sent, events) in field.try_all(batch.to_vec()) {
                let mut packet = packet("", &sent);
                packet.iif = LINKS.get(link).map(|(name, ..)| (*name).to_owned());
                let unknown = read.hold(&mut ledger, &packet, (name, &sent), &events, LOOPBACK);
                assert_eq!(unknown, None);
                passed.push(!events.is_empty());
            }
            ledger.close(&format!("a box where {key} is {value}"));
        }
        let off = [false, true, false, false];
        let eth1 = [true, true, true, false];
        assert_eq!(passed, [off, eth1, off, [true; 4]].concat());
    });
}
