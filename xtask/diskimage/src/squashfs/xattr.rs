//! Extended attributes: a table of lists, each in metadata blocks of their own.

use super::reached::{Indexed, MetadataTable, position};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::ranges::DescribedRanges;
use crate::record::Record;
use crate::source::Shared;
use crate::squashfs::metadata::MetadataReader;
use crate::squashfs::superblock::{LAYER, NONE, Superblock};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of a value; Linux allows 65,536.
const VALUE: usize = 65_536;

/// Bytes of all attributes of one inode.
const LIST: usize = 1 << 20;

/// This bit of a key means that a reference to the value follows, not the value.
const ELSEWHERE: u16 = 0x100;

pub(crate) struct Xattrs {
    metadata: MetadataReader,
    source: Shared,
    /// Offset of the lists.
    start: u64,
    /// Offset of the pointers to the blocks of the table.
    pointers: u64,
    count: u32,
}

impl Xattrs {
    pub(crate) fn read(
        source: &Shared,
        superblock: &Superblock,
        budget: &Arc<Budget>,
    ) -> Result<Option<Xattrs>> {
        let at = superblock.xattr_table;
        if at == NONE {
            return Ok(None);
        }
        let bytes = source.exactly(LAYER, at, 16)?;
        let r = Record::new(LAYER, at, &bytes);
        let (start, count) = (r.le64(0)?, r.le32(8)?);
        let metadata = MetadataReader::new(
            source.clone(),
            superblock.codec,
            superblock.bytes_used,
            budget.clone(),
        );
        let pointers = at.saturating_add(16);
        Ok(Some(Xattrs { metadata, source: source.clone(), start, pointers, count }))
    }

    /// The attributes of an inode, sorted by name.
    pub(crate) fn list(&self, index: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        if index >= self.count {
            let why = format!("list {index} of {} lists of xattrs", self.count);
            return Err(Error::new(LAYER, self.pointers, why));
        }
        // entries of 16 bytes, 512 in a block
        let pointer = self.pointers + u64::from(index / 512) * 8;
        let bytes = self.source.exactly(LAYER, pointer, 8)?;
        let block = Record::new(LAYER, pointer, &bytes).le64(0)?;
        let mut cursor = self.metadata.cursor(block, (index % 512) as usize * 16);
        let (place, count, claimed) = (cursor.u64()?, cursor.u32()?, cursor.u32()?);
        let mut cursor = self.at(place);
        let mut list = Vec::new();
        let (mut len, mut said) = (0, 0);
        for _ in 0..count {
            let key = cursor.u16()?;
            let name = usize::from(cursor.u16()?);
            let mut full = prefix(key).into_owned().into_bytes();
            // as mksquashfs counts: with the prefix, and a zero behind the name
            said += full.len() + name + 1;
            full.extend(cursor.bytes(name, 256)?);
            let size = cursor.u32()? as usize;
            let value = if key & ELSEWHERE == 0 {
                cursor.bytes(size, VALUE)?
            } else {
                let mut there = self.at(cursor.u64()?);
                let size = there.u32()? as usize;
                there.bytes(size, VALUE)?
            };
            said += value.len();
            len += full.len() + value.len() + 64;
            if len > LIST {
                return Err(cursor.error(format!("more than {LIST} bytes of xattrs in one list")));
            }
            list.push((full, value));
        }
        if claimed as usize != said {
            list.push((b"[bytes of the list]".to_vec(), claimed.to_string().into_bytes()));
        }
        // of two with one name the first counts
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(list)
    }

    /// The bytes of names, values and the table of lists that none of these lists reaches; `stored`: where all
    /// stored bytes that were read are added.
    pub(super) fn unreached(
        &self,
        lists: &HashSet<u32>,
        stored: &mut DescribedRanges,
        budget: &Arc<Budget>,
    ) -> Result<Vec<u8>> {
        let table = Indexed { pointers: self.pointers, entries: self.count.into(), len: 16 };
        let (entries, mut rest) = table.read(&self.source, &self.metadata, stored)?;
        let head = self.source.exactly(LAYER, self.pointers - 16, 16)?;
        stored.add(self.pointers - 16, 16)?;
        let head = Record::new(LAYER, self.pointers - 16, &head);
        rest.extend(head.slice(12, 4)?.iter().filter(|byte| **byte != 0));
        let first = self.source.exactly(LAYER, self.pointers, 8)?;
        let end = Record::new(LAYER, self.pointers, &first).le64(0)?;
        let mut names = MetadataTable::read(&self.metadata, self.start, end, budget, stored)?;
        for (index, entry) in entries.chunks_exact(16).enumerate() {
            if !lists.contains(&(index as u32)) {
                rest.extend_from_slice(entry);
                continue;
            }
            let r = Record::new(LAYER, self.pointers, entry);
            let mut cursor = self.at(r.le64(0)?);
            let from = position(&cursor);
            for _ in 0..r.le32(8)? {
                let (key, len) = (cursor.u16()?, usize::from(cursor.u16()?));
                cursor.bytes(len, 256)?;
                let len = cursor.u32()? as usize;
                if key & ELSEWHERE == 0 {
                    cursor.bytes(len, VALUE)?;
                } else {
                    let mut there = self.at(cursor.u64()?);
                    let from = position(&there);
                    let len = there.u32()? as usize;
                    there.bytes(len, VALUE)?;
                    names.add(from, position(&there))?;
                }
            }
            names.add(from, position(&cursor))?;
        }
        rest.extend(names.rest()?);
        Ok(rest)
    }

    /// A cursor at a reference: offset of the block, shifted by 16, and place in the block.
    fn at(&self, reference: u64) -> crate::squashfs::metadata::Cursor<'_> {
        let block = self.start.saturating_add(reference >> 16);
        self.metadata.cursor(block, (reference & 0xffff) as usize)
    }
}

fn prefix(key: u16) -> Cow<'static, str> {
    match key & !ELSEWHERE {
        0 => "user.".into(),
        1 => "trusted.".into(),
        2 => "security.".into(),
        other => format!("unknown-{other:04x}.").into(),
    }
}
