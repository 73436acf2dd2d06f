//! From a document path back to the bytes of the file it was written in.

use crate::diagnostic::{Locate, Place, Spot};

/// Where everything in a (merged) document was written.
#[derive(Clone, Debug, Default)]
pub struct Locations {}

impl Locate for Locations {
    fn locate(&self, place: &Place) -> Option<Spot> {
        match place {
            Place::Text(spot) => Some(spot.clone()),
            Place::Key(_) | Place::Value(_) => None,
        }
    }
}
