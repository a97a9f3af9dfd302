//! The members of an archive, collected while it is read from end to end.

use super::member::Member;
use super::same_file;
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::field::Field;
use crate::record::{hex, printable, rest_text};
use crate::source::{Bytes, Shared, Slice, Source};
use crate::tree::{Content, Kind, Listing, Metadata, Named, Node, Part, Tree};
use crate::unpack::Packing;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Handle of the root.
const ROOT: u64 = u64::MAX;

/// Bytes of a name or a link in an archive.
pub(super) const NAME: usize = 65_536;

/// An open archive.
pub struct Archive {
    layer: &'static str,
    fields: Vec<Field>,
    members: Vec<Member>,
    /// The bytes that belong to no member.
    parts: Vec<(&'static str, Shared)>,
    packings: Vec<Packing>,
    budget: Arc<Budget>,
    /// Memory of the members.
    _held: Held,
}

/// The content of a member, and its SHA-256.
pub(super) struct HashedContent {
    pub(super) bytes: Shared,
    pub(super) len: u64,
    pub(super) digest: [u8; 32],
}

/// Collects the members while an archive is read.
pub(super) struct Index {
    layer: &'static str,
    /// `true` if the names of folders end with a slash.
    slashes: bool,
    budget: Arc<Budget>,
    pub(super) members: Vec<Member>,
    /// How often each name has come.
    names: HashMap<Vec<u8>, usize>,
    /// Bytes of headers and padding before the next member that no metadata tells.
    rest: Vec<u8>,
    /// Pieces of the archive beside its members.
    pub(super) parts: Vec<(&'static str, Shared)>,
    /// The compressed streams of the archive.
    pub(super) packings: Vec<Packing>,
    held: Held,
}

impl Index {
    pub(super) fn new(layer: &'static str, budget: Arc<Budget>) -> Result<Index> {
        let held = budget.hold(layer, 0, 0)?;
        Ok(Index {
            layer,
            slashes: false,
            budget,
            members: Vec::new(),
            names: HashMap::new(),
            rest: Vec::new(),
            parts: Vec::new(),
            packings: Vec::new(),
            held,
        })
    }

    /// An index of an archive in which the names of folders end with a slash.
    pub(super) fn with_slashes(layer: &'static str, budget: Arc<Budget>) -> Result<Index> {
        Ok(Index { slashes: true, ..Index::new(layer, budget)? })
    }

    /// Adds a member whose bytes are the `len` bytes of `source` at `start`.
    pub(super) fn add(
        &mut self,
        name: &[u8],
        metadata: Metadata,
        source: &Shared,
        start: u64,
        len: u64,
    ) -> Result<()> {
        let content = self.hashed(source, start, len)?;
        self.push(name, metadata, content, start)
    }

    /// The `len` bytes of `source` at `start` as a content.
    pub(super) fn hashed(&self, source: &Shared, start: u64, len: u64) -> Result<HashedContent> {
        let bytes: Shared = Arc::new(Slice::new(source.clone(), start, len));
        let digest = self.hash(&*bytes, start, len, &mut |_| ())?;
        Ok(HashedContent { bytes, len, digest })
    }

    /// Adds a member with its hashed content, whose header is at `offset`.
    pub(super) fn push(
        &mut self,
        name: &[u8],
        mut metadata: Metadata,
        content: HashedContent,
        offset: u64,
    ) -> Result<()> {
        let HashedContent { bytes: content, len, digest } = content;
        self.budget.entries(self.layer, offset, 1)?;
        metadata.size = if metadata.kind == Kind::File { len } else { 0 };
        // the content of a link may be its target; that of a folder or a device is nothing usual
        let target = metadata.target.as_ref().map_or(0, Vec::len) as u64;
        if metadata.kind != Kind::File && len > 0 && len != target {
            metadata.more.push(("content of no file", format!("{len} bytes {}", hex(&digest))));
        }
        let stored = name;
        let name = plain(name);
        if stored.len() > name.len() + 1 {
            metadata.more.push(("name prefix", "./".into()));
        }
        let folder = metadata.kind == Kind::Folder;
        if stored.ends_with(b"/") != (folder && self.slashes) {
            metadata.more.push(("slash behind the name", stored.ends_with(b"/").to_string()));
        }
        if let Some(text) = rest_text(&std::mem::take(&mut self.rest)) {
            metadata.more.push(("rest of the header", text));
        }
        let bytes = 2 * name.len() + size_of::<Member>() + 200 + metadata.heap();
        self.held.grow(self.layer, offset, bytes as u64)?;
        // an archive may have one name twice; both are compared
        let count = self.names.entry(name.to_vec()).or_default();
        *count += 1;
        let mut name = name.to_vec();
        let name_len = name.len();
        if *count > 1 {
            name.extend(format!("#{count}").bytes());
        }
        self.members.push(Member { name, metadata, content, digest, name_len });
        Ok(())
    }

    /// SHA-256 of a content of `len` bytes, all of which are given to `each`.
    pub(super) fn hash(
        &self,
        source: &dyn Source,
        offset: u64,
        len: u64,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<[u8; 32]> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(1 << 16)];
        let mut at = 0;
        while at < len {
            let wanted = usize::try_from(len - at).unwrap_or(usize::MAX).min(buffer.len());
            let n = source.read_at(at, &mut buffer[..wanted])?;
            if n == 0 {
                let why = format!("a member of {len} bytes, of which {at} are there");
                return Err(Error::new(self.layer, offset, why));
            }
            self.budget.unpack(self.layer, offset, n as u64)?;
            hasher.update(&buffer[..n]);
            each(&buffer[..n]);
            at += n as u64;
        }
        Ok(hasher.finalize().into())
    }

    /// Keeps the bytes of a header or of padding at `offset`, unless they are all zero, for the next
    /// member.
    pub(super) fn rest(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.iter().any(|byte| *byte != 0) {
            self.held.grow(self.layer, offset, bytes.len() as u64)?;
            self.rest.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Keeps the bytes of `source` from `at` on, the end of the archive, unless they are all zero.
    pub(super) fn trailer(&mut self, source: &Shared, at: u64) -> Result<()> {
        let mut buffer = vec![0; 1 << 16];
        let (mut end, mut used) = (at, None);
        loop {
            let n = source.read_at(end, &mut buffer)?;
            if n == 0 {
                break;
            }
            self.budget.unpack(self.layer, end, n as u64)?;
            if let Some(last) = buffer[..n].iter().rposition(|byte| *byte != 0) {
                used = Some(end + last as u64 + 1);
            }
            end += n as u64;
        }
        if let Some(used) = used {
            let trailer = Arc::new(Slice::new(source.clone(), at, used - at));
            self.parts.push(("[behind the archive]", trailer));
        }
        Ok(())
    }

    pub(super) fn finish(mut self, fields: Vec<Field>) -> Archive {
        self.tell_late_folders();
        same_file::tell(&mut self.members);
        let mut parts = self.parts;
        if !self.rest.is_empty() {
            parts.push(("[rest of the headers]", Arc::new(Bytes(self.rest))));
        }
        Archive {
            layer: self.layer,
            fields,
            members: self.members,
            parts,
            packings: self.packings,
            budget: self.budget,
            _held: self.held,
        }
    }
}

impl Index {
    /// Says of a member that it comes before its own folder, or before a link of that name: who unpacks the
    /// archive may lose it, or put it elsewhere.
    fn tell_late_folders(&mut self) {
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for (place, member) in self.members.iter().enumerate() {
            places.entry(&member.name).or_insert(place);
        }
        let is_late = |folder: &[u8], place| places.get(folder).is_some_and(|at| *at > place);
        let mut late = Vec::new();
        for (place, Member { name, .. }) in self.members.iter().enumerate() {
            let mut folders = (0..name.len()).filter(|at| name[*at] == b'/');
            if let Some(end) = folders.find(|end| is_late(&name[..*end], place)) {
                late.push((place, printable(&name[..end])));
            }
        }
        for (place, folder) in late {
            self.members[place].metadata.more.push(("comes before", folder));
        }
    }
}

/// The name that other archives have for the same member: tar and cpio may write `./etc/` for `etc`.
fn plain(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"./").filter(|rest| !rest.is_empty()).unwrap_or(name);
    name.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(name)
}

impl Archive {
    fn member(&self, node: &Node) -> Result<&Member> {
        let index = usize::try_from(node.handle).ok();
        index
            .and_then(|index| self.members.get(index))
            .ok_or_else(|| Error::new(self.layer, node.handle, "no such member"))
    }
}

impl Tree for Archive {
    fn layer(&self) -> &'static str {
        self.layer
    }

    fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(ROOT))
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        let mut names = Listing::new(self.layer, &self.budget)?;
        for (index, member) in self.members.iter().enumerate() {
            let node = Node::new(member.metadata.clone(), index as u64);
            names.push(index as u64, member.name.clone(), node)?;
        }
        Ok(names.finish())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        Ok(Content::Plain(self.member(file)?.content.clone()))
    }

    fn packings(&self) -> Result<Vec<Packing>> {
        Ok(self.packings.clone())
    }

    fn digest(&self, file: &Node) -> Option<[u8; 32]> {
        self.member(file).ok().map(|member| member.digest)
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let part =
            |(name, source): &(&'static str, Shared)| Part::bytes(*name, None, source.clone());
        Ok(self.parts.iter().map(part).collect())
    }
}
