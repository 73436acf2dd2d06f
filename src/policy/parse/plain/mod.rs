//! The quick reader: text → tree, for the plain YAML that policies are written in, in one pass over the bytes.
//!
//! It knows block lists and maps, lists and maps in brackets, one-line scalars of harmless characters, quotes
//! without escapes, and comments. Of a text it takes it makes the very tree that the guard makes; whatever
//! it does not know (a tab, an anchor, an escape, text over several lines, anything that may be a mistake) it
//! leaves to the guard, which also has the words for mistakes.

mod scalar;
#[cfg(test)]
mod tests;

use super::guard::{DEEPEST, MOST_NODES};
use super::tree::{NodeId, Shape, Tree};
use scalar::{Scalar, scalar};
use std::sync::Arc;

/// Reads a text; `None` if it is not surely plain.
pub(crate) fn plain(text: &Arc<String>) -> Option<Tree> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        column: None,
        broke_at: 0,
        depth: 0,
        keys: Vec::new(),
        tree: Tree::new(text),
    };
    reader.next_line()?;
    // A document that begins with `- ` is no policy, and one that is indented is odd.
    if reader.column? != 0 || reader.is_dash() {
        return None;
    }
    reader.block_map(0, None)?;
    reader.tree.fit();
    reader.column.is_none().then_some(reader.tree)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Of the line that was reached last, where its first character is; `None` at the end of the text.
    column: Option<usize>,
    /// The last line end within brackets.
    broke_at: usize,
    depth: usize,
    /// The keys of all maps that are open.
    keys: Vec<&'t str>,
    tree: Tree,
}

/// What follows a value in a block.
#[derive(PartialEq, Eq)]
enum Next {
    /// The next entry of the same list or map.
    Entry,
    /// Something further out.
    End,
}

impl<'t> Reader<'t> {
    /// A list whose first dash is here, in this column. For the guard it begins behind that dash if that is
    /// in the column of a key, and is taken for what it finds there.
    fn block_list(&mut self, column: usize, is_under_key: bool) -> Option<()> {
        let mut list = (!is_under_key).then(|| self.open(Shape::BlockList));
        loop {
            let dash = self.at;
            self.at += 1;
            self.spaces();
            let inner = column + (self.at - dash);
            if list.is_none() {
                list = Some(match self.peek()? {
                    b'[' | b'{' => self.open(Shape::FlowList),
                    _ => self.open(Shape::BlockList),
                });
            }
            match self.peek()? {
                b'[' | b'{' => {
                    self.brackets(column)?;
                    self.next_line()?;
                }
                b'-' if self.is_dash() => self.block_list(inner, false)?,
                _ => {
                    let first = self.scalar(false)?;
                    if self.peek() == Some(b':') {
                        self.block_map(inner, Some(first))?;
                    } else {
                        self.add(&first)?;
                        self.next_line()?;
                    }
                }
            }
            // In the column of the dashes a list under a key may be followed by the next key.
            if self.next_in(column)? == Next::End || !self.is_dash() {
                break;
            }
        }
        self.close(list??);
        Some(())
    }

    /// A map whose first key is here, in this column, or has been read already.
    fn block_map(&mut self, column: usize, mut first: Option<Scalar>) -> Option<()> {
        let at = self.at;
        if let Some(first) = &first {
            self.at = first.bytes.start;
        }
        let map = self.open(Shape::BlockMap)?;
        if first.is_some() {
            self.at = at;
        }
        let outer = self.keys.len();
        loop {
            let key = match first.take() {
                Some(first) => first,
                None => self.scalar(false)?,
            };
            self.key(&key)?;
            self.spaces();
            match self.peek()? {
                b'[' | b'{' => {
                    self.brackets(column)?;
                    self.next_line()?;
                }
                b'\n' | b'#' => {
                    self.next_line()?;
                    match self.column? {
                        below if column < below && self.is_dash() => {
                            self.block_list(below, false)?;
                        }
                        below if column < below => self.block_map(below, None)?,
                        same if column == same && self.is_dash() => self.block_list(same, true)?,
                        // A key without a value.
                        _ => return None,
                    }
                }
                _ => {
                    let value = self.scalar(false)?;
                    self.add(&value)?;
                    self.next_line()?;
                }
            }
            if self.next_in(column)? == Next::End {
                break;
            }
        }
        self.differ(outer)?;
        self.close(map);
        Some(())
    }

    /// A list or map in brackets within a block in this column.
    fn brackets(&mut self, column: usize) -> Option<()> {
        let is_list = self.peek()? == b'[';
        let (shape, end) = match is_list {
            true => (Shape::FlowList, b']'),
            false => (Shape::FlowMap, b'}'),
        };
        let start = self.at;
        let node = self.open(shape)?;
        let outer = self.keys.len();
        self.at += 1;
        let mut comma = None;
        loop {
            self.space_in_brackets(column)?;
            if self.peek()? == end {
                // After a comma and a space, a map ends for the guard at the comma.
                if comma.is_some_and(|comma| !is_list || comma + 1 != self.at) {
                    return None;
                }
                break;
            }
            if !is_list {
                let key = self.scalar(true)?;
                self.key(&key)?;
                self.spaces();
            }
            match self.peek()? {
                b'[' | b'{' => self.brackets(column)?,
                _ => {
                    let value = self.scalar(true)?;
                    self.add(&value)?;
                }
            }
            self.space_in_brackets(column)?;
            match self.peek()? {
                b',' => {
                    comma = Some(self.at);
                    self.at += 1;
                }
                byte if byte == end => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.differ(outer)?;
        if self.broke_at < start && !self.is_comment_next() {
            self.depth -= 1;
            self.tree.close_on_line(node, self.at);
        } else {
            // For the guard a comment behind the bracket is part of it.
            self.rest_of_line()?;
            self.close(node);
        }
        Some(())
    }

    /// Spaces, comments and line ends; what goes on in another line is indented more than the block around.
    fn space_in_brackets(&mut self, column: usize) -> Option<()> {
        self.spaces();
        while let b'\n' | b'#' = self.peek()? {
            self.comment()?;
            self.broke_at = self.at;
            self.at += 1;
            let line = self.at;
            self.spaces();
            if self.peek()? != b'\n' && self.at - line <= column {
                return None;
            }
        }
        Some(())
    }

    /// Goes to the first character of the next line that has one and is no comment. Nothing but a comment
    /// may be left on this line.
    fn next_line(&mut self) -> Option<()> {
        self.spaces();
        let mut line = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => self.comment()?,
                b'\n' => {
                    self.at += 1;
                    line = self.at;
                    self.spaces();
                }
                _ if line == 0 && self.at != 0 => return None,
                _ => {
                    self.column = Some(self.at - line);
                    return Some(());
                }
            }
        }
        self.column = None;
        Some(())
    }

    /// Whether the line reached goes on with what is in this column.
    fn next_in(&self, column: usize) -> Option<Next> {
        match self.column {
            Some(reached) if column < reached => None,
            Some(reached) if column == reached => Some(Next::Entry),
            Some(_) | None => Some(Next::End),
        }
    }

    /// A key, and the `: ` after it.
    fn key(&mut self, key: &Scalar) -> Option<()> {
        self.add(key)?;
        self.keys.push(self.text.get(key.text.clone())?);
        let is_key = self.peek() == Some(b':');
        self.at += 1;
        (is_key && matches!(self.peek()?, b' ' | b'\n')).then_some(())
    }

    /// Whether the keys of the map that is at its end differ; forgets them.
    fn differ(&mut self, outer: usize) -> Option<()> {
        let keys = self.keys.get_mut(outer..)?;
        if 8 < keys.len() {
            keys.sort_unstable();
        }
        let differ = match &*keys {
            few if few.len() <= 8 => few
                .iter()
                .enumerate()
                .all(|(nth, key)| !few.iter().skip(nth + 1).any(|other| other == key)),
            sorted => sorted.is_sorted_by(|one, next| one != next),
        };
        self.keys.truncate(outer);
        differ.then_some(())
    }

    fn open(&mut self, shape: Shape) -> Option<NodeId> {
        if self.depth == DEEPEST || MOST_NODES <= self.tree.len() {
            return None;
        }
        self.depth += 1;
        Some(self.tree.open(self.at, shape))
    }

    fn close(&mut self, node: NodeId) {
        self.depth -= 1;
        self.tree.close(node, self.at);
    }

    fn add(&mut self, scalar: &Scalar) -> Option<()> {
        if MOST_NODES <= self.tree.len() {
            return None;
        }
        if scalar.plain {
            self.tree.scalar_as_written(&scalar.bytes, true);
        } else {
            let text = self.text.get(scalar.text.clone())?;
            self.tree.scalar(&scalar.bytes, false, text);
        }
        Some(())
    }

    fn scalar(&mut self, in_brackets: bool) -> Option<Scalar> {
        let mut scalar = scalar(self.bytes, self.at, in_brackets)?;
        self.at = scalar.bytes.end;
        if !scalar.plain {
            // For the guard what follows a quote on its line is part of it.
            self.rest_of_line()?;
            scalar.bytes.end = self.at;
        }
        Some(scalar)
    }

    /// To the end of the line, over a comment: nothing, or `#` after a space or at the begin of a line.
    fn comment(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
        if rest.first() == Some(&b'#') && !matches!(before, None | Some(b' ' | b'\n')) {
            return None;
        }
        let end = rest.iter().position(|byte| *byte == b'\n');
        self.at += end.unwrap_or(rest.len());
        Some(())
    }

    /// Over spaces and a comment.
    fn rest_of_line(&mut self) -> Option<()> {
        self.spaces();
        match self.peek() {
            Some(b'#') => self.comment(),
            Some(_) | None => Some(()),
        }
    }

    /// Whether nothing but spaces is before the next comment.
    fn is_comment_next(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().find(|byte| **byte != b' ') == Some(&b'#')
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Whether here is the dash of an entry of a list.
    fn is_dash(&self) -> bool {
        self.peek() == Some(b'-') && self.bytes.get(self.at + 1) == Some(&b' ')
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}
