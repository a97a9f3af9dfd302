//! Facts from the records beside two images: inputs, conditions, and the stage that wrote each file.

use crate::classify::{Build, Context, Diagnosis};
use crate::difference::Place;
use crate::packages;
use crate::report;
use crate::subject::Pair;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use xtask_core::record_file;
use xtask_core::records::manifest;
use xtask_core::records::published::Published;
use xtask_core::records::verdict::BuildDifference;
use xtask_core::ui::Ui;

/// The records of both builds.
pub(crate) struct Records {
    a: Published,
    b: Published,
    difference: BuildDifference,
    /// Stage, and the paths that differ in the tree that it left; in the order of the stages.
    trees: Vec<(String, BTreeSet<String>)>,
}

/// Whatever is known of two builds. Records that cannot be read are told, and done without.
pub(crate) fn of(pair: &Pair) -> (Option<Records>, Context) {
    let read = pair.builds.as_ref().map(|[a, b]| Records::read(a, b));
    let records = match read {
        Some(Ok(records)) => Some(records),
        Some(Err(error)) => {
            Ui::new(false).notice(&format!("going on without the builds' records: {error:#}"));
            None
        }
        None => None,
    };
    let context = records.as_ref().map(Records::context).unwrap_or_default();
    (records, context)
}

impl Records {
    fn read(a: &Path, b: &Path) -> Result<Records> {
        let (a, b) = (Published::read(a)?, Published::read(b)?);
        let difference = BuildDifference::without_files(&a, &b);
        let mut trees = Vec::new();
        for artefact in &a.ledger.0 {
            let [x, y] = [&a, &b].map(|build| build.manifest_file(&artefact.path));
            let differing = |x: &Path| record_file::if_there(&y, |y| manifest::differing(x, y));
            if let Some(Some(paths)) = record_file::if_there(&x, differing)? {
                trees.push((artefact.stage.clone(), paths));
            }
        }
        Ok(Records { a, b, difference, trees })
    }

    fn context(&self) -> Context {
        let epoch = |build: &Published| build.info.get("Source-Date-Epoch").parse::<i64>().ok();
        let both = [epoch(&self.a), epoch(&self.b)];
        let known = || both.iter().flatten().copied();
        let around = known().min().zip(known().max()).map(|(first, last)| first..last + 1);
        let epochs = match both {
            [Some(a), Some(b)] if a != b => Some([a, b]),
            _ => None,
        };
        Context { epochs, around, a: conditions(&self.a), b: conditions(&self.b) }
    }

    /// The part of a report that comes from the records.
    pub(crate) fn report(&self, diagnosis: &Diagnosis) -> report::RecordFacts {
        let of_causes = diagnosis.causes.iter().flat_map(|cause| &cause.places);
        let of_items = diagnosis.unexplained.iter().map(|item| &item.place);
        let places: BTreeSet<&Place> = of_causes.chain(of_items).collect();
        let wrote: BTreeMap<Place, String> = places
            .into_iter()
            .filter_map(|place| Some((place.clone(), self.stage_of(place)?)))
            .collect();
        let inputs = self.difference.inputs.iter().map(|input| {
            let short = |text: &str| crate::text::shortened(&text.replace('\n', ", "), 160);
            format!("{}: {} → {}", input.what, short(&input.a), short(&input.b))
        });
        let inputs = inputs.chain(tools(&self.a, &self.b));
        report::RecordFacts {
            stage: self.difference.stage.clone(),
            inputs: inputs.collect(),
            wrote,
        }
    }

    /// The first stage that left something else at this place.
    fn stage_of(&self, place: &Place) -> Option<String> {
        let path = place.path().trim_start_matches("./");
        // tar has the path as it was named to it
        let names = [path.to_owned(), format!("./{path}"), format!("./{path}/")];
        let differs = |paths: &BTreeSet<String>| names.iter().any(|name| paths.contains(name));
        let in_tree = self.trees.iter().find(|(_, paths)| !path.is_empty() && differs(paths));
        if let Some((stage, _)) = in_tree {
            return Some(stage.clone());
        }
        // the file of the image that holds it, as a stage left it: live/filesystem.squashfs
        let digest = |build: &Published, path: &str| {
            build.ledger.0.iter().find(|x| x.path == path).map(|x| x.digest.clone())
        };
        let named = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let outer = named(place.0.first()?);
        let iso = self.a.info.get("Iso");
        let left = self.a.ledger.0.iter().find(|artefact| {
            named(&artefact.path) == outer
                && digest(&self.a, &artefact.path) != digest(&self.b, &artefact.path)
        });
        let iso = || self.a.ledger.0.iter().find(|artefact| artefact.path == iso);
        left.or_else(iso).map(|artefact| artefact.stage.clone())
    }
}

/// Tools of the builders that have other versions.
fn tools(a: &Published, b: &Published) -> Vec<String> {
    let list = |build: &Published| -> BTreeMap<String, String> {
        let lines = build.info.get("Tools").lines().filter_map(|line| line.split_once(' '));
        lines.map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
    };
    let changed = packages::changes(&list(a), &list(b));
    changed.into_iter().map(|(_, line)| format!("the builder's tools: {line}")).collect()
}

/// From build.json, which only says how a build went.
fn conditions(build: &Published) -> Build {
    let bytes = record_file::read(&build.dir.join("build.json")).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    Build { host: text("host"), kernel: text("kernel"), cpus: json["cpus"].as_u64() }
}
