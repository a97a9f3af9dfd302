//! Writers of archives, small file systems and compressed files, for images that are packed anew for
//! every case: a process for each layer would take most of the time.

use std::io::Write as _;

/// Seconds since 1970 that every entry has.
pub(crate) const TIME: u32 = 1_780_000_000;

type Members<'t> = &'t [(&'t str, &'t [u8])];

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// A cpio in the format of an initramfs.
pub(crate) fn cpio(members: Members<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, (name, content)) in members.iter().chain(&[("TRAILER!!!", &b""[..])]).enumerate() {
        let (ino, mode, time) =
            if *name == "TRAILER!!!" { (0, 0, 0) } else { (i as u32 + 1, 0o100_755, TIME) };
        out.extend(b"070701");
        let (size, length) = (content.len() as u32, name.len() as u32 + 1);
        for field in [ino, mode, 0, 0, 1, time, size, 0, 0, 0, 0, length, 0] {
            out.extend(format!("{field:08x}").bytes());
        }
        out.extend(name.bytes().chain([0]));
        pad(&mut out, 4);
        out.extend(*content);
        pad(&mut out, 4);
    }
    pad(&mut out, 512);
    out
}

/// A tar in the format of POSIX 1988.
pub(crate) fn tar(members: Members<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in members {
        let mut header = vec![0; 512];
        let mut put =
            |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, "0000644\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, &format!("{TIME:011o}\0"));
        put(156, "0");
        put(257, "ustar\x0000");
        seal(&mut header);
        out.extend(header);
        out.extend(*content);
        pad(&mut out, 512);
    }
    out.resize((out.len() + 1024).next_multiple_of(10_240), 0);
    out
}

/// The checksum of a tar's header.
pub(crate) fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// An ar, as a Debian package is one.
pub(crate) fn ar(members: Members<'_>) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let size = content.len();
        out.extend(format!("{name:<16}{TIME:<12}0     0     100644  {size:<10}`\n").bytes());
        out.extend(*content);
        if size % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

/// A zip, its entries deflated.
pub(crate) fn zip(members: Members<'_>) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        let mut sum = flate2::Crc::new();
        sum.update(content);
        // version 2.0, deflated, 2026-05-28 20:26:40
        let mut common = vec![20, 0, 0, 0, 8, 0, 0x54, 0xa3, 0xbc, 0x5c];
        for number in [sum.sum(), packed.len() as u32, content.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend(0o100_644_u32.wrapping_shl(16).to_le_bytes());
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.bytes());
        out.extend(b"PK\x03\x04");
        out.extend(common);
        out.extend(name.bytes());
        out.extend(packed);
    }
    let (at, n) = (out.len() as u32, members.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([n.to_le_bytes(), n.to_le_bytes()].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A FAT16 of 4 MB, the same.
pub(crate) fn fat16(members: Members<'_>) -> Vec<u8> {
    const SECTORS: usize = 8192;
    // the boot sector, two tables of 32 sectors, 32 sectors of root folder
    const TABLES: [usize; 2] = [SECTOR, 33 * SECTOR];
    let mut out = vec![0; SECTORS * SECTOR];
    out[..62].copy_from_slice(
        b"\xeb\x3c\x90mkfs.fat\0\x02\x01\x01\0\x02\0\x02\0\x20\xf8\x20\0\x20\0\x02\0\0\0\0\0\
          \0\0\0\0\x80\0\x29\x78\x56\x34\x12NO NAME    FAT16   ",
    );
    let table = fill(&mut out, members, 65 * SECTOR, 97 * SECTOR, [0xfff8, 0xffff]);
    for (i, entry) in table.into_iter().enumerate() {
        for copy in TABLES {
            out[copy + i * 2..][..2].copy_from_slice(&entry.to_le_bytes());
        }
    }
    out
}

const SECTOR: usize = 512;

/// A FAT12 of 1.44 MB, all files in its root folder, with names of the form `NAME.EXT`.
pub(crate) fn fat(members: Members<'_>) -> Vec<u8> {
    let mut out = vec![0; 2880 * SECTOR];
    out[..62].copy_from_slice(
        b"\xeb\x3c\x90mkfs.fat\0\x02\x01\x01\0\x02\xe0\0\x40\x0b\xf0\x09\0\x12\0\x02\0\0\0\0\0\
          \0\0\0\0\0\0\x29\x78\x56\x34\x12NO NAME    FAT12   ",
    );
    // behind the boot sector two tables of 9 sectors, then 14 sectors of root folder
    let mut table = fill(&mut out, members, 19 * SECTOR, 33 * SECTOR, [0xff0, 0xfff]);
    table.resize(table.len().next_multiple_of(2), 0);
    for (i, pair) in table.chunks(2).enumerate() {
        let bits = u32::from(pair[0]) | u32::from(pair[1]) << 12;
        for copy in [SECTOR, 10 * SECTOR] {
            out[copy + i * 3..][..3].copy_from_slice(&bits.to_le_bytes()[..3]);
        }
    }
    out
}

/// Writes boot code, the entries of the root folder and the files, in clusters of one sector from `first` on;
/// returns the table of clusters, which begins with `head`.
fn fill(
    out: &mut [u8],
    members: Members<'_>,
    root: usize,
    first: usize,
    head: [u16; 2],
) -> Vec<u16> {
    out[62..78].copy_from_slice(b"\x0e\x1f\xbe\x5b\x7c\xac\x22\xc0\x74\x0b\x56\xb4\x0e\xbb\x07\0");
    out[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut table = head.to_vec();
    for (i, (name, content)) in members.iter().enumerate() {
        let (stem, extension) = name.split_once('.').unwrap();
        let cluster = table.len();
        let entry = &mut out[root + i * 32..][..32];
        entry[..11].copy_from_slice(format!("{stem:<8}{extension:<3}").as_bytes());
        entry[11] = 0x20;
        // 2026-05-28 20:26:40, thrice
        entry[14..20].copy_from_slice(&[0x54, 0xa3, 0xbc, 0x5c, 0xbc, 0x5c]);
        entry[22..26].copy_from_slice(&[0x54, 0xa3, 0xbc, 0x5c]);
        entry[26..28].copy_from_slice(&(cluster as u16).to_le_bytes());
        entry[28..32].copy_from_slice(&(content.len() as u32).to_le_bytes());
        let at = first + (cluster - 2) * SECTOR;
        out[at..at + content.len()].copy_from_slice(content);
        for _ in 1..content.len().div_ceil(SECTOR) {
            table.push(table.len() as u16 + 1);
        }
        table.push(head[1]);
    }
    table
}

/// A disk with boot code, and one partition at 64 KiB.
pub(crate) fn disk(partition: &[u8]) -> Vec<u8> {
    const START: u32 = 128;
    let mut out: Vec<u8> = (0..440).map(|i: u32| (i * 11 % 251) as u8).collect();
    out.extend([0x44, 0x33, 0x22, 0x11, 0, 0, 0x80, 0, 2, 1, 0x0c, 0xfe, 0xff, 0xff]);
    out.extend(START.to_le_bytes());
    out.extend((partition.len() as u32 / 512).to_le_bytes());
    out.resize(510, 0);
    out.extend([0x55, 0xaa]);
    out.resize(START as usize * 512, 0);
    out.extend(partition);
    out.resize(out.len() + 8192, 0);
    out
}

/// A disk whose partitions, all but the first, are in an extended one, each behind a table of its own.
pub(crate) fn extended(partitions: &[&[u8]]) -> Vec<u8> {
    const GAP: usize = 64;
    let entry = |kind: u8, start: usize, sectors: usize| {
        let numbers = [(start as u32).to_le_bytes(), (sectors as u32).to_le_bytes()].concat();
        [&[0, 0, 2, 0, kind, 0xfe, 0xff, 0xff][..], &numbers].concat()
    };
    let sectors = |bytes: &[u8]| bytes.len().div_ceil(SECTOR);
    let table = |out: &mut [u8], at: usize, entries: [Vec<u8>; 2]| {
        out[at * SECTOR + 446..][..32].copy_from_slice(&entries.concat());
        out[at * SECTOR + 510..][..2].copy_from_slice(&[0x55, 0xaa]);
    };
    let (first, inner) = (partitions[0], &partitions[1..]);
    let begin = GAP + sectors(first);
    let all: usize = inner.iter().map(|bytes| GAP + sectors(bytes)).sum();
    let mut out = vec![0; (begin + all) * SECTOR];
    out[..440].fill(0x90);
    out[440..444].copy_from_slice(&[0x44, 0x33, 0x22, 0x11]);
    table(&mut out, 0, [entry(0x0c, GAP, sectors(first)), entry(5, begin, all)]);
    out[GAP * SECTOR..][..first.len()].copy_from_slice(first);
    let mut at = begin;
    for (i, bytes) in inner.iter().enumerate() {
        let next = at + GAP + sectors(bytes);
        let chain = match inner.get(i + 1) {
            Some(other) => entry(5, next - begin, GAP + sectors(other)),
            None => vec![0; 16],
        };
        table(&mut out, at, [entry(0x83, GAP, sectors(bytes)), chain]);
        out[(at + GAP) * SECTOR..][..bytes.len()].copy_from_slice(bytes);
        at = next;
    }
    out
}

/// A disk with a GPT and its backup (UEFI 2.10, 5.3), and these partitions.
pub(crate) fn gpt(partitions: &[&[u8]]) -> Vec<u8> {
    const SECTOR: u64 = 512;
    const TABLE: usize = 128 * 128;
    let crc = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    let mut table = vec![0; TABLE];
    let mut body = Vec::new();
    let first = 2 + TABLE as u64 / SECTOR;
    for (i, content) in partitions.iter().enumerate() {
        let start = first + body.len() as u64 / SECTOR;
        body.extend(*content);
        pad(&mut body, SECTOR as usize);
        let entry = &mut table[i * 128..][..128];
        // a Linux file system, and a GUID of its own
        entry[..16].copy_from_slice(&[
            0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47,
            0x7d, 0xe4,
        ]);
        entry[16..32].fill(0x20 + i as u8);
        entry[32..40].copy_from_slice(&start.to_le_bytes());
        let last = first + body.len() as u64 / SECTOR - 1;
        entry[40..48].copy_from_slice(&last.to_le_bytes());
        for (at, letter) in [b'p', b'a', b'r', b't'].into_iter().enumerate() {
            entry[56 + 2 * at] = letter;
        }
    }
    let sectors = 2 * first - 1 + body.len() as u64 / SECTOR;
    let header = |own: u64, other: u64, entries: u64| {
        let mut header = b"EFI PART\0\0\x01\0\x5c\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for number in [own, other, first, sectors - first] {
            header.extend(number.to_le_bytes());
        }
        header.extend([0x11; 16]);
        header.extend(entries.to_le_bytes());
        for number in [128, 128, crc(&table)] {
            header.extend(number.to_le_bytes());
        }
        let sum = crc(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        pad(&mut header, SECTOR as usize);
        header
    };
    let mut out = vec![0; 440];
    out.extend([0; 6]);
    // the whole disk is of type 0xee
    out.extend([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
    out.extend((sectors as u32 - 1).to_le_bytes());
    out.resize(510, 0);
    out.extend([0x55, 0xaa]);
    out.extend(header(1, sectors - 1, 2));
    out.extend(&table);
    out.extend(body);
    out.extend(&table);
    out.extend(header(sectors - 1, 1, sectors - first + 1));
    out
}

/// A PE file with these sections, such as a unified kernel image.
pub(crate) fn pe(sections: Members<'_>) -> Vec<u8> {
    const ALIGN: usize = 512;
    let mut out = b"MZ".to_vec();
    out.resize(0x3c, 0);
    out.extend(64_u32.to_le_bytes());
    out.extend(b"PE\0\0\x64\x86");
    out.extend((sections.len() as u16).to_le_bytes());
    // the time, no symbols, 112 bytes of optional header, an executable
    out.extend(TIME.to_le_bytes());
    out.extend([0, 0, 0, 0, 0, 0, 0, 0, 112, 0, 0x2e, 2]);
    out.extend([0x0b, 2]);
    out.resize(64 + 24 + 112, 0);
    let mut place = (out.len() + sections.len() * 40).next_multiple_of(ALIGN);
    for (name, content) in sections {
        let mut header = name.as_bytes().to_vec();
        header.resize(8, 0);
        let stored = content.len().next_multiple_of(ALIGN);
        for number in [content.len(), 0x10_0000 + place, stored, place, 0, 0, 0] {
            header.extend((number as u32).to_le_bytes());
        }
        header.extend([0x40, 0, 0, 0x40]);
        out.extend(&header[..40]);
        place += stored;
    }
    for (_, content) in sections {
        pad(&mut out, ALIGN);
        out.extend(*content);
    }
    pad(&mut out, ALIGN);
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compressor {
    Gzip,
    Xz,
    Zstd,
    Bzip2,
    Lz4,
    /// As Linux has it in an initramfs: a magic number, and blocks with their lengths.
    Lz4Blocks,
    /// `.lzma`, as before xz.
    Lzma,
}

const LZ4_BLOCKS: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

impl Compressor {
    pub(crate) fn pack(self, content: &[u8]) -> Vec<u8> {
        let out = Vec::new();
        match self {
            Compressor::Gzip => {
                let mut to = flate2::write::GzEncoder::new(out, flate2::Compression::best());
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Compressor::Xz => {
                let mut to = liblzma::write::XzEncoder::new(out, 6);
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Compressor::Zstd => ruzstd::encoding::compress_to_vec(
                content,
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
            Compressor::Bzip2 => {
                let mut to = bzip2::write::BzEncoder::new(out, bzip2::Compression::best());
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Compressor::Lz4 => {
                let mut to = lz4_flex::frame::FrameEncoder::new(out);
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
            Compressor::Lz4Blocks => {
                let block = lz4_flex::block::compress(content);
                [&LZ4_BLOCKS, &(block.len() as u32).to_le_bytes()[..], &block].concat()
            }
            Compressor::Lzma => {
                let options = liblzma::stream::LzmaOptions::new_preset(6).unwrap();
                let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
                let mut to = liblzma::write::XzEncoder::new_stream(out, stream);
                to.write_all(content).unwrap();
                to.finish().unwrap()
            }
        }
    }

    /// The whole content; `None` if anything but one stream is there, or if the stream is damaged.
    pub(crate) fn unpack(self, mut packed: &[u8]) -> Option<Vec<u8>> {
        use std::io::Read as _;
        let mut out = Vec::new();
        let input = &mut packed;
        match self {
            Compressor::Gzip => flate2::bufread::GzDecoder::new(&mut *input).read_to_end(&mut out),
            Compressor::Xz => liblzma::bufread::XzDecoder::new(&mut *input).read_to_end(&mut out),
            Compressor::Zstd => ruzstd::decoding::StreamingDecoder::new(&mut *input)
                .map_err(std::io::Error::other)
                .and_then(|mut decoder| decoder.read_to_end(&mut out)),
            Compressor::Bzip2 => bzip2::bufread::BzDecoder::new(&mut *input).read_to_end(&mut out),
            Compressor::Lz4 => {
                lz4_flex::frame::FrameDecoder::new(&mut *input).read_to_end(&mut out)
            }
            Compressor::Lz4Blocks => {
                let block = input.strip_prefix(&LZ4_BLOCKS)?;
                let (length, block) = block.split_at_checked(4)?;
                let length = u32::from_le_bytes(length.try_into().ok()?);
                (block.len() == length as usize).then_some(())?;
                return lz4_flex::block::decompress(block, 8 << 20).ok();
            }
            Compressor::Lzma => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(u64::MAX).ok()?;
                liblzma::bufread::XzDecoder::new_stream(&mut *input, stream).read_to_end(&mut out)
            }
        }
        .ok()?;
        input.is_empty().then_some(out)
    }
}
