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
