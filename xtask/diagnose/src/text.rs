//! Text helpers of every report: counting, shortening, and escaping what a terminal would act on.

/// Appends a line to a `String`, which cannot fail.
macro_rules! say {
    ($out:expr, $($text:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($text)*);
    }};
}

/// `1 file`, `2 files`.
pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A number of bytes with a unit that suits it.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} bytes"),
        10_000..10_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// Escapes control characters, characters that change the direction of text, and characters that
/// cannot be seen: names in an image may hold anything, also a terminal's commands.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\t' | '\'' | '"' | '\\' => out.push(sign),
            sign => out.extend(sign.escape_debug()),
        }
    }
    out
}

/// At most `longest` bytes and a `…`.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let mut end = longest;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// A `…` and the end of a text of more than `longest` bytes: nobody may take it for the begin of a line.
pub(crate) fn tail(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let mut start = text.len() - longest;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    format!("…{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(
            printable("a\u{1b}[2J\r\u{202e}\u{200b}\u{a0}"),
            r"a\u{1b}[2J\r\u{202e}\u{200b}\u{a0}"
        );
        let kept = "it's \"ä 日本\" C:\\x\t…";
        assert_eq!(printable(kept), kept);
        assert_eq!(printable(&printable("\u{7}\0")), r"\u{7}\0", "escaped once");
    }
}
