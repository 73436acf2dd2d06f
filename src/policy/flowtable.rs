//! Connections that go past the rules once they are established.

use super::ZoneName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets connections of rules with `offload: true` go past all rules once they are established, from interface to
/// interface, where the kernel has flowtables. Where it has none, they are left out with a warning, and the rules are
/// asked as always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flowtable {
    /// The zones between whose interfaces connections may be handed over. Their interfaces must be there when the policy is
    /// applied, and be written whole, not as beginnings of names.
    #[schemars(length(min = 2))]
    pub zones: Vec<ZoneName>,

    /// Whether the network cards take them over, which not all can. Default: `false`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hardware: bool,
}
