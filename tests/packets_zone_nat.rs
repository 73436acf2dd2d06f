//! Translation of whole networks, and of the segment size, for one of several zones on one wire.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;

use super::packets_zone::{REST, Wire, ZONES, seen};
use super::support::{Host, alone, serve, tcp};

fn policy(nat: &str) -> String {
    format!(
        "{ZONES}{REST}policies:
  - {{ name: out, from: [staff, guest, rest], to: wan, default: accept }}
  - {{ name: in, from: wan, to: staff, default: drop, rules: [{{ name: web, services: [{{ tcp: [1000] }}], destination: [\"fd00:1::10\"], action: accept }}] }}
  - {{ name: across, from: staff, to: guest, default: accept }}
  - {{ name: back, from: guest, to: staff, default: drop, rules: [{{ name: web, services: [{{ tcp: [1000] }}], action: accept }}] }}
nat:
{nat}"
    )
}

#[test]
fn a_prefix_is_translated_for_one_zone_of_a_wire() {
    alone(|| {
        let wire = Wire::new();
        wire.far.ip("route add 2001:db8:11::/64 via 2001:db8::10");
        let all = [&wire.staff, &wire.guest, &wire.other];
        for host in [&wire.far, &wire.staff, &wire.guest, &wire.other] {
            serve::tcp(host, 1000);
        }
        wire.apply(&policy(
            "  nptv6: [{ name: six, from: staff, to: wan, inside: \"fd00:1::/64\", outside: \"2001:db8:11::/64\" }]\n",
        ));
        // Only that zone, only IPv6.
        assert_eq!(
            seen(&all, &["203.0.113.7", "2001:db8::7"], 1000),
            "staff: open: far 10.0.1.10\nstaff: open: far 2001:db8:11::10\n\
             guest: open: far 10.0.2.10\nguest: open: far fd00:2::10\n\
             other: open: far 10.0.3.10\nother: open: far fd00:3::10"
        );
        // From outside by the outside address; the policy decides about the one inside.
        let outside =
            |port: u16| tcp::probe(&wire.far, &format!("[2001:db8:11::10]:{port}")).to_string();
        assert_eq!(outside(1000), "open: staff 2001:db8::7");
        assert_eq!(outside(1001), "filtered");

        // From one zone to the other on the same wire.
        wire.apply(&policy(
            "  nptv6: [{ name: six, from: staff, to: guest, inside: \"fd00:1::/64\", outside: \"fd00:11::/64\" }]\n",
        ));
        assert_eq!(
            seen(&[&wire.staff], &["fd00:2::10", "2001:db8::7"], 1000),
            "staff: open: guest fd00:11::10\nstaff: open: far fd00:1::10"
        );
        assert_eq!(
            seen(&[&wire.guest], &["fd00:11::10"], 1000),
            "guest: open: staff fd00:2::10"
        );
        // The third zone is no part of it.
        assert_ne!(
            seen(&[&wire.other], &["fd00:11::10"], 1000),
            "other: open: staff fd00:3::10"
        );
    });
}

/// What the far end of a connection may send at once, and what this end may.
fn sizes(from: &Host, to: &str, told: &Receiver<u32>) -> (u32, u32) {
    let stream = tcp::open(from, to);
    let here = getsockopt(&stream, TcpMaxSeg).expect("TCP_MAXSEG");
    (told.recv_timeout(Duration::from_secs(5)).unwrap(), here)
}

#[test]
fn the_segment_size_is_clamped_for_one_zone_of_a_wire() {
    alone(|| {
        let wire = Wire::new();
        wire.center.ip("link set eth0 mtu 1400");
        let told = serve::segment_sizes(&wire.far, 1000);
        wire.apply(&policy(
            "  masquerade: [{ name: hide, from: guest, to: wan }]\n",
        ));
        let (four, six) = ("203.0.113.7:1000", "[2001:db8::7]:1000");
        // Who asks and who answers is told of the narrow link.
        assert_eq!(sizes(&wire.guest, four, &told), (1360, 1360));
        assert_eq!(sizes(&wire.guest, six, &told), (1340, 1340));
        // Nobody else on that wire is.
        assert_eq!(sizes(&wire.staff, four, &told).0, 1460);
        assert_eq!(sizes(&wire.staff, six, &told).0, 1440);
        assert_eq!(sizes(&wire.other, four, &told).0, 1460);

        // Also where only addresses of one family are hidden, and with every zone of the wire.
        wire.apply(&policy(
            "  masquerade: [{ name: hide, from: [staff, rest], to: wan, family: ipv4 }]\n",
        ));
        assert_eq!(sizes(&wire.staff, four, &told), (1360, 1360));
        assert_eq!(sizes(&wire.staff, six, &told), (1340, 1340));
        assert_eq!(sizes(&wire.other, six, &told), (1340, 1340));
        assert_eq!(sizes(&wire.guest, four, &told).0, 1460);

        wire.apply(&policy(
            "  masquerade: [{ name: hide, from: guest, to: wan, clamp_mss: false }]\n",
        ));
        assert_eq!(sizes(&wire.guest, four, &told).0, 1460);
        assert_eq!(sizes(&wire.guest, six, &told).0, 1440);
    });
}
