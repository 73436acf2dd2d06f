//! What the kernel can do, and what rfw loses where it cannot.

use super::{Facts, Finding, Severity};

/// Something that not every kernel has. All are asked for by a dry run, never by the kernel's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// `fib`: the type of an address.
    Fib,
    /// `ct label`.
    Labels,
    /// `limit`.
    Limit,
    /// `log`.
    Log,
    /// `reject`.
    Reject,
    /// Sets that rules fill.
    DynamicSets,
    /// Another timeout and size of a set that rules fill, in place. Kernels before 6.2 take it and do nothing, which no dry run tells:
    /// an apply sees it when it reads back.
    SetBounds,
    /// `snat`, `dnat`.
    Nat,
    /// `masquerade`.
    Masquerade,
    /// `redirect`.
    Redirect,
    /// `tcp option maxseg size set rt mtu`.
    ClampMss,
    /// `numgen`.
    Numgen,
    /// `jhash`.
    Jhash,
    /// `ct count` in a set.
    Connlimit,
    /// A conntrack helper.
    Helper,
    /// Flowtables.
    Flowtable,
    /// `NFT_MSG_DESTROYSETELEM`, since Linux 6.3.
    Destroy,
    /// An acknowledgement of a batch's end, since Linux 6.10.
    EndAck,
    /// `NFT_TABLE_F_OWNER`, since Linux 5.12.
    Owner,
    /// `NFT_TABLE_F_PERSIST`, since Linux 6.9.
    Persist,
}

impl Feature {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 20] = [
        Self::Fib,
        Self::Labels,
        Self::Limit,
        Self::Log,
        Self::Reject,
        Self::DynamicSets,
        Self::SetBounds,
        Self::Nat,
        Self::Masquerade,
        Self::Redirect,
        Self::ClampMss,
        Self::Numgen,
        Self::Jhash,
        Self::Connlimit,
        Self::Helper,
        Self::Flowtable,
        Self::Destroy,
        Self::EndAck,
        Self::Owner,
        Self::Persist,
    ];

    /// What it is called, what is lost without it, and how bad that is.
    fn said(self) -> (&'static str, &'static str, Severity) {
        use Severity::{Error, Note, Warning};
        match self {
            Self::Fib => (
                "fib",
                "forwards and redirects to the box's own addresses are refused",
                Error,
            ),
            Self::Labels => (
                "ct label",
                "rules with `offload`, or with a schedule that is cut, are refused",
                Warning,
            ),
            Self::Limit => ("limit", "rules with `limit`, and logs, are refused", Error),
            Self::Log => ("log", "rules with `log` are refused", Warning),
            Self::Reject => ("reject", "rules that reject are refused", Error),
            Self::DynamicSets => (
                "dynamic sets",
                "limits per source and sets that rules fill are refused",
                Warning,
            ),
            Self::SetBounds => (
                "change of a dynamic set in place",
                "a policy that gives a set another `timeout` or `size` is refused, unless it gives the set another name, too",
                Note,
            ),
            Self::Nat => ("snat and dnat", "address translation is refused", Error),
            Self::Masquerade => ("masquerade", "`nat.masquerade` is refused", Error),
            Self::Redirect => ("redirect", "`nat.redirect` is refused", Error),
            Self::ClampMss => (
                "tcp option maxseg",
                "`nat.masquerade` is refused unless `clamp_mss` is off",
                Warning,
            ),
            Self::Numgen => (
                "numgen",
                "forwards with `balance` by `nth` or `random` are refused",
                Warning,
            ),
            Self::Jhash => (
                "jhash",
                "forwards with `balance` by `source-hash` are refused",
                Warning,
            ),
            Self::Connlimit => ("ct count", "rules with `connlimit` are refused", Warning),
            Self::Helper => (
                "conntrack helpers",
                "rules for services with a helper, such as ftp, are refused",
                Note,
            ),
            Self::Flowtable => (
                "flowtables",
                "`offload` is left out: connections meet the rules as always",
                Note,
            ),
            Self::Destroy => (
                "deletion of elements that may be gone",
                "a plan that removes elements somebody else has removed fails, and is made again",
                Note,
            ),
            Self::EndAck => (
                "acknowledgement of a commit",
                "rfw reads the generation after each commit instead",
                Note,
            ),
            Self::Owner => (
                "tables with an owner",
                "nothing: rfw sees what others change, and undoes it",
                Note,
            ),
            Self::Persist => (
                "tables that outlive their owner",
                "nothing: rfw sees what others change, and undoes it",
                Note,
            ),
        }
    }
}

/// What the kernel said: nothing when it can, else its reason.
pub type FeatureAnswer = (Feature, Option<String>);

const CHECK: &str = "kernel-feature";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.features {
        Ok(answers) => features(answers),
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

fn features(answers: &[FeatureAnswer]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (feature, reason) in answers {
        if let Some(reason) = reason {
            let (name, lost, severity) = feature.said();
            let message = format!("the kernel has no {name} ({reason}): {lost}");
            findings.push(Finding::new(CHECK, severity, message));
        }
    }
    let there = answers.len() - findings.len();
    let message = format!(
        "{there} of {} things that rfw can use are there",
        answers.len()
    );
    findings.insert(0, Finding::new(CHECK, Severity::Ok, message));
    findings
}

#[cfg(test)]
mod tests {
    use super::{Feature, features};

    #[test]
    fn what_is_missing_is_named_with_what_is_lost() {
        let all = Feature::ALL.map(|feature| (feature, None));
        let findings = features(&all);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].message,
            "20 of 20 things that rfw can use are there"
        );
        let some = [
            (Feature::Fib, None),
            (Feature::Jhash, Some("ENOENT".to_owned())),
        ];
        let said: Vec<String> = features(&some)
            .into_iter()
            .map(|it| format!("{:?}: {}", it.severity, it.message))
            .collect();
        assert_eq!(
            said,
            [
                "Ok: 1 of 2 things that rfw can use are there",
                "Warning: the kernel has no jhash (ENOENT): forwards with `balance` by `source-hash` are refused",
            ]
        );
    }
}
