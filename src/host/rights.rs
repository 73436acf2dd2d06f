//! What this process may do, and who else may write what it trusts.
#![expect(
    clippy::disallowed_methods,
    reason = "looks at its own process and at files"
)]

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::health::{Rights, TrustedFile, TrustedKind};

/// `CAP_NET_ADMIN` of linux/capability.h.
const NET_ADMIN: u32 = 12;
/// Files of a policy are looked at down to here, and so many at most.
const DEEPEST: u32 = 8;
const MOST: usize = 10_000;

/// The rights of this process, and those of others to the policy, the state directory and what says whom to trust.
///
/// # Errors
/// When this process cannot be looked at.
pub fn rights(policy: &Path, state: &Path, trust: &[&Path]) -> io::Result<Rights> {
    let status = fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let capabilities = field("CapEff:").and_then(|set| u64::from_str_radix(&set, 16).ok());
    // Real, effective, …
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let user = user.and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok());
    let mut files = Vec::new();
    walk(policy, DEEPEST, &mut files);
    files.extend(file(state, TrustedKind::State));
    files.extend(
        trust
            .iter()
            .filter_map(|path| file(path, TrustedKind::Trust)),
    );
    Ok(Rights {
        net_admin: capabilities.is_some_and(|set| set & (1 << NET_ADMIN) != 0),
        user: user.unwrap_or(0),
        files,
    })
}

fn walk(path: &Path, deeper: u32, files: &mut Vec<TrustedFile>) {
    if MOST <= files.len() {
        return;
    }
    let Some(this) = file(path, TrustedKind::Policy) else {
        return;
    };
    files.push(this);
    let Some(deeper) = deeper.checked_sub(1).filter(|_| path.is_dir()) else {
        return;
    };
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut below: Vec<_> = entries.map(|entry| entry.path()).collect();
    below.sort();
    for path in below {
        // What a link leads to is no part of the policy unless it is inside, where it is met.
        if !path.is_symlink() {
            walk(&path, deeper, files);
        }
    }
}

fn file(path: &Path, kind: TrustedKind) -> Option<TrustedFile> {
    let metadata = fs::metadata(path).ok()?;
    Some(TrustedFile {
        path: path.display().to_string(),
        kind,
        mode: metadata.mode(),
        owner: metadata.uid(),
    })
}
