//! A member of an archive.

use crate::source::Shared;
use crate::tree::Metadata;

pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) metadata: Metadata,
    pub(super) content: Shared,
    pub(super) digest: [u8; 32],
    /// Bytes of the name without the number that tells equal names apart.
    pub(super) name_len: usize,
}

impl Member {
    /// The name that the archive gives it, which others may have, too.
    pub(super) fn path(&self) -> &[u8] {
        &self.name[..self.name_len]
    }
}
