//! Callers that are not plain root: another user, sudo, a job in a container with the engine's socket.

use crate::contract::mirror;
use crate::interrupted::{FAST, WAITS, go, ready};
use crate::machine::Machine;
use crate::support::running::Running;
use crate::support::{Checkout, executable, run};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A recipe that leaves files that its caller can neither read nor remove.
const SHUT: &str = "#!/bin/bash\necho '@@stage one'\ncd /home/user/out\n\
    sudo -n install -d -m 700 shut && sudo -n touch shut/file\n\
    umask 077\necho x >\"$SILVERMETAL_ISO\"\n";
const UID: u32 = 1001;

/// A folder that all users may enter. Dropping it removes it.
struct Open(PathBuf);

impl Open {
    /// Makes the folder, with the program as in a cargo target folder, and a folder of the user `UID`.
    fn new() -> Open {
        let dir = std::env::temp_dir().join(format!("silvermetal-test-{}", std::process::id()));
        let debug = dir.join("target/debug");
        fs::create_dir_all(&debug).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_xtask"), debug.join("xtask")).unwrap();
        fs::write(dir.join("target/CACHEDIR.TAG"), "").unwrap();
        fs::write(dir.join("docker.sock"), "").unwrap();
        Open(dir)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Lists all entries of `dir` that do not belong to `uid`.
fn not_owned_by(uid: u32, dir: &Path) -> String {
    run(Command::new("find").arg(dir).args(["!", "-uid", &uid.to_string()])).exits(0).stdout
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn results_belong_to_a_caller_who_is_not_root() {
    let machine = Machine::get();
    let holder = Checkout::new("holder");
    holder.add_recipe("waits", &["one"], WAITS);
    let engine = ready(&holder, "waits", "private", &[]);

    let checkout = Checkout::new("caller");
    checkout.add_recipe("shut", &["one"], SHUT);
    checkout.add_recipe("fails", &["one"], &SHUT.replace("umask 077", "exit 1"));
    let open = Open::new();
    let root = open.0.join("a checkout");
    run(Command::new("cp").arg("-a").args([&checkout.root, &root])).exits(0);
    run(Command::new("chown").args(["-R", &format!("{UID}:{UID}")]).arg(&open.0)).exits(0);
    // only root may use the socket: in a new mount namespace, all users may
    let enter = "mount --bind \"$1\" \"$2\" && chmod 0666 \"$2\" && shift 2 && exec \"$@\"";
    let iso = |recipe: &str| {
        let socket = open.0.join("docker.sock");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", enter, "sh"]).args([&machine.socket(), &socket]);
        command.args(["setpriv", "--reuid", "1001", "--regid", "1001", "--clear-groups"]);
        command.arg(open.0.join("target/debug/xtask")).args(["iso", recipe, "--engine", "docker"]);
        command.current_dir(&root).env("DOCKER_HOST", format!("unix://{}", socket.display()));
        command.env("HOME", &open.0).env_remove("CARGO_MANIFEST_DIR");
        run(&mut command)
    };
    iso("fails").exits(4).says("stage one failed (exit 1)");
    let outputs = root.join("linux/build/output");
    assert_eq!(
        fs::read_dir(&outputs).unwrap().count(),
        0,
        "the work folder, whose files only root may remove"
    );
    iso("shut").exits(0);
    assert_eq!(fs::read_dir(&outputs).unwrap().count(), 1);
    assert_eq!(not_owned_by(UID, &open.0), "");

    go(&holder.output());
    engine.ends().exits(0);
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn results_under_sudo_belong_to_the_calling_user() {
    let machine = Machine::get();
    let checkout = Checkout::new("sudo");
    checkout.add_recipe("shut", &["one"], SHUT);
    let output = checkout.root.with_file_name("new").join("folders").join("result");
    // under sudo the engine has a store of its own: here it is the one that has the builder image
    let store = Link::new(&machine.store_under_sudo(), &machine.store());
    let mut iso = checkout.xtask(["iso", "shut", "--engine", "private", "--output"]);
    run(iso.arg(&output).envs([("SUDO_UID", "1001"), ("SUDO_GID", "1002")])).exits(0);
    assert_eq!(not_owned_by(UID, &checkout.root.with_file_name("new")), "");
    assert_eq!(fs::metadata(output.join("SHA256SUMS")).unwrap().gid(), 1002);
    machine.has_no_traces();
    drop(store);
}

/// A symbolic link. Dropping it removes it.
struct Link(PathBuf);

impl Link {
    fn new(at: &Path, target: &Path) -> Link {
        std::os::unix::fs::symlink(target, at).unwrap();
        Link(at.to_owned())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// A volume. Dropping it removes it.
struct Volume<'a>(&'a Machine, &'a str);

impl Drop for Volume<'_> {
    fn drop(&mut self) {
        drop(self.0.docker().args(["volume", "rm", "--force", self.1]).output());
    }
}

/// CI jobs: each in a container with the engine's socket and a workspace on a volume.
struct Jobs<'a> {
    machine: &'a Machine,
    checkout: Checkout,
    tools: PathBuf,
    volume: Volume<'a>,
}

impl<'a> Jobs<'a> {
    fn new(machine: &'a Machine) -> Jobs<'a> {
        let checkout = Checkout::new("job");
        checkout.add_recipe("fast", &["one"], FAST);
        checkout.add_recipe("waits", &["one"], WAITS);
        let tools = checkout.root.with_file_name("tools");
        fs::create_dir_all(&tools).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_xtask"), tools.join("xtask")).unwrap();
        let docker = run(Command::new("sh").args(["-c", "command -v docker"])).exits(0).stdout;
        fs::copy(docker.trim(), tools.join("docker")).unwrap();
        let job = "set -e; mkdir -p \"$(dirname \"$1\")\"; cp -a /source \"$1\"; cd \"$1\"; \
            exec /tools/xtask iso \"$2\" -v --engine docker --mirror \"$3\"";
        executable(&tools.join("job"), &format!("#!/bin/sh\n{job}\n"));
        let volume = Volume(machine, "silvermetal-test-workspace");
        Jobs { machine, checkout, tools, volume }
    }

    /// Runs `iso RECIPE` in the container `name`, in a new copy of the checkout at `workspace`.
    fn job(&self, name: &str, workspace: &str, recipe: &str) -> Command {
        let bind =
            |from: &Path, to: &str| format!("type=bind,source={},target={to}", from.display());
        let mut docker = self.machine.docker();
        docker.args(["run", "--rm", "--name", name, "--entrypoint", "/tools/job"]);
        docker.args(["--env", "PATH=/tools:/usr/sbin:/usr/bin:/sbin:/bin"]);
        docker.args(["--mount", &bind(&self.machine.socket(), "/var/run/docker.sock")]);
        docker.args(["--mount", &bind(&self.tools, "/tools")]);
        docker.args(["--mount", &bind(&self.checkout.root, "/source")]);
        docker
            .args(["--mount", &format!("type=volume,source={},target=/workspace", self.volume.1)]);
        docker.arg(&self.machine.image).args([workspace, recipe, &mirror(&self.checkout)]);
        docker
    }
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_job_in_a_container_builds_in_a_container_beside_it() {
    let machine = Machine::get();
    let holder = Checkout::new("holder");
    holder.add_recipe("waits", &["one"], WAITS);
    let engine = ready(&holder, "waits", "private", &[]);
    let jobs = Jobs::new(&machine);
    let job = |workspace: &str| run(&mut jobs.job("silvermetal-test-job", workspace, "fast"));
    let ran = job("/workspace/silverlabs/job").exits(0);
    assert!(ran.stdout.contains("  /workspace/silverlabs/job/linux/build/output/fast-"), "{ran:?}");
    job("/nowhere")
        .exits(3)
        .says("/nowhere/linux/build/output is inside this container and on none of its mounts");

    drop(jobs);
    go(&holder.output());
    engine.ends().exits(0);
    machine.has_no_traces();
}

/// A runner that cancels a job, or dies, removes only the job's container, not the builder.
#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn the_next_job_removes_only_the_builders_of_jobs_that_are_gone() {
    let machine = Machine::get();
    let holder = Checkout::new("holder");
    holder.add_recipe("waits", &["one"], WAITS);
    let engine = ready(&holder, "waits", "private", &[]);
    let jobs = Jobs::new(&machine);
    let [mut alive, mut dead] = ["alive", "dead"].map(|name| {
        let workspace = format!("/workspace/{name}/job");
        Running::start(&mut jobs.job(&format!("silvermetal-test-{name}"), &workspace, "waits"))
    });
    alive.until("ready");
    dead.until("ready");
    let builders = || {
        let filter = "label=uk.silverlabs.silvermetal.job";
        let ps = ["ps", "--all", "--quiet", "--filter", filter];
        run(machine.docker().args(ps)).exits(0).stdout.lines().count()
    };
    assert_eq!(builders(), 2);
    run(machine.docker().args(["rm", "--force", "silvermetal-test-dead"])).exits(0);
    drop(dead.ends());
    assert_eq!(builders(), 2, "the builder runs longer than its job");
    run(&mut jobs.job("silvermetal-test-next", "/workspace/next/job", "fast"))
        .exits(0)
        .says("removed container silvermetal-waits-");
    assert_eq!(builders(), 1, "the other job's builder");

    run(machine.docker().args(["rm", "--force", "silvermetal-test-alive"])).exits(0);
    drop(alive.ends());
    run(&mut jobs.job("silvermetal-test-next", "/workspace/last/job", "fast")).exits(0);
    assert_eq!(builders(), 0);
    drop(jobs);
    go(&holder.output());
    engine.ends().exits(0);
    machine.has_no_traces();
}
