//! Formats that are recognised by their bytes, but not read.

use crate::error::Result;
use crate::source::Shared;

/// Name of the format, offset of its magic, the magic.
type Magic = (&'static str, u64, &'static [u8]);

/// Sources: magic(5) of file 5.46, and for the file systems Linux, include/uapi/linux/magic.h.
const MAGICS: [Magic; 45] = [
    ("lzop", 0, b"\x89LZO\0\r\n\x1a\n"),
    ("lzip", 0, b"LZIP\x01"),
    ("lrzip", 0, b"LRZI\0"),
    ("compress (.Z)", 0, b"\x1f\x9d"),
    ("7-Zip", 0, b"7z\xbc\xaf\x27\x1c"),
    ("RAR", 0, b"Rar!\x1a\x07"),
    ("Microsoft Cabinet", 0, b"MSCF\0\0\0\0"),
    ("WIM", 0, b"MSWIM\0\0\0"),
    ("xar", 0, b"xar!\0\x1c"),
    ("RPM package", 0, b"\xed\xab\xee\xdb"),
    ("cpio in the old format", 0, b"070707"),
    ("cpio in the old binary format", 0, b"\xc7\x71"),
    ("SQLite database", 0, b"SQLite format 3\0"),
    ("Berkeley DB", 12, b"\x62\x31\x05\0"),
    ("Berkeley DB", 12, b"\x61\x15\x06\0"),
    ("GNU dbm", 0, b"\xce\x9a\x57\x13"),
    ("PDF", 0, b"%PDF-"),
    ("erofs file system", 1024, b"\xe2\xe1\xf5\xe0"),
    ("XFS file system", 0, b"XFSB"),
    ("Btrfs file system", 0x10040, b"_BHRfS_M"),
    ("F2FS file system", 1024, b"\x10\x20\xf5\xf2"),
    ("HFS+ file system", 1024, b"H+\0\x04"),
    ("HFSX file system", 1024, b"HX\0\x05"),
    ("APFS container", 32, b"NXSB"),
    ("NTFS file system", 3, b"NTFS    "),
    ("exFAT file system", 3, b"EXFAT   "),
    ("romfs file system", 0, b"-rom1fs-"),
    ("cramfs file system", 0, b"\x45\x3d\xcd\x28"),
    ("JFFS2 file system", 0, b"\x85\x19\x03\x20"),
    ("JFFS2 file system", 0, b"\x85\x19\x01\xe0"),
    ("JFFS2 file system", 0, b"\x85\x19\x02\xe0"),
    ("zisofs container", 0, b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07"),
    ("big-endian squashfs", 0, b"sqsh"),
    ("UDF file system", 0x8001, b"BEA01"),
    ("LUKS volume", 0, b"LUKS\xba\xbe"),
    ("LVM physical volume", 512, b"LABELONE"),
    ("swap space", 4086, b"SWAPSPACE2"),
    ("dm-verity hashes", 0, b"verity\0\0"),
    ("QCOW disk image", 0, b"QFI\xfb"),
    ("VMDK disk image", 0, b"KDMV"),
    ("VDI disk image", 64, b"\x7f\x10\xda\xbe"),
    ("VHDX disk image", 0, b"vhdxfile"),
    ("Android sparse image", 0, b"\x3a\xff\x26\xed"),
    ("Android boot image", 0, b"ANDROID!"),
    ("device tree or FIT image", 0, b"\xd0\x0d\xfe\xed"),
];

/// Name of the format that `source` is in, if it holds more than its bytes show and no reader opens
/// it: "in a format that is not read (lzop)". `None`: an ordinary file, or a format that is read.
pub fn unread_format(source: &Shared) -> Result<Option<&'static str>> {
    for (name, offset, magic) in MAGICS {
        if source.up_to(offset, magic.len())? == magic {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
