//! Words from outside: file names, fields of records, answers of servers, output of programs. They may
//! hold a terminal's commands, characters that reorder a line, or the end of a line.
//!
//! [`Shown`] escapes one word where a message is made, so that it stays within its line. The printer
//! ([`crate::ui`]) escapes every message again with [`printable`], which leaves line ends alone.
//! clippy refuses `Path::display` and `println!` elsewhere.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A word from outside, for messages.
pub trait Shown {
    /// Displays the word in one line, without characters that a terminal acts on or does not show.
    /// Bytes that are not UTF-8 appear as `\xNN`.
    fn shown(&self) -> Escaped<'_>;
}

/// See [`Shown::shown`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(&'a OsStr);

impl Shown for Path {
    fn shown(&self) -> Escaped<'_> {
        Escaped(self.as_os_str())
    }
}

impl Shown for OsStr {
    fn shown(&self) -> Escaped<'_> {
        Escaped(self)
    }
}

impl Shown for str {
    fn shown(&self) -> Escaped<'_> {
        Escaped(OsStr::new(self))
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for chunk in self.0.as_bytes().utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| one(&mut text, c, steers(c)))?;
            chunk.invalid().iter().try_for_each(|byte| write!(text, "\\x{byte:02x}"))?;
        }
        f.pad(&text)
    }
}

/// Escapes a text of one or more lines. Line ends and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    let escaped = |c: char| steers(c) && c != '\n' && c != '\t';
    if !text.contains(escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for c in text.chars() {
        // writing to a String cannot fail
        let _ = one(&mut out, c, escaped(c));
    }
    Cow::Owned(out)
}

/// Escapes JSON, so that no character of a string in it steers a terminal. `##[` begins a command to a
/// CI server anywhere in a line.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let escaped = |c: char| steers(c) && c != '\n';
    if json.contains("##[") {
        return Cow::Owned(printable_json(&json.replace("##[", "#\\u0023[")).into_owned());
    }
    if !json.contains(escaped) {
        return Cow::Borrowed(json);
    }
    let mut out = String::new();
    for c in json.chars() {
        if escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn one(out: &mut String, c: char, escaped: bool) -> fmt::Result {
    match c {
        _ if !escaped => out.write_char(c),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// True for control characters, and for characters that reorder a line, end it or are invisible
/// (Unicode Standard Annex 9 and Technical Report 36).
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_in_its_line_and_steers_no_terminal() {
        let name = OsStr::from_bytes(b"a\x1b]0;x\x07\n\xe2\x80\xae\xff\xc2\x9b \xc3\xbc");
        let shown = Path::new(name).shown().to_string();
        assert_eq!(shown, r"a\x1b]0;x\x07\n\u{202e}\xff\u{9b} ü");
        assert_eq!(format!("{:>4}|", "a".shown()), "   a|", "it can be aligned");
    }

    #[test]
    fn a_text_keeps_its_lines() {
        assert_eq!(printable("a\n\tb\r\u{2066}\u{e0041}"), "a\n\tb\\r\\u{2066}\\u{e0041}");
        assert!(matches!(printable("plain ü\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_means_the_same() {
        let json = "{\n  \"a\u{202e}\": \"\u{e0041}\u{7f}\u{9b}ü##[error]\"\n}";
        assert_eq!(
            printable_json(json),
            "{\n  \"a\\u202e\": \"\\udb40\\udc41\\u007f\\u009bü#\\u0023[error]\"\n}"
        );
    }
}
