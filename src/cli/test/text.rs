//! What tests have found, for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::kernel::{Asked, InKernel, Told};
use super::report::{Case, Whole};
use super::way::Stop;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

impl Whole {
    /// For people.
    pub(super) fn text(&self, color: bool) -> String {
        let mut text = String::new();
        for suite in &self.suites {
            // Writing to a string cannot fail.
            _ = writeln!(text, "{}", suite.policy);
            let width = suite.cases.iter().map(|case| case.name.len()).max();
            for case in &suite.cases {
                case.print(&mut text, width.unwrap_or(0), color);
            }
        }
        let Self { passed, failed, .. } = self;
        let kernel = self.kernel.as_ref().map(|Asked { release, .. }| {
            let cases = self.suites.iter().flat_map(|suite| &suite.cases);
            let sent = cases.filter_map(|case| case.kernel.as_ref());
            let sent: usize = sent.map(|kernel| kernel.packets).sum();
            format!("; {sent} packets sent through kernel {release}")
        });
        _ = writeln!(
            text,
            "{passed} passed, {failed} failed in {:.2} s{}",
            self.seconds,
            kernel.unwrap_or_default()
        );
        text
    }
}

impl Case {
    fn print(&self, text: &mut String, width: usize, color: bool) {
        let (word, style) = match self.passed {
            true => ("ok  ", GOOD),
            false => ("FAIL", BAD),
        };
        let (on, off) = match color {
            true => (style.render().to_string(), style.render_reset().to_string()),
            false => (String::new(), String::new()),
        };
        let (name, message) = (&self.name, &self.message);
        // Writing to a string cannot fail.
        let kernel = self.kernel.as_ref().map(InKernel::text);
        let kernel = kernel.unwrap_or_default();
        _ = writeln!(text, "{on}{word}{off}  {name:width$}  {message}{kernel}");
        if self.passed {
            return;
        }
        if let Some(at) = &self.at {
            _ = writeln!(text, "      {at}");
        }
        if let Some(packet) = &self.packet {
            _ = writeln!(text, "      {packet}");
        }
        let widest = self.path.iter().map(|stop| stop.what.len()).max();
        let widest = widest.unwrap_or(0);
        for Stop {
            hook,
            what,
            does,
            at,
        } in &self.path
        {
            let at = at
                .as_deref()
                .map(|at| format!("   {at}"))
                .unwrap_or_default();
            let line = format!("        {hook:11} {what:widest$}  {does}{at}");
            _ = writeln!(text, "{}", line.trim_end());
        }
        let told = self.kernel.as_ref().and_then(|it| it.disagreement.as_ref());
        if let Some(told) = told {
            told.print(text);
        }
    }
}

impl InKernel {
    /// Behind the message of a test.
    pub(super) fn text(&self) -> String {
        let Self {
            agrees,
            packets,
            of,
            left_out,
            untraced,
            seconds: _,
            disagreements,
            disagreement: _,
        } = self;
        let mut text = match (packets, of) {
            (0, _) => "; nothing to send".to_owned(),
            (packets, None) => format!("; {packets} sent"),
            (packets, Some(of)) => format!("; {packets} of {of} sent"),
        };
        match agrees {
            _ if *packets == 0 => {}
            true => text.push_str(", the kernel agrees"),
            // Writing to a string cannot fail.
            false => _ = write!(text, ", with {disagreements} of them"),
        }
        if *untraced > 0 {
            _ = write!(text, "; {untraced} met more rules than it could tell");
        }
        for left in left_out {
            _ = write!(text, "; {} left out: {}", left.packets, left.why);
        }
        text
    }
}

impl Told {
    pub(super) fn print(&self, text: &mut String) {
        let Self {
            rfw,
            kernel,
            policy,
            packet,
            bytes,
            kernel_says,
            kernel_met,
            rfw_met,
            rfw_says,
            path: _,
            world,
            chains,
        } = self;
        let mut line = |line: &str| {
            // Writing to a string cannot fail.
            _ = writeln!(text, "      {line}");
        };
        line(
            "This is a mistake in rfw, not in the policy. Please report it with everything below.",
        );
        line(&format!("rfw {rfw}, kernel {kernel}, policy {policy}"));
        line(&format!("packet: {packet}"));
        line(&format!("bytes: {bytes}"));
        line(&format!("the kernel: {kernel_says}"));
        line(&format!("the kernel, by: {}", kernel_met.join(", ")));
        line(&format!("rfw, by: {}", rfw_met.join(", ")));
        for said in rfw_says {
            line(&format!("rfw: {said}"));
        }
        for known in world {
            line(&format!("box: {known}"));
        }
        for chain in chains {
            chain.lines().for_each(&mut line);
        }
    }
}
