//! Compressed streams, layers in layers, and small images that unpack to much.

use super::{ends, header, stamps, tar, tells, tells_change};
use crate::contents;
use crate::formats::{self, Compressor};

/// Makes an archive of one member.
type Wrap = fn(&[u8]) -> Vec<u8>;

#[test]
fn decoders_after_an_error() {
    let damaged = |compressor: Compressor, at: usize| {
        let mut second = compressor.pack(contents::manual().as_bytes());
        let at = second.len() / 2 + at;
        second[at..at + 8].fill(0xff);
        [compressor.pack(b"x\n"), second].concat()
    };
    for compressor in
        [Compressor::Gzip, Compressor::Xz, Compressor::Zstd, Compressor::Bzip2, Compressor::Lz4]
    {
        let [a, b] = [0, 20].map(|at| damaged(compressor, at));
        tells("a damaged stream", &a, &b);
        // whole in A
        let second = compressor.pack(contents::manual().as_bytes());
        let whole = [compressor.pack(b"x\n"), second].concat();
        tells("a damaged stream beside a whole one", &whole, &b);
    }
    tells_change(
        "a frame that is skipped",
        |stamp| Compressor::Zstd.pack(stamp.as_bytes()),
        |b| b.extend(b"\x50\x2a\x4d\x18\x04\0\0\0evil"),
    );
}

#[test]
fn layers_without_an_end() {
    let nested = |make: Wrap, inner: &[u8]| (0..60).fold(inner.to_vec(), |inner, _| make(&inner));
    let makes: [(&str, Wrap); 3] = [
        ("tar", |inner| formats::tar(&[("x", inner)])),
        ("zip", |inner| formats::zip(&[("x", inner)])),
        ("gzip", |inner| Compressor::Gzip.pack(inner)),
    ];
    for (name, make) in makes {
        let [a, b] = [&b"good\n"[..], b"evil\n"].map(|inner| nested(make, inner));
        tells(name, &a, &b);
    }
    // folders in folders, 300 deep
    let deep = "d/".repeat(300) + "x";
    let [a, b] = [&b"good\n"[..], b"evil\n"].map(|inner| {
        let at = deep.len().saturating_sub(90);
        formats::cpio(&[(&deep[at..], inner), (&deep, inner)])
    });
    tells("folders", &a, &b);
}

#[test]
fn small_images_that_unpack_to_much() {
    let zeros = vec![0; 64 << 20];
    let packed = [Compressor::Gzip, Compressor::Xz].map(|by| by.pack(&zeros));
    for packed in &packed {
        let members: Vec<(String, &[u8])> =
            (0..64).map(|n| (format!("z{n}"), &packed[..])).collect();
        let [a, b] = stamps().map(|stamp| {
            let mut all: Vec<(&str, &[u8])> = vec![("stamp", stamp.as_bytes())];
            all.extend(members.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
            let tar = formats::tar(&all);
            Compressor::Gzip.pack(&tar)
        });
        ends("zeros", &a, &b);
    }
    // a hole of 8 GiB, as old GNU tar writes it
    let [a, b] = stamps().map(|stamp| {
        let mut tar = tar(&stamp);
        header(&mut tar, 2048, |header| {
            header[156] = b'S';
            header[257..265].copy_from_slice(b"ustar  \0");
            header[386..398].copy_from_slice(b"77777777770\0");
            header[398..410].copy_from_slice(b"00000000002\0");
            header[483..495].copy_from_slice(b"77777777777\0");
        });
        tar
    });
    ends("a sparse file", &a, &b);
}
