//! Tags of releases.

/// Prefix of the tag of a test release. The tag of a release is `v` and the version.
pub(super) const TEST_PREFIX: &str = "test-";

/// Returns `true` if git (git-check-ref-format(1)), a URL and a file name all accept the tag as is.
pub(crate) fn is_tag(tag: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let ends = tag.starts_with(|c: char| c.is_ascii_alphanumeric()) && !tag.ends_with('.');
    ends && tag.chars().all(plain) && !tag.contains("..") && !tag.ends_with(".lock")
}
