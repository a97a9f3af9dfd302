//! Secrets. A secret prints as `***`, and [`redacted`] replaces it in every text that xtask prints.

use anyhow::{Result, bail};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Environment variables that hold secrets. No child process gets them.
pub const VARIABLES: [&str; 1] = [RELEASE_TOKEN];

/// Variable with Gitea's access token for `release publish`.
pub const RELEASE_TOKEN: &str = "SILVERMETAL_RELEASE_TOKEN";

/// Length in bytes from which secrets are redacted. Shorter ones would also match ordinary words.
const SHORTEST_REDACTED: usize = 4;

/// All secrets made so far. The answer of a server may contain one.
static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A token or password. Only [`Secret::reveal`] returns its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `whence` names the source of the text, for errors.
    ///
    /// # Errors
    /// An empty text, and one with control characters. The error does not show it.
    pub fn new(text: &str, whence: &str) -> Result<Secret> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            bail!("{whence} is empty: expected a token");
        }
        if text.contains(|c: char| c.is_control()) {
            bail!("{whence} holds more than one line, or control characters: expected a token");
        }
        if text.len() >= SHORTEST_REDACTED {
            let mut known = known();
            known.push(text.to_owned());
            // the longest first, because one secret may contain another
            known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            known.dedup();
        }
        Ok(Secret(text.to_owned()))
    }

    /// The text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn known() -> MutexGuard<'static, Vec<String>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces every secret made so far by `***`.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for secret in known().iter() {
        if shown.contains(secret.as_str()) {
            shown = Cow::Owned(shown.replace(secret.as_str(), "***"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted() {
        let long = Secret::new("hunter2-and-more\n", "x").unwrap();
        let short = Secret::new("hunter2", "x").unwrap();
        assert_eq!(format!("{long:?}"), "***");
        assert_eq!(long.reveal(), "hunter2-and-more");
        assert_eq!(redacted("a hunter2-and-more, a hunter2"), "a ***, a ***");
        assert_eq!(redacted("nothing"), "nothing");
        assert_eq!(short.reveal(), "hunter2");
    }

    #[test]
    fn a_bad_token_is_refused_and_not_shown() {
        for bad in ["", "\n", "two\nlines", "nul\0"] {
            let error = Secret::new(bad, "token.txt").unwrap_err().to_string();
            assert!(error.starts_with("token.txt") && !error.contains("lines\n"), "{error}");
        }
    }
}
