//! The docker client's folder: config.json is readable, and the plugins can write beside it.

use super::report::DoctorReport;
use crate::build::BuildFacts;
use crate::engine::EngineKind;
use crate::registry::{config_dir, read_config};
use std::fs::{self, File};
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::failure::Problem;

const RULE: &str = "docker-config";

pub(super) fn look(facts: &BuildFacts, report: &mut DoctorReport) {
    if !matches!(facts.engine.kind, EngineKind::Docker | EngineKind::Private) {
        report.skipped(RULE, format!("engine {} has no docker client", facts.engine.kind));
        return;
    }
    let Some(dir) = config_dir() else {
        report.skipped(RULE, "HOME is not set: docker's client has no configuration");
        return;
    };
    let shown = quoted(&dir);
    let config = dir.join("config.json");
    if config.is_dir() {
        report.broken(
            Problem::new(
                format!(
                    "{} is a folder: a bind mount of a missing file created it",
                    config.shown()
                ),
                format!(
                    "rmdir {}, and log in on the runner's host before the job: docker login",
                    quoted(config)
                ),
            )
            .of(RULE),
        );
        return;
    }
    if let Err(error) = read_config(&dir) {
        report.broken(
            Problem::new(
                format!("{error:#}"),
                "repair or remove it, and log in again: docker login",
            )
            .of(RULE),
        );
        return;
    }
    match unwritable(&dir) {
        None => report.holds(RULE, format!("{} can be read, and its folder can be written to", config.shown())),
        Some(why) => report.broken(
            Problem::new(
                format!("{} cannot be written to ({why}): buildx keeps its state there", dir.shown()),
                format!(
                    "mount only {shown}/config.json, read-only, and not the folder; or set DOCKER_CONFIG to a folder of the job's own"
                ),
            )
            .of(RULE),
        ),
    }
}

/// The reason why nothing can be written to the folder, or to that of buildx in it.
fn unwritable(dir: &Path) -> Option<String> {
    let buildx = dir.join("buildx/activity");
    for folder in [dir, &buildx] {
        let there = folder.ancestors().find(|folder| folder.is_dir())?;
        let probe = there.join(format!(".silvermetal-doctor-{}", std::process::id()));
        if let Err(error) = File::create(&probe) {
            return Some(error.to_string());
        }
        drop(fs::remove_file(probe));
    }
    None
}
