//! The headers of compressed streams.

use super::codec::Codec;
use crate::field::{Field, FieldKind};
use crate::record::{Record, printable, rest_text};
use crate::source::Source;
use xtask_core::calendar;

/// Bytes of a header that are read; the extra field of gzip can have 65,535.
const LEN: usize = 1 << 17;

/// The fields of the stream at the start of `raw`.
pub(crate) fn fields(codec: Codec, raw: &dyn Source) -> Vec<Field> {
    use FieldKind::CompressionHeader;
    let mut fields = vec![Field::new(CompressionHeader, "compressor", codec.name())];
    let bytes = raw.up_to(0, LEN).unwrap_or_default();
    let r = Record::new(codec.name(), 0, &bytes);
    let more = match codec {
        Codec::Gzip => gzip(r),
        Codec::Xz => xz(r),
        Codec::Zstd => zstd(r),
        Codec::Bzip2 => r.u8(3).ok().map(|level| {
            vec![Field::new(CompressionHeader, "block size", format!("{}00 kB", level as char))]
        }),
        Codec::Lz4 => {
            r.le16(4).ok().map(|n| vec![Field::new(CompressionHeader, "flags", format!("{n:04x}"))])
        }
        Codec::Lzma => lzma(r),
        Codec::Lzo | Codec::Deflate => None,
    };
    fields.extend(more.unwrap_or_default());
    fields
}

/// Bytes of the header of the stream at the start of `raw`, all of which [`fields`] tells; 0 where the header
/// says how the rest is packed.
pub(super) fn len(codec: Codec, raw: &dyn Source) -> u64 {
    let bytes = raw.up_to(0, LEN).unwrap_or_default();
    let header = match codec {
        Codec::Gzip => GzipHeader::read(Record::new(codec.name(), 0, &bytes)),
        _ => None,
    };
    header.map_or(0, |header| header.len as u64)
}

/// The parts of a gzip header that need not be there (RFC 1952, 2.3).
struct GzipHeader {
    extra: Option<String>,
    name: Option<String>,
    comment: Option<String>,
    len: usize,
}

impl GzipHeader {
    fn read(r: Record<'_>) -> Option<GzipHeader> {
        let flags = r.u8(3).ok()?;
        let mut at = 10;
        let mut extra = None;
        if flags & 0x04 != 0 {
            let len = usize::from(r.le16(at).ok()?);
            let text = rest_text(r.slice(at + 2, len).ok()?).unwrap_or_default();
            extra = Some(format!("{len} bytes {text}"));
            at += 2 + len;
        }
        let mut text = |bit: u8| {
            if flags & bit == 0 {
                return Some(None);
            }
            let rest = r.bytes.get(at..)?;
            let end = rest.iter().position(|byte| *byte == 0)?;
            at += end + 1;
            Some(Some(printable(&rest[..end])))
        };
        let (name, comment) = (text(0x08)?, text(0x10)?);
        // a checksum of the header
        let checksum = if flags & 0x02 == 0 { 0 } else { 2 };
        Some(GzipHeader { extra, name, comment, len: at + checksum })
    }
}

fn said(is: bool) -> &'static str {
    if is { "said" } else { "not said" }
}

/// RFC 1952, 2.3.
fn gzip(r: Record<'_>) -> Option<Vec<Field>> {
    use FieldKind::{CompressionHeader, GzipTime, Header};
    let (flags, mtime) = (r.u8(3).ok()?, r.le32(4).ok()?);
    let time = if mtime == 0 { "none".into() } else { calendar::utc(mtime.into()) };
    let GzipHeader { extra, name, comment, .. } = GzipHeader::read(r)?;
    let mut fields = vec![
        Field::new(GzipTime, "gzip mtime", time),
        Field::new(CompressionHeader, "level", r.u8(8).ok()?),
        Field::new(CompressionHeader, "operating system", r.u8(9).ok()?),
        Field::new(CompressionHeader, "file name", name.unwrap_or_else(|| "none".into())),
        // text, header checksum, reserved; the other bits say which fields there are
        Field::new(CompressionHeader, "flags", format!("{:02x}", flags & !0x1c)),
    ];
    fields.extend(comment.map(|text| Field::new(Header, "comment", text)));
    fields.extend(extra.map(|text| Field::new(Header, "extra field", text)));
    Some(fields)
}

/// The old `.lzma`: properties, bytes of the dictionary, and bytes of the content, if they were known.
fn lzma(r: Record<'_>) -> Option<Vec<Field>> {
    let size = said(r.le64(5).ok()? != u64::MAX);
    Some(vec![
        Field::new(FieldKind::CompressionHeader, "properties", r.u8(0).ok()?),
        Field::new(FieldKind::CompressionHeader, "dictionary", r.le32(1).ok()?),
        Field::new(FieldKind::CompressionHeader, "size of the content", size),
    ])
}

/// The .xz file format, 2.1.1.2.
fn xz(r: Record<'_>) -> Option<Vec<Field>> {
    let check = match r.u8(7).ok()? & 0x0f {
        0 => "none".to_string(),
        1 => "CRC32".into(),
        4 => "CRC64".into(),
        10 => "SHA-256".into(),
        other => other.to_string(),
    };
    Some(vec![Field::new(FieldKind::CompressionHeader, "check", check)])
}

/// RFC 8878, 3.1.1.1.
fn zstd(r: Record<'_>) -> Option<Vec<Field>> {
    let descriptor = r.u8(4).ok()?;
    let checksum = if descriptor & 0x04 != 0 { "yes" } else { "no" };
    let window = if descriptor & 0x20 != 0 {
        "the content's size".to_string()
    } else {
        let byte = u64::from(r.u8(5).ok()?);
        let base = 1_u64 << (10 + (byte >> 3));
        (base + base / 8 * (byte & 7)).to_string()
    };
    Some(vec![
        Field::new(FieldKind::CompressionHeader, "check", checksum),
        Field::new(FieldKind::CompressionHeader, "window", window),
        Field::new(
            FieldKind::CompressionHeader,
            "size of the content",
            said(descriptor & 0xe0 != 0),
        ),
        // a bit that means nothing, and the length of a dictionary's number
        Field::new(FieldKind::CompressionHeader, "flags", format!("{:02x}", descriptor & 0x13)),
    ])
}
