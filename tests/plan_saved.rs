//! A plan in a file: it reads back as it was, and nothing else reads back.

use rfw::bytecode::Instruction;
use rfw::kernel::Kernel;
use rfw::plan::{SavedPlan, SavedPolicy, SettingPromise, plan};
use rfw::system::{Key, Setting, Settings};

use super::notation::program;
use super::plan::{MARK, kernel};

fn saved(from: &str, to: &str) -> SavedPlan {
    let desired = program(to);
    let plan = plan(&kernel(from).observe().unwrap(), &desired, MARK);
    SavedPlan {
        plan,
        desired,
        settings: Settings::new(vec![Setting {
            key: Key::ConntrackMax,
            value: 7,
            origin: String::new(),
        }]),
        changes: vec![SettingPromise {
            key: "net.netfilter.nf_conntrack_max".to_owned(),
            was: "6".to_owned(),
            value: 7,
        }],
        policy: policy(),
    }
}

/// What it was made of: not all of it is text.
pub(crate) fn policy() -> SavedPolicy {
    SavedPolicy {
        commit: Some("c0ffee".to_owned()),
        documents: 1,
        lists: vec!["list.txt".to_owned()],
        texts: vec![
            (
                "main:p.yaml".to_owned(),
                b"version: 1 # \xc3\xa4\n".to_vec().into(),
            ),
            (
                "main:list.txt".to_owned(),
                b"192.0.2.1 # \xe4\n".to_vec().into(),
            ),
        ],
        ..SavedPolicy::default()
    }
}

const SAVED: (&str, &str) = (
    "set s ipv4 interval: 1-5\nvmap v mark: 1=>drop\nlimit l 5\nhelper h ftp\nchain old\n a: mark=1 accept",
    "set s ipv4 interval: 1-6 8\nset n ipv4.port interval gc-interval=604800000: 1-2.3-4\nvmap v mark counter: 1=>jump:c#a\n\
     map m mark->ipv4: 1=>9\nset d ipv4 dynamic timeout=60000\nlimit l 6\nhelper h ftp\n\
     chain input filter input 0 drop\n a: @s !@n vmap@v map@m meter@d counter accept\n \
     b: limit:l helper:h reject\n _: mark=1 goto:c\nchain c",
);

#[test]
fn a_saved_plan_reads_back_as_it_was() {
    let saved = saved(SAVED.0, SAVED.1);
    assert!(!saved.plan.staging.is_empty() && !saved.plan.commit.is_empty());
    assert_eq!(
        SavedPlan::from_json(&saved.to_json().unwrap()).unwrap(),
        saved
    );
}

/// What reading says to a file that was changed.
fn tampered(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let text = saved(SAVED.0, SAVED.1).to_json().unwrap();
    let mut file = serde_json::from_str(&text).unwrap();
    change(&mut file);
    let error = SavedPlan::from_json(&file.to_string()).unwrap_err();
    let source = std::error::Error::source(&error);
    match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn a_saved_plan_that_was_changed_is_refused() {
    assert_eq!(
        tampered(|file| file["version"] = 9.into()),
        "the plan has form 9, and this rfw reads form 4: plan again"
    );
    assert_eq!(
        tampered(|file| file["desired"]["chains"][1]["rules"] = serde_json::json!([])),
        "the plan was changed after it was saved: its digest does not fit"
    );
    assert_eq!(
        tampered(|file| file["settings"][0][0] = "kernel.core_pattern".into()),
        "the plan was changed after it was saved: its digest does not fit"
    );
    assert_eq!(
        tampered(|file| file["policy"]["texts"][0][1] = "version: 1\n".into()),
        "the plan was changed after it was saved: its digest does not fit"
    );
    assert!(
        tampered(|file| file["commit"][0]["delete-rule"]["colour"] = "red".into())
            .starts_with("this is no plan that `rfw plan --out` has kept; a policy is applied with `--policy PATH`: "),
    );
    assert!(
        tampered(|file| file["more"] = 1.into())
            .starts_with("this is no plan that `rfw plan --out` has kept; a policy is applied with `--policy PATH`: unknown field `more`"),
    );
    assert!(SavedPlan::from_json("[]").is_err());
    assert!(SavedPlan::from_json("").is_err());
}

/// A program that somebody wrote into a file, with a digest that fits.
fn forged(change: impl FnOnce(&mut rfw::bytecode::Program)) -> String {
    let mut saved = saved(SAVED.0, SAVED.1);
    change(&mut saved.desired);
    let text = saved.to_json().unwrap();
    SavedPlan::from_json(&text).unwrap_err().to_string()
}

#[test]
fn a_saved_plan_has_the_whole_policy() {
    let mut saved = saved(SAVED.0, SAVED.1);
    saved.policy.texts.pop();
    let error = SavedPlan::from_json(&saved.to_json().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan is not sound: it has not as many texts of the policy as it says"
    );
}

#[test]
fn a_saved_plan_must_be_sound() {
    let cases = [
        forged(|it| it.chains[1].name.clear()),
        forged(|it| it.chains[1].name = "c".to_owned()),
        forged(|it| it.chains[0].name = "x".to_owned()),
        forged(|it| it.chains.remove(0).rules.clear()),
        forged(|it| it.sets.retain(|set| set.spec.name != "s")),
        forged(|it| it.objects.clear()),
        forged(|it| {
            it.sets
                .iter_mut()
                .for_each(|set| set.elements.edit(|all| all.reverse()));
        }),
        forged(|it| it.sets.iter_mut().for_each(|set| set.spec.interval = false)),
        forged(|it| it.chains[1].rules[0].name = Some("a\nb".to_owned())),
        forged(|it| it.chains[1].rules[0].instructions = vec![Instruction::Notrack; 129]),
    ];
    insta::assert_snapshot!(cases.join("\n"), @r#"
    the plan is not sound: "" can be no name of a chain
    the plan is not sound: two chains have the name "c"
    the plan is not sound: something leads into "c", which is not there
    the plan is not sound: something leads into "c", which is not there
    the plan is not sound: a rule refers to the set "s", which is not there
    the plan is not sound: a rule refers to the object "l", which is not there
    the plan is not sound: the elements of set "s" are not in order
    the plan is not sound: a key in set "n" does not fit
    the plan is not sound: "a\nb" can be no stable name
    the plan is not sound: a rule of chain "input" is too long
    "#);
}
