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
        between(a, b, Default::default()).edits.into_iter().map(|edit| edit.what).collect()
    };
    let (a, mut b) = (elf("x", 1), elf("x", 2));
    assert_eq!(edits(&a, &b), [Edited::Declared(Declared::BuildId)]);
    b[134] ^= 1;
    assert_eq!(edits(&a, &b), [Edited::Declared(Declared::BuildId), Edited::Bytes]);
    let found = edits(&elf("built on 2026-05-28", 1), &elf("built on 2026-05-29", 2));
    assert!(matches!(found[..], [Edited::Declared(_), Edited::Dates(..)]), "{found:?}");
}

/// CRC-32C of an erofs superblock's block, without the last inversion.
fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |sum: u32, _: u32| if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0x82f6_3b78 };
    bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), bit))
}

/// Writes the checksum of an erofs file system of one block.
fn sum_erofs(bytes: &mut [u8]) {
    bytes[1028..1032].fill(0);
    let sum = crc32c(&bytes[1024..]);
    bytes[1028..1032].copy_from_slice(&sum.to_le_bytes());
}

/// An erofs file system of one block, with this UUID and time.
fn erofs(uuid: u8, time: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[1024..1028].copy_from_slice(&0xe0f5_e1e2_u32.to_le_bytes());
    bytes[1032] = 1;
    bytes[1036] = 12;
    bytes[1048..1056].copy_from_slice(&time.to_le_bytes());
    bytes[1072..1088].fill(uuid);
    bytes[1224..1234].copy_from_slice(b"a file's x");
    sum_erofs(&mut bytes);
    bytes
}

#[test]
fn an_id_and_a_time_of_erofs_hide_nothing_beside_them() {
    use Declared::{Checksum, FileSystemId, FileSystemTime};
    let edits = |a: &[u8], b: &[u8]| -> Vec<Edited> {
        between(a, b, Default::default()).edits.into_iter().map(|edit| edit.what).collect()
    };
    assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
    let (a, mut b) = (erofs(0x11, 1_780_000_000), erofs(0x22, 1_780_000_009));
    let declared = [Checksum, FileSystemTime, FileSystemId].map(Edited::Declared);
    assert_eq!(edits(&a, &b), declared);
    // a file, with a checksum that fits
    b[1229] = b'X';
    sum_erofs(&mut b);
    assert!(!matches!(edits(&a, &b)[3..], []));
    // a checksum that does not
    let mut c = erofs(0x22, 1_780_000_000);
    c[1028] ^= 1;
    assert!(edits(&a, &c).iter().any(|edit| !matches!(edit, Edited::Declared(_))));
}
