//! The last build of the same recipe on the same engine: how long it took, for estimates.

use super::BuildFacts;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xtask_core::records::published::BuildInfo;

/// Durations of a finished build. Empty if there was none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LastBuild {
    /// Duration of each stage.
    pub(crate) stages: BTreeMap<String, Duration>,
    /// From the start of the command to the finished ISO.
    pub(crate) whole: Option<Duration>,
}

impl LastBuild {
    /// Looks where builds of this checkout go, and beside the result of this build.
    pub(crate) fn like(facts: &BuildFacts) -> LastBuild {
        let flavor = facts.flavor.as_deref().unwrap_or_default();
        let is_like = |info: &BuildInfo| {
            info.get("Recipe") == facts.recipe.name
                && info.get("Engine") == facts.engine.kind.name()
                && info.get("Flavor") == flavor
        };
        let beside = facts.output.parent().unwrap_or(Path::new("/"));
        newest(&[beside, &facts.repo.output()], is_like)
    }
}

fn newest(places: &[&Path], is_like: impl Fn(&BuildInfo) -> bool) -> LastBuild {
    let dirs = places.iter().flat_map(|place| folders(place)).flat_map(|dir| {
        // the two builds of a verify
        let both = ["build-a", "build-b"].map(|name| dir.join(name));
        std::iter::once(dir).chain(both)
    });
    let builds = dirs.filter_map(|dir| {
        let info = BuildInfo::parse(&fs::read_to_string(dir.join("BUILD_INFO")).ok()?);
        let json = fs::read_to_string(dir.join("build.json")).ok()?;
        is_like(&info).then(|| serde_json::from_str::<Value>(&json).ok())?
    });
    let last = builds.max_by_key(|build| build["started"].as_u64());
    last.map(|build| durations(&build)).unwrap_or_default()
}

fn folders(place: &Path) -> Vec<PathBuf> {
    fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn durations(build: &Value) -> LastBuild {
    let seconds = |of: &Value| Duration::try_from_secs_f64(of["seconds"].as_f64()?).ok();
    let stages = build["stages"].as_array().into_iter().flatten();
    let stages = stages.filter_map(|s| Some((s["name"].as_str()?.to_owned(), seconds(s)?)));
    LastBuild { stages: stages.collect(), whole: seconds(build) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_finished_build_of_the_same_kind_counts() {
        let dir = std::env::temp_dir().join(format!("xtask-last-build-{}", std::process::id()));
        let build = |name: &str, engine: &str, json: &str| {
            let dir = dir.join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("BUILD_INFO"), format!("Recipe: canary\nEngine: {engine}\n")).unwrap();
            fs::write(dir.join("build.json"), json).unwrap();
        };
        let took = |started: u64, seconds: f64| {
            format!(
                r#"{{"started": {started}, "seconds": {seconds},
                    "stages": [{{"name": "rootfs", "seconds": {}}}]}}"#,
                seconds / 2.0
            )
        };
        build("canary-1", "host", &took(1, 100.0));
        build("verify-2/build-a", "host", &took(3, 80.0));
        build("verify-2/build-b", "host", &took(2, 60.0));
        build("canary-3", "docker", &took(4, 40.0));
        build("canary-4", "host", "not JSON");
        build("canary-5", "host", r#"{"started": 0, "seconds": -1, "stages": 7}"#);

        let on = |engine: &str| newest(&[&dir], |info| info.get("Engine") == engine);
        assert_eq!(on("host").whole, Some(Duration::from_secs(80)));
        assert_eq!(on("host").stages["rootfs"], Duration::from_secs(40));
        assert_eq!(on("docker").whole, Some(Duration::from_secs(40)));
        assert_eq!(on("podman"), LastBuild::default());
        assert_eq!(newest(&[Path::new("/nowhere")], |_| true), LastBuild::default());
        fs::remove_dir_all(dir).unwrap();
    }
}
