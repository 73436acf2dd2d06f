//! What programs read of rfw: every published shape is what `rfw schema` prints, describes everything, and real outputs are of it,
//! without a word that it does not describe.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::schema::undescribed;
use super::support::alone;
use super::support::rfw::Desk;

/// Exit code, standard output and standard error; nothing of the machine is in the environment but where programs are.
fn rfw(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rfw"))
        .args(arguments)
        .args(["--state-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/none")])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// The words that `rfw schema` takes, as it tells them itself.
fn shapes() -> Vec<String> {
    let (code, _, err) = rfw(&["schema", "nonsense"]);
    assert_eq!(code, 64, "{err}");
    let (_, words) = err.split_once("[possible values: ").unwrap();
    let (words, _) = words.split_once(']').unwrap();
    words.split(", ").map(str::to_owned).collect()
}

/// A schema in which no object may have more than what is described.
fn without_more(node: &mut Value) {
    match node {
        Value::Object(keys) => {
            if keys.contains_key("properties") {
                keys.insert("additionalProperties".to_owned(), false.into());
            }
            keys.values_mut().for_each(without_more);
        }
        Value::Array(nodes) => nodes.iter_mut().for_each(without_more),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Holds what was printed against the published shape.
#[track_caller]
pub(crate) fn is_of(shape: &str, printed: &Value) {
    let path = format!("{}/schema/{shape}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    without_more(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(printed)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0], "{shape}: {printed:#}");
}

/// What a command prints, which is of a shape.
#[track_caller]
fn printed(shape: &str, arguments: &[&str], expect: i32) -> Value {
    let (code, out, err) = rfw(&[arguments, &["--format", "json"]].concat());
    assert_eq!(code, expect, "{arguments:?}: {out}{err}");
    let printed = serde_json::from_str(&out).unwrap();
    is_of(shape, &printed);
    printed
}

/// `RFW_UPDATE=1 cargo test --test main shapes` writes the files anew.
#[test]
fn every_shape_is_published_and_fresh() {
    let shapes = shapes();
    for shape in &shapes {
        let (code, text, err) = rfw(&["schema", shape]);
        assert_eq!((code, err.as_str()), (0, ""), "{shape}");
        let path = format!("{}/schema/{shape}.schema.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("RFW_UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == text,
            "{shape}: run `RFW_UPDATE=1 cargo test --test main shapes`"
        );
    }
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schema")).unwrap();
    for file in files {
        let name = file.unwrap().file_name().into_string().unwrap();
        let shape = name.strip_suffix(".schema.json").unwrap();
        assert!(shapes.iter().any(|known| known == shape), "{name}");
    }
    assert_eq!(rfw(&["schema"]), rfw(&["schema", "policy"]));
    assert_eq!(rfw(&["schema", "--for-agent"]), rfw(&["schema", "agent"]));
}

#[test]
fn every_shape_has_a_name_and_describes_everything() {
    for shape in shapes() {
        let (_, text, _) = rfw(&["schema", &shape]);
        let schema: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(schema["$id"], format!("urn:rfw:{shape}:1"));
        assert!(schema["title"].is_string(), "{shape}");
        assert!(jsonschema::draft7::meta::is_valid(&schema), "{shape}");
        let mut found = Vec::new();
        undescribed(&schema, "", &mut found);
        assert_eq!(found, [""; 0], "{shape}");
    }
}

#[test]
fn traces_are_of_their_shape() {
    let trace = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let policy = ["trace", "--policy", "policies/office.yaml"];
        printed("trace", &[&policy, words.as_slice()].concat(), 0)
    };
    let accepted = trace("--from wan 198.51.100.7 --to firewall tcp/22");
    let outcome = &accepted["outcomes"][0];
    assert_eq!(outcome["decision"], "accept");
    assert_eq!(outcome["rule"], "wan-to-firewall/ssh");
    let dropped = trace("--from wan 198.51.100.7 --to firewall udp/22");
    assert_eq!(dropped["outcomes"][0]["decision"], "drop");
    let rejected = trace("--from lan --to wan tcp/25");
    let decision = &rejected["outcomes"][0]["decision"];
    assert_eq!(decision, "reject with tcp reset");
    // Translated, by chance in two ways.
    let balanced = trace("--from wan 203.0.113.7 --to 203.0.113.10 tcp/443");
    let outcomes = balanced["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 2, "{balanced}");
    let shares = outcomes.iter().map(|it| it["share"].as_f64().unwrap());
    assert!((shares.sum::<f64>() - 1.0).abs() < 1e-9, "{balanced}");
    assert!(outcomes.iter().all(|it| it["translations"][0].is_string()));
    // The path is a tree: hooks, chains in them, rules in those.
    let depths = outcomes[0]["path"].as_array().unwrap().iter();
    let depths: Vec<u64> = depths.map(|it| it["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths[..3], [0, 1, 2], "{balanced}");
    assert!(depths.iter().all(|depth| *depth <= 2), "{balanced}");
}

/// Of a policy whose second test is wrong, and whose third is about a scan.
fn wrong() -> String {
    let text = fs::read_to_string("policies/minimal.yaml").unwrap();
    let from = "service: ssh, expect: accept";
    assert!(text.contains(from), "{text}");
    text.replace(from, "service: ssh, expect: drop")
}

#[test]
fn results_of_tests_are_of_their_shape() {
    let whole = printed("test", &["test", "policies/office.yaml"], 0);
    assert_eq!(whole["failed"], 0);
    let desk = Desk::new();
    let path = desk.write("p.yaml", &wrong());
    let whole = printed("test", &["test", "policies/office.yaml", &path], 3);
    assert_eq!(whole["policies"].as_array().unwrap().len(), 2);
    let tests = whole["policies"][1]["tests"].as_array().unwrap().iter();
    let failed: Vec<&Value> = tests.filter(|test| test["passed"] == false).collect();
    assert_eq!(failed.len(), 1, "{whole}");
    assert!(failed[0]["packet"].is_string(), "{whole}");
    assert_eq!(failed[0]["path"][0]["hook"], "prerouting", "{whole}");
    // Rejected: it is told elsewhere, and the result is of the shape all the same.
    let path = desk.write("none.yaml", "version: 1\nzones: 7\n");
    let whole = printed("test", &["test", &path], 3);
    assert_eq!(whole["policies"], serde_json::json!([]));
}

#[test]
fn results_of_tests_in_the_kernel_are_of_their_shape() {
    alone(|| {
        let desk = Desk::new();
        let path = desk.write("p.yaml", &wrong());
        let whole = printed("test", &["test", "--kernel", &path], 3);
        assert!(whole["kernel"]["release"].is_string(), "{whole}");
        let tests = whole["policies"][0]["tests"].as_array().unwrap();
        for test in tests {
            assert_eq!(test["kernel"]["agrees"], true, "{test}");
        }
        let sent = tests.iter().map(|it| it["kernel"]["packets"].as_u64());
        assert!(sent.map(Option::unwrap).sum::<u64>() > 0, "{whole}");
    });
}

#[test]
fn findings_are_of_their_shape() {
    let right = printed(
        "validate",
        &["validate", "--policy", "policies/office.yaml"],
        0,
    );
    assert_eq!(right, serde_json::json!([]));
    let mut codes = 0;
    for file in fs::read_dir("policies/invalid").unwrap() {
        let path = file.unwrap().path();
        let path = path.to_str().unwrap();
        let (_, out, err) = rfw(&["validate", "--policy", path, "--format", "json"]);
        let Ok(found) = serde_json::from_str::<Value>(&out) else {
            panic!("{path}: {out}{err}");
        };
        is_of("validate", &found);
        codes += found.as_array().unwrap().len();
    }
    assert!(codes > 100, "{codes}");
}
