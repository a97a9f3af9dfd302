//! `cargo xtask reproduce`: rebuilds a release of somebody else, and compares the images.

mod args;
mod built;
mod checkout;
mod collect;
mod rebuilt_image;
mod release;
mod statement;
mod verdict;

pub(crate) use args::ReproduceArgs;

use crate::build::records::environment;
use crate::build::{self, BuildFacts, BuildRequest, OccupiedFolder, Ready, RecipeArgs, Shortcuts};
use crate::builder_image::{self, diffoscope::Diffoscope};
use crate::commands::diagnose::diagnosis_of;
use crate::engine::{EngineChoice, EngineKind};
use anyhow::{Context as _, Result};
use release::PublishedRelease;
use statement::Statement;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use verdict::{REPORT_TO, RebuildVerdict};
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::git::CheckoutState;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::interrupt;
use xtask_core::json;
use xtask_core::records::published::Published;
use xtask_core::replace::{BUILD_RECORDS, RecordFile, shared_problem};
use xtask_core::ui::{Ui, answer};

/// Files beside the folders of a reproduction.
const STATEMENT: &str = "rebuild.json";
const DIAGNOSIS: &str = "diagnosis.txt";

/// Folders of one reproduction.
struct ReproduceFolders {
    out: PathBuf,
    /// Copies of the published records.
    published: PathBuf,
    build: PathBuf,
}

impl ReproduceFolders {
    /// Problems of the folders that are not the build's: they hold files of somebody else.
    fn in_the_way(&self, release: &PublishedRelease, image: bool) -> Vec<Problem> {
        let statement = RecordFile { name: STATEMENT, mark: "\"silvermetal-rebuild/" };
        let files = [STATEMENT, DIAGNOSIS].map(str::to_owned);
        let mut names = release.names();
        names.extend(image.then(|| release.info.get("Iso").to_owned()));
        let published = shared_problem(&self.published, &names, BUILD_RECORDS[0]);
        shared_problem(&self.out, &files, statement).into_iter().chain(published).collect()
    }
}

/// `cargo xtask reproduce`
pub(crate) fn command(repo: &Repo, args: &ReproduceArgs) -> Result<()> {
    let ui = Ui::new(args.build.verbose);
    if !args.collect.is_empty() {
        return collect::command(repo, args, &ui);
    }
    let named = args.release.as_deref().unwrap_or_default();
    let mut release = PublishedRelease::get(repo, args, named, &ui)?;
    for line in &release.contradictions {
        ui.notice(&format!("the release contradicts itself: {line}"));
    }
    let folders = folders(repo, args, &release)?;
    let request = request(args, &release, &folders.build);
    let (mut facts, mut problems) = gather(repo, &release, &request, args.rebuild_image)?;
    if args.rebuild_image {
        problems.extend(rebuilt_image::problems(repo, &release, &request.what.build)?);
        problems.dedup();
    }
    for problem in folders.in_the_way(&release, args.fetch_iso) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if args.build.dry_run {
        let mut plan = build::describe(&facts)?;
        if let (true, Some(digest)) = (args.rebuild_image, rebuilt_image::digest_of(&release)) {
            plan.line("builder image", format!("first rebuilt from nothing; must have {digest}"));
        }
        return plan.show("reproduce", &problems, args.build.shown());
    }
    refuse(&problems)?;
    if args.rebuild_image {
        rebuilt_image::rebuild(repo, &release, &request.what.build, &ui)?;
        // the image is another one now
        (facts, problems) = gather(repo, &release, &request, true)?;
        refuse(&problems)?;
    }
    // the engine that preflight accepted
    facts.request.what.build.engine = facts.engine.kind.into();
    let _alone = OccupiedFolder::enter(&folders.out, facts.host.caller)?;
    // from here on all files are kept as evidence
    release.get_manifests(&ui)?;
    release.keep(&folders.published)?;
    let begun = Instant::now();
    let here = environment(&facts, None, None);
    let statement = Statement::new(&release, &facts, args.rebuilder.as_deref());
    let built = Ready::new(facts, &ui).and_then(|ready| ready.build(begun, &ui));
    let verdict = match built {
        Ok(built) => {
            let ours = Published::read(&folders.build)?;
            verdict::of(&release, &built.digest, &ours, &folders.published)?
        }
        Err(error) => match Code::of(&error) {
            Code::Failed => RebuildVerdict::CouldNotBuild { why: format!("{error:#}") },
            // interrupted, or a problem of this machine: that says nothing about the release
            _ => return Err(error),
        },
    };
    let build = match verdict {
        RebuildVerdict::CouldNotBuild { .. } => None,
        _ => Some(folders.build.as_path()),
    };
    let statement = statement.with(&verdict, begun.elapsed().as_secs_f64(), build, &here);
    let path = folders.out.join(STATEMENT);
    statement.write(&path)?;
    conclude(repo, args, &mut release, &verdict, &statement, &folders, &ui)
}

fn folders(
    repo: &Repo,
    args: &ReproduceArgs,
    release: &PublishedRelease,
) -> Result<ReproduceFolders> {
    let out = match &args.output {
        Some(dir) => std::path::absolute(dir).context("--output").or_exit(Code::Usage)?,
        None => repo.output().join(format!("reproduce-{}", release.short_name())),
    };
    Ok(ReproduceFolders { published: out.join("published"), build: out.join("build"), out })
}

/// Arguments of the build that the release's BUILD_INFO describes. The caller's flags win.
fn request(args: &ReproduceArgs, release: &PublishedRelease, output: &Path) -> BuildRequest {
    let info = &release.info;
    let mut build = args.build.clone();
    if build.engine == EngineChoice::Auto && info.get("Engine") == EngineKind::Host.name() {
        build.engine = EngineChoice::Host;
    }
    // The image is the commit's pin, or the caller's. The one that the release names is never used:
    // it would run with all privileges, and the release is not trusted yet.
    let local = info.get("Builder-Image").starts_with(builder_image::LOCAL);
    let local = local || args.rebuild_image;
    build.setup |= args.rebuild_image;
    let image = args.image.clone().or_else(|| local.then(|| builder_image::LOCAL.to_owned()));
    BuildRequest {
        what: RecipeArgs {
            recipe: info.get("Recipe").to_owned(),
            build,
            image,
            flavor: Some(info.get("Flavor").to_owned()).filter(|flavor| !flavor.is_empty()),
            upstream: None,
            from_inputs: args.from_inputs.clone(),
            shortcuts: Shortcuts::default(),
        },
        output: Some(output.to_owned()),
        save_inputs: None,
        candidate: None,
    }
}

/// Gathers the facts of the build, and all its problems, a checkout of another commit first.
fn gather(
    repo: &Repo,
    release: &PublishedRelease,
    args: &BuildRequest,
    rebuilds_image: bool,
) -> Result<(BuildFacts, Vec<Problem>)> {
    let source = CheckoutState::gather(repo)?;
    let mut problems = checkout::problems(repo, release, &source)?;
    let at_the_commit = problems.is_empty();
    match BuildFacts::gather(repo, args) {
        Ok(facts) => {
            if at_the_commit {
                problems.extend(checkout::other_inputs(release, &facts));
                if !rebuilds_image {
                    problems.extend(checkout::image_problem(release, &facts));
                }
            }
            problems.extend(build::problems(&facts, args.what.build.setup));
            Ok((facts, problems))
        }
        // at another commit, facts may be missing: its problem comes first
        Err(error) => {
            refuse(&problems)?;
            Err(error)
        }
    }
}

fn conclude(
    repo: &Repo,
    args: &ReproduceArgs,
    release: &mut PublishedRelease,
    verdict: &RebuildVerdict,
    statement: &Statement,
    folders: &ReproduceFolders,
    ui: &Ui,
) -> Result<()> {
    let mut text = verdict.text(release);
    if let RebuildVerdict::Mismatch { built, .. } = verdict {
        let ours = folders.build.join(release.info.get("Iso"));
        if args.fetch_iso && release.iso.is_none() {
            let path = folders.published.join(release.info.get("Iso"));
            let known = release.contradictions.len();
            if let Err(error) = release.get_image(&path, ui) {
                interrupt::check()?;
                ui.notice(&format!("going on without the published image: {error:#}"));
            }
            for line in &release.contradictions[known..] {
                text += &format!("  the release contradicts itself: {line}\n");
            }
        }
        text += &match &release.iso {
            Some(iso) if iso.digest != *built => {
                diagnosis(repo, &iso.path, &ours, &folders.out, ui)
            }
            Some(_) => String::new(),
            None => next_step(release, &ours),
        };
    }
    if !matches!(verdict, RebuildVerdict::CouldNotBuild { .. }) {
        text += &format!("kept: {}\n", folders.out.shown());
    }
    text += &format!("statement: {}\n", folders.out.join(STATEMENT).shown());
    if let RebuildVerdict::Mismatch { .. } = verdict {
        text += &format!(
            "report it: send rebuild.json, published/ and the records in build/ to {REPORT_TO}\n"
        );
    }
    if args.build.json {
        json::print(&statement.0);
    } else {
        answer(format_args!("{}", text.trim_end()));
    }
    match verdict {
        RebuildVerdict::Match { .. } => Ok(()),
        RebuildVerdict::Mismatch { .. } => {
            Err(Code::No.error("the rebuild differs from the release"))
        }
        // otherwise the text above has told it
        RebuildVerdict::CouldNotBuild { why } if args.build.json => {
            Err(Code::Failed.error(format!("the release could not be rebuilt: {why}")))
        }
        RebuildVerdict::CouldNotBuild { .. } => {
            Err(Code::Failed.error("the release could not be rebuilt"))
        }
    }
}

/// Runs `diagnose`, and keeps its report in a file. Its failure does not change the verdict.
fn diagnosis(repo: &Repo, published: &Path, ours: &Path, out: &Path, ui: &Ui) -> String {
    let report = Diffoscope::if_at_hand(repo, Some(ours), ui)
        .and_then(|diffoscope| diagnosis_of(repo, published, ours, diffoscope.as_ref(), ui));
    let path = out.join(DIAGNOSIS);
    let kept = report.and_then(|text| {
        fs::write(&path, &text).context("cannot keep the diagnosis")?;
        Ok(text)
    });
    match kept {
        Ok(text) => format!("{text}diagnosis: {}\n", path.shown()),
        Err(error) => format!("no diagnosis: {error:#}\n"),
    }
}

fn next_step(release: &PublishedRelease, ours: &Path) -> String {
    let iso = release.info.get("Iso");
    let fetch = release.url_of(iso).map(|url| format!("curl -LO {} && ", quoted(url.as_str())));
    let (fetch, iso, ours) = (fetch.unwrap_or_default(), quoted(iso), quoted(ours));
    format!("next: {fetch}cargo xtask diagnose {iso} {ours}\n")
}
