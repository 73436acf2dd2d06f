//! The kernel's numbers by the names that `nft --debug=netlink` gives them.

use rustables::sys;

pub(super) fn family_name(family: u32) -> &'static str {
    match family {
        2 => "ip",
        10 => "ip6",
        _ => "unknown",
    }
}

pub(super) fn exthdr_name(op: u32) -> &'static str {
    match op {
        sys::NFT_EXTHDR_OP_IPV6 => "ipv6",
        sys::NFT_EXTHDR_OP_TCPOPT => "tcpopt",
        sys::NFT_EXTHDR_OP_IPV4 => "ipv4",
        sys::NFT_EXTHDR_OP_SCTP => "sctp chunk",
        _ => "unknown",
    }
}

pub(super) fn rt_name(key: u32) -> &'static str {
    match key {
        sys::NFT_RT_CLASSID => "classid",
        sys::NFT_RT_NEXTHOP4 => "nexthop4",
        sys::NFT_RT_NEXTHOP6 => "nexthop6",
        sys::NFT_RT_TCPMSS => "tcpmss",
        sys::NFT_RT_XFRM => "ipsec",
        _ => "unknown",
    }
}

pub(super) fn ct_name(key: u32) -> &'static str {
    match key {
        sys::NFT_CT_STATE => "state",
        sys::NFT_CT_DIRECTION => "direction",
        sys::NFT_CT_STATUS => "status",
        sys::NFT_CT_MARK => "mark",
        sys::NFT_CT_SECMARK => "secmark",
        sys::NFT_CT_EXPIRATION => "expiration",
        sys::NFT_CT_HELPER => "helper",
        sys::NFT_CT_L3PROTOCOL => "l3protocol",
        sys::NFT_CT_SRC => "src",
        sys::NFT_CT_DST => "dst",
        sys::NFT_CT_PROTOCOL => "protocol",
        sys::NFT_CT_PROTO_SRC => "proto_src",
        sys::NFT_CT_PROTO_DST => "proto_dst",
        sys::NFT_CT_LABELS => "label",
        sys::NFT_CT_PKTS => "packets",
        sys::NFT_CT_BYTES => "bytes",
        sys::NFT_CT_AVGPKT => "avgpkt",
        sys::NFT_CT_ZONE => "zone",
        sys::NFT_CT_EVENTMASK => "event",
        sys::NFT_CT_SRC_IP => "src_ip",
        sys::NFT_CT_DST_IP => "dst_ip",
        sys::NFT_CT_SRC_IP6 => "src_ip6",
        sys::NFT_CT_DST_IP6 => "dst_ip6",
        _ => "unknown",
    }
}

pub(super) fn meta_name(key: u32) -> &'static str {
    match key {
        sys::NFT_META_LEN => "len",
        sys::NFT_META_PROTOCOL => "protocol",
        sys::NFT_META_PRIORITY => "priority",
        sys::NFT_META_MARK => "mark",
        sys::NFT_META_IIF => "iif",
        sys::NFT_META_OIF => "oif",
        sys::NFT_META_IIFNAME => "iifname",
        sys::NFT_META_OIFNAME => "oifname",
        sys::NFT_META_IFTYPE => "iiftype",
        sys::NFT_META_OIFTYPE => "oiftype",
        sys::NFT_META_SKUID => "skuid",
        sys::NFT_META_SKGID => "skgid",
        sys::NFT_META_NFTRACE => "nftrace",
        sys::NFT_META_RTCLASSID => "rtclassid",
        sys::NFT_META_SECMARK => "secmark",
        sys::NFT_META_NFPROTO => "nfproto",
        sys::NFT_META_L4PROTO => "l4proto",
        sys::NFT_META_BRI_IIFNAME => "bri_iifname",
        sys::NFT_META_BRI_OIFNAME => "bri_oifname",
        sys::NFT_META_PKTTYPE => "pkttype",
        sys::NFT_META_CPU => "cpu",
        sys::NFT_META_IIFGROUP => "iifgroup",
        sys::NFT_META_OIFGROUP => "oifgroup",
        sys::NFT_META_CGROUP => "cgroup",
        sys::NFT_META_PRANDOM => "prandom",
        sys::NFT_META_SECPATH => "secpath",
        sys::NFT_META_IIFKIND => "iifkind",
        sys::NFT_META_OIFKIND => "oifkind",
        sys::NFT_META_BRI_IIFPVID => "bri_iifpvid",
        sys::NFT_META_BRI_IIFVPROTO => "bri_iifvproto",
        sys::NFT_META_TIME_NS => "time",
        sys::NFT_META_TIME_DAY => "day",
        sys::NFT_META_TIME_HOUR => "hour",
        sys::NFT_META_SDIF => "sdif",
        sys::NFT_META_SDIFNAME => "sdifname",
        _ => "unknown",
    }
}
