//! A line of a program's output, as a terminal would show it at the end: the builder has a terminal, so
//! apt and its like overwrite a line again and again.

/// Returns what stands there last, without the terminal's commands.
pub(crate) fn as_seen(line: &str) -> String {
    let overwritten = line.trim_end().rsplit('\r').find(|part| !part.trim().is_empty());
    let mut seen = String::new();
    let mut rest = overwritten.unwrap_or_default();
    // ECMA-48, 5.4: a control sequence ends with a byte from @ to ~
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        seen += before;
        let end = sequence.find(|c| matches!(c, '@'..='~'));
        rest = end.map_or("", |end| &sequence[end + 1..]);
    }
    seen += rest;
    seen.truncate(seen.trim_end().len());
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_was_written_last() {
        let working =
            "\r0% [Working]\r            \rGet:1 http://h/debian trixie InRelease [140 kB]";
        assert_eq!(as_seen(working), "Get:1 http://h/debian trixie InRelease [140 kB]");
        assert_eq!(as_seen("Reading... 0%\r\rReading... Done\r"), "Reading... Done");
        assert_eq!(
            as_seen("[ \x1b[0;32m OK \x1b[0m ] Reached \x1b[38;5;245mtarget"),
            "[  OK  ] Reached target"
        );
        assert_eq!(as_seen("50%\r      "), "50%");
        assert_eq!(as_seen("  indented"), "  indented");
        assert_eq!(as_seen("\x1b[1"), "");
        assert_eq!(as_seen("\r \r"), "");
    }
}
