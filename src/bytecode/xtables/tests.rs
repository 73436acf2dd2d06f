//! What iptables-nft 1.8.9 leaves in rules: the bytes were read off `nft --debug=netlink`'s messages, the words are iptables' own.

use proptest::prelude::*;

use super::*;

fn instruction(kind: &str, name: &str, revision: u32, info: &[u8]) -> Instruction {
    let mut data = Vec::new();
    let mut put = |kind: u16, value: &[u8]| {
        data.extend((4 + value.len() as u16).to_ne_bytes());
        data.extend(kind.to_ne_bytes());
        data.extend(value);
        data.resize(data.len().next_multiple_of(4), 0);
    };
    put(NAME, &[name.as_bytes(), &[0]].concat());
    put(REVISION, &revision.to_be_bytes());
    put(INFO, info);
    Instruction::Opaque {
        name: kind.to_owned(),
        data,
    }
}

#[track_caller]
fn check(kind: &str, name: &str, revision: u32, info: &[u8], expect: &str) {
    let instruction = instruction(kind, name, revision, info);
    let extension = extension(&instruction).unwrap();
    assert_eq!(extension.text(2), expect);
}

fn place(len: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (at, part) in parts {
        bytes[*at..at + part.len()].copy_from_slice(part);
    }
    bytes
}

#[test]
fn matches_in_words() {
    let n16 = |number: u16| number.to_ne_bytes();
    let info = place(168, &[(146, &n16(0x2001)), (150, &n16(6))]);
    check(
        "match",
        "conntrack",
        3,
        &info,
        "match conntrack --ctstate ESTABLISHED,RELATED",
    );
    // Asks for what is not known of a packet: the source of answers.
    let info = place(168, &[(146, &n16(1 << 4))]);
    check("match", "conntrack", 3, &info, "match conntrack");
    let info = place(8, &[(2, &n16(4)), (4, &2u32.to_ne_bytes())]);
    check(
        "match",
        "addrtype",
        1,
        &info,
        "match addrtype ! --dst-type LOCAL",
    );
    let info = place(
        48,
        &[
            (0, &[1, 3]),
            (2, &n16(80)),
            (4, &n16(8000)),
            (6, &n16(8010)),
            (33, &[1]),
        ],
    );
    check(
        "match",
        "multiport",
        1,
        &info,
        "match multiport --dports 80,8000:8010",
    );
    check("match", "recent", 1, &[0; 240], "match recent");
    check(
        "match",
        "comment",
        0,
        &place(256, &[(0, b"hi")]),
        "match comment --comment \"hi\"",
    );
}

#[test]
fn targets_in_words() {
    let range = place(
        20,
        &[
            (0, &1u32.to_ne_bytes()),
            (4, &3u32.to_ne_bytes()),
            (8, &[172, 17, 0, 2]),
            (12, &[172, 17, 0, 2]),
            (16, &80u16.to_be_bytes()),
            (18, &80u16.to_be_bytes()),
        ],
    );
    check(
        "target",
        "DNAT",
        0,
        &range,
        "target DNAT --to-destination 172.17.0.2:80",
    );
    check(
        "target",
        "MASQUERADE",
        0,
        &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "target MASQUERADE",
    );
    check(
        "target",
        "REJECT",
        0,
        &3u32.to_ne_bytes(),
        "target REJECT with icmp code 3",
    );
    check("target", "REJECT", 0, &99u32.to_ne_bytes(), "target REJECT");
    check("target", "NFQUEUE", 3, &[0; 8], "target NFQUEUE");
}

const NAMES: [&str; 32] = [
    "recent",
    "rt",
    "comment",
    "conntrack",
    "state",
    "addrtype",
    "multiport",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "mark",
    "connmark",
    "limit",
    "hashlimit",
    "connlimit",
    "iprange",
    "mac",
    "pkttype",
    "length",
    "dscp",
    "tos",
    "ttl",
    "hl",
    "statistic",
    "rpfilter",
    "REJECT",
    "MASQUERADE",
    "DNAT",
    "MARK",
    "CONNMARK",
    "CT",
];

proptest! {
    /// Whatever the bytes are, and however many.
    #[test]
    fn any_bytes_are_read(
        name in prop::sample::select(&NAMES[..]),
        revision in 0..5u32,
        target in any::<bool>(),
        family in prop::sample::select(&[1u8, 2, 10][..]),
        info in proptest::collection::vec(any::<u8>(), 0..400),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let kind = if target { "target" } else { "match" };
        let Instruction::Opaque { name, mut data } = instruction(kind, name, revision, &info) else {
            return Ok(());
        };
        for (place, byte) in damage {
            let place = place.index(data.len());
            data[place] = byte;
        }
        let instruction = Instruction::Opaque { name, data };
        if let Some(extension) = extension(&instruction) {
            let _ = extension.text(family);
        }
    }
}
