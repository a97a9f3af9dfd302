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
}
