//! Headers of images and of what is in them.

use super::super::rule::{CauseRule, Evidence};
use crate::difference::FieldKind;
use crate::edits::declared::Declared;

pub(super) static RULES: &[CauseRule] = &[
    CauseRule {
        id: "mkfs-time",
        name: "time in the squashfs superblock: mksquashfs took the clock",
        fix: "let mksquashfs see SOURCE_DATE_EPOCH (from 4.6 on never with -mkfs-time or -all-time: fatal)",
        source: "squashfs-tools#140, #51",
        evidence: Evidence::Field(&[FieldKind::MkfsTime]),
    },
    CauseRule {
        id: "compressor",
        name: "other compressor, level, block size or flags of the squashfs",
        fix: "pin the builder image, and MKSQUASHFS_OPTIONS in silvermetal-base.conf",
        source: "the superblocks",
        evidence: Evidence::Field(&[FieldKind::Compressor]),
    },
    CauseRule {
        id: "squashfs-repacked",
        name: "other bytes of the squashfs, equal contents: level, tool version or order of blocks",
        fix: "pin the builder image, so that the same mksquashfs packs; -no-hardlinks where links are met in another order",
        source: "the superblocks agree; nixpkgs#114454",
        evidence: Evidence::Repacked(&["squashfs"]),
    },
    CauseRule {
        id: "recompressed",
        name: "other compressed bytes, equal contents: level, threads or version of the compressor",
        fix: "pin the builder image; one thread, or a fixed number (xz -T1, zstd without -T0, no pigz)",
        source: "both streams, unpacked to their end, are equal",
        evidence: Evidence::Repacked(&["gzip", "deflate", "xz", "zstd", "bzip2", "lz4", "lzma"]),
    },
    CauseRule {
        id: "volume-dates",
        name: "volume dates of the ISO: xorriso took the clock",
        fix: "xorriso --modification-date=… --set_all_file_dates …, or export SOURCE_DATE_EPOCH to it",
        source: "live-build binary_iso",
        evidence: Evidence::Field(&[FieldKind::VolumeDate]),
    },
    CauseRule {
        id: "volume-names",
        name: "other label, publisher or application of the volume: other settings",
        fix: "set LB_ISO_VOLUME, LB_ISO_PUBLISHER, LB_ISO_APPLICATION to constants",
        source: "the volume descriptors",
        evidence: Evidence::Field(&[FieldKind::VolumeName, FieldKind::FatLabel]),
    },
    CauseRule {
        id: "disk-guid",
        name: "disk id, GPT GUID or MBR signature, made at random",
        fix: "xorriso --gpt_disk_guid modification-date, with a fixed --modification-date",
        source: "live-build binary_iso",
        evidence: Evidence::Field(&[FieldKind::DiskId]),
    },
    CauseRule {
        id: "fat-serial",
        name: "serial number of the FAT file system (EFI image), from the clock",
        fix: "mkfs.msdos -i or mformat -N, with a number from SOURCE_DATE_EPOCH",
        source: "live-build binary_iso; COEN",
        evidence: Evidence::Field(&[FieldKind::FatSerial]),
    },
    CauseRule {
        id: "gzip-time",
        name: "mtime in a gzip header",
        fix: "gzip -n",
        source: "gzip(1)",
        evidence: Evidence::Field(&[FieldKind::GzipTime]),
    },
    CauseRule {
        id: "compression-header",
        name: "other settings in a compressed stream's header: name, level, checks, or system",
        fix: "gzip -n, and the same compressor with the same level",
        source: "RFC 1952; the xz and zstd formats",
        evidence: Evidence::Field(&[FieldKind::CompressionHeader]),
    },
    CauseRule {
        id: "cpio-inodes",
        name: "inode and device numbers in an initramfs, from the file system that it was packed on",
        fix: "cpio --reproducible (or --renumber-inodes --ignore-devno); dracut --reproducible",
        source: "cpio(1)",
        evidence: Evidence::FieldNamed("inode and device numbers"),
    },
    CauseRule {
        id: "tar-format",
        name: "another format of a tar: GNU's or POSIX's",
        fix: "tar --format=gnu, or --format=posix, everywhere",
        source: "GNU tar manual, Formats; all that the headers say is compared",
        evidence: Evidence::FieldNamed("formats"),
    },
    CauseRule {
        id: "build-id",
        name: "ELF build id, or checksum of the debug file: a hash of what was linked, paths and debug information included",
        fix: "-ffile-prefix-map to a constant path, or -Wl,--build-id=none",
        source: "ld(1), --build-id; the bytes around it are judged",
        evidence: Evidence::Declared(|declared, _| {
            matches!(declared, Declared::BuildId | Declared::DebugLink)
        }),
    },
    CauseRule {
        id: "module-signature",
        name: "signature of a kernel module, by a key made for this build",
        fix: "give the kernel's build a fixed key (CONFIG_MODULE_SIG_KEY), or build with CONFIG_MODULE_SIG off",
        source: "Linux, admin-guide/module-signing; the module itself is equal",
        evidence: Evidence::Declared(|declared, _| declared == Declared::ModuleSignature),
    },
    CauseRule {
        id: "padding",
        name: "zeros at the end: another padding",
        fix: "the same writer with the same options (xorriso -padding, cpio's block size, mksquashfs -nopad)",
        source: "all other bytes are equal",
        evidence: Evidence::Declared(|declared, _| declared == Declared::Padding),
    },
    CauseRule {
        id: "implanted-md5",
        name: "checksum of the image, which implantisomd5 wrote on one side only",
        fix: "run implantisomd5 in both builds, or in none",
        source: "implantisomd5(1); the checksum was recomputed",
        evidence: Evidence::Together,
    },
    CauseRule {
        id: "hfsplus-serial",
        name: "serial number of the HFS+ that xorriso makes for Macs",
        fix: "xorriso -as mkisofs -hfsplus-serial-no with a fixed number, or no -hfsplus",
        source: "xorrisofs(1)",
        evidence: Evidence::Declared(|declared, _| declared == Declared::HfsPlusSerial),
    },
    CauseRule {
        id: "fat-leftovers",
        name: "bytes outside of the files of a FAT: of files that were deleted or replaced",
        fix: "make the file system in one go from a fresh file, instead of replacing files in it",
        source: "mtools(1)",
        evidence: Evidence::Paths(&["*outside of the files*", "*rest of the directories*"]),
    },
    CauseRule {
        id: "link-time",
        name: "time of linking in the header of an EFI program",
        fix: "link with SOURCE_DATE_EPOCH set (ukify, objcopy and ld take it), or -Wl,--no-insert-timestamp",
        source: "PE format, COFF file header",
        evidence: Evidence::Field(&[FieldKind::LinkTime]),
    },
    CauseRule {
        id: "file-system-times",
        name: "times in the superblock of a file system: mkfs took the clock",
        fix: "SOURCE_DATE_EPOCH and E2FSPROGS_FAKE_TIME for mke2fs; mkfs.erofs -T",
        source: "mke2fs(8), mkfs.erofs(1)",
        evidence: Evidence::Field(&[FieldKind::FileSystemTime]),
    },
    CauseRule {
        id: "file-system-history",
        name: "how much was written to a file system since it was made",
        fix: "make the file system in one go (mke2fs -d), and mount or change it no more",
        source: "Linux, Documentation/filesystems/ext4: s_kbytes_written",
        evidence: Evidence::Field(&[FieldKind::FileSystemHistory]),
    },
    CauseRule {
        id: "file-system-ids",
        name: "UUID or hash seed of a file system, made at random",
        fix: "mke2fs -U and -E hash_seed, or mkfs.erofs -U, with constants",
        source: "mke2fs(8), mkfs.erofs(1)",
        evidence: Evidence::Field(&[FieldKind::FileSystemId]),
    },
];
