//! File systems that are recognised, but not read.

use diskimage::Shared;

/// The name of a format that is not read and can hold a file system.
pub(in crate::inspect) fn other_file_system(
    source: &Shared,
) -> diskimage::Result<Option<&'static str>> {
    let kinds = ["file system", "squashfs", "volume", "container", "disk image", "sparse image"];
    let name = diskimage::unread_format(source)?;
    Ok(name.filter(|name| kinds.iter().any(|kind| name.contains(kind))))
}

/// Another file system over the same bytes as an ISO, which Linux or GRUB could prefer.
pub(super) fn second_file_system(source: &Shared) -> diskimage::Result<Option<&'static str>> {
    for sector in 16..48 {
        let id = source.up_to(sector * 2048 + 1, 5)?;
        if id == b"NSR02" || id == b"NSR03" {
            return Ok(Some("UDF file system"));
        }
    }
    let apple = source.up_to(512, 2)? == b"PM" || source.up_to(2048, 2)? == b"PM";
    if apple || source.up_to(0x400, 2)? == b"BD" {
        return Ok(Some("HFS file system"));
    }
    other_file_system(source)
}
