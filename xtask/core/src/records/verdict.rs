//! The verdict on two builds, with its evidence.

use crate::pins::Digest;
use crate::records::ledger::Artefact;
use crate::records::manifest::{Manifest, ManifestEntry};
use crate::records::published::Published;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// Fields of BUILD_INFO that are inputs of a build, with their names for people. If one differs, the
/// comparison does not show whether the *build* is reproducible.
const INPUTS: [(&str, &str); 10] = [
    ("Commit", "the commit"),
    ("Tree", "uncommitted changes"),
    ("Recipe", "the recipe"),
    ("Engine", "the engine"),
    ("Builder-Image", "the builder image"),
    ("Derivative-Maker", "the submodule derivative-maker"),
    ("Flavor", "the flavor"),
    ("Snapshot", "the snapshot pin"),
    ("InRelease", "the package mirror's InRelease"),
    ("Source-Date-Epoch", "SOURCE_DATE_EPOCH"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Identical { digest: Digest, size: u64 },
    Differs(Box<BuildDifference>),
}

/// The difference between two builds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildDifference {
    /// The first stage whose artefacts differ; `None` if no stage recorded artefacts that differ.
    pub stage: Option<String>,
    /// Artefacts of that stage that differ. A tree is replaced by its entries that differ.
    pub files: Vec<FileDifference>,
    /// Inputs that differ. If there are any, the build is not to blame.
    pub inputs: Vec<InputDifference>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDifference {
    /// `ARTEFACT` or `ARTEFACT:PATH` inside a tree.
    pub path: String,
    /// Each difference, e.g. `content`, `mode 0644 → 0600`, `only in A`.
    pub what: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDifference {
    pub what: String,
    pub a: String,
    pub b: String,
}

impl BuildDifference {
    /// Compares the records of two builds.
    pub fn between(a: &Published, b: &Published) -> Result<BuildDifference> {
        let mut difference = BuildDifference::without_files(a, b);
        if let Some(stage) = &difference.stage {
            difference.files = files_of(stage, a, b)?;
        }
        Ok(difference)
    }

    /// The same without the files that differ, for which manifests would be read.
    pub fn without_files(a: &Published, b: &Published) -> BuildDifference {
        let stage = first_stage(a, b).map(str::to_owned);
        BuildDifference { stage, files: Vec::new(), inputs: inputs(a, b) }
    }
}

/// Artefacts by stage.
type Stages<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Digest>>;

fn stages(build: &Published) -> Stages<'_> {
    let mut stages = Stages::new();
    for Artefact { stage, path, digest, .. } in &build.ledger.0 {
        stages.entry(stage).or_default().insert(path, digest);
    }
    stages
}

/// The first stage whose artefacts differ, in the order of A's ledger and then of B's.
fn first_stage<'a>(a: &'a Published, b: &'a Published) -> Option<&'a str> {
    let (in_a, in_b) = (stages(a), stages(b));
    let order = a.ledger.0.iter().chain(&b.ledger.0).map(|artefact| artefact.stage.as_str());
    order.into_iter().find(|stage| in_a.get(stage) != in_b.get(stage))
}

fn files_of(stage: &str, a: &Published, b: &Published) -> Result<Vec<FileDifference>> {
    let of = |build| stages(build).remove(stage).unwrap_or_default();
    let (in_a, in_b) = (of(a), of(b));
    let paths: BTreeSet<&str> = in_a.keys().chain(in_b.keys()).copied().collect();
    let mut found = Vec::new();
    for path in paths {
        let (da, db) = (in_a.get(path), in_b.get(path));
        if da == db {
            continue;
        }
        match (da, db, a.manifest(path)?, b.manifest(path)?) {
            (Some(_), Some(_), Some(ma), Some(mb)) => {
                let inside = entries(path, &ma, &mb);
                if inside.is_empty() {
                    let what = vec![
                        "the tree is the same, its tar is not (order of entries, or headers)"
                            .into(),
                    ];
                    found.push(FileDifference { path: path.to_owned(), what });
                }
                found.extend(inside);
            }
            (Some(_), Some(_), ..) => {
                found.push(FileDifference { path: path.to_owned(), what: vec!["content".into()] })
            }
            (da, ..) => {
                let side = if da.is_some() { "only in A" } else { "only in B" };
                found.push(FileDifference { path: path.to_owned(), what: vec![side.into()] });
            }
        }
    }
    Ok(found)
}

/// The entries that differ between two trees, in the order of their paths.
fn entries(artefact: &str, a: &Manifest, b: &Manifest) -> Vec<FileDifference> {
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| {
            let what = match (a.get(path), b.get(path)) {
                (Some(ea), Some(eb)) => fields(ea, eb),
                (Some(_), None) => vec!["only in A".to_owned()],
                _ => vec!["only in B".to_owned()],
            };
            (!what.is_empty()).then(|| FileDifference { path: format!("{artefact}:{path}"), what })
        })
        .collect()
}

fn fields(a: &ManifestEntry, b: &ManifestEntry) -> Vec<String> {
    let mut what = Vec::new();
    // a manifest records no content and no size for a hard link
    let same_kind = a.kind == b.kind;
    if same_kind && a.content != b.content {
        what.push("content".to_owned());
    }
    let mut named = vec![
        ("type", &a.kind, &b.kind),
        ("mode", &a.mode, &b.mode),
        ("owner", &a.owner, &b.owner),
        ("mtime", &a.mtime, &b.mtime),
    ];
    if same_kind {
        named.extend([("size", &a.size, &b.size), ("target", &a.target, &b.target)]);
    }
    what.extend(
        named.iter().filter(|(_, x, y)| x != y).map(|(name, x, y)| format!("{name} {x} → {y}")),
    );
    if a.xattrs != b.xattrs {
        let differing = xattrs(&a.xattrs, &b.xattrs).join(", ");
        what.push(format!("extended attributes {differing}"));
    }
    what
}

/// Names of the extended attributes that differ. The lists are `NAME=SHA-256`, joined by `;`.
fn xattrs(a: &str, b: &str) -> Vec<String> {
    let [a, b] =
        [a, b].map(|all| all.split(';').filter(|one| *one != "-").collect::<BTreeSet<_>>());
    let name = |one: &&str| one.rsplit_once('=').map_or(*one, |(name, _)| name).to_owned();
    a.symmetric_difference(&b).map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

fn inputs(a: &Published, b: &Published) -> Vec<InputDifference> {
    let mut found: Vec<InputDifference> = INPUTS
        .iter()
        .filter(|(field, _)| a.info.get(field) != b.info.get(field))
        .map(|(field, what)| InputDifference {
            what: (*what).to_owned(),
            a: a.info.get(field).to_owned(),
            b: b.info.get(field).to_owned(),
        })
        .collect();
    if a.packages != b.packages {
        let only = |x: &Published, y: &Published| {
            let other: BTreeSet<&String> = y.packages.iter().collect();
            let lines: Vec<&str> = x
                .packages
                .iter()
                .filter(|line| !other.contains(line))
                .map(String::as_str)
                .collect();
            lines.join("\n")
        };
        found.push(InputDifference {
            what: "the package list".into(),
            a: only(a, b),
            b: only(b, a),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::ledger::Ledger;
    use crate::records::published::BuildInfo;

    fn build(info: &str, artefacts: &[(&str, &str, char)]) -> Published {
        let artefact = |(stage, path, c): &(&str, &str, char)| Artefact {
            stage: (*stage).into(),
            path: (*path).into(),
            digest: format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap(),
            size: 1,
        };
        Published {
            dir: "/nowhere".into(),
            info: BuildInfo::parse(info).unwrap(),
            ledger: Ledger(artefacts.iter().map(artefact).collect()),
            packages: Vec::new(),
        }
    }

    fn entry(mode: &str, content: &str) -> ManifestEntry {
        ManifestEntry {
            kind: "file".into(),
            mode: mode.into(),
            owner: "0:0".into(),
            mtime: "1".into(),
            size: "1".into(),
            content: content.into(),
            target: "-".into(),
            xattrs: "-".into(),
        }
    }

    #[test]
    fn the_first_stage_that_differs_is_named() {
        let a = build("Commit: x", &[("one", "p", 'a'), ("two", "q", 'b'), ("three", "r", 'c')]);
        let b = build("Commit: x", &[("one", "p", 'a'), ("two", "q", 'd'), ("three", "r", 'e')]);
        let difference = BuildDifference::between(&a, &b).unwrap();
        assert_eq!(difference.stage.as_deref(), Some("two"));
        assert_eq!(
            difference.files,
            [FileDifference { path: "q".into(), what: vec!["content".into()] }]
        );
        assert!(difference.inputs.is_empty());
    }

    #[test]
    fn inputs_that_differ_are_named() {
        let a = build("InRelease:\n aa  x", &[]);
        let b = build("InRelease:\n bb  x", &[]);
        let difference = BuildDifference::between(&a, &b).unwrap();
        assert_eq!(difference.inputs.len(), 1);
        assert!(difference.inputs[0].what.contains("InRelease"));
    }

    #[test]
    fn an_entry_differs_in_content_metadata_or_existence() {
        let a = Manifest::from([
            ("x".into(), entry("0644", "h1")),
            ("gone".into(), entry("0644", "h")),
        ]);
        let b = Manifest::from([("x".into(), entry("0600", "h2"))]);
        let found = entries("rootfs.tar", &a, &b);
        assert_eq!(
            found[0],
            FileDifference { path: "rootfs.tar:gone".into(), what: vec!["only in A".into()] }
        );
        assert_eq!(found[1].what, ["content", "mode 0644 → 0600"]);
    }

    #[test]
    fn extended_attributes_that_differ_are_named() {
        assert_eq!(xattrs("a=1;b=2;c=3", "a=1;b=9"), ["b", "c"]);
        assert_eq!(xattrs("-", "user.x=1"), ["user.x"]);
    }
}
