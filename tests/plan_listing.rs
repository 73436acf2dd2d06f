//! A plan as people and programs see it.

use rfw::bytecode::Instruction;
use rfw::kernel::{FakeKernel, Kernel};
use rfw::live::Live;
use rfw::plan::{Detail, Listing, View, plan};

use super::notation::program;
use super::plan::{BASE, MARK, kernel};

/// The listing that a person sees.
fn listing(live: &Live, to: &str) -> String {
    let desired = program(to);
    let plan = plan(live, &desired, MARK);
    let view = View::new(live, &desired, &plan, Detail::Few);
    let listing = Listing {
        view: &view,
        headline: None,
        against: None,
        color: false,
    };
    listing.to_string()
}

#[test]
fn a_listing_says_what_changes_and_where_it_comes_from() {
    let from = "set nets ipv4 interval: 10-19 30-39\nset ports port: 22#a 80\nlimit slow 5\n\
                chain input filter input 0 drop\n a: @ports counter accept\n b: mark=1 accept\n \
                c: @nets drop\n d: mark=2 accept\n e: mark=3 accept\n\
                chain old\n x: mark=4 drop";
    let to = "set nets ipv4 interval: 10-29 30-39\nset ports port: 22#b 443\nlimit slow 6\n\
              set hosts ipv4 interval: 1 2 3 4 5 6 7 8 9-11 13 15 17\n\
              chain input filter input 0 accept\n a: @ports counter accept\n \
              c: @nets drop\n d: mark=5 accept\n n: @hosts accept\n e: mark=3 accept\n b: mark=1 accept";
    insta::assert_snapshot!(listing(&kernel(from).observe().unwrap(), to), @r#"
    live generation 3
    table inet rfw
    ~ limit slow { rate 6/second burst 5 packets; }
        was limit slow { rate 5/second burst 5 packets; }
    + set hosts { type ipv4_addr; flags interval; }     set hosts
    +   0.0.0.1, 0.0.0.2, 0.0.0.3, 0.0.0.4, 0.0.0.5, 0.0.0.6, 0.0.0.7, 0.0.0.8, 0.0.0.9-0.0.0.11, 0.0.0.13 and 2 more
      set nets
    -   0.0.0.10-0.0.0.19
    +   0.0.0.10-0.0.0.29
      set ports
    ~   22      "b"
          was 22 comment "a"
    -   80
    +   443
    ~ chain input { type filter hook input priority filter; policy accept; }
        was chain input { type filter hook input priority filter; policy drop; }
    ~   [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000005 ] accept       rule d "d"
          was [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000002 ] accept
    +   [ payload load 4b @ network header + 12 => reg 1 ] [ lookup reg 1 set hosts ] accept     rule n "n"
    >   [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000001 ] accept       rule b "b"
    - chain old
    -   [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000004 ] drop     "x" handle 11
    1 rule added, 1 removed, 1 replaced, 1 moved, 14 elements added, 2 removed, 1 replaced, 1 set added, 1 object replaced, 1 chain removed, 1 replaced; 2 operations staged, then one batch of 13 operations
    "#);
}

#[test]
fn a_listing_of_a_first_plan() {
    let live = FakeKernel::new().observe().unwrap();
    let to = "set none ipv4\nchain input filter input 0 drop\n a: mark=1 accept\nchain spare";
    insta::assert_snapshot!(listing(&live, to), @r#"
    live generation 1
    + table inet rfw
    + set none { type ipv4_addr; }     set none
    + chain input { type filter hook input priority filter; policy drop; }
    +   [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000001 ] accept     rule a "a"
    + chain spare
    table created, 1 rule added, 1 set added, 2 chains added; one batch of 5 operations
    "#);
}

#[test]
fn a_listing_of_nothing() {
    let live = kernel(BASE).observe().unwrap();
    insta::assert_snapshot!(listing(&live, BASE), @"
    live generation 2
    no changes
    ");
}

#[test]
fn a_listing_of_a_table_that_others_had_their_hands_in() {
    let mut kernel = kernel(BASE);
    kernel.tamper(|table| {
        table.flags = 1;
        let rule = &mut table.chains[0].rules[1];
        rule.name = Some("\u{1b}[2Jb".to_owned());
        rule.instructions.push(Instruction::Opaque {
            name: "\u{7}".to_owned(),
            data: vec![1, 2],
        });
    });
    insta::assert_snapshot!(listing(&kernel.observe().unwrap(), BASE), @r#"
    live generation 3
    ~ table inet rfw
        was dormant: no packet meets it
      chain input
    -   [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000002 ] counter accept [ ? 0102 ]     "?[2Jb" handle 3
    +   [ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000002 ] counter accept     rule b "b"
    table woken, 1 rule added, 1 removed; 2 operations staged, then one batch of 1 operation
    "#);
}

#[test]
fn what_programs_read() {
    let live = kernel(BASE).observe().unwrap();
    let desired = program(&BASE.replace("mark=2", "mark=8"));
    let plan = plan(&live, &desired, MARK);
    let mut view = View::new(&live, &desired, &plan, Detail::All);
    view.locate(|origin| (origin.0 == "rule b").then(|| "office.yaml:7".to_owned()));
    insta::assert_snapshot!(serde_json::to_string_pretty(&view).unwrap(), @r#"
    {
      "version": 1,
      "generation": 2,
      "changes": [
        {
          "verb": "keep",
          "object": "chain",
          "parent": "input",
          "text": "chain input"
        },
        {
          "verb": "replace",
          "object": "rule",
          "parent": "input",
          "name": "b",
          "handle": 3,
          "origin": "rule b",
          "place": "office.yaml:7",
          "text": "[ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000008 ] counter accept",
          "was": "[ meta load mark => reg 1 ] [ cmp eq reg 1 0x00000002 ] counter accept"
        }
      ],
      "settings": {
        "changes": [],
        "unavailable": [],
        "released": []
      },
      "summary": {
        "rules": {
          "added": 0,
          "removed": 0,
          "replaced": 1,
          "moved": 0,
          "renewed": 0
        },
        "elements": {
          "added": 0,
          "removed": 0,
          "replaced": 0,
          "moved": 0,
          "renewed": 0
        },
        "sets": {
          "added": 0,
          "removed": 0,
          "replaced": 0,
          "moved": 0,
          "renewed": 0
        },
        "objects": {
          "added": 0,
          "removed": 0,
          "replaced": 0,
          "moved": 0,
          "renewed": 0
        },
        "chains": {
          "added": 0,
          "removed": 0,
          "replaced": 0,
          "moved": 0,
          "renewed": 0
        }
      },
      "staged_operations": 0,
      "operations": 1
    }
    "#);
}

/// `RFW_UPDATE=1` rewrites the file.
#[test]
fn the_shape_of_a_plan_is_published() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/plan.schema.json");
    if std::env::var_os("RFW_UPDATE").is_some() {
        std::fs::write(path, View::schema()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert_eq!(published, View::schema());

    let live = FakeKernel::new().observe().unwrap();
    let desired =
        program("set s ipv4 interval: 1-5\nchain input filter input 0 drop\n a: @s accept");
    let plan = plan(&live, &desired, MARK);
    let view = View::new(&live, &desired, &plan, Detail::All);
    let validator = jsonschema::validator_for(&serde_json::from_str(&published).unwrap()).unwrap();
    validator
        .validate(&serde_json::to_value(&view).unwrap())
        .unwrap();
}
