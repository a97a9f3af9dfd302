//! The engine: it answers, speaks the client's API, and has or gets the builder image. Then the
//! container contract is tested inside it.

use super::contract;
use super::report::DoctorReport;
use crate::build::{self, BuildFacts};
use crate::engine::container::Network;
use crate::engine::private::Private;
use crate::engine::{Client, EngineKind};
use xtask_core::escape::Shown as _;
use xtask_core::failure::Problem;
use xtask_core::ui::Ui;

pub(super) fn look(facts: &BuildFacts, setup: bool, ui: &Ui, report: &mut DoctorReport) {
    let Some(client) = &facts.engine.client else { return };
    let mut private = None;
    let silent =
        ["engine-answers", "engine-api", "packages"].iter().any(|rule| report.is_broken(rule));
    if silent {
        report.skip_engine_rules(&format!("no build can run on engine {}", facts.engine.kind));
        return;
    }
    if facts.engine.kind == EngineKind::Private {
        match Private::start(&facts.places, ui) {
            Ok(started) => private = Some(started),
            Err(error) => {
                report.broken(
                    Problem::new(
                        format!("{error:#}"),
                        "start a Docker Engine and pass --engine docker",
                    )
                    .of("engine-answers"),
                );
                report.skip_engine_rules("no engine answers");
                return;
            }
        }
    }
    let version = client.version().unwrap_or_default();
    report.holds("engine-answers", format!("engine {} {version}", facts.engine.kind));
    api(client, report);
    cgroup(client, report);
    let network = private.as_ref().map_or(Network::Bridge, |private| private.network);
    match build::prepare(facts, network, setup, ui) {
        Ok(()) => {
            report.holds("builder-image", facts.image.name(client));
            contract::look(facts, network, ui, report);
        }
        Err(error) => {
            // preflight may have reported it already
            if !report.is_broken("builder-image") {
                let ways =
                    crate::builder_image::fix_hint(facts.engine.kind, &facts.repo.build_sh());
                let why = format!("{error:#}").replace("not ready: 1 problem\n  1. ", "");
                let why = why.lines().next().unwrap_or_default().to_owned();
                report.broken(Problem::new(why, ways).of("builder-image"));
            }
            report.skip_engine_rules("there is no builder image");
        }
    }
}

/// Compares the client's API version with the engine's minimum.
fn api(client: &Client, report: &mut DoctorReport) {
    if client.kind == EngineKind::Podman {
        report.skipped("engine-api", "podman is client and engine in one");
        return;
    }
    let template = "{{.Client.APIVersion}} {{.Server.MinAPIVersion}}";
    let answer = client.cmd().args(["version", "--format", template]).within_seconds(10).read();
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            report.broken(Problem::new(format!("{error:#}"), UPDATE).of("engine-api"));
            return;
        }
    };
    let mut versions = answer.split(' ').map(number);
    match (versions.next().flatten(), versions.next().flatten()) {
        (Some(ours), Some(least)) if ours >= least => {
            report.holds(
                "engine-api",
                format!("client {}.{}, engine's minimum {}.{}", ours.0, ours.1, least.0, least.1),
            );
        }
        (Some(ours), Some(least)) => report.broken(
            Problem::new(
                format!(
                    "the client speaks API {}.{}: the engine expects {}.{} or newer",
                    ours.0, ours.1, least.0, least.1
                ),
                UPDATE,
            )
            .of("engine-api"),
        ),
        _ => report
            .skipped("engine-api", format!("the engine names no minimum (`{}`)", answer.shown())),
    }
}

const UPDATE: &str =
    "install a docker client that is no older than the engine (and unset DOCKER_API_VERSION)";

fn number(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn cgroup(client: &Client, report: &mut DoctorReport) {
    if report.is_broken("cgroup-v2") {
        return;
    }
    match client.cgroup_version() {
        Ok(version) if version == "2" => report.holds("cgroup-v2", "the engine says 2"),
        Ok(version) => report.broken(
            Problem::new(
                format!("the engine runs on cgroup v{version}, where the builder's systemd does not boot"),
                "boot its host with systemd.unified_cgroup_hierarchy=1",
            )
            .of("cgroup-v2"),
        ),
        Err(error) => report.broken(Problem::new(format!("{error:#}"), "ask the engine: docker info").of("cgroup-v2")),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(number("1.44") > number("1.9"));
        assert_eq!(number("1"), None);
    }
}
