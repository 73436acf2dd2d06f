//! What YAML may do in a policy: text → tree, over the events of saphyr-parser, which is safe Rust and stops
//! at the first event we do not like.
//!
//! It runs before the reader that decides the meaning, which is not made for hostile nesting and aliases.
//! Values are not judged here.

mod cursor;
mod syntax;

use super::tree::{Kind, NodeId, Shape, Tree, is_null};
use crate::diagnostic::{Code, Diagnostic};
use cursor::Cursor;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use std::sync::Arc;
use std::{collections::BTreeMap, ops::Range};

/// Deepest nesting of lists and maps.
pub(crate) const DEEPEST: usize = 32;
/// Most nodes of a document, keys included.
pub(crate) const MOST_NODES: usize = 1_000_000;
/// Longest scalar, in bytes; no value of the language comes near.
const LONGEST_SCALAR: usize = 4096;

/// More complaints than this about one file help nobody.
pub(crate) const MOST_COMPLAINTS: usize = 1000;

/// What the guard saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The document, as far as it was read.
    pub(crate) tree: Tree,
    /// What is wrong with it.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether it was read to its end and says what it means, so that looking further makes sense.
    pub(crate) whole: bool,
}

/// Reads the only document of a text.
pub(crate) fn guard(source: usize, text: &Arc<String>) -> Seen {
    let mut guard = Guard {
        source,
        text,
        cursor: Cursor::new(text),
        open: Vec::new(),
        indirect: false,
        seen: Seen {
            tree: Tree::new(text),
            ..Seen::default()
        },
    };
    let read = guard.read();
    let mut seen = guard.seen;
    match read {
        Ok(()) => seen.whole = !guard.indirect,
        Err(fatal) => seen.diagnostics.push(*fatal),
    }
    seen
}

struct Guard<'a> {
    source: usize,
    text: &'a str,
    cursor: Cursor<'a>,
    open: Vec<Open>,
    /// Whether something is copied from elsewhere, so that what is written is not what is meant.
    indirect: bool,
    seen: Seen,
}

/// A list or map that is not at its end yet.
struct Open {
    id: NodeId,
    /// Whether it is a map and the next node is a key of it.
    is_key_next: bool,
    is_map: bool,
}

type Fatal = Box<Diagnostic>;

impl Guard<'_> {
    fn read(&mut self) -> Result<(), Fatal> {
        let mut documents = 0;
        let mut parser = Parser::new(StrInput::new(self.text));
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let at = self.cursor.offset(*error.marker());
                Box::new(syntax::syntax(self.source, self.text, at, error.info()))
            })?;
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents == 2 {
                        return Err(self.second_document(span));
                    }
                }
                Event::Alias(_) => self.alias(span)?,
                Event::Scalar(text, style, anchor, tag) => {
                    self.marks(span, anchor, tag.is_some());
                    self.scalar(&text, style, span)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.marks(span, anchor, tag.is_some());
                    self.open(false, span)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.marks(span, anchor, tag.is_some());
                    self.open(true, span)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span),
            }
        }
        self.not_empty()
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Result<(), Fatal> {
        let bytes = self.bytes(span);
        if LONGEST_SCALAR < text.len() {
            let message = format!(
                "a value of {} bytes, at most {LONGEST_SCALAR} are read",
                text.len()
            );
            let end = bytes.end.min(bytes.start + 40);
            return Err(self.fatal(Code::TooLarge, message, bytes.start..end, "begins here", ""));
        }
        let plain = style == ScalarStyle::Plain;
        if plain && text == "<<" && self.is_key() {
            self.indirect = true;
            self.complain(
                Code::MergeKey,
                "the language has no merge keys",
                bytes.clone(),
                "merges another map into this one",
                "write the keys out, or use groups and services",
            );
        }
        self.count(&bytes)?;
        self.seen.tree.scalar(&bytes, plain, text);
        Ok(())
    }

    fn open(&mut self, is_map: bool, span: Span) -> Result<(), Fatal> {
        let bytes = self.bytes(span);
        if self.is_key() {
            return Err(self.fatal(
                Code::ComplexKey,
                "a key is a list or a map",
                bytes,
                "a key is expected here",
                "keys are plain words",
            ));
        }
        if self.open.len() == DEEPEST {
            let message = format!("nested more than {DEEPEST} levels deep");
            return Err(self.fatal(Code::TooDeep, message, bytes, "one level too many", ""));
        }
        let bracket = self
            .text
            .get(bytes.start..)
            .is_some_and(|rest| rest.starts_with(['[', '{']));
        self.count(&bytes)?;
        let shape = match (is_map, bracket) {
            (false, false) => Shape::BlockList,
            (false, true) => Shape::FlowList,
            (true, false) => Shape::BlockMap,
            (true, true) => Shape::FlowMap,
        };
        let id = self.seen.tree.open(bytes.start, shape);
        self.open.push(Open {
            id,
            is_key_next: is_map,
            is_map,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) {
        let Some(Open { id, is_map, .. }) = self.open.pop() else {
            return;
        };
        let end = self.bytes(span).end;
        self.seen.tree.close(id, end);
        if is_map {
            self.duplicate_keys(id);
        }
    }

    /// Whether the next node is a key of a map.
    fn is_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_key_next)
    }

    /// Counts the node that is about to be added, and what comes after it in the list or map that is open.
    fn count(&mut self, bytes: &Range<usize>) -> Result<(), Fatal> {
        if self.seen.tree.len() == MOST_NODES {
            let message = format!("more than {MOST_NODES} keys and values");
            return Err(self.fatal(
                Code::TooLarge,
                message,
                bytes.clone(),
                "the last one read",
                "",
            ));
        }
        if let Some(open) = self.open.last_mut() {
            open.is_key_next = open.is_map && !open.is_key_next;
        }
        Ok(())
    }

    fn duplicate_keys(&mut self, map: NodeId) {
        let tree = &self.seen.tree;
        let mut first: BTreeMap<&str, NodeId> = BTreeMap::new();
        let mut duplicates = Vec::new();
        let bytes = |key| tree.get(key).map(|key| key.bytes()).unwrap_or_default();
        for (key, _) in tree.entries(map) {
            let text = tree.text(key).unwrap_or_default();
            match first.get(text) {
                Some(before) => duplicates.push((text, bytes(*before), bytes(key))),
                None => {
                    first.insert(text, key);
                }
            }
        }
        let duplicates = duplicates.into_iter().map(|(text, before, again)| {
            Diagnostic::error(
                Code::DuplicateKey,
                format!("the key `{text}` is written twice"),
            )
            .at_text(self.source, again, "again here")
            .at_text(self.source, before, "first here")
            .help("some programs take the first value, some the last; keep one")
        });
        let free = MOST_COMPLAINTS.saturating_sub(self.seen.diagnostics.len());
        self.seen.diagnostics.extend(duplicates.take(free));
    }

    /// Complains about what may stand before a node and must not in a policy.
    fn marks(&mut self, span: Span, anchor: usize, tag: bool) {
        let bytes = self.bytes(span);
        if anchor != 0 {
            self.indirect = true;
            self.complain(
                Code::Anchor,
                "the language has no anchors",
                bytes.clone(),
                "marked with `&` for being copied",
                "write it out, or use groups and services",
            );
        }
        if tag {
            self.complain(
                Code::Tag,
                "the language has no tags",
                bytes,
                "marked with `!`",
                "delete the word that begins with `!`",
            );
        }
    }

    /// An alias whose anchor exists: the anchor has been complained about, which is enough.
    fn alias(&mut self, span: Span) -> Result<(), Fatal> {
        let bytes = self.bytes(span);
        self.count(&bytes)?;
        self.seen.tree.scalar(&bytes, true, "");
        Ok(())
    }

    fn second_document(&mut self, span: Span) -> Fatal {
        let bytes = self.bytes(span);
        self.fatal(
            Code::SeveralDocuments,
            "a second document begins in this file",
            bytes,
            "the second document",
            "delete the line `---`, or make it a file of its own in a directory",
        )
    }

    fn not_empty(&mut self) -> Result<(), Fatal> {
        let root = self.seen.tree.root();
        match root.and_then(|(root, _)| self.seen.tree.kind(root)) {
            Some(Kind::Scalar { text, plain: true }) if is_null(text) => {}
            Some(_) => return Ok(()),
            None => {}
        }
        Err(self.fatal(
            Code::EmptyPolicy,
            "the file holds no policy",
            0..0,
            "",
            "an empty file never means `delete everything`; `rfw remove` does",
        ))
    }

    fn complain(
        &mut self,
        code: Code,
        message: &str,
        bytes: Range<usize>,
        label: &str,
        help: &str,
    ) {
        if self.seen.diagnostics.len() < MOST_COMPLAINTS {
            let diagnostic = self.fatal(code, message, bytes, label, help);
            self.seen.diagnostics.push(*diagnostic);
        }
    }

    fn fatal(
        &self,
        code: Code,
        message: impl Into<String>,
        bytes: Range<usize>,
        label: &str,
        help: &str,
    ) -> Fatal {
        let diagnostic = Diagnostic::error(code, message).at_text(self.source, bytes, label);
        Box::new(match help {
            "" => diagnostic,
            help => diagnostic.help(help),
        })
    }

    fn bytes(&mut self, span: Span) -> Range<usize> {
        self.cursor.bytes(span)
    }
}
