//! A line taken apart into what may differ for a reason of its own: dates, ids, numbers, paths, words.

use crate::dates::{self, Moment};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Word<'a> {
    pub(crate) kind: WordKind,
    pub(crate) text: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WordKind {
    Date(Moment),
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// At least 8 hexadecimal digits, letters and numbers among them.
    Hex,
    /// At least 20 characters as base64 writes them, of mixed kinds: a key, a hash.
    Blob,
    Number,
    /// Begins with a slash.
    Path,
    Name,
    Blank,
    Mark,
}

impl WordKind {
    /// Returns true if two words of these kinds can stand for each other.
    pub(crate) fn like(self, other: WordKind) -> bool {
        use WordKind::{Blob, Date, Hex, Name, Number, Uuid};
        match (self, other) {
            (Date(_), Date(_)) => true,
            // short ids can look like names or numbers
            (Hex | Blob | Name | Number, Hex | Blob | Name | Number) => true,
            (Uuid, Uuid) => true,
            (a, b) => a == b,
        }
    }
}

/// All of `line`, in order.
pub(crate) fn of(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        // a date may begin only where a word may
        let (length, kind) = first(rest);
        words.push(Word { kind, text: &rest[..length] });
        at += length;
    }
    words
}

/// Length and kind of the word that `rest`, which isn't empty, begins with.
fn first(rest: &str) -> (usize, WordKind) {
    let Some(sign) = rest.chars().next() else { return (0, WordKind::Mark) };
    if sign == ' ' || sign == '\t' {
        let length = rest.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
        return (length, WordKind::Blank);
    }
    if is_uuid(rest) {
        return (36, WordKind::Uuid);
    }
    if let Some((length, moment)) = dates::at(rest) {
        return (length, WordKind::Date(moment));
    }
    if sign == '/' {
        let length = span(rest, |c| c.is_alphanumeric() || "/._-+~@%".contains(c));
        let length = rest[..length].trim_end_matches('.').len();
        return if length > 1 { (length, WordKind::Path) } else { (1, WordKind::Mark) };
    }
    if !sign.is_alphanumeric() && sign != '_' {
        return (sign.len_utf8(), WordKind::Mark);
    }
    let digits = span(rest, |c| c.is_ascii_digit());
    let hex = span(rest, |c| c.is_ascii_hexdigit());
    let alphanumeric = span(rest, |c| c.is_alphanumeric() || c == '_');
    if let Some(length) = version(rest) {
        return (length, WordKind::Name);
    }
    if digits == alphanumeric {
        let fraction =
            rest[digits..].strip_prefix('.').map_or(0, |f| span(f, |c| c.is_ascii_digit()));
        return (if fraction > 0 { digits + 1 + fraction } else { digits }, WordKind::Number);
    }
    if hex == alphanumeric && is_hex(&rest[..hex]) {
        return (hex, WordKind::Hex);
    }
    // `=` only at the end: before a value it follows a name
    let base64 = span(rest, |c| c.is_ascii_alphanumeric() || "+/_".contains(c));
    let base64 = base64 + span(&rest[base64..], |c| c == '=').min(2);
    let base64 = match rest[base64..].chars().next() {
        Some(c) if c.is_alphanumeric() => span(rest, |c| c.is_ascii_alphanumeric() || c == '_'),
        _ => base64,
    };
    if is_blob(&rest[..base64]) {
        return (base64, WordKind::Blob);
    }
    // `builder-7.example.org`, `en_US`; but a full stop ends a sentence
    let length = span(rest, |c| c.is_alphanumeric() || "_-.".contains(c));
    let name = rest[..length].trim_end_matches(['.', '-']);
    // the seconds of `12.5s` are a number
    if digits > 0 && alphanumeric == digits + 1 {
        (digits, WordKind::Number)
    } else {
        (name.len(), WordKind::Name)
    }
}

/// Length of a version or an address, `6.1.0-13-amd64`, `127.0.0.1`: numbers with more than one point.
fn version(text: &str) -> Option<usize> {
    let length = span(text, |c| c.is_ascii_alphanumeric() || "._+~-".contains(c));
    let word = text[..length].trim_end_matches(['.', '-', '_', '+', '~']);
    let numbers = word.split('.').take_while(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    (numbers.count() > 2).then_some(word.len())
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn is_uuid(text: &str) -> bool {
    let Some(text) = text.as_bytes().get(..36) else { return false };
    text.iter().enumerate().all(|(i, b)| match i {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => b.is_ascii_hexdigit(),
    })
}

fn is_hex(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let mixed = digits > 0 && digits < text.len();
    let one_case = !(text.contains(|c: char| c.is_ascii_lowercase())
        && text.contains(|c: char| c.is_ascii_uppercase()));
    text.len() >= 8 && mixed && one_case
}

fn is_blob(text: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| text.bytes().filter(kind).count() >= 2;
    text.len() >= 20
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && text.matches('_').count() < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(line: &str) -> Vec<String> {
        let shown = |word: &Word<'_>| match word.kind {
            WordKind::Date(_) => format!("date {}", word.text),
            kind => format!("{kind:?} {}", word.text).to_lowercase(),
        };
        of(line).iter().filter(|w| w.kind != WordKind::Blank).map(shown).collect()
    }

    #[test]
    fn a_line_is_taken_apart() {
        assert_eq!(
            kinds("root@builder-7.example.org: built /build/x on 2026-11-22 with -j8."),
            [
                "name root",
                "mark @",
                "name builder-7.example.org",
                "mark :",
                "name built",
                "path /build/x",
                "name on",
                "date 2026-11-22",
                "name with",
                "mark -",
                "name j8",
                "mark .",
            ]
        );
        assert_eq!(
            kinds("id=2e11f281c9c56da9 u=6ba7b810-9dad-11d1-80b4-00c04fd430c8 n=42"),
            [
                "name id",
                "mark =",
                "hex 2e11f281c9c56da9",
                "name u",
                "mark =",
                "uuid 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
                "name n",
                "mark =",
                "number 42",
            ]
        );
    }

    #[test]
    fn nothing_of_a_line_is_lost() {
        for line in ["", "  a\tb ", "ünïcode — “x”", "/", "12:00:00x", "a..b", "-", "…"] {
            let joined: String = of(line).iter().map(|w| w.text).collect();
            assert_eq!(joined, line);
        }
    }
}
