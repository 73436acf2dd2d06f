//! The digests of a box as `rfw digest` prints them; the shape is published and versioned.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a box holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// Of this shape: 1.
    pub version: u32,
    /// The version of rfw.
    pub rfw: String,
    /// The version of the time zone database, where rules have schedules.
    pub timezones: Option<String>,
    /// SHA-256 of what the policy means, equal on all replicas, hexadecimal.
    pub policy: String,
    /// SHA-256 of the table as this node compiles it, hexadecimal.
    pub ruleset: String,
    /// SHA-256 of the table as the kernel holds it, hexadecimal; nothing when it was not read.
    pub live: Option<String>,
    /// What the node adds to the policy: the only reason why two replicas may have different rulesets.
    pub node: Vec<NodeValue>,
    /// The digests of everything that stands in the policy digest, when they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// One value that belongs to the node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NodeValue {
    /// Which: `node`, `interface wan0`, `copy of drop-list`, `flowtables`.
    pub what: String,
    /// What it is here.
    pub value: String,
}

/// A rule, set, chain, object or setting, or all of one name in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Where: `chain policy/lan-to-wan`, `set group/web.ip4`, `setting net.ipv4.ip_forward`.
    pub place: String,
    /// The stable name of a rule, or of the rule that elements stand for; empty for rules without one; nothing for the
    /// chain or set itself.
    pub name: Option<String>,
    /// SHA-256, hexadecimal.
    pub digest: String,
}

impl View {
    /// Whether the kernel holds what this node compiles; nothing when it was not read.
    pub fn is_held(&self) -> Option<bool> {
        self.live.as_ref().map(|live| *live == self.ruleset)
    }

    /// Reads what another rfw has printed.
    ///
    /// # Errors
    /// When it is not this shape.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let view: Self = serde_json::from_str(text)?;
        match view.version {
            1 => Ok(view),
            version => Err(serde::de::Error::custom(format!(
                "version {version} of the shape is not known to this rfw"
            ))),
        }
    }

    /// The text of `schema/digest.schema.json`: the shape that `--format json` prints.
    pub fn schema() -> String {
        crate::view::schema::<Self>("urn:rfw:digest:1", "rfw digest")
    }

    /// The parts by place and name.
    pub(super) fn by_place(&self) -> BTreeMap<(&str, Option<&str>), &str> {
        let parts = self.parts.iter();
        parts
            .map(
                |Part {
                     place,
                     name,
                     digest,
                 }| ((place.as_str(), name.as_deref()), digest.as_str()),
            )
            .collect()
    }
}
