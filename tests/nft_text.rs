//! nft(8) as the judge of what rfw writes: the text is accepted, means what the bytecode says, and lists
//! as it should.

mod generated;
mod listing;
mod office;
mod sets;

use std::time::Duration;

use jiff::civil::date;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rfw::bytecode::{Recovered, delinearize, instructions, linearize, same};
use rfw::diagnostic::SourceText;
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;
use rfw::nft::{is_name, json, script};
use rfw::plan::plan;
use rfw::ruleset::{
    Chain, DataType, Expression, Field, Limit, Meta, Object, ObjectKind, Operand, Reject, Relation,
    Rule, Ruleset, Set, SetKind, SetSpec, Statement, Transport, Verdict,
};

use super::support::netns::alone_for;
use super::support::{Host, alone, nft, policies, program};

/// Some hundred runs of nft, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(300);

/// Draws the same cases in every run.
fn runner(cases: u32) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Whether a later statement of nft's implies this one, so that reading back leaves it out.
fn may_be_implied(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Match {
            left: Expression::Meta(Meta::L4proto),
            relation: Relation::Eq,
            right: Operand::Value(_),
        } | Statement::Reject(Reject::TcpReset)
    )
}

#[test]
fn instructions_are_read_back_as_the_statements_they_came_from() {
    runner(2_000)
        .run(&generated::statements(), |statements| {
            let rule = instructions(&statements);
            let recovered: Vec<Statement> = delinearize(&rule)
                .into_iter()
                .map(|part| match part {
                    Recovered::Statement(statement) => statement,
                    Recovered::Instruction(instruction) => panic!("{instruction}"),
                })
                .collect();
            let again = instructions(&recovered);
            prop_assert!(same(&rule, &again), "{rule:?}\n{again:?}");
            if !statements.iter().any(may_be_implied) {
                prop_assert_eq!(recovered, statements);
            }
            Ok(())
        })
        .unwrap();
}

/// The blocks of a listing of our table, in one order.
fn blocks(listing: &str) -> Vec<&str> {
    let listing = listing.trim_start_matches("table inet rfw {\n");
    let mut blocks: Vec<&str> = listing.split("\n\t}\n").map(str::trim).collect();
    blocks.sort_unstable();
    blocks
}

/// Puts a ruleset into the kernel by our own batches.
fn commit(ruleset: &Ruleset) {
    let mut kernel = Netlink::open().unwrap();
    let live = kernel.observe().unwrap();
    let plan = plan(&live, &linearize(ruleset.clone()), [7; 16]);
    let mut base = plan.base;
    for batch in [&plan.staging, &plan.commit] {
        if !batch.is_empty() {
            base = kernel.commit(base, batch).unwrap();
        }
    }
}

/// Lists what nft makes of our text, and what our own batch makes; both must be the same.
fn judge(host: &Host, ruleset: &Ruleset) -> Result<(), TestCaseError> {
    let script = script(ruleset);
    let output = host.must("nft", &["--debug=netlink", "-f", "-"], &script);
    let (theirs, ours) = (listing::of_nft(&output), listing::of_ours(ruleset));
    for (chain, rules) in &theirs.rules {
        for (theirs, ours) in rules.iter().zip(&ours.rules[chain]) {
            prop_assert_eq!(theirs, ours, "{}", script);
        }
    }
    prop_assert_eq!(theirs, ours, "{}", script);
    let loaded = nft::table(host, "inet rfw");
    host.must("nft", &["delete", "table", "inet", "rfw"], "");
    host.run(|| commit(ruleset));
    let committed = nft::table(host, "inet rfw");
    for (ours, theirs) in blocks(&committed).iter().zip(blocks(&loaded)) {
        prop_assert_eq!(*ours, theirs, "{}", script);
    }
    prop_assert_eq!(blocks(&committed).len(), blocks(&loaded).len());
    judge_json(host, ruleset, &loaded)?;
    host.must("nft", &["delete", "table", "inet", "rfw"], "");
    Ok(())
}

/// Our JSON lists as our text, but for what nft does not read in JSON.
fn judge_json(host: &Host, ruleset: &Ruleset, loaded: &str) -> Result<(), TestCaseError> {
    let json = json(ruleset);
    host.must("nft", &["-j", "-f", "-"], &json);
    let inline = |data: &DataType| matches!(data, DataType::Number | DataType::Time);
    let is_inline = |set: &Set| set.spec.key.iter().any(inline);
    if ruleset.sets.iter().any(is_inline) {
        return Ok(());
    }
    let ours = nft::table(host, "inet rfw");
    let without = |line: &&str| !line.starts_with("\t\tcomment ");
    let theirs: Vec<&str> = loaded.lines().filter(without).collect();
    let theirs = format!("{}\n", theirs.join("\n"));
    for (ours, theirs) in blocks(&ours).iter().zip(blocks(&theirs)) {
        prop_assert_eq!(*ours, theirs, "{}", json);
    }
    Ok(())
}

#[test]
fn nft_makes_the_same_of_our_text() {
    alone_for(PATIENCE, || {
        let host = Host::new("judge");
        runner(48)
            .run(&generated::rulesets(), |ruleset| judge(&host, &ruleset))
            .unwrap();
    });
}

#[test]
fn nft_makes_the_same_of_policies() {
    alone_for(PATIENCE, || {
        let host = Host::new("judge");
        for entry in std::fs::read_dir("policies").unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                // A flowtable wants its interfaces there, and a kernel that has flowtables.
                let ruleset = super::compile::compiled(&path)
                    .into_ruleset()
                    .without_offload();
                judge(&host, &policies::thinned(ruleset)).unwrap();
            }
        }
        runner(24)
            .run(&policies::policy(), |text| match compiled(&text) {
                Some(ruleset) => judge(&host, &ruleset),
                None => Ok(()),
            })
            .unwrap();
    });
}

/// What a policy compiles to, if it does.
fn compiled(text: &str) -> Option<Ruleset> {
    let parsed = rfw::policy::parse(&[SourceText {
        name: "policy.yaml".to_owned(),
        text: text.into(),
    }]);
    let (compiled, _) = rfw::compile::compile(parsed.policy?, date(2026, 11, 24));
    Some(compiled?.ruleset)
}

#[test]
fn a_script_reads_well() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/nft");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("everything", script(&office::office())));
}

#[test]
fn a_script_lists_as_it_reads() {
    alone(|| {
        let host = Host::new("judge");
        let script = script(&office::office());
        nft::load(&host, &script);
        let listing = nft::table(&host, "inet rfw");
        let (_, table) = script.split_once("delete table inet rfw\n\n").unwrap();
        // What nft says in other words.
        let table = [
            (
                "10.1.2.0 . 6 . 80",
                "10.1.2.0 . tcp . 80 counter packets 0 bytes 0",
            ),
            ("counter accept", "counter packets 0 bytes 0 accept"),
        ]
        .into_iter()
        .fold(table.to_owned(), |text, (ours, theirs)| {
            text.replace(ours, theirs)
        });
        assert_eq!(listing, table);
        nft::load(&host, &format!("delete table inet rfw\n{listing}"));
        assert_eq!(nft::table(&host, "inet rfw"), listing);
    });
}

#[test]
fn loading_a_script_replaces_our_table_and_no_other() {
    alone(|| {
        let host = Host::new("judge");
        nft::load(
            &host,
            "table ip rfw {\nchain theirs {\n}\n}\ntable inet rfw {\nchain old {\n}\n}\n",
        );
        nft::load(&host, &script(&Ruleset::default()));
        assert_eq!(
            nft::ruleset(&host),
            "table ip rfw {\n\tchain theirs {\n\t}\n}\ntable inet rfw {\n}\n"
        );
    });
}

#[test]
fn names_that_nft_reads_are_the_ones_we_say() {
    alone(|| {
        let host = Host::new("judge");
        let words = "wan lan-to-wan/web.tcp input _x .x a1 log/x reject/no-route set-1";
        for word in words.split(' ') {
            assert!(is_name(word), "{word}");
            nft::load(&host, &script(&everywhere(word)));
            let listing = nft::table(&host, "inet rfw");
            nft::load(&host, &format!("delete table inet rfw\n{listing}"));
        }
        for word in [
            "reject",
            "tcp",
            "log",
            "1a",
            "a b",
            "x\"; flush ruleset; \"",
            "a;b",
        ] {
            assert!(!is_name(word), "{word}");
            let before = nft::ruleset(&host);
            let script = script(&everywhere(word));
            let mut command = program::command("nft");
            command.args(["-f", "-"]);
            let bound = Duration::from_secs(10);
            let output = host.run(|| program::run(command, script.as_bytes(), bound));
            assert!(!output.success(), "{word}: {script}");
            assert_eq!(nft::ruleset(&host), before);
        }
    });
}

/// A ruleset in which everything has the same name.
fn everywhere(name: &str) -> Ruleset {
    let limit = Limit {
        rate: 1,
        unit: 1,
        burst: 5,
    };
    let chain = |name: &str, statements| Chain {
        name: name.to_owned(),
        base: None,
        rules: vec![Rule {
            name: Some(name.to_owned()),
            statements,
            origin: None,
        }],
    };
    let mut spec = SetSpec::new(name, vec![DataType::InetService], SetKind::Set);
    spec.comment = Some(name.to_owned());
    let set = Set {
        spec,
        elements: Vec::new().into(),
        origin: None,
    };
    Ruleset {
        sets: vec![set],
        objects: vec![Object {
            name: name.to_owned(),
            kind: ObjectKind::Limit(limit),
            origin: None,
        }],
        chains: vec![
            chain(name, vec![Statement::NamedLimit(name.to_owned())]),
            chain(
                "caller",
                vec![
                    Statement::Match {
                        left: Expression::Field(Field::Dport(Transport::Tcp)),
                        relation: Relation::Eq,
                        right: Operand::Set(name.to_owned()),
                    },
                    Statement::Verdict(Verdict::Jump(name.to_owned())),
                ],
            ),
        ],
    }
}
