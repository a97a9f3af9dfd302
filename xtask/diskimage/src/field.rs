//! Header fields of a layer.

/// Meaning of a header field. Dates are `YYYY-MM-DD HH:MM:SS`, numbers are decimal, identifiers are in
/// hexadecimal as their format shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldKind {
    /// ISO 9660 volume creation, modification, expiration, effective date.
    VolumeDate,
    /// ISO 9660 volume label, publisher, application and the like.
    VolumeName,
    /// ISO 9660 application-use area; implantisomd5 writes a hash of everything else there.
    ApplicationUse,
    /// Place of a file or a table in the image, or number of sectors.
    Extent,
    /// GPT disk or partition GUID, MBR disk signature.
    DiskId,
    /// Boot record: El Torito catalogue, MBR code.
    BootRecord,
    /// FAT volume serial number.
    FatSerial,
    /// FAT volume label.
    FatLabel,
    /// squashfs superblock: time of creation, seconds since 1970.
    MkfsTime,
    /// squashfs: compressor, its options, block size, flags.
    Compressor,
    /// squashfs: sizes, offsets and counts of tables.
    Layout,
    /// gzip header: mtime.
    GzipTime,
    /// gzip, xz, zstd: file name, operating system, level, checks.
    CompressionHeader,
    /// ELF build id.
    BuildId,
    /// PE header: time of linking.
    LinkTime,
    /// ext4 superblock: times of creation, mount, write and check.
    FileSystemTime,
    /// ext4: UUID and hash seed.
    FileSystemId,
    /// ext4: how much was written to the file system since it was made.
    FileSystemHistory,
    /// Image of a container: hashes that name its blobs, each computed again.
    BlobDigest,
    /// Any other field of a header.
    Header,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub kind: FieldKind,
    pub name: &'static str,
    pub value: String,
}

impl Field {
    pub(crate) fn new(kind: FieldKind, name: &'static str, value: impl ToString) -> Field {
        Field { kind, name, value: value.to_string() }
    }
}
