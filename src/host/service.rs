//! Units of systemd, as its files tell, without asking it.
#![expect(clippy::disallowed_methods, reason = "looks at systemd's directories")]

use std::fs;
use std::io;
use std::path::Path;

use crate::health::{SERVICES, Service};

/// Where links say what is started at boot.
const UNITS: [&str; 2] = ["etc/systemd/system", "run/systemd/system"];
/// Where nft's service finds its rules, on Debian and on Red Hat.
const NFTABLES: [&str; 3] = [
    "etc/nftables.conf",
    "etc/sysconfig/nftables.conf",
    "etc/nftables/main.nft",
];

/// The services that write to the ruleset, below a root directory.
///
/// # Errors
/// When a directory is there and cannot be read.
pub fn services(root: &Path) -> io::Result<Vec<Service>> {
    let mut enabled = Vec::new();
    for units in UNITS {
        for directory in names(&root.join(units))? {
            // `multi-user.target.wants`, and so on.
            if directory.ends_with(".wants") || directory.ends_with(".requires") {
                enabled.extend(names(&root.join(units).join(directory))?);
            }
        }
    }
    let services = SERVICES.into_iter().map(|name| {
        let unit = format!("{name}.service");
        let is_masked = UNITS.iter().any(|units| {
            let link = fs::read_link(root.join(units).join(&unit));
            link.is_ok_and(|to| to == Path::new("/dev/null"))
        });
        // systemd keeps a link to the invocation of each unit that is active.
        let invocation = root
            .join("run/systemd/units")
            .join(format!("invocation:{unit}"));
        Service {
            name,
            enabled: !is_masked && enabled.contains(&unit),
            active: fs::symlink_metadata(invocation).is_ok(),
            flushes: (name == "nftables").then(|| flushing(root)).flatten(),
        }
    });
    Ok(services.collect())
}

/// The file of nft's service that empties the ruleset.
fn flushing(root: &Path) -> Option<String> {
    NFTABLES.into_iter().find_map(|path| {
        let text = fs::read_to_string(root.join(path)).ok()?;
        let flushes = text.lines().any(|line| {
            let code = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = code.trim_end_matches(';').split_whitespace().collect();
            words.starts_with(&["flush", "ruleset"])
        });
        flushes.then(|| format!("/{path}"))
    })
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}
