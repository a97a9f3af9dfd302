//! The plan of a build for a dry run: inputs, pins, engine, image, stages, and every command.

use super::inputs::{BuildFacts, EpochFrom};
use super::plan::{Folders, Run};
use super::records::earlier::EarlierBuild;
use crate::builder_image::BuilderImage;
use crate::engine::{EngineKind, EngineStatus};
use std::fs;
use xtask_core::dry_run::DryRun;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::ui::span;
use xtask_core::{apt, calendar};

/// The plan. `image_build` is the step that builds the builder image, if a build would build it.
pub(super) fn describe(
    facts: &BuildFacts,
    folders: &Folders,
    run: &Run,
    image_build: Option<&str>,
) -> DryRun {
    let mut plan = DryRun::default();
    summarize(facts, &mut plan);
    if !facts.missing.is_empty() {
        plan.step("with --setup: install missing packages", apt::line(&facts.missing));
    }
    if facts.vm.as_ref().is_some_and(|vm| vm.kernels.is_empty()) {
        let get = "apt-get download linux-image-VERSION-amd64 busybox-static (unpacked below target/, not installed)";
        plan.step("with --setup: get Debian's kernels", get);
    }
    if facts.engine.kind == EngineKind::Private {
        plan.step("start the private engine", facts.places.daemon());
    }
    if let (Run::Container { client, container }, false) = (run, facts.image_present) {
        match (&facts.image, image_build) {
            (BuilderImage::Local(_), Some(build)) => {
                plan.step("with --setup: build the builder image", build);
            }
            (BuilderImage::Saved { archive, .. }, _) => {
                plan.step("load the builder image from the saved inputs", client.load(archive));
            }
            _ => plan.step("pull the builder image", client.pull(&container.image)),
        }
    }
    if let Some(saved) = &facts.inputs {
        let copy = format!("cp -r {} {}", quoted(&saved.dir), quoted(folders.cache()));
        plan.step("use the saved package cache", copy);
    }
    plan.step("build", run.cmd());
    if let Some(dir) = &facts.save_inputs {
        let keep = format!("mv {} {}", quoted(folders.inputs()), quoted(dir));
        plan.step("keep the fetched inputs", keep);
    }
    let result = folders.work.join("result");
    let publish = format!("mv {} {}", quoted(&result), quoted(&folders.output));
    plan.step("publish the result", publish);
    plan
}

fn summarize(facts: &BuildFacts, plan: &mut DryRun) {
    let BuildFacts { recipe, source, .. } = facts;
    let flavor = facts.flavor.as_ref().map(|flavor| format!(", flavor {flavor}"));
    plan.line(
        "recipe",
        format!("{}{}: {}", recipe.name, flavor.unwrap_or_default(), recipe.description),
    );
    let dirty = if source.dirty { " with uncommitted changes" } else { "" };
    plan.line("commit", format!("{}{dirty}", source.commit));
    plan.line("pins", pins(facts));
    plan.line("packages", packages(facts));
    for why in &facts.mirror.passed_over {
        plan.line("not used", format!("snapshot server {why}"));
    }
    plan.line("engine", engine(facts));
    if facts.engine.kind != EngineKind::Host {
        plan.line("image", image(facts));
    }
    if !facts.missing.is_empty() {
        plan.line("missing", format!("{} (--setup installs them)", facts.missing.join(", ")));
    }
    let stages: Vec<&str> = recipe.stages.iter().map(|stage| stage.name.as_str()).collect();
    plan.line("stages", stages.join(", "));
    if let Some(dir) = &facts.save_inputs {
        plan.line("inputs", format!("everything fetched is kept in {}", dir.shown()));
    }
    let holds_something =
        fs::read_dir(&facts.output).is_ok_and(|mut entries| entries.next().is_some());
    let replaced = if holds_something { " (replaces an older result)" } else { "" };
    plan.line("result", format!("{}{replaced}", facts.output.shown()));
    plan.line("last time", last_time(facts));
}

fn pins(facts: &BuildFacts) -> String {
    let from = match facts.epoch.from {
        EpochFrom::Commit => "the commit's time",
        EpochFrom::EnvFile => "source-date-epoch.env",
    };
    let mut pins = vec![format!("snapshot {}", facts.pin.stamp)];
    if let Some(commit) = facts.upstream.as_ref().and_then(|upstream| upstream.commit.as_ref()) {
        pins.push(format!("derivative-maker {commit}"));
    }
    pins.push(format!("SOURCE_DATE_EPOCH {} ({from})", facts.epoch.seconds));
    pins.join(", ")
}

fn packages(facts: &BuildFacts) -> String {
    let mirror = &facts.mirror.mirror;
    match &facts.inputs {
        Some(saved) => format!("saved inputs in {}; no network", saved.dir.shown()),
        None if mirror.pinned() => mirror.debian.clone(),
        None => format!("{} (not the pinned snapshot)", mirror.debian),
    }
}

fn engine(facts: &BuildFacts) -> String {
    let kind = facts.engine.kind;
    match (kind, &facts.engine.status) {
        (EngineKind::Private, _) if facts.engine.of_setup => {
            format!("{kind}, started for this build (an earlier --setup prepared it)")
        }
        (EngineKind::Private, _) => format!("{kind}, started for this build"),
        (EngineKind::Host, _) => format!("{kind}: this machine's tools, no container"),
        (EngineKind::Vm, _) => match &facts.vm {
            Some(vm) => vm.describe(),
            None => kind.to_string(),
        },
        (_, EngineStatus::Running(version)) => format!("{kind} {version}"),
        (_, EngineStatus::NotInstalled) => format!("{kind}, which is not installed"),
        (_, EngineStatus::Unreachable { .. }) => format!("{kind}, which does not answer"),
        (_, EngineStatus::Unusable(_)) => format!("{kind}, which cannot run builds"),
    }
}

fn image(facts: &BuildFacts) -> String {
    if facts.vm.is_some() {
        let todo = match &facts.kept_image {
            Some(kept) => format!("booted from {}", kept.archive.shown()),
            None => "cannot be booted".to_owned(),
        };
        return format!("{} ({todo})", facts.image.record());
    }
    let todo = match (&facts.image, facts.image_present) {
        (_, true) => "the engine has it",
        (BuilderImage::Local(_), false) if facts.kept_image.is_some() => {
            "loaded from target/, where an earlier build left it"
        }
        (BuilderImage::Local(_), false) => "the engine lacks it; --setup builds it",
        (BuilderImage::Named(_), false) => "pulled first",
        (BuilderImage::Saved { .. }, false) => "loaded from the saved inputs",
    };
    let name = match (&facts.image, &facts.engine.client) {
        (BuilderImage::Local(_), Some(client)) => facts.image.name(client),
        _ => facts.image.record(),
    };
    format!("{name} ({todo})")
}

fn last_time(facts: &BuildFacts) -> String {
    let engine = facts.engine.kind.name();
    let Some(earlier) = EarlierBuild::like(facts) else {
        let none = format!("no build of {} on engine {engine} is known", facts.recipe.name);
        let Some(vm) = &facts.vm else { return none };
        return match EarlierBuild::in_container(facts) {
            Some(native) => {
                let (about, native) = (span(vm.about(native.took)), span(native.took));
                format!("{native} in a container, which is about {about} on engine {engine}")
            }
            None => match vm.slower() {
                1 => none,
                times => format!("{none}; it takes about {times} times as long as a container"),
            },
        };
    };
    let stages = earlier.stages.iter().map(|(name, took)| format!("{name} {}", span(*took)));
    format!(
        "{} ({}), at {} UTC",
        span(earlier.took),
        stages.collect::<Vec<_>>().join(", "),
        calendar::utc(i64::try_from(earlier.started).unwrap_or_default())
    )
}
