//! HTTP requests, made by curl. curl reads the request on stdin (`--config -`), so that no secret is in
//! an argv. A body is streamed, whatever its size.

mod curl;
#[cfg(test)]
pub(crate) mod peer;
mod url;

pub use url::Url;

use crate::failure::Code;
use crate::interrupt;
use crate::pins::Digest;
use crate::secret::{Secret, redacted};
use crate::ui::Ui;
use anyhow::{Context as _, Result, anyhow, bail};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the program, and of its Debian package.
pub const PACKAGE: &str = "curl";

const MOST_REDIRECTS: usize = 5;
/// Longest pause before another attempt, even if the server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Bytes that are kept of the body of an answer that is an error.
const LONGEST_COMPLAINT: usize = 1 << 16;

/// Settings for the requests to one server.
#[derive(Clone, Debug)]
pub struct Http {
    /// Longest time for establishing a connection, in seconds.
    pub connect_timeout: u32,
    /// Longest time without any data, in seconds.
    pub stall_timeout: u32,
    /// Number of attempts, if another attempt does no harm.
    pub attempts: u32,
    /// Pause before the second attempt. It doubles with each one; a server's Retry-After replaces it.
    pub pause: Duration,
    /// CA certificates (PEM) that are trusted in addition to this machine's.
    pub ca_file: Option<PathBuf>,
    /// Allows secrets over plain http to other machines.
    pub secrets_in_clear: bool,
    /// Accepts any certificate, for servers that the caller's own configuration calls insecure.
    pub any_certificate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    url: Url,
    headers: Vec<Header>,
    body: Body,
}

#[derive(Clone, Debug)]
struct Header {
    name: String,
    value: HeaderValue,
}

#[derive(Clone, Debug)]
enum HeaderValue {
    Plain(String),
    /// Scheme (`token `, `Bearer `) and secret. A redirect to another origin drops the header.
    Secret(String, Secret),
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Text {
        kind: String,
        text: String,
    },
    /// Fields of an HTML form. The last one is a secret.
    Fields {
        plain: Vec<(String, String)>,
        secret: (String, Secret),
    },
    /// One file as multipart/form-data.
    Form {
        field: String,
        file: PathBuf,
        name: String,
    },
}

/// Destination of the body of a successful answer (2xx). The body of any other stays in memory.
#[derive(Clone, Copy, Debug)]
pub enum Sink<'a> {
    /// Memory, up to this number of bytes. A longer body is an error.
    Memory(usize),
    /// A new file. After a failed transfer the caller removes it.
    File(&'a Path),
    /// None: only hash and size are computed.
    Hash,
}

/// A complete answer of any status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request, for errors: `GET http://h/x`.
    asked: String,
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Empty if it did not go to memory.
    pub body: Vec<u8>,
    /// SHA-256 and size in bytes of the body.
    pub digest: Digest,
    pub size: u64,
}

impl Default for Http {
    fn default() -> Http {
        Http {
            connect_timeout: 15,
            stall_timeout: 120,
            attempts: 4,
            pause: Duration::from_millis(500),
            ca_file: None,
            secrets_in_clear: false,
            any_certificate: false,
        }
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// True if a second request has no further effect (RFC 9110, 9.2.2). PATCH is used so here.
    fn repeatable(self) -> bool {
        self != Method::Post
    }
}

impl Request {
    pub fn new(method: Method, url: &Url) -> Request {
        Request { method, url: url.clone(), headers: Vec::new(), body: Body::None }
    }

    pub fn get(url: &Url) -> Request {
        Request::new(Method::Get, url)
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        let value = HeaderValue::Plain(value.to_owned());
        self.headers.push(Header { name: name.to_owned(), value });
        self
    }

    /// `Authorization: SCHEME SECRET`.
    pub fn authorization(mut self, scheme: &str, secret: &Secret) -> Request {
        let value = HeaderValue::Secret(format!("{scheme} "), secret.clone());
        self.headers.push(Header { name: "Authorization".to_owned(), value });
        self
    }

    pub fn json(self, text: &str) -> Request {
        self.text("application/json", text)
    }

    /// A short body with its media type.
    pub fn text(mut self, kind: &str, text: &str) -> Request {
        self.body = Body::Text { kind: kind.to_owned(), text: text.to_owned() };
        self
    }

    /// Fields of an HTML form as the body. The last one is a secret.
    pub fn fields(mut self, plain: &[(&str, &str)], (name, secret): (&str, &Secret)) -> Request {
        let plain = plain.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.body = Body::Fields { plain, secret: (name.to_owned(), secret.clone()) };
        self
    }

    /// A file as `field` of a multipart/form-data body, with `name` as its file name. It is streamed.
    pub fn form_file(mut self, field: &str, file: &Path, name: &str) -> Request {
        self.body =
            Body::Form { field: field.to_owned(), file: file.to_owned(), name: name.to_owned() };
        self
    }

    fn has_secrets(&self) -> bool {
        self.headers.iter().any(|header| matches!(header.value, HeaderValue::Secret(..)))
            || matches!(self.body, Body::Fields { .. })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.url)
    }
}

impl Http {
    /// Sends a request, follows redirects of GET and HEAD, and tries again if that does no harm.
    ///
    /// # Errors
    /// There was no answer. An answer of any status is `Ok`; see [`Response::expect`].
    pub fn send(&self, request: &Request, sink: Sink<'_>, ui: &Ui) -> Result<Response> {
        let mut request = request.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.patiently(&request, sink, ui)?;
            let Some(location) = response
                .redirect()
                .filter(|_| matches!(request.method, Method::Get | Method::Head))
            else {
                return Ok(response);
            };
            let target = request
                .url
                .join(location)
                .with_context(|| format!("{request}: cannot follow the redirect"))?;
            if target.origin() != request.url.origin() {
                if request.url.is_https() && !target.is_https() {
                    bail!("{request}: refusing the redirect from https to {target}");
                }
                // the caller gave the secret to the first origin only
                request.headers.retain(|h| !matches!(h.value, HeaderValue::Secret(..)));
            }
            request.url = target;
        }
        bail!("{request}: more than {MOST_REDIRECTS} redirects")
    }

    fn patiently(&self, request: &Request, sink: Sink<'_>, ui: &Ui) -> Result<Response> {
        if request.has_secrets() && !self.secrets_in_clear && !request.url.keeps_secrets() {
            return Err(Code::Usage.error(format!(
                "{request}: refusing to send a secret over plain http: expected an https:// address"
            )));
        }
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            ui.line(&request.to_string());
            let outcome = self.once(request, sink);
            interrupt::check()?;
            let (why, wait) = match &outcome {
                Ok(response) if response.may_change(request.method) => {
                    (response.complaint(), response.retry_after())
                }
                Err(failure) if failure.may_change(request.method) => (failure.why.clone(), None),
                _ => return outcome.map_err(|failure| failure.error(request)),
            };
            if attempt >= self.attempts {
                return outcome.map_err(|failure| failure.error(request));
            }
            attempt += 1;
            ui.notice(&format!("{request}: {why}; attempt {attempt} of {}", self.attempts));
            sleep(wait.unwrap_or(pause).min(LONGEST_PAUSE))?;
            pause *= 2;
        }
    }

    fn once(&self, request: &Request, sink: Sink<'_>) -> Result<Response, Failure> {
        let config = curl::config(self, request).map_err(Failure::final_one)?;
        let mut answer = curl::Answer::new(sink);
        let fed = curl::command().input(config).feed(|piece| answer.take(piece));
        let (exit, stderr) = fed.map_err(Failure::final_one)?;
        let failed = if exit.ok() { None } else { Some(curl::failure(exit, &stderr)) };
        // a server that refuses an upload answers, and closes the connection before the end
        match (failed, answer.finish(request).map_err(Failure::final_one)?) {
            (None, Some(response)) => Ok(response),
            (Some(_), Some(response)) if response.status >= 400 => Ok(response),
            (Some(failure), _) => Err(failure),
            (None, None) => Err(Failure::transient("no answer")),
        }
    }
}

/// The reason why there is no answer.
struct Failure {
    why: String,
    /// True if no part of the request was sent.
    unsent: bool,
    /// True if another attempt may succeed.
    transient: bool,
    /// An error on our side (disk full, interrupted), which is returned unchanged.
    own: Option<anyhow::Error>,
}

impl Failure {
    fn transient(why: &str) -> Failure {
        Failure { why: why.to_owned(), unsent: false, transient: true, own: None }
    }

    fn final_one(error: anyhow::Error) -> Failure {
        Failure { why: String::new(), unsent: false, transient: false, own: Some(error) }
    }

    fn may_change(&self, method: Method) -> bool {
        self.transient && (self.unsent || method.repeatable())
    }

    fn error(self, request: &Request) -> anyhow::Error {
        match self.own {
            Some(error) => error,
            None => anyhow!("{request}: {}", redacted(&self.why)),
        }
    }
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

    fn redirect(&self) -> Option<&str> {
        [301, 302, 303, 307, 308].contains(&self.status).then(|| self.header("Location")).flatten()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.header("Retry-After")?.trim().parse().ok().map(Duration::from_secs)
    }

    /// True if another attempt may succeed. After 429 and 503 nothing has been done.
    fn may_change(&self, method: Method) -> bool {
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

fn sleep(duration: Duration) -> Result<()> {
    let step = Duration::from_millis(100);
    let mut left = duration;
    while !left.is_zero() {
        interrupt::check()?;
        let now = left.min(step);
        std::thread::sleep(now);
        left -= now;
    }
    interrupt::check()
}

#[cfg(test)]
mod tests;
