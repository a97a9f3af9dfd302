//! act in place of the runner: jobs run in containers of the job image, with the mounts of
//! .gitea/runner/config.yaml (the engine's socket, the registry's login as a file).

use crate::contract::mirror;
use crate::interrupted::{WAITS, go, ready};
use crate::machine::{Machine, state};
use crate::registry::{How, PAIR, PASSWORD, Registry};
use crate::support::running::Running;
use crate::support::{Checkout, Ran, run};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const JOB_IMAGE: &str = "silvermetal-test-job";
const LINTERS: [&str; 4] = ["actionlint", "hadolint", "shellcheck", "zizmor"];
const BUILDER: &str = "silvermetal-builder";
const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";
/// Host and repository that the workflow sees.
const FORGE: &str = "git.silverlabs.uk";
pub const REPOSITORY: &str = "SilverLABS/SilverMetal";

/// A runner with an engine and a registry.
pub struct Runner<'m> {
    machine: &'m Machine,
    /// The build that keeps the private engine running. It is the first field, so that it ends before its
    /// checkout is removed when a test fails.
    engine: Option<Running>,
    holder: Checkout,
    registry: Registry,
    dir: PathBuf,
}

impl<'m> Runner<'m> {
    pub fn start(machine: &'m Machine) -> Runner<'m> {
        let holder = Checkout::new("holder");
        holder.add_recipe("waits", &["one"], WAITS);
        let engine = Some(ready(&holder, "waits", "private", &[]));
        let dir = holder.root.with_file_name("runner");
        fs::create_dir_all(&dir).unwrap();
        let registry = Registry::start(&dir, How { login: true, ..How::default() });
        // the files that `docker login` writes
        let login = json!({ "auths": { &registry.host: { "auth": PAIR } } });
        fs::write(dir.join("config.json"), login.to_string()).unwrap();
        let runner = Runner { machine, engine, holder, registry, dir };
        runner.remove_jobs();
        runner.make_job_image();
        runner
    }

    /// Removes the containers of jobs that an interrupted test left in the engine.
    fn remove_jobs(&self) {
        let names = self.docker(&["ps", "--all", "--format", "{{.Names}}"]);
        for name in names.lines().filter(|name| name.starts_with("act-")) {
            self.docker(&["rm", "--force", "--volumes", name]);
        }
    }

    /// Builds the image of .gitea/runner/job-image up to its stage `tools`. Rust is mounted from this machine,
    /// and the linters are copied from it: containers here may reach neither the server of rustup nor PyPI.
    fn make_job_image(&self) {
        // no registry is needed for the base
        let mirror = mirror(&self.holder);
        let tar = self.dir.join("base.tar");
        let minbase = ["--quiet", "--variant=minbase", "trixie"];
        run(Command::new("mmdebstrap").args(minbase).arg(&tar).arg(&mirror)).exits(0);
        let base = format!("{JOB_IMAGE}-base");
        self.docker(&["import", tar.to_str().unwrap(), &base]);
        let build = |arguments: &[&str], context: &Path| {
            let mut docker = self.machine.docker();
            docker.env("DOCKER_BUILDKIT", "0").args(["build", "--quiet"]).args(arguments);
            run(docker.arg(context)).exits(0);
        };
        let tools = format!("{JOB_IMAGE}-tools");
        let base = format!("BASE_IMAGE={base}");
        let mirror = format!("APT_MIRROR_DEBIAN={mirror}");
        build(
            &["--target", "tools", "--tag", &tools, "--build-arg", &base, "--build-arg", &mirror],
            &self.holder.root.join(".gitea/runner/job-image"),
        );
        let with_rust = self.dir.join("job-image");
        fs::create_dir_all(&with_rust).unwrap();
        let path = "/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        for linter in LINTERS {
            fs::copy(state().join("tools/bin").join(linter), with_rust.join(linter)).unwrap();
        }
        let dockerfile = format!(
            "FROM {tools}\nCOPY {} /usr/local/bin/\nENV PATH={path} CARGO_HOME=/cargo\n",
            LINTERS.join(" ")
        );
        fs::write(with_rust.join("Dockerfile"), dockerfile).unwrap();
        build(&["--tag", JOB_IMAGE], &with_rust);
    }

    /// Repository to which the builder image is pushed.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry.host, BUILDER)
    }

    /// Digest of the builder image in the registry.
    pub fn pushed(&self) -> String {
        let (_, tag) = self.machine.image.rsplit_once(':').unwrap();
        self.registry.digest(&format!("{BUILDER}:{tag}"))
    }

    fn docker(&self, arguments: &[&str]) -> String {
        run(self.machine.docker().args(arguments)).exits(0).stdout
    }

    /// Runs the workflow of `checkout` on `event`, with all output on stderr.
    pub fn act(&self, checkout: &Checkout, event: &str, more: &[&str]) -> Command {
        let act = state().join("tools/bin/act");
        assert!(act.exists(), "{} is installed by cargo xtask test --full", act.display());
        let origin = format!("https://{FORGE}/{REPOSITORY}.git");
        run(Command::new("git")
            .arg("-C")
            .arg(&checkout.root)
            .args(["remote", "add", "origin", &origin]));
        drop(fs::remove_dir_all(self.artifacts()));
        fs::create_dir_all(self.artifacts()).unwrap();

        let mut act_line = Command::new("sh");
        act_line.args(["-c", "exec \"$@\" >&2", "sh"]).arg(act).arg(event);
        act_line.arg("--directory").arg(&checkout.root).args(["--workflows", WORKFLOW]);
        act_line.args(["--github-instance", FORGE, "--defaultbranch", "main"]);
        act_line.args(["--platform", &format!("silvermetal-builder={JOB_IMAGE}"), "--pull=false"]);
        act_line.args(["--rm", "--no-cache-server", "--no-skip-checkout"]);
        act_line.arg("--container-daemon-socket").arg(self.machine.socket());
        act_line.args(["--container-options", &self.mounts(checkout)]);
        act_line.args(["--env", "CARGO_NET_OFFLINE=true"]);
        act_line.args(["--var", &format!("BUILDER_REPOSITORY={}", self.repository())]);
        for stand_in in stand_ins(&checkout.root) {
            act_line.args(["--local-repository", &stand_in]);
        }
        let home = self.dir.join("home");
        act_line.env("HOME", &home).env("XDG_CONFIG_HOME", &home).env("XDG_CACHE_HOME", &home);
        act_line.env("DOCKER_HOST", format!("unix://{}", self.machine.socket().display()));
        act_line.args(more);
        act_line
    }

    /// Mounts of a job, besides socket and workspace.
    fn mounts(&self, checkout: &Checkout) -> String {
        let cargo = PathBuf::from(std::env::var_os("CARGO").expect("cargo runs the tests"));
        let toolchain = cargo.ancestors().nth(2).unwrap();
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).unwrap_or_else(|| {
            Path::new(&std::env::var_os("HOME").expect("a home folder")).join(".cargo")
        });
        // the cargo target folder is kept between jobs, so that crates are compiled once
        let target = state().join("ci-target");
        fs::create_dir_all(&target).unwrap();
        let mount = |from: &Path, to: &Path, mode: &str| {
            format!("--volume '{}:{}:{mode}'", from.display(), to.display())
        };
        [
            mount(&self.dir.join("config.json"), Path::new("/root/.docker/config.json"), "ro"),
            mount(&checkout.root, Path::new("/source"), "ro"),
            mount(&self.artifacts(), Path::new("/artifacts"), "rw"),
            mount(toolchain, Path::new("/rust"), "ro"),
            mount(&home, Path::new("/cargo"), "rw"),
            mount(&target, &checkout.root.join("target"), "rw"),
        ]
        .join(" ")
    }

    /// Artifacts of the last run, in one folder per name.
    pub fn artifacts(&self) -> PathBuf {
        self.dir.join("artifacts")
    }

    /// Runs to the end, and checks that no container is left. Keeps the log.
    pub fn runs(&self, name: &str, command: &mut Command) -> Ran {
        let ran = run(command);
        self.ended(name, ran)
    }

    /// Checks that hold after each run.
    pub fn ended(&self, name: &str, ran: Ran) -> Ran {
        let log = state().join(format!("logs/workflow-{name}.log"));
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        fs::write(&log, &ran.stderr).unwrap();
        println!("{name}: {}", log.display());
        assert_eq!(self.containers(), [""; 0], "left by {name}");
        for secret in [PASSWORD, PAIR] {
            assert!(!ran.stderr.contains(secret), "{secret} in {}", log.display());
        }
        ran
    }

    /// Names of all containers except the one that keeps the engine running.
    pub fn containers(&self) -> Vec<String> {
        let names = self.docker(&["ps", "--all", "--format", "{{.Names}}"]);
        let others = names.lines().filter(|name| !name.starts_with("silvermetal-waits-"));
        others.map(str::to_owned).collect()
    }

    /// Stops everything, the engine last.
    pub fn end(mut self) {
        // an image that was pulled by its digest has no tag
        let format = "{{.Tag}} {{.Digest}}";
        let repository = self.repository();
        let pushed = self.docker(&["images", "--digests", "--format", format, &repository]);
        for line in pushed.lines() {
            let name = match line.split_once(' ').unwrap() {
                ("<none>", digest) => format!("{repository}@{digest}"),
                (tag, _) => format!("{repository}:{tag}"),
            };
            self.docker(&["image", "rm", &name]);
        }
        go(&self.holder.output());
        self.engine.take().unwrap().ends().exits(0);
        self.machine.has_no_traces();
    }
}

/// `owner/action@sha=folder` for each action that the workflow uses.
fn stand_ins(root: &Path) -> Vec<String> {
    let workflow = fs::read_to_string(root.join(WORKFLOW)).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/ci/actions");
    let used = workflow.lines().filter_map(|line| line.split_once("uses: ")?.1.split(' ').next());
    let mut stand_ins: Vec<String> = used
        .map(|action| {
            let (name, _) = action.split_once('@').unwrap();
            format!("{action}={}", here.join(name.rsplit('/').next().unwrap()).display())
        })
        .collect();
    stand_ins.sort();
    stand_ins.dedup();
    stand_ins
}
