//! Descriptions of rules, and the rules of `doctor`.
//!
//! `cargo xtask check --explain NAME` and docs/rules.md print these descriptions. Each rule of `check`
//! has its description in its own file.

/// The description of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Name in kebab case, as `--explain`, `--only` and `--skip` take it.
    pub name: &'static str,
    /// The condition that must hold, as one sentence without a full stop.
    pub what: &'static str,
    /// The consequence if it does not hold: an incident, or how a build fails.
    pub why: &'static str,
    /// The source of this knowledge: an incident, an issue number, a manual.
    pub source: &'static str,
}

/// The rules of `cargo xtask doctor`.
pub const DOCTOR: &[Described] = &[
    Described {
        name: "engine-answers",
        what: "a container engine answers, or can be started",
        why: "every later step fails one by one, the first of them with a bare `Cannot connect`",
        source: "`docker version` must answer within ten seconds",
    },
    Described {
        name: "engine-api",
        what: "the docker client's API version is one that the engine still speaks",
        why: "`client version 1.12 is too old. Minimum supported API version is 1.44`, at the first command of the job",
        source: "Docker Engine API versioning; runner images bring their own client",
    },
    Described {
        name: "cgroup-v2",
        what: "the engine's containers get cgroup v2",
        why: "systemd 257, the builder's, does not boot on v1: the container ends before the build begins",
        source: "systemd NEWS 256; tested on a hybrid host",
    },
    Described {
        name: "packages",
        what: "the packages that a build needs on this machine are installed",
        why: "the build ends at the first missing program",
        source: "recipe.toml host_packages, the engine's own packages",
    },
    Described {
        name: "memory",
        what: "the engine's machine has the RAM that the recipe needs",
        why: "the kernel kills mksquashfs or the container: exit 137, an hour into the build",
        source: "recipe.toml ram_gib",
    },
    Described {
        name: "disk",
        what: "there is disk space for the image, the container and two builds, also where the engine keeps its data",
        why: "`No space left on device` in the last stage",
        source: "recipe.toml disk_gib; the runner host's 100 GB",
    },
    Described {
        name: "clock",
        what: "this machine's clock is after SOURCE_DATE_EPOCH",
        why: "files are younger than the build that makes them; TLS certificates are not valid yet",
        source: "a runner VM that was resumed from a snapshot",
    },
    Described {
        name: "docker-config",
        what: "docker's config.json is valid, and its folder is writable",
        why: "buildx writes ~/.docker/buildx/activity: a folder mounted read-only breaks the image build",
        source: "incident 1: the whole of /root/.docker was mounted read-only into the job",
    },
    Described {
        name: "mirror",
        what: "the archive that packages come from serves every suite",
        why: "a build fails at `apt-get update`, after minutes",
        source: "snapshot.debian.org throttles and may be incomplete (Debian #960304, #977653)",
    },
    Described {
        name: "ready-to-build",
        what: "nothing else prevents a build: the recipe, upstream's source and the paths that the engine sees are right",
        why: "`iso` refuses to start",
        source: "linux/build/README.md; go-gitea/gitea#23672 for paths",
    },
    Described {
        name: "upstream-reachable",
        what: "the pinned commit of derivative-maker is on its remote",
        why: "a new clone cannot check out the submodule: `not our ref`",
        source: "git submodule: a pin that was never pushed, or was force-pushed away",
    },
    Described {
        name: "builder-image",
        what: "the builder image exists, or can be pulled or built",
        why: "`pull access denied` or `manifest unknown` in the middle of a job",
        source: "linux/build/scripts/build.sh",
    },
    Described {
        name: "image-served",
        what: "the registry serves every image that is pinned by digest",
        why: "a digest without a tag is collected as garbage; every new machine then fails to pull it",
        source: "go-gitea/gitea#21658, parca-agent#2319",
    },
    Described {
        name: "image-rebuilt",
        what: "the pinned builder image is the one that was built here, if it was built here",
        why: "whoever pushed an image that nobody rebuilds is trusted with every ISO",
        source: "reproducible-builds.org, definition",
    },
    Described {
        name: "registry-login",
        what: "each registry lets us read the pinned images",
        why: "the runner drops a mount that valid_volumes does not list, with only a warning; much later a pull ends with 401",
        source: "Gitea runner: container.valid_volumes",
    },
    Described {
        name: "release-tag",
        what: "a release tag points to HEAD and names the version in Cargo.toml",
        why: "the release has another commit or another version than its tag says",
        source: "docs/trust-model.md",
    },
    Described {
        name: "release-size",
        what: "the ISO of this commit, if there is one, is not larger than a file of a release may be",
        why: "the upload of a finished release ends at 413",
        source: "Gitea: [repository.release] FILE_MAX_SIZE; go-gitea/gitea#35812",
    },
    Described {
        name: "release-token",
        what: "the release token, if one is set, can read the repository",
        why: "publishing fails with 401 or 404, after two builds and a comparison",
        source: "Gitea API, GET /repos/{owner}/{repo}",
    },
    Described {
        name: "server-version",
        what: "the Gitea server is at least as new as `gitea` in .gitea/versions.toml",
        why: "an older server ignores keys of the workflow without a message: two runs at once despite `concurrency`",
        source: "Gitea API, GET /version; release notes of Gitea 1.26",
    },
    Described {
        name: "server-attachments",
        what: "the Gitea server takes attachments, which the files of a release are",
        why: "every upload to a release ends with 404",
        source: "Gitea API, GET /settings/attachment; [attachment] ENABLED",
    },
    Described {
        name: "runner-version",
        what: "the runner is at least as new as `runner` in .gitea/versions.toml",
        why: "an older runner ignores keys of its configuration, or fails at the artifact actions after hours",
        source: "GITEA_ACTIONS_RUNNER_VERSION in a job; `gitea-runner --version`",
    },
    Described {
        name: "runner-config",
        what: "the runner on this machine uses the repository's .gitea/runner/config.yaml",
        why: "check judges the repository's file: with another one, a mount is dropped or a job ends after 3 h",
        source: "docs/ci-runner.md; the runner's config.example.yaml",
    },
    Described {
        name: "contract-start",
        what: "the builder starts with exactly the flags of a real build and runs its command",
        why: "a fault of image or engine shows only after the job's set-up",
        source: "linux/build/docker/systemd-entrypoint/README.md",
    },
    Described {
        name: "systemd-pid-1",
        what: "the container's first process is systemd itself",
        why: "derivative-maker's sources point at a cache on 127.0.0.1:9977 that systemd starts on demand: connection refused",
        source: "incident 2: a `systemctl` shim in place of systemd",
    },
    Described {
        name: "systemd-target",
        what: "systemd has reached its target, and no unit failed",
        why: "units that the build relies on never start",
        source: "linux/build/docker/systemd-entrypoint/docker-entrypoint.target",
    },
    Described {
        name: "user-and-sudo",
        what: "the command runs as `user`, uid 1000, with sudo that asks for no password",
        why: "derivative-maker refuses to run as root, and a sudo that asks for a password waits for ever",
        source: "derivative-maker, help-steps/pre",
    },
    Described {
        name: "terminal",
        what: "the command has a terminal",
        why: "it writes to /dev/console: without a terminal it prints nothing and hangs",
        source: "tested: 0 bytes of output without -t",
    },
    Described {
        name: "exit-codes",
        what: "exit codes 0, 1 and 42 are passed on unchanged",
        why: "a failed build looks like a good one",
        source: "systemctl exit; tested with a container engine",
    },
    Described {
        name: "package-cache",
        what: "approx, which systemd starts, answers on 127.0.0.1:9977 and serves every suite",
        why: "`apt-get update` gets connection refused",
        source: "incident 2: nothing started the cache",
    },
    Described {
        name: "loop-devices",
        what: "the container can set up a loop device",
        why: "disk images cannot be mounted: `failed to set up loop device`",
        source: "derivative-maker, help-steps/mount-raw",
    },
    Described {
        name: "bind-mounts",
        what: "the container can bind mounts",
        why: "the chroot of the ISO has no /dev, /proc or /sys",
        source: "derivative-maker, build-steps.d/3600_convert-raw-to-iso",
    },
    Described {
        name: "chroot",
        what: "the container can change root",
        why: "mmdebstrap and live-build fail at once",
        source: "mmdebstrap(1)",
    },
    Described {
        name: "device-nodes",
        what: "device nodes can be made in the output folder, and they work",
        why: "debootstrap fails: `cannot create /dev/null`, on a file system mounted nodev",
        source: "debootstrap's check_sane_mount",
    },
    Described {
        name: "overlay-mounts",
        what: "the container can mount an overlay",
        why: "tools that lay a writable layer over a chroot fail",
        source: "mount(2); a container without the privilege says `operation not permitted`",
    },
    Described {
        name: "cgroup-writable",
        what: "the container's own cgroup can be written to",
        why: "systemd cannot start a unit",
        source: "systemd's CONTAINER_INTERFACE document",
    },
    Described {
        name: "cgroup-namespace",
        what: "the container shares the host's cgroup namespace",
        why: "systemd would stop the host's units of the same names",
        source: "run flag --cgroupns=host",
    },
    Described {
        name: "sources-mounted",
        what: "recipe, configuration and source in the builder are those of this checkout, and read-only",
        why: "a bind mount of a path that exists only in the job's container makes an empty folder on the host",
        source: "go-gitea/gitea#23672, #34955",
    },
    Described {
        name: "output-writable",
        what: "files that the builder writes to its output arrive here, owned by uid 1000",
        why: "a build ends with `Permission denied`, after an hour",
        source: "a mount of a sibling container that resolves to another folder",
    },
    Described {
        name: "output-on-disk",
        what: "the output folder is on a file system with a block device, which is none of /dev/loop0 to /dev/loop9",
        why: "grub-mkconfig finds no device on overlay, and behind a small loop device it looks for a file: the ISO silently loses its hardening kernel parameters",
        source: "derivative-maker, build-steps.d/3600_convert-raw-to-iso",
    },
    Described {
        name: "constants",
        what: "clock, locale, time zone, host name, umask and paths in the builder are as the contract says",
        why: "they get into the ISO, and two machines build two images",
        source: "linux/build/README.md, the levers",
    },
    Described {
        name: "no-secrets",
        what: "no variable, file or socket of the host is visible in the builder",
        why: "a token ends up in a log or in the image",
        source: "the entrypoint's allow-list",
    },
    Described {
        name: "stops-clean",
        what: "the builder stops in less than 5 s and leaves nothing behind",
        why: "docker stop waits 10 s and kills; a cancelled job leaves its container running",
        source: "tested: STOPSIGNAL SIGRTMIN+3 ends systemd at once",
    },
];
