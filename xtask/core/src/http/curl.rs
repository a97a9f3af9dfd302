//! The interface to curl: configuration (curl(1), `--config`), exit codes, output.

use super::failure::Failure;
use super::request::{Body, HeaderValue, Method, Request};
use super::response::{Response, Sink};
use super::settings::Http;
use super::url;
use crate::escape::Shown as _;
use crate::exec::{Cmd, Exit};
use crate::pins::Digest;
use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

/// Name of the program, and of its Debian package.
pub const PACKAGE: &str = "curl";

/// Bytes that are kept of the body of an answer that is an error.
const LONGEST_COMPLAINT: usize = 1 << 16;

/// Longest headers that are accepted, in bytes.
const LONGEST_HEADERS: usize = 1 << 18;

/// Folder of this machine's trusted certificates (update-ca-certificates(8)).
const SYSTEM_CAS: &str = "/etc/ssl/certs";

/// The command line. The rest is read on stdin. ~/.curlrc is not read, because it could make curl write
/// the request to a file.
pub(super) fn command() -> Cmd {
    Cmd::new(PACKAGE).args(["--disable", "--config", "-"])
}

/// The request as a configuration for curl's stdin.
/// It may take the time `left`.
pub(super) fn config(http: &Http, request: &Request, left: Duration) -> Result<Vec<u8>> {
    let mut config = Config(Vec::new());
    for flag in
        ["silent", "show-error", "include", "suppress-connect-headers", "globoff", "http1.1"]
    {
        config.flag(flag);
    }
    config.option("proto", b"=http,https")?;
    config.option(
        "user-agent",
        concat!("silvermetal-xtask/", env!("CARGO_PKG_VERSION")).as_bytes(),
    )?;
    config.option("connect-timeout", http.connect_timeout.to_string().as_bytes())?;
    config.option("speed-limit", b"1")?;
    config.option("speed-time", http.stall_timeout.to_string().as_bytes())?;
    // 0 would mean no limit
    config.option("max-time", (left.as_secs() + 1).to_string().as_bytes())?;
    if let Some(ca) = &http.ca_file {
        config.option("cacert", ca.as_os_str().as_bytes())?;
        if Path::new(SYSTEM_CAS).is_dir() {
            // cacert alone would replace this machine's certificates
            config.option("capath", SYSTEM_CAS.as_bytes())?;
        }
    }
    if http.any_certificate {
        config.flag("insecure");
    }
    if request.url.on_loopback() {
        // a proxy cannot reach this machine's loopback
        config.option("noproxy", b"*")?;
    }
    match request.method {
        Method::Head => config.flag("head"),
        method => config.option("request", method.name().as_bytes())?,
    }
    for header in &request.headers {
        let value = match &header.value {
            HeaderValue::Plain(value) => value.clone(),
            HeaderValue::Secret(before, secret, _) => format!("{before}{}", secret.reveal()),
        };
        config.option("header", format!("{}: {value}", header.name).as_bytes())?;
    }
    match &request.body {
        Body::None => {}
        Body::Text { kind, text } => {
            config.option("header", format!("Content-Type: {kind}").as_bytes())?;
            config.option("data-raw", text.as_bytes())?;
        }
        Body::Fields { plain, secret: (name, secret) } => {
            let plain = plain.iter().map(|(k, v)| (k.as_str(), v.as_str()));
            let fields: Vec<(&str, &str)> =
                plain.chain([(name.as_str(), secret.reveal())]).collect();
            config.option("header", b"Content-Type: application/x-www-form-urlencoded")?;
            config.option("data-raw", url::pairs(&fields).as_bytes())?;
        }
        Body::File { kind, file } => {
            File::open(file).with_context(|| format!("cannot read {}", file.shown()))?;
            config.option("header", format!("Content-Type: {kind}").as_bytes())?;
            config.option("upload-file", file.as_os_str().as_bytes())?;
        }
        Body::Form { field, file, name } => {
            File::open(file).with_context(|| format!("cannot read {}", file.shown()))?;
            let mut form = format!("{field}=@").into_bytes();
            form.extend(in_quotes(file.as_os_str().as_bytes()));
            form.extend(b";filename=");
            form.extend(in_quotes(name.as_bytes()));
            form.extend(b";type=application/octet-stream");
            config.option("form", &form)?;
        }
    }
    config.option("url", request.url.as_str().as_bytes())?;
    Ok(config.0)
}

struct Config(Vec<u8>);

impl Config {
    fn flag(&mut self, name: &str) {
        self.0.extend(name.as_bytes());
        self.0.push(b'\n');
    }

    fn option(&mut self, name: &str, value: &[u8]) -> Result<()> {
        if value.contains(&0) || name == "header" && value.contains(&b'\n') {
            bail!("a value for curl's `{name}` has a NUL or a line's end in it");
        }
        self.0.extend(name.as_bytes());
        self.0.extend(b" = \"");
        for byte in value {
            match byte {
                b'\\' => self.0.extend(b"\\\\"),
                b'"' => self.0.extend(b"\\\""),
                b'\n' => self.0.extend(b"\\n"),
                b'\r' => self.0.extend(b"\\r"),
                b'\t' => self.0.extend(b"\\t"),
                other => self.0.push(*other),
            }
        }
        self.0.extend(b"\"\n");
        Ok(())
    }
}

/// Quotes a file name in `--form`, where `,` and `;` would end it.
fn in_quotes(name: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in name {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// Explains curl's exit code (curl(1), EXIT CODES) and its last message.
pub(super) fn failure(exit: Exit, stderr: &str) -> Failure {
    let last = stderr.lines().rev().find_map(|line| line.strip_prefix("curl: "));
    let words = last.map(|line| line.split_once(") ").map_or(line, |(_, words)| words));
    let code = match exit {
        Exit::Code(code) => code,
        Exit::Signal(_) => 0,
    };
    let what = match code {
        5 | 6 => "the host is not known",
        7 => "no connection",
        18 | 52 | 55 | 56 => "the connection was cut",
        26 => "the file cannot be read",
        28 if words.is_some_and(|words| words.starts_with("Operation too slow")) => {
            "it stood still for too long"
        }
        28 => "it took too long",
        35 | 51 | 53 | 54 | 58 | 59 | 60 | 66 | 77 | 80 | 83 | 90 | 91 => {
            "no trusted TLS connection"
        }
        _ => "curl failed",
    };
    Failure {
        why: format!("{what} ({})", words.map_or_else(|| exit.to_string(), str::to_owned)),
        unsent: matches!(code, 5..=7),
        transient: matches!(code, 5..=7 | 16 | 18 | 28 | 52 | 55 | 56 | 92),
        own: None,
    }
}

/// Splits curl's output: headers of informational answers (1xx), headers of the final answer, body.
pub(super) struct Answer<'a> {
    sink: Sink<'a>,
    head: Vec<u8>,
    /// Bytes of all headers so far.
    head_size: usize,
    /// Status and headers of the final answer, once they are complete.
    found: Option<ResponseHead>,
    file: Option<File>,
    hasher: Sha256,
    size: u64,
    body: Vec<u8>,
}

struct ResponseHead {
    status: u16,
    headers: Vec<(String, String)>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(sink: Sink<'a>) -> Answer<'a> {
        Answer {
            sink,
            head: Vec::new(),
            head_size: 0,
            found: None,
            file: None,
            hasher: Sha256::new(),
            size: 0,
            body: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, mut piece: &[u8]) -> Result<()> {
        while self.found.is_none() {
            let Some(end) = self.head_ends(piece)? else { return Ok(()) };
            piece = &piece[end..];
            let found = parse_head(&self.head)?;
            self.head.clear();
            if found.status >= 200 {
                if let (Sink::File(path, _), 200..300) = (self.sink, found.status) {
                    let file = File::create(path)
                        .with_context(|| format!("cannot write {}", path.shown()))?;
                    self.file = Some(file);
                }
                self.found = Some(found);
            }
        }
        self.take_body(piece)
    }

    /// Appends bytes of `piece` to the headers; returns their number if the headers end in it.
    fn head_ends(&mut self, piece: &[u8]) -> Result<Option<usize>> {
        for (n, byte) in piece.iter().enumerate() {
            self.head.push(*byte);
            if self.head.ends_with(b"\r\n\r\n") || self.head.ends_with(b"\n\n") {
                return Ok(Some(n + 1));
            }
            self.head_size += 1;
            if self.head_size > LONGEST_HEADERS {
                bail!("the server's headers do not end: more than {LONGEST_HEADERS} bytes");
            }
        }
        Ok(None)
    }

    fn take_body(&mut self, piece: &[u8]) -> Result<()> {
        let good = self.found.as_ref().is_some_and(|found| (200..300).contains(&found.status));
        self.hasher.update(piece);
        self.size += piece.len() as u64;
        match self.sink {
            _ if !good => {
                let room = LONGEST_COMPLAINT - self.body.len();
                self.body.extend(&piece[..piece.len().min(room)]);
            }
            Sink::Memory(most) => {
                if self.body.len() + piece.len() > most {
                    bail!("the server's answer does not end: expected at most {most} bytes");
                }
                self.body.extend(piece);
            }
            Sink::File(_, most) | Sink::Hash(most) if self.size > most => {
                bail!("the server's answer does not end: expected at most {most} bytes");
            }
            Sink::File(path, _) => {
                if let Some(file) = &mut self.file {
                    file.write_all(piece)
                        .with_context(|| format!("cannot write {}", path.shown()))?;
                }
            }
            Sink::Hash(_) => {}
        }
        Ok(())
    }

    /// The answer; `None` if its headers are not complete.
    pub(super) fn finish(self, request: &Request) -> Result<Option<Response>> {
        let Some(found) = self.found else { return Ok(None) };
        if let (Some(file), Sink::File(path, _)) = (self.file, self.sink) {
            file.sync_all().with_context(|| format!("cannot write {}", path.shown()))?;
        }
        Ok(Some(Response {
            asked: request.to_string(),
            status: found.status,
            headers: found.headers,
            body: self.body,
            digest: Digest::from_bytes(&self.hasher.finalize()),
            size: self.size,
        }))
    }
}

fn parse_head(head: &[u8]) -> Result<ResponseHead> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/").and_then(|rest| rest.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let status =
        status.with_context(|| format!("expected `HTTP/… STATUS`, found `{}`", first.shown()))?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(ResponseHead { status, headers: lines.filter_map(header).collect() })
}
