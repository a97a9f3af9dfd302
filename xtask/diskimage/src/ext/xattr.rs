//! Extended attributes: behind an inode's fields, and in a block of their own.

use super::inode::Inode;
use super::superblock::LAYER;
use super::volume::Volume;
use crate::error::Result;
use crate::record::Record;
use std::borrow::Cow;

const MAGIC: u32 = 0xea02_0000;

/// Bytes of an entry before its name.
const ENTRY: usize = 16;

type List = Vec<(Vec<u8>, Vec<u8>)>;

/// The attributes of an inode, sorted by name.
pub(super) fn list(volume: &Volume, inode: &Inode) -> Result<List> {
    let mut list = List::new();
    let r = inode.record();
    if inode.bytes.len() > 132 {
        let start = 128 + usize::from(r.le16(128)?);
        if r.le32(start).is_ok_and(|magic| magic == MAGIC) {
            let area =
                Record::new(LAYER, inode.offset + start as u64 + 4, &inode.bytes[start + 4..]);
            entries(&area, 0, &mut list)?;
        }
    }
    let block = u64::from(r.le32(104)?) | u64::from(r.le16(118)?) << 32;
    if block > 0 {
        let (offset, bytes) = volume.block(block)?;
        let area = Record::new(LAYER, offset, &bytes);
        if area.le32(0)? != MAGIC {
            return Err(area.error(0, "no block of attributes"));
        }
        entries(&area, 32, &mut list)?;
    }
    list.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(list)
}

/// Reads the entries from `at` on; the places of values count from the start of the area.
fn entries(area: &Record<'_>, mut at: usize, list: &mut List) -> Result<()> {
    while area.le32(at).is_ok_and(|start| start != 0) {
        let (name_len, index) = (usize::from(area.u8(at)?), area.u8(at + 1)?);
        let value = usize::from(area.le16(at + 2)?);
        if area.le32(at + 4)? != 0 {
            return Err(area.error(at, "an attribute in an inode, not read"));
        }
        let len = area.le32(at + 8)? as usize;
        let mut name = prefix(index).into_owned().into_bytes();
        name.extend(area.slice(at + ENTRY, name_len)?);
        list.push((name, area.slice(value, len)?.to_vec()));
        at += (ENTRY + name_len).next_multiple_of(4);
    }
    Ok(())
}

/// Prefix of an index (Linux, fs/ext4/xattr.h).
fn prefix(index: u8) -> Cow<'static, str> {
    let known = match index {
        1 => "user.",
        2 => "system.posix_acl_access",
        3 => "system.posix_acl_default",
        4 => "trusted.",
        6 => "security.",
        7 => "system.",
        8 => "system.richacl",
        other => return format!("unknown-{other}.").into(),
    };
    known.into()
}
