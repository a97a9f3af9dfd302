//! The types of pins. A value is always valid: the only way to make one is to parse a valid text.

use crate::calendar;
use crate::escape::Shown as _;
use anyhow::{Result, bail};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// A SHA-256 digest as registries write it: `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// The 64 hex digits, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// Makes a digest from its 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Digest {
        Digest(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }
}

impl FromStr for Digest {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        match s.strip_prefix("sha256:") {
            Some(hex) if is_lower_hex(hex, 64) => Ok(Digest(hex.to_owned())),
            _ => bail!(
                "`{}` is not a digest: expected `sha256:` and 64 lower-case hex digits",
                s.shown()
            ),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

fn is_lower_hex(s: &str, len: usize) -> bool {
    s.len() == len && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A full git commit id (SHA-1 object format, 40 hex digits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(String);

impl FromStr for Commit {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        if !is_lower_hex(s, 40) {
            bail!("`{}` is not a full commit id: expected 40 lower-case hex digits", s.shown());
        }
        Ok(Commit(s.to_owned()))
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An image reference: repository (with its registry's host and port), tag, digest.
///
/// Only text after the last `/` may have a tag: `docker-registry:5000/x` has none.
/// The grammar is that of the distribution project's package `reference`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl FromStr for ImageRef {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        let (name, digest) = match s.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (s, None),
        };
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last..].find(':') {
            Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
            None => (name, None),
        };
        let host_chars = |c: char| c.is_ascii_alphanumeric() || "._-/:[]".contains(c);
        let path = &repository[repository.find('/').map_or(0, |slash| slash + 1)..];
        let path_chars =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        // no part is empty, and none can be taken for an option
        let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        let whole = repository.split('/').all(begins);
        if !whole || !repository.chars().all(host_chars) || !path.chars().all(path_chars) {
            bail!(
                "`{}` is not an image reference: expected registry/name[:tag][@sha256:…], lower case",
                s.shown()
            );
        }
        let tag_chars = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if let Some(tag) = tag
            && (tag.is_empty()
                || tag.starts_with(['.', '-'])
                || tag.len() > 128
                || !tag.chars().all(tag_chars))
        {
            bail!("`{}` is not an image reference: `{}` is not a tag", s.shown(), tag.shown());
        }
        Ok(ImageRef { repository: repository.into(), tag: tag.map(Into::into), digest })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// A moment in the snapshot archive: `YYYYMMDDTHHMMSSZ`, UTC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotStamp(String);

impl FromStr for SnapshotStamp {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Self> {
        let b = s.as_bytes();
        let shaped = b.len() == 16
            && b[8] == b'T'
            && b[15] == b'Z'
            && b[..8].iter().chain(&b[9..15]).all(u8::is_ascii_digit);
        let stamp = SnapshotStamp(s.to_owned());
        if !shaped || !stamp.is_a_moment() {
            bail!(
                "`{}` is not a snapshot stamp: expected YYYYMMDDTHHMMSSZ, a moment in UTC",
                s.shown()
            );
        }
        Ok(stamp)
    }
}

impl SnapshotStamp {
    fn number(&self, digits: Range<usize>) -> i64 {
        self.0[digits].bytes().fold(0, |n, b| n * 10 + i64::from(b - b'0'))
    }

    fn is_a_moment(&self) -> bool {
        let (year, month, day) = self.date();
        // the snapshot archive starts in 2005
        year >= 2005
            && calendar::exists(year, month, day)
            && self.number(9..11) < 24
            && self.number(11..13) < 60
            && self.number(13..15) < 60
    }

    fn date(&self) -> (i64, i64, i64) {
        (self.number(0..4), self.number(4..6), self.number(6..8))
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn unix_time(&self) -> u64 {
        let (year, month, day) = self.date();
        let clock = self.number(9..11) * 3_600 + self.number(11..13) * 60 + self.number(13..15);
        (calendar::days(year, month, day) * calendar::DAY + clock).unsigned_abs()
    }
}

impl fmt::Display for SnapshotStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(s: &str) -> ImageRef {
        s.parse().unwrap()
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(image("docker-registry:5000/silvermetal-builder").tag, None);
        let full = format!("docker-registry:5000/silvermetal-builder:v1@sha256:{}", "a".repeat(64));
        let parsed = image(&full);
        assert_eq!(parsed.repository, "docker-registry:5000/silvermetal-builder");
        assert_eq!(parsed.tag.as_deref(), Some("v1"));
        assert_eq!(parsed.to_string(), full);
    }

    #[test]
    fn bad_image_references_are_refused() {
        for bad in [
            "",
            "a b",
            "Name",
            "x@sha256:12",
            "x:",
            "a//b",
            "/a",
            "a/",
            "unpublished!",
            "-v/x",
            "--privileged",
            "r/-x",
            "x:-y",
            "x:.y",
            "x@",
            "r/é",
        ] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_exact() {
        assert!(format!("sha256:{}", "0".repeat(64)).parse::<Digest>().is_ok());
        for bad in [
            "0".repeat(64),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "0".repeat(63)),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn stamps_are_moments_that_exist() {
        let time = |s: &str| s.parse::<SnapshotStamp>().map(|s| s.unix_time());
        assert_eq!(time("20260508T000000Z").unwrap(), 1_778_198_400);
        assert_eq!(time("20240229T235959Z").unwrap(), 1_709_251_199);
        for bad in [
            "20260508",
            "20230229T000000Z",
            "20260532T000000Z",
            "20261301T000000Z",
            "20260508T240000Z",
            "20260508t000000z",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
