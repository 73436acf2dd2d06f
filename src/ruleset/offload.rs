//! A ruleset for a kernel without flowtables: the same verdicts, without the short way.

use super::{FLOWTABLE, Object, Rule, Ruleset, Statement};

/// The label of connections that are handed over once they are established. No schedule takes it.
pub const OFFLOAD_LABEL: u8 = 127;

impl Ruleset {
    /// Whether connections are handed to a flowtable.
    pub fn offloads(&self) -> bool {
        self.objects.iter().any(is_flowtable)
    }

    /// The same without flowtables: no packet gets another verdict, only none goes past the rules.
    #[must_use]
    pub fn without_offload(mut self) -> Self {
        self.objects.retain(|object| !is_flowtable(object));
        for chain in &mut self.chains {
            chain.rules.retain(|rule| !hands_over(rule));
            for rule in &mut chain.rules {
                let label = Statement::CtLabel(OFFLOAD_LABEL);
                rule.statements.retain(|statement| *statement != label);
            }
        }
        self
    }
}

fn is_flowtable(object: &Object) -> bool {
    object.kind.number() == FLOWTABLE
}

/// Such a rule does nothing else.
fn hands_over(rule: &Rule) -> bool {
    let offload = |statement: &Statement| matches!(statement, Statement::Offload(_));
    rule.statements.iter().any(offload)
}
