//! Saved inputs: everything that a build fetched. With them it can be repeated without network, even
//! after its snapshot, its mirror or its registry is gone.
//!
//! The folder contains:
//!
//! - `manifest`: the pins and inputs of the build, and a line for each file of the package cache
//! - `objects/ab/abcd…`: those files, named by their SHA-256
//! - `builder-image.tar`: the builder image, for `docker load`; also an OCI image layout, if the image was made here

mod keep;
mod layout;
mod manifest;
mod saved;

pub(crate) use keep::{keep, put_in_place};
pub(crate) use layout::CACHE_GUEST;
pub(crate) use saved::Saved;
