//! What YAML may do in a policy: text → tree, over the events of saphyr-parser, which is safe Rust and stops
//! at the first event we do not like.
//!
//! It runs before the reader that decides the meaning, which is not made for hostile nesting and aliases.
//! Values are not judged here.

mod cursor;
mod syntax;

use super::tree::{Kind, Node, NodeId, Tree, is_null};
use crate::diagnostic::{Code, Diagnostic};
use cursor::Cursor;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use std::ops::Range;

/// Deepest nesting of lists and maps.
const DEEPEST: usize = 32;
/// Most nodes of a document, keys included.
const MOST_NODES: usize = 1_000_000;
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
pub(crate) fn guard(source: usize, text: &str) -> Seen {
    let mut guard = Guard {
        source,
        text,
        cursor: Cursor::new(text),
        open: Vec::new(),
        indirect: false,
        seen: Seen::default(),
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
    /// The key whose value comes next.
    key: Option<NodeId>,
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
                    self.open(Kind::List(Vec::new()), span)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.marks(span, anchor, tag.is_some());
                    self.open(Kind::Map(Vec::new()), span)?;
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
        let kind = Kind::Scalar {
            text: text.into(),
            plain,
        };
        self.add(Node::new(&bytes, kind))?;
        Ok(())
    }

    fn open(&mut self, kind: Kind, span: Span) -> Result<(), Fatal> {
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
        let mut node = Node::new(&bytes, kind);
        node.block = !bracket;
        let id = self.add(node)?;
        self.open.push(Open { id, key: None });
        Ok(())
    }

    fn close(&mut self, span: Span) {
        let Some(Open { id, .. }) = self.open.pop() else {
            return;
        };
        let end = self.bytes(span).end;
        if let Some(node) = self.seen.tree.get_mut(id) {
            let start = node.bytes().start;
            let first_line = self.text.get(start..end).unwrap_or_default().lines().next();
            node.end_at(start + first_line.unwrap_or_default().trim_end().len());
        }
        self.duplicate_keys(id);
    }

    /// Whether the next node is a key of a map.
    fn is_key(&self) -> bool {
        let Some(Open { id, key: None }) = self.open.last() else {
            return false;
        };
        matches!(
            self.seen.tree.get(*id),
            Some(Node {
                kind: Kind::Map(_),
                ..
            })
        )
    }

    /// Puts a node into the tree and into the list or map that is open.
    fn add(&mut self, node: Node) -> Result<NodeId, Fatal> {
        if self.seen.tree.len() == MOST_NODES {
            let message = format!("more than {MOST_NODES} keys and values");
            return Err(self.fatal(
                Code::TooLarge,
                message,
                node.bytes(),
                "the last one read",
                "",
            ));
        }
        let id = self.seen.tree.add(node);
        if let Some(open) = self.open.last_mut() {
            match self
                .seen
                .tree
                .get_mut(open.id)
                .map(|parent| &mut parent.kind)
            {
                Some(Kind::List(items)) => items.push(id),
                Some(Kind::Map(entries)) => match open.key.take() {
                    None => open.key = Some(id),
                    Some(key) => entries.push((key, id)),
                },
                Some(Kind::Scalar { .. }) | None => {}
            }
        }
        Ok(id)
    }

    fn duplicate_keys(&mut self, map: NodeId) {
        let duplicates = self.seen.tree.complete(map);
        for (before, again) in duplicates {
            if self.seen.diagnostics.len() == MOST_COMPLAINTS {
                return;
            }
            let tree = &self.seen.tree;
            let bytes = |key: NodeId| tree.get(key).map(Node::bytes).unwrap_or_default();
            let message = format!("the key `{}` is written twice", tree.key_text(again));
            self.seen.diagnostics.push(
                Diagnostic::error(Code::DuplicateKey, message)
                    .at_text(self.source, bytes(again), "again here")
                    .at_text(self.source, bytes(before), "first here")
                    .help("some programs take the first value, some the last; keep one"),
            );
        }
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
        let kind = Kind::Scalar {
            text: "".into(),
            plain: true,
        };
        self.add(Node::new(&bytes, kind))?;
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
        match self.seen.tree.root() {
            Some((
                _,
                Node {
                    kind: Kind::Scalar { text, plain: true },
                    ..
                },
            )) if is_null(text) => {}
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
