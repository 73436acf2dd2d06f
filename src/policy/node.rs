//! Nodes: the boxes that one policy is for, and what their interfaces are called.

use super::{InterfaceName, value::names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A box that this policy is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// For each interface name that `zones` list, what this box calls it. Beginnings of names such as `wg*` are
    /// the same on every box and are not listed here. Example: `{ wan0: enp1s0, lan0: enp2s0 }`.
    #[schemars(schema_with = "names::<InterfaceName, InterfaceName>", extend("minProperties" = 1))]
    pub interfaces: BTreeMap<InterfaceName, InterfaceName>,
}
