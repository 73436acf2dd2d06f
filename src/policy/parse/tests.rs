//! What is said about texts, and where.

use super::parse;
use crate::diagnostic::{DocPath, Locate, Report, SourceText};

fn sources(texts: &[&str]) -> Vec<SourceText> {
    let named = texts.iter().enumerate().map(|(nth, text)| SourceText {
        name: nth.to_string(),
        text: (*text).into(),
    });
    named.collect()
}

/// One line for each diagnostic: `file:line:column-endColumn code: message; help`.
fn told(texts: &[&str]) -> String {
    let sources = sources(texts);
    let parsed = parse(&sources);
    let report = Report {
        diagnostics: &parsed.diagnostics,
        sources: &sources,
        locations: &parsed.locations,
    };
    let report = serde_json::to_value(report.findings()).unwrap();
    let lines = report.as_array().unwrap().iter().map(|shown| {
        let text = |key: &str| shown[key].as_str().unwrap_or("");
        let help = Some(text("help")).filter(|help| !help.is_empty());
        let help = help.map(|help| format!("; {help}")).unwrap_or_default();
        let (file, line) = (text("file"), &shown["line"]);
        let (column, end) = (&shown["column"], &shown["endColumn"]);
        format!(
            "{file}:{line}:{column}-{end} {}: {}{help}\n",
            text("code"),
            text("message")
        )
    });
    let lines: String = lines.collect();
    assert_eq!(parsed.policy.is_some(), lines.is_empty());
    lines
}

const LAN: &str = "version: 1\nzones: { lan: { interfaces: [eth0] } }\n";

#[test]
fn every_mistake_at_once() {
    let text = "\
# Käse
version: 1
zones:
  lan: { interfaces: [eth0], network: [10.0.0.1/8] }
  any: { interfaces: [ä/b] }
  lan: { interfaces: [] }
policies:
  - name: in
    from: [lan, self]
    action: allow
    rules:
      - { name: ssh, services: ssh, actoin: accept }
      - { services: [ssh], action: allow, expires: 2027, limit: { rate: 5 } }
      - name: no
        services: [{ tcp: [0x16, 022, 0, \"22\"], upd: [53] }]
        action:
        log: { group: 65536 }
";
    insta::assert_snapshot!(told(&[text]), @r"
        0:4:30-37 unknown-key: unknown key `network`; did you mean `networks`?
        0:5:3-6 reserved-name: a zone cannot be named `any`; it stands for every zone
        0:5:23-26 bad-interface: an interface name cannot hold the character U+00E4
        0:6:3-6 duplicate-key: the key `lan` is written twice; some programs take the first value, some the last; keep one
        0:8:5-13 missing-key: `in` has no `to`; `to`: where connections go to, after `nat.dnat`: a zone or a list of zones, `firewall` for the box itself, `any` for all
        0:9:17-21 reserved-name: no zone is named `self`; write `firewall` for the box itself
        0:10:5-11 unknown-key: unknown key `action`; possible here: `default`, `from`, `log`, `name`, `rules`, `to`
        0:12:32-35 wrong-type: expected a list, found `ssh`; write a list: [ssh]
        0:12:37-43 unknown-key: unknown key `actoin`; did you mean `action`?
        0:13:9-78 missing-key: `policies[0].rules[1]` has no `name`; `name`: the name of this rule, unique within its policy
        0:13:36-41 unknown-value: `action` cannot be `allow`; did you mean `accept`?
        0:13:52-56 wrong-type: expected a date such as `2027-06-30`, found the number 2027; a date is year, month and day: `2027-06-30`
        0:13:73-74 wrong-type: expected a rate such as `5/minute`, found the number 5; a rate is a number, `/` and second, minute, hour, day or week: `5/minute`
        0:15:28-32 bad-port: `0x16` is no port; a port is a number from 1 to 65535
        0:15:34-37 leading-zero: the port `022` has leading zeros; write `22`
        0:15:39-40 port-out-of-range: there is no port `0`; a port is a number from 1 to 65535
        0:15:49-52 unknown-key: unknown key `upd`; did you mean `udp`?
        0:16:9-15 empty-value: `action` has no value; write a value, or leave the key out
        0:17:23-28 out-of-range: `group` cannot be 65536
        ");
}

#[test]
fn a_misspelt_key_is_not_also_missing() {
    insta::assert_snapshot!(told(&["verson: 1\nzone: { lan: { interfaces: [eth0] } }\n"]), @r"
        0:1:1-7 unknown-key: unknown key `verson`; did you mean `version`?
        0:2:1-5 unknown-key: unknown key `zone`; did you mean `zones`?
        ");
}

#[test]
fn values_of_another_kind() {
    let text = "\
name: 5
groups: { a: 10.0.0.1, b: [5], c: { file: x } }
nat: { masquerade: [{ name: a, from: lan, to: true, clamp_mss: yes }] }
policies: [{ name: in, from: { zone: lan }, to: 7, default: 1, rules: { name: a } }]
";
    insta::assert_snapshot!(told(&[&format!("{LAN}{text}")]), @r#"
        0:3:7-8 wrong-type: expected a name, found the number 5; a name is a letter or `_`, then letters, digits, `_` and `-`
        0:4:14-22 wrong-type: expected a list or a map, found `10.0.0.1`; write a list: [10.0.0.1]
        0:4:28-29 wrong-type: expected an address, prefix, range or name, found the number 5; `5` is no address
        0:5:47-51 wrong-type: expected a zone or a list, found `true`; quote it: "true"
        0:5:64-67 wrong-type: expected `true` or `false`, found `yes`; write `true`
        0:6:30-43 wrong-type: expected a zone or a list, found a map
        0:6:49-50 wrong-type: expected a zone or a list, found the number 7; a name is a letter or `_`, then letters, digits, `_` and `-`
        0:6:61-62 unknown-value: `default` cannot be the number 1; possible here: `accept`, `drop`, `reject`
        0:6:71-82 wrong-type: expected a list, found a map; write a list: begin each entry with `- `
        "#);
    insta::assert_snapshot!(told(&["- a\n"]), @"0:1:1-4 wrong-type: expected a map, found a list");
    insta::assert_snapshot!(told(&["5\n"]), @"0:1:1-2 wrong-type: expected a map, found the number 5");
}

#[test]
fn quotes_that_are_not_closed() {
    insta::assert_snapshot!(told(&[&format!("name: \"office\n{LAN}timezone: \"UTC\"\n")]), @"0:1:7-8 unterminated-quote: a quote is opened and not closed; close it on the same line");
    insta::assert_snapshot!(told(&[&format!("name: 'office\n{LAN}timezone: 'UTC'\n")]), @"0:1:7-8 unterminated-quote: a quote is opened and not closed; close it on the same line");
    insta::assert_snapshot!(told(&[&format!("name: \"a\" b\n{LAN}")]), @r#"0:1:11-12 yaml-syntax: not valid YAML: text after a closing quote; a quote inside of quotes is written \" between double ones and '' between single ones"#);
    insta::assert_snapshot!(told(&[&format!("name: \"C:\\d\"\n{LAN}")]), @r"0:1:7-8 yaml-syntax: not valid YAML: an escape that does not exist; between double quotes `\` begins an escape; use single quotes");
}

#[test]
fn readers_that_disagree() {
    insta::assert_snapshot!(told(&["version: 1\nzones: { lan: { interfaces: [?h1] } }\n"]), @"0:2:30-33 ambiguous-value: YAML readers do not agree on what this says; put it between quotes, on one line");
    insta::assert_snapshot!(told(&["version: 1\nzones: { lan: { interfaces: [:h1] } }\n"]), @"0:2:30-30 yaml-syntax: not valid YAML: did not find expected node content");
    insta::assert_snapshot!(told(&[&format!("{LAN}name: .inf\n")]), @r#"0:3:7-11 number-spelling: `.inf` is no number of the language; quote it if it is text: ".inf""#);
    insta::assert_snapshot!(told(&[&format!("{LAN}name: 1_000\n")]), @r#"0:3:7-12 ambiguous-value: some YAML readers take `1_000` for a number; quote it: "1_000""#);
    insta::assert_snapshot!(told(&[&format!("{LAN}name: 99999999999999999999\n")]), @"0:3:7-7 out-of-range: a number that no key of the language takes; quote it if it is text");
}

#[test]
fn positions_count_characters_and_lines_of_any_end() {
    let text =
        "version: 1\r\n# é→\r\nzones: { l\u{e4}n: { interfaces: [eth0] } }\r\nname: é→ x\r\n";
    insta::assert_snapshot!(told(&[text]), @r"
        0:3:10-13 bad-name: `ä` in the name `län` is not an ASCII letter (U+00E4); a name is a letter or `_`, then letters, digits, `_` and `-`
        0:4:7-11 bad-name: `é` in the name `é→ x` is not an ASCII letter (U+00E9); a name is a letter or `_`, then letters, digits, `_` and `-`
        ");
}

#[test]
fn several_files_are_one_policy() {
    let more = "groups: { a: [10.0.0.1] }\npolicies: [{ name: in, from: lan, to: firewall, default: drop }]\n";
    let rest =
        "groups: { b: [a] }\npolicies: [{ name: out, from: firewall, to: lan, default: accept }]\n";
    let policy = parse(&sources(&[LAN, more, rest])).policy.unwrap();
    let names = policy.policies.iter().map(|policy| policy.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["in", "out"]);
    assert_eq!(policy.groups.len(), 2);
}

#[test]
fn files_that_contradict_each_other() {
    let first = format!("{LAN}groups: {{ a: [10.0.0.1] }}\npolicies: []\n");
    let more = "\
version: 1
zones: { lan: { interfaces: [eth1] } }
groups: [10.0.0.1]
policies: [{ name: in, from: lan }]
";
    insta::assert_snapshot!(told(&[&first, more, "groups:\n"]), @r"
        1:1:1-8 defined-twice: `version` is defined in two files; keep it here or in `0`
        1:2:10-13 defined-twice: `lan` is defined in two files; keep it here or in `0`
        1:3:1-7 wrong-type: `groups` is not the same kind of thing in all files; a map is expected in each of them
        1:4:12-35 missing-key: `in` has no `to`; `to`: where connections go to, after `nat.dnat`: a zone or a list of zones, `firewall` for the box itself, `any` for all
        2:1:1-7 empty-value: `groups` has no value
        ");
    insta::assert_snapshot!(told(&[LAN, "# nothing\n"]), @"1:1:1-1 empty-policy: the file holds no policy; an empty file never means `delete everything`; `rfw remove` does");
    insta::assert_snapshot!(told(&["a: [\n", "b: ]\n"]), @r"
        0:2:1-1 yaml-syntax: not valid YAML: while parsing a node, did not find expected node content; look at the indentation of this line and of the one before
        1:1:4-5 yaml-syntax: not valid YAML: misplaced bracket
        ");
    insta::assert_snapshot!(told(&[]), @":null:null-null empty-policy: there is no file to read a policy from");
}

#[test]
fn paths_lead_to_places_in_all_files() {
    let sources = sources(&[
        &format!("{LAN}policies:\n  - {{ name: a, from: lan, to: firewall }}\n"),
        "policies:\n  - { name: b, from: lan, to: [firewall] }\n",
    ]);
    let locations = parse(&sources).locations;
    let at = |pointer: &str| {
        let spot = locations
            .locate(&DocPath::from_pointer(pointer).into())
            .unwrap();
        let text = &sources[spot.source].text[spot.bytes];
        format!("{}: {}", spot.source, String::from_utf8_lossy(text))
    };
    assert_eq!(at("/policies/0/name"), "0: a");
    assert_eq!(at("/policies/1/name"), "1: b");
    assert_eq!(at("/policies/1/to/0"), "1: firewall");
    assert_eq!(at("/policies/1/from/0"), "1: lan");
    assert_eq!(
        at("/policies/1/rules/7"),
        "1: { name: b, from: lan, to: [firewall] }"
    );
    assert_eq!(at("/policies"), "0: policies");
    assert_eq!(at("/zones/lan/interfaces"), "0: [eth0]");
    assert_eq!(at("/nat"), "0: version: 1");
}

#[test]
fn limits() {
    let deep = |depth: usize| {
        told(&[&format!(
            "{LAN}name: {}{}\n",
            "[".repeat(depth),
            "]".repeat(depth)
        )])
    };
    insta::assert_snapshot!(deep(31), @"0:3:7-69 wrong-type: expected a name, found a list");
    insta::assert_snapshot!(deep(32), @"0:3:38-39 too-deep: nested more than 32 levels deep");
    insta::assert_snapshot!(deep(50_000), @"0:3:262-263 yaml-syntax: not valid YAML: recursion limit exceeded");
    insta::assert_snapshot!(told(&[&"x".repeat((4 << 20) + 1)]), @"0:1:1-1 too-large: the file has 4194305 bytes, at most 4194304 are read; split the policy into several files of one directory");
    let part = format!("# {}\n", "x".repeat(4_000_000));
    insta::assert_snapshot!(told(&[&part, &part, &part, &part, &part]), @"0:1:1-1 too-large: the policy has 20000015 bytes, at most 16777216 are read");
    insta::assert_snapshot!(told(&[&format!("x: [{}]\n", "a,".repeat(1_000_001))]), @"0:1:1999999-2000000 too-large: more than 1000000 keys and values");
    let laughs: String = (1..9)
        .map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1))
        .collect();
    assert_eq!(
        told(&[&format!("a0: &a0 [x]\n{laughs}")]).lines().count(),
        9
    );
}

#[test]
fn complaints_are_bounded() {
    let many = format!("{LAN}groups: {{ a: [{}] }}\n", "300.0.0.1, ".repeat(5_000));
    assert_eq!(told(&[&many]).lines().count(), 1000);
    let many = format!(
        "{LAN}policies: [{{ name: in, from: [{}], to: firewall }}]\n",
        "lan, ".repeat(20_000)
    );
    assert_eq!(told(&[&many]).lines().count(), 1000);
    let keys: String = (0..20_000).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(told(&[&format!("{LAN}{keys}")]).lines().count(), 1000);
    assert_eq!(told(&[&format!("{LAN}{keys}{keys}")]).lines().count(), 2000);
    let many = format!("{LAN}x: [{}]\n", "!t a, ".repeat(5_000));
    assert_eq!(told(&[&many]).lines().count(), 1001);
}
