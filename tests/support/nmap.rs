//! nmap's view of a host: what a stranger learns by a scan.

use std::time::Duration;

use super::Host;
use super::program;

/// What a TCP SYN scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Ports that accept.
    pub(crate) open: Vec<u16>,
    /// Ports that refuse, as far as nmap lists them one by one.
    pub(crate) closed: Vec<u16>,
    /// How many say nothing.
    pub(crate) filtered: usize,
}

/// Scans `address` from `host`: `ports` as nmap writes them (`22,80,8000-8010`), or `top-1000`.
#[track_caller]
pub(crate) fn scan(host: &Host, address: &str, ports: &str) -> Scan {
    run(host, &[], address, ports)
}

/// As [`scan`], from one of the host's addresses, which need not be one of its `eth0`.
#[track_caller]
pub(crate) fn scan_from(host: &Host, from: &str, address: &str, ports: &str) -> Scan {
    run(host, &["-e", "eth0", "-S", from], address, ports)
}

/// Runs nmap.
#[track_caller]
fn run(host: &Host, options: &[&str], address: &str, ports: &str) -> Scan {
    let mut command = program::command("nmap");
    // -T5 and one retry: there is no network here that could lose anything.
    command
        .args(["-n", "-Pn", "-sS", "-T5", "--max-retries", "1", "-oG", "-"])
        .args(options);
    match ports.strip_prefix("top-") {
        Some(count) => command.args(["--top-ports", count]),
        None => command.args(["-p", ports]),
    };
    if address.contains(':') {
        command.arg("-6");
    }
    command.arg(address);
    let output = host.run(|| program::run(command, b"", Duration::from_secs(60)));
    assert!(
        output.success(),
        "nmap {address}: {}{}",
        output.stdout,
        output.stderr
    );
    read(&output.stdout)
}

/// Reads the greppable form: `Host: a ()\tPorts: 22/open/tcp//ssh///, …\tIgnored State: filtered (999)`. A state that few
/// ports share is listed port by port, the most frequent one only as a count.
fn read(greppable: &str) -> Scan {
    let line = greppable
        .lines()
        .find(|line| line.contains("Ports: ") || line.contains("Ignored State: "));
    let line = line.unwrap_or_else(|| panic!("nmap found no host: {greppable}"));
    let mut scan = Scan::default();
    for field in line.split('\t') {
        if let Some(ports) = field.strip_prefix("Ports: ") {
            for port in ports.split(", ") {
                let mut parts = port.trim().split('/');
                let number = parts
                    .next()
                    .and_then(|number| number.parse().ok())
                    .expect("a port");
                match parts.next() {
                    Some("open") => scan.open.push(number),
                    Some("closed") => scan.closed.push(number),
                    Some("filtered") => scan.filtered += 1,
                    state => panic!("{state:?} in {line:?}"),
                }
            }
        }
        if let Some(ignored) = field.strip_prefix("Ignored State: filtered (") {
            scan.filtered += ignored
                .trim_end()
                .trim_end_matches(')')
                .parse::<usize>()
                .expect("a number");
        }
    }
    scan
}

#[cfg(test)]
mod tests {
    use super::{Scan, read};

    #[test]
    fn the_greppable_form_is_read() {
        let text = "# Nmap 7.93 scan\nHost: 203.0.113.10 ()\tStatus: Up\nHost: 203.0.113.10 ()\t\
                    Ports: 22/open/tcp//ssh///, 80/closed/tcp//http///, 81/filtered/tcp/////\t\
                    Ignored State: filtered (997)\n# done\n";
        assert_eq!(
            read(text),
            Scan {
                open: vec![22],
                closed: vec![80],
                filtered: 998
            }
        );
    }
}
