//! `rfw trace` as a program: what it says of the office's packets, without a kernel.

use std::process::Command;

/// Exit code, standard output and standard error.
fn trace(words: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rfw"))
        .args(["--policy", "policies/office.yaml", "--state-dir"])
        .args([concat!(env!("CARGO_TARGET_TMPDIR"), "/none"), "trace"])
        .args(words.split(' '))
        .env_remove("RFW_NODE")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[track_caller]
fn check(words: &str, code: i32, expect: &str) {
    let (was, out, err) = trace(words);
    assert_eq!(was, code, "{words}: {out}{err}");
    let said = if code == 0 { &out } else { &err };
    assert!(said.contains(expect), "{words}: {said}");
}

#[test]
fn one_packet_through_the_office() {
    check(
        "--from wan 198.51.100.7 --to firewall tcp/22",
        0,
        "\naccept by `wan-to-firewall/ssh` (policies/office.yaml:",
    );
    check(
        "--from wan 198.51.100.7 --to firewall tcp/22 --over-limits",
        0,
        "\ndrop by `wan-to-firewall/default` (policies/office.yaml:",
    );
    check(
        "--from wan 2001:db8:1::7 --to firewall udp/22",
        0,
        "\ndrop by `wan-to-firewall/default` (policies/office.yaml:",
    );
    check(
        "--from lan --to wan udp/53",
        0,
        "source 192.168.0.1 port 40000 becomes an address of the box port 40000 by `nat/lan-out`",
    );
    check(
        "--from lan --to wan icmp/echo-request --state established",
        0,
        "\naccept by `established`",
    );
    // An address that no other zone has, from outside: the box's own.
    let web = "--from wan 203.0.113.7 --to 203.0.113.10 tcp/443";
    check(web, 0, "becomes 192.168.1.20 port 443 by `nat/web`");
    check(web, 0, "in 66.7 % of the cases");
    // Why a rule does not fit, in the words of nft.
    for why in [
        "does not fit: iifname \"eth0\"\n",
        "does not fit: ip6 saddr != fd12:3456:789a::/64\n",
        "does not fit: udp dport @lan-to-wan/mail-and-dns.udp\n",
        "does not fit: meta time @schedule/night-backup.plus3\n",
        "does not fit: meta day . meta hour @schedule/night-backup.plus2.week\n",
    ] {
        let noon = "--from lan 192.168.1.20 --to wan 198.51.100.40 tcp/22 --at 2026-11-24T12:00";
        check(noon, 0, why);
    }
    // A Tuesday in Helsinki.
    for (at, decision) in [
        ("2026-11-24T16:59:59", "accept"),
        ("2026-11-24T17:00:01", "reject with tcp reset"),
    ] {
        let words = format!("--from lan --to wan tcp/80 --at {at}");
        check(&words, 0, &format!("\n{decision} by `lan-to-wan/"));
    }
    check(
        "--from lan --to wan tcp/25 --format json",
        0,
        "\"decision\": \"reject with tcp reset\"",
    );
}

#[test]
fn words_that_mean_nothing() {
    check("--from lna --to wan tcp/80", 64, "did you mean `lan`?");
    check("--from lan --to wan tcp/x", 64, "write `tcp/443`");
    check(
        "--from 192.168.1.1 --to 2001:db8::1 tcp/80",
        64,
        "one address is IPv4, the other IPv6",
    );
}
