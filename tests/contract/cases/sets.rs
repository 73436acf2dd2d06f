//! What is done to sets and to their elements.

use rfw::plan::Operation;
use rfw::ruleset::{DataType, Element, Elements, Key, SetSpec};

use super::super::operation::{
    add, add_chain, add_rule, add_set, before, delete, delete_rule, delete_set, elements, handle,
    replace, set_bounds, spec,
};
use super::Case;

pub(super) const CASES: &[Case] = &[
    // Sets.
    ("a set that is there", |_| vec![add_set(spec("ports"))]),
    ("a set that is there, of another type", |_| {
        let mut spec = spec("ports");
        spec.interval = true;
        vec![add_set(spec)]
    }),
    ("a dynamic set gets another timeout and size", |_| {
        vec![set_bounds("fed", |spec| {
            (spec.timeout, spec.size) = (Some(5000), Some(7));
        })]
    }),
    (
        "a dynamic set gets the timeout and size that it has",
        |_| vec![set_bounds("fed", |_| {})],
    ),
    ("a dynamic set gets another timeout and no size", |_| {
        vec![set_bounds("fed", |spec| {
            (spec.timeout, spec.size) = (Some(5000), None);
        })]
    }),
    ("a dynamic set gets no timeout", |_| {
        vec![set_bounds("fed", |spec| spec.timeout = None)]
    }),
    ("a set without a timeout gets one", |_| {
        vec![set_bounds("ports", |spec| spec.timeout = Some(5000))]
    }),
    ("a set gets another size and another key", |_| {
        vec![set_bounds("fed", |spec| {
            spec.size = Some(7);
            spec.key = vec![DataType::Ipv6Addr];
        })]
    }),
    ("a set that is not there gets a size", |_| {
        vec![set_bounds("fed", |spec| spec.name = "new".to_owned())]
    }),
    ("a set gets another size after it came", |_| {
        let spec = SetSpec {
            name: "new".to_owned(),
            ..spec("fed")
        };
        let more = SetSpec {
            size: Some(200),
            ..spec.clone()
        };
        vec![add_set(spec), Operation::SetBounds { spec: more }]
    }),
    ("a set that is not there goes", |_| vec![delete_set("new")]),
    ("a set that a rule uses goes", |_| vec![delete_set("ports")]),
    ("a set goes after its rule", |live| {
        vec![delete_rule("input", handle(live, "b")), delete_set("ports")]
    }),
    ("a set goes before its rule", |live| {
        vec![delete_set("ports"), delete_rule("input", handle(live, "b"))]
    }),
    ("a set goes after its rule was replaced", |live| {
        vec![
            replace(live, "input", "b", "b: mark=4 accept"),
            delete_set("ports"),
        ]
    }),
    ("a set of another type takes its rule with it", |live| {
        let mut spec = spec("ports");
        spec.interval = true;
        vec![
            delete_rule("input", handle(live, "b")),
            delete_set("ports"),
            add_set(spec.clone()),
            Operation::AddElements {
                set: spec,
                elements: elements("nets", "").1,
            },
            add_rule("input", before(live, "c"), "b: @ports counter accept"),
        ]
    }),
    ("a set of the longest name", |_| {
        let mut spec = spec("ports");
        spec.name = "n".repeat(255);
        vec![add_set(spec)]
    }),
    ("a set of too long a name", |_| {
        let mut spec = spec("ports");
        spec.name = "n".repeat(256);
        vec![add_set(spec)]
    }),
    // Elements.
    ("an element", |_| vec![add("ports", "443")]),
    ("an element that is there", |_| vec![add("ports", "443 80")]),
    ("an element twice", |_| {
        vec![add("ports", "443"), add("ports", "443")]
    }),
    ("an element goes and comes back", |_| {
        vec![delete("ports", "80"), add("ports", "80")]
    }),
    ("an element that is not there goes", |_| {
        vec![delete("ports", "443")]
    }),
    ("an element of no set", |_| {
        let (mut set, elements) = elements("ports", "443");
        set.name = "new".to_owned();
        vec![Operation::AddElements { set, elements }]
    }),
    ("an element of no set goes", |_| {
        let (mut set, elements) = elements("ports", "443");
        set.name = "new".to_owned();
        vec![Operation::DeleteElements { set, elements }]
    }),
    ("an element of the wrong width", |_| {
        let set = spec("ports");
        let elements = Elements::from(vec![Element {
            key: Key::exact([1, 2, 3, 4]),
            datum: None,
            name: None,
            count: None,
        }]);
        vec![Operation::AddElements { set, elements }]
    }),
    ("an element of a map without a value", |_| {
        let (set, mut elements) = elements("backends", "3=>5");
        elements.edit(|all| all[0].datum = None);
        vec![Operation::AddElements { set, elements }]
    }),
    ("an element with another value", |_| {
        vec![add("backends", "0=>2")]
    }),
    ("an element gets another value", |_| {
        vec![delete("backends", "0=>1"), add("backends", "0=>2")]
    }),
    ("an element leads nowhere", |_| {
        vec![add("ways", "3=>jump:new")]
    }),
    ("an element leads into a base chain", |_| {
        vec![add("ways", "3=>goto:input")]
    }),
    ("an element leads into a new chain", |_| {
        vec![add_chain("new", None), add("ways", "3=>goto:new")]
    }),
    ("a full set", |_| vec![add("full", "3")]),
    ("a full set after one went", |_| {
        vec![delete("full", "1"), add("full", "3")]
    }),
    ("ranges apart and side by side", |_| {
        vec![add("nets", "20-29 50 51-60 1-9")]
    }),
    ("a range that is there", |_| vec![add("nets", "10-19")]),
    ("a range in another", |_| vec![add("nets", "12-13")]),
    ("a range around another", |_| vec![add("nets", "5-25")]),
    ("a range over the end of another", |_| {
        vec![add("nets", "15-25")]
    }),
    ("a range over the beginning of another", |_| {
        vec![add("nets", "5-10")]
    }),
    ("a range widens", |_| {
        vec![delete("nets", "10-19"), add("nets", "10-29")]
    }),
    ("a range is split", |_| {
        vec![delete("nets", "10-19"), add("nets", "10-14 16-19")]
    }),
    ("half a range goes", |_| vec![delete("nets", "10-14")]),
    ("boxes apart", |_| vec![add("mixed", "1-5.20-29 6-9.10-19")]),
    ("a box that is there", |_| vec![add("mixed", "1-5.10-19")]),
    ("a box over another", |_| vec![add("mixed", "3-7.15-25")]),
];
