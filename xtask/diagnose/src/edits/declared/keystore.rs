//! Java's keystore (JKS): entries with the time at which each was added, then a hash of everything.

use super::field::{DeclaredField, PlacedContent, Region, be32, shown};
use sha1::{Digest as _, Sha1};
use xtask_core::calendar;

const MAGIC: u32 = 0xfeed_feed;

/// Bytes of the hash at the end.
const HASH: usize = 20;

pub(super) fn regions(content: &PlacedContent<'_>) -> Option<Vec<Region>> {
    let bytes = content.bytes;
    if be32(bytes, 0)? != MAGIC || be32(bytes, 4)? != 2 {
        return None;
    }
    let mut found = Vec::new();
    let mut at = 12;
    for _ in 0..be32(bytes, 8)? {
        // only certificates: a key entry holds a secret, which no time explains
        if be32(bytes, at)? != 2 {
            return None;
        }
        at = text(bytes, at + 4)?;
        let millis = u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
        let seconds = i64::try_from(millis / 1000).ok()?;
        let shown = calendar::utc(seconds);
        found.push(Region {
            range: at..at + 8,
            field: DeclaredField::KeystoreTime(seconds),
            shown,
        });
        at = text(bytes, at + 8)?;
        at = at.checked_add(4)?.checked_add(usize::try_from(be32(bytes, at)?).ok()?)?;
    }
    if at.checked_add(HASH)? != bytes.len() {
        return None;
    }
    // OpenJDK, JavaKeyStore.getPreKeyedHash; the password that everybody uses
    let password: Vec<u8> = "changeit".bytes().flat_map(|byte| [0, byte]).collect();
    let mut hash = Sha1::new();
    hash.update(password);
    hash.update(b"Mighty Aphrodite");
    hash.update(&bytes[..at]);
    if hash.finalize()[..] == bytes[at..] {
        let range = at..at + HASH;
        found.push(Region {
            shown: shown(&bytes[range.clone()]),
            range,
            field: DeclaredField::Checksum,
        });
    }
    Some(found)
}

/// The end of a text, which has its length before it.
fn text(bytes: &[u8], at: usize) -> Option<usize> {
    let len = u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?);
    at.checked_add(2 + usize::from(len))
}
