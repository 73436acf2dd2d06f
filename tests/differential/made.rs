//! Policies by chance, packets by chance: by the program that was compiled as well as by the table that the kernel lists.

use std::time::Duration;

use jiff::civil::date;
use proptest::strategy::{Strategy, ValueTree};
use rfw::bytecode::linearize;
use rfw::diagnostic::SourceText;
use rfw::evaluate::{Choices, Firewall, Within, evaluate};
use rfw::kernel::Kernel;
use rfw::netlink::Netlink;
use rfw::ruleset::{Valid, validate};

use super::field::{FIRST, Field, LINKS, after, chance, packet};
use super::given;
use super::ledger::Ledger;
use crate::support::wire::Sent;
use crate::support::{alone_for, nft, policies};

/// Packets to each policy.
const PACKETS: usize = 60;
/// Policies in a usual run: 2,400 packets.
const POLICIES: usize = 40;
pub(super) fn compile(text: &str) -> Option<Valid> {
    let source = SourceText {
        name: "made.yaml".to_owned(),
        text: text.into(),
    };
    let policy = rfw::policy::parse(&[source]).policy?;
    let (compiled, _) = rfw::compile::compile(policy, date(2026, 11, 24));
    Some(validate(compiled?.ruleset).expect("the ruleset keeps the contract"))
}

#[test]
fn the_kernel_does_what_the_evaluator_says() {
    let count = given("RFW_DIFFERENTIAL_POLICIES", POLICIES);
    let seed = given("RFW_DIFFERENTIAL_SEED", 1) as u64;
    let bound = Duration::from_secs(120 + 3 * count as u64);
    alone_for(bound, || run(count, seed));
}

fn run(count: usize, seed: u64) {
    let (mut runner, mut dice) = chance(seed, 7);
    let field = Field::new(&LINKS);
    let choices = Choices {
        rates: Within::Either,
        connections: Within::Either,
        ..Choices::default()
    };
    let (mut id, mut done) = (FIRST, 0);
    let mut ledger = Ledger::default();
    while done < count {
        let text = policies::policy().new_tree(&mut runner).unwrap().current();
        let Some(ruleset) = compile(&text) else {
            continue;
        };
        done += 1;
        nft::load(&field.center, &rfw::nft::script(ruleset.ruleset()));
        let live = field
            .center
            .run(|| Netlink::open().unwrap().observe().unwrap());
        let table = live.table.expect("the table of rfw");
        let firewalls = [
            Firewall::new().with_program(linearize(ruleset.into_ruleset())),
            Firewall::new().with_table(1, "rfw", table),
        ];
        let batch: Vec<(u16, usize, Sent)> = (0..PACKETS)
            .map(|_| {
                id = after(id);
                let (link, sent) = dice.packet(id);
                (id, link, sent)
            })
            .collect();
        for (link, sent, events) in field.try_all(batch) {
            let packet = packet(LINKS[link].0, &sent);
            for firewall in &firewalls {
                let evaluation = evaluate(firewall, &packet, &field.environment, &choices);
                ledger.hold(&evaluation, (LINKS[link].0, &sent), &events, &text);
            }
            ledger.count(&events);
        }
    }
    ledger.close(&format!("{done} policies, seed {seed}"));
    ledger.assert_all_kinds();
}
