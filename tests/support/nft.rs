//! The kernel's ruleset as `nft` shows it: the judge that is not ours.

use super::Host;

/// Loads an nft script on a host; it must be accepted.
#[track_caller]
pub(crate) fn load(host: &Host, script: &str) {
    host.must("nft", &["-f", "-"], script);
}

/// Loads as much of a script as is accepted: lines that nft names as wrong are taken out, up to `most` of them. Returns what
/// was loaded. For scripts by chance, in which one line may ask for what no packet can be.
#[track_caller]
pub(crate) fn load_what_is_right(host: &Host, script: &str, most: usize) -> String {
    let mut lines: Vec<&str> = script.lines().collect();
    for _ in 0..=most {
        let text = lines.join("\n") + "\n";
        let refused = match host.may("nft", &["-f", "-"], &text) {
            Ok(_) => return text,
            Err(refused) => refused,
        };
        let line = refused
            .strip_prefix("/dev/stdin:")
            .and_then(|rest| rest.split_once(':'))
            .and_then(|(line, _)| line.parse::<usize>().ok())
            .filter(|line| (1..=lines.len()).contains(line))
            .unwrap_or_else(|| panic!("{refused}\n{text}"));
        lines.remove(line - 1);
    }
    panic!("more than {most} wrong lines\n{script}");
}

/// The whole ruleset of a host, without handles, counter values and other passing state.
#[track_caller]
pub(crate) fn ruleset(host: &Host) -> String {
    host.must("nft", &["-s", "list", "ruleset"], "")
}

/// One table (`inet rfw`) with counter values, without handles.
#[track_caller]
pub(crate) fn table(host: &Host, name: &str) -> String {
    let mut arguments = vec!["list", "table"];
    arguments.extend(name.split(' '));
    host.must("nft", &arguments, "")
}

/// One table in every detail that nft shows, handles and counters too: all but the time that is
/// left to an element, in seconds, which goes by under any eyes.
#[track_caller]
pub(crate) fn table_json(host: &Host, name: &str) -> String {
    let mut arguments = vec!["-j", "-a", "list", "table"];
    arguments.extend(name.split(' '));
    let listing = host.must("nft", &arguments, "");
    let mut parts = listing.split("\"expires\": ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "\"expires\": …" + part.trim_start_matches(|it: char| it.is_ascii_digit())
    })
}

/// The packets counted by the rule whose line in `nft list` contains `text`: exactly one rule must.
#[track_caller]
pub(crate) fn packets(host: &Host, table_name: &str, text: &str) -> u64 {
    let listing = table(host, table_name);
    let lines: Vec<&str> = listing
        .lines()
        .filter(|line| line.contains(text) && line.contains("packets "))
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{} counted rules contain {text:?}:\n{listing}", lines.len())
    };
    let (_, after) = line.split_once("packets ").expect("the filter saw it");
    after
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no count in {line:?}"))
}
