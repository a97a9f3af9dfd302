//! `inspect`: what is in an image, and whether it holds the content policy of its recipe.

mod boot;
mod changes;
mod contents;
mod file_tree;
mod forbidden;
mod grub_core;
mod kernel;
mod program;
mod rebuilt;
mod report;
mod roots;
mod rules;
mod sources;
mod sshd;
mod started;
mod traces;
mod violation;
mod volumes;

use anyhow::Result;
use contents::Contents;
use std::path::Path;
use xtask_args::InspectArgs;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::json;
use xtask_core::recipe::{self, Recipe};
use xtask_core::records::published::BuildInfo;
use xtask_core::ui::answer;

/// `cargo xtask inspect`
pub(crate) fn command(args: &InspectArgs) -> Result<()> {
    match &args.images[..] {
        [_, _] if args.rebuilt => {
            Err(Code::Usage.error("--rebuilt looks at one image: name one, not two"))
        }
        [a, b] => changes::command(a, b, args.json),
        [iso, ..] => one(iso, args),
        [] => Err(Code::Usage.error("no image named")),
    }
}

fn one(iso: &Path, args: &InspectArgs) -> Result<()> {
    let iso = crate::subject::iso(iso)?;
    let info = records(&iso);
    let known = |field: &str| {
        info.as_ref().map(|info| info.get(field).to_owned()).filter(|value| !value.is_empty())
    };
    let recipe = args
        .recipe
        .clone()
        .or_else(|| known("Recipe"))
        .unwrap_or_else(|| recipe::DEFAULT.to_owned());
    let repo = Repo::find()?;
    let recipe = Recipe::load(&repo, &recipe)?;
    let flavor = args.flavor.clone().or_else(|| known("Flavor"));
    if let Some(flavor) = args.flavor.as_ref().filter(|flavor| !recipe.flavors.contains(flavor)) {
        return Err(Code::Usage.error(format!(
            "recipe {} has no flavor `{}`: expected one of {}",
            recipe.name,
            flavor.shown(),
            if recipe.flavors.is_empty() { "none".to_owned() } else { recipe.flavors.join(", ") }
        )));
    }
    let epoch = known("Source-Date-Epoch").and_then(|text| text.parse().ok());
    // the slow part comes after everything that may be refused
    let rebuilders = args.rebuilt.then(|| rebuilt::Rebuilders::ask(&args.rebuilder)).transpose()?;
    let contents = Contents::read(&iso, epoch)?;
    let traces = traces::Traces::of_builder(&iso, !args.quick);
    let policy = recipe.policy.clone().unwrap_or_default();
    let violations = rules::violations(&contents, &policy, flavor.as_deref(), &traces)?;
    let rebuilt = rebuilders.map(|rebuilders| rebuilders.of(&contents));
    if args.json {
        let mut report = report::json(&contents, &recipe.name, &violations);
        report["rebuilt"] = rebuilt.map(|rebuilt| rebuilt.json()).into();
        json::print(&report);
    } else {
        let rebuilt = rebuilt.map(|rebuilt| format!("\n{}", rebuilt.text())).unwrap_or_default();
        let report = report::text(&contents, &recipe.name, &violations) + &rebuilt;
        answer(format_args!("{}", report.trim_end()));
    }
    if violations.is_empty() {
        return Ok(());
    }
    let named = args.recipe.is_some() || known("Recipe").is_some();
    let other = if named { None } else { likelier(&repo, &contents, &traces, violations.len()) };
    let other = other.map(|name| {
        format!("; no record names its recipe, and it looks like {name}: pass --recipe {name}")
    });
    Err(Code::No.error(format!(
        "{} does not hold the content policy ({}): {}{}",
        quoted(&iso),
        recipe.path().shown(),
        report::headline(&recipe.name, &violations),
        other.unwrap_or_default()
    )))
}

/// The recipe whose policy an image violates least, if that is less often than `violations`.
fn likelier(
    repo: &Repo,
    contents: &Contents,
    traces: &traces::Traces,
    violations: usize,
) -> Option<String> {
    let count = |name: &String| {
        let policy = Recipe::load(repo, name).ok()?.policy.unwrap_or_default();
        Some(rules::violations(contents, &policy, None, traces).ok()?.len())
    };
    let names = recipe::names(repo).into_iter();
    let counted = names.filter_map(|name| Some((count(&name)?, name)));
    counted.min().filter(|(count, _)| *count < violations).map(|(_, name)| name)
}

/// BUILD_INFO beside the image.
fn records(iso: &Path) -> Option<BuildInfo> {
    let info = BuildInfo::read(&iso.parent()?.join("BUILD_INFO")).ok()?;
    // somebody else's record says nothing of this image
    (iso.file_name()?.to_str()? == info.get("Iso")).then_some(info)
}
