//! Which statements count, and as what.

use super::sources::Sent;
use crate::commands::reproduce::statement::SentStatement;
use crate::commands::reproduce::verdict::RebuildResult;
use anyhow::Result;
use std::collections::BTreeSet;
use xtask_core::escape::Shown as _;
use xtask_core::failure::Code;
use xtask_core::pins::Digest;

/// The image that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) commit: String,
    pub(super) iso: String,
    pub(super) published: Digest,
}

/// How one statement is counted.
pub(super) enum Vote {
    Counted(Box<Counted>),
    /// With the reason.
    NotCounted(String),
}

/// A statement that counts.
pub(super) struct Counted {
    pub(super) who: String,
    pub(super) standing: VoteStanding,
    pub(super) statement: SentStatement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VoteStanding {
    /// The rebuilder got the published hash.
    Agrees,
    /// The rebuilder got another hash.
    Disagrees,
}

pub(super) fn counted(votes: &[(String, Vote)]) -> impl Iterator<Item = &Counted> {
    votes.iter().filter_map(|(_, vote)| match vote {
        Vote::Counted(counted) => Some(&**counted),
        Vote::NotCounted(_) => None,
    })
}

fn subject_of(read: &SentStatement) -> Option<Subject> {
    let published = read.published.clone()?;
    Some(Subject { commit: read.commit.clone(), iso: read.iso.clone(), published })
}

/// The image that all statements are about. Statements about several images are an error.
pub(super) fn only_subject(sent: &Sent) -> Result<Option<Subject>> {
    let reads = sent.iter().filter_map(|(_, read)| read.as_ref().ok());
    let subjects: BTreeSet<Subject> = reads.filter_map(subject_of).collect();
    if subjects.len() > 1 {
        let list: Vec<String> = subjects
            .iter()
            .map(|s| {
                format!("{}  {} (commit {})", s.published.hex(), s.iso.shown(), s.commit.shown())
            })
            .collect();
        return Err(Code::Usage.error(format!(
            "the statements are about {} images: name the release, as in `cargo xtask reproduce TAG --collect DIR`\n  {}",
            list.len(),
            list.join("\n  ")
        )));
    }
    Ok(subjects.into_iter().next())
}

pub(super) fn vote(read: Result<SentStatement>, subject: Option<&Subject>) -> Vote {
    let read = match read {
        Ok(read) => read,
        Err(error) => return Vote::NotCounted(format!("not a valid statement: {error:#}")),
    };
    let who = read.who();
    if read.ci {
        return Vote::NotCounted("made by CI, which is not independent of the release".into());
    }
    if who.is_empty() {
        return Vote::NotCounted("it names no rebuilder".into());
    }
    // a rebuilder who found no readable published hash still counts
    let other = subject_of(&read).as_ref() != subject && read.published.is_some();
    match read.result {
        RebuildResult::CouldNotBuild => Vote::NotCounted(format!("{who} could not build")),
        _ if other => Vote::NotCounted(format!(
            "{who} rebuilt another image, or compared with another published hash"
        )),
        RebuildResult::Match => counts(who, VoteStanding::Agrees, read),
        RebuildResult::Mismatch => counts(who, VoteStanding::Disagrees, read),
    }
}

fn counts(who: String, standing: VoteStanding, statement: SentStatement) -> Vote {
    Vote::Counted(Box::new(Counted { who, standing, statement }))
}

/// The rebuilders, each counted once.
pub(super) struct Count {
    pub(super) agree: BTreeSet<String>,
    pub(super) disagree: BTreeSet<String>,
}

impl Count {
    pub(super) fn of(votes: &[(String, Vote)]) -> Count {
        let mut count = Count { agree: BTreeSet::new(), disagree: BTreeSet::new() };
        for counted in counted(votes) {
            match counted.standing {
                VoteStanding::Agrees => count.agree.insert(counted.who.clone()),
                VoteStanding::Disagrees => count.disagree.insert(counted.who.clone()),
            };
        }
        // a rebuilder with both results does not agree
        count.agree.retain(|who| !count.disagree.contains(who));
        count
    }
}
