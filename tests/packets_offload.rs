//! Connections that go past the rules: what a kernel with flowtables is told, and what becomes of them without.

use super::support::gate::Gate;
use super::support::{Host, alone, serve, tcp};

const POLICY: &str = "policies:
  - name: out
    from: lan
    to: wan
    default: drop
    rules:
      - { name: web, services: [{ tcp: [1000] }], action: accept, offload: true }
flowtable: { zones: [wan, lan] }
";

/// Whether this kernel has flowtables, by nft.
fn has_flowtables(host: &Host) -> bool {
    let script = "nft -c 'table inet probe { flowtable f { hook ingress priority 0; devices = { lo }; } }' 2>/dev/null && echo yes || echo no";
    host.must("sh", &["-c", script], "").trim() == "yes"
}

#[test]
fn a_kernel_without_flowtables_is_said_to_be_one() {
    alone(|| {
        let gate = Gate::new("policies: [{ name: none, from: lan, to: wan, default: drop }]\n");
        if has_flowtables(&gate.gateway) {
            eprintln!("this kernel has flowtables: nothing to degrade");
            return;
        }
        const SAID: &str = "warning: this kernel has no flowtables: `offload` is left out";
        let said = gate.apply(POLICY);
        assert!(said.contains(SAID), "{said}");
        // And again by every command that compares, also by the short way; nothing is left to change.
        for arguments in [&["plan"][..], &["plan", "--full"], &["apply"]] {
            let output = gate.rfw(&[arguments, &["--policy", "policy.yaml"]].concat());
            assert!(output.success(), "{}", output.stderr);
            assert!(output.stderr.contains(SAID), "{}", output.stderr);
            assert!(output.stdout.contains("no changes"), "{}", output.stdout);
        }
        let listed = gate
            .gateway
            .must("nft", &["list", "table", "inet", "rfw"], "");
        assert!(
            !listed.contains("flow") && !listed.contains("label"),
            "{listed}"
        );
        serve::tcp(&gate.internet, 1000);
        let answer = tcp::probe(&gate.ordinary, "203.0.113.7:1000").to_string();
        assert_eq!(answer, "open: internet 192.168.2.50");
        let answer = tcp::probe(&gate.ordinary, "203.0.113.7:2000").to_string();
        assert_eq!(answer, "filtered");
    });
}

#[test]
fn nft_makes_the_same_of_our_flowtable() {
    alone(|| {
        let gate = Gate::new("policies: [{ name: none, from: lan, to: wan, default: drop }]\n");
        gate.write(POLICY);
        let render =
            |format: &str| gate.must(&["render", "--format", format, "--policy", "policy.yaml"]);
        let script = render("nft");
        let block = "\tflowtable offload/flows {\n\t\thook ingress priority 0\n\t\tdevices = { \"eth0\", \"eth1\" }\n\t}\n";
        assert!(script.contains(block), "{script}");
        assert!(
            script.contains("ct label 127 flow add @offload/flows comment \"offload\"\n"),
            "{script}"
        );
        // nft says what it would send before the kernel refuses what it does not have.
        let check = "nft -c --debug=netlink -f - 2>/dev/null || true";
        let theirs = gate.gateway.must("sh", &["-c", check], &script);
        let ours = render("bytecode");
        for listing in [&theirs, &ours] {
            let lines: Vec<&str> = listing.lines().map(str::trim).collect();
            let expect = [
                "[ ct load label => reg 1 ]",
                "[ bitwise reg 1 = ( reg 1 & 0x00000000 0x00000000 0x00000000 0x80000000 ) ^ 0x00000000 0x00000000 0x00000000 0x00000000 ]",
                "[ cmp neq reg 1 0x00000000 0x00000000 0x00000000 0x00000000 ]",
                "[ flow_offload flowtable offload/flows ]",
            ];
            assert!(
                lines.windows(expect.len()).any(|window| window == expect),
                "{listing}"
            );
        }
    });
}
