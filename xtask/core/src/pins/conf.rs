//! Settings in silvermetal-base.conf, which derivative-maker sources as bash.

use crate::failure::{Fault, unreadable};
use crate::record_file;
use anyhow::Result;
use std::path::Path;

/// Returns true for options that mksquashfs refuses together with SOURCE_DATE_EPOCH (squashfs-tools
/// issue 51): -mkfs-time, -fstime, -all-time, -inode-time, -root-time.
fn sets_a_time(word: &str) -> bool {
    word.starts_with('-') && word.ends_with("time")
}

/// Reads the options of mksquashfs that every recipe uses.
pub fn mksquashfs_options(path: &Path) -> Result<String> {
    read(path, parse)
}

/// Reads the flavor of derivative-maker to build.
pub fn flavor(path: &Path) -> Result<String> {
    read(path, parse_flavor)
}

fn read(path: &Path, get: impl Fn(&str) -> Result<String, Fault>) -> Result<String> {
    let text = record_file::text(path)?;
    get(&text).map_err(|fault| unreadable(path, &[fault]))
}

/// Finds the options of mksquashfs in the text of the file.
pub fn parse(text: &str) -> Result<String, Fault> {
    let (line, value) = setting(text, "MKSQUASHFS_OPTIONS")?;
    let words: Vec<&str> = value.split_whitespace().collect();
    if let Some(clock) = words.iter().find(|word| sets_a_time(word)) {
        return Err((line, format!("{clock} is fatal beside SOURCE_DATE_EPOCH: remove it")));
    }
    if words.contains(&"-comp") {
        let what = "-comp belongs to the build (live-build puts its own first, and a second is an error): remove it";
        return Err((line, what.into()));
    }
    Ok(words.join(" "))
}

/// Finds the flavor in the text of the file.
pub fn parse_flavor(text: &str) -> Result<String, Fault> {
    setting(text, "SILVERMETAL_FLAVOR").map(|(_, value)| value.to_owned())
}

/// Line and value of the file's one `KEY="…"` line.
fn setting<'a>(text: &'a str, key: &str) -> Result<(usize, &'a str), Fault> {
    let found: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(n, line)| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            Some((n + 1, line.strip_prefix(key)?.strip_prefix('=')?))
        })
        .collect();
    let [(line, raw)] = found[..] else {
        let second = found.get(1).map_or(0, |(line, _)| *line);
        return Err((second, format!("expected one line {key}=\"…\", found {}", found.len())));
    };
    let Some(value) = raw.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return Err((line, format!("expected the value in double quotes, found {raw}")));
    };
    if value.contains(['$', '`', '\\', '"']) {
        return Err((line, "expected a plain value: no `$`, backquote, backslash or quote".into()));
    }
    Ok((line, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_bad_ones_refused() {
        assert_eq!(parse("x=1\nexport MKSQUASHFS_OPTIONS=\"-b 1M  -x\"\n"), Ok("-b 1M -x".into()));
        for (bad, line) in [
            ("MKSQUASHFS_OPTIONS=\"-all-time 0\"", (1, "-all-time")),
            ("\nMKSQUASHFS_OPTIONS=\"-comp xz\"", (2, "-comp")),
            ("MKSQUASHFS_OPTIONS=-b", (1, "expected the value in double quotes")),
            ("MKSQUASHFS_OPTIONS=\"$X\"", (1, "expected a plain value")),
            ("", (0, "found 0")),
        ] {
            let (at, why) = parse(bad).unwrap_err();
            assert!(at == line.0 && why.contains(line.1), "{bad}: {at}: {why}");
        }
    }
}
