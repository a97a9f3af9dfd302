//! Two contents that are no text: the strings in them, and times among the bytes.

use super::{Changes, Edit, Edited, Reading, lines};
use crate::difference::Sample;

/// Printable bytes in a row that make a string, as `strings` has it.
const SHORTEST: usize = 4;
/// Seconds since 1970 that four bytes may mean: 2014 to 2033. One random number in seven is.
const PLAUSIBLE: std::ops::Range<i64> = 1_400_000_000..2_000_000_000;
/// Builds that are compared are not further apart: two years.
const APART: i64 = 2 * 366 * 86_400;
/// Bytes that differ and mean nothing, for each time: among more of them, times are chance.
const NOISE: usize = 64;
/// Edits beyond which two binaries have nothing to do with each other.
const MOST: usize = 24;
/// Bytes shown before and from the first difference on.
const SHOWN: usize = 16;

pub(crate) fn compare(a: &Sample, b: &Sample) -> Changes {
    let mut changes = Changes::new(Reading::Binary);
    let (strings_a, strings_b) = (strings(&a.window), strings(&b.window));
    let (x, y): (Vec<&str>, Vec<&str>) = (texts(&strings_a), texts(&strings_b));
    if x != y {
        lines::into(&mut changes, &x, &y);
    }
    if changes.edits.len() > MOST {
        // another program, not the same one with another string in it
        changes = Changes::new(Reading::Binary);
        changes.opaque = true;
    } else if a.size == b.size && a.window.len() == b.window.len() {
        bytes(&mut changes, a, b, &strings_a, &strings_b);
    } else {
        // what shifts what cannot be told; the strings have to do
        changes.opaque = changes.edits.is_empty() && changes.reordered.is_none();
    }
    if changes.excerpt.is_empty() {
        changes.excerpt = vec![hex("-", a), hex("+", b)];
    }
    changes
}

type Found<'a> = Vec<(usize, &'a str)>;

/// The strings, each with its offset.
fn strings(bytes: &[u8]) -> Found<'_> {
    let mut found = Vec::new();
    let mut start = 0;
    for at in 0..=bytes.len() {
        let printable = bytes.get(at).is_some_and(|b| matches!(b, b' '..=b'~' | b'\t'));
        if !printable {
            if at - start >= SHORTEST {
                found.extend(std::str::from_utf8(&bytes[start..at]).map(|text| (start, text)));
            }
            start = at + 1;
        }
    }
    found
}

fn texts<'a>(found: &Found<'a>) -> Vec<&'a str> {
    found.iter().map(|(_, text)| *text).filter(|text| is_language(text)).collect()
}

/// Whether a string says something; machine code has `AVAUATUH` and `D$@H` in it.
fn is_language(text: &str) -> bool {
    let plain = text.chars().filter(|c| c.is_alphanumeric() || " ./_:-@=,+".contains(*c)).count();
    let run = |belongs: fn(&u8) -> bool, least: usize| {
        text.as_bytes().split(|b| !belongs(b)).any(|run| run.len() >= least)
    };
    plain * 5 >= text.len() * 4 && (run(u8::is_ascii_lowercase, 3) || run(u8::is_ascii_digit, 4))
}

/// Contents of one size: every byte that differs is in a string, is part of a time, or is opaque.
fn bytes(changes: &mut Changes, a: &Sample, b: &Sample, in_a: &Found<'_>, in_b: &Found<'_>) {
    let inside = |found: &Found<'_>, at: usize| {
        let i = found.partition_point(|(start, _)| *start <= at);
        i > 0 && at < found[i - 1].0 + found[i - 1].1.len()
    };
    // a hash of everything else, told as a field of the ELF file
    let id = build_id(&a.window).filter(|id| build_id(&b.window).as_ref() == Some(id));
    let (mut at, mut noise, mut times) = (0, 0, Vec::new());
    while at < a.window.len() {
        if a.window[at] == b.window[at] {
            at += 1;
            continue;
        }
        if id.as_ref().is_some_and(|id| id.contains(&at)) {
            at += 1;
            continue;
        }
        // random bytes may look like a short string on one side
        if inside(in_a, at) && inside(in_b, at) {
            at += 1;
            continue;
        }
        match time(&a.window, &b.window, at) {
            Some((end, x, y)) => {
                times.push(Edit {
                    what: Edited::RawTime(x, y),
                    a: xtask_core::calendar::utc(x),
                    b: xtask_core::calendar::utc(y),
                    before: format!("at byte {}: ", a.window_start + at as u64),
                    after: String::new(),
                });
                at = end;
            }
            None => {
                noise += 1;
                at += 1;
            }
        }
    }
    let chance = noise > times.len() * NOISE;
    changes.opaque |= noise > 0;
    times.into_iter().filter(|_| !chance).for_each(|edit| changes.add(edit));
}

/// Where the GNU build-id of an ELF file is: a note of type 3 by `GNU`, the length before (elf(5)).
fn build_id(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let note = memchr::memmem::find(bytes, b"\x03\0\0\0GNU\0")?;
    let len = bytes.get(note.checked_sub(4)?..note)?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    (bytes.starts_with(b"\x7fELF") && len <= 64).then_some(note + 8..note + 8 + len)
}

/// Seconds since 1970 in four bytes of either order, which hold the byte `at` on both sides.
fn time(a: &[u8], b: &[u8], at: usize) -> Option<(usize, i64, i64)> {
    let number = |bytes: &[u8], start: usize, little: bool| -> Option<i64> {
        let four: [u8; 4] = bytes.get(start..start + 4)?.try_into().ok()?;
        Some(i64::from(if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }))
    };
    for start in (at.saturating_sub(3)..=at).rev() {
        for little in [true, false] {
            if let (Some(x), Some(y)) = (number(a, start, little), number(b, start, little))
                && PLAUSIBLE.contains(&x)
                && PLAUSIBLE.contains(&y)
                && (x - y).abs() < APART
                && aligned(start)
            {
                return Some((start + 4, x, y));
            }
        }
    }
    None
}

/// A number of four bytes stands where formats put it; else one random pair in ten looks like a time.
fn aligned(start: usize) -> bool {
    start.is_multiple_of(4)
}

/// The bytes around the first difference.
fn hex(sign: &str, sample: &Sample) -> String {
    let at = sample.first_difference.saturating_sub(sample.window_start) as usize;
    let shown = sample.window.get(at..).unwrap_or_default();
    let shown = &shown[..shown.len().min(SHOWN)];
    let digits: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let text: String =
        shown.iter().map(|b| if matches!(b, b' '..=b'~') { char::from(*b) } else { '.' }).collect();
    format!("{sign} {:08x}: {}  {text}", sample.first_difference, digits.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(window: &[u8]) -> Sample {
        Sample {
            size: window.len() as u64,
            sha256: None,
            first_difference: 0,
            window_start: 0,
            window: window.to_vec(),
        }
    }

    #[test]
    fn a_time_among_bytes_is_found() {
        let with = |seconds: u32| {
            let mut bytes = b"\x01\x02\x03\x04".to_vec();
            bytes.extend(seconds.to_le_bytes());
            bytes.extend([0, 1, 2, 3]);
            bytes
        };
        let changes = compare(&sample(&with(1_795_317_901)), &sample(&with(1_795_311_917)));
        assert!(!changes.opaque);
        assert_eq!(changes.edits[0].what, Edited::RawTime(1_795_317_901, 1_795_311_917));
    }

    #[test]
    fn a_string_in_a_binary_is_edited_like_a_line() {
        let with = |host: &str| format!("\0\x01built on {host}\0\0").into_bytes();
        let changes = compare(&sample(&with("alpha")), &sample(&with("betaX")));
        assert_eq!((changes.edits[0].a.as_str(), changes.edits[0].b.as_str()), ("alpha", "betaX"));
        assert!(!changes.opaque);
    }

    #[test]
    fn no_times_are_seen_in_noise() {
        let noise = |seed: u64| -> Vec<u8> {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            (0..8192).map(|_| next()).collect()
        };
        for seed in 0..20 {
            let changes = compare(&sample(&noise(seed)), &sample(&noise(seed + 100)));
            assert!(changes.opaque);
            let time = |edit: &Edit| matches!(edit.what, Edited::RawTime(..));
            assert!(!changes.edits.iter().any(time), "{:?}", changes.edits);
        }
    }

    #[test]
    fn a_build_id_that_follows_is_nothing_of_its_own() {
        let with = |date: &str, id: u8| {
            let mut bytes = b"\x7fELF\x02\x01\0\0\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0".to_vec();
            bytes.extend([id.wrapping_mul(167); 20]);
            bytes.extend(b"\0built on 2026-05-");
            bytes.extend(date.bytes());
            bytes
        };
        let changes = compare(&sample(&with("28\0", 1)), &sample(&with("29\0", 2)));
        assert!(!changes.opaque);
        assert_eq!(changes.edits.len(), 1, "{:?}", changes.edits);
    }

    #[test]
    fn random_bytes_are_opaque() {
        let changes = compare(&sample(&[0, 200, 3, 9]), &sample(&[0, 100, 4, 200]));
        assert!(changes.opaque && changes.edits.is_empty());
    }
}
