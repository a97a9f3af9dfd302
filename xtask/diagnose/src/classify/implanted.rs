//! The checksum that implantisomd5 writes into an ISO's volume descriptor (isomd5sum, libimplantisomd5).

use diskimage::{Shared, hex};
use md5::{Digest as _, Md5};

const SECTOR: u64 = 2048;

/// The application-use area, which counts as blanks.
const AREA: std::ops::Range<u64> = 16 * SECTOR + 883..16 * SECTOR + 883 + 512;

/// Returns true if the text has the form that implantisomd5 writes, and its MD5 is that of the image. The sums
/// of fragments, which depend on how it happened to read, are not recomputed.
pub(super) fn is_true(text: &str, image: &Shared) -> bool {
    let mut sum = None;
    let mut skipped = None;
    for field in text.trim().split(';').filter(|field| !field.is_empty()) {
        match field.split_once(['=']).map(|(name, value)| (name.trim(), value.trim())) {
            Some(("ISO MD5SUM", value)) => sum = Some(value),
            Some(("SKIPSECTORS", value)) => skipped = value.parse::<u64>().ok(),
            Some(("RHLISOSTATUS", "0" | "1")) => {}
            Some(("FRAGMENT SUMS", value))
                if value.len() <= 60 && value.bytes().all(|b| b.is_ascii_hexdigit()) => {}
            Some(("FRAGMENT COUNT", value)) if value.parse::<u8>().is_ok() => {}
            None if field == "THIS IS NOT THE SAME AS RUNNING MD5SUM ON THIS ISO!!" => {}
            _ => return false,
        }
    }
    let (Some(sum), Some(skipped)) = (sum, skipped) else { return false };
    md5(image, skipped).is_some_and(|md5| md5 == sum)
}

fn md5(image: &Shared, skipped: u64) -> Option<String> {
    // as the volume descriptor counts its sectors
    let bytes = image.exactly("ISO 9660", 16 * SECTOR + 80, 4).ok()?;
    let sectors = u64::from(u32::from_le_bytes(bytes.try_into().ok()?));
    let end = sectors.checked_sub(skipped)? * SECTOR;
    let mut digest = Md5::new();
    let (mut at, mut buffer) = (0, vec![0; 1 << 20]);
    while at < end {
        let wanted = buffer.len().min(usize::try_from(end - at).ok()?);
        let n = image.read_at(at, &mut buffer[..wanted]).ok()?;
        if n == 0 {
            return None;
        }
        for place in AREA.start.max(at)..AREA.end.min(at + n as u64) {
            buffer[usize::try_from(place - at).ok()?] = b' ';
        }
        digest.update(&buffer[..n]);
        at += n as u64;
    }
    Some(hex(&digest.finalize()))
}
