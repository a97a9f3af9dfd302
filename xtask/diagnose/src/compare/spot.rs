//! A place in the walk, and layers that cannot be read on there.

use crate::difference::{Difference, DifferenceKind, Place, Side};

/// A place, and the format of the container around it.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) layer: &'static str,
    /// True for a part of the container beside its files, which the format names, and no file does.
    pub(super) is_part: bool,
}

impl Spot {
    /// The images themselves.
    pub(super) fn outermost(layer: &'static str) -> Spot {
        Spot::new(Place::default(), layer)
    }

    /// A file, a layer or an entry.
    pub(super) fn new(place: Place, layer: &'static str) -> Spot {
        Spot { place, layer, is_part: false }
    }

    pub(super) fn difference(&self, what: DifferenceKind) -> Difference {
        Difference { place: self.place.clone(), layer: self.layer, what }
    }
}

/// A layer that could not be read to its end, and whose.
pub(super) struct Broken {
    pub(super) side: Side,
    pub(super) error: diskimage::Error,
}

/// Says whose error it was.
pub(super) trait Of<T> {
    fn of(self, side: Side) -> Result<T, Broken>;
}

impl<T> Of<T> for diskimage::Result<T> {
    fn of(self, side: Side) -> Result<T, Broken> {
        self.map_err(|error| Broken { side, error })
    }
}
