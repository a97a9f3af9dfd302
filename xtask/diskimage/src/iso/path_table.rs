//! Path tables (ECMA-119, 9.4): a second list of all folders, which the tree does not need.
//!
//! A table is taken for described only as far as each of its entries repeats a folder of the tree.
//! Its claimed length is never believed: it could cover the whole image.

use super::sector::{LAYER, SECTOR};
use crate::error::Result;
use crate::record::Record;
use crate::source::Source;
use std::collections::HashSet;

/// Bytes of a table that are read; 65,535 folders with short names need 1 MiB.
const LEN: u64 = 4 << 20;

/// A folder as a path table names it: its ISO 9660 name, its sector, its parent's sector.
pub(super) type PathTableFolder = (Vec<u8>, u64, u64);

/// A path table as the volume descriptor names it.
pub(super) struct PathTable {
    /// Offset.
    pub(super) start: u64,
    /// Claimed bytes.
    pub(super) len: u64,
    pub(super) big_endian: bool,
}

impl PathTable {
    /// Bytes of the table; `None` if it says anything else than the tree does.
    pub(super) fn described(
        &self,
        source: &dyn Source,
        folders: &HashSet<PathTableFolder>,
    ) -> Result<Option<u64>> {
        if self.len > LEN {
            return Ok(None);
        }
        let bytes = source.up_to(self.start, self.len as usize)?;
        let repeats = self.repeats(&Record::new(LAYER, self.start, &bytes), folders);
        Ok(repeats.filter(|len| *len == self.len))
    }

    /// Bytes of the entries, if each repeats a folder, in the order that the standard asks for.
    fn repeats(&self, r: &Record<'_>, folders: &HashSet<PathTableFolder>) -> Option<u64> {
        let mut sectors = Vec::new();
        let (mut at, mut last) = (0, (0, Vec::new()));
        while at < r.bytes.len() {
            let len = usize::from(r.u8(at).ok()?);
            let (sector, parent) = (r.le32(at + 2).ok()?, r.le16(at + 6).ok()?);
            let (sector, parent) = match self.big_endian {
                true => (sector.swap_bytes(), parent.swap_bytes()),
                false => (sector, parent),
            };
            let name = r.slice(at + 8, len).ok()?.to_vec();
            let padded = len.next_multiple_of(2);
            if r.u8(at + 1).ok()? != 0
                || r.slice(at + 8 + len, padded - len).ok()? != &[0][..padded - len]
            {
                return None;
            }
            sectors.push(u64::from(sector));
            let above = *sectors.get(usize::from(parent).checked_sub(1)?)?;
            if len == 0 || (parent, &name) < (last.0, &last.1) {
                return None;
            }
            if !folders.contains(&(name.clone(), u64::from(sector), above)) {
                return None;
            }
            last = (parent, name);
            at += 8 + padded;
        }
        (sectors.len() == folders.len()).then_some(at as u64)
    }
}

/// Sector of an offset.
pub(super) fn sector(offset: u64) -> u64 {
    offset / SECTOR
}
