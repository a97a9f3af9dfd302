//! The parts of a squashfs that no file and no folder reaches.

use super::inode::{self, Inode, InodeData};
use super::packed;
use super::reached::{Indexed, MetadataTable, Position, Rest, position};
use super::superblock::{LAYER, NONE};
use super::{Header, SharedBlock, Squashfs};
use crate::budget::Held;
use crate::error::Result;
use crate::ranges::DescribedRanges;
use crate::record::Record;
use crate::source::Bytes;
use crate::tree::{Kind, Node, Part, PartContent, Walked};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Bytes of memory for each listing.
const LISTING: u64 = 40;

/// A header in a listing, and the first name behind it.
type FirstName = (Header, Vec<u8>);

/// The walk through all folders.
struct Walk<'s> {
    squashfs: &'s Squashfs,
    /// The stored bytes that were reached.
    stored: DescribedRanges,
    inodes: MetadataTable,
    folders: MetadataTable,
    /// Reference of each folder, begin and end of its listing.
    listings: Vec<(u64, Position, Position)>,
    /// References of inodes by their numbers.
    numbers: HashMap<u32, u64>,
    /// The tails of files in each fragment that is used.
    fragments: HashMap<u32, DescribedRanges>,
    shared: Vec<SharedBlock>,
    owners: HashSet<u16>,
    xattrs: HashSet<u32>,
    rest: Rest,
    held: Held,
}

pub(super) fn parts(squashfs: &Squashfs) -> Result<Vec<Part>> {
    let superblock = &squashfs.superblock;
    let mut stored = DescribedRanges::new(LAYER);
    stored.add(0, superblock.described())?;
    let mut table = |metadata, start, end| {
        MetadataTable::read(metadata, start, end, &squashfs.budget, &mut stored)
    };
    let inodes = table(&squashfs.inodes, superblock.inode_table, superblock.directory_table)?;
    let end = end_of_folders(squashfs)?;
    let folders = table(&squashfs.folders, superblock.directory_table, end)?;
    let mut walk = Walk {
        squashfs,
        stored,
        inodes,
        folders,
        listings: Vec::new(),
        numbers: HashMap::new(),
        fragments: HashMap::new(),
        shared: Vec::new(),
        owners: HashSet::new(),
        xattrs: HashSet::new(),
        rest: Rest::default(),
        held: squashfs.budget.hold(LAYER, 0, 0)?,
    };
    walk.all()?;
    walk.finish()
}

/// Offset behind the table of folders: the first block of the table that comes next.
fn end_of_folders(squashfs: &Squashfs) -> Result<u64> {
    let superblock = &squashfs.superblock;
    let fragments = if superblock.fragments > 0 { superblock.fragment_table } else { NONE };
    // the table of attributes begins with a pointer as well: to their names and values
    let tables = [fragments, superblock.export_table, superblock.id_table, superblock.xattr_table];
    let mut end = superblock.bytes_used;
    for table in tables.into_iter().filter(|table| *table != NONE) {
        let pointer = squashfs.source.exactly(LAYER, table, 8)?;
        let block = Record::new(LAYER, table, &pointer).le64(0)?;
        if block >= superblock.directory_table {
            end = end.min(block);
        }
    }
    Ok(end)
}

impl Walk<'_> {
    fn all(&mut self) -> Result<()> {
        let root = self.squashfs.superblock.root;
        let mut walked = Walked::default();
        // reference, number of the parent, depth
        let above = self.squashfs.superblock.inodes.wrapping_add(1);
        let mut open = vec![(root, above, 0)];
        while let Some((reference, parent, depth)) = open.pop() {
            walked.enter(self.squashfs, &Node::bare_root(reference), depth)?;
            let folder = self.inode(reference)?;
            let (headers, found) = self.folder(reference, &folder, parent)?;
            self.index(reference, &folder, &headers)?;
            open.extend(found.into_iter().map(|inner| (inner, folder.number, depth + 1)));
        }
        Ok(())
    }

    /// Adds an inode, and what it names; `index` of a folder follows it, and is added apart.
    fn inode(&mut self, reference: u64) -> Result<Inode> {
        let (inode, mut cursor) = self.squashfs.inode(reference)?;
        match self.numbers.insert(inode.number, reference) {
            // another name of a file
            Some(known) if known == reference => return Ok(inode),
            Some(known) => self.rest.misfit("two inodes of one number", [known, reference]),
            None => {}
        }
        // Linux adds the type to the mode, so that these would make it another one
        if inode.mode & !0o7777 != 0 {
            self.rest.misfit("type in a mode", [inode.number.into(), inode.mode.into()]);
        }
        if let InodeData::File(blocks) = &inode.what {
            let sizes = blocks.sizes(&mut cursor)?;
            self.stored.add(blocks.start, packed::total(&sizes))?;
            if blocks.fragment != inode::NONE {
                let tail = blocks.size % u64::from(self.squashfs.superblock.block_size);
                let tails = self.fragments.entry(blocks.fragment);
                let tails = tails.or_insert_with(|| DescribedRanges::new(LAYER));
                self.held.grow(LAYER, blocks.start, 16)?;
                tails.add(blocks.offset.into(), tail)?;
            }
        }
        if inode.xattrs != inode::NONE {
            self.xattrs.insert(inode.xattrs);
        }
        self.owners.extend([inode.uid, inode.gid]);
        let start = self.squashfs.superblock.inode_table.saturating_add(reference >> 16);
        self.inodes.add((start, (reference & 0xffff) as usize), position(&cursor))?;
        Ok(inode)
    }

    /// Adds the names of a folder; returns its headers with their first names, and the folders in it.
    fn folder(
        &mut self,
        reference: u64,
        folder: &Inode,
        parent: u32,
    ) -> Result<(Vec<FirstName>, Vec<u64>)> {
        let mut headers: Vec<FirstName> = Vec::new();
        let mut found = Vec::new();
        let squashfs = self.squashfs;
        let [from, to] = squashfs.names(folder, &mut |header, name| {
            let inode = self.inode(name.reference)?;
            if name.number != inode.number {
                self.rest.misfit("number of a name", [name.number.into(), inode.number.into()]);
            }
            if name.code != inode.code {
                self.rest.misfit("type of a name", [name.code.into(), inode.code.into()]);
            }
            if inode.kind == Kind::Folder {
                found.push(name.reference);
            }
            if headers.last().is_none_or(|(last, _)| last.at != header.at) {
                headers.push((Header { ..*header }, name.bytes));
            }
            Ok(())
        })?;
        self.folders.add(from, to)?;
        self.held.grow(LAYER, from.0, LISTING)?;
        self.listings.push((reference, from, to));
        if let InodeData::Folder { parent: said, .. } = folder.what
            && said != parent
        {
            self.rest.misfit("number of a folder's parent", [said.into(), parent.into()]);
        }
        let links = found.len() as u64 + 2;
        if u64::from(folder.links) != links {
            self.rest.misfit("links of a folder", [folder.links.into(), links]);
        }
        Ok((headers, found))
    }

    /// Holds the index of a listing, by which a name is found without reading all, against the listing.
    fn index(&mut self, reference: u64, folder: &Inode, headers: &[FirstName]) -> Result<()> {
        let InodeData::Folder { index: count @ 1.., .. } = folder.what else { return Ok(()) };
        let (_, mut cursor) = self.squashfs.inode(reference)?;
        let from = position(&cursor);
        for _ in 0..count {
            let (at, block) = (u64::from(cursor.u32()?), u64::from(cursor.u32()?));
            let len = cursor.u32()? as usize + 1;
            let name = cursor.bytes(len, 256)?;
            let is = |(header, first): &FirstName| {
                (header.at, header.block) == (at, block) && *first == name
            };
            if !headers.iter().any(is) {
                self.rest.misfit("index of a listing", [at, block]);
                self.rest.add(&name);
            }
        }
        self.inodes.add(from, position(&cursor))
    }

    fn finish(mut self) -> Result<Vec<Part>> {
        let superblock = &self.squashfs.superblock;
        if self.numbers.len() as u64 != u64::from(superblock.inodes) {
            self.rest
                .misfit("number of inodes", [superblock.inodes.into(), self.numbers.len() as u64]);
        }
        self.fragments()?;
        self.owners()?;
        self.exported()?;
        if let Some(xattrs) = &self.squashfs.xattrs {
            let rest = xattrs.unreached(&self.xattrs, &mut self.stored, &self.squashfs.budget)?;
            self.rest.add(&rest);
        }
        self.bytes_used();
        self.empty_folders();
        let rest = [self.inodes.rest()?, self.folders.rest()?];
        rest.iter().for_each(|rest| self.rest.add(rest));
        let mut parts = Vec::new();
        let rest = self.rest.into_bytes();
        if !rest.is_empty() {
            parts.push(Part::bytes("[in no folder]", None, Arc::new(Bytes(rest))));
        }
        if !self.shared.is_empty() {
            let what = PartContent::SharedBlocks(self.shared);
            parts.push(Part { name: "[in the tails of no file]".to_owned(), place: None, what });
        }
        let (source, budget) = (&self.squashfs.source, &self.squashfs.budget);
        parts.extend(self.stored.part(
            "[between the blocks]",
            source,
            budget,
            0,
            superblock.bytes_used,
        )?);
        Ok(parts)
    }

    /// Notes empty folders whose listing is not said to stand where that of the folder before it ends: mksquashfs writes
    /// the listings in the order of the inodes.
    fn empty_folders(&mut self) {
        self.listings.sort_unstable();
        let mut end = Some(0);
        for (reference, from, to) in &self.listings {
            if from != to {
                end = self.folders.offset(*to);
            } else if self.folders.offset(*from).is_none_or(|at| Some(at) != end) {
                self.rest.misfit("place of an empty folder", [*reference, from.1 as u64]);
            }
        }
    }

    /// Notes bytes used that do not end where the last table does.
    fn bytes_used(&mut self) {
        let used = self.squashfs.superblock.bytes_used;
        let before = self.stored.gaps(0, used).last().copied();
        match before {
            Some((start, len)) if start + len == used => {
                self.rest.misfit("bytes used", [used, start]);
            }
            _ if self.stored.gaps(used, used + 1).is_empty() => {
                self.rest.misfit("bytes used, and a table behind them", [used, used + 1]);
            }
            _ => {}
        }
    }

    /// The entries of a table, if it exists; what is behind them is rest.
    fn table(&mut self, pointers: u64, entries: u64, len: u64) -> Result<Vec<u8>> {
        if pointers == NONE {
            return Ok(Vec::new());
        }
        let table = Indexed { pointers, entries, len };
        let (entries, rest) =
            table.read(&self.squashfs.source, &self.squashfs.tables, &mut self.stored)?;
        self.rest.add(&rest);
        Ok(entries)
    }

    fn fragments(&mut self) -> Result<()> {
        let superblock = &self.squashfs.superblock;
        let (table, count) = (superblock.fragment_table, superblock.fragments);
        for (index, entry) in self.table(table, count.into(), 16)?.chunks_exact(16).enumerate() {
            let r = Record::new(LAYER, table, entry);
            let (start, size, unused) = (r.le64(0)?, r.le32(8)?, r.le32(12)?);
            let Some(tails) = self.fragments.remove(&(index as u32)).filter(|_| unused == 0) else {
                self.rest.add(entry);
                continue;
            };
            self.stored.add(start, packed::total(&[size]))?;
            if let Some(stored) = packed::stored(start, size, superblock.block_size)? {
                let blocks = self.squashfs.blocks.clone();
                self.shared.push(SharedBlock::new(blocks, stored, tails));
            }
        }
        Ok(())
    }

    fn owners(&mut self) -> Result<()> {
        let superblock = &self.squashfs.superblock;
        let table = self.table(superblock.id_table, superblock.ids.into(), 4)?;
        for (index, entry) in table.chunks_exact(4).enumerate() {
            if !self.owners.contains(&(index as u16)) {
                self.rest.add(entry);
            }
        }
        Ok(())
    }

    /// Holds the export table, by which NFS finds an inode of a number, against the inodes.
    fn exported(&mut self) -> Result<()> {
        let superblock = &self.squashfs.superblock;
        let table = self.table(superblock.export_table, superblock.inodes.into(), 8)?;
        for (number, entry) in (1..).zip(table.chunks_exact(8)) {
            let reference = Record::new(LAYER, superblock.export_table, entry).le64(0)?;
            if self.numbers.get(&number) != Some(&reference) {
                self.rest.misfit("entry of the export table", [number.into(), reference]);
            }
        }
        Ok(())
    }
}
