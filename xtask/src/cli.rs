//! The command line, as data.

use crate::engine::EngineChoice;
use base::pins::ImageRef;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// SilverMetal's build automation: one door from a commit to a reproducible ISO.
///
/// Exit codes: 0 yes; 1 no (differs, findings); 2 usage; 3 the environment isn't ready;
/// 4 a build or an outside step failed; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build an ISO once; prints its SHA-256 and path
    Iso(IsoArgs),
    /// Build twice and compare: identical, or where and why not
    Verify(VerifyArgs),
    /// Boot an ISO in QEMU to a login prompt; keeps a screenshot and the serial log
    Boot(BootArgs),
    /// Find every fault that the files alone can show, in one run
    Check(PassedOn),
    /// Name the causes why two images differ, and what mends each
    Diagnose(PassedOn),
    /// What is in an image, and does it hold the content policy
    Inspect(PassedOn),
    /// Look at the machine, the engine, the registries and, inside the builder, the container contract
    Doctor(DoctorArgs),
    /// The builder image
    #[command(subcommand)]
    Image(ImageCommand),
    /// Make a release of what was verified
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Rebuild somebody's release and compare: match, mismatch, or could not build
    Reproduce(ReproduceArgs),
    /// Pin a builder image by its digest: build.sh, and its provenance in builder-image.toml
    BumpImage(BumpImageArgs),
    /// Move the snapshot pin to a moment that is whole; shows which packages of the builder change
    BumpSnapshot(BumpSnapshotArgs),
    /// Move the derivative-maker pin; shows log, signature, and what changed of what was reviewed
    BumpSubmodule(BumpSubmoduleArgs),
    /// Remove what killed runs left: containers, mounts, work folders, a private engine
    Clean(CleanArgs),
    /// Format, lints and tests; --full: on the real engine too
    Test(TestArgs),
}

/// How to reach packages and an engine: the same for every command that builds.
#[derive(Clone, Debug, Args)]
pub(crate) struct BuildArgs {
    /// Where to build
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    pub(crate) engine: EngineChoice,
    /// Install missing host packages, and build the builder image where there is none, first
    #[arg(long)]
    pub(crate) setup: bool,
    /// Print the plan (the very argv) and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the whole output of what runs
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Debian mirror to build from instead of the pinned snapshot, e.g. http://HOST/debian
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Keyring that verifies --mirror, instead of Debian's own
    #[arg(long, value_name = "FILE", requires = "mirror")]
    pub(crate) mirror_keyring: Option<PathBuf>,
    /// Extra CA certificate (PEM) for the builder, where the network intercepts TLS; never in the ISO
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// What is built: the same for `iso` and `verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RecipeArgs {
    /// Folder under linux/build/recipes
    #[arg(default_value = crate::recipe::DEFAULT)]
    pub(crate) recipe: String,
    #[command(flatten)]
    pub(crate) build: BuildArgs,
    /// Builder image: registry/name@sha256:…, or `local` for the one built from today's docker/ folder
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Which of the recipe's images [default: SILVERMETAL_FLAVOR in linux/build/config/silvermetal-base.conf]
    #[arg(long, value_name = "NAME")]
    pub(crate) flavor: Option<String>,
    /// Checkout of derivative-maker to build from, instead of the pinned submodule; never released
    #[arg(long, value_name = "DIR")]
    pub(crate) upstream: Option<PathBuf>,
    /// Build with no network, from what --save-inputs kept: packages and builder image
    #[arg(long, value_name = "DIR", conflicts_with_all = ["mirror", "image", "setup"])]
    pub(crate) from_inputs: Option<PathBuf>,
    /// Take derivative-maker's packages from an earlier build of the same sources, toolchain and
    /// archive; never released
    #[arg(long, conflicts_with = "from_inputs")]
    pub(crate) reuse_packages: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct IsoArgs {
    #[command(flatten)]
    pub(crate) what: RecipeArgs,
    /// Folder for the result [default: linux/build/output/SHORT-SHA, canary-SHORT-SHA for the canary]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Keep all that the build fetches in a new folder, so that --from-inputs can build it again
    #[arg(long, value_name = "DIR", conflicts_with_all = ["from_inputs", "reuse_packages"])]
    pub(crate) save_inputs: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) what: RecipeArgs,
    /// Folder for both builds and the report [default: linux/build/output/verify-SHORT-SHA, …]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Builds at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) jobs: u8,
    /// Go on with build A of an interrupted verify, if its record still matches
    #[arg(long)]
    pub(crate) resume: bool,
    /// Conditions of build B that must not matter: all, none, or a list out of
    /// host-name, path, user, umask, cpus, locale, time-zone, environment, clock, directory-order, firmware, kernel
    #[arg(long, value_name = "all|none|LIST", default_value = "none", value_parser = crate::verify::vary)]
    pub(crate) vary: crate::verify::Vary,
    /// On a difference, find the factor of --vary that makes it, by halving
    #[arg(long, requires = "vary")]
    pub(crate) bisect: bool,
    /// Build once, and compare with a published SHA256SUMS or ISO
    #[arg(long, value_name = "FILE|URL", conflicts_with_all = ["resume", "jobs", "vary", "bisect"])]
    pub(crate) against: Option<String>,
    /// Build nothing: compare two output folders by their records, of two machines for instance;
    /// the images may be missing. The report is left in --output, where that is given
    #[arg(long, num_args = 2, value_names = ["A", "B"],
          conflicts_with_all = ["recipe", "against", "resume", "jobs", "vary", "bisect", "setup", "dry_run"])]
    pub(crate) compare: Option<Vec<PathBuf>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FirmwareChoice {
    Bios,
    Uefi,
    Both,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BootArgs {
    /// The image to boot; it is not written to
    pub(crate) iso: PathBuf,
    /// Which firmware to boot it under
    #[arg(long, value_enum, default_value_t = FirmwareChoice::Both)]
    pub(crate) firmware: FirmwareChoice,
    /// Install QEMU and its firmware first where they are missing
    #[arg(long)]
    pub(crate) setup: bool,
    /// Give up after this many seconds without a login prompt
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) timeout: u64,
    /// Folder for screenshot and serial log [default: beside the ISO, boot/]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Print the QEMU command lines and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the serial console while it boots
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// The arguments of a command that is a program of its own, which knows them and `--help`.
#[derive(Clone, Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct PassedOn {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub(crate) args: Vec<OsString>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build it from linux/build/docker; prints its name
    Build(ImageBuildArgs),
    /// Push it to a registry, building it first where the engine has none; prints its digest there
    Push(ImagePushArgs),
    /// Say which image a build would use, what it was made from, and whether a registry serves it
    Show(ImageShowArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImageBuildArgs {
    #[command(flatten)]
    pub(crate) build: BuildArgs,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Collect image, hashes, records and verify report in a folder; prints it
    Build(ReleaseBuildArgs),
    /// Bring that folder to Gitea: whole or not at all, and once; prints the release's page
    Publish(ReleasePublishArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReleaseBuildArgs {
    /// The release's tag, which names HEAD [default: v and the version in Cargo.toml]
    pub(crate) tag: Option<String>,
    /// Folder of the verify [default: linux/build/output/verify-SHORT-SHA]
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// Folder for the release [default: linux/build/output/release-TAG]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// A test release, to try the pipeline: of any recipe, engine, image and mirror. Its tag begins
    /// with `test-`, and its page says that it is none of SilverMetal's
    #[arg(long)]
    pub(crate) test: bool,
    /// Largest file that the server takes, in MiB
    #[arg(long, value_name = "MIB", default_value_t = crate::release::GITEA_MAX_MIB)]
    pub(crate) max_size: u64,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReleasePublishArgs {
    /// Folder that `release build` made [default: linux/build/output/release-vVERSION]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The repository's page on Gitea [default: `repository` in Cargo.toml]
    #[arg(long, value_name = "URL")]
    pub(crate) repository: Option<String>,
    /// File that holds Gitea's access token [default: SILVERMETAL_RELEASE_TOKEN in the environment]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// CA certificates (PEM) to trust beside this machine's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Largest file that the server takes, in MiB
    #[arg(long, value_name = "MIB", default_value_t = crate::release::GITEA_MAX_MIB)]
    pub(crate) max_size: u64,
    /// Give up on a transfer that stands still for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stall: u32,
    /// Print what would be done, and ask nobody
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Show every request
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Exit codes: 0 match; 1 mismatch: an anomaly of the supply chain, see what it says; \
    3 not ready, with the commands that mend it; 4 could not build, which says nothing about the release."
)]
pub(crate) struct ReproduceArgs {
    /// Tag (v1.1.0), page or folder of files of a release, or a local folder with SHA256SUMS and
    /// BUILD_INFO
    #[arg(value_name = "TAG|URL|DIR", required_unless_present = "collect")]
    pub(crate) release: Option<String>,
    #[command(flatten)]
    pub(crate) build: BuildArgs,
    /// Builder image, where the release's own registry cannot be reached: same digest, other registry
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Rebuild with no network, from the inputs that --save-inputs kept
    #[arg(long, value_name = "DIR", conflicts_with_all = ["mirror", "image", "setup"])]
    pub(crate) from_inputs: Option<PathBuf>,
    /// Folder for the rebuild and its statement [default: linux/build/output/reproduce-TAG]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// The published image, where it is at hand: on a mismatch it is diagnosed
    #[arg(long, value_name = "FILE")]
    pub(crate) iso: Option<PathBuf>,
    /// Who says so in rebuild.json, e.g. 'Alice <alice@example.org>' [default: USER@HOST]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) rebuilder: Option<String>,
    /// The repository's page, for a TAG [default: `repository` in Cargo.toml]
    #[arg(long, value_name = "URL")]
    pub(crate) repository: Option<String>,
    /// Build nothing: count the rebuild.json statements below DIR, each rebuilder once, CI never
    #[arg(long, value_name = "DIR", conflicts_with_all = ["image", "output", "rebuilder", "iso"])]
    pub(crate) collect: Option<PathBuf>,
    /// Independent rebuilders that must agree
    #[arg(long, value_name = "N", default_value_t = 2, requires = "collect",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) threshold: u32,
}

/// Every check runs, whatever another one found. Exit code 3 when something isn't ready.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) what: RecipeArgs,
    /// Folder that a build's result would go to [default: as for iso]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImagePushArgs {
    /// Where to; besides a tag of its inputs, one of its digest and `latest` it gets TAG
    /// [default: where the last push went, else the pin's repository, else the project's]
    #[arg(long, value_name = "REGISTRY/NAME[:TAG]")]
    pub(crate) to: Option<ImageRef>,
    /// Only where the registry has none built from today's docker/ folder (implies --setup)
    #[arg(long)]
    pub(crate) if_missing: bool,
    /// Write `image=` and `digest=` to the file that GITHUB_OUTPUT names
    #[arg(long)]
    pub(crate) github_output: bool,
    #[command(flatten)]
    pub(crate) build: BuildArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImageShowArgs {
    /// Whose images to look at
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    pub(crate) engine: EngineChoice,
    /// Ask no registry
    #[arg(long)]
    pub(crate) offline: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BumpImageArgs {
    /// registry/name@sha256:…, registry/name:tag, sha256:…; `local` for the image built here and
    /// pushed, `latest-pushed` for what the registry calls latest
    #[arg(value_name = "REF|local|latest-pushed", default_value = crate::bump::image::LATEST_PUSHED)]
    pub(crate) image: String,
    /// Only say whether the pin is that of today's docker/ folder, and still served: exit 1 if not
    #[arg(long, conflicts_with = "image")]
    pub(crate) check: bool,
    /// Ask no registry: what is written is taken on trust
    #[arg(long)]
    pub(crate) offline: bool,
    /// Show what would be written, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Whose images `local` means
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    pub(crate) engine: EngineChoice,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BumpSnapshotArgs {
    /// YYYYMMDDTHHMMSSZ, or `latest` for the newest that both archives have whole
    #[arg(value_name = "STAMP|latest", default_value = crate::bump::snapshot::LATEST)]
    pub(crate) stamp: String,
    /// Keyring that verifies the archives, instead of Debian's own
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Option<PathBuf>,
    /// Show what would be written, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BumpSubmoduleArgs {
    /// Tag, branch or commit of the remote [default: its newest tag]
    pub(crate) rev: Option<String>,
    /// Show what would be written, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Machine-readable result on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CleanArgs {
    /// First end what this checkout still runs, as if by Ctrl-C: for the last step of a CI job
    #[arg(long)]
    pub(crate) running: bool,
    /// Also builder images that are neither today's docker/ folder's nor the pinned one
    #[arg(long)]
    pub(crate) images: bool,
    /// Also the package cache volume
    #[arg(long)]
    pub(crate) volumes: bool,
    /// Also the private engine's images and cache, kept logs
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TestArgs {
    /// Also everything that needs the real engine
    #[arg(long)]
    pub(crate) full: bool,
    /// Install missing host packages first
    #[arg(long)]
    pub(crate) setup: bool,
    /// Only tests whose name contains this
    pub(crate) filter: Option<String>,
}
