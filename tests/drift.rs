//! What others do to rfw's table with nft, one thing at a time: rfw sees it, and one apply undoes it. On a
//! real kernel.

use std::time::Duration;

use rfw::apply::{self, Options};
use rfw::bytecode::Program;
use rfw::kernel::{Kernel, dump};
use rfw::netlink::Netlink;
use rfw::plan::plan;

use super::notation;
use super::plan::MARK;
use super::support::netns::alone_for;
use super::support::program;

const OURS: &str = "
set ports port: 22 80
set nets ipv4 interval gc-interval=604800000: 10-19 30-39
set fed ipv4 dynamic timeout=60000 size=100
vmap ways mark: 1=>jump:leaf 2=>accept
limit slow 5
chain input filter input 0 drop
 a: mark=1 counter accept
 b: @ports counter accept
 c: @nets counter drop
 d: vmap@ways
 e: limit:slow meter@fed counter accept
chain leaf
 f: mark=5 counter accept
chain spare
 g: mark=6 drop
";

/// nft commands, without `inet rfw`, which stands for `T`.
const DEEDS: &[&str] = &[
    "add rule T input tcp dport { 1, 2, 3 } accept",
    "add rule T input tcp dport { 1-2, 5-9 } accept",
    "insert rule T input accept comment \"a\"",
    "insert rule T input meta mark 4 jump { counter; drop; }",
    "add rule T leaf jump spare",
    "add rule T spare numgen inc mod 3 vmap { 0 : accept, 1 : drop }",
    "flush chain T input",
    "flush chain T leaf",
    "flush table T",
    "delete table T",
    "flush ruleset",
    "add chain T more",
    "add chain T more { type filter hook forward priority 5; policy drop; }",
    "add chain T more; add rule T more accept; add rule T input goto more",
    "add chain T more; add map T plenty { type mark : verdict; elements = { 9 : jump more }; }",
    "add chain T more; add element T ways { 9 : jump more }",
    "add chain T input { policy accept; }",
    "rename chain T spare other",
    "add table T { flags dormant; }",
    "add table T { flags dormant; }; add element T ports { 443 }",
    "add set T more { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }",
    "add set T more { type ipv4_addr; flags dynamic; }; add rule T spare add @more { ip saddr }",
    "add element T ports { 443 }",
    "delete element T ports { 22 }",
    "flush set T ports",
    "add element T nets { 0.0.0.20-0.0.0.25 }",
    "delete element T nets { 0.0.0.10-0.0.0.19 }",
    "add element T ports { 443 comment \"x\" }",
    "delete element T ways { 2 }; add element T ways { 2 : drop }",
    "delete element T ports { 22 }; add element T ports { 22 comment \"x\" }",
    "add counter T more; add rule T input counter name more",
    "add quota T more { over 5 mbytes }",
    "add limit T more { rate 5/second }",
    "add ct helper T slow { type \"ftp\" protocol tcp; }",
];

fn apply_to(kernel: &mut Netlink, desired: &Program) -> usize {
    let live = kernel.observe().unwrap();
    let plan = plan(&live, desired, MARK);
    let options = Options {
        attempts: 1,
        wait: &mut |_| (),
        recheck: false,
    };
    apply::apply(kernel, desired, &plan, options).unwrap_or_else(|error| {
        panic!("{error}\n{error:#?}\n{plan:#?}");
    });
    plan.len()
}

#[test]
fn what_others_do_is_seen_and_undone() {
    alone_for(Duration::from_secs(120), || {
        let desired = notation::program(OURS);
        let mut kernel = Netlink::open().unwrap();
        apply_to(&mut kernel, &desired);
        let table = |kernel: &mut Netlink| dump(&kernel.observe().unwrap().table.unwrap());
        let fresh = table(&mut kernel);
        for deed in DEEDS {
            let deed = deed.replace(" T", " inet rfw");
            let mut command = program::command("nft");
            command.args(["-f", "-"]);
            let output = program::run(command, deed.as_bytes(), Duration::from_secs(30));
            assert!(output.success(), "{deed}: {}", output.stderr);
            let sent = apply_to(&mut kernel, &desired);
            assert!(sent > 0, "not seen: {deed}");
            assert_eq!(table(&mut kernel), fresh, "{deed}");
            assert_eq!(apply_to(&mut kernel, &desired), 0, "{deed}");
        }
    });
}

/// A packet that fills a dynamic set is no drift, and its element stays over an apply.
#[test]
fn what_packets_do_is_not_drift() {
    alone_for(Duration::from_secs(60), || {
        let desired = notation::program(OURS);
        let mut kernel = Netlink::open().unwrap();
        apply_to(&mut kernel, &desired);
        let nft = |arguments: &[&str]| {
            let mut command = program::command("nft");
            command.args(arguments);
            let output = program::run(command, b"", Duration::from_secs(30));
            assert!(output.success(), "{arguments:?}: {}", output.stderr);
            output.stdout
        };
        nft(&["add", "element", "inet", "rfw", "fed", "{ 192.0.2.1 }"]);
        assert_eq!(apply_to(&mut kernel, &desired), 0);
        let other = notation::program(&OURS.replace("mark=6", "mark=7"));
        assert_eq!(apply_to(&mut kernel, &other), 1);
        assert!(nft(&["list", "set", "inet", "rfw", "fed"]).contains("192.0.2.1"));
    });
}
