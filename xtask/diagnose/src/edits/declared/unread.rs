//! Formats that are known by their bytes, and are not opened.

/// Offset, bytes, and the name of the format with its article.
const KNOWN: [(usize, &[u8], &str); 22] = [
    (0, b"\x89LZO\0\r\n\x1a\n", "an lzop stream"),
    (0, b"LZIP", "an lzip stream"),
    (0, b"LUKS\xba\xbe", "a LUKS volume"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a rar archive"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"verity\0\0", "a dm-verity hash tree"),
    (0, b"sqsh", "a squashfs of the other byte order"),
    (0, b"XFSB", "an XFS file system"),
    (0, b"QFI\xfb", "a qcow2 disk"),
    (0, b"\xed\xab\xee\xdb", "an rpm package"),
    (0, b"xar!", "a xar archive"),
    (0, b"MSCF", "a cabinet archive"),
    (0, b"\x28\xcd\x3d\x45", "a cramfs"),
    (0, b"070707", "a cpio archive in the old format"),
    (1080, b"\x53\xef", "an ext2, ext3 or ext4 file system"),
    (1024, b"\xe2\xe1\xf5\xe0", "an erofs file system"),
    (1024, b"H+\0\x04", "an HFS+ file system"),
    (0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    (512, b"EFI PART", "a disk with a GPT"),
];

/// The name of the format, if it is one of these.
pub(crate) fn unread(bytes: &[u8]) -> Option<&'static str> {
    let is = |(at, magic, _): &&(usize, &[u8], &str)| {
        bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic))
    };
    KNOWN.iter().find(is).map(|(_, _, name)| *name)
}
