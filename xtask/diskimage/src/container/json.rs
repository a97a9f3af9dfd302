//! JSON of an image, shown for a comparison: a line for each value, and the role of a blob for its hash and its size.
//!
//! Nothing is lost. Only white space is added, to a text that has none. A hash or a size is replaced only if it was
//! computed again from the blob, so that it follows from what the blob holds. A text of another form stays as it is.

use super::roles::{Blob, JSON};
use crate::budget::Budget;
use crate::error::Result;
use crate::source::{Bytes, Shared, Source};
use crate::unpack::stream::{Unpacked, codec_of};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The last line of a text that had no white space.
const ONE_LINE: &str = "\n(in one line)\n";

/// A file of JSON. It is read when it is first asked for.
pub(super) struct JsonView {
    raw: Shared,
    blobs: Arc<Vec<Blob>>,
    budget: Arc<Budget>,
    text: OnceLock<Result<Shared>>,
}

impl JsonView {
    pub(super) fn new(raw: Shared, blobs: Arc<Vec<Blob>>, budget: Arc<Budget>) -> JsonView {
        JsonView { raw, blobs, budget, text: OnceLock::new() }
    }

    fn text(&self) -> Result<Shared> {
        let read = || {
            let raw = self.raw.up_to(0, JSON as usize)?;
            let unpacked = |blob: &Blob| blob.unpacked_hash(&self.budget);
            Ok(match shown(&raw, &self.blobs, &unpacked) {
                Some(text) => Arc::new(Bytes(text.into_bytes())) as Shared,
                None => self.raw.clone(),
            })
        };
        self.text.get_or_init(read).clone()
    }
}

impl Source for JsonView {
    fn size(&self) -> Result<u64> {
        self.text()?.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.text()?.read_at(offset, into)
    }
}

impl Blob {
    /// SHA-256 of what the blob unpacks to, as a configuration names layers; `None` if it is not compressed, or damaged.
    fn unpacked_hash(&self, budget: &Arc<Budget>) -> Option<String> {
        let hash = self.unpacked.get_or_init(|| {
            let codec = codec_of(&self.source.up_to(0, 16).ok()?)?;
            let unpacked = Unpacked::new(self.source.clone(), codec, 0, budget.clone());
            crate::source::sha256(&unpacked).ok().map(|hash| crate::record::hex(&hash))
        });
        hash.clone()
    }
}

/// A value or a sign of a JSON text.
struct Token {
    place: Range<usize>,
    /// Text in its place.
    instead: Option<String>,
}

/// An object or a list that is open.
#[derive(Default)]
struct Open {
    /// Key whose value comes next.
    key: Option<String>,
    /// Number of the token with the size that the object says, and the size.
    size: Option<(usize, u64)>,
    /// Role and size of the blob that the object describes.
    described: Option<(String, u64)>,
}

/// `None` for a text that is shown as it is.
fn shown(raw: &[u8], blobs: &[Blob], unpacked: &dyn Fn(&Blob) -> Option<String>) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    // a text that holds such words itself could be taken for another one
    if text.contains(ONE_LINE) || blobs.iter().any(|blob| text.contains(&blob.role)) {
        return None;
    }
    let tokens = replaced(text, blobs, unpacked)?;
    let together = tokens.iter().map(|token| token.place.len()).sum::<usize>();
    let one_line = together == text.len();
    let (mut out, mut at, mut depth) = (String::with_capacity(2 * text.len()), 0, 0_usize);
    for Token { place, instead } in &tokens {
        out.push_str(&text[at..place.start]);
        at = place.end;
        let sign = &text[place.clone()];
        if matches!(sign, "}" | "]") {
            depth = depth.saturating_sub(1);
            if one_line {
                new_line(&mut out, depth);
            }
        }
        out.push_str(instead.as_deref().unwrap_or(sign));
        if matches!(sign, "{" | "[") {
            depth += 1;
        }
        if one_line && matches!(sign, "{" | "[" | ",") {
            new_line(&mut out, depth);
        }
    }
    out.push_str(&text[at..]);
    if one_line {
        out.push_str(ONE_LINE);
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', 2 * depth.min(32)));
}

/// The tokens of a valid text, with the roles of blobs for their hashes and sizes.
fn replaced(
    text: &str,
    blobs: &[Blob],
    unpacked: &dyn Fn(&Blob) -> Option<String>,
) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(place) = next_token(text, at) {
        at = place.end;
        let token = &text[place.clone()];
        let number = tokens.len();
        tokens.push(Token { place, instead: None });
        match token {
            "{" | "[" => open.push(Open::default()),
            "}" | "]" => {
                let closed = open.pop()?;
                if let (Some((number, size)), Some((role, real))) = (closed.size, closed.described)
                    && size == real
                {
                    tokens[number].instead = Some(format!("size of {role}"));
                }
            }
            "," => open.last_mut()?.key = None,
            ":" => {
                let key = tokens.get(number.checked_sub(1)?)?.place.clone();
                open.last_mut()?.key = Some(text[key].to_owned());
            }
            value => {
                let is_key = text[at..].trim_start().starts_with(':');
                let Some(inner) = open.last_mut().filter(|_| !is_key) else { continue };
                let key = inner.key.as_deref().unwrap_or_default();
                if key == "\"size\"" {
                    inner.size = value.parse().ok().map(|size| (number, size));
                }
                let Some(string) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
                    continue;
                };
                if let Some((blob, instead)) = named(string, blobs, unpacked) {
                    if key == "\"digest\"" {
                        inner.described = Some((blob.role.clone(), blob.size));
                    }
                    tokens[number].instead = Some(format!("\"{instead}\""));
                }
            }
        }
    }
    Some(tokens)
}

/// The blob that a string names by its hash, and the text in place of the string.
fn named<'b>(
    string: &str,
    blobs: &'b [Blob],
    unpacked: &dyn Fn(&Blob) -> Option<String>,
) -> Option<(&'b Blob, String)> {
    let hash = string.get(string.len().checked_sub(64)?..);
    if let Some(hash) = hash
        && let Some(blob) = blobs.iter().find(|blob| blob.hash == hash)
    {
        return Some((blob, format!("{}{}", &string[..string.len() - 64], blob.role)));
    }
    for end in [".json", ".tar", "/layer.tar"] {
        let Some(start) = string.strip_suffix(end) else { continue };
        let hash = start.get(start.len().checked_sub(64)?..)?;
        if let Some(blob) = blobs.iter().find(|blob| blob.hash == hash) {
            return Some((blob, format!("{}{}{end}", &start[..start.len() - 64], blob.role)));
        }
    }
    let hash = string.strip_prefix("sha256:").filter(|hash| hash.len() == 64)?;
    let blob = blobs.iter().find(|blob| {
        blob.role.starts_with("[layer") && unpacked(blob).is_some_and(|own| own == hash)
    })?;
    Some((blob, format!("sha256:{}, unpacked", blob.role)))
}

/// Place of the next token of a valid text.
fn next_token(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = from + bytes[from..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    let end = match bytes[start] {
        b'{' | b'}' | b'[' | b']' | b',' | b':' => start + 1,
        b'"' => {
            let mut at = start + 1;
            loop {
                match bytes.get(at)? {
                    b'\\' => at += 2,
                    b'"' => break at + 1,
                    _ => at += 1,
                }
            }
        }
        _ => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}:".contains(byte);
            bytes[start..].iter().position(ends).map_or(bytes.len(), |len| start + len)
        }
    };
    Some(start..end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const TAR: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn text(raw: &str) -> Option<String> {
        let blob = Blob::new("[layer 1]".into(), HASH.into(), 17, Arc::new(Bytes(Vec::new())));
        shown(raw.as_bytes(), &[blob], &|_| Some(TAR.to_owned()))
    }

    #[test]
    fn a_blob_that_was_read_is_named_by_its_role() {
        let raw = format!(
            "{{\"layers\":[{{\"size\":17,\"digest\":\"sha256:{HASH}\"}}],\"x\":\"sha256:{TAR}\"}}"
        );
        let expected = "{\n  \"layers\":[\n    {\n      \"size\":size of [layer 1],\n      \
            \"digest\":\"sha256:[layer 1]\"\n    }\n  ],\n  \"x\":\"sha256:[layer 1], unpacked\"\n}\n(in one line)\n";
        assert_eq!(text(&raw).unwrap(), expected);
    }

    #[test]
    fn another_size_or_hash_stays_as_it_is() {
        let other = HASH.replace('a', "c");
        let raw = format!(
            "[{{\"digest\":\"sha256:{HASH}\",\"size\":18}},{{\"digest\":\"sha256:{other}\",\"size\":17}}]"
        );
        let text = text(&raw).unwrap();
        assert!(text.contains("\"size\":18\n") && text.contains("\"size\":17\n"), "{text}");
        assert!(text.contains(&other) && !text.contains(HASH), "{text}");
    }

    #[test]
    fn two_texts_never_have_one_form() {
        let one_line = "{\"a\":[1,2],\"b\":\"c d\"}";
        let form = text(one_line).unwrap();
        let lines = form.strip_suffix(ONE_LINE).unwrap();
        assert_ne!(text(lines).unwrap(), form);
        assert_eq!(text(lines).unwrap(), lines);
        // white space within a string, and outside of it
        assert_ne!(text("{\"a\":\"b c\"}"), text("{\"a\":\"b  c\"}"));
        assert_ne!(text("{\"a\": 1}"), text("{\"a\":1}"));
        // words of ours
        assert_eq!(text("{\"digest\":\"sha256:[layer 1]\"}"), None);
        assert_eq!(text("no JSON"), None);
        assert_eq!(text("{\"a\":1"), None);
    }
}
