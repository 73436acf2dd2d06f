//! Rules in nft's own words: what rfw has no word for, kept apart from what it answers for.

use super::{Name, RawRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules in nft's own words, in a chain of their own in rfw's table. They may do what the rest of the policy says otherwise,
/// and nothing that rfw says about a policy looks at them. Reading them needs nft(8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// The name of this block, unique among the raw blocks. Its chain is called `raw/NAME`, its rules `raw/NAME/1` and so on.
    pub name: Name,

    /// Which packets its rules see: those to the box, through it or from it.
    pub hook: RawHook,

    /// Whether its rules are asked before everything else or after the policies. Default: `before`.
    #[serde(default, skip_serializing_if = "RawPlace::is_before")]
    pub place: RawPlace,

    /// The rules as nft(8) writes them, each on a line of its own and without `add rule`, in the order in which they are asked.
    /// Example: `tcp flags & (fin|syn) == (fin|syn) drop`.
    #[schemars(length(min = 1))]
    pub rules: Vec<RawRule>,
}

/// Which packets the rules of a raw block see.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RawHook {
    /// Packets to the box itself.
    Input,
    /// Packets through the box.
    Forward,
    /// Packets from the box itself.
    Output,
}

/// When the rules of a raw block are asked.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RawPlace {
    /// Before everything else: for every packet, also of running connections and of the box to itself.
    #[default]
    Before,
    /// After the policies: for packets of new connections between zones that no policy speaks of, and of interfaces that
    /// belong to no zone, or addresses on them.
    After,
}

impl RawPlace {
    fn is_before(&self) -> bool {
        *self == Self::Before
    }
}
