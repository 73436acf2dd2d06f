//! What the metrics of another box tell of its policy.

use crate::digest::View;

/// Its digests, as far as metrics have them: the policy, and whether the kernel holds what it compiles.
pub fn read_policy(text: &str) -> Option<View> {
    let policy = label(series(text, "rfw_policy_info{")?, "digest")?;
    let rfw = series(text, "rfw_info{").and_then(|series| label(series, "version"))?;
    let drift = text
        .lines()
        .find_map(|line| line.strip_prefix("rfw_drift "));
    let live = match drift {
        // The digest of its ruleset is not among the metrics: whether it is held is all that is known.
        Some("0") => Some(String::new()),
        Some("1") => Some("drifted".to_owned()),
        _ => None,
    };
    let is_digest = policy.len() == 64 && policy.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| View {
        version: 1,
        rfw,
        timezones: None,
        policy,
        ruleset: String::new(),
        live,
        node: Vec::new(),
        parts: Vec::new(),
    })
}

/// The labels of a metric's first sample.
fn series<'t>(text: &'t str, begin: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(begin))
}

/// The value of a label; of those without quotes in them.
fn label(series: &str, name: &str) -> Option<String> {
    let begin = format!("{name}=\"");
    let (before, rest) = series.split_once(&begin)?;
    let is_whole = before.is_empty() || before.ends_with(',');
    let (value, _) = rest.split_once('"')?;
    (is_whole && !value.contains('\\')).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::read_policy;

    #[test]
    fn the_digest_is_read_and_nothing_else() {
        let digest = "0123456789abcdef".repeat(4);
        let text = |drift: &str| {
            format!(
                "rfw_info{{version=\"1.2\"}} 1\nrfw_policy_info{{revision=\"beef\",digest=\"{digest}\"}} 1\n{drift}"
            )
        };
        let view = read_policy(&text("rfw_drift 0\n")).unwrap();
        assert_eq!(
            (view.policy.as_str(), view.rfw.as_str()),
            (digest.as_str(), "1.2")
        );
        assert_eq!(view.is_held(), Some(true));
        assert_eq!(
            read_policy(&text("rfw_drift 1\n")).unwrap().is_held(),
            Some(false)
        );
        assert_eq!(read_policy(&text("")).unwrap().is_held(), None);
        assert!(read_policy(&text("").replace("0123", "012x")).is_none());
        assert!(read_policy(&text("").replace("digest=", "adigest=")).is_none());
        assert!(read_policy("").is_none());
    }
}
