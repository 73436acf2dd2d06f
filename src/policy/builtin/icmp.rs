//! Control messages. Those that a connection needs (errors, packet too big, neighbour discovery) are let through
//! without being named.

services! { const ICMP =
    "icmp"                           [protocol 1, protocol 58]   ("every ICMP and ICMPv6 message", "IANA; RFC 792; RFC 4443")
    "icmp-destination-unreachable"   [icmp 3, icmpv6 1]          ("the destination cannot be reached", "RFC 792; RFC 4443, section 3.1")
    "icmp-echo-reply"                [icmp 0, icmpv6 129]        ("answers to ping, without a request", "RFC 792; RFC 4443, section 4.2")
    "icmp-extended-echo"             [icmp 42, icmpv6 160]       ("ping of an interface of another host", "RFC 8335")
    "icmp-node-information"          [icmpv6 139]                ("names and addresses of an IPv6 host", "RFC 4620")
    "icmp-packet-too-big"            [icmpv6 2]                  ("the packet is larger than the path, IPv6", "RFC 4443, section 3.2")
    "icmp-parameter-problem"         [icmp 12, icmpv6 4]         ("the header cannot be understood", "RFC 792; RFC 4443, section 3.4")
    "icmp-redirect"                  [icmp 5, icmpv6 137]        ("there is a better router", "RFC 792; RFC 4861, section 4.5")
    "icmp-router-advertisement"      [icmp 9, icmpv6 134]        ("a router tells of itself", "RFC 1256; RFC 4861, section 4.2")
    "icmp-router-solicitation"       [icmp 10, icmpv6 133]       ("a host asks for routers", "RFC 1256; RFC 4861, section 4.1")
    "icmp-time-exceeded"             [icmp 11, icmpv6 3]         ("too many hops, or fragments missing", "RFC 792; RFC 4443, section 3.3")
    "icmp-timestamp"                 [icmp 13]                   ("the clock of an IPv4 host", "RFC 792")
    "mld"                            [icmpv6 130, icmpv6 131, icmpv6 132, icmpv6 143]
                                                                 ("multicast groups of IPv6 hosts", "RFC 2710; RFC 3810")
    "ping"                           [icmp 8, icmpv6 128]        ("echo request of both families", "RFC 792; RFC 4443, section 4.1")
    "traceroute"                     [udp 33434-33523]           ("traceroute by UDP: 30 hops, 3 probes each", "traceroute(8): from 33434, one port a probe")
}
