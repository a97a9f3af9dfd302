//! SHA256SUMS, as `sha256sum --check` reads it (coreutils, src/digest.c).

use crate::escape::Shown as _;
use crate::pins::Digest;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeSet;

/// Finds the hash of `iso` in a SHA256SUMS.
///
/// # Errors
/// No line names the file, or lines that name it have different hashes: `sha256sum --check` refuses such
/// a list, whatever the file is.
pub fn in_sums(sums: &[u8], iso: &str) -> Result<Digest> {
    listed_in_sums(sums, iso)?
        .with_context(|| format!("expected a line `SHA-256  {}`", iso.shown()))
}

/// Finds the hash of a file in a SHA256SUMS; `None` if no line names the file.
///
/// # Errors
/// Lines that name it have different hashes.
pub fn listed_in_sums(sums: &[u8], file: &str) -> Result<Option<Digest>> {
    let lines = sums.split(|byte| *byte == b'\n').filter_map(entry);
    let named: BTreeSet<String> =
        lines.filter(|(_, name)| is_name_of(name, file)).map(|(hash, _)| hash).collect();
    let mut named = named.iter();
    match (named.next(), named.next()) {
        (Some(hash), None) => format!("sha256:{hash}").parse().map(Some),
        (Some(hash), Some(other)) => {
            bail!("expected one hash of {}, found {hash} and {other}", file.shown())
        }
        _ => Ok(None),
    }
}

/// Hash in lower case and name of one line, in any of the formats that coreutils accepts. `None` for a
/// line that it ignores.
fn entry(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = &line[line.iter().take_while(|byte| b" \t".contains(byte)).count()..];
    let (escaped, line) = match line.strip_prefix(b"\\") {
        Some(line) => (true, line),
        None => (false, line),
    };
    let (hash, name) = match line.strip_prefix(b"SHA256") {
        Some(rest) => bsd(rest)?,
        None => {
            let (hash, rest) = line.split_at_checked(64)?;
            let rest = rest.strip_prefix(b" ").or(rest.strip_prefix(b"\t"))?;
            // `md5 -r` of BSD writes one blank
            (hash, rest.strip_prefix(b" ").or(rest.strip_prefix(b"*")).unwrap_or(rest))
        }
    };
    let hash = std::str::from_utf8(hash).ok().filter(|hash| hash.len() == 64)?;
    hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    let name = if escaped { unescaped(name)? } else { name.to_owned() };
    // a name in C ends at NUL
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_owned();
    Some((hash.to_ascii_lowercase(), name))
}

/// ` (NAME) = HASH`; the blanks are optional.
fn bsd(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"(")?;
    let end = rest.iter().rposition(|byte| *byte == b')')?;
    let (name, rest) = (&rest[..end], rest[end + 1..].trim_ascii_start());
    Some((rest.strip_prefix(b"=")?.trim_ascii_start(), name))
}

/// Replaces `\n`, `\r` and `\\`. Any other escape makes the line invalid.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(out)
}

/// True if a path, seen from the folder of the list, may be its file `iso`. A path that leaves the
/// folder may come back to it.
fn is_name_of(path: &[u8], iso: &str) -> bool {
    let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    parts.retain(|part| !part.is_empty() && *part != b".");
    let leaves = path.starts_with(b"/") || parts.contains(&&b".."[..]);
    parts.last() == Some(&iso.as_bytes()) && (parts.len() == 1 || leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_a_line_names_the_image() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        for line in [
            "H  x.iso",
            "H *x.iso",
            "H x.iso",
            "H\tx.iso",
            "  H  x.iso",
            "H  x.iso\r",
            "\\H  x.iso",
            "H  x.iso\0junk",
            "H  ./x.iso",
            "H  .//x.iso",
            "H  a/../x.iso",
            "H  /anywhere/x.iso",
            "SHA256 (x.iso) = H",
            "SHA256(x.iso)= H",
            "\\SHA256 (x.iso) = H",
        ] {
            let said = |hash: &str| line.replace('H', hash).replace(&format!("S{hash}"), "SH");
            let alone = format!("{a}  other.iso\n{}\n", said(&b));
            assert_eq!(in_sums(alone.as_bytes(), "x.iso").unwrap().hex(), b, "{line:?}");
            let upper = said(&b.to_uppercase());
            assert_eq!(in_sums(upper.as_bytes(), "x.iso").unwrap().hex(), b, "{line:?}");
            for decoy in [format!("{a}  x.iso\n{}", said(&b)), format!("{}\n{a}  x.iso", said(&b))]
            {
                let error = in_sums(decoy.as_bytes(), "x.iso").unwrap_err().to_string();
                assert!(error.starts_with("expected one hash of x.iso"), "{line:?}: {error}");
            }
        }
    }

    #[test]
    fn other_lines_do_not_name_it() {
        let a = "a".repeat(64);
        for line in [
            "#H  x.iso",
            "H  decoy/x.iso",
            "H   x.iso",
            "H  x.iso ",
            "H",
            "sha256:H  x.iso",
            "aH  x.iso",
            "\\H  x\\.iso",
            "MD5 (x.iso) = H",
            "SHA256 (x.iso) = Ha",
            "H  X.ISO",
            "",
        ] {
            let sums = line.replace('H', &a).replace(&format!("S{a}"), "SH");
            let error = in_sums(sums.as_bytes(), "x.iso").unwrap_err().to_string();
            assert!(error.starts_with("expected a line"), "{line:?}: {error}");
        }
        let odd = format!("\\{a}  a\\\\b\\n.iso\n{a}  \u{fc}\n");
        assert_eq!(in_sums(odd.as_bytes(), "a\\b\n.iso").unwrap().hex(), a);
    }
}
