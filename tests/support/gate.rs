//! The office with rfw on its gateway, two zones already named: what most packet tests start from.

use std::ops::Deref;

use super::Office;
use super::program::Output;
use super::rfw::Desk;

/// The zones of the office, before everything else of a policy.
const ZONES: &str = r#"version: 1
name: office-gw
zones:
  wan: { interfaces: [eth0] }
  lan: { interfaces: [eth1], networks: [192.168.0.0/22, "fd12:3456:789a::/64"] }
"#;

/// The office, and the desk of whoever runs rfw on its gateway.
#[derive(Debug)]
pub(crate) struct Gate {
    office: Office,
    desk: Desk,
}

impl Gate {
    /// The office under the zones and this: `policies:`, `nat:` and so on.
    #[track_caller]
    pub(crate) fn new(policy: &str) -> Self {
        let gate = Self {
            office: Office::new(),
            desk: Desk::new(),
        };
        gate.apply(policy);
        gate
    }

    /// Applies another policy; it must work. Returns what rfw says about it on stderr.
    #[track_caller]
    pub(crate) fn apply(&self, policy: &str) -> String {
        self.write(policy);
        let output = self.rfw(&["apply", "--policy", "policy.yaml"]);
        assert!(
            output.success(),
            "{}{}\n{policy}",
            output.stdout,
            output.stderr
        );
        output.stderr
    }

    /// Writes the policy without applying it. One that begins with `version` has zones of its own.
    pub(crate) fn write(&self, policy: &str) {
        let zones = if policy.starts_with("version") {
            ""
        } else {
            ZONES
        };
        self.desk.write("policy.yaml", &format!("{zones}{policy}"));
    }

    /// The path of a file in the state directory.
    pub(crate) fn state_file(&self, name: &str) -> std::path::PathBuf {
        self.desk.state_file(name)
    }

    /// Runs `rfw` on the gateway; it must end with exit code 0. Returns its stdout.
    #[track_caller]
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        self.desk.must(&self.gateway, arguments)
    }

    /// Runs `rfw` on the gateway, whatever its result.
    #[track_caller]
    pub(crate) fn rfw(&self, arguments: &[&str]) -> Output {
        self.desk.rfw(&self.gateway, arguments)
    }
}

impl Deref for Gate {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}
