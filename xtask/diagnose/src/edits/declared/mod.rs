//! Fields that the format of a content declares as a time, an id, a signature or a position.
//!
//! A reader names the ranges of such fields. They are replaced in A by what B has there; what then
//! still differs is told as edits like any other. So a declared field never hides a byte beside it.

mod elf;
mod erofs;
mod field;
mod hfsplus;
mod iso;
mod keystore;
mod pyc;

pub(crate) use field::{Declared, Placed};

use super::changes::{Changes, Edit, Edited};
use field::{DeclaredField, PlacedContent, Region};

type Reader = fn(&PlacedContent<'_>) -> Option<Vec<Region>>;

/// Each finds its ranges in order; `None` if the content is in another format.
const READERS: [Reader; 8] = [
    elf::regions,
    pyc::regions,
    keystore::regions,
    iso::catalogue,
    iso::boot_info,
    hfsplus::regions,
    iso::descriptor_copy,
    erofs::regions,
];

/// A with every declared field replaced by B's; `None` if no format declares any.
pub(super) fn substituted(
    a: &[u8],
    b: &[u8],
    places: [Placed; 2],
    changes: &mut Changes,
) -> Option<Vec<u8>> {
    let contents = [(a, places[0]), (b, places[1])];
    let contents = contents.map(|(bytes, placed)| PlacedContent { bytes, placed });
    for reader in READERS {
        let [Some(in_a), Some(in_b)] = contents.each_ref().map(reader) else { continue };
        let pairs = || in_a.iter().zip(&in_b);
        let alike =
            in_a.len() == in_b.len() && pairs().all(|(x, y)| pair(x.field, y.field).is_some());
        if !alike || pairs().any(|(x, y)| is_forged(a, b, x, y)) {
            continue;
        }
        let mut out = Vec::with_capacity(a.len());
        let mut at = 0;
        for (x, y) in pairs() {
            out.extend(a.get(at..x.range.start)?);
            out.extend(&b[y.range.clone()]);
            at = x.range.end;
            if let Some(declared) = pair(x.field, y.field)
                && a[x.range.clone()] != b[y.range.clone()]
            {
                changes.add(Edit {
                    what: Edited::Declared(declared),
                    a: x.shown.clone(),
                    b: y.shown.clone(),
                    before: String::new(),
                    after: String::new(),
                    in_text: false,
                });
            }
        }
        out.extend(a.get(at..)?);
        return Some(out);
    }
    None
}

/// Returns true if one signer signed equal modules, and the signatures differ: then one of them is none.
fn is_forged(a: &[u8], b: &[u8], x: &Region, y: &Region) -> bool {
    let signer = |region: &Region| match region.field {
        DeclaredField::ModuleSignature(signer) => signer,
        _ => None,
    };
    signer(x).is_some()
        && signer(x) == signer(y)
        && a[..x.range.start] == b[..y.range.start]
        && a[x.range.clone()] != b[y.range.clone()]
}

/// The substitution of one field by the other; `None` if they are not of a kind.
fn pair(a: DeclaredField, b: DeclaredField) -> Option<Declared> {
    Some(match (a, b) {
        (DeclaredField::PycTime(a), DeclaredField::PycTime(b)) => Declared::PycTime(a, b),
        (DeclaredField::KeystoreTime(a), DeclaredField::KeystoreTime(b)) => {
            Declared::KeystoreTime(a, b)
        }
        (DeclaredField::BuildId, DeclaredField::BuildId) => Declared::BuildId,
        (DeclaredField::DebugLink, DeclaredField::DebugLink) => Declared::DebugLink,
        (DeclaredField::ModuleSignature(_), DeclaredField::ModuleSignature(_)) => {
            Declared::ModuleSignature
        }
        (DeclaredField::BootPosition, DeclaredField::BootPosition) => Declared::BootPosition,
        (DeclaredField::Checksum, DeclaredField::Checksum) => Declared::Checksum,
        (DeclaredField::DescriptorCopy, DeclaredField::DescriptorCopy) => Declared::DescriptorCopy,
        (DeclaredField::HfsPlusSerial, DeclaredField::HfsPlusSerial) => Declared::HfsPlusSerial,
        (DeclaredField::FileSystemId, DeclaredField::FileSystemId) => Declared::FileSystemId,
        (DeclaredField::FileSystemTime, DeclaredField::FileSystemTime) => Declared::FileSystemTime,
        _ => return None,
    })
}
