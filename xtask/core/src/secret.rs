//! What must never be shown: a value that prints as `***`, here and wherever text leaves xtask.

use anyhow::{Result, bail};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Variables of the caller's that hold secrets: no child gets them.
pub const VARIABLES: [&str; 1] = [RELEASE_TOKEN];

/// Gitea's token for `release publish`.
pub const RELEASE_TOKEN: &str = "SILVERMETAL_RELEASE_TOKEN";

/// Shorter ones would blot out ordinary words.
const SHORTEST_REDACTED: usize = 4;

/// Every secret that was made so far: also a server's answer may hold one.
static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A token or password. Only [`Secret::reveal`] gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `whence` names the place that it was read from, for the error.
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
            // the longer first: one may hold another
            known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            known.dedup();
        }
        Ok(Secret(text.to_owned()))
    }

    /// The secret itself, for the one place that sends it.
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

/// `text` with `***` in the place of every secret known so far.
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
    fn a_secret_is_not_shown_wherever_it_turns_up() {
        let long = Secret::new("hunter2-and-more\n", "x").unwrap();
        let short = Secret::new("hunter2", "x").unwrap();
        assert_eq!(format!("{long:?}"), "***");
        assert_eq!(long.reveal(), "hunter2-and-more");
        assert_eq!(redacted("a hunter2-and-more, a hunter2"), "a ***, a ***");
        assert_eq!(redacted("nothing"), "nothing");
        assert_eq!(short.reveal(), "hunter2");
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_without_being_shown() {
        for bad in ["", "\n", "two\nlines", "nul\0"] {
            let error = Secret::new(bad, "token.txt").unwrap_err().to_string();
            assert!(error.starts_with("token.txt") && !error.contains("lines\n"), "{error}");
        }
    }
}
