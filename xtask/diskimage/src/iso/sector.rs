//! The size and the fixed places of sectors.

/// Name of the format in errors.
pub(super) const LAYER: &str = "ISO 9660";

/// Bytes of a logical sector.
pub(super) const SECTOR: u64 = 2048;

/// Offset of the magic `CD001`.
pub(crate) const MAGIC_OFFSET: u64 = 16 * SECTOR + 1;

/// Bytes before the volume descriptors, free for boot code and partition tables.
pub(super) const SYSTEM_AREA: u64 = 16 * SECTOR;
