//! A long document in pieces, so that the memory that serde_yaml takes for one does not grow with it.
//!
//! A block list is taken apart between two of its items. A line that begins with `- ` in the column of its list ends
//! everything that was begun deeper, for every reader; so the items read alike in pieces and in one piece. What
//! stays in the place of a list is one empty item.

use super::tree::{Kind, NodeId, Tree};
use std::collections::BTreeSet;
use std::ops::Range;

/// Lists of more bytes than this are taken apart, into pieces of about so many.
pub(super) const PIECE: usize = 16 << 10;

/// A document and what was taken out of it.
pub(super) struct Pieces<'t> {
    text: &'t str,
    tree: &'t Tree,
    /// A list shorter than this stays where it is.
    size: usize,
    /// The bytes of the lists that were taken out, and their column.
    holes: Vec<(Range<usize>, usize)>,
    /// The lists that were taken out.
    pub(super) lists: BTreeSet<NodeId>,
    /// The lines of some items of a list, and these items.
    pub(super) items: Vec<(&'t str, Vec<NodeId>)>,
}

impl<'t> Pieces<'t> {
    /// Takes long lists out of a document.
    pub(super) fn new(text: &'t str, tree: &'t Tree, size: usize) -> Self {
        let mut pieces = Pieces {
            text,
            tree,
            size,
            holes: Vec::new(),
            lists: BTreeSet::new(),
            items: Vec::new(),
        };
        if let Some((root, _)) = tree.root() {
            pieces.look_into(root, text.len());
        }
        pieces
    }

    /// The document without the lists.
    pub(super) fn rest(&self) -> String {
        let mut rest = String::new();
        let mut from = 0;
        for (hole, column) in &self.holes {
            rest.push_str(self.text.get(from..hole.start).unwrap_or_default());
            rest.extend(std::iter::repeat_n(' ', *column));
            rest.push_str("- ~\n");
            from = hole.end;
        }
        rest.push_str(self.text.get(from..).unwrap_or_default());
        rest
    }

    /// Looks for long lists in a node whose lines end before `end`.
    fn look_into(&mut self, id: NodeId, end: usize) {
        let Some(node) = self.tree.get(id) else {
            return;
        };
        if !node.is_block() || end.saturating_sub(node.bytes().start) < self.size {
            return;
        }
        let is_list = matches!(self.tree.kind(id), Some(Kind::List));
        let children: Vec<NodeId> = if is_list {
            self.tree.items(id).collect()
        } else {
            self.tree.entries(id).map(|(_, value)| value).collect()
        };
        let mut lines: Vec<usize> = if is_list {
            children.iter().map(|item| self.line_of(*item)).collect()
        } else {
            let keys = self.tree.entries(id).skip(1);
            // What is before the first key is of no interest.
            [node.bytes().start]
                .into_iter()
                .chain(keys.map(|(key, _)| self.line_of(key)))
                .collect()
        };
        lines.push(end);
        let are_short = lines.is_sorted_by(|from, to| from < to && to - from < self.size);
        let column = self.column(&lines).filter(|_| is_list && are_short);
        match column.filter(|column| self.are_behind_dashes(&children, &lines, *column)) {
            Some(column) => self.take(id, &children, &lines, column),
            None => {
                for (child, end) in children.iter().zip(lines.iter().skip(1)) {
                    self.look_into(*child, *end);
                }
            }
        }
    }

    /// The column of the dashes with which all these lines begin, the last of which is behind them.
    fn column(&self, lines: &[usize]) -> Option<usize> {
        let (_, lines) = lines.split_last()?;
        let mut columns = lines.iter().map(|line| {
            let line = self.text.get(*line..)?;
            let content = line.trim_start_matches(' ');
            content
                .starts_with("- ")
                .then_some(line.len() - content.len())
        });
        let column = columns.next()??;
        columns.all(|other| other == Some(column)).then_some(column)
    }

    /// Whether each item begins behind the dash of its line. One that begins on a later line than its own dash, such as
    /// a block of text, may look as if it had one.
    fn are_behind_dashes(&self, items: &[NodeId], lines: &[usize], column: usize) -> bool {
        items.iter().zip(lines).all(|(item, line)| {
            let start = self.tree.get(*item).map(|node| node.bytes().start);
            start.is_some_and(|start| line + column < start)
        })
    }

    fn take(&mut self, list: NodeId, children: &[NodeId], lines: &[usize], column: usize) {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return;
        };
        self.lists.insert(list);
        self.holes.push((*first..*last, column));
        let mut from = 0;
        while from < children.len() {
            let start = lines.get(from).copied().unwrap_or(*last);
            let ends = lines.iter().skip(from + 1);
            let fit = ends.take_while(|end| **end - start <= self.size).count();
            let to = from + fit.max(1);
            let end = lines.get(to).copied().unwrap_or(*last);
            let text = self.text.get(start..end).unwrap_or_default();
            let items = children.get(from..to).unwrap_or_default();
            self.items.push((text, items.to_vec()));
            from = to;
        }
    }

    /// The first byte of the line on which a node begins.
    fn line_of(&self, id: NodeId) -> usize {
        let start = self.tree.get(id).map_or(0, |node| node.bytes().start);
        let before = self.text.get(..start).unwrap_or_default();
        before.rfind('\n').map_or(0, |end| end + 1)
    }
}
