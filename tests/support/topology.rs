//! Topologies: hosts, cables, addresses and routes, ready for packets.

use super::{Host, link};

/// The small office: the internet, a gateway with two links, and hosts behind a switch.
///
/// ```text
/// internet ──────────── eth0 gateway eth1 ─────── switch ─┬─ admin     192.168.1.10, .11   ::10
/// 203.0.113.7 .8 .9     203.0.113.10  192.168.0.1         ├─ server    192.168.1.20        ::20
/// 198.51.100.40                                           ├─ server-2  192.168.1.21        ::21
/// 2001:db8:0:1::7       2001:db8:0:1::10                  └─ ordinary  192.168.2.50        ::50
///                                     fd12:3456:789a::1      (IPv6 in fd12:3456:789a::/64)
/// ```
///
/// The internet knows a route to the office's private addresses: that nothing gets in there, and that addresses are
/// translated on the way out, must be the gateway's doing.
#[derive(Debug)]
pub(crate) struct Office {
    /// A host somewhere outside.
    pub(crate) internet: Host,
    /// The box under test.
    pub(crate) gateway: Host,
    /// The administrators' machine.
    pub(crate) admin: Host,
    /// The first server.
    pub(crate) server: Host,
    /// The second server.
    pub(crate) server_2: Host,
    /// Somebody's machine.
    pub(crate) ordinary: Host,
    /// A bridge; held so that it stays.
    _switch: Host,
}

impl Office {
    /// Builds it.
    pub(crate) fn new() -> Self {
        let internet = Host::new("internet");
        let gateway = Host::new("gateway");
        gateway.forward();
        link((&internet, "eth0"), (&gateway, "eth0"));
        address(
            &internet,
            "eth0",
            &[
                "203.0.113.7/24",
                "203.0.113.8/24",
                "203.0.113.9/24",
                "2001:db8:0:1::7/64",
            ],
        );
        address(&internet, "lo", &["198.51.100.40/32"]);
        address(
            &gateway,
            "eth0",
            &["203.0.113.10/24", "2001:db8:0:1::10/64"],
        );
        internet.ip("route add 192.168.0.0/22 via 203.0.113.10\nroute add fd12:3456:789a::/64 via 2001:db8:0:1::10");
        gateway.ip("route add default via 203.0.113.7\nroute add default via 2001:db8:0:1::7");

        let switch = Switch::new("switch");
        switch.plug(
            &gateway,
            "eth1",
            &["192.168.0.1/22", "fd12:3456:789a::1/64"],
        );
        let inside = |name: &str, addresses: &[&str]| {
            let host = Host::new(name);
            switch.plug(&host, "eth0", addresses);
            host.ip("route add default via 192.168.0.1\nroute add default via fd12:3456:789a::1");
            host
        };
        Self {
            admin: inside(
                "admin",
                &[
                    "192.168.1.10/22",
                    "192.168.1.11/22",
                    "fd12:3456:789a::10/64",
                ],
            ),
            server: inside("server", &["192.168.1.20/22", "fd12:3456:789a::20/64"]),
            server_2: inside("server-2", &["192.168.1.21/22", "fd12:3456:789a::21/64"]),
            ordinary: inside("ordinary", &["192.168.2.50/22", "fd12:3456:789a::50/64"]),
            internet,
            gateway,
            _switch: switch.host,
        }
    }
}

/// A bridge on a host of its own: one segment with any number of hosts.
#[derive(Debug)]
pub(crate) struct Switch {
    host: Host,
}

impl Switch {
    /// One without cables.
    pub(crate) fn new(name: &str) -> Self {
        let host = Host::new(name);
        host.ip("link add br0 type bridge\nlink set br0 up");
        Self { host }
    }

    /// Plugs an interface of a host in and gives it addresses.
    #[track_caller]
    pub(crate) fn plug(&self, host: &Host, interface: &str, addresses: &[&str]) {
        let port = format!("to-{}", host.name());
        link((host, interface), (&self.host, &port));
        self.host.ip(&format!("link set {port} master br0"));
        address(host, interface, addresses);
    }
}

/// Gives an interface addresses with their prefix lengths.
#[track_caller]
pub(crate) fn address(host: &Host, interface: &str, addresses: &[&str]) {
    let lines: Vec<String> = addresses
        .iter()
        .map(|address| format!("addr add {address} dev {interface}"))
        .collect();
    host.ip(&lines.join("\n"));
}
