//! The kind of a text, as its lines show: a script, settings in sections, blocks of PEM.

/// Returns true if a text has a line `[name]`, as ini files and systemd's have it.
pub(super) fn has_sections(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        line.strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|name| name.starts_with(|c: char| c.is_alphanumeric() || c == '['))
    })
}

/// Lines of code that a text must have before it is a script without a first line that says so.
const SEVERAL: usize = 2;

/// Returns true if a text is a script: it says so, or it has lines that nothing but code has. Files that scripts
/// source have no first line that says what they are.
pub(super) fn is_script(text: &str) -> bool {
    // the manual of a program has examples of code
    let is_manual = |line: &str| {
        [".TH ", ".SH ", ".Dd ", ".SS "].iter().any(|macro_name| line.starts_with(macro_name))
    };
    text.starts_with("#!")
        || (text.lines().filter(|line| is_code(line.trim())).take(SEVERAL).count() == SEVERAL
            && !text.lines().any(is_manual))
}

/// Returns true for a line of a shell's or of Python's code.
fn is_code(line: &str) -> bool {
    let starts = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    matches!(line, "fi" | "done" | "esac" | ";;")
        || line.ends_with("() {")
        || line.ends_with("; then")
        || line.ends_with("; do")
        || (line.ends_with(':') && starts(&["def ", "class ", "if ", "elif ", "for ", "while "]))
        || (line.contains('=') && starts(&["export ", "local ", "readonly "]))
        || starts(&["if [ ", "if ! ", "while [ ", ". /", "[ ", "return $", "exit 0", "exit 1"])
}

/// Returns true if a text has several lines that end as statements do, are tags, or are rules of a packet filter:
/// what they mean depends on their order.
pub(super) fn has_statements(text: &str) -> bool {
    let is_statement = |line: &&str| {
        let line = line.trim();
        line.ends_with(['{', ';']) || line.starts_with('<') || line.starts_with("-A ")
    };
    text.lines().filter(is_statement).take(SEVERAL).count() == SEVERAL
}

/// Returns true if two texts have blocks as PEM writes them (RFC 7468), and not the same ones in whatever order: a
/// line of such a block is no line of a list.
pub(super) fn are_other_blocks(a: &str, b: &str) -> bool {
    let blocks = |text| {
        let blocks = str::split(text, "-----BEGIN ").skip(1);
        let mut blocks: Vec<&str> =
            blocks.map(|block| block.split("-----END ").next().unwrap_or_default()).collect();
        blocks.sort_unstable();
        blocks
    };
    blocks(a) != blocks(b)
}

/// Returns true if two texts have other paragraphs: an empty line stands elsewhere, or a line in another paragraph. Texts
/// that are one paragraph have no other ones. Of texts that have other lines, the lengths of the paragraphs are compared.
pub(super) fn are_other_paragraphs(a: &str, b: &str) -> bool {
    let sorted = |text| {
        let mut lines: Vec<&str> = str::split(text, '\n').collect();
        lines.sort_unstable();
        lines
    };
    let same_lines = sorted(a) == sorted(b);
    let paragraphs = |text| {
        let (mut lines, mut paragraphs) = (Vec::new(), Vec::new());
        for line in str::split(text, '\n') {
            // also in a text with carriage returns
            if line.trim().is_empty() {
                paragraphs.push(std::mem::take(&mut lines));
            } else {
                lines.push(if same_lines { line } else { "" });
            }
        }
        paragraphs.push(lines);
        let ends =
            [paragraphs.first(), paragraphs.last()].map(|end| end.is_some_and(Vec::is_empty));
        for lines in &mut paragraphs {
            lines.sort_unstable();
        }
        // whole paragraphs may change places
        paragraphs.sort_unstable();
        (ends, paragraphs)
    };
    paragraphs(a) != paragraphs(b)
}

/// Bytes of a line in base64; shorter ones may be ids of a list.
const BASE64: usize = 56;

/// Returns true for a line that is nothing but bytes in base64.
pub(super) fn is_base64(line: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| line.as_bytes().iter().any(kind);
    line.len() >= BASE64
        && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

/// Returns true if a text has lines in base64 that stand in no block of PEM. Those in a block have places with it.
pub(super) fn has_bare_base64(text: &str) -> bool {
    let mut inside = false;
    text.lines().any(|line| {
        inside = line.starts_with("-----BEGIN ") || (inside && !line.starts_with("-----END "));
        !inside && is_base64(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_by_its_lines() {
        assert!(is_script("#!/bin/sh\n"));
        assert!(is_script(
            "# functions\nfail() {\n  log \"$1\"\n}\nif [ -e /x ]; then\n  fail x\nfi\n"
        ));
        assert!(is_script("import os\ndef run(x):\n  if x:\n    os.abort()\n"));
        for text in [
            "built on alpha\nfor the first time\n",
            "a\nb\nc\n",
            ".TH X 1\nif [ x ]; then\nfi\n",
            "timeout = 5\nreturn to sender\n",
        ] {
            assert!(!is_script(text), "{text}");
        }
    }

    #[test]
    fn paragraphs_may_change_places_and_empty_lines_may_not() {
        let text = "P: a\nV: 1\n\nP: b\nV: 2\n";
        for same in ["P: b\nV: 2\n\nP: a\nV: 1\n", "V: 1\nP: a\n\nP: b\nV: 2\n", text] {
            assert!(!are_other_paragraphs(text, same), "{same}");
        }
        for other in [
            "\nP: a\nV: 1\n\nP: b\nV: 2",
            "P: a\nV: 2\n\nP: b\nV: 1\n",
            "P: a\n\nV: 1\nP: b\nV: 2\n",
            "P: a\nV: 1\nP: b\nV: 2\n\n",
        ] {
            assert!(are_other_paragraphs(text, other), "{other}");
        }
        assert!(!are_other_paragraphs(text, "P: b\nV: 3\n\nP: a\nV: 1\n"));
        assert!(are_other_paragraphs(text, "P: b\n\nV: 3\nP: a\nV: 1\n"));
        assert!(!are_other_paragraphs("a\nb\n", "b\na\n"));
        assert!(are_other_paragraphs("a\r\n\r\nb\r\nc\r\n", "a\r\nb\r\n\r\nc\r\n"));
    }

    #[test]
    fn blocks_may_change_places_and_their_lines_may_not() {
        let block = |lines: &str| format!("-----BEGIN X-----\n{lines}\n-----END X-----\n");
        let (one, two) = (block("AAAA\nBBBB"), block("CCCC"));
        assert!(!are_other_blocks(&format!("{one}{two}"), &format!("{two}{one}")));
        assert!(are_other_blocks(&one, &block("BBBB\nAAAA")));
        assert!(!are_other_blocks("a\nb\n", "b\na\n"));
        let line = "aB".repeat(30);
        assert!(!has_bare_base64(&block(&line)) && !has_bare_base64("aB\n"));
        assert!(has_bare_base64(&format!("{}{line}\n", block(&line))));
    }
}
