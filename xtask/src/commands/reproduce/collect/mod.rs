//! `reproduce --collect FOLDER|URL… --threshold N`: counts the independent rebuilders whose result is `match`,
//! and says what those who got the same other image have in common.
//!
//! Statements are not signed. The person who collects them must know who sent each file.

mod collected;
mod groups;
mod page;
mod sources;
mod votes;

use super::args::ReproduceArgs;
use super::release::PublishedRelease;
use anyhow::{Context as _, Result};
use collected::Collected;
use votes::{Count, Subject, Vote, counted, only_subject, vote};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::http::Http;
use xtask_core::json;
use xtask_core::page::PageFile;
use xtask_core::ui::{Ui, answer};

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
