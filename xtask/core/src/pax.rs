//! Records of an extended header of a tar (POSIX.1-2024, pax). The tar crate takes the end of a line for the end of a
//! record, and the value of an extended attribute may hold one.

use anyhow::{Context as _, Result};

/// Key and value.
pub type PaxRecord<'b> = (&'b [u8], &'b [u8]);

/// Parses `LENGTH KEY=VALUE\n` after each other. The length counts the whole record.
///
/// # Errors
/// The bytes are no such records.
pub fn records(mut bytes: &[u8]) -> Result<Vec<PaxRecord<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (record, rest) = first(bytes).context("a damaged PAX record")?;
        found.push(record);
        bytes = rest;
    }
    Ok(found)
}

/// The first record, and what follows it.
fn first(bytes: &[u8]) -> Option<(PaxRecord<'_>, &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let len: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
    let record = bytes.get(blank + 1..len)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), &bytes[len..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_ends_a_record_and_not_a_line() {
        let all = b"30 SCHILY.xattr.user.a=1\n=2\n\x00\n12 mtime=17\n";
        let found = records(all).unwrap();
        assert_eq!(found, [(&b"SCHILY.xattr.user.a"[..], &b"1\n=2\n\x00"[..]), (b"mtime", b"17")]);
        for bad in [
            &b"x"[..],
            b"5 a\n",
            b"99 mtime=1\n",
            b"3 a=",
            b"0 a=b\n",
            b"2 a=b\n",
            b"18446744073709551616 a=b\n",
        ] {
            records(bad).unwrap_err();
        }
    }
}
