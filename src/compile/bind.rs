//! From a model that is the same on all nodes to that of one: interfaces by the names they have there.
//!
//! The last step before lowering, so that whatever is said about a policy before is the same on every node. Whether
//! the nodes' interfaces make sense is not decided here but in [`super::check`].

use std::collections::BTreeMap;

use super::model::{Interface, Model};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, DocPath, nearest};
use crate::policy::{Node, Policy};

/// The model of a node; `None` if the policy is not for it. A policy without nodes stays as it is.
pub(super) fn bind(
    mut model: Model,
    policy: &Policy,
    node: Option<&str>,
    diagnostics: &mut Diagnostics,
) -> Option<Model> {
    if policy.nodes.is_empty() {
        return Some(model);
    }
    let at = DocPath::root().key("nodes");
    let names = || policy.nodes.keys().map(|name| name.as_str());
    let list = || {
        names()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Some(name) = node else {
        let message =
            "the policy is for several nodes, and which of them this is has not been said";
        let diagnostic = Diagnostic::error(Code::NodeNeeded, message)
            .at_key(at, "calls interfaces by other names on each")
            .help(format!("say it by `--node` (or RFW_NODE): {}", list()));
        diagnostics.push(diagnostic);
        return None;
    };
    let Some(node) = policy.nodes.get(name) else {
        let shown: String = name.chars().take(63).collect();
        let diagnostic = Diagnostic::error(Code::UnknownNode, format!("unknown node `{shown}`"))
            .at_key(at, "the policy is for these");
        diagnostics.push(match nearest(name, names()) {
            Some(near) => diagnostic.help(format!("did you mean `--node {near}`?")),
            None => diagnostic.help(format!("the policy is for {}", list())),
        });
        return None;
    };
    for zone in model.zones.values_mut() {
        for interface in &mut zone.interfaces {
            rename(interface, node);
        }
        Interface::tidy(&mut zone.interfaces);
    }
    Some(model)
}

/// What a node calls the interfaces of the policy.
pub(super) fn interfaces(policy: &Policy, node: Option<&str>) -> BTreeMap<String, String> {
    let mut nodes = policy.nodes.iter();
    let node = nodes.find(|(name, _)| Some(name.as_str()) == node);
    let interfaces = node.into_iter().flat_map(|(_, node)| &node.interfaces);
    interfaces
        .map(|(logical, real)| (logical.as_str().to_owned(), real.as_str().to_owned()))
        .collect()
}

/// Every name is mapped, which has been checked; beginnings of names are the same on every node.
fn rename(interface: &mut Interface, node: &Node) {
    let Interface { name, prefix } = interface;
    let real = node
        .interfaces
        .iter()
        .find(|(logical, _)| logical.as_str() == name);
    if let Some((_, real)) = real
        && !*prefix
    {
        real.as_str().clone_into(name);
    }
}
