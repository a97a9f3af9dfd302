//! Versions of Gitea and its runner that the files are written for.

use crate::tree::SourceTree;

/// The file that declares them.
pub(crate) const PATH: &str = ".gitea/versions.toml";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) Vec<u64>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    pub(crate) gitea: Option<Version>,
    pub(crate) runner: Option<Version>,
    /// Errors in the file: line and reason.
    pub(crate) errors: Vec<(usize, String)>,
}

impl std::str::FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Version, ()> {
        let numbers: Option<Vec<u64>> = text.split('.').map(|n| n.parse().ok()).collect();
        numbers.filter(|numbers| (2..=3).contains(&numbers.len())).map(Version).ok_or(())
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl Versions {
    pub(crate) fn read(tree: &SourceTree) -> Versions {
        let mut versions = Versions::default();
        let Some(source) = tree.source(PATH) else { return versions };
        let document = match toml_edit::Document::parse(source.text.as_str()) {
            Ok(document) => document,
            // rule `toml` reports it
            Err(_) => return versions,
        };
        for (key, item) in document.as_table().iter() {
            let line =
                item.span().map_or(1, |span| 1 + source.text[..span.start].matches('\n').count());
            let value = item.as_str().and_then(|text| text.parse().ok());
            match (key, value) {
                ("gitea", Some(version)) => versions.gitea = Some(version),
                ("runner", Some(version)) => versions.runner = Some(version),
                ("gitea" | "runner", None) => {
                    versions
                        .errors
                        .push((line, format!("`{key}` is no version such as \"1.2.3\"")));
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
