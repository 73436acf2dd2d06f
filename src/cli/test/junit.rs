//! The form of results that Jenkins, GitLab and others collect: `testsuites`, `testsuite`, `testcase`, `failure`.

use std::fmt::Write as _;

use super::report::{Case, Suite, Whole};
use super::way::Stop;

/// The whole report.
pub(super) fn junit(whole: &Whole) -> String {
    let Whole {
        version: _,
        passed,
        failed,
        seconds,
        kernel: _,
        suites,
    } = whole;
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    _ = writeln!(
        text,
        "<testsuites tests=\"{}\" failures=\"{failed}\" time=\"{seconds:.3}\">",
        passed + failed
    );
    for suite in suites {
        let Suite {
            policy,
            cases,
            seconds,
        } = suite;
        _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{seconds:.3}\">",
            escaped(policy),
            cases.len(),
            suite.failed()
        );
        for case in cases {
            one(case, policy, &mut text);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn one(case: &Case, policy: &str, text: &mut String) {
    let Case {
        name,
        at,
        passed,
        message,
        packets: _,
        seconds,
        packet,
        path,
        kernel,
    } = case;
    let begin = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.3}\"",
        escaped(policy),
        escaped(name)
    );
    if *passed {
        match kernel {
            None => _ = writeln!(text, "{begin}/>"),
            Some(kernel) => {
                let said = escaped(kernel.text().trim_start_matches("; "));
                _ = writeln!(
                    text,
                    "{begin}>\n      <system-out>{said}</system-out>\n    </testcase>"
                );
            }
        }
        return;
    }
    let mut more: Vec<String> = at.iter().chain(packet).cloned().collect();
    for Stop {
        hook,
        what,
        does,
        at,
    } in path
    {
        let at = at.as_deref().unwrap_or_default();
        more.push(format!("{hook} {what} {does} {at}").trim().to_owned());
    }
    let told = kernel.as_ref().and_then(|it| it.disagreement.as_ref());
    if let Some(told) = told {
        let mut lines = String::new();
        told.print(&mut lines);
        more.extend(lines.lines().map(str::to_owned));
    }
    _ = writeln!(
        text,
        "{begin}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
        escaped(message),
        escaped(&more.join("\n"))
    );
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no way to write them.
            c if c.is_control() && c != '\n' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_ends_a_text_early() {
        assert_eq!(
            escaped("a \"b\" <c> & d\u{1b}[0m"),
            "a &quot;b&quot; &lt;c&gt; &amp; d?[0m"
        );
    }
}
