//! Earlier builds on this machine: how long a build takes is known from the last one.

use crate::build::BuildFacts;
use crate::engine::EngineKind;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use walkdir::WalkDir;
use xtask_core::record_file;
use xtask_core::records::published::BuildInfo;

/// Facts about a finished build, from its build.json.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EarlierBuild {
    /// The folder with its ISO and its records.
    pub(crate) dir: PathBuf,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) started: u64,
    pub(crate) took: Duration,
    /// Stages with their times, in their order.
    pub(crate) stages: Vec<(String, Duration)>,
}

impl EarlierBuild {
    /// The newest build of the same image on the same engine: among the results of this checkout, and
    /// where the result of this build goes.
    pub(crate) fn like(facts: &BuildFacts) -> Option<EarlierBuild> {
        let flavor = facts.flavor.as_deref().unwrap_or_default();
        let is_like = |info: &BuildInfo| {
            info.get("Recipe") == facts.recipe.name
                && info.get("Engine") == facts.engine.kind.name()
                && info.get("Flavor") == flavor
        };
        // build B of a verify follows build A
        let here = [facts.output.clone(), facts.output.with_file_name("build-a")];
        let here = here.iter().filter_map(|dir| read(&dir.join("build.json"), is_like));
        newest(&facts.repo.output(), is_like).into_iter().chain(here).max_by_key(|it| it.started)
    }

    /// The newest build of the same image in a container.
    pub(crate) fn in_container(facts: &BuildFacts) -> Option<EarlierBuild> {
        let flavor = facts.flavor.as_deref().unwrap_or_default();
        let containers = [EngineKind::Docker, EngineKind::Podman, EngineKind::Private];
        newest(&facts.repo.output(), |info| {
            info.get("Recipe") == facts.recipe.name
                && info.get("Flavor") == flavor
                && containers.iter().any(|kind| kind.name() == info.get("Engine"))
        })
    }

    /// Time of a stage, if it is one that a person waits for.
    pub(crate) fn stage(&self, name: &str) -> Option<Duration> {
        let took = self.stages.iter().find(|(stage, _)| stage == name).map(|(_, took)| *took);
        took.filter(|took| took.as_secs() > 0)
    }
}

/// The newest build below `outputs` for which `is_it` holds. A verify's builds count, too.
pub(crate) fn newest(
    outputs: &Path,
    is_it: impl Fn(&BuildInfo) -> bool + Copy,
) -> Option<EarlierBuild> {
    let walk = WalkDir::new(outputs).max_depth(3).into_iter().filter_entry(|entry| {
        // work folders of builds have many files
        entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
    });
    let records = walk.flatten().filter(|entry| entry.file_name() == "build.json");
    let builds = records.filter_map(|entry| read(entry.path(), is_it));
    builds.max_by_key(|build| build.started)
}

fn read(path: &Path, is_it: impl Fn(&BuildInfo) -> bool) -> Option<EarlierBuild> {
    let info = BuildInfo::read(&path.with_file_name("BUILD_INFO")).ok()?;
    if !is_it(&info) {
        return None;
    }
    let json: Value = serde_json::from_slice(&record_file::read(path).ok()?).ok()?;
    let seconds = |value: &Value| Duration::try_from_secs_f64(value["seconds"].as_f64()?).ok();
    let stages = json["stages"].as_array()?.iter();
    Some(EarlierBuild {
        dir: path.parent()?.to_owned(),
        started: json["started"].as_u64()?,
        took: seconds(&json)?,
        stages: stages
            .map(|stage| Some((stage["name"].as_str()?.to_owned(), seconds(stage)?)))
            .collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_newest_build_of_the_recipe_and_engine_is_found() {
        let top = std::env::temp_dir().join(format!("xtask-earlier-{}", std::process::id()));
        let build = |name: &str, recipe: &str, engine: &str, started: u64, seconds: f64| {
            let dir = top.join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("BUILD_INFO"), format!("Recipe: {recipe}\nEngine: {engine}\n"))
                .unwrap();
            let stages = serde_json::json!([{ "name": "rootfs", "seconds": seconds / 2.0 }]);
            let json =
                serde_json::json!({ "started": started, "seconds": seconds, "stages": stages });
            fs::write(dir.join("build.json"), json.to_string()).unwrap();
        };
        build("canary-1", "canary", "docker", 100, 40.0);
        build("verify-canary-2/build-b", "canary", "docker", 200, 50.0);
        build("canary-3", "canary", "host", 300, 60.0);
        build("4", "base", "docker", 400, 4000.0);
        build(".work-5/result", "canary", "docker", 500, 70.0);
        build("negative", "canary", "docker", 600, -1.0);
        fs::create_dir(top.join("canary-6")).unwrap();
        fs::write(top.join("canary-6/build.json"), "[").unwrap();
        let newest = |top: &Path, recipe: &str, engine: &str| {
            newest(top, |info| info.get("Recipe") == recipe && info.get("Engine") == engine)
        };
        let found = newest(&top, "canary", "docker").unwrap();
        assert_eq!(found.dir, top.join("verify-canary-2/build-b"));
        assert_eq!(found.stage("rootfs"), Some(Duration::from_secs(25)));
        assert_eq!(found.stage("iso"), None);
        assert_eq!((found.started, found.took), (200, Duration::from_secs(50)));
        assert_eq!(found.stages, [("rootfs".to_owned(), Duration::from_secs(25))]);
        assert_eq!(newest(&top, "canary", "podman"), None);
        assert_eq!(newest(&top.join("nowhere"), "canary", "docker"), None);
        fs::remove_dir_all(top).unwrap();
    }
}
