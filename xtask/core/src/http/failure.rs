//! The reason why a request got no answer.

use super::request::{Method, Request};
use crate::secret::redacted;
use anyhow::anyhow;

/// The reason why there is no answer.
pub(super) struct Failure {
    pub(super) why: String,
    /// True if no part of the request was sent.
    pub(super) unsent: bool,
    /// True if another attempt may succeed.
    pub(super) transient: bool,
    /// An error on our side (disk full, interrupted), which is returned unchanged.
    pub(super) own: Option<anyhow::Error>,
}

impl Failure {
    pub(super) fn transient(why: &str) -> Failure {
        Failure { why: why.to_owned(), unsent: false, transient: true, own: None }
    }

    pub(super) fn final_one(error: anyhow::Error) -> Failure {
        Failure { why: String::new(), unsent: false, transient: false, own: Some(error) }
    }

    pub(super) fn may_change(&self, method: Method) -> bool {
        self.transient && (self.unsent || method.repeatable())
    }

    pub(super) fn error(self, request: &Request) -> anyhow::Error {
        match self.own {
            Some(error) => error,
            None => anyhow!("{request}: {}", redacted(&self.why)),
        }
    }
}
