//! Earlier builds on this machine: how long a build takes is known from the last one.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use walkdir::WalkDir;
use xtask_core::records::published::BuildInfo;

/// Facts about a finished build, from its build.json.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EarlierBuild {
    /// Seconds since 1970-01-01 UTC.
    pub(crate) started: u64,
    pub(crate) took: Duration,
    /// Stages with their times, in their order.
    pub(crate) stages: Vec<(String, Duration)>,
}

/// The newest build of `recipe` on `engine` below `outputs`. A verify's builds count, too.
pub(crate) fn newest(outputs: &Path, recipe: &str, engine: &str) -> Option<EarlierBuild> {
    let walk = WalkDir::new(outputs).min_depth(2).max_depth(3).into_iter().filter_entry(|entry| {
        // work folders of builds have many files
        !entry.file_name().to_string_lossy().starts_with('.')
    });
    let records = walk.flatten().filter(|entry| entry.file_name() == "build.json");
    let builds = records.filter_map(|entry| read(entry.path(), recipe, engine));
    builds.max_by_key(|build| build.started)
}

fn read(path: &Path, recipe: &str, engine: &str) -> Option<EarlierBuild> {
    let info = BuildInfo::parse(&fs::read_to_string(path.with_file_name("BUILD_INFO")).ok()?);
    if info.get("Recipe") != recipe || info.get("Engine") != engine {
        return None;
    }
    let json: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let seconds = |value: &Value| Duration::try_from_secs_f64(value["seconds"].as_f64()?).ok();
    let stages = json["stages"].as_array()?.iter();
    Some(EarlierBuild {
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
        let found = newest(&top, "canary", "docker").unwrap();
        assert_eq!((found.started, found.took), (200, Duration::from_secs(50)));
        assert_eq!(found.stages, [("rootfs".to_owned(), Duration::from_secs(25))]);
        assert_eq!(newest(&top, "canary", "podman"), None);
        assert_eq!(newest(&top.join("nowhere"), "canary", "docker"), None);
        fs::remove_dir_all(top).unwrap();
    }
}
