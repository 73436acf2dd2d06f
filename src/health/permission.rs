//! Who may do what: rfw to the kernel, and others to what rfw believes.

use super::{Facts, Finding, Severity};

/// A file or directory that rfw trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedFile {
    /// Its path.
    pub path: String,
    /// What it is to rfw.
    pub kind: TrustedKind,
    /// The permission bits.
    pub mode: u32,
    /// Who owns it.
    pub owner: u32,
}

/// What a file is to rfw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedKind {
    /// The policy, or one of its files or directories.
    Policy,
    /// The state directory.
    State,
    /// What says whom to trust: the keys that sign, or the box's own file.
    Trust,
}

/// What rfw runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Whether it may change the ruleset here.
    pub net_admin: bool,
    /// Its effective user.
    pub user: u32,
    /// What it trusts, as far as it is there.
    pub files: Vec<TrustedFile>,
}

const CHECK: &str = "permission";
/// Whoever is not the owner may write.
const WRITABLE: u32 = 0o022;
/// Whoever is not the owner may do anything.
const ANY: u32 = 0o077;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.rights {
        Ok(rights) => permissions(rights),
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

fn permissions(rights: &Rights) -> Vec<Finding> {
    let Rights {
        net_admin,
        user,
        files,
    } = rights;
    let mut findings = Vec::new();
    if !net_admin {
        let message = "no CAP_NET_ADMIN: rfw can neither read nor change the ruleset";
        findings.push(
            Finding::new(CHECK, Severity::Note, message)
                .advice("run it as root, or give its service CAP_NET_ADMIN"),
        );
    }
    findings.extend(files.iter().filter_map(|file| trusted(file, *user)));
    if findings.is_empty() {
        let message = format!(
            "nobody else may write what rfw trusts ({} looked at)",
            files.len()
        );
        findings.push(Finding::new(CHECK, Severity::Ok, message));
    }
    findings
}

fn trusted(file: &TrustedFile, user: u32) -> Option<Finding> {
    let TrustedFile {
        path,
        kind,
        mode,
        owner,
    } = file;
    let (bad, what) = match kind {
        TrustedKind::Policy => (
            WRITABLE,
            "whoever may write it decides what the firewall lets pass",
        ),
        TrustedKind::State => (
            ANY,
            "it holds what rfw believes of the kernel, and the copies of lists",
        ),
        TrustedKind::Trust => (WRITABLE, "whoever may write it decides whom rfw believes"),
    };
    let warn = |message: String, advice: &str| {
        Some(Finding::new(CHECK, Severity::Warning, message).advice(advice))
    };
    if *owner != 0 && *owner != user {
        let message = format!("`{path}` belongs to user {owner}: {what}");
        return warn(message, &format!("`chown root {path}`"));
    }
    if mode & bad != 0 {
        let message = format!("`{path}` has mode {:04o}: {what}", mode & 0o7777);
        let advice = match kind {
            TrustedKind::State => format!("`chmod 0700 {path}`"),
            TrustedKind::Policy | TrustedKind::Trust => format!("`chmod go-w {path}`"),
        };
        return warn(message, &advice);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Rights, TrustedFile, TrustedKind, permissions};

    #[track_caller]
    fn check(kind: TrustedKind, mode: u32, owner: u32, expect: &str) {
        let rights = Rights {
            net_admin: true,
            user: 7,
            files: vec![TrustedFile {
                path: "/p".into(),
                kind,
                mode,
                owner,
            }],
        };
        let findings = permissions(&rights);
        let said = findings
            .iter()
            .map(|it| format!("{:?}: {}", it.severity, it.message));
        assert_eq!(said.collect::<Vec<_>>().join("\n"), expect);
    }

    #[test]
    fn what_others_may_write_is_told() {
        const WELL: &str = "Ok: nobody else may write what rfw trusts (1 looked at)";
        check(TrustedKind::Policy, 0o100_644, 0, WELL);
        check(TrustedKind::Policy, 0o100_644, 7, WELL);
        check(TrustedKind::State, 0o40_700, 0, WELL);
        check(
            TrustedKind::Policy,
            0o100_664,
            0,
            "Warning: `/p` has mode 0664: whoever may write it decides what the firewall lets pass",
        );
        check(
            TrustedKind::Trust,
            0o100_602,
            0,
            "Warning: `/p` has mode 0602: whoever may write it decides whom rfw believes",
        );
        check(
            TrustedKind::State,
            0o40_750,
            0,
            "Warning: `/p` has mode 0750: it holds what rfw believes of the kernel, and the copies of lists",
        );
        check(
            TrustedKind::Policy,
            0o100_600,
            8,
            "Warning: `/p` belongs to user 8: whoever may write it decides what the firewall lets pass",
        );
    }
}
