//! The links of the documents: files and headings that exist.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The project's Markdown files, without those of the submodule, of builds and of test fixtures.
fn documents() -> Vec<PathBuf> {
    let skipped = ["target", ".git", "derivative-maker", "output", "fixtures"];
    let walk = WalkDir::new(root()).into_iter();
    let files = walk.filter_entry(|entry| !skipped.iter().any(|name| entry.file_name() == *name));
    let files = files.map(|entry| entry.unwrap().into_path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Targets of `[text](target)`, outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let links = prose.flat_map(|part| part.split("](").skip(1));
    links.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// The anchors of a document: its headings as Gitea and GitHub name them, and explicit ids.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    });
    let ids = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    headings.chain(ids.map(|(id, _)| id.to_owned())).collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() >= 10, "{documents:?}");
    let mut dead = Vec::new();
    let mut followed = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            followed += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.with_file_name("").join(file),
            };
            let found = match (target.exists(), anchor) {
                (false, _) => false,
                (true, "") => true,
                (true, anchor) => {
                    anchors(&fs::read_to_string(&target).unwrap()).iter().any(|a| a == anchor)
                }
            };
            if !found {
                dead.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(followed >= 30, "{followed} links");
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}
