//! `rfw trace`: one packet through the policy.

mod here;
mod line;
mod live;
mod packet;
mod rule;
mod view;
mod words;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;

pub(super) use view::schema;

use super::error::Failure;
use super::output::Output;
use super::places::{self, Places};
use super::plan::Format;
use super::{Global, policy};
use crate::bytecode::linearize_with;
use crate::evaluate::{Choices, Firewall, Within, evaluate};

/// Follow one packet through the policy: every rule it meets, what becomes of it, and why
///
/// Needs neither root nor the kernel, but for raw rules and for `--live`. Where chance decides, all outcomes are told. Exits with 0
/// whatever becomes of the packet.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where it comes from: a zone or `firewall`, an address, or both
    #[arg(long, value_name = "ZONE ADDRESS", num_args = 1..=3, required = true)]
    from: Vec<String>,
    /// Where it goes: a zone or `firewall`, an address, or both
    #[arg(long, value_name = "ZONE ADDRESS", num_args = 1..=3, required = true)]
    to: Vec<String>,
    /// What it is: `tcp/443`, `udp/53`, `icmp/echo-request`, `gre`
    #[arg(value_name = "PROTOCOL/PORT")]
    what: Option<String>,
    /// The state of its connection
    #[arg(long, value_name = "STATE", default_value = "new", value_parser = ["new", "established", "related", "invalid", "untracked"])]
    state: String,
    /// When it comes, in the time zone of the policy: `2026-03-27 12:00` [default: now]
    #[arg(long, value_name = "MOMENT")]
    at: Option<DateTime>,
    /// On what the kernel holds now: all tables, also those of others, with the box's interfaces, addresses and routes; needs
    /// CAP_NET_ADMIN
    #[arg(long)]
    live: bool,
    /// An address of the box; may be given again
    #[arg(long, value_name = "ADDRESS", conflicts_with = "live")]
    own: Vec<std::net::IpAddr>,
    /// The source port
    #[arg(long, value_name = "PORT", default_value_t = 40_000)]
    source_port: u16,
    /// As if all limits were used up
    #[arg(long)]
    over_limits: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let texts = policy::read(global)?;
    let counted = places::counted(&texts).map_or_else(Vec::new, |(counted, _)| counted);
    let (loaded, ruleset) = policy::load(texts, global, output)?;
    let moment = moment(arguments, &loaded)?;
    let mut ruleset = ruleset.into_ruleset();
    if arguments.live && ruleset.offloads() && !live::has_flowtables()? {
        ruleset = ruleset.without_offload();
    }
    let program = linearize_with(ruleset, &loaded.raw);
    let places = Places::new(&loaded.sources, &loaded.locations, counted);
    let rates = if arguments.over_limits {
        Within::Over
    } else {
        Within::Within
    };
    let choices = Choices {
        rates,
        connections: rates,
        ..Choices::default()
    };
    let (sent, firewall, alone, places) = if arguments.live {
        let live = live::read(&program)?;
        let sent = here::read(arguments, &loaded.zones, moment, live.environment);
        let mut sent = sent.map_err(Failure::usage)?;
        sent.notes.extend(live.notes);
        sent.notes
            .extend(live::reverse_path(&sent.packet, &sent.environment));
        let places = places.in_kernel(&program);
        (sent, live.firewall, live.alone, places)
    } else {
        let sent = packet::read(arguments, &loaded.zones, moment).map_err(Failure::usage)?;
        let firewall = Firewall::new().with_program(program);
        (sent, firewall, None, places)
    };
    for note in &sent.notes {
        output.note(note);
    }
    let ask = |firewall: &Firewall| evaluate(firewall, &sent.packet, &sent.environment, &choices);
    let evaluation = ask(&firewall);
    let alone = alone.map(|firewall| (ask(&firewall), firewall));
    let view = view::of(
        &sent.packet,
        &evaluation,
        &firewall,
        alone.as_ref(),
        &places,
    );
    match arguments.format {
        Format::Text => output.result(&view.to_string()),
        Format::Json => {
            output.line(&serde_json::to_string_pretty(&view).map_err(Failure::world)?);
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the clock is read"
)]
fn moment(arguments: &Arguments, loaded: &policy::Loaded) -> Result<u64, Failure> {
    let moment = match arguments.at {
        None => Timestamp::now(),
        Some(at) => at
            .to_zoned_datetime(loaded.timezone.clone())
            .map_err(Failure::world)?
            .timestamp(),
    };
    Ok(u64::try_from(moment.as_nanosecond()).unwrap_or(0))
}
