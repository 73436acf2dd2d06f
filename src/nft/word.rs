//! Names and strings as nft(8) reads them.
//!
//! nft has no escape in strings and cannot quote the name of a chain, set or object at all, so what
//! cannot be written is made harmless here and refused by nft, never read as something else.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Whether nft can read the name of a chain, set or object: it begins with a letter, `_` or `.`, goes
/// on with these, digits, `/` and `-`, and is none of nft's own words (nftables 1.0.6, `scanner.l`).
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || b"_.".contains(&first))
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte))
        && SORTED.binary_search(&name).is_err()
}

/// A name where nft wants one. One that nft cannot read comes in quotes, at which nft stops.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    if is_name(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(quoted(name))
    }
}

/// A string in quotes. A quote or a control character in it, for which nft has no notation, becomes `?`.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    quoted.extend(text.chars().map(|character| {
        if character == '"' || character.is_control() {
            '?'
        } else {
            character
        }
    }));
    quoted.push('"');
    quoted
}

static SORTED: LazyLock<Vec<&str>> = LazyLock::new(|| KEYWORDS.split_whitespace().collect());

/// Every word that nft 1.0.6 has for itself anywhere, sorted; in most places only some of them count.
const KEYWORDS: &str = "\
    a-rwnd abort accept ackseq add ah all and arp asconf asconf-ack auto-merge avgpkt bridge \
    burst bypass cfi cgroup cgroupv2 chain chains checksum chunk classid code comment comp \
    constant continue cookie-ack cookie-echo count counter counters cpi cpu create csumcov ct \
    cum-tsn-ack cwr daddr data day dccp define dei delete describe device devices direction \
    dnat doff dport drop dscp dst dup dynamic echo ecn ecne element elements eol eq error esp \
    ether event exists expectation expiration expires export exthdr fanout fastopen fib flags \
    flow flowlabel flowtable flowtables flush forward-tsn frag frag-off fully-random fwd \
    gateway gc-interval ge get goto group gt handle hbh hdrlength heartbeat heartbeat-ack \
    helper helpers hlen hook hooks hoplimit hour htype ibriport ibrname icmp icmpv6 icmpx igmp \
    iif iifgroup iifname iiftype import in inc include index inet init init-ack init-tag \
    initial-tsn insert interval ip ip6 ipsec jhash json jump l3proto label last-entry le left \
    level limit limits list ll log lowest-tsn lshift lsrr lt map maps mark masquerade \
    max-delay maxseg md5sig memory meta meter meters mh minute missing mod monitor \
    more-fragments mptcp mrt mss mtu ne netdev new-cum-tsn nexthdr nexthop nftrace nh noop nop \
    not notrack num num-dup-tsns num-gap-ack-blocks num-inbound-streams num-outbound-streams \
    numgen obriport obrname offload offset oif oifgroup oifname oiftype operation option \
    options or original osf out param-problem pcp performance persistent pkttype plen policy \
    port position ppid priority proto-dst proto-src ptr ptype queue queue-threshold quota \
    quotas ra random rate redefine redirect reject rename replace reply reqid reserved \
    reserved2 reset return right rr rshift rt rt0 rt2 rtclassid rule rules ruleset sack \
    sack-perm sack-permitted sack0 sack1 sack2 sack3 saddr sctp secmark secmarks second seed \
    seg-left seqno sequence set sets shutdown shutdown-ack shutdown-complete sid size skgid \
    skuid snaplen snat socket spnum sport srh ssn ssrr state status stream subtype symhash \
    synproxy synproxys table tables tag tcp th time timeout timestamp tproxy trace transparent \
    tsecr tsn tsval ttl type typeof udp udplite undefine until update urgptr used value \
    version vlan vm vmap vtag week wildcard window with wscale xml xor xt zone \
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_nft_can_read() {
        for good in [
            "a",
            "lan-to-wan/web.tcp",
            "_x",
            ".x",
            "input",
            "reject/no-route",
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "1a",
            "-a",
            "/a",
            "a b",
            "a\"",
            "a{",
            "reject",
            "tcp",
            "proto-dst",
            "ä",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(SORTED.is_sorted());
    }

    #[test]
    fn strings_cannot_be_left() {
        assert_eq!(quoted("a\"; flush ruleset\n#"), "\"a?; flush ruleset?#\"");
        assert_eq!(name("a { }"), "\"a { }\"");
    }
}
