//! MKSQUASHFS_OPTIONS out of silvermetal-base.conf, which derivative-maker sources as bash.

use super::at_line;
use crate::failure::Code;
use anyhow::{Context as _, Result};
use std::path::Path;

/// Options that mksquashfs refuses beside SOURCE_DATE_EPOCH (squashfs-tools issue 51): -mkfs-time,
/// -fstime, -all-time, -inode-time, -root-time.
fn sets_a_time(word: &str) -> bool {
    word.starts_with('-') && word.ends_with("time")
}

/// The value of the file's one `MKSQUASHFS_OPTIONS="…"` line.
pub fn mksquashfs_options(path: &Path) -> Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).map_err(|(line, why)| Code::NotReady.error(at_line(path, line, &why)))
}

/// The options; or what is wrong, and in which line (0: the file as a whole).
pub fn parse(text: &str) -> Result<String, (usize, String)> {
    let found: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(n, line)| {
            let value = line.strip_prefix("export ").unwrap_or(line);
            Some((n + 1, value.strip_prefix("MKSQUASHFS_OPTIONS=")?))
        })
        .collect();
    let [(line, raw)] = found[..] else {
        let second = found.get(1).map_or(0, |(line, _)| *line);
        let what = format!("expected one line MKSQUASHFS_OPTIONS=\"…\", found {}", found.len());
        return Err((second, what));
    };
    let Some(value) = raw.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return Err((line, format!("expected the value in double quotes, found {raw}")));
    };
    if value.contains(['$', '`', '\\', '"']) {
        return Err((line, "expected plain options: no `$`, backquote, backslash or quote".into()));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_read_and_what_would_fail_late_is_refused() {
        assert_eq!(parse("x=1\nexport MKSQUASHFS_OPTIONS=\"-b 1M  -x\"\n"), Ok("-b 1M -x".into()));
        for (bad, line) in [
            ("MKSQUASHFS_OPTIONS=\"-all-time 0\"", (1, "-all-time")),
            ("\nMKSQUASHFS_OPTIONS=\"-comp xz\"", (2, "-comp")),
            ("MKSQUASHFS_OPTIONS=-b", (1, "expected the value in double quotes")),
            ("MKSQUASHFS_OPTIONS=\"$X\"", (1, "expected plain")),
            ("", (0, "found 0")),
        ] {
            let (at, why) = parse(bad).unwrap_err();
            assert!(at == line.0 && why.contains(line.1), "{bad}: {at}: {why}");
        }
    }
}
