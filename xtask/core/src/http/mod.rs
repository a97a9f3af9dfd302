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
use request::HeaderValue;
use std::time::Duration;

const MOST_REDIRECTS: usize = 5;
/// Longest pause before another attempt, even if the server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
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
