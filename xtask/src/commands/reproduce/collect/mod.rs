//! `reproduce --collect FOLDER|URL… --threshold N`: counts the independent rebuilders whose result is `match`,
//! and says what those who got the same other image have in common.
//!
//! Statements are not signed. The person who collects them must know who sent each file.

mod groups;
mod page;
mod sources;

use super::args::ReproduceArgs;
use super::release::PublishedRelease;
use super::statement::SentStatement;
use super::verdict::{REPORT_TO, RebuildResult};
use anyhow::{Context as _, Result};
use groups::MismatchGroup;
use serde_json::{Value, json};
use sources::Sent;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::http::Http;
use xtask_core::json;
use xtask_core::page::PageFile;
use xtask_core::pins::Digest;
use xtask_core::ui::{Ui, answer};

/// The image that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    commit: String,
    iso: String,
    published: Digest,
}

/// How one statement is counted.
enum Vote {
    Counted(Box<Counted>),
    /// With the reason.
    NotCounted(String),
}

/// A statement that counts.
struct Counted {
    who: String,
    standing: Standing,
    statement: SentStatement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The rebuilder got the published hash.
    Agrees,
    /// The rebuilder got another hash.
    Disagrees,
}

/// All that the answer, the JSON and the page show.
struct Collected {
    /// Tag or address of the release, if it was named.
    release: Option<String>,
    subject: Option<Subject>,
    /// Statements by their places, in the order of the sources.
    votes: Vec<(String, Vote)>,
    count: Count,
    groups: Vec<MismatchGroup>,
    threshold: u32,
}

pub(super) fn command(repo: &Repo, args: &ReproduceArgs, ui: &Ui) -> Result<()> {
    let page = args.html.as_deref().map(|page| PageFile::create(page, page::MARK)).transpose()?;
    let http = Http { ca_file: args.build.ca_file.clone(), ..Http::default() };
    let sent = sources::read(repo, &args.collect, &http, ui)?;
    let subject = match &args.release {
        Some(named) => {
            let release = PublishedRelease::get(repo, args, named, ui)?;
            let published = release.published.clone();
            let published =
                published.context("SHA256SUMS names no hash of the image").or_exit(Code::No)?;
            let iso = release.info.get("Iso").to_owned();
            Some(Subject { commit: release.commit.to_string(), iso, published })
        }
        None => only_subject(&sent)?,
    };
    let votes: Vec<(String, Vote)> =
        sent.into_iter().map(|(place, read)| (place, vote(read, subject.as_ref()))).collect();
    let collected = Collected {
        release: args.release.clone(),
        subject,
        count: Count::of(&votes),
        groups: groups::of(&counted(&votes).collect::<Vec<_>>()),
        votes,
        threshold: args.threshold,
    };
    if let Some(page) = page {
        page.publish(&page::page(&collected))?;
    }
    if args.build.json {
        json::print(&collected.value());
    } else {
        answer(format_args!("{}", collected.text().trim_end()));
    }
    if collected.enough() {
        return Ok(());
    }
    let (agree, threshold) = (collected.count.agree.len(), args.threshold);
    Err(Code::No.error(format!("{agree} of {threshold} independent rebuilders agree")))
}

fn counted(votes: &[(String, Vote)]) -> impl Iterator<Item = &Counted> {
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
fn only_subject(sent: &Sent) -> Result<Option<Subject>> {
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

fn vote(read: Result<SentStatement>, subject: Option<&Subject>) -> Vote {
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
        RebuildResult::Match => counts(who, Standing::Agrees, read),
        RebuildResult::Mismatch => counts(who, Standing::Disagrees, read),
    }
}

fn counts(who: String, standing: Standing, statement: SentStatement) -> Vote {
    Vote::Counted(Box::new(Counted { who, standing, statement }))
}

/// The rebuilders, each counted once.
struct Count {
    agree: BTreeSet<String>,
    disagree: BTreeSet<String>,
}

impl Count {
    fn of(votes: &[(String, Vote)]) -> Count {
        let mut count = Count { agree: BTreeSet::new(), disagree: BTreeSet::new() };
        for counted in counted(votes) {
            match counted.standing {
                Standing::Agrees => count.agree.insert(counted.who.clone()),
                Standing::Disagrees => count.disagree.insert(counted.who.clone()),
            };
        }
        // a rebuilder with both results does not agree
        count.agree.retain(|who| !count.disagree.contains(who));
        count
    }
}

impl Collected {
    fn enough(&self) -> bool {
        self.count.agree.len() >= self.threshold as usize
    }

    /// The last line of the answer.
    fn summary(&self) -> String {
        let (agree, threshold) = (self.count.agree.len(), self.threshold);
        let only = if self.enough() { "" } else { "only " };
        format!("{only}{agree} independent rebuilders agree; required: {threshold}")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // writing to a String cannot fail
        if let Some(Subject { commit, iso, published }) = &self.subject {
            let (iso, commit) = (iso.shown(), commit.shown());
            let _ = writeln!(text, "{}  {iso} (commit {commit})", published.hex());
        }
        for (place, vote) in &self.votes {
            let line = match vote {
                Vote::Counted(counted) if counted.standing == Standing::Agrees => {
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

    fn value(&self) -> Value {
        let statements: Vec<Value> = self
            .votes
            .iter()
            .map(|(place, vote)| {
                let (word, words) = match vote {
                    Vote::Counted(counted) => (
                        if counted.standing == Standing::Agrees { "match" } else { "mismatch" },
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
