//! All texts of a policy out of a tree: the files of the policy itself, what they include, and the lists they
//! name.
//!
//! ```text
//! own files, in the order of their names · included files, in the order of their paths · lists likewise
//! ```
//!
//! What an operator got wrong is a diagnostic; a file system that fails is an error. Neither shows anything of what
//! is in a file that does not belong to the policy.

use std::collections::BTreeMap;
use std::ops::Range;

use super::SourceError;
use super::expand::{MOST_LISTINGS, expand};
use super::git::Revision;
use super::tree::{Tree, Unreadable};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Place, SourceText, nearest};
use crate::policy::{LARGEST_FILE, LARGEST_POLICY, References, references};

/// More files than this are not a policy.
const MOST_FILES: usize = 10_000;
/// Deepest nesting of files that include files.
const DEEPEST: usize = 8;
/// More matches than this, of all patterns together, are not a policy.
const MOST_MATCHES: usize = 100_000;
/// Largest list, in bytes: more than a million lines of the longest entries.
pub const LARGEST_LIST: usize = 96 << 20;
/// Largest lists, all together, in bytes.
const LARGEST_LISTS: usize = 256 << 20;

/// What a policy is read from.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// All texts: first the policy's own, in the order in which they are merged, then lists.
    pub sources: Vec<SourceText>,
    /// How many of them are the policy itself.
    pub documents: usize,
    /// Of each list that follows, the path by which the policy names it.
    pub lists: Vec<String>,
    /// What is wrong with the way in which the files refer to each other.
    pub diagnostics: Diagnostics,
    /// The commit that they are of, if they are of one.
    pub revision: Option<Revision>,
}

impl Texts {
    /// The texts of the policy itself.
    #[must_use]
    pub fn documents(&self) -> &[SourceText] {
        self.sources.get(..self.documents).unwrap_or_default()
    }

    /// The lists: the path by which the policy names it, its number among the sources, and its text.
    pub fn lists(&self) -> impl Iterator<Item = (&str, usize, &[u8])> {
        let texts = self.sources.iter().enumerate().skip(self.documents);
        let paths = self.lists.iter().map(String::as_str);
        paths
            .zip(texts)
            .map(|(path, (number, source))| (path, number, &*source.text))
    }
}

/// Reads everything that belongs to a policy which begins with these files, in this order.
///
/// # Errors
/// When the tree cannot be read, or a file may be written by everybody.
pub fn gather(tree: &dyn Tree, own: &[String]) -> Result<Texts, SourceError> {
    let mut gathering = Gathering {
        tree,
        files: Vec::new(),
        numbers: BTreeMap::new(),
        total: 0,
        matches: 0,
        listings: MOST_LISTINGS,
        diagnostics: Vec::new(),
    };
    for path in own {
        gathering
            .read(path)
            .map_err(|why| failed(tree, path, why))?;
    }
    let own = gathering.files.len();
    for number in 0..own {
        gathering.visit(number, &mut Vec::new())?;
    }
    gathering.finish(own)
}

/// A file of the policy.
struct File {
    path: String,
    text: SourceText,
    visited: bool,
    references: References,
}

struct Gathering<'t> {
    tree: &'t dyn Tree,
    files: Vec<File>,
    numbers: BTreeMap<String, usize>,
    /// Bytes read so far.
    total: usize,
    /// Files matched so far.
    matches: usize,
    /// Directories that may still be listed.
    listings: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Gathering<'_> {
    /// Reads a file and notes what it refers to.
    fn read(&mut self, path: &str) -> Result<usize, Unreadable> {
        // One byte more than is allowed: enough to see that it is too large.
        let text = self.tree.read(path, LARGEST_FILE as u64 + 1)?;
        self.total += text.len();
        let text = SourceText {
            name: self.tree.name(path),
            text: text.into(),
        };
        let number = self.files.len();
        self.files.push(File {
            path: path.to_owned(),
            references: references(&text),
            text,
            visited: false,
        });
        self.numbers.insert(path.to_owned(), number);
        Ok(number)
    }

    /// Whether so much has been read that the policy is refused anyway.
    fn is_too_large(&self) -> bool {
        LARGEST_POLICY < self.total || MOST_FILES < self.files.len()
    }

    /// Reads what a file includes, and what that includes. `way` are the files that led here.
    fn visit(&mut self, number: usize, way: &mut Vec<usize>) -> Result<(), SourceError> {
        let Some(file) = self.files.get_mut(number).filter(|file| !file.visited) else {
            return Ok(());
        };
        file.visited = true;
        let includes = std::mem::take(&mut file.references.includes);
        way.push(number);
        for include in includes {
            let found = expand(self.tree, &include.to, &mut self.listings);
            let paths = match found {
                Ok(paths) => paths,
                Err(why) => {
                    self.complain(number, &include.bytes, include.to.as_str(), why)?;
                    continue;
                }
            };
            if paths.is_empty() {
                self.complain(
                    number,
                    &include.bytes,
                    include.to.as_str(),
                    Unreadable::Missing,
                )?;
            }
            for path in paths {
                self.matches += 1;
                if self.is_too_large() || MOST_MATCHES < self.matches {
                    break;
                }
                self.include(number, &include.bytes, &path, way)?;
            }
        }
        way.pop();
        Ok(())
    }

    fn include(
        &mut self,
        by: usize,
        bytes: &Range<usize>,
        path: &str,
        way: &mut Vec<usize>,
    ) -> Result<(), SourceError> {
        let number = match self.numbers.get(path) {
            Some(number) => *number,
            None => match self.read(path) {
                Ok(number) => number,
                Err(why) => return self.complain(by, bytes, path, why),
            },
        };
        if let Some(begin) = way.iter().position(|file| *file == number) {
            let circle = way.get(begin..).unwrap_or_default();
            let diagnostic = self.cycle(by, bytes, circle);
            self.diagnostics.push(diagnostic);
            return Ok(());
        }
        if DEEPEST <= way.len() {
            let message = format!("`{path}` is included more than {DEEPEST} files deep");
            let diagnostic = Diagnostic::error(Code::IncludeTooDeep, message)
                .at_text(by, bytes.clone(), "one file too many")
                .help("include it from a file further up");
            self.diagnostics.push(diagnostic);
            return Ok(());
        }
        self.visit(number, way)
    }

    fn path(&self, number: usize) -> &str {
        self.files.get(number).map_or("", |file| file.path.as_str())
    }

    fn cycle(&self, by: usize, bytes: &Range<usize>, circle: &[usize]) -> Diagnostic {
        let first = circle.first().map_or("", |number| self.path(*number));
        let message = if circle.len() < 2 {
            format!("`{first}` includes itself")
        } else {
            let way = circle
                .iter()
                .map(|number| format!("`{}` → ", self.path(*number)));
            format!(
                "`{first}` includes itself: {}`{first}`",
                way.collect::<String>()
            )
        };
        Diagnostic::error(Code::IncludeCycle, message)
            .at_text(by, bytes.clone(), "and here the circle closes")
            .help("take the pattern out, or make it match other files only")
    }

    /// Says why a file that the policy refers to is not read; a tree that cannot be read is an error.
    fn complain(
        &mut self,
        by: usize,
        bytes: &Range<usize>,
        path: &str,
        why: Unreadable,
    ) -> Result<(), SourceError> {
        let said = |code, message: String, label: &str| {
            Diagnostic::error(code, message).at_text(by, bytes.clone(), label)
        };
        let diagnostic = match why {
            Unreadable::Missing => self.missing(
                said(
                    Code::NoSuchFile,
                    format!("there is no file `{path}`"),
                    "matches nothing below the directory of the policy",
                ),
                path,
            ),
            Unreadable::NotAFile => said(
                Code::NotAFile,
                format!("`{path}` is not a regular file"),
                "a directory, a device, a pipe or a link to itself",
            )
            .help("name files only"),
            Unreadable::LeadsOut => said(
                Code::LeadsOut,
                format!("`{path}` leads out of the directory of the policy"),
                "a link to somewhere else",
            )
            .help("put the file itself there: a policy is read from its own directory only"),
            Unreadable::Odd(odd) => said(
                Code::NotAFile,
                format!("`{path}` is not a regular file"),
                &odd.to_string(),
            )
            .help("commit the file itself"),
            Unreadable::TooLarge { size } => {
                let message = format!("`{path}` is too large: {size} bytes");
                said(Code::TooLarge, message, "more bytes than are read")
            }
            Unreadable::WorldWritable | Unreadable::Io(_) => {
                return Err(failed(self.tree, path, why));
            }
        };
        self.diagnostics.push(diagnostic);
        Ok(())
    }

    /// Adds what may have been meant.
    fn missing(&self, diagnostic: Diagnostic, path: &str) -> Diagnostic {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entries = self.tree.list(directory).unwrap_or_default();
        let names = entries.iter().map(|entry| entry.name.as_str());
        let shown = names.filter(|name| !name.starts_with('.') && !name.contains('\u{fffd}'));
        match nearest(name, shown) {
            Some(near) if path.contains(['*', '?']) => diagnostic.help(format!(
                "there is a file `{}`",
                super::tree::join(directory, near)
            )),
            Some(near) => diagnostic.help(format!(
                "did you mean `{}`?",
                super::tree::join(directory, near)
            )),
            None => diagnostic.help("paths begin at the directory in which the policy lies"),
        }
    }

    /// Reads the lists, and puts everything in its order.
    fn finish(mut self, own: usize) -> Result<Texts, SourceError> {
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        if let Some(included) = order.get_mut(own..) {
            included.sort_by(|a, b| self.path(*a).cmp(self.path(*b)));
        }
        let mut lists: BTreeMap<String, SourceText> = BTreeMap::new();
        let mut total = 0;
        for number in &order {
            let named = self.files.get_mut(*number);
            let named = named.map(|file| std::mem::take(&mut file.references.lists));
            for list in named.into_iter().flatten() {
                let path = list.to.as_str();
                if lists.contains_key(path) {
                    continue;
                }
                let left = LARGEST_LIST.min(LARGEST_LISTS - total);
                match self.tree.read(path, left as u64 + 1) {
                    Ok(text) if left < text.len() => {
                        let diagnostic = too_large(*number, &list.bytes, path);
                        self.diagnostics.push(diagnostic);
                    }
                    Ok(text) => {
                        total += text.len();
                        let (name, text) = (self.tree.name(path), text.into());
                        lists.insert(path.to_owned(), SourceText { name, text });
                    }
                    Err(Unreadable::TooLarge { .. }) => {
                        let diagnostic = too_large(*number, &list.bytes, path);
                        self.diagnostics.push(diagnostic);
                    }
                    Err(why) => self.complain(*number, &list.bytes, path, why)?,
                }
            }
        }
        Ok(self.in_order(&order, lists))
    }

    fn in_order(self, order: &[usize], lists: BTreeMap<String, SourceText>) -> Texts {
        let places: BTreeMap<usize, usize> = order
            .iter()
            .enumerate()
            .map(|(place, number)| (*number, place))
            .collect();
        let mut diagnostics = self.diagnostics;
        for label in diagnostics.iter_mut().flat_map(|found| &mut found.labels) {
            if let Place::Text(spot) = &mut label.at
                && let Some(place) = places.get(&spot.source)
            {
                spot.source = *place;
            }
        }
        let mut files: BTreeMap<usize, SourceText> = BTreeMap::new();
        for (number, file) in self.files.into_iter().enumerate() {
            files.extend(places.get(&number).map(|place| (*place, file.text)));
        }
        let mut sources: Vec<SourceText> = files.into_values().collect();
        let documents = sources.len();
        let (paths, texts): (Vec<_>, Vec<_>) = lists.into_iter().unzip();
        sources.extend(texts);
        Texts {
            sources,
            documents,
            lists: paths,
            diagnostics: diagnostics.into_iter().collect(),
            revision: None,
        }
    }
}

fn too_large(by: usize, bytes: &Range<usize>, path: &str) -> Diagnostic {
    Diagnostic::error(Code::TooLarge, format!("the list `{path}` is too large"))
        .at_text(by, bytes.clone(), "more bytes than are read")
        .help(format!(
            "a list may have {} MiB, all lists together {} MiB",
            LARGEST_LIST >> 20,
            LARGEST_LISTS >> 20
        ))
}

pub(super) fn failed(tree: &dyn Tree, path: &str, why: Unreadable) -> SourceError {
    let path = tree.name(path).into();
    match why {
        Unreadable::Missing => SourceError::Read {
            path,
            source: std::io::ErrorKind::NotFound.into(),
        },
        Unreadable::NotAFile => SourceError::NotAFile { path },
        Unreadable::LeadsOut => SourceError::LeadsOut { path },
        Unreadable::WorldWritable => SourceError::WorldWritable { path },
        Unreadable::Odd(odd) => SourceError::Odd { path, odd },
        Unreadable::TooLarge { size } => SourceError::TooLarge { path, size },
        Unreadable::Io(source) => SourceError::Read { path, source },
    }
}

#[cfg(test)]
mod tests;
