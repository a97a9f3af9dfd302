//! The answer of `reproduce --collect`, as text and as JSON.

use super::groups::MismatchGroup;
use super::votes::{Count, Subject, Vote, VoteStanding};
use crate::commands::reproduce::verdict::REPORT_TO;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use xtask_core::escape::Shown as _;

/// All that the answer, the JSON and the page show.
pub(super) struct Collected {
    /// Tag or address of the release, if it was named.
    pub(super) release: Option<String>,
    pub(super) subject: Option<Subject>,
    /// Statements by their places, in the order of the sources.
    pub(super) votes: Vec<(String, Vote)>,
    pub(super) count: Count,
    pub(super) groups: Vec<MismatchGroup>,
    pub(super) threshold: u32,
}

impl Collected {
    pub(super) fn enough(&self) -> bool {
        self.count.agree.len() >= self.threshold as usize
    }

    /// The last line of the answer.
    pub(super) fn summary(&self) -> String {
        let (agree, threshold) = (self.count.agree.len(), self.threshold);
        let only = if self.enough() { "" } else { "only " };
        format!("{only}{agree} independent rebuilders agree; required: {threshold}")
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // writing to a String cannot fail
        if let Some(Subject { commit, iso, published }) = &self.subject {
            let (iso, commit) = (iso.shown(), commit.shown());
            let _ = writeln!(text, "{}  {iso} (commit {commit})", published.hex());
        }
        for (place, vote) in &self.votes {
            let line = match vote {
                Vote::Counted(counted) if counted.standing == VoteStanding::Agrees => {
                    format!("match        {}", counted.who.shown())
                }
                Vote::Counted(counted) => format!("MISMATCH     {}", counted.who.shown()),
                Vote::NotCounted(why) => format!("not counted  {}", why.shown()),
            };
            let _ = writeln!(text, "  {line}  ({place})");
        }
        for group in &self.groups {
            text += &group.text();
        }
        if !self.groups.is_empty() {
            text += "what only they have is a hint where to look, and proves nothing: verify --vary and \
                     diagnose prove\n";
        }
        let _ = writeln!(text, "{}", self.summary());
        if !self.count.disagree.is_empty() {
            let who: Vec<String> =
                self.count.disagree.iter().map(|who| who.shown().to_string()).collect();
            let _ =
                writeln!(text, "{} got another image: report it to {REPORT_TO}", who.join(", "));
        }
        text
    }

    pub(super) fn value(&self) -> Value {
        let statements: Vec<Value> = self
            .votes
            .iter()
            .map(|(place, vote)| {
                let (word, words) = match vote {
                    Vote::Counted(counted) => (
                        if counted.standing == VoteStanding::Agrees { "match" } else { "mismatch" },
                        &counted.who,
                    ),
                    Vote::NotCounted(why) => ("not counted", why),
                };
                json!({ "file": place, "standing": word, "who_or_why": words })
            })
            .collect();
        let subject: BTreeMap<&str, &str> = self.subject.as_ref().map_or_else(BTreeMap::new, |s| {
            let published = ("published_sha256", s.published.hex());
            [("commit", s.commit.as_str()), ("iso", &s.iso), published].into()
        });
        json!({
            "format": "silvermetal-collect/1",
            "enough": self.enough(),
            "threshold": self.threshold,
            "agree": self.count.agree,
            "disagree": self.count.disagree,
            "subject": subject,
            "statements": statements,
            "groups": self.groups.iter().map(MismatchGroup::value).collect::<Vec<_>>(),
        })
    }
}
