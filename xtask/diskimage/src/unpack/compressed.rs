//! A compressed file as an archive of one member.

use super::codec::Codec;
use super::header;
use super::packing::Packing;
use super::stream::Unpacked;
use crate::budget::Budget;
use crate::error::Result;
use crate::field::Field;
use crate::ranges::DescribedRanges;
use crate::source::{Shared, Slice};
use crate::tree::{Content, Kind, Metadata, Named, Node, Part, Tree};
use std::sync::Arc;

/// Name of the unpacked content of a stream.
const MEMBER: &[u8] = b"[unpacked]";

/// A compressed file: an archive of one member.
pub struct Compressed {
    raw: Shared,
    unpacked: Arc<Unpacked>,
    budget: Arc<Budget>,
}

impl Compressed {
    pub fn open(raw: Shared, codec: Codec, budget: Arc<Budget>) -> Compressed {
        let unpacked = Arc::new(Unpacked::new(raw.clone(), codec, 0, budget.clone()));
        Compressed { raw, unpacked, budget }
    }

    /// The unpacked content.
    pub fn unpacked(&self) -> Shared {
        self.unpacked.clone()
    }
}

impl Tree for Compressed {
    fn layer(&self) -> &'static str {
        self.unpacked.codec().name()
    }

    fn fields(&self) -> Vec<Field> {
        header::fields(self.unpacked.codec(), &*self.raw)
    }

    fn flat(&self) -> bool {
        true
    }

    fn root(&self) -> Result<Node> {
        Ok(Node::bare_root(0))
    }

    fn list(&self, _folder: &Node) -> Result<Vec<Named>> {
        // its size is left out: it is known only when everything is unpacked
        Ok(vec![(MEMBER.to_vec(), Node::new(Metadata::new(Kind::File), 1))])
    }

    fn parts(&self) -> Result<Vec<Part>> {
        let end = self.unpacked.finish()?;
        let mut known = DescribedRanges::new(self.layer());
        known.add(0, end.raw)?;
        let mut parts = Vec::new();
        let rest = self.raw.size()?.max(end.raw);
        parts.extend(known.part("[behind the stream]", &self.raw, &self.budget, 0, rest)?);
        for (name, bytes) in end.untold(&self.raw, self.layer(), &self.budget) {
            parts.push(Part::bytes(name, None, bytes));
        }
        Ok(parts)
    }

    fn packings(&self) -> Result<Vec<Packing>> {
        let end = self.unpacked.finish()?;
        let stream: Shared = Arc::new(Slice::new(self.raw.clone(), 0, end.raw));
        Ok(vec![Packing::new(b"", self.unpacked.codec(), stream, &self.budget)])
    }

    fn open(&self, _file: &Node) -> Result<Content> {
        Ok(Content::Plain(self.unpacked.clone()))
    }
}
