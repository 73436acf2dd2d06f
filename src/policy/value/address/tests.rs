//! What addresses, prefixes, ranges and hosts are read as, and what is said of those that are none.

use super::{Address, Host};
use crate::policy::value::{Prefix, leaf::check};

#[test]
fn hosts() {
    check::<Host>("192.0.2.1", "ok: 192.0.2.1");
    check::<Host>("2001:DB8::1", "ok: 2001:db8::1");
    check::<Host>("192.0.2.0/24", "ok: 192.0.2.0/24");
    check::<Host>("192.0.2.1-192.0.2.9", "ok: 192.0.2.1-192.0.2.9");
    check::<Host>("2001:db8::1-2001:db8::9", "ok: 2001:db8::1-2001:db8::9");
    check::<Host>("web-servers", "ok: web-servers");
    check::<Host>("fe80", "ok: fe80");
    check::<Host>("0.0.0.0/0", "ok: 0.0.0.0/0");
    check::<Host>(
        "a.example.com",
        "bad-address: `a.example.com` is no address, prefix, range or name; write `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9` or the name of a group",
    );
}

#[test]
fn addresses() {
    check::<Address>(
        "10.0.0.256",
        "bad-address: `256` in the address `10.0.0.256` is larger than 255",
    );
    check::<Address>(
        "010.0.0.1",
        "leading-zero: the address `010.0.0.1` has leading zeros; some programs read them as octal; write `10.0.0.1`",
    );
    check::<Address>(
        "::ffff:10.0.0.1",
        "mapped-address: `::ffff:10.0.0.1` is an IPv4 address written as IPv6; no such packet is on the wire; write `10.0.0.1`",
    );
    check::<Address>(
        "fe80::1%eth0",
        "scoped-address: `fe80::1%eth0` names an interface; write `fe80::1`; interfaces are chosen by zones",
    );
    check::<Address>(
        "10.0.0.1/32",
        "bad-address: `10.0.0.1/32` is a prefix, not one address; write `10.0.0.1`",
    );
    check::<Address>("10.0.0", "bad-address: `10.0.0` is no address");
}

#[test]
fn prefixes() {
    check::<Prefix>(
        "10.0.0.1/8",
        "host-bits-set: `10.0.0.1/8` has address bits beyond the prefix length; write `10.0.0.0/8` for the network, `10.0.0.1` for the one address",
    );
    check::<Prefix>(
        "10.0.0.0/33",
        "bad-prefix-length: there is no prefix length `33`; the prefix length of an IPv4 address is 0 to 32",
    );
    check::<Prefix>(
        "2001:db8::/129",
        "bad-prefix-length: there is no prefix length `129`; the prefix length of an IPv6 address is 0 to 128",
    );
    check::<Prefix>(
        "10.0.0.0/-1",
        "bad-prefix-length: there is no prefix length `-1`; the prefix length of an IPv4 address is 0 to 32",
    );
    check::<Prefix>(
        "10.0.0.0/255.0.0.0",
        "bad-prefix-length: `255.0.0.0` in `10.0.0.0/255.0.0.0` is no prefix length; write `10.0.0.0/8`",
    );
    check::<Prefix>(
        "10.0.0.0/",
        "bad-prefix-length: `` in `10.0.0.0/` is no prefix length; write a number from 0 to 32",
    );
    check::<Prefix>(
        "10.0.0.0/08",
        "leading-zero: the prefix length in `10.0.0.0/08` has leading zeros",
    );
    check::<Prefix>(
        "10.0.0/8",
        "bad-address: `10.0.0` is no address; did you mean `10.0.0.0/8`?",
    );
    check::<Prefix>(
        "10.0.0.1",
        "bad-address: `10.0.0.1` is one address, not a prefix; write `10.0.0.1/32` for this address alone",
    );
}

#[test]
fn ranges() {
    check::<Host>(
        "10.0.0.9-10.0.0.1",
        "reversed-range: the range `10.0.0.9-10.0.0.1` ends before it begins; write `10.0.0.1-10.0.0.9`",
    );
    check::<Host>(
        "10.0.0.1-2001:db8::1",
        "mixed-families: the range `10.0.0.1-2001:db8::1` goes from one family to the other; write one range for IPv4 and one for IPv6",
    );
    check::<Host>("10.0.0.1-", "bad-address: `` is no address");
}

#[test]
fn host_parts() {
    check::<Host>("::25/-64", "ok: ::25/-64");
    check::<Host>("::1:0:0:0:25/-48", "ok: ::1:0:0:0:25/-48");
    check::<Host>(
        "fd00::25/-64",
        "host-bits-set: `fd00::25/-64` has bits in its first 64, which do not count; write `::25/-64`",
    );
    check::<Host>(
        "::25/-128",
        "bad-prefix-length: `128` in `::25/-128` is no length of a network; write a number from 1 to 127",
    );
    check::<Host>(
        "::25/-064",
        "bad-prefix-length: `064` in `::25/-064` is no length of a network; write a number from 1 to 127",
    );
    check::<Host>(
        "0.0.0.25/-24",
        "bad-prefix-length: `0.0.0.25/-24`: host parts are of IPv6 addresses only; write the whole address: `0.0.0.25`",
    );
    let alone = "host-part-alone: `::25/-64` is only the host part of an address; host parts are for groups, \
                 `source` and `destination`; write the whole address here";
    check::<Address>("::25/-64", alone);
    check::<Prefix>("::25/-64", alone);
}
