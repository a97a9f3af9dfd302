//! The command line, as data.

use crate::engine::EngineChoice;
use arguments::clap::value_parser;
use arguments::{arguments, choices, subcommands};
use std::ffi::OsString;
use std::path::PathBuf;
use xtask_core::pins::ImageRef;

const REPRODUCE_EXIT_CODES: &str = "Exit codes: 0 match; 1 mismatch: an anomaly of the supply chain, see what it says; \
     3 not ready, with the commands that mend it; 4 could not build, which says nothing about the release.";

subcommands! {
    /// SilverMetal's build automation: one door from a commit to a reproducible ISO.
    ///
    /// Exit codes: 0 yes; 1 no (differs, findings); 2 usage; 3 the environment isn't ready;
    /// 4 a build or an outside step failed; 130 interrupted.
    pub(crate) enum Command {
        /// Build an ISO once; prints its SHA-256 and path
        "iso" => Iso(IsoArgs),
        /// Build twice and compare: identical, or where and why not
        "verify" => Verify(VerifyArgs),
        /// Boot an ISO in QEMU to a login prompt; keeps a screenshot and the serial log
        "boot" => Boot(BootArgs),
        /// Find every fault that the files alone can show, in one run
        "check" => Check(crate::commands::check::CheckArgs),
        /// Name the causes why two images differ, and what mends each
        "diagnose" => Diagnose(PassedOn).disable_help_flag(true),
        /// What is in an image, and does it hold the content policy
        "inspect" => Inspect(PassedOn).disable_help_flag(true),
        /// Look at the machine, the engine, the registries and, inside the builder, the container contract
        "doctor" => Doctor(DoctorArgs),
        /// The builder image
        "image" => Image(ImageCommand),
        /// Make a release of what was verified
        "release" => Release(ReleaseCommand),
        /// Rebuild somebody's release and compare: match, mismatch, or could not build
        "reproduce" => Reproduce(ReproduceArgs).after_help(REPRODUCE_EXIT_CODES),
        /// Pin a builder image by its digest: build.sh, and its provenance in builder-image.toml
        "bump-image" => BumpImage(BumpImageArgs),
        /// Move the snapshot pin to a moment that is whole; shows which packages of the builder change
        "bump-snapshot" => BumpSnapshot(BumpSnapshotArgs),
        /// Move the derivative-maker pin; shows log, signature, and what changed of what was reviewed
        "bump-submodule" => BumpSubmodule(BumpSubmoduleArgs),
        /// Remove what killed runs left: containers, mounts, work folders, a private engine
        "clean" => Clean(CleanArgs),
        /// Format, lints and tests; --full: on the real engine too
        "test" => Test(TestArgs),
    }

    pub(crate) enum ImageCommand {
        /// Build it from linux/build/docker; prints its name
        "build" => Build(ImageBuildArgs),
        /// Push it to a registry, building it first where the engine has none; prints its digest there
        "push" => Push(ImagePushArgs),
        /// Say which image a build would use, what it was made from, and whether a registry serves it
        "show" => Show(ImageShowArgs),
        /// Run one program of it, without network, rights and systemd, for `diagnose`
        "run" => Run(ImageRunArgs).hide(true),
    }

    pub(crate) enum ReleaseCommand {
        /// Collect image, hashes, records and verify report in a folder; prints it
        "build" => Build(ReleaseBuildArgs),
        /// Bring that folder to Gitea: whole or not at all, and once; prints the release's page
        "publish" => Publish(ReleasePublishArgs),
    }
}

choices! {
    pub(crate) enum FirmwareChoice {
        "bios" => Bios,
        "uefi" => Uefi,
        "both" => Both,
    }
}

arguments! {
    /// How to reach packages and an engine: the same for every command that builds.
    pub(crate) struct BuildArgs {
        /// Where to build
        engine: EngineChoice = option("ENGINE").default_value("auto"),
        /// Install missing host packages, and build the builder image where there is none, first
        setup: bool = flag(),
        /// Print the plan (the very argv) and change nothing
        dry_run: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
        /// Show the whole output of what runs
        verbose: bool = flag().short('v'),
        /// Debian mirror to build from instead of the pinned snapshot, e.g. http://HOST/debian
        mirror: Option<String> = option("URL"),
        /// Keyring that verifies --mirror, instead of Debian's own
        mirror_keyring: Option<PathBuf> = option("FILE").requires("mirror"),
        /// Extra CA certificate (PEM) for the builder, where the network intercepts TLS; never in the ISO
        ca_file: Option<PathBuf> = option("FILE"),
    }

    /// What is built: the same for `iso` and `verify`.
    pub(crate) struct RecipeArgs {
        /// Folder under linux/build/recipes
        recipe: String = operand("RECIPE").default_value(xtask_core::recipe::DEFAULT),
        build: BuildArgs,
        /// Builder image: registry/name@sha256:…, or `local` for the one built from today's docker/ folder
        image: Option<String> = option("REF"),
        /// Which of the recipe's images [default: SILVERMETAL_FLAVOR in linux/build/config/silvermetal-base.conf]
        flavor: Option<String> = option("NAME"),
        /// Checkout of derivative-maker to build from, instead of the pinned submodule; never released
        upstream: Option<PathBuf> = option("DIR"),
        /// Build with no network, from what --save-inputs kept: packages and builder image
        from_inputs: Option<PathBuf> = option("DIR").conflicts_with_all(["mirror", "image", "setup"]),
        /// Take derivative-maker's packages from an earlier build of the same sources, toolchain and
        /// archive; never released
        reuse_packages: bool = flag().conflicts_with("from_inputs"),
    }

    pub(crate) struct IsoArgs {
        what: RecipeArgs,
        /// Folder for the result [default: linux/build/output/SHORT-SHA, canary-SHORT-SHA for the canary]
        output: Option<PathBuf> = option("DIR"),
        /// Keep all that the build fetches in a new folder, so that --from-inputs can build it again
        save_inputs: Option<PathBuf> = option("DIR").conflicts_with_all(["from_inputs", "reuse_packages"]),
    }

    pub(crate) struct VerifyArgs {
        what: RecipeArgs,
        /// Folder for both builds and the report [default: linux/build/output/verify-SHORT-SHA, …]
        output: Option<PathBuf> = option("DIR"),
        /// Builds at the same time
        jobs: u8 = option("N").default_value("1").value_parser(value_parser!(u8).range(1..=2)),
        /// Go on with build A of an interrupted verify, if its record still matches
        resume: bool = flag(),
        /// Conditions of build B that must not matter: all, none, or a list out of
        /// host-name, path, user, umask, cpus, locale, time-zone, environment, clock, directory-order, firmware, kernel
        vary: crate::commands::verify::Vary = option("all|none|LIST").default_value("none"),
        /// On a difference, find the factor of --vary that makes it, by halving
        bisect: bool = flag().requires("vary"),
        /// Build once, and compare with a published SHA256SUMS or ISO
        against: Option<String> = option("FILE|URL")
            .conflicts_with_all(["resume", "jobs", "vary", "bisect"]),
        /// Build nothing: compare two output folders by their records, of two machines for instance;
        /// the images may be missing. The report is left in --output, where that is given
        compare: Vec<PathBuf> = option("A").num_args(2).value_names(["A", "B"]).conflicts_with_all([
            "recipe", "against", "resume", "jobs", "vary", "bisect", "setup", "dry_run",
        ]),
    }

    pub(crate) struct BootArgs {
        /// The image to boot; it is not written to
        iso: PathBuf = operand("ISO").required(true),
        /// Which firmware to boot it under
        firmware: FirmwareChoice = option("FIRMWARE").default_value("both"),
        /// Install QEMU and its firmware first where they are missing
        setup: bool = flag(),
        /// Give up after this many seconds without a login prompt
        timeout: u64 = option("SECONDS").default_value("600"),
        /// Folder for screenshot and serial log [default: beside the ISO, boot/]
        output: Option<PathBuf> = option("DIR"),
        /// Print the QEMU command lines and change nothing
        dry_run: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
        /// Show the serial console while it boots
        verbose: bool = flag().short('v'),
    }

    /// The arguments of a command that is a program of its own, which knows them and `--help`.
    pub(crate) struct PassedOn {
        args: Vec<OsString> = operand("ARGUMENTS").trailing_var_arg(true).allow_hyphen_values(true),
    }

    pub(crate) struct ImageBuildArgs {
        build: BuildArgs,
    }

    pub(crate) struct ReleaseBuildArgs {
        /// The release's tag, which names HEAD [default: v and the version in Cargo.toml]
        tag: Option<String> = operand("TAG"),
        /// Folder of the verify [default: linux/build/output/verify-SHORT-SHA]
        from: Option<PathBuf> = option("DIR"),
        /// Folder for the release [default: linux/build/output/release-TAG]
        output: Option<PathBuf> = option("DIR"),
        /// A test release, to try the pipeline: of any recipe, engine, image and mirror. Its tag begins
        /// with `test-`, and its page says that it is none of SilverMetal's
        test: bool = flag(),
        /// Largest file that the server takes, in MiB
        max_size: u64 = option("MIB").default_value(crate::commands::release::GITEA_MAX_MIB.to_string()),
        /// Machine-readable result on stdout
        json: bool = flag(),
    }

    pub(crate) struct ReleasePublishArgs {
        /// Folder that `release build` made [default: linux/build/output/release-vVERSION]
        folder: Option<PathBuf> = operand("DIR"),
        /// The repository's page on Gitea [default: `repository` in Cargo.toml]
        repository: Option<String> = option("URL"),
        /// File that holds Gitea's access token [default: SILVERMETAL_RELEASE_TOKEN in the environment]
        token_file: Option<PathBuf> = option("FILE"),
        /// CA certificates (PEM) to trust beside this machine's
        ca_file: Option<PathBuf> = option("FILE"),
        /// Largest file that the server takes, in MiB
        max_size: u64 = option("MIB").default_value(crate::commands::release::GITEA_MAX_MIB.to_string()),
        /// Give up on a transfer that stands still for so long
        stall: u32 = option("SECONDS").default_value("120").value_parser(value_parser!(u32).range(1..)),
        /// Print what would be done, and ask nobody
        dry_run: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
        /// Show every request
        verbose: bool = flag().short('v'),
    }

    pub(crate) struct ReproduceArgs {
        /// Tag (v1.1.0), page or folder of files of a release, or a local folder with SHA256SUMS and
        /// BUILD_INFO
        release: Option<String> = operand("TAG|URL|DIR").required_unless_present("collect"),
        build: BuildArgs,
        /// Builder image, where the release's own registry cannot be reached: same digest, other registry
        image: Option<String> = option("REF"),
        /// Rebuild with no network, from the inputs that --save-inputs kept
        from_inputs: Option<PathBuf> = option("DIR").conflicts_with_all(["mirror", "image", "setup"]),
        /// Folder for the rebuild and its statement [default: linux/build/output/reproduce-TAG]
        output: Option<PathBuf> = option("DIR"),
        /// The published image, where it is at hand: on a mismatch it is diagnosed
        iso: Option<PathBuf> = option("FILE"),
        /// Who says so in rebuild.json, e.g. 'Alice <alice@example.org>' [default: USER@HOST]
        rebuilder: Option<String> = option("NAME").long("as"),
        /// The repository's page, for a TAG [default: `repository` in Cargo.toml]
        repository: Option<String> = option("URL"),
        /// Build nothing: count the rebuild.json statements below DIR, each rebuilder once, CI never
        collect: Option<PathBuf> = option("DIR")
            .conflicts_with_all(["image", "output", "rebuilder", "iso"]),
        /// Independent rebuilders that must agree
        threshold: u32 = option("N").default_value("2").requires("collect")
            .value_parser(value_parser!(u32).range(1..)),
    }

    /// Every check runs, whatever another one found. Exit code 3 when something isn't ready.
    pub(crate) struct DoctorArgs {
        what: RecipeArgs,
        /// Folder that a build's result would go to [default: as for iso]
        output: Option<PathBuf> = option("DIR"),
    }

    pub(crate) struct ImagePushArgs {
        /// Where to; besides a tag of its inputs, one of its digest and `latest` it gets TAG
        /// [default: where the last push went, else the pin's repository, else the project's]
        to: Option<ImageRef> = option("REGISTRY/NAME[:TAG]"),
        /// Only where the registry has none built from today's docker/ folder (implies --setup)
        if_missing: bool = flag(),
        /// Write `image=` and `digest=` to the file that GITHUB_OUTPUT names
        github_output: bool = flag(),
        build: BuildArgs,
    }

    pub(crate) struct ImageShowArgs {
        /// Whose images to look at
        engine: EngineChoice = option("ENGINE").default_value("auto"),
        /// Ask no registry
        offline: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
    }

    pub(crate) struct ImageRunArgs {
        /// Start an engine of our own where none has the image
        start: bool = flag(),
        /// Another builder image than a build would use
        image: Option<String> = option("REF"),
        /// What the program may read, as /in, which is its working folder
        read: PathBuf = operand("FOLDER").required(true),
        /// The program and its arguments; without, only whether one could run
        program: Vec<String> = operand("PROGRAM").trailing_var_arg(true).allow_hyphen_values(true).num_args(0..),
    }

    pub(crate) struct BumpImageArgs {
        /// registry/name@sha256:…, registry/name:tag, sha256:…; `local` for the image built here and
        /// pushed, `latest-pushed` for what the registry calls latest
        image: String = operand("REF|local|latest-pushed").default_value(crate::commands::bump::image::LATEST_PUSHED),
        /// Only say whether the pin is that of today's docker/ folder, and still served: exit 1 if not
        check: bool = flag().conflicts_with("image"),
        /// Ask no registry: what is written is taken on trust
        offline: bool = flag(),
        /// Show what would be written, and change nothing
        dry_run: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
        /// Whose images `local` means
        engine: EngineChoice = option("ENGINE").default_value("auto"),
    }

    pub(crate) struct BumpSnapshotArgs {
        /// YYYYMMDDTHHMMSSZ, or `latest` for the newest that both archives have whole
        stamp: String = operand("STAMP|latest").default_value(crate::commands::bump::snapshot::LATEST),
        /// Keyring that verifies the archives, instead of Debian's own
        keyring: Option<PathBuf> = option("FILE"),
        /// Show what would be written, and change nothing
        dry_run: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
    }

    pub(crate) struct BumpSubmoduleArgs {
        /// Tag, branch or commit of the remote [default: its newest tag]
        rev: Option<String> = operand("REV"),
        /// Show what would be written, and change nothing
        dry_run: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
    }

    pub(crate) struct CleanArgs {
        /// First end what this checkout still runs, as if by Ctrl-C: for the last step of a CI job
        running: bool = flag(),
        /// Also builder images that are neither today's docker/ folder's nor the pinned one
        images: bool = flag(),
        /// Also the package cache volume
        volumes: bool = flag(),
        /// Also the private engine's images and cache, kept logs
        all: bool = flag(),
    }

    pub(crate) struct TestArgs {
        /// Also everything that needs the real engine
        full: bool = flag(),
        /// Install missing host packages first
        setup: bool = flag(),
        /// Only tests whose name contains this
        filter: Option<String> = operand("FILTER"),
    }
}
