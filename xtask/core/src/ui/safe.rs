//! A text as it may be printed: secrets are redacted, characters that steer a terminal are escaped, and no
//! line is a command to the CI service ("Workflow commands" in GitHub Actions' reference).

use crate::escape::printable;
use crate::secret::redacted;

/// Line ends and tabs stay.
pub(super) fn safe(text: &str) -> String {
    let text = redacted(text);
    let escaped = printable(&text);
    if !escaped.contains("::") && !escaped.contains("##[") {
        return escaped.into_owned();
    }
    let lines: Vec<String> = escaped.split('\n').map(no_command).collect();
    lines.join("\n")
}

/// Like [`safe`], but sequences that set a colour stay.
pub(super) fn safe_but_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        let numbers = sequence.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
        if sequence[numbers..].starts_with('m') {
            out += &safe(before);
            out += &format!("\x1b[{}m", &sequence[..numbers]);
            rest = &sequence[numbers + 1..];
        } else {
            out += &safe(&rest[..before.len() + 2]);
            rest = sequence;
        }
    }
    out + &safe(rest)
}

/// The line with one character escaped, if a CI service would act on it.
fn no_command(line: &str) -> String {
    let rest = line.trim_start();
    let blanks = &line[..line.len() - rest.len()];
    let line = match rest.strip_prefix("::") {
        Some(rest) => format!("{blanks}\\x3a:{rest}"),
        None => line.to_owned(),
    };
    line.replace("##[", "#\\x23[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command_to_the_ci_service() {
        for (line, shown) in [
            ("::error::x", "\\x3a:error::x"),
            ("a\n  ::add-mask::x", "a\n  \\x3a:add-mask::x"),
            ("note: ##[error]x", "note: #\\x23[error]x"),
            ("std::fmt, ## [", "std::fmt, ## ["),
            ("\r::stop-commands::x", "\\r::stop-commands::x"),
            ("\u{2028}::error::x", "\\u{2028}::error::x"),
            ("\u{3000}\t::error::x", "\u{3000}\t\\x3a:error::x"),
        ] {
            assert_eq!(safe(line), shown);
        }
    }

    #[test]
    fn only_colours_of_a_coloured_text_stay() {
        for (text, shown) in [
            ("\x1b[1m\x1b[31merror:\x1b[0m x", "\x1b[1m\x1b[31merror:\x1b[0m x"),
            ("\x1b[2J\x1b[1;1H\x1b]0;x\x07\x1b[33my", "\\x1b[2J\\x1b[1;1H\\x1b]0;x\\x07\x1b[33my"),
            ("a\x1b[", "a\\x1b["),
            ("a\n\x1b[0m::error::x", "a\n\x1b[0m\\x3a:error::x"),
        ] {
            assert_eq!(safe_but_colours(text), shown);
        }
    }
}
