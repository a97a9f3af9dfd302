//! Volume descriptors (ECMA-119, 8): names and dates of the volume, and the places of its trees.

use super::date;
use super::path_table::PathTable;
use super::sector::{LAYER, SECTOR};
use crate::error::{Error, Result};
use crate::field::{Field, FieldKind};
use crate::record::{Record, printable, utf8_of};
use crate::source::Source;

/// Descriptors before the one that ends them; real images have up to five.
const MOST: u64 = 64;

/// Names in a descriptor, with their places and lengths.
pub(super) const NAMES: [(&str, usize, usize); 9] = [
    ("system", 8, 32),
    ("volume label", 40, 32),
    ("volume set", 190, 128),
    ("publisher", 318, 128),
    ("preparer", 446, 128),
    ("application", 574, 128),
    ("copyright file", 702, 37),
    ("abstract file", 739, 37),
    ("bibliography file", 776, 37),
];

/// The descriptors of an image.
pub(super) struct VolumeDescriptors {
    pub(super) primary: VolumeDescriptor,
    pub(super) joliet: Option<VolumeDescriptor>,
    /// Sector of the boot catalogue of El Torito.
    pub(super) catalogue: Option<u64>,
    /// Sectors of the descriptors.
    pub(super) sectors: (u64, u64),
    /// `true` if there is a second descriptor of one of these kinds.
    pub(super) ambiguous: bool,
}

/// The primary descriptor, or Joliet's.
pub(super) struct VolumeDescriptor {
    bytes: Vec<u8>,
    offset: u64,
}

impl VolumeDescriptors {
    pub(super) fn read(source: &dyn Source) -> Result<VolumeDescriptors> {
        let (mut primary, mut joliet, mut catalogue) = (None, None, None);
        let mut ambiguous = false;
        for sector in 16..16 + MOST {
            let offset = sector * SECTOR;
            let bytes = source.exactly(LAYER, offset, SECTOR as usize)?;
            let r = Record::new(LAYER, offset, &bytes);
            if r.slice(1, 5)? != b"CD001" {
                return Err(r.error(1, "no volume descriptor"));
            }
            match r.u8(0)? {
                0 if r.slice(7, 23)? == b"EL TORITO SPECIFICATION" => {
                    ambiguous |= catalogue.is_some();
                    catalogue = Some(u64::from(r.le32(0x47)?));
                }
                1 if primary.is_none() => primary = Some(VolumeDescriptor { bytes, offset }),
                // the escape sequences of UCS-2 level 1, 2 and 3
                2 if joliet.is_none() && matches!(r.slice(88, 3)?, b"%/@" | b"%/C" | b"%/E") => {
                    joliet = Some(VolumeDescriptor { bytes, offset });
                }
                255 => {
                    let primary = primary.ok_or_else(|| r.error(0, "no primary volume"))?;
                    if primary.record().le16(128)? != SECTOR as u16 {
                        return Err(Error::new(
                            LAYER,
                            primary.offset + 128,
                            "blocks of an odd size",
                        ));
                    }
                    let sectors = (16, sector + 1);
                    return Ok(VolumeDescriptors {
                        primary,
                        joliet,
                        catalogue,
                        sectors,
                        ambiguous,
                    });
                }
                1 => ambiguous = true,
                2 => ambiguous |= matches!(r.slice(88, 3)?, b"%/@" | b"%/C" | b"%/E"),
                _ => {}
            }
        }
        Err(Error::new(LAYER, (16 + MOST) * SECTOR, "volume descriptors without an end"))
    }
}

impl VolumeDescriptors {
    /// `true` for the offset of a descriptor whose fields are told.
    pub(super) fn told(&self, offset: u64) -> bool {
        std::iter::once(&self.primary).chain(&self.joliet).any(|volume| volume.offset == offset)
    }
}

impl VolumeDescriptor {
    fn record(&self) -> Record<'_> {
        Record::new(LAYER, self.offset, &self.bytes)
    }

    /// Offset of the record of the root.
    pub(super) fn root(&self) -> u64 {
        self.offset + 156
    }

    /// The path tables that the descriptor names.
    pub(super) fn path_tables(&self) -> Result<Vec<PathTable>> {
        let r = self.record();
        let len = u64::from(r.le32(132)?);
        let mut tables = Vec::new();
        for at in [140, 144, 148, 152] {
            let (big_endian, sector) = (at >= 148, r.le32(at)?);
            let sector = if big_endian { sector.swap_bytes() } else { sector };
            if sector != 0 {
                tables.push(PathTable { start: u64::from(sector) * SECTOR, len, big_endian });
            }
        }
        Ok(tables)
    }

    /// Claimed bytes of the volume.
    pub(super) fn space(&self) -> Result<u64> {
        Ok(u64::from(self.record().le32(80)?) * SECTOR)
    }

    pub(super) fn fields(&self) -> Result<Vec<Field>> {
        use FieldKind::{ApplicationUse, Extent, VolumeDate, VolumeName};
        let r = self.record();
        let joliet = r.u8(0)? == 2;
        let mut fields = Vec::new();
        for (name, at, len) in NAMES {
            fields.push(Field::new(VolumeName, name, name_text(r.slice(at, len)?, joliet)));
        }
        for (name, at) in [
            ("volume creation date", 813),
            ("volume modification date", 830),
            ("volume expiration date", 847),
            ("volume effective date", 864),
        ] {
            fields.push(Field::new(VolumeDate, name, date::of_volume(r.slice(at, 17)?)));
        }
        let root =
            date::short(r.slice(156 + 18, 7)?).map_or("none".into(), xtask_core::calendar::utc);
        fields.push(Field::new(VolumeDate, "date of the root", root));
        fields.push(Field::new(Extent, "sectors", r.le32(80)?));
        let used = r.slice(883, 512)?;
        fields.push(Field::new(ApplicationUse, "application use", application_use(used)));
        Ok(fields)
    }
}

/// The text of the application use area, without the blanks behind it. An area of zeros has the text `"\0"`,
/// which no other area has; implantisomd5 makes them blanks.
fn application_use(area: &[u8]) -> String {
    if area.iter().all(|byte| *byte == 0) { "\0".to_owned() } else { printable(stored(area)) }
}

/// A text before the blanks and zeros at its end.
pub(super) fn stored(bytes: &[u8]) -> &[u8] {
    let len = bytes.iter().rposition(|byte| *byte != 0 && *byte != b' ').map_or(0, |last| last + 1);
    &bytes[..len]
}

/// A name that is filled up with blanks or zeros; Joliet's is in UCS-2, big end first.
pub(super) fn name_text(bytes: &[u8], joliet: bool) -> String {
    let text = if joliet { printable(&ucs2(bytes)) } else { printable(bytes) };
    text.trim_end_matches([' ', '\0']).trim_end_matches("\\x00").trim_end_matches(' ').to_string()
}

/// UTF-8 of big-endian UCS-2.
pub(super) fn ucs2(bytes: &[u8]) -> Vec<u8> {
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    utf8_of(&units)
}
