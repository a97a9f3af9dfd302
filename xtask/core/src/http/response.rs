//! An answer, and the destination of its body.

use super::request::Method;
use crate::pins::Digest;
use crate::secret::redacted;
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::time::Duration;

/// Destination of the body of a successful answer (2xx). The body of any other stays in memory.
#[derive(Clone, Copy, Debug)]
pub enum Sink<'a> {
    /// Memory, up to this number of bytes. A longer body is an error.
    Memory(usize),
    /// A new file, up to this number of bytes. After a failed transfer the caller removes it.
    File(&'a Path, u64),
    /// None: only hash and size are computed, up to this number of bytes.
    Hash(u64),
}

/// A complete answer of any status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request, for errors: `GET http://h/x`.
    pub(super) asked: String,
    pub status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// Empty if it did not go to memory.
    pub body: Vec<u8>,
    /// SHA-256 and size in bytes of the body.
    pub digest: Digest,
    pub size: u64,
}

impl Response {
    /// The first header of that name. Case does not count.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of that name. Case does not count.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.body)
            .with_context(|| format!("{}: the answer is not UTF-8", self.asked))
    }

    /// Returns the answer if it has one of these statuses, or else an error that quotes the server.
    pub fn expect(self, statuses: &[u16]) -> Result<Response> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        let expected: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let complaint = self.complaint();
        bail!("{}: expected {}, {complaint}", self.asked, expected.join(" or "))
    }

    /// Status and beginning of the body, for errors.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        let reason = reason(self.status).map(|r| format!(" {r}")).unwrap_or_default();
        let colon = if text.trim().is_empty() { "" } else { ": " };
        redacted(&format!("the server said {}{reason}{colon}{}", self.status, text.trim()))
            .into_owned()
    }

    pub(super) fn redirect(&self) -> Option<&str> {
        [301, 302, 303, 307, 308].contains(&self.status).then(|| self.header("Location")).flatten()
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header("Retry-After")?.trim().parse().ok().map(Duration::from_secs)
    }

    /// True if another attempt may succeed. After 429 and 503 nothing has been done.
    pub(super) fn may_change(&self, method: Method) -> bool {
        match self.status {
            429 | 503 => true,
            408 | 500 | 502 | 504 => method.repeatable(),
            _ => false,
        }
    }
}

/// Reason phrase of a status (RFC 9110), so that nobody has to look it up.
fn reason(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => return None,
    })
}
