//! What a failed run leaves behind: sets and chains that nothing refers to. They do no harm, and the next plan uses
//! them or deletes them; but who is told that nothing changed should find nothing changed.

use super::error::Aftermath;
use crate::kernel::Kernel;
use crate::live::Live;
use crate::plan::Operation;

/// Takes away what was staged, as far as it is there and nothing else came to rest on it.
pub(super) fn clean_up(kernel: &mut dyn Kernel, staged: &[Operation]) -> Aftermath {
    if staged.is_empty() {
        return Aftermath::Unchanged;
    }
    let live = match kernel.observe() {
        Ok(live) => live,
        Err(error) => return left(staged, error.to_string()),
    };
    let Some(operations) = undo(&live, staged) else {
        return left(staged, "the table is dormant".to_owned());
    };
    if operations.is_empty() {
        return Aftermath::Unchanged;
    }
    match kernel.commit(live.generation, &operations) {
        Ok(_) => Aftermath::CleanedUp,
        Err(error) => left(staged, error.to_string()),
    }
}

/// The operations that take back what was staged; `None` if more was staged than inert objects.
fn undo(live: &Live, staged: &[Operation]) -> Option<Vec<Operation>> {
    let Some(table) = &live.table else {
        return Some(Vec::new());
    };
    let mut ours = Ours::default();
    for operation in staged {
        match operation {
            Operation::AddTable { mark } => ours.table = Some(*mark),
            Operation::AddChain { name, base: None } => ours.chains.push(name),
            Operation::AddSet { spec, origin: _ } => ours.sets.push(&spec.name),
            Operation::AddObject { object } => ours.objects.push(&object.name),
            Operation::AddElements { .. } => {}
            Operation::AddRule { chain, .. } if ours.chains.contains(&chain) => {}
            _ => return None,
        }
    }
    let sets = table.sets.iter().map(|set| &set.set.spec.name);
    let is_all = sets.clone().all(|name| ours.sets.contains(&name))
        && table
            .chains
            .iter()
            .all(|chain| ours.chains.contains(&&chain.name))
        && table
            .objects
            .iter()
            .all(|object| ours.objects.contains(&&object.object.name));
    if ours.table.is_some() && ours.table == table.mark && is_all {
        return Some(vec![Operation::DeleteTable]);
    }
    let chains = || {
        let chains = table.chains.iter();
        chains.filter(|chain| ours.chains.contains(&&chain.name))
    };
    // What refers goes before what is referred to.
    let rules = chains()
        .filter(|chain| !chain.rules.is_empty())
        .map(|chain| Operation::FlushChain {
            chain: chain.name.clone(),
        });
    let sets = sets
        .filter(|name| ours.sets.contains(name))
        .map(|name| Operation::DeleteSet { name: name.clone() });
    let objects = table
        .objects
        .iter()
        .filter(|object| ours.objects.contains(&&object.object.name))
        .map(|object| Operation::DeleteObject {
            object: object.object.clone(),
        });
    let empty = chains().map(|chain| Operation::DeleteChain {
        name: chain.name.clone(),
    });
    Some(rules.chain(sets).chain(objects).chain(empty).collect())
}

/// What was staged, by kind.
#[derive(Default)]
struct Ours<'a> {
    table: Option<[u8; 16]>,
    sets: Vec<&'a String>,
    objects: Vec<&'a String>,
    chains: Vec<&'a String>,
}

fn left(staged: &[Operation], reason: String) -> Aftermath {
    Aftermath::StagedLeft {
        names: staged
            .iter()
            .filter_map(|operation| match operation {
                Operation::AddSet { spec, origin: _ } => Some(spec.name.clone()),
                Operation::AddChain { name, base: _ } => Some(name.clone()),
                Operation::AddObject { object } => Some(object.name.clone()),
                _ => None,
            })
            .collect(),
        reason,
    }
}
