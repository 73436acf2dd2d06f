//! From a document path back to the bytes of the file it was written in.

use super::parse::{Kind, NodeId, Tree};
use crate::diagnostic::{DocPath, Locate, Place, Segment, Spot};

/// Where everything in a (merged) document was written.
#[derive(Clone, Debug, Default)]
pub struct Locations {
    /// One for each source, by its number; empty for what could not be read.
    trees: Vec<Tree>,
}

/// A node in one of the sources.
#[derive(Clone, Copy)]
struct Found {
    source: usize,
    key: Option<NodeId>,
    node: NodeId,
}

impl Locations {
    pub(super) fn new(trees: Vec<Tree>) -> Self {
        Locations { trees }
    }

    /// The tree of each source.
    pub(super) fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Where a path leads in one source alone (to the key, if it ends in one); `None` if it is not there.
    pub(super) fn in_source(&self, source: usize, path: &DocPath) -> Option<Spot> {
        let node = self.trees.get(source)?.root()?.0;
        let (found, whole) = self.walk(
            vec![Found {
                source,
                key: None,
                node,
            }],
            path,
        );
        self.spot(found.filter(|_| whole), true)
    }

    fn resolve(&self, path: &DocPath) -> (Option<Found>, bool) {
        let roots = self.trees.iter().enumerate().filter_map(|(source, tree)| {
            let (node, _) = tree.root()?;
            Some(Found {
                source,
                key: None,
                node,
            })
        });
        self.walk(roots.collect(), path)
    }

    /// Goes down a path, through all sources at once: their maps are united and their lists one after the
    /// other. Also tells whether the whole path exists; if not, the node is its nearest parent.
    fn walk(&self, mut here: Vec<Found>, path: &DocPath) -> (Option<Found>, bool) {
        for segment in path.segments() {
            let next = match segment {
                Segment::Key(key) => self.below(&here, key),
                // A pointer does not tell the key `0` from the index.
                Segment::Index(index) => match self.nth(&here, *index) {
                    Some(found) => vec![found],
                    None => self.below(&here, &index.to_string()),
                },
            };
            if next.is_empty() {
                return (here.first().copied(), false);
            }
            here = next;
        }
        (here.first().copied(), true)
    }

    fn below(&self, here: &[Found], key: &str) -> Vec<Found> {
        let children = here.iter().filter_map(|found| {
            let (key, node) = self.trees.get(found.source)?.entry(found.node, key)?;
            Some(Found {
                source: found.source,
                key: Some(key),
                node,
            })
        });
        children.collect()
    }

    fn nth(&self, here: &[Found], mut index: usize) -> Option<Found> {
        for found in here {
            let Some(tree) = self.trees.get(found.source) else {
                continue;
            };
            if !matches!(tree.kind(found.node), Some(Kind::List)) {
                continue;
            }
            for node in tree.items(found.node) {
                if index == 0 {
                    return Some(Found {
                        source: found.source,
                        key: None,
                        node,
                    });
                }
                index -= 1;
            }
        }
        None
    }

    fn spot(&self, found: Option<Found>, wants_key: bool) -> Option<Spot> {
        let Found { source, key, node } = found?;
        let tree = self.trees.get(source)?;
        let value = tree.get(node)?;
        let key = key.and_then(|key| tree.get(key));
        // An empty value has no bytes, and a block under a key is best pointed at by the key.
        let shown = match key {
            Some(key) if wants_key || value.is_block() || value.bytes().is_empty() => key,
            Some(_) | None => value,
        };
        Some(Spot {
            source,
            bytes: shown.bytes(),
        })
    }
}

impl Locate for Locations {
    fn locate(&self, place: &Place) -> Option<Spot> {
        match place {
            Place::Text(spot) => Some(spot.clone()),
            Place::Value(path) => self.spot(self.resolve(path).0, false),
            Place::Key(path) => {
                let (found, whole) = self.resolve(path);
                self.spot(found, whole)
            }
        }
    }
}
