//! `cargo xtask release publish`: publishes the folder of a release on Gitea, all of it or nothing.

use super::folder::{Release, ReleaseFile, default_folder};
use super::gitea::{Gitea, MAX_MIB, MIB};
use super::package::Package;
use super::upload::{Done, Upload};
use anyhow::{Context as _, Error, Result};
use clap::value_parser;
use serde_json::json;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use xtask_core::apt;
use xtask_core::dry_run::{DryRun, PlanFormat};
use xtask_core::escape::Shown as _;
use xtask_core::exec::{quoted, which};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::http::{self, Http, Url};
use xtask_core::json;
use xtask_core::secret::{RELEASE_TOKEN, Secret};
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask release publish --dry-run
  cargo xtask release publish --token-file ~/.config/silvermetal/token";

/// Publish that folder on Gitea: whole or not at all, and once; print the release's page
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReleasePublishArgs {
    /// Folder that `release build` made [default: linux/build/output/release-vVERSION]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Page of the repository on Gitea [default: `repository` in Cargo.toml]
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// File that holds Gitea's access token [default: SILVERMETAL_RELEASE_TOKEN in the environment]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// CA certificates (PEM) to trust besides this machine's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Largest file that the server takes, in MiB
    #[arg(long, value_name = "MIB", default_value_t = MAX_MIB)]
    max_size: u64,
    /// Give up on a transfer that makes no progress for this long
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = value_parser!(u32).range(1..))]
    stall: u32,
    /// Print what would be done, and ask no server
    #[arg(long)]
    dry_run: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
    /// Show every request
    #[arg(long, short)]
    verbose: bool,
}

/// `cargo xtask release publish`
pub(crate) fn command(repo: &Repo, args: &ReleasePublishArgs) -> Result<()> {
    let ui = Ui::new(args.verbose);
    let package = Package::read(repo)?;
    let folder = args.folder.clone().unwrap_or_else(|| default_folder(repo, &package.tag()));
    let release = Release::read(&folder).map_err(|error| match args.folder {
        Some(_) => error,
        None => Code::NotReady.wrap(error), // nobody named a wrong folder: nothing was built yet
    })?;
    let repository: Url =
        args.repository.as_deref().unwrap_or(&package.repository).parse().or_exit(Code::Usage)?;
    let token = token(args.token_file.as_deref(), &ui);
    let mut problems: Vec<Problem> =
        release.files.iter().filter_map(|file| too_large(file, args.max_size)).collect();
    if let Err(error) = &token {
        problems.push(Problem::new(
            format!("{error:#}"),
            format!("give an access token of Gitea in {RELEASE_TOKEN}, or --token-file FILE"),
        ));
    }
    if which(http::PACKAGE).is_none() {
        problems.extend(apt::problem(&[http::PACKAGE.to_owned()], false));
    }
    if args.dry_run {
        let shown = PlanFormat { json: args.json, verbose: args.verbose };
        return describe(&release, &repository).show("release publish", &problems, shown);
    }
    refuse(&problems)?;
    let http = Http { stall_timeout: args.stall, ca_file: args.ca_file.clone(), ..Http::default() };
    let gitea = Gitea::new(http, &repository, token?, &ui)?;
    let done = Upload { gitea: &gitea, release: &release, ui: &ui, uploaded: Vec::new() }
        .run()
        .map_err(|error| not_published(&error, &folder))?;
    print(&release, &done, args.json);
    Ok(())
}

/// Adds the command that continues to an error, beside the error's own fix.
fn not_published(error: &Error, folder: &Path) -> Error {
    Code::of(error).error(format!(
        "not published: {error:#}\n  uploaded files are kept; to continue: cargo xtask release publish {}",
        quoted(folder)
    ))
}

fn too_large(file: &ReleaseFile, max_mib: u64) -> Option<Problem> {
    (file.size > max_mib * MIB).then(|| {
        Problem::new(
            format!(
                "{} has {} MiB: the server accepts at most {max_mib} MiB per file",
                file.path.shown(),
                file.size.div_ceil(MIB)
            ),
            "raise FILE_MAX_SIZE under [repository.release] in Gitea's app.ini, and pass --max-size MIB",
        )
    })
}

/// Most bytes of a token's file. Gitea's tokens have 40.
const LONGEST_TOKEN: u64 = 1 << 16;

fn token(file: Option<&Path>, ui: &Ui) -> Result<Secret> {
    let Some(path) = file else {
        let value = std::env::var(RELEASE_TOKEN).unwrap_or_default();
        return Secret::new(&value, RELEASE_TOKEN);
    };
    // it may be a pipe: --token-file <(pass show gitea)
    let mut text = String::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(LONGEST_TOKEN).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {}", path.shown()))?;
    let mode = path.metadata().map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        ui.notice(&format!("other users can read the token: chmod 600 {}", quoted(path)));
    }
    Secret::new(text.trim(), &path.shown().to_string())
}

/// The plan, for a dry run. It does not ask the server, so it cannot know which steps are done.
fn describe(release: &Release, repository: &Url) -> DryRun {
    let mut plan = DryRun::default();
    plan.line("release", format!("{} of {repository}", release.tag));
    plan.line("first", "create a draft, unless the server has one");
    for file in &release.files {
        let what = format!("{} ({} bytes), unless the server has it", file.name, file.size);
        plan.line("upload", what);
    }
    plan.line("then", "download all files, compare the hashes, publish");
    plan
}

fn print(release: &Release, done: &Done, as_json: bool) {
    if !as_json {
        answer(format_args!("{}", done.release.page.shown()));
        return;
    }
    json::print(&json!({
        "format": "silvermetal-publish/1",
        "tag": release.tag,
        "test": release.test,
        "id": done.release.id,
        "page": done.release.page,
        "files": release.json()["files"],
        "uploaded": done.uploaded,
    }));
}
