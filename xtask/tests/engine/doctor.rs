//! `doctor` on the real engine: first on a machine in order, then with one fault after another.

use crate::contract::mirror;
use crate::interrupted::{WAITS, go, ready};
use crate::machine::Machine;
use crate::registry::{How, Image, Registry, docker_config};
use crate::support::disk::Disk;
use crate::support::running::Running;
use crate::support::{Checkout, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_core::facts::host::DiskSpace;
use xtask_core::rules::DOCTOR;

/// Rules that have nothing to examine in these tests.
const NOTHING_THERE: [&str; 10] = [
    "image-rebuilt",
    "upstream-reachable",
    "registry-login",
    "release-tag",
    "release-size",
    "release-token",
    "server-version",
    "server-attachments",
    "runner-version",
    "runner-config",
];

/// A machine with a Docker Engine: the private engine of another checkout, which doctor finds as docker.
struct Ward<'a> {
    /// Dropped first, while its folder exists.
    engine: Running,
    machine: &'a Machine,
    checkout: Checkout,
    holder: Checkout,
    mirror: String,
    config: PathBuf,
}

impl Ward<'_> {
    fn open(machine: &Machine) -> Ward<'_> {
        let holder = Checkout::new("holder");
        holder.add_recipe("waits", &["one"], WAITS);
        let engine = ready(&holder, "waits", "private", &[]);
        let checkout = Checkout::new("ward");
        let mirror = mirror(&checkout);
        let config = docker_config(&checkout.root, &json!({}));
        Ward { machine, checkout, holder, engine, mirror, config }
    }

    fn doctor(&self, more: &[&str]) -> Command {
        let mut doctor = self.checkout.xtask(["doctor", "canary", "--json", "--engine", "docker"]);
        doctor.args(["--mirror", &self.mirror]).args(more);
        doctor.env("DOCKER_HOST", format!("unix://{}", self.machine.socket().display()));
        doctor.env("DOCKER_CONFIG", &self.config);
        doctor
    }

    /// Returns a PATH whose docker first runs `edit`, which changes its arguments (`args`).
    fn docker_that(&self, edit: &str) -> String {
        let docker = run(Command::new("sh").args(["-c", "command -v docker"])).exits(0).stdout;
        let script = format!(
            "#!/bin/bash\nargs=(\"$@\")\n{edit}\nexec {} \"${{args[@]}}\"\n",
            docker.trim()
        );
        self.checkout.path_with("docker", &script)
    }

    /// Builds an image from the builder image and these Dockerfile lines.
    fn image(&self, name: &str, lines: &str) -> String {
        let dir = self.checkout.root.with_file_name(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("Dockerfile"), format!("FROM {}\n{lines}\n", self.machine.image))
            .unwrap();
        let tag = format!("silvermetal-test:{name}");
        let mut build = self.machine.docker();
        build.env("DOCKER_BUILDKIT", "0").args(["build", "--quiet", "--tag", &tag]);
        run(build.arg(&dir)).exits(0);
        tag
    }

    fn close(self) {
        let mut names = self.machine.docker();
        names.args(["images", "--quiet", "silvermetal-test"]);
        for id in run(&mut names).exits(0).stdout.split_whitespace() {
            run(self.machine.docker().args(["rmi", "--force", id]));
        }
        go(&self.holder.output());
        self.engine.ends().exits(0);
    }
}

/// Runs doctor, and returns the worst state of each rule.
#[track_caller]
fn states(doctor: &mut Command, code: i32) -> BTreeMap<String, (String, String)> {
    let ran = run(doctor).exits(code);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut states: BTreeMap<String, (String, String)> = BTreeMap::new();
    for rule in report["rules"].as_array().unwrap() {
        let word = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        let state = (word("state"), word("found"));
        assert!(!state.1.is_empty() && !word("why").is_empty(), "{rule}");
        assert_eq!(state.0 == "broken" || state.0 == "warning", !word("fix").is_empty(), "{rule}");
        let old = states.get(&word("rule"));
        if old.is_none_or(|(old, _)| old != "broken") {
            states.insert(word("rule"), state);
        }
    }
    for rule in DOCTOR {
        assert!(states.contains_key(rule.name), "no state of {}", rule.name);
    }
    states
}

/// Expects exit 3, and exactly these broken rules with these words.
#[track_caller]
fn names(doctor: &mut Command, broken: &[(&str, &str)]) {
    let states = states(doctor, 3);
    for (rule, words) in broken {
        let (state, found) = &states[*rule];
        assert!(state == "broken" && found.contains(words), "{rule} is {state}: {found}");
    }
    let named: Vec<&str> = broken.iter().map(|(rule, _)| *rule).collect();
    let others: Vec<_> = states
        .iter()
        .filter(|(rule, (state, _))| state == "broken" && !named.contains(&rule.as_str()))
        .collect();
    assert!(others.is_empty(), "also broken: {others:#?}");
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_machine_in_order_has_no_broken_rule_on_either_engine() {
    let machine = Machine::get();
    let ward = Ward::open(&machine);
    let green = |doctor: &mut Command| {
        for (rule, (state, found)) in states(doctor, 0) {
            let right = match rule.as_str() {
                // some machines reach no registry, and this checkout pins no image
                "image-served" => state == "ok" || state == "warning",
                name if NOTHING_THERE.contains(&name) => state == "ok" || state == "skipped",
                _ => state == "ok",
            };
            assert!(right, "{rule} is {state}: {found}");
        }
    };
    green(&mut ward.doctor(&[]));
    let mut private = ward.checkout.xtask(["doctor", "canary", "--json", "--engine", "private"]);
    green(private.args(["--mirror", &ward.mirror]).env("DOCKER_CONFIG", &ward.config));
    assert_eq!(ward.checkout.output_names(), [""; 0]);
    ward.close();
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn each_missing_flag_is_reported() {
    let machine = Machine::get();
    let ward = Ward::open(&machine);
    let without = |flag: &str| {
        ward.docker_that(&format!(
            "for n in \"${{!args[@]}}\"; do [ \"${{args[n]}}\" != {flag} ] || unset \"args[n]\"; done"
        ))
    };
    names(
        ward.doctor(&[]).env("PATH", without("--cgroupns=host")),
        &[("cgroup-namespace", "run with --cgroupns=host")],
    );
    names(ward.doctor(&[]).env("PATH", without("-t")), &[("terminal", "no terminal")]);
    let instead = |from: &str, to: &str| {
        ward.docker_that(&format!(
            "for n in \"${{!args[@]}}\"; do args[n]=${{args[n]/{from}/{to}}}; done"
        ))
    };
    names(
        ward.doctor(&[]).env(
            "PATH",
            instead("\\/sys\\/fs\\/cgroup:\\/sys\\/fs\\/cgroup:rw", "\\/tmp:\\/sys\\/fs\\/cgroup"),
        ),
        &[("cgroup-v2", "no cgroup v2 on /sys/fs/cgroup")],
    );
    let v1 = "case $* in *'{{.CgroupVersion}}'*) echo 1; exit ;; esac";
    names(
        ward.doctor(&[]).env("PATH", ward.docker_that(v1)),
        &[("cgroup-v2", "runs on cgroup v1")],
    );
    let dead = instead(
        "SILVERMETAL_UPSTREAM_DEBIAN=*",
        "SILVERMETAL_UPSTREAM_DEBIAN=http:\\/\\/127.0.0.1:9\\/debian",
    );
    names(
        ward.doctor(&[]).env("PATH", dead),
        &[("package-cache", "/debian/dists/trixie/InRelease")],
    );
    ward.close();
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn each_fault_of_an_image_is_reported() {
    let machine = Machine::get();
    let ward = Ward::open(&machine);
    let with = |name: &str, lines: &str, broken: &[(&str, &str)]| {
        names(&mut ward.doctor(&["--image", &ward.image(name, lines)]), broken);
    };
    with(
        "masked",
        "RUN ln -sf /dev/null /etc/systemd/system/approx-derivative-maker.socket",
        &[("package-cache", "approx-derivative-maker.socket is masked")],
    );
    let shim = "printf '#!/bin/sh\\nexit 0\\n' >/usr/local/bin/systemctl && chmod 755 /usr/local/bin/systemctl \
        && printf '#!/bin/bash\\ncd /home/user && HOME=/home/user setpriv --reuid user --regid user --init-groups -- \"$@\"\\n' >/shim && chmod 755 /shim";
    with(
        "shim",
        &format!("RUN {shim}\nENTRYPOINT [\"/shim\"]"),
        &[
            ("systemd-pid-1", "PID 1 is shim"),
            ("package-cache", "nothing listens on 127.0.0.1:9977"),
            ("stops-clean", "stopping took"),
            ("no-secrets", "variable HOSTNAME"),
        ],
    );
    with(
        "uid",
        "RUN usermod --uid 1001 user",
        &[("user-and-sudo", "found user, uid 1001"), ("output-writable", "belongs to uid 1001")],
    );
    let no_loop = "[\"/bin/bash\", \"-c\", \"rm -f /dev/loop*; exec /usr/local/sbin/entrypoint.sh \\\"$@\\\"\", \"-\"]";
    with("loopless", &format!("ENTRYPOINT {no_loop}"), &[("loop-devices", "losetup: ")]);
    ward.close();
    machine.has_no_traces();
}

/// A mounted overlay. Dropping it unmounts it.
struct Overlay(PathBuf);

impl Overlay {
    fn over(beside: &Path) -> Overlay {
        let dir = |name: &str| beside.with_file_name(format!("overlay-{name}"));
        for name in ["lower", "upper", "work", "all"] {
            fs::create_dir_all(dir(name)).unwrap();
        }
        let [lower, upper, work] = ["lower", "upper", "work"].map(|n| dir(n).display().to_string());
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "overlay", "-o"]);
        mount.arg(format!("lowerdir={lower},upperdir={upper},workdir={work}")).arg(dir("all"));
        run(&mut mount).exits(0);
        Overlay(dir("all"))
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn each_fault_of_the_machine_is_reported() {
    let machine = Machine::get();
    // mounted before the engine starts, because later mounts are invisible to it
    let place = Checkout::new("place");
    let overlay = Overlay::over(&place.root);
    let disk = Disk::new(&place.root, 16);
    let ward = Ward::open(&machine);
    let onto = |dir: &Path| ward.doctor(&["--output", dir.join("result").to_str().unwrap()]);
    names(&mut onto(&overlay.0), &[("output-on-disk", "the output is on overlay")]);
    let small = ("disk", "not enough disk: recipe canary needs");
    let behind_a_file = ("output-on-disk", "behind which grub looks for a file");
    // the first free loop device is one from 0 to 9, unless the machine uses many
    if DiskSpace::holding(&disk.dir).unwrap().has_device_for_grub() {
        names(&mut onto(&disk.dir), &[small]);
    } else {
        names(&mut onto(&disk.dir), &[behind_a_file, small]);
    }
    fs::write(disk.dir.join("config.json"), "{}").unwrap();
    disk.make_read_only();
    names(
        ward.doctor(&[]).env("DOCKER_CONFIG", &disk.dir),
        &[("docker-config", "Read-only file system")],
    );
    let broken = docker_config(&ward.checkout.root.join("x"), &json!([]));
    names(
        ward.doctor(&[]).env("DOCKER_CONFIG", broken),
        &[("docker-config", "expected a JSON object")],
    );
    names(
        ward.doctor(&[]).env("DOCKER_HOST", "unix:///nowhere.sock"),
        &[("engine-answers", "does not answer")],
    );
    names(
        ward.doctor(&[]).env("DOCKER_API_VERSION", "1.11"),
        &[("engine-api", "client version 1.11 is too old")],
    );
    ward.close();
    drop((overlay, disk));
    machine.has_no_traces();
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_missing_image_and_a_registry_with_login_are_reported() {
    let machine = Machine::get();
    let ward = Ward::open(&machine);
    let open = Registry::start(&ward.checkout.root, How::default());
    let gone = format!("{}/silvermetal-builder@sha256:{}", open.host, "a".repeat(64));
    names(
        &mut ward.doctor(&["--image", &gone]),
        &[("image-served", "the registry has no"), ("builder-image", "cannot be pulled")],
    );
    let shut = Registry::start(&ward.checkout.root, How { login: true, ..How::default() });
    let digest = shut.put(&Image::of_inputs("x"), "silvermetal-builder:latest");
    let shut = format!("{}/silvermetal-builder@{digest}", shut.host);
    names(
        &mut ward.doctor(&["--image", &shut]),
        &[("registry-login", "docker login 127.0.0.1:"), ("builder-image", "cannot be pulled")],
    );
    ward.close();
    machine.has_no_traces();
}
