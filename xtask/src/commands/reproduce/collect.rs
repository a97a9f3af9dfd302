//! `reproduce --collect DIR --threshold N`: counts the independent rebuilders whose result is `match`.
//!
//! Statements are not signed. The person who collects them must know who sent each file.

use super::args::ReproduceArgs;
use super::release::PublishedRelease;
use super::statement::SentStatement;
use super::verdict::{REPORT_TO, RebuildResult};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::json;
use xtask_core::pins::Digest;
use xtask_core::record_file;
use xtask_core::ui::{Ui, answer};

/// Most bytes of a statement. It usually has a few KiB.
const LONGEST: u64 = 1 << 20;

/// The image that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    commit: String,
    iso: String,
    published: Digest,
}

/// How one statement is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Vote {
    /// The rebuilder got the published hash.
    Agrees(String),
    /// The rebuilder got another hash.
    Disagrees(String),
    /// Not counted; with the reason.
    NotCounted(String),
}

pub(super) fn command(repo: &Repo, args: &ReproduceArgs, dir: &Path, ui: &Ui) -> Result<()> {
    let threshold = args.threshold;
    let files = read(dir).or_exit(Code::Usage)?;
    let subject = match &args.release {
        Some(named) => {
            let release = PublishedRelease::get(repo, args, named, ui)?;
            let published = release.published.clone();
            let published =
                published.context("SHA256SUMS names no hash of the image").or_exit(Code::No)?;
            let iso = release.info.get("Iso").to_owned();
            Some(Subject { commit: release.commit.to_string(), iso, published })
        }
        None => only_subject(&files)?,
    };
    let votes: Vec<(PathBuf, Vote)> =
        files.into_iter().map(|(path, read)| (path, vote(read, subject.as_ref()))).collect();
    let count = Count::of(&votes);
    let enough = count.agree.len() >= threshold as usize;
    if args.build.json {
        json::print(&value(subject.as_ref(), &votes, &count, threshold));
    } else {
        answer(format_args!("{}", text(subject.as_ref(), &votes, &count, threshold).trim_end()));
    }
    if enough {
        return Ok(());
    }
    Err(Code::No
        .error(format!("{} of {threshold} independent rebuilders agree", count.agree.len())))
}

/// Reads all `*.json` below `dir`, in the order of their paths.
fn read(dir: &Path) -> Result<Vec<(PathBuf, Result<SentStatement>)>> {
    fs::metadata(dir).with_context(|| format!("cannot list {}", dir.shown()))?;
    let mut found = Vec::new();
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry.with_context(|| format!("cannot list {}", dir.shown()))?;
        let path = entry.path();
        if entry.file_type().is_dir() || path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let long = entry.metadata().is_ok_and(|meta| meta.len() > LONGEST);
        let text = if long {
            Err(anyhow::anyhow!("larger than {LONGEST} bytes"))
        } else {
            record_file::text(path)
        };
        found.push((path.to_owned(), text.and_then(|text| SentStatement::parse(&text))));
    }
    Ok(found)
}

fn subject_of(read: &SentStatement) -> Option<Subject> {
    let published = read.published.clone()?;
    Some(Subject { commit: read.commit.clone(), iso: read.iso.clone(), published })
}

/// The image that all statements are about. Statements about several images are an error.
fn only_subject(files: &[(PathBuf, Result<SentStatement>)]) -> Result<Option<Subject>> {
    let reads = files.iter().filter_map(|(_, read)| read.as_ref().ok());
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
        RebuildResult::Match => Vote::Agrees(who),
        RebuildResult::Mismatch => Vote::Disagrees(who),
    }
}

/// The rebuilders, each counted once.
struct Count {
    agree: BTreeSet<String>,
    disagree: BTreeSet<String>,
}

impl Count {
    fn of(votes: &[(PathBuf, Vote)]) -> Count {
        let mut count = Count { agree: BTreeSet::new(), disagree: BTreeSet::new() };
        for (_, vote) in votes {
            match vote {
                Vote::Agrees(who) => drop(count.agree.insert(who.clone())),
                Vote::Disagrees(who) => drop(count.disagree.insert(who.clone())),
                Vote::NotCounted(_) => {}
            }
        }
        // a rebuilder with both results does not agree
        count.agree.retain(|who| !count.disagree.contains(who));
        count
    }
}

fn text(
    subject: Option<&Subject>,
    votes: &[(PathBuf, Vote)],
    count: &Count,
    threshold: u32,
) -> String {
    let mut text = String::new();
    // writing to a String cannot fail
    if let Some(Subject { commit, iso, published }) = subject {
        let (iso, commit) = (iso.shown(), commit.shown());
        let _ = writeln!(text, "{}  {iso} (commit {commit})", published.hex());
    }
    for (path, vote) in votes {
        let line = match vote {
            Vote::Agrees(who) => format!("match        {}", who.shown()),
            Vote::Disagrees(who) => format!("MISMATCH     {}", who.shown()),
            Vote::NotCounted(why) => format!("not counted  {}", why.shown()),
        };
        let _ = writeln!(text, "  {line}  ({})", path.shown());
    }
    let agree = count.agree.len();
    let _ = match threshold as usize {
        enough if agree >= enough => {
            writeln!(text, "{agree} independent rebuilders agree; required: {threshold}")
        }
        _ => {
            writeln!(text, "only {agree} independent rebuilders agree; required: {threshold}")
        }
    };
    if !count.disagree.is_empty() {
        let who: Vec<String> = count.disagree.iter().map(|who| who.shown().to_string()).collect();
        let _ = writeln!(text, "{} got another image: report it to {}", who.join(", "), REPORT_TO);
    }
    text
}

fn value(
    subject: Option<&Subject>,
    votes: &[(PathBuf, Vote)],
    count: &Count,
    threshold: u32,
) -> Value {
    let statements: Vec<Value> = votes
        .iter()
        .map(|(path, vote)| {
            let (word, words) = match vote {
                Vote::Agrees(who) => ("match", who),
                Vote::Disagrees(who) => ("mismatch", who),
                Vote::NotCounted(why) => ("not counted", why),
            };
            json!({ "file": path.to_string_lossy(), "standing": word, "who_or_why": words })
        })
        .collect();
    let subject: BTreeMap<&str, &str> = subject.map_or_else(BTreeMap::new, |s| {
        [("commit", s.commit.as_str()), ("iso", &s.iso), ("published_sha256", s.published.hex())]
            .into()
    });
    json!({
        "format": "silvermetal-collect/1",
        "enough": count.agree.len() >= threshold as usize,
        "threshold": threshold,
        "agree": count.agree,
        "disagree": count.disagree,
        "subject": subject,
        "statements": statements,
    })
}
