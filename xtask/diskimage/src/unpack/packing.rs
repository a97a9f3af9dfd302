//! How a content is packed: to tell other compressed bytes of one content.

use super::codec::Codec;
use super::header;
use super::stream::Unpacked;
use crate::budget::Budget;
use crate::field::FieldKind;
use crate::source::{Shared, Slice};
use std::sync::Arc;

/// One compressed stream of a container.
#[derive(Clone)]
pub struct Packing {
    /// Name of the member that it is; empty if the container gives it none.
    pub member: Vec<u8>,
    codec: Codec,
    /// The stream with its header.
    stream: Shared,
    budget: Arc<Budget>,
}

impl Packing {
    pub(crate) fn new(
        member: &[u8],
        codec: Codec,
        stream: Shared,
        budget: &Arc<Budget>,
    ) -> Packing {
        Packing { member: member.to_vec(), codec, stream, budget: budget.clone() }
    }

    /// The compressor and its settings, as far as the stream's header says them. Two compressors, or one with
    /// other settings, pack one content otherwise.
    pub fn settings(&self) -> Vec<String> {
        let fields = header::fields(self.codec, &*self.stream).into_iter();
        fields
            .filter(|field| {
                field.kind == FieldKind::CompressionHeader
                    && !matches!(field.name, "file name" | "operating system")
            })
            .map(|field| field.value)
            .collect()
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The compressed bytes behind the header.
    pub fn packed(&self) -> Shared {
        let header = header::len(self.codec, &*self.stream);
        let size = self.stream.size().unwrap_or(0);
        Arc::new(Slice::new(self.stream.clone(), header, size.saturating_sub(header)))
    }

    /// The content, which is unpacked anew.
    pub fn content(&self) -> Shared {
        Arc::new(Unpacked::new(self.stream.clone(), self.codec, 0, self.budget.clone()))
    }
}
