//! Two contents that are no text: strings among bytes that say nothing.

use super::changes::{Changes, Edit, Edited};
use super::{align, lines};
use std::ops::Range;

/// Printable bytes in a row that make a string, as `strings` has it.
const SHORTEST: usize = 4;
/// Bytes of a piece without strings. A change in one piece leaves the others aligned.
const PIECE: usize = 64;
/// Seconds since 1970 that a word may mean: 2014 to 2033.
const PLAUSIBLE: Range<i64> = 1_400_000_000..2_000_000_000;
/// Bytes shown from the first difference on.
const SHOWN: usize = 16;

/// Adds the edits that turn `a` into `b`: between strings word by word, and for all other bytes
/// [`Edited::Bytes`].
pub(super) fn compare(changes: &mut Changes, a: &[u8], b: &[u8]) {
    // what is far from a difference need not be cut into tokens
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let start = token_start(a, head);
    let most = a.len().min(b.len()) - head;
    let foot = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let ends = [a, b].map(|bytes| token_end(bytes, bytes.len() - foot));
    let back = (a.len() - ends[0]).min(b.len() - ends[1]);
    let (x, y) = (&a[start..a.len() - back], &b[start..b.len() - back]);
    let (in_a, in_b) = (tokens(x), tokens(y));
    let bytes = |token: &Range<usize>, of: &[u8]| of[token.clone()].to_vec();
    let list_a: Vec<Vec<u8>> = in_a.iter().map(|token| bytes(token, x)).collect();
    let list_b: Vec<Vec<u8>> = in_b.iter().map(|token| bytes(token, y)).collect();
    for (i, j) in align::stretches(&list_a, &list_b) {
        stretch(
            changes,
            &list_a[i.clone()],
            &list_b[j],
            start + in_a.get(i.start).map_or(x.len(), |t| t.start),
        );
    }
}

/// A stretch of tokens for another: strings for strings one by one, else bytes for bytes.
fn stretch(changes: &mut Changes, a: &[Vec<u8>], b: &[Vec<u8>], at: usize) {
    let mut place = at;
    if a.len() == b.len() {
        for (x, y) in a.iter().zip(b) {
            match (string(x), string(y)) {
                _ if x == y => {}
                (Some(x), Some(y)) => lines::within_line(changes, x, y, false),
                _ => changes.add(opaque(x, y, place)),
            }
            place += x.len();
        }
        return;
    }
    changes.add(opaque(&a.concat(), &b.concat(), at));
}

fn opaque(a: &[u8], b: &[u8], at: usize) -> Edit {
    let shown = |bytes: &[u8]| {
        let more = if bytes.len() > SHOWN { " …" } else { "" };
        format!("{at:08x}: {}{more} ({} bytes)", hex(&bytes[..bytes.len().min(SHOWN)]), bytes.len())
    };
    Edit {
        what: Edited::Bytes,
        a: shown(a),
        b: shown(b),
        before: String::new(),
        after: String::new(),
        in_text: false,
    }
}

/// The seconds since 1970 that four aligned bytes are, if nothing else differs.
pub(super) fn time(a: &[u8], b: &[u8]) -> Option<(i64, i64)> {
    // code is no data: what it looks like says nothing
    if [&b"\x7fELF"[..], b"MZ"].iter().any(|magic| a.starts_with(magic)) {
        return None;
    }
    let first = a.iter().zip(b).position(|(x, y)| x != y)?;
    let word = first / 4 * 4..first / 4 * 4 + 4;
    if a.len() != b.len() || a.get(word.end..)? != &b[word.end..] {
        return None;
    }
    let number = |bytes: &[u8]| bytes[word.clone()].try_into().map(u32::from_le_bytes).ok();
    let (x, y) = (number(a)?, number(b)?);
    let pairs =
        [(x, y), (x.swap_bytes(), y.swap_bytes())].map(|(x, y)| (i64::from(x), i64::from(y)));
    pairs.into_iter().find(|(x, y)| PLAUSIBLE.contains(x) && PLAUSIBLE.contains(y))
}

fn printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

/// The start of the string, or of the piece, that `at` may be in.
fn token_start(bytes: &[u8], at: usize) -> usize {
    let string = bytes[..at].iter().rev().take_while(|byte| printable(**byte)).count();
    at - string
}

fn token_end(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| printable(**byte)).count()
}

/// Strings, and pieces of the bytes between them; together they are all of `bytes`.
fn tokens(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut gap = 0;
    let mut at = 0;
    let between = |found: &mut Vec<Range<usize>>, from: usize, to: usize| {
        let starts = (from..to).step_by(PIECE);
        found.extend(starts.map(|start| start..(start + PIECE).min(to)));
    };
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|byte| printable(**byte)).count();
        if len >= SHORTEST {
            between(&mut found, gap, at);
            found.push(at..at + len);
            gap = at + len;
        }
        at += len.max(1);
    }
    between(&mut found, gap, bytes.len());
    found
}

/// The string that a token is, if it says something; machine code has `AVAUATUH` and `D$@H` in it.
fn string(token: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(token).ok()?;
    let whole = token.len() >= SHORTEST && token.iter().all(|byte| printable(*byte));
    (whole && is_language(text)).then_some(text)
}

fn is_language(text: &str) -> bool {
    let plain = text.chars().filter(|c| c.is_alphanumeric() || " ./_:-@=,+".contains(*c)).count();
    let run = |belongs: fn(&u8) -> bool, least: usize| {
        text.as_bytes().split(|b| !belongs(b)).any(|run| run.len() >= least)
    };
    plain * 5 >= text.len() * 4 && (run(u8::is_ascii_lowercase, 3) || run(u8::is_ascii_digit, 4))
}

/// The bytes at the first difference, as lines with `-` and `+`.
pub(super) fn excerpt(a: &[u8], b: &[u8]) -> Vec<String> {
    let at = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    excerpt_at(at as u64, &a[at..], &b[at..])
}

pub(crate) fn excerpt_at(at: u64, a: &[u8], b: &[u8]) -> Vec<String> {
    let line = |sign: char, bytes: &[u8]| {
        let shown = &bytes[..bytes.len().min(SHOWN)];
        let sign_of = |byte: &u8| if printable(*byte) { char::from(*byte) } else { '.' };
        let text: String = shown.iter().map(sign_of).collect();
        format!("{sign} {at:08x}: {}  {text}", hex(shown))
    };
    vec![line('-', a), line('+', b)]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(a: &[u8], b: &[u8]) -> Vec<(Edited, String, String)> {
        let mut changes = Changes::new();
        compare(&mut changes, a, b);
        assert!(changes.rest.is_none());
        changes.edits.into_iter().map(|e| (e.what, e.a, e.b)).collect()
    }

    #[test]
    fn a_string_in_a_binary_is_edited_like_a_line() {
        let with = |host: &str| format!("\0\x01built on {host}\0\0").into_bytes();
        let found = edits(&with("alpha"), &with("betaX"));
        assert_eq!(found, [(Edited::Name, "alpha".into(), "betaX".into())]);
        // also where what follows moves
        let found = edits(&with("alpha"), &with("gamma-7"));
        assert_eq!(found, [(Edited::Name, "alpha".into(), "gamma-7".into())]);
    }

    #[test]
    fn any_byte_that_is_no_text_is_opaque() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let a: Vec<u8> = (0..4096).map(|_| next()).collect();
        for at in (0..4096).step_by(61) {
            let mut b = a.clone();
            b[at] ^= next() | 1;
            assert!(edits(&a, &b).iter().any(|(what, ..)| *what == Edited::Bytes), "{at}");
        }
        assert_eq!(edits(&[0, 200, 3, 9], &[0, 100, 4, 200])[0].0, Edited::Bytes);
    }
}
