//! Ids and private keys that were made apart from each other.

use std::collections::HashSet;

/// Returns true if two ids of one length were made apart from each other: at least half of their digits
/// differ. A few digits that differ are an id that somebody changed.
///
/// Neither of them is a number that somebody chose: what is made at random has many different digits.
pub(crate) fn are_other_ids(a: &str, b: &str) -> bool {
    let is_random = |id: &str| {
        let digits: Vec<u8> = id.bytes().filter(u8::is_ascii_alphanumeric).collect();
        let different: HashSet<u8> = digits.iter().map(u8::to_ascii_lowercase).collect();
        different.len() > digits.len().min(32) / 6
    };
    if !is_random(a) || !is_random(b) {
        return false;
    }
    let digits = || a.bytes().zip(b.bytes()).filter(|(x, _)| x.is_ascii_alphanumeric());
    let differ = digits().filter(|(x, y)| !x.eq_ignore_ascii_case(y)).count();
    a.len() == b.len() && differ * 2 >= digits().count()
}

/// Returns true if a text is one private key as PEM writes it (RFC 7468), and nothing else.
fn is_private_key(text: &str) -> bool {
    let mut lines = text.lines();
    let Some(kind) = lines
        .next()
        .and_then(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("PRIVATE KEY-----"))
    else {
        return false;
    };
    let end = format!("-----END {kind}PRIVATE KEY-----");
    let base64 = |line: &str| {
        line.len() <= 76 && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    };
    let body = lines.by_ref().take_while(|line| *line != end);
    body.into_iter().all(base64) && lines.next().is_none() && text.trim_end().ends_with(&end)
}

/// Returns true if two texts are private keys that were made apart from each other: at least two fifths of their
/// letters differ. A few letters that differ are a key that somebody changed.
pub(crate) fn are_other_keys(a: &str, b: &str) -> bool {
    let body = |text: &str| -> Vec<u8> {
        text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::bytes).collect()
    };
    let (x, y) = (body(a), body(b));
    let differ = x.iter().zip(&y).filter(|(x, y)| x != y).count();
    let ends = |text: &str| text.contains('\r') || !text.ends_with('\n');
    is_private_key(a)
        && is_private_key(b)
        && ends(a) == ends(b)
        && differ * 5 >= x.len().max(y.len()) * 2
}
