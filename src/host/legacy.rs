//! The rules of iptables-legacy: the kernel names their tables, and only iptables' own program reads them.
#![expect(
    clippy::disallowed_methods,
    reason = "reads /proc/net, and runs the program that shows the rules"
)]

use std::env;
use std::fs;
use std::io;
use std::process::{Command, Stdio};

use crate::health::{Legacy, LegacyTable, legacy_tables};

/// nft's word for the family, where the kernel names the tables of it, and the programs that may show them.
const FAMILIES: [(&str, &str, [&str; 2]); 2] = [
    (
        "ip",
        "/proc/net/ip_tables_names",
        ["iptables-legacy-save", "iptables-save"],
    ),
    (
        "ip6",
        "/proc/net/ip6_tables_names",
        ["ip6tables-legacy-save", "ip6tables-save"],
    ),
];

/// What the kernel holds of them. Nothing is changed: no table comes to be by this.
///
/// # Errors
/// When the kernel does not tell, which it tells root only.
pub fn legacy() -> io::Result<Legacy> {
    let mut all = Vec::new();
    let mut tables = Ok(Vec::new());
    for (family, path, programs) in FAMILIES {
        let names = match fs::read_to_string(path) {
            // The kernel has no such tables, or has not loaded what they need.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            names => names?,
        };
        let names = names.lines().map(|name| format!("{family} {name}"));
        let before = all.len();
        all.extend(names);
        if before < all.len() {
            tables = tables.and_then(|mut tables: Vec<LegacyTable>| {
                tables.extend(legacy_tables(family, &saved(programs)?));
                Ok(tables)
            });
        }
    }
    Ok(Legacy { names: all, tables })
}

/// What is in the tables of a family.
fn saved([legacy, either]: [&str; 2]) -> Result<String, String> {
    match run(legacy, &[]) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        output => return output.map_err(|error| format!("{legacy}: {error}")),
    }
    // Where iptables has only one form, it says which.
    let version = run(either, &["--version"]);
    match version.is_ok_and(|version| !version.contains("nf_tables")) {
        true => run(either, &[]).map_err(|error| format!("{either}: {error}")),
        false => Err(format!("the program {legacy} is not there")),
    }
}

fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let path = env::var("PATH").unwrap_or_default();
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(said.trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
