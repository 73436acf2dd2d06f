//! From a policy to a ruleset.
