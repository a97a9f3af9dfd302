//! HTTP requests, made by curl. curl reads the request on stdin (`--config -`), so that no secret is in
//! an argv. A body is streamed, whatever its size.

mod curl;
mod failure;
#[cfg(test)]
pub(crate) mod peer;
mod request;
mod response;
mod settings;
mod url;

pub use curl::PACKAGE;
pub use request::{Method, Request};
pub use response::{Response, Sink};
pub use settings::Http;
pub use url::Url;

use crate::failure::Code;
use crate::interrupt;
use crate::ui::Ui;
use anyhow::{Context as _, Result, bail};
use failure::Failure;
use request::{Body, HeaderValue};
use std::time::{Duration, Instant};

const MOST_REDIRECTS: usize = 5;
/// Longest pause before another attempt, even if the server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Slowest average in bytes per second: 1 Mbit/s. A request may take as long as its largest body takes at
/// this speed, and all its attempts may stall once.
const SLOWEST: u64 = 128 << 10;

impl Http {
    /// Sends a request, follows redirects of GET and HEAD, and tries again if that does no harm.
    ///
    /// # Errors
    /// There was no answer. An answer of any status is `Ok`; see [`Response::expect`].
    pub fn send(&self, request: &Request, sink: Sink<'_>, ui: &Ui) -> Result<Response> {
        if let Some(owner) = request.foreign_secret() {
            bail!("{request}: refusing to send a secret that belongs to {}", owner.origin());
        }
        let mut request = request.clone();
        let patience = u64::from(self.connect_timeout)
            + u64::from(self.stall_timeout) * u64::from(self.attempts)
            + largest(&request, sink) / SLOWEST;
        let end = Instant::now() + Duration::from_secs(patience);
        let end = self.deadline.map_or(end, |deadline| deadline.min(end));
        for _ in 0..=MOST_REDIRECTS {
            let response = self.patiently(&request, sink, end, ui)?;
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
            if !target.same_origin(&request.url) {
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

    /// Tries until `end`.
    fn patiently(
        &self,
        request: &Request,
        sink: Sink<'_>,
        end: Instant,
        ui: &Ui,
    ) -> Result<Response> {
        if request.has_secrets() && !self.secrets_in_clear && !request.url.keeps_secrets() {
            return Err(Code::Usage.error(format!(
                "{request}: refusing to send a secret over plain http: expected an https:// address"
            )));
        }
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            ui.line(&request.to_string());
            let shown = ui.wait(&request.to_string());
            let outcome = self.once(request, sink, end);
            drop(shown);
            interrupt::check()?;
            let (why, wait) = match &outcome {
                Ok(response) if response.may_change(request.method) => {
                    (response.complaint(), response.retry_after())
                }
                Err(failure) if failure.may_change(request.method) => (failure.why.clone(), None),
                _ => return outcome.map_err(|failure| failure.error(request)),
            };
            if attempt >= self.attempts || Instant::now() >= end {
                return outcome.map_err(|failure| failure.error(request));
            }
            attempt += 1;
            ui.notice(&format!("{request}: {why}; attempt {attempt} of {}", self.attempts));
            sleep(wait.unwrap_or(pause).min(LONGEST_PAUSE))?;
            pause *= 2;
        }
    }

    fn once(&self, request: &Request, sink: Sink<'_>, end: Instant) -> Result<Response, Failure> {
        let left = end.saturating_duration_since(Instant::now());
        let config = curl::config(self, request, left).map_err(Failure::final_one)?;
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

/// Most bytes of the request's body or of the answer's.
fn largest(request: &Request, sink: Sink<'_>) -> u64 {
    let sent = match &request.body {
        Body::Form { file, .. } | Body::File { file, .. } => {
            file.metadata().map_or(0, |meta| meta.len())
        }
        _ => 0,
    };
    let received = match sink {
        Sink::Memory(most) => most as u64,
        Sink::File(_, most) | Sink::Hash(most) => most,
    };
    sent.max(received)
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
