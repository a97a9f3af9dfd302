//! Versions of Gitea and its runner: those that .gitea/ is written for, and those that programs say.

use super::repo::Repo;
use crate::record_file;
use crate::toml_file::line_of;

/// The file that declares them.
pub const PATH: &str = ".gitea/versions.toml";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub Vec<u64>);

#[derive(Clone, Debug, Default)]
pub struct Versions {
    pub gitea: Option<Version>,
    pub runner: Option<Version>,
    /// Errors in the file: line and reason.
    pub errors: Vec<(usize, String)>,
}

impl std::str::FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Version, ()> {
        let numbers: Option<Vec<u64>> = text.split('.').map(|n| n.parse().ok()).collect();
        numbers.filter(|numbers| (2..=3).contains(&numbers.len())).map(Version).ok_or(())
    }
}

impl Version {
    /// Finds the version in what a program or a server says of itself: `1.26.0+dev-3-gabc`, `gitea-runner
    /// version v3.3.0`. Forgejo says `11.0.1+gitea-1.22.0`: the version of Gitea that it is compatible with
    /// counts.
    pub fn said(text: &str) -> Option<Version> {
        let text = text.rsplit_once("gitea-").map_or(text, |(_, rest)| rest);
        let text = &text[text.find(|c: char| c.is_ascii_digit())?..];
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut version: Version = text[..end].trim_end_matches('.').parse().ok()?;
        // 1.26 is 1.26.0
        version.0.resize(3, 0);
        Some(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl Versions {
    /// Reads them from the checkout. A file that cannot be read or is not TOML declares none.
    pub fn of(repo: &Repo) -> Versions {
        let text = record_file::text(&repo.root.join(PATH));
        text.map_or_else(|_| Versions::default(), |text| Versions::parse(&text))
    }

    pub fn parse(text: &str) -> Versions {
        let mut versions = Versions::default();
        let document = match toml_edit::Document::parse(text) {
            Ok(document) => document,
            // rule `toml` of check reports it
            Err(_) => return versions,
        };
        for (key, item) in document.as_table().iter() {
            let line = item.span().map_or(1, |span| line_of(text, span.start));
            let value = item.as_str().and_then(|text| text.parse().ok());
            match (key, value) {
                ("gitea", Some(version)) => versions.gitea = Some(version),
                ("runner", Some(version)) => versions.runner = Some(version),
                ("gitea" | "runner", None) => {
                    let what = format!("`{key}` is no version such as \"1.2.3\"");
                    versions.errors.push((line, what));
                }
                _ => versions.errors.push((line, format!("unknown key `{key}`"))),
            }
        }
        for (key, value) in [("gitea", &versions.gitea), ("runner", &versions.runner)] {
            if value.is_none() && !document.contains_key(key) {
                versions.errors.push((0, format!("`{key}` is missing")));
            }
        }
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        for (text, version) in [
            ("1.26.0", Some("1.26.0")),
            ("1.27.0+rc0-12-g0123abc", Some("1.27.0")),
            ("11.0.1+gitea-1.22.0", Some("1.22.0")),
            ("gitea-runner version v3.3.0", Some("3.3.0")),
            ("act_runner version 0.2", Some("0.2.0")),
            ("dev", None),
            ("", None),
            ("7", None),
        ] {
            assert_eq!(Version::said(text).map(|v| v.to_string()).as_deref(), version, "{text}");
        }
        assert!(Version::said("1.9.3") < Version::said("1.26"));
    }
}
