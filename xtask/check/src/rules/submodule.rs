//! Submodules match .gitmodules, stand at the recorded commit, and are clean.

use crate::finding::{Location, Severity};
use crate::fix::Fix;
use crate::rule::{Findings, FixtureEdit, Rule, edit, legal, replace};
use crate::tree::{GITLINK, NO_GIT, SourceTree};
use std::path::Path;
use xtask_core::exec::quoted;
use xtask_core::facts::git::git;
use xtask_core::rules::Described;

const FILE: &str = ".gitmodules";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "submodule",
        what: "each submodule has a gitlink and an https or relative URL; if it is checked out, it stands at the recorded commit, unchanged, with its own submodules",
        why: "an ssh URL with a port escapes checkout's token and fails in CI; another commit or a changed file is not what the release claims",
        source: "go-gitea/gitea#26507",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(FILE, "https://github.com/", "ssh://git@example.org:2222/", "url ="),
        replace(FILE, "https://github.com/Kicksecure", "git@github.com:Kicksecure", "url ="),
        replace(FILE, "https://", "http://", "url ="),
        replace(
            FILE,
            "path = linux/build/derivative-maker",
            "path = linux/build/derivative-makr",
            "path =",
        ),
        edit("vendor/wiki", FixtureEdit::Gitlink("4444444444444444444444444444444444444444"), ""),
        legal(FILE, "[submodule \"linux/build/derivative-maker\"]", "[submodule \"upstream\"]"),
        legal(
            FILE,
            "https://github.com/Kicksecure/derivative-maker.git",
            "\"../derivative-maker.git\" # beside",
        ),
        legal(FILE, "path =", "Path ="),
        replace(FILE, "\turl =", "\tshallow = true\n\turl =", "shallow"),
        replace(FILE, "\turl =", "\tupdate = none # for now\n\turl =", "update"),
        replace(FILE, "\turl =", "\tignore = all\n\turl =", "ignore"),
        legal(FILE, "\turl =", "\tbranch = master\n\turl ="),
        edit(
            "linux/build/derivative-maker/README.md",
            FixtureEdit::Write(b"not a submodule\n"),
            "path =",
        ),
    ],
};

/// Settings that break a build, and how.
const HARMFUL: [(&str, &str, &str); 5] = [
    ("shallow", "true", "fetches no tags, and a build of the product needs one"),
    ("update", "none", "makes `git submodule update` skip the submodule"),
    ("update", "merge", "makes `git submodule update` change the commit that is built"),
    ("ignore", "all", "hides changes in the submodule"),
    ("ignore", "dirty", "hides changed files in the submodule"),
];

struct Section {
    name: String,
    line: usize,
    path: Option<(usize, String)>,
    url: Option<(usize, String)>,
}

fn check(tree: &SourceTree, found: &mut Findings) {
    if !tree.in_git {
        return found.skip(NO_GIT);
    }
    let Some(source) = tree.source(FILE) else { return };
    let mut sections: Vec<Section> = Vec::new();
    for (line, text) in source.lines() {
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) =
            text.strip_prefix("[submodule \"").and_then(|rest| rest.strip_suffix("\"]"))
        {
            sections.push(Section { name: name.to_owned(), line, path: None, url: None });
        } else if let (Some((key, value)), Some(section)) =
            (text.split_once('='), sections.last_mut())
        {
            let value = plain_value(value);
            let key = key.trim().to_ascii_lowercase();
            if let Some((_, _, effect)) =
                HARMFUL.iter().find(|(k, v, _)| *k == key && *v == value.to_ascii_lowercase())
            {
                found.add(
                    Location::line(FILE, line),
                    format!("`{key} = {value}` {effect}"),
                    "git's default",
                    "remove the line",
                );
            }
            let value = Some((line, value));
            match key.as_str() {
                "path" => section.path = value,
                "url" => section.url = value,
                _ => {}
            }
        } else {
            found.add(
                Location::line(FILE, line),
                format!("`{text}` is not valid in a git configuration"),
                "[submodule \"…\"], path = …, url = …",
                "correct the line",
            );
        }
    }
    for section in &sections {
        one(tree, section, found);
    }
    for (path, entry) in tree.entries() {
        let is_link = entry.index.as_ref().is_some_and(|(mode, _)| mode == GITLINK);
        let listed = sections.iter().any(|s| s.path.as_ref().is_some_and(|(_, p)| p == path));
        if is_link && !listed {
            found.add(
                Location::line(FILE, 1),
                format!("{path} is a repository inside this one, but no section has `path = {path}`"),
                "a section, or no repository there",
                Fix::with("git rm --cached -- {}; if it is meant to be a submodule, then: git submodule add -- URL {}", &[path, path]),
            );
        }
    }
}

/// A value without its quotes and its comment.
fn plain_value(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        Some((value, _)) => value.to_owned(),
        None => text.split(['#', ';']).next().unwrap_or_default().trim().to_owned(),
    }
}

fn one(tree: &SourceTree, section: &Section, found: &mut Findings) {
    let (Some((path_line, path)), Some((url_line, url))) = (&section.path, &section.url) else {
        let what = format!("submodule `{}` has no path or no url", section.name);
        found.add(Location::line(FILE, section.line), what, "path = … and url = …", "add it");
        return;
    };
    let relative = url.starts_with("./") || url.starts_with("../");
    if !url.starts_with("https://") && !relative {
        let what = format!("the URL is `{url}`");
        found.add(
            Location::line(FILE, *url_line),
            what,
            "https://…, or ../NAME.git",
            "git submodule set-url PATH https://…",
        );
    } else if url
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')))
    {
        found.add(
            Location::line(FILE, *url_line),
            "a user name or a password in the URL",
            "https://HOST/…",
            "take it out, and revoke the password",
        );
    }
    let entry = tree.entry(path);
    let link = entry.and_then(|entry| entry.index.as_ref()).filter(|(mode, _)| mode == GITLINK);
    let place = || Location::line(FILE, *path_line);
    let Some((_, commit)) = link else {
        let files = entry.is_some() || tree.holds(path);
        let what = if files { "ordinary files" } else { "nothing" };
        let fix = if files {
            Fix::with(
                "git rm -r --cached -- {}; move the folder away, then: git submodule add -- {} {}",
                &[path, url, path],
            )
        } else {
            Fix::with("git submodule add -- {} {}", &[url, path])
        };
        found.add(place(), format!("{path} is {what} in git, and no gitlink"), "a gitlink", fix);
        return;
    };
    let dir = tree.repo.root.join(path);
    if !dir.join(".git").exists() {
        let holds_files = std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
        if holds_files {
            found.add(
                place(),
                format!("{path} has files, but is no checkout of the submodule"),
                "the submodule, or an empty folder",
                Fix::with(
                    "move them away, then git submodule update --init --recursive -- {}",
                    &[path],
                ),
            );
        } else {
            found.note(format!("{path} is not checked out, as in any fresh clone; recipe base needs it: git submodule update --init --recursive -- {}", quoted(path)));
        }
        return;
    }
    checked_out(&dir, path, commit, &place(), found);
}

fn checked_out(dir: &Path, path: &str, commit: &str, place: &Location, found: &mut Findings) {
    let update = Fix::with("git submodule update --init --recursive -- {}", &[path]);
    match git(dir).args(["rev-parse", "HEAD"]).read() {
        Err(error) => found.add(
            place.clone(),
            format!("{path} is no usable git checkout: {error:#}"),
            "the submodule",
            update.clone(),
        ),
        Ok(head) if head != commit => {
            let what = format!(
                "{path} is at {}, but {} is recorded",
                &head[..12.min(head.len())],
                &commit[..12.min(commit.len())]
            );
            found.add(
                place.clone(),
                what,
                "the recorded commit",
                Fix::with("git submodule update --init --recursive -- {}; or, if the move is meant: git add -- {}", &[path, path]),
            );
        }
        Ok(_) => {}
    }
    let status = git(dir)
        .args(["status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none"])
        .read();
    let changed: Vec<String> = status
        .unwrap_or_default()
        .lines()
        .map(|line| line.get(3..).unwrap_or(line).to_owned())
        .collect();
    if !changed.is_empty() {
        let first = changed.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let what = format!("{} changed files in {path}: {first}", changed.len());
        found.add(
            place.clone(),
            what,
            "no changes",
            Fix::with("git -C {} status; git -C {} stash --include-untracked", &[path, path]),
        );
    }
    let inner = git(dir).args(["ls-files", "--stage", "-z"]).read().unwrap_or_default();
    let empty: Vec<&str> = inner
        .split('\0')
        .filter(|entry| entry.starts_with(GITLINK))
        .filter_map(|entry| Some(entry.split_once('\t')?.1))
        .filter(|inner| !dir.join(inner).join(".git").exists())
        .collect();
    if let Some(first) = empty.first() {
        let what =
            format!("{} submodules of {path} are not checked out, e.g. {first}", empty.len());
        found.add(place.clone(), what, "all of them, recursively", update);
    }
}
