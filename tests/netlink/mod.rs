//! The netlink codec and transport against a real kernel, with `nft` and rustables as second opinions.

use std::collections::HashSet;
use std::time::Duration;

use rfw::bytecode::{self, Instruction};
use rfw::kernel::{CommitError, Kernel};
use rfw::live::{Generation, Live, LiveChain, LiveSet, Table};
use rfw::netlink::Netlink;
use rfw::plan::{Operation, Place};
use rfw::ruleset::{DataType, Element, Elements, Key, SetKind, SetSpec};

use super::support::{alone, program};

mod commit;
pub(crate) mod event;
mod everything;
mod listing;
mod observe;
mod refusal;

/// Runs `nft` in the namespace of the test.
#[track_caller]
fn nft(arguments: &[&str], input: &str) -> String {
    let mut command = program::command("nft");
    command.args(arguments);
    let output = program::run(command, input.as_bytes(), Duration::from_secs(30));
    assert!(output.success(), "nft {arguments:?}: {}", output.stderr);
    output.stdout
}

#[track_caller]
fn live() -> Live {
    Netlink::open().unwrap().observe().unwrap()
}

/// rfw's table, which must be there.
#[track_caller]
fn table() -> Table {
    live().table.expect("the table is there")
}

#[track_caller]
fn chain(name: &str) -> LiveChain {
    let chains = table().chains;
    let chain = chains.into_iter().find(|chain| chain.name == name);
    chain.expect("the chain is there")
}

#[track_caller]
fn set(name: &str) -> LiveSet {
    let sets = table().sets;
    let set = sets.into_iter().find(|set| set.set.spec.name == name);
    set.expect("the set is there")
}

/// Commits on what is there now, and tells the generations before and after.
fn try_commit(operations: &[Operation]) -> Result<(Generation, Generation), CommitError> {
    let mut netlink = Netlink::open().unwrap();
    let base = netlink.generation().unwrap();
    netlink.commit(base, operations).map(|after| (base, after))
}

#[track_caller]
fn commit(operations: &[Operation]) {
    let (base, after) = try_commit(operations).unwrap();
    assert_eq!(after.0, base.0 + 1);
}

const MARK: [u8; 16] = [7; 16];

fn add_table() -> Operation {
    Operation::AddTable { mark: MARK }
}

fn add_chain(name: &str) -> Operation {
    Operation::AddChain {
        name: name.into(),
        base: None,
    }
}

fn add_set(spec: &SetSpec) -> Operation {
    Operation::AddSet {
        spec: spec.clone(),
        origin: None,
    }
}

fn add_elements(set: &SetSpec, elements: impl Into<Elements>) -> Operation {
    Operation::AddElements {
        set: set.clone(),
        elements: elements.into(),
    }
}

fn delete_elements(set: &SetSpec, elements: impl Into<Elements>) -> Operation {
    Operation::DeleteElements {
        set: set.clone(),
        elements: elements.into(),
    }
}

fn add_rule(chain: &str, place: Place, rule: bytecode::Rule) -> Operation {
    Operation::AddRule {
        chain: chain.into(),
        place,
        rule,
    }
}

fn rule(name: &str, instructions: Vec<Instruction>) -> bytecode::Rule {
    bytecode::Rule {
        name: Some(name.into()),
        instructions,
        origin: None,
    }
}

fn addresses(name: &str) -> SetSpec {
    SetSpec::new(name, vec![DataType::Ipv4Addr], SetKind::Set)
}

fn address(bytes: [u8; 4]) -> Element {
    Element {
        key: Key::exact(bytes),
        datum: None,
        name: None,
        count: None,
    }
}

fn addresses_between(lo: [u8; 4], hi: [u8; 4]) -> Element {
    Element {
        key: Key::range(lo, hi),
        ..address(lo)
    }
}

/// What creates a table like this one, in an empty namespace.
fn rebuild(table: &Table) -> Vec<Operation> {
    let mut operations = vec![add_table()];
    for live in &table.sets {
        assert!(!live.anonymous && live.unknown.is_empty(), "{live:?}");
        operations.push(add_set(&live.set.spec));
    }
    for live in &table.objects {
        operations.push(Operation::AddObject {
            object: live.object.clone(),
        });
    }
    for live in &table.chains {
        operations.push(Operation::AddChain {
            name: live.name.clone(),
            base: live.base,
        });
    }
    for live in table.sets.iter().filter(|it| !it.set.elements.is_empty()) {
        operations.push(add_elements(&live.set.spec, live.set.elements.clone()));
    }
    for live in &table.chains {
        for rule in &live.rules {
            let rule = bytecode::Rule {
                name: rule.name.clone(),
                instructions: rule.instructions.clone(),
                origin: None,
            };
            operations.push(add_rule(&live.name, Place::Last, rule));
        }
    }
    operations
}

/// A table without what the kernel gave it.
fn bare(mut table: Table) -> Table {
    table.handle = 0;
    table.mark = None;
    for set in &mut table.sets {
        set.handle = 0;
    }
    for object in &mut table.objects {
        object.handle = 0;
    }
    for chain in &mut table.chains {
        chain.handle = 0;
        for rule in &mut chain.rules {
            rule.handle = 0;
        }
    }
    table
}

/// The objects of a listing, sorted: nft lists them in the order in which they were made.
fn sorted(listing: &str) -> Vec<&str> {
    let inside = listing
        .strip_prefix("table inet rfw {\n")
        .and_then(|rest| rest.strip_suffix("}\n"))
        .expect("one table is listed");
    let mut objects: Vec<_> = inside.split("\n\n").map(str::trim_end).collect();
    objects.sort_unstable();
    objects
}

/// nft loads `script`; what we read is then written by us into an empty namespace: nft lists the same,
/// and we read the same.
#[track_caller]
fn check_round_trip(script: &str) -> Table {
    nft(&["-f", "-"], script);
    let listed = nft(&["list", "ruleset"], "");
    let first = table();
    for chain in &first.chains {
        for rule in &chain.rules {
            for instruction in &rule.instructions {
                assert!(
                    !matches!(instruction, Instruction::Opaque { .. }),
                    "{}: {instruction:?}",
                    chain.name
                );
            }
        }
    }
    nft(&["flush", "ruleset"], "");
    commit(&rebuild(&first));
    let relisted = nft(&["list", "ruleset"], "");
    assert_eq!(sorted(&relisted), sorted(&listed), "{relisted}");
    let second = table();
    assert_eq!(second.mark, Some(MARK));
    assert_eq!(bare(second), bare(first.clone()));
    // nft reads its own listing of our table.
    nft(&["flush", "ruleset"], "");
    nft(&["-f", "-"], &listed);
    first
}

/// Every form that the compiler makes.
const OFFICE: &str = r#"table inet rfw {
  map m2 { typeof numgen inc mod 65536 : ip daddr; elements = { 0 : 10.0.0.1, 1 : 10.0.0.2, 2 : 10.0.0.3 } }
  map m62 { typeof numgen inc mod 65536 : ip6 daddr; elements = { 0 : fc00::1, 1 : fc00::2 } }
  set lan-to-wan/web.tcp { type inet_service; elements = { 80, 443 } }
  set zone/lan.net4 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 comment "x" } }
  set lan/ssh.meter4 { type ipv4_addr; flags dynamic,timeout; timeout 1m; size 65535; }
  map lan/block.s24.tcp { type ipv4_addr . inet_proto . inet_service : verdict; counter; elements = { 10.1.2.0 . tcp . 80 counter packets 3 bytes 99 comment "a/b" : accept } }
  map forward-pairs { type ifname . ifname : verdict; elements = { "eth0" . "eth1" : goto c1, "eth1" . "eth0" comment "back" : jump c2 } }
  set m6 { type ipv6_addr; flags dynamic,timeout; timeout 1m; size 65535; }
  limit wan-to-firewall/ping { rate 5/second burst 7 packets }
  ct helper helper/ftp { type "ftp" protocol tcp; l3proto inet; }
  chain c2 { }
  chain c1 {
    ip saddr & 255.255.255.0 . meta l4proto . th dport vmap @lan/block.s24.tcp
    tcp dport @lan-to-wan/web.tcp counter packets 4 bytes 200 accept comment "lan-to-wan/web"
    ip saddr @zone/lan.net4 counter drop
    ip saddr != @zone/lan.net4 continue
    update @lan/ssh.meter4 { ip saddr limit rate 10/minute burst 5 packets } counter accept
    limit name "wan-to-firewall/ping" accept
    tcp dport 21 ct helper set "helper/ftp" accept
    tcp flags & (syn|rst) == syn tcp option maxseg size set rt mtu
    fib daddr type local fib daddr . iif type != local accept
    ip saddr 10.0.0.0/8 ip daddr 192.168.4.0/22 accept
    iifname "wg*" accept
    ct status dnat accept
    ct state established,related accept
    ct state invalid return
    iifname "a" jump c2
    iifname "b" goto c2
    update @m6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate 10/minute burst 5 packets } counter accept
  }
  chain forward { type filter hook forward priority filter - 10; policy drop;
     iifname . oifname vmap @forward-pairs
     icmpv6 type 135 ip6 hoplimit 255 accept
     meta l4proto tcp reject with tcp reset
     reject with icmpx type admin-prohibited
     limit rate 5/minute burst 9 packets log prefix "wan-in: " group 4
     log prefix "x" level debug
     log
     drop comment "default"
  }
  chain pre { type nat hook prerouting priority dstnat - 10;
    tcp dport 81 dnat ip to numgen inc mod 3 map @m2
    tcp dport 82 counter dnat ip to jhash ip saddr mod 3 seed 0x1234 map @m2
    tcp dport 83 dnat ip to numgen random mod 3 map @m2
    tcp dport 443 dnat ip to 10.0.0.1:8443
    tcp dport 444 dnat ip6 to [fc00::1]:8443
    tcp dport 445 dnat ip6 to numgen inc mod 2 map @m62
    udp dport 53 redirect to :53
    udp dport 54 redirect
  }
  chain post { type nat hook postrouting priority srcnat; policy accept;
    oifname "eth1" masquerade
    meta l4proto tcp masquerade to :1024-2048 random
    ip saddr 10.0.0.0/8 tcp dport 1 snat ip to 1.2.3.4-1.2.3.9:100-200 persistent
    ip6 saddr fe80::/10 snat ip6 to fe80::1
  }
  chain raw { type filter hook output priority raw - 1;
    notrack
    ct original packets > 3
    ct mark set 3
    meta mark set 4
    ct count over 3 drop
    tcp sport != 1-7
    tcp sport 1-7
    exthdr frag exists
    tcp option maxseg size 3
    tcp option maxseg size set 1400
    iif lo
    jhash ip saddr . tcp dport mod 3 seed 4 offset 5 5
    symhash mod 4 1
    numgen random mod 3 offset 2 4
    meta skuid 3-7 drop
    reject with icmp type host-unreachable
    rt classid 3
    ip ttl < 4
  }
  chain route { type route hook output priority mangle; }
}
"#;

/// Every kind of set, and the edges of intervals.
const SETS: &str = r#"table inet rfw {
  set a { type inet_service; flags interval; comment "hello"; elements = { 0-10 comment "first", 11 comment "next", 22, 443-65535 comment "open" } }
  set a2 { type inet_service; flags interval;  elements = { 65535 comment "max" } }
  set a3 { type inet_service; flags interval;  elements = { 65534, 65535 } }
  set every { type ipv4_addr; flags interval;  elements = { 0.0.0.0/0 } }
  set every6 { type ipv6_addr; flags interval;  elements = { ::/0 } }
  set half { type ipv6_addr; flags interval;  elements = { 2000::/3, fc00::/7, fe80::1 } }
  set b { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90 comment "c", 192.168.0.1 . 443 } }
  map bv { type ipv4_addr . inet_proto . inet_service : verdict; flags interval; counter; elements = { 10.0.0.0/8 . tcp . 80-90 counter packets 3 bytes 9 comment "c" : drop } }
  set c { type ipv4_addr; size 100; timeout 60s; }
  set e { type icmp_type; elements = { echo-request } }
  set f { type icmpv6_type; elements = { nd-neighbor-solicit } }
  set g { type ifname; elements = { "eth0", "lo" } }
  set h { type mark; elements = { 0x1, 0xff00 } }
  set i { type inet_proto; elements = { tcp, udp } }
  set gi { type ifname; flags interval; elements = { "eth0" , "wg*" } }
  set hi { type mark; flags interval; elements = { 1-7 , 256-1024 } }
  set ci { type ipv4_addr; flags interval; counter; elements = { 10.0.0.0/8 counter packets 5 bytes 10 comment "c", 128.0.0.0/1 } }
  map mp { type inet_service : inet_service; elements = { 80 : 8080 } }
  map mm { type ipv4_addr : mark; elements = { 1.2.3.4 : 0x7 } }
  map mv { typeof numgen inc mod 65536 : verdict; elements = { 0 : accept, 2 : continue } }
  map mi { type ipv4_addr : verdict; flags interval; elements = { 0.0.0.0-9.0.0.0 : accept, 10.0.0.0/8 comment "c" : drop, 128.0.0.0/1 : goto x } }
  map mr { type ifname : verdict; elements = { "lo" : return } }
  set hc { type inet_proto . ifname . mark . ipv6_addr; elements = { tcp . "eth0" . 0x1 . fe80::1 } }
  set dc { type ipv4_addr . inet_service; size 10; flags dynamic; counter; }
  chain x { }
}
"#;

#[test]
fn what_nft_writes_is_read_and_written_alike() {
    alone(|| {
        let table = check_round_trip(OFFICE);
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        let instructions = rules.flat_map(|rule| &rule.instructions);
        let kinds: HashSet<_> = instructions.map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 29, "all kinds but the opaque one");
    });
}

#[test]
fn sets_of_every_kind_are_read_and_written_alike() {
    alone(|| {
        check_round_trip(SETS);
    });
}
