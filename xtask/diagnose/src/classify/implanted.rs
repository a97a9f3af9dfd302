//! The checksums that implantisomd5 writes into an ISO's volume descriptor (isomd5sum, libimplantisomd5).

use diskimage::{Shared, hex};
use md5::{Digest as _, Md5};
use std::collections::HashSet;

const SECTOR: u64 = 2048;

/// Bytes that implantisomd5 reads at a time. The sums of fragments depend on it.
const CHUNK: u64 = 16 * SECTOR;

/// Sectors at the end that implantisomd5 passes over.
const SKIPPED: u64 = 15;

/// Digits of all sums of fragments.
const DIGITS: usize = 60;

/// The application-use area, which counts as blanks.
const AREA: std::ops::Range<u64> = 16 * SECTOR + 883..16 * SECTOR + 883 + 512;

/// The fields that implantisomd5 writes.
#[derive(Default)]
struct Implanted<'t> {
    sum: &'t str,
    skipped: u64,
    fragments: Option<&'t str>,
    count: u64,
}

/// Returns true if the text has the form that implantisomd5 writes, and all its sums are those of the image.
pub(super) fn is_true(text: &str, image: &Shared) -> bool {
    let Some(implanted) = parse(text) else { return false };
    sums(image, &implanted).is_some_and(|(sum, fragments)| {
        sum == implanted.sum && implanted.fragments.is_none_or(|said| said == fragments)
    })
}

fn parse(text: &str) -> Option<Implanted<'_>> {
    let mut found = Implanted::default();
    let mut names = HashSet::new();
    for field in text.trim().split(';').filter(|field| !field.is_empty()) {
        if !names.insert(field.split('=').next().map(str::trim)) {
            return None;
        }
        match field.split_once(['=']).map(|(name, value)| (name.trim(), value.trim())) {
            Some(("ISO MD5SUM", value)) => found.sum = value,
            Some(("SKIPSECTORS", value)) => found.skipped = value.parse().ok()?,
            Some(("RHLISOSTATUS", "0" | "1")) => {}
            Some(("FRAGMENT SUMS", value)) => found.fragments = Some(value),
            Some(("FRAGMENT COUNT", value)) => found.count = value.parse().ok()?,
            None if field == "THIS IS NOT THE SAME AS RUNNING MD5SUM ON THIS ISO!!" => {}
            _ => return None,
        }
    }
    let fits = match found.fragments {
        Some(_) => (1..=DIGITS as u64).contains(&found.count),
        None => found.count == 0,
    };
    (fits && !found.sum.is_empty() && found.skipped <= SKIPPED).then_some(found)
}

/// The MD5 of the image, and the sums of its fragments: digits of the MD5 of all up to their ends.
fn sums(image: &Shared, implanted: &Implanted<'_>) -> Option<(String, String)> {
    // as the volume descriptor counts its sectors
    let bytes = image.exactly("ISO 9660", 16 * SECTOR + 80, 4).ok()?;
    let sectors = u64::from(u32::from_le_bytes(bytes.try_into().ok()?));
    let end = sectors.checked_sub(implanted.skipped)? * SECTOR;
    let fragment = (end / (implanted.count + 1)).max(1);
    let mut digest = Md5::new();
    let mut fragments = String::new();
    let mut buffer = vec![0; CHUNK as usize];
    for at in (0..end).step_by(buffer.len()) {
        let wanted = usize::try_from(CHUNK.min(end - at)).ok()?;
        let chunk = &mut buffer[..wanted];
        if image.read_at(at, chunk).ok()? < wanted {
            return None;
        }
        for place in AREA.start.max(at)..AREA.end.min(at + wanted as u64) {
            chunk[usize::try_from(place - at).ok()?] = b' ';
        }
        digest.update(&*chunk);
        if implanted.count > 0 && at > 0 && at / fragment != (at - CHUNK) / fragment {
            // the first digit of each of the first bytes, without a zero before it
            let digits = digest.clone().finalize();
            let digits = digits.iter().take(DIGITS / implanted.count as usize);
            fragments.extend(digits.filter_map(|byte| format!("{byte:x}").chars().next()));
        }
    }
    fragments.truncate(DIGITS);
    Some((hex(&digest.finalize()), fragments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use diskimage::source::Bytes;
    use std::sync::Arc;

    /// As implantisomd5 1.2.3 writes it for the image of `image()`.
    const TEXT: &str = "ISO MD5SUM = 05d945ffb57bbcd1c152be971f34e69f;\
        SKIPSECTORS = 15;\
        RHLISOSTATUS=0;FRAGMENT SUMS = b7f36a2a1752a5ba6865147f7afbf93e3496ef6e9ccaec481a4f5ca832f1;\
        FRAGMENT COUNT = 20;THIS IS NOT THE SAME AS RUNNING MD5SUM ON THIS ISO!!";

    fn image() -> Shared {
        let mut bytes: Vec<u8> =
            (0..700 * SECTOR).map(|i| (i * 31 % 251 + i / 4096) as u8).collect();
        bytes[32768..32774].copy_from_slice(b"\x01CD001");
        bytes[32768 + 80..32768 + 84].copy_from_slice(&700_u32.to_le_bytes());
        bytes[32768 + 84..32768 + 88].copy_from_slice(&700_u32.to_be_bytes());
        bytes[AREA.start as usize..AREA.end as usize].fill(b' ');
        Arc::new(Bytes(bytes))
    }

    #[test]
    fn all_sums_are_recomputed() {
        assert!(is_true(TEXT, &image()));
        let at = TEXT.find("FRAGMENT SUMS = ").unwrap() + 16;
        for at in [13, at, at + 59] {
            let mut other = TEXT.to_owned();
            let digit = if &TEXT[at..=at] == "0" { "1" } else { "0" };
            other.replace_range(at..=at, digit);
            assert!(!is_true(&other, &image()), "{other}");
        }
        assert!(!is_true(&TEXT.replace("COUNT = 20", "COUNT = 19"), &image()));
        assert!(!is_true(&TEXT.replace("SKIPSECTORS = 15", "SKIPSECTORS = 16"), &image()));
        for more in ["X = 1", "RHLISOSTATUS=0"] {
            assert!(!is_true(&format!("{TEXT};{more}"), &image()));
        }
    }
}
