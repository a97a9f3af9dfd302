//! The remote of derivative-maker, found by git's own rules.

use super::git::{SUBMODULE, git};
use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _};
use anyhow::{Context as _, Result, bail};
use std::path::Path;

/// URL that a fresh clone of the checkout at `root` would fetch the submodule from.
///
/// The section of .gitmodules is found by its `path`, because its name may be another. A URL that
/// begins with `./` or `../` is relative to the URL of the checkout's own remote.
pub fn url(root: &Path) -> Result<String> {
    let url = recorded(root).or_exit(Code::NotReady)?;
    let resolved = if url.starts_with("./") || url.starts_with("../") {
        relative(&remote(root)?, &url).or_exit(Code::NotReady)?
    } else {
        url
    };
    if !is_local(&resolved) || resolved.starts_with('/') {
        return Ok(resolved);
    }
    // git clones a submodule from the top of the checkout
    Ok(root.join(resolved).to_string_lossy().into_owned())
}

fn recorded(root: &Path) -> Result<String> {
    let entries = git(root)
        .args([
            "config",
            "--file",
            ".gitmodules",
            "-z",
            "--get-regexp",
            r"^submodule\..*\.(path|url)$",
        ])
        .read()
        .with_context(|| {
            format!(
                "{}: no submodule found: expected a section for {SUBMODULE}",
                root.join(".gitmodules").shown()
            )
        })?;
    let entries: Vec<(&str, &str)> =
        entries.split('\0').filter_map(|entry| entry.split_once('\n')).collect();
    let value =
        |key: &str| entries.iter().rev().find(|(name, _)| *name == key).map(|entry| entry.1);
    let name = entries
        .iter()
        .find_map(|(key, path)| {
            key.strip_suffix(".path").filter(|_| path.trim_end_matches('/') == SUBMODULE)
        })
        .with_context(|| format!("no section of .gitmodules has `path = {SUBMODULE}`"))?;
    let url = value(&format!("{name}.url")).with_context(|| {
        format!(".gitmodules: the section with `path = {SUBMODULE}` has no `url`")
    })?;
    Ok(url.to_owned())
}

/// URL of the remote that the current branch follows, else of the only remote, else of `origin`. A
/// checkout without a remote is its own.
fn remote(root: &Path) -> Result<String> {
    // no branch is checked out in CI, and no remote is configured in a new repository
    let read = |args: &[&str]| git(root).args(args).read().ok().filter(|text| !text.is_empty());
    let followed = read(&["symbolic-ref", "--quiet", "--short", "HEAD"])
        .and_then(|branch| read(&["config", "--get", &format!("branch.{branch}.remote")]));
    let remotes = git(root).arg("remote").read()?;
    let only = (remotes.lines().count() == 1).then(|| remotes.trim().to_owned());
    let name = followed.or(only).unwrap_or_else(|| "origin".to_owned());
    let url = read(&["config", "--get", &format!("remote.{name}.url")]);
    Ok(url.unwrap_or_else(|| root.to_string_lossy().into_owned()))
}

/// Resolves `url` against the URL of a repository, as `git submodule` does.
fn relative(remote: &str, url: &str) -> Result<String> {
    let mut base = remote.strip_suffix('/').unwrap_or(remote).to_owned();
    let from_here = is_local(&base) && !base.starts_with('/');
    if from_here && !base.starts_with("./") && !base.starts_with("../") {
        base.insert_str(0, "./");
    }
    let (mut rest, mut separator) = (url, '/');
    loop {
        if let Some(below) = rest.strip_prefix("../") {
            rest = below;
            if let Some(slash) = base.rfind('/') {
                base.truncate(slash);
            } else if let Some(colon) = base.rfind(':') {
                // `host:repository`, as ssh takes it
                base.truncate(colon);
                separator = ':';
            } else if from_here || base == "." {
                bail!(
                    ".gitmodules: `{}` goes above the remote `{}`: expected fewer `../`",
                    url.shown(),
                    remote.shown()
                );
            } else {
                base = ".".to_owned();
            }
        } else if let Some(below) = rest.strip_prefix("./") {
            rest = below;
        } else {
            break;
        }
    }
    let joined = format!("{base}{separator}{}", rest.strip_suffix('/').unwrap_or(rest));
    Ok(joined.strip_prefix("./").map(str::to_owned).unwrap_or(joined))
}

/// A path of this machine: a colon, where it has one, comes after a slash.
fn is_local(url: &str) -> bool {
    url.find(':').is_none_or(|colon| url.find('/').is_some_and(|slash| slash < colon))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of git's own test t0060, as far as they are no paths of Windows.
    #[test]
    fn relative_urls_are_resolved_as_git_does() {
        for (remote, url, expected) in [
            (
                "https://git.example/group/here.git",
                "../there.git",
                "https://git.example/group/there.git",
            ),
            ("https://git.example/group/here.git/", "../../there/", "https://git.example/there"),
            ("https://git.example:3000/a/b", "./c", "https://git.example:3000/a/b/c"),
            ("ssh://user@host/path/to/repo", "../subrepo", "ssh://user@host/path/to/subrepo"),
            ("user@host:path/to/repo", "../subrepo", "user@host:path/to/subrepo"),
            ("user@host:repo", "../subrepo", "user@host:subrepo"),
            ("host:repo", "../sub/repo", "host:sub/repo"),
            ("/srv/git/here.git", "../there.git", "/srv/git/there.git"),
            ("../foo/bar", "../submodule", "../foo/submodule"),
            ("foo/bar", "../submodule", "foo/submodule"),
            ("foo", "../submodule", "submodule"),
            ("./foo", "./submodule", "foo/submodule"),
        ] {
            assert_eq!(relative(remote, url).unwrap(), expected, "{url} against {remote}");
        }
        let error = relative("foo", "../../submodule").unwrap_err().to_string();
        assert!(error.contains("goes above the remote `foo`"), "{error}");
    }

    #[test]
    fn an_url_of_another_machine_is_not_a_path() {
        for remote in ["https://h/x", "host:x", "git@host:a/b", "file:///srv/x"] {
            assert!(!is_local(remote), "{remote}");
        }
        for path in ["/srv/x", "../x", "./a:b", "x"] {
            assert!(is_local(path), "{path}");
        }
    }
}
