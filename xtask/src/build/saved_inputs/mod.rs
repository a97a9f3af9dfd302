//! The inputs of a build, kept: everything it fetched, so that it can be built again with no network
//! when its snapshot, its mirror or its registry is gone.
//!
//! A folder:
//!
//! - `manifest`: what was built from what, and a line for each file of the package cache
//! - `objects/ab/abcd…`: those files, by their SHA-256
//! - `builder-image.tar`: the builder image, as `docker load` takes it

mod keep;
mod manifest;
mod saved;

pub(crate) use keep::{keep, put_in_place};
pub(crate) use saved::Saved;

/// Where approx keeps what it served, in the builder.
pub(crate) const CACHE_GUEST: &str = "/var/cache/approx-derivative-maker";

const MANIFEST: &str = "manifest";
const OBJECTS: &str = "objects";
const IMAGE: &str = "builder-image.tar";
