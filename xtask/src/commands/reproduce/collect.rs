//! `reproduce --collect DIR --threshold N`: do N independent rebuilders say `match`?
//!
//! Statements are not signed: who put a file into the folder has to know whom it is from.

use super::release::Release;
use super::statement::{Outcome, Read};
use crate::cli::ReproduceArgs;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::pins::Digest;
use xtask_core::ui::{Ui, answer, plain};

/// A statement is a few KiB.
const LONGEST: u64 = 1 << 20;

/// The image that is spoken of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    commit: String,
    iso: String,
    published: Digest,
}

/// What becomes of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Rebuilt the published hash.
    Agrees(String),
    /// Rebuilt something else.
    Disagrees(String),
    /// Why it is not counted.
    Out(String),
}

pub(super) fn command(repo: &Repo, args: &ReproduceArgs, dir: &Path, ui: &Ui) -> Result<()> {
    let threshold = args.threshold;
    let files = read(dir).or_exit(Code::Usage)?;
    let subject = match &args.release {
        Some(named) => {
            let release = Release::get(repo, args, named, ui)?;
            let published = release.published.clone();
            let published =
                published.context("SHA256SUMS names no hash of the image").or_exit(Code::No)?;
            let iso = release.info.get("Iso").to_owned();
            Some(Subject { commit: release.commit.to_string(), iso, published })
        }
        None => only_subject(&files)?,
    };
    let standings: Vec<(PathBuf, Standing)> =
        files.into_iter().map(|(path, read)| (path, standing(read, subject.as_ref()))).collect();
    let count = Count::of(&standings);
    let enough = count.agree.len() >= threshold as usize;
    if args.build.json {
        answer(format_args!("{:#}", json(subject.as_ref(), &standings, &count, threshold)));
    } else {
        answer(format_args!(
            "{}",
            plain(text(subject.as_ref(), &standings, &count, threshold).trim_end())
        ));
    }
    if enough {
        return Ok(());
    }
    Err(Code::No
        .error(format!("{} of {threshold} independent rebuilders agree", count.agree.len())))
}

/// Every `*.json` below `dir`, in the order of their paths.
fn read(dir: &Path) -> Result<Vec<(PathBuf, Result<Read>)>> {
    fs::metadata(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
        let path = entry.path();
        if !entry.file_type().is_file() || path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let long = entry.metadata().is_ok_and(|meta| meta.len() > LONGEST);
        let text = if long {
            Err(anyhow::anyhow!("larger than {LONGEST} bytes"))
        } else {
            fs::read_to_string(path).context("cannot be read")
        };
        found.push((path.to_owned(), text.and_then(|text| Read::parse(&text))));
    }
    Ok(found)
}

fn subject_of(read: &Read) -> Option<Subject> {
    let published = read.published.clone()?;
    Some(Subject { commit: read.commit.clone(), iso: read.iso.clone(), published })
}

/// What all statements speak of, where that is one image.
fn only_subject(files: &[(PathBuf, Result<Read>)]) -> Result<Option<Subject>> {
    let reads = files.iter().filter_map(|(_, read)| read.as_ref().ok());
    let subjects: BTreeSet<Subject> = reads.filter_map(subject_of).collect();
    if subjects.len() > 1 {
        let list: Vec<String> = subjects
            .iter()
            .map(|s| format!("{}  {} (commit {})", s.published.hex(), s.iso, s.commit))
            .collect();
        return Err(Code::Usage.error(format!(
            "the statements speak of {} images: name the release, as in `cargo xtask reproduce TAG --collect DIR`\n  {}",
            list.len(),
            list.join("\n  ")
        )));
    }
    Ok(subjects.into_iter().next())
}

fn standing(read: Result<Read>, subject: Option<&Subject>) -> Standing {
    let read = match read {
        Ok(read) => read,
        Err(error) => return Standing::Out(format!("no statement: {error:#}")),
    };
    let who = read.who();
    if read.ci {
        return Standing::Out("made by CI, which is not independent of the release".into());
    }
    if who.is_empty() {
        return Standing::Out("nobody stands for it".into());
    }
    // one who saw nothing that could be read published still says something about it
    let other = subject_of(&read).as_ref() != subject && read.published.is_some();
    match read.result {
        Outcome::CouldNotBuild => Standing::Out(format!("{who} could not build")),
        _ if other => Standing::Out(format!(
            "{who} speaks of another image, or of another hash published for it"
        )),
        Outcome::Match => Standing::Agrees(who),
        Outcome::Mismatch => Standing::Disagrees(who),
    }
}

/// Rebuilders, each once.
struct Count {
    agree: BTreeSet<String>,
    disagree: BTreeSet<String>,
}

impl Count {
    fn of(standings: &[(PathBuf, Standing)]) -> Count {
        let mut count = Count { agree: BTreeSet::new(), disagree: BTreeSet::new() };
        for (_, standing) in standings {
            match standing {
                Standing::Agrees(who) => drop(count.agree.insert(who.clone())),
                Standing::Disagrees(who) => drop(count.disagree.insert(who.clone())),
                Standing::Out(_) => {}
            }
        }
        // who says both vouches for nothing
        count.agree.retain(|who| !count.disagree.contains(who));
        count
    }
}

fn text(
    subject: Option<&Subject>,
    standings: &[(PathBuf, Standing)],
    count: &Count,
    threshold: u32,
) -> String {
    let mut text = String::new();
    // writing to a String cannot fail
    if let Some(Subject { commit, iso, published }) = subject {
        let _ = writeln!(text, "{}  {iso} (commit {commit})", published.hex());
    }
    for (path, standing) in standings {
        let line = match standing {
            Standing::Agrees(who) => format!("match        {who}"),
            Standing::Disagrees(who) => format!("MISMATCH     {who}"),
            Standing::Out(why) => format!("not counted  {why}"),
        };
        let _ = writeln!(text, "  {line}  ({})", path.display());
    }
    let agree = count.agree.len();
    let _ = match threshold as usize {
        enough if agree >= enough => {
            writeln!(text, "{agree} independent rebuilders agree; {threshold} were asked for")
        }
        _ => {
            writeln!(text, "only {agree} independent rebuilders agree; {threshold} were asked for")
        }
    };
    if !count.disagree.is_empty() {
        let who: Vec<&str> = count.disagree.iter().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "look into it: {} rebuilt something else; {}",
            who.join(", "),
            super::REPORT_TO
        );
    }
    text
}

fn json(
    subject: Option<&Subject>,
    standings: &[(PathBuf, Standing)],
    count: &Count,
    threshold: u32,
) -> Value {
    let statements: Vec<Value> = standings
        .iter()
        .map(|(path, standing)| {
            let (standing, words) = match standing {
                Standing::Agrees(who) => ("match", who),
                Standing::Disagrees(who) => ("mismatch", who),
                Standing::Out(why) => ("not counted", why),
            };
            json!({ "file": path, "standing": standing, "who_or_why": words })
        })
        .collect();
    let subject: BTreeMap<&str, &str> = subject.map_or_else(BTreeMap::new, |s| {
        [("commit", s.commit.as_str()), ("iso", &s.iso), ("published_sha256", s.published.hex())]
            .into()
    });
    json!({
        "enough": count.agree.len() >= threshold as usize,
        "threshold": threshold,
        "agree": count.agree,
        "disagree": count.disagree,
        "subject": subject,
        "statements": statements,
    })
}
