//! IPv6 hosts by the host part of their address, in whatever network they are.

use super::support::gate::Gate;
use super::support::{alone, serve, tcp};

#[test]
fn a_host_part_is_right_in_every_network() {
    alone(|| {
        let gate = Gate::new(
            "groups:
  servers: [192.168.1.20, \"::20/-64\", more]
  more: [\"fd12:3456:789a::50\", \"::1:21/-96\"]
policies:
  - name: in
    from: wan
    to: lan
    default: drop
    rules:
      - { name: web, services: [{ tcp: [1000] }], destination: [servers], action: accept }
      - { name: some, services: [{ tcp: [2000] }], source: [\"::7/-64\"], destination: { not: [\"::20/-64\", 192.168.1.20] }, action: accept }
nat:
  dnat:
    - { name: front, from: wan, destination: [\"::99/-64\"], services: [{ tcp: [3000] }], to: \"fd12:3456:789a::21\", to_port: 1000 }
",
        );
        let plan = gate.must(&["plan", "--full", "--policy", "policy.yaml"]);
        assert!(plan.contains("no changes"), "{plan}");
        gate.internet.ip(
            "route add 2001:db8:0:77::/64 via 2001:db8:0:1::10\naddr add 2001:db8:0:1::8/64 dev eth0\n\
             route add 2001:db8:0:88::/64 via 2001:db8:0:1::10",
        );
        // A new prefix of the provider, beside the old one.
        gate.gateway.ip("addr add 2001:db8:0:77::1/64 dev eth1");
        gate.server.ip("addr add 2001:db8:0:77::20/64 dev eth0");
        gate.server_2
            .ip("addr add 2001:db8:0:77::1:21/64 dev eth0\naddr add 2001:db8:0:77::21/64 dev eth0");
        for host in [&gate.server, &gate.server_2] {
            serve::tcp(host, 1000);
            serve::tcp(host, 2000);
        }
        let us = "2001:db8:0:1::7";
        let seen = |to: &str| {
            let from = if to.starts_with('[') {
                us
            } else {
                "203.0.113.7"
            };
            tcp::probe_from(&gate.internet, from, to).to_string()
        };
        let open = |host: &str| format!("open: {host} {us}");
        assert_eq!(seen("192.168.1.20:1000"), "open: server 203.0.113.7");
        assert_eq!(seen("192.168.1.21:1000"), "filtered");
        assert_eq!(seen("[fd12:3456:789a::20]:1000"), open("server"));
        assert_eq!(seen("[2001:db8:0:77::20]:1000"), open("server"));
        assert_eq!(seen("[fd12:3456:789a::21]:1000"), "filtered");
        assert_eq!(seen("[2001:db8:0:77::21]:1000"), "filtered");
        assert_eq!(
            seen("[2001:db8:0:77::1:21]:1000"),
            open("server-2"),
            "the last 32 bits"
        );
        // `not`, and a source.
        assert_eq!(seen("[2001:db8:0:77::21]:2000"), open("server-2"));
        assert_eq!(seen("[2001:db8:0:77::20]:2000"), "filtered");
        let other = |to| tcp::probe_from(&gate.internet, "2001:db8:0:1::8", to).to_string();
        assert_eq!(other("[2001:db8:0:77::21]:2000"), "filtered");
        // IPv4 has no host parts: a source that is one is of IPv6.
        assert_eq!(seen("192.168.1.21:2000"), "filtered");
        // A public address in whatever network.
        assert_eq!(seen("[2001:db8:0:88::99]:3000"), open("server-2"));
        assert_eq!(seen("[2001:db8:0:88::98]:3000"), "filtered");
    });
}
