//! Archives: files one after the other. They are read once to know what is in them, and every
//! member is hashed on the way, so that only members that differ have to be unpacked again.

pub(crate) mod ar;
pub(crate) mod cpio;
pub(crate) mod tar;

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::field::Field;
use crate::source::{Shared, Slice, Source};
use crate::tree::{Content, Kind, LISTING, Metadata, Named, Node, Tree};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Handle of the root.
const ROOT: u64 = u64::MAX;

/// Bytes of a name or a link in an archive.
const NAME: usize = 65_536;

/// An archive that is open.
pub struct Archive {
    layer: &'static str,
    fields: Vec<Field>,
    members: Vec<Member>,
}

struct Member {
    name: Vec<u8>,
    metadata: Metadata,
    content: Shared,
    digest: [u8; 32],
}

/// Takes members down while an archive is read.
struct Index {
    layer: &'static str,
    budget: Arc<Budget>,
    members: Vec<Member>,
    names: HashMap<Vec<u8>, usize>,
    /// Bytes of memory up to now.
    kept: usize,
}

impl Index {
    fn new(layer: &'static str, budget: Arc<Budget>) -> Index {
        Index { layer, budget, members: Vec::new(), names: HashMap::new(), kept: 0 }
    }

    /// A member whose bytes are those of `source` from `start` on.
    fn add(
        &mut self,
        name: &[u8],
        mut metadata: Metadata,
        source: &Shared,
        start: u64,
        len: u64,
    ) -> Result<()> {
        self.budget.entries(self.layer, start, 1)?;
        self.kept += 2 * name.len() + 512 + metadata.target.as_ref().map_or(0, Vec::len);
        self.kept += metadata.xattrs.iter().map(|(n, v)| n.len() + v.len() + 64).sum::<usize>();
        if self.kept > LISTING {
            return Err(Error::new(self.layer, start, "an archive of too many members"));
        }
        let digest = self.hash(&**source, start, len)?;
        metadata.size = if metadata.kind == Kind::File { len } else { 0 };
        let name = plain(name);
        // an archive may have one name twice; both are there to be compared
        let count = self.names.entry(name.to_vec()).or_default();
        *count += 1;
        let mut name = name.to_vec();
        if *count > 1 {
            name.extend(format!("#{count}").bytes());
        }
        let content: Shared = Arc::new(Slice::new(source.clone(), start, len));
        self.members.push(Member { name, metadata, content, digest });
        Ok(())
    }

    fn hash(&self, source: &dyn Source, start: u64, len: u64) -> Result<[u8; 32]> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(1 << 16)];
        let mut at = 0;
        while at < len {
            let wanted = usize::try_from(len - at).unwrap_or(usize::MAX).min(buffer.len());
            let n = source.read_at(start.saturating_add(at), &mut buffer[..wanted])?;
            if n == 0 {
                let why = format!("a member of {len} bytes, of which {at} are there");
                return Err(Error::new(self.layer, start, why));
            }
            hasher.update(&buffer[..n]);
            at += n as u64;
        }
        Ok(hasher.finalize().into())
    }

    fn finish(self, fields: Vec<Field>) -> Archive {
        Archive { layer: self.layer, fields, members: self.members }
    }
}

/// A name as others have it: tar and cpio may write `./etc/` for `etc`.
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
        Ok(Node { metadata: Metadata::new(Kind::Folder), handle: ROOT })
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        let nodes = self.members.iter().enumerate().map(|(index, member)| {
            let node = Node { metadata: member.metadata.clone(), handle: index as u64 };
            (member.name.clone(), node)
        });
        Ok(nodes.collect())
    }

    fn open(&self, file: &Node) -> Result<Content> {
        Ok(Content::Plain(self.member(file)?.content.clone()))
    }

    fn digest(&self, file: &Node) -> Option<[u8; 32]> {
        self.member(file).ok().map(|member| member.digest)
    }
}
