//! The text format: `# HELP`, `# TYPE`, and one line a sample.

use std::fmt::{Display, Write};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only, until it begins anew.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A text on its way. Samples belong to the metric that was named last.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    name: String,
}

impl Text {
    /// Begins a metric. Names are of `[a-z_]`; a counter's ends in `_total`.
    pub fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.head(name, kind, help);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        name.clone_into(&mut self.name);
    }

    /// A sample with its labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(&self.name);
        for (nth, (label, value)) in labels.iter().enumerate() {
            self.text.push(if nth == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// A sample of microseconds, in seconds.
    pub fn seconds(&mut self, microseconds: u64) {
        self.sample(&[], seconds(microseconds));
    }

    /// A summary without quantiles: how many, and how long all together.
    pub fn summary(&mut self, name: &str, help: &str, count: u64, microseconds: u64) {
        self.head(name, "summary", help);
        let _ = writeln!(
            self.text,
            "{name}_sum {}\n{name}_count {count}",
            seconds(microseconds)
        );
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.text
    }
}

fn seconds(microseconds: u64) -> String {
    format!(
        "{}.{:06}",
        microseconds / 1_000_000,
        microseconds % 1_000_000
    )
}

/// The three characters that a label's value must not hold as they are.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{Kind, Text};

    #[test]
    fn it_is_the_format() {
        let mut text = Text::default();
        text.metric("a_total", Kind::Counter, "What\\it\nis.");
        text.sample(&[("rule", "a/\"b\"\\c\n"), ("x", "")], 7);
        text.sample(&[], 8);
        text.summary("b_seconds", "Long.", 2, 1_500_001);
        assert_eq!(
            text.finish(),
            "# HELP a_total What\\\\it\\nis.\n# TYPE a_total counter\n\
             a_total{rule=\"a/\\\"b\\\"\\\\c\\n\",x=\"\"} 7\na_total 8\n\
             # HELP b_seconds Long.\n# TYPE b_seconds summary\nb_seconds_sum 1.500001\nb_seconds_count 2\n"
        );
    }
}
