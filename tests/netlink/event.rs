//! Who hears of commits: a listener of all but its own process's, and of what it could not hear that there was something.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rfw::kernel::Kernel;
use rfw::live::Generation;
use rfw::netlink::{Netlink, RulesetEvent, RulesetEvents};

use super::{add_chain, add_table, nft};
use crate::support::alone;

/// Generations of the commits that a listener hears, and a kernel whose commits it does not.
fn listener() -> (Receiver<u32>, Netlink) {
    let mut events = RulesetEvents::open().unwrap();
    let mut kernel = Netlink::open().unwrap();
    kernel.shut_while_committing(events.ears());
    let (sender, heard) = channel();
    thread::spawn(move || {
        while let Ok(events) = events.wait() {
            for event in events {
                let RulesetEvent::Commit(commit) = event else {
                    panic!("events were lost");
                };
                if sender.send(commit.generation).is_err() {
                    return;
                }
            }
        }
    });
    (heard, kernel)
}

#[test]
fn own_commits_are_not_heard_and_those_of_others_are() {
    alone(|| {
        let (heard, mut kernel) = listener();
        let next = || heard.recv_timeout(Duration::from_secs(5)).unwrap();
        let base = kernel.generation().unwrap();
        let own = kernel.commit(base, &[add_table()]).unwrap();
        nft(&["add", "table", "ip", "other"], "");
        assert_eq!(next(), own.0 + 1, "the first that is heard is nft's");
        assert!(!kernel.has_missed());

        // A batch that is refused closes nothing for good.
        let now = Generation(own.0 + 1);
        kernel
            .commit(now, &[add_chain("c"), add_chain("c")])
            .unwrap_err();
        nft(&["delete", "table", "ip", "other"], "");
        assert_eq!(next(), now.0 + 1);
        assert!(!kernel.has_missed());
    });
}

#[test]
fn what_cannot_be_told_from_own_commits_is_missed() {
    alone(|| {
        let (heard, mut kernel) = listener();
        let base = kernel.generation().unwrap();
        nft(&["add", "table", "ip", "other"], "");
        // Somebody was quicker, and it might have been just now.
        kernel.commit(base, &[add_table()]).unwrap_err();
        assert!(kernel.has_missed());
        assert!(!kernel.has_missed(), "once");
        heard.recv_timeout(Duration::from_secs(5)).unwrap();
    });
}

/// What was lost may be the beginning of a commit whose end is heard.
#[test]
fn after_a_loss_commits_are_heard_in_part_until_it_is_quiet() {
    alone(|| {
        let mut events = RulesetEvents::open().unwrap();
        make_noise(|script| _ = nft(&["-f", "-"], script));
        assert_eq!(events.wait().unwrap(), [RulesetEvent::Lost]);
        let mut heard = || {
            let heard = events.wait().unwrap().into_iter();
            let whole = heard.map(|event| match event {
                RulesetEvent::Commit(commit) => commit.is_whole,
                RulesetEvent::Lost => false,
            });
            whole.collect::<Vec<bool>>()
        };
        let mut commits = Vec::new();
        while of_listeners(WAITING) != 0 {
            commits.extend(heard());
        }
        assert!(
            commits.contains(&false) && !commits.contains(&true),
            "{commits:?}"
        );
        assert_eq!(heard(), [false; 0], "it is quiet");
        let mut commits = Vec::new();
        for name in ["a", "b", "c"] {
            nft(&["add", "table", "ip", name], "");
        }
        while commits.len() < 3 {
            commits.extend(heard());
        }
        assert_eq!(commits, [false, true, true]);
    });
}

/// Has nft commit to a table of its own until the kernel cannot tell a listener of this namespace any more, who does not listen
/// meanwhile.
pub(crate) fn make_noise(load: impl Fn(&str)) {
    let elements: Vec<String> = (0..1_000).map(|nth: u32| nth.to_string()).collect();
    let elements = elements.join(", ");
    let script = format!(
        "add table ip noise; add set ip noise s {{ type mark; elements = {{ {elements} }}; }}; delete table ip noise"
    );
    let mut rounds = 0;
    while of_listeners(DROPPED) == 0 {
        assert!(rounds < 2_000, "nothing is lost");
        load(&script);
        rounds += 1;
    }
}

/// Columns of `/proc/net/netlink`: bytes that wait to be read, messages that found no room.
const WAITING: usize = 4;
const DROPPED: usize = 8;

/// What the kernel counts of the listeners to nf_tables in this namespace.
fn of_listeners(column: usize) -> u64 {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let words = sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words[1] == "12" && words[3] == "00000040")
        .map(|words| words[column].parse::<u64>().unwrap())
        .sum()
}
