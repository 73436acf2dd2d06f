//! What a failed run leaves behind: sets that nothing refers to. They do no harm, and the next plan uses
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
            Operation::AddElements { .. } => {}
            _ => return None,
        }
    }
    let is_all = table
        .sets
        .iter()
        .all(|set| ours.sets.contains(&&set.set.spec.name))
        && table
            .chains
            .iter()
            .all(|chain| ours.chains.contains(&&chain.name))
        && table.objects.is_empty()
        && table.flowtables.is_empty();
    if ours.table.is_some() && ours.table == table.mark && is_all {
        return Some(vec![Operation::DeleteTable]);
    }
    let sets = table
        .sets
        .iter()
        .map(|set| &set.set.spec.name)
        .filter(|name| ours.sets.contains(name))
        .map(|name| Operation::DeleteSet { name: name.clone() });
    let chains = table
        .chains
        .iter()
        .map(|chain| &chain.name)
        .filter(|name| ours.chains.contains(name))
        .map(|name| Operation::DeleteChain { name: name.clone() });
    Some(sets.chain(chains).collect())
}

/// What was staged, by kind.
#[derive(Default)]
struct Ours<'a> {
    table: Option<[u8; 16]>,
    sets: Vec<&'a String>,
    chains: Vec<&'a String>,
}

fn left(staged: &[Operation], reason: String) -> Aftermath {
    Aftermath::StagedLeft {
        sets: staged
            .iter()
            .filter_map(|operation| match operation {
                Operation::AddSet { spec, origin: _ } => Some(spec.name.clone()),
                _ => None,
            })
            .collect(),
        reason,
    }
}
