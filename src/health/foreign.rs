//! Other tables: who else decides about packets. rfw never touches them; it tells where they undo what it accepts.
//!
//! A verdict holds for its own base chain only: what one accepts, the next one at the same hook may still drop
//! (nft(8), "accept"). Only chain policies are looked at here; a rule of another table may drop as well.

use super::{Facts, Finding, Severity};

/// A base chain that is not rfw's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignChain {
    /// Family and name of the table: `ip filter`.
    pub table: String,
    /// The name.
    pub chain: String,
    /// nft's word for the hook.
    pub hook: &'static str,
    /// Chains of lower priority come first.
    pub priority: i32,
    /// Whether it drops what none of its rules accepts.
    pub drops: bool,
}

const CHECK: &str = "foreign-table";

/// One finding a table that drops by default.
#[must_use]
pub fn conflicts(chains: &[ForeignChain]) -> Vec<Finding> {
    let mut sorted: Vec<&ForeignChain> = chains.iter().filter(|chain| chain.drops).collect();
    sorted.sort();
    sorted
        .chunk_by(|left, right| left.table == right.table)
        .map(|chains| {
            let table = chains.first().map_or("", |chain| &chain.table);
            let places: Vec<String> = chains
                .iter()
                .map(|chain| {
                    let ForeignChain {
                        table: _,
                        chain,
                        hook,
                        priority,
                        drops: _,
                    } = chain;
                    format!("`{chain}` at {hook}, priority {priority}")
                })
                .collect();
            let message = format!(
                "table {table} is not rfw's and drops by default: {}; what rfw accepts there passes only if that table accepts it, too",
                places.join(", ")
            );
            Finding::new(CHECK, Severity::Note, message)
                .advice("if packets are missed there, look with `nft monitor trace`; rfw never changes another table")
        })
        .collect()
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    match &facts.foreign {
        Ok(chains) => {
            let mut findings = conflicts(chains);
            if findings.is_empty() {
                let message = match chains.len() {
                    0 => "no other table has a base chain".to_owned(),
                    number => format!(
                        "no other table drops by default ({number} base chains that are not rfw's)"
                    ),
                };
                findings.push(Finding::new(CHECK, Severity::Ok, message));
            }
            findings
        }
        Err(why) => vec![Finding::unreadable(CHECK, why)],
    }
}

#[cfg(test)]
mod tests {
    use super::{ForeignChain, conflicts};

    #[test]
    fn one_finding_a_table_that_drops_by_default() {
        let chain = |table: &str, chain: &str, hook, drops| ForeignChain {
            table: table.to_owned(),
            chain: chain.to_owned(),
            hook,
            priority: 0,
            drops,
        };
        let found = conflicts(&[
            chain("ip filter", "FORWARD", "forward", true),
            chain("ip nat", "PREROUTING", "prerouting", false),
            chain("inet firewalld", "input", "input", true),
            chain("ip filter", "INPUT", "input", true),
        ]);
        let messages: Vec<&str> = found
            .iter()
            .map(|finding| finding.message.split(';').next().unwrap())
            .collect();
        assert_eq!(
            messages,
            [
                "table inet firewalld is not rfw's and drops by default: `input` at input, priority 0",
                "table ip filter is not rfw's and drops by default: `FORWARD` at forward, priority 0, `INPUT` at input, priority 0",
            ]
        );
    }
}
