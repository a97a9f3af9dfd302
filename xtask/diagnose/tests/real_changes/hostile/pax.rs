//! Headers of a tar that stand for others, which some programs go by.

use super::{header, stamps, tells};
use crate::formats;

/// A record of an extended header.
fn record(key: &str, value: &str) -> Vec<u8> {
    let body = format!(" {key}={value}\n");
    let len = (body.len() + 1..).find(|len| len.to_string().len() + body.len() == *len).unwrap();
    format!("{len}{body}").into_bytes()
}

/// A header of that kind, with its content.
fn extended(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut tar = formats::tar(&[("././@LongLink", content)]);
    header(&mut tar, 0, |header| header[156] = kind);
    tar.truncate(512 + content.len().next_multiple_of(512));
    tar
}

/// Headers of A and of B before one and the same member.
#[track_caller]
fn tells_headers(name: &str, make: impl Fn(&str) -> Vec<u8>) {
    let [a, b] = stamps();
    let [a, b] = [(a, "aaa"), (b, "bbb")].map(|(stamp, value)| {
        let member = formats::tar(&[("r", b"content\n")]);
        let mut tar = formats::tar(&[("stamp", stamp.as_bytes())]);
        tar.truncate(1024);
        [tar, make(value), member].concat()
    });
    tells(name, &a, &b);
}

#[test]
fn what_another_header_hides() {
    let path = |name: &str| record("path", name);
    tells_headers("a key twice", |x| extended(b'x', &[path(x), path("real")].concat()));
    tells_headers("bytes behind the records", |x| {
        extended(b'x', &[path("real"), vec![0], x.as_bytes().to_vec()].concat())
    });
    tells_headers("two extended headers", |x| {
        [extended(b'x', &path(x)), extended(b'x', &path("real"))].concat()
    });
    tells_headers("two long names", |x| {
        [extended(b'L', x.as_bytes()), extended(b'L', b"real")].concat()
    });
    tells_headers("a long name and a path", |x| {
        [extended(b'x', &path(x)), extended(b'L', b"real")].concat()
    });
    tells_headers("a link of a file", |x| extended(b'K', x.as_bytes()));
    tells_headers("a link of a file, by pax", |x| extended(b'x', &record("linkpath", x)));
    tells_headers("an owner that is no number", |x| extended(b'x', &record("uid", x)));
    tells_headers("an owner of 64 bits", |x| {
        let number = if x == "aaa" { "4294967296" } else { "4294968296" };
        extended(b'x', &record("uid", number))
    });
    tells_headers("an attribute of all members", |x| {
        extended(b'g', &record("SCHILY.xattr.security.capability", x))
    });
}

#[test]
fn a_number_that_another_one_stands_for() {
    for (key, at, digits) in [("uid", 108, 7), ("gid", 116, 7), ("size", 124, 11)] {
        let value = if key == "size" { "8" } else { "1000" };
        tells_headers(key, |side| {
            let mut member = formats::tar(&[("q", b"content\n")]);
            header(&mut member, 0, |header| {
                let number = if side == "aaa" { 4 } else { 2 };
                header[at..at + digits].copy_from_slice(format!("{number:0digits$o}").as_bytes());
            });
            member.truncate(1024);
            [extended(b'x', &record(key, value)), member].concat()
        });
    }
}
