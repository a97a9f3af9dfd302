//! Contents in which fields are declared.

use super::declared::Declared;
use super::{Edited, between};

/// An ELF file with a build id, and with `text` in it.
fn elf(text: &str, id: u8) -> Vec<u8> {
    let names = b"\0.note.gnu.build-id\0.shstrtab\0";
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.resize(64, 0);
    let note = bytes.len();
    bytes.extend(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0");
    bytes.extend([id; 20]);
    let name_table = bytes.len();
    bytes.extend(names);
    bytes.extend(text.as_bytes());
    bytes.extend([0; 8]);
    let table = bytes.len();
    let mut header = |name: u32, kind: u32, at: usize, len: usize| {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(len as u64).to_le_bytes());
        bytes.extend(header);
    };
    header(1, 7, note, 36);
    header(20, 3, name_table, names.len());
    bytes[40..48].copy_from_slice(&(table as u64).to_le_bytes());
    bytes[58..64].copy_from_slice(&[64, 0, 2, 0, 1, 0]);
    bytes
}

#[test]
fn a_build_id_hides_nothing_beside_it() {
    let edits = |a: &[u8], b: &[u8]| -> Vec<Edited> {
        between(a, b, [None; 2]).edits.into_iter().map(|edit| edit.what).collect()
    };
    let (a, mut b) = (elf("x", 1), elf("x", 2));
    assert_eq!(edits(&a, &b), [Edited::Declared(Declared::BuildId)]);
    b[134] ^= 1;
    assert_eq!(edits(&a, &b), [Edited::Declared(Declared::BuildId), Edited::Bytes]);
    let found = edits(&elf("built on 2026-05-28", 1), &elf("built on 2026-05-29", 2));
    assert!(matches!(found[..], [Edited::Declared(_), Edited::Dates(..)]), "{found:?}");
}
