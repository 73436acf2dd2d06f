//! Schedules in the kernel, on both sides of the second at which they open and close.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::support::gate::Gate;
use super::support::{alone, serve, tcp, udp};

/// A moment that is about to come, in whole seconds.
#[derive(Clone, Copy)]
struct Soon(i64);

impl Soon {
    fn in_seconds(seconds: i64) -> Self {
        Self(Timestamp::now().as_second() + 1 + seconds)
    }

    fn later(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }

    /// As a schedule writes it.
    fn time(self, zone: &str) -> String {
        let moment = Timestamp::from_second(self.0).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        moment
            .to_zoned_datetime(zone)
            .strftime("%H:%M:%S")
            .to_string()
    }

    /// Whether it has come.
    fn is_over(self) -> bool {
        self.0 * 1000 <= Timestamp::now().as_millisecond()
    }

    /// Waits until so many milliseconds after it, or before; `None` if that is over.
    #[track_caller]
    fn wait(self, milliseconds: i64) -> Option<()> {
        let left = self.0 * 1000 + milliseconds - Timestamp::now().as_millisecond();
        let left = u64::try_from(left).ok()?;
        assert!(left < 120_000, "a moment that is soon");
        thread::sleep(Duration::from_millis(left));
        Some(())
    }
}

/// Tries with more and more seconds until the moment: `attempt` gives up when the machine was too slow to tell.
#[track_caller]
fn in_time(attempt: impl Fn(i64) -> Option<()>) {
    let mut seconds = [4, 8, 16, 32].into_iter();
    assert!(
        seconds.any(|seconds| attempt(seconds).is_some()),
        "the machine is too slow: the moment is over each time"
    );
}

/// By so many milliseconds the kernel's clock of seconds is late at most, with some to spare.
const LATE: i64 = 30;

/// A port that is closed for now is known to be so after this time.
const SHORT: Duration = Duration::from_millis(200);

/// Echoes, or how it failed.
fn echo(stream: &mut TcpStream, text: &[u8; 4]) -> Result<(), ErrorKind> {
    let mut back = [0; 4];
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    stream.write_all(text).map_err(|error| error.kind())?;
    stream.read_exact(&mut back).map_err(|error| error.kind())?;
    assert_eq!(&back, text);
    Ok(())
}

/// The kernel holds what the policy says, element by element.
#[track_caller]
fn nothing_to_do(gate: &Gate) {
    let arguments = [
        "plan",
        "--policy",
        "policy.yaml",
        "--detailed-exitcode",
        "--full",
    ];
    let plan = gate.rfw(&arguments);
    assert_eq!(plan.code(), 0, "{}", plan.stdout);
}

#[test]
fn a_rule_is_there_from_the_second_it_opens_to_the_second_it_closes() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        for port in [1000, 2000] {
            serve::tcp(&gate.gateway, port);
        }
        let zone = "Asia/Kathmandu";
        in_time(|seconds| {
            let open = Soon::in_seconds(seconds);
            let close = open.later(3);
            let (from, to) = (open.time(zone), close.time(zone));
            gate.apply(&format!(
                "timezone: {zone}
schedules:
  inside: {{ from: \"{from}\", to: \"{to}\" }}
  outside: {{ from: \"{to}\", to: \"{from}\" }}
policies:
  - name: in
    from: wan
    to: firewall
    default: drop
    rules:
      - {{ name: inside, services: [{{ tcp: [1000] }}], schedule: inside, action: accept }}
      - {{ name: outside, services: [{{ tcp: [2000] }}], schedule: outside, action: accept }}
"
            ));
            let seen = |address: &str, port: u16| {
                let to = format!("{address}:{port}");
                let outcome = tcp::probe_with(&gate.internet, None, &to, SHORT);
                matches!(outcome, tcp::Connection::Open(_))
            };
            let (v4, v6) = ("203.0.113.10", "[2001:db8:0:1::10]");
            let check = |moment: Soon, milliseconds: i64, address: &str, inside: bool| {
                moment.wait(milliseconds)?;
                // The one that is open first: it takes no time.
                let ports = if inside { [1000, 2000] } else { [2000, 1000] };
                let found = ports.map(|port| seen(address, port));
                let next = if milliseconds < 0 { moment } else { close };
                if !next.is_over() || moment.0 == close.0 && 0 <= milliseconds {
                    assert_eq!(found, [true, false], "{milliseconds} ms, inside: {inside}");
                    return Some(());
                }
                None
            };
            check(open, -800, v4, false)?;
            check(open, -350, v6, false)?;
            check(open, LATE, v4, true)?;
            check(open, 400, v6, true)?;
            check(close, -350, v4, true)?;
            check(close, LATE, v6, false)?;
            check(close, 400, v4, false)
        });
        nothing_to_do(&gate);
    });
}

#[test]
fn connections_of_a_closed_schedule_are_cut_and_others_live_on() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        for host in [&gate.internet, &gate.gateway] {
            for port in [1000, 2000] {
                serve::tcp_echo(host, port);
            }
        }
        serve::udp(&gate.internet, 1000);
        in_time(|seconds| {
            let close = Soon::in_seconds(seconds + 2);
            let (from, to) = (close.later(-3600).time("UTC"), close.time("UTC"));
            let policy = |name: &str, from: &str, to: &str| {
                format!(
                    "  - name: {name}
    from: {from}
    to: {to}
    default: drop
    rules:
      - {{ name: cut, services: [{{ tcp: [1000], udp: [1000] }}], schedule: short, action: accept }}
      - {{ name: keep, services: [{{ tcp: [2000] }}], schedule: kept, action: accept }}
"
                )
            };
            gate.apply(&format!(
                "timezone: UTC
schedules:
  short: {{ from: \"{from}\", to: \"{to}\", on_end: cut }}
  kept: {{ from: \"{from}\", to: \"{to}\", on_end: keep }}
policies:
{}{}{}",
                policy("out", "lan", "wan"),
                policy("in", "wan", "firewall"),
                policy("own", "firewall", "wan"),
            ));
            let ways = [
                (&gate.ordinary, "203.0.113.7"),
                (&gate.ordinary, "[2001:db8:0:1::7]"),
                (&gate.internet, "203.0.113.10"),
                (&gate.internet, "[2001:db8:0:1::10]"),
                (&gate.gateway, "203.0.113.7"),
                (&gate.gateway, "[2001:db8:0:1::7]"),
            ];
            let open = |port: u16| ways.map(|(host, to)| tcp::open(host, &format!("{to}:{port}")));
            let (mut cut, mut kept) = (open(1000), open(2000));
            for stream in cut.iter_mut().chain(&mut kept) {
                assert_eq!(echo(stream, b"open"), Ok(()));
            }
            let datagram = || udp::probe(&gate.ordinary, "203.0.113.7:1000").to_string();
            assert_eq!(datagram(), "reply: internet 192.168.2.50");
            let talking = gate.ordinary.run(|| {
                let socket = std::net::UdpSocket::bind("192.168.2.50:4000").unwrap();
                socket.connect("203.0.113.7:1000").unwrap();
                socket
                    .set_read_timeout(Some(Duration::from_millis(300)))
                    .unwrap();
                socket
            });
            let talk = || {
                talking.send(b"hello").unwrap();
                talking.recv(&mut [0; 64]).is_ok()
            };
            assert!(talk());
            close.wait(-150)?;
            let before = talk();
            let last = cut.iter_mut().take(2).map(|stream| echo(stream, b"last"));
            let last: Vec<_> = last.collect();
            if close.is_over() {
                return None;
            }
            assert!(before, "a tick before the end");
            assert_eq!(last, [Ok(()), Ok(())]);
            close.wait(LATE)?;
            assert!(!talk(), "an end that nobody tells");
            for (way, stream) in cut.iter_mut().enumerate() {
                assert_eq!(
                    echo(stream, b"over"),
                    Err(ErrorKind::ConnectionReset),
                    "way {way}"
                );
            }
            for stream in &mut kept {
                assert_eq!(echo(stream, b"kept"), Ok(()));
            }
            for (host, to) in ways.into_iter().take(4) {
                for port in [1000, 2000] {
                    let outcome = tcp::probe(host, &format!("{to}:{port}"));
                    assert_eq!(outcome, tcp::Connection::Filtered, "a new one");
                }
            }
            nothing_to_do(&gate);
            Some(())
        });
    });
}

/// nft writes the times in the zone of its reader, whatever it is, and nothing else.
#[test]
fn nft_lists_times_that_can_be_read_in_every_zone() {
    alone(|| {
        let gate = Gate::new(
            "timezone: Europe/Helsinki
schedules: { office-hours: { days: [mon, tue], from: \"08:00\", to: \"17:00\" } }
policies:
  - name: in
    from: wan
    to: firewall
    rules: [{ name: web, services: [http], schedule: office-hours, action: accept }]
",
        );
        let listed = |zone: &str, set: &str| {
            let (zone, set) = (format!("TZ={zone}"), format!("schedule/office-hours.{set}"));
            let arguments = [&zone, "nft", "list", "set", "inet", "rfw", &set];
            let listing = gate.gateway.must("env", &arguments, "");
            let (_, elements) = listing.split_once("elements = { ").unwrap();
            let (elements, _) = elements.split_once(" }").unwrap();
            let lines = elements.split(',').map(|line| line.trim().to_owned());
            lines.collect::<Vec<_>>()
        };
        let check = |zone: &str, first: [&str; 2], week: [&str; 2]| {
            for ((set, first), week) in ["plus2", "plus3"].into_iter().zip(first).zip(week) {
                let times = listed(zone, set);
                assert!([15, 16].contains(&times.len()));
                assert_eq!(times[0], first);
                assert_eq!(listed(zone, &format!("{set}.week")), [week]);
            }
        };
        check(
            "Europe/Helsinki",
            [
                "\"2026-01-05 08:00:00\"-\"2026-03-24 17:00:00\"",
                "\"2026-03-30 08:00:00\"-\"2026-10-20 17:00:00\"",
            ],
            [
                "1-2 . \"08:00\"-\"16:59:59\"",
                "1-2 . \"07:00\"-\"15:59:59\"",
            ],
        );
        check(
            "America/New_York",
            [
                "\"2026-01-05 01:00:00\"-\"2026-03-24 11:00:00\"",
                "\"2026-03-30 01:00:00\"-\"2026-10-20 10:00:00\"",
            ],
            [
                "1-2 . \"01:00\"-\"09:59:59\"",
                "1-2 . \"00:00\"-\"08:59:59\"",
            ],
        );
        check(
            "Pacific/Kiritimati",
            [
                "\"2026-01-05 20:00:00\"-\"2026-03-25 05:00:00\"",
                "\"2026-03-30 19:00:00\"-\"2026-10-21 04:00:00\"",
            ],
            [
                "1-2 . \"20:00\"-\"04:59:59\"",
                "1-2 . \"19:00\"-\"03:59:59\"",
            ],
        );
        // Whoever loads our text, wherever: the kernel holds the same.
        let script = gate.must(&["render", "--policy", "policy.yaml"]);
        let kernel_has = || {
            let sets = ["plus2", "plus2.week", "plus3", "plus3.week"];
            let listings = sets.map(|set| {
                let set = format!("schedule/office-hours.{set}");
                let list = ["--debug=netlink", "list", "set", "inet", "rfw", &set];
                gate.gateway.must("nft", &list, "")
            });
            // nft adds an end below everything, which matches nothing.
            let lines = listings.iter().flat_map(|listing| listing.lines());
            let elements = lines.filter(|line| line.contains("element "));
            elements
                .filter(|line| !line.contains("element 00000000 00000000"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let applied = kernel_has();
        assert!(applied.len() > 2 * 31, "{applied:?}");
        for zone in ["TZ=America/New_York", "TZ=Asia/Kathmandu"] {
            gate.gateway.must("env", &[zone, "nft", "-f", "-"], &script);
            assert!(kernel_has() == applied, "{zone}");
        }
    });
}

/// nft before 1.1.0 shows an hour west of Greenwich as garbage where it is the day before there: `"1193044:28:16"`. Those are not
/// used; a schedule that would need them is told day by day.
#[test]
fn nft_lists_no_garbage_west_of_greenwich() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        let lines = |times: &str| {
            gate.apply(&format!(
                "timezone: America/New_York
schedules: {{ s: {{ {times} }} }}
policies:
  - name: in
    from: wan
    to: firewall
    rules: [{{ name: web, services: [http], schedule: s, action: accept }}]
"
            ));
            let list = ["TZ=America/New_York", "nft", "list", "ruleset"];
            let listing = gate.gateway.must("env", &list, "");
            let hour = |text: &str| {
                text.rsplit(' ')
                    .next()?
                    .split(':')
                    .next()?
                    .parse::<u32>()
                    .ok()
            };
            let hours: Vec<u32> = listing.split('"').filter_map(hour).collect();
            assert!(hours.iter().all(|hour| *hour < 24), "{times}: {listing}");
            hours.len() / 2
        };
        let work = "days: [mon, tue, wed, thu, fri], from: '08:00', to: '18:00'";
        assert_eq!(lines(work), 31 + 2);
        assert_eq!(lines("from: '20:00', to: '23:00'"), 5_479);
    });
}

/// The short way, on which neither policy nor kernel are read, says it too.
#[test]
fn plans_say_what_comes_next() {
    alone(|| {
        let gate = Gate::new("policies: []\n");
        let later = Soon::in_seconds(3600);
        let (from, to) = (later.time("UTC"), later.later(60).time("UTC"));
        gate.apply(&format!(
            "timezone: UTC
schedules:
  soon: {{ from: \"{from}\", to: \"{to}\" }}
  now: {{ from: \"{to}\", to: \"{from}\" }}
  over: {{ dates: [2026-03-10] }}
policies:
  - name: in
    from: wan
    to: firewall
    rules:
      - {{ name: a, services: [http], schedule: soon, action: accept }}
      - {{ name: b, services: [https], schedule: now, action: accept }}
      - {{ name: c, services: [ssh], schedule: over, action: accept }}
"
        ));
        let moment = Timestamp::from_second(later.0).unwrap();
        let day = moment
            .to_zoned_datetime(TimeZone::UTC)
            .strftime("%a %Y-%m-%d")
            .to_string();
        let time = from.strip_suffix(":00").unwrap_or(&from);
        let expect = format!(
            "no changes\nnext: now closes {day} {time} UTC\nnext: soon opens {day} {time} UTC\n"
        );
        for arguments in [
            &["plan", "--policy", "policy.yaml"][..],
            &["plan", "--policy", "policy.yaml", "--full"],
        ] {
            let told = gate.must(arguments);
            assert!(told.ends_with(&expect), "{told}\n{expect}");
        }
        let json = gate.must(&["plan", "--policy", "policy.yaml", "--format", "json"]);
        let view: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(view["next"][0]["schedule"], "now");
        assert_eq!(view["next"][0]["opens"], false);
        assert_eq!(view["next"][0]["at"], moment.to_string());
        assert_eq!(view["next"][1]["opens"], true);
    });
}

#[test]
fn a_window_made_by_hand_is_seen_and_closed() {
    alone(|| {
        let gate = Gate::new(
            "timezone: UTC
schedules: { fair: { dates: [2026-03-10], on_end: cut } }
policies:
  - name: in
    from: wan
    to: firewall
    rules: [{ name: web, services: [http], schedule: fair, action: accept }]
",
        );
        serve::tcp(&gate.gateway, 80);
        let probe = || tcp::probe(&gate.internet, "203.0.113.10:80").to_string();
        let plan = || {
            let arguments = ["plan", "--policy", "policy.yaml", "--detailed-exitcode"];
            gate.rfw(&arguments).code()
        };
        assert_eq!((probe().as_str(), plan()), ("filtered", 0));
        let open = "1767225600-4102444800";
        let nft = |script: &str| gate.gateway.must("nft", &["-f", "-"], script);
        nft(&format!(
            "flush set inet rfw schedule/fair\nadd element inet rfw schedule/fair {{ {open} }}"
        ));
        assert_eq!((probe().as_str(), plan()), ("open: gateway 203.0.113.7", 2));
        gate.must(&["apply", "--policy", "policy.yaml"]);
        assert_eq!((probe().as_str(), plan()), ("filtered", 0));
        nft("flush chain inet rfw cut/fair");
        assert_eq!(plan(), 2);
        gate.must(&["apply", "--policy", "policy.yaml"]);
        assert_eq!(plan(), 0);
    });
}
