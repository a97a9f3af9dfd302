//! A checkout whose recipe `base` builds in a moment, with a stub engine. Everything else is as for a
//! real release.

use crate::support::{Checkout, Ran, STUB, git, run, snapshot_peer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const TAG: &str = "v1.1.0";

/// Script that stands for the container. It runs `$EARLY` in the tree of the first stage, and `$EXTRA` at
/// its end.
const RUN: &str = r#"
    mkdir -p "$out/records" "$out/tmp/tree/etc"; echo "hello 1 amd64" >"$out/records/packages.txt"
    echo "$(printf '%064d' 1)  debian/dists/trixie/InRelease" >"$out/records/inrelease.txt"
    echo '@@stage rootfs'
    (cd "$out/tmp/tree"; umask 022; echo x >etc/built; eval "$EARLY")
    tar --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner -cf "$out/rootfs.tar" -C "$out/tmp/tree" .
    echo '@@stage iso'
    echo "an image" >"$out/silvermetal-base.iso"
    eval "$EXTRA""#;

pub struct Factory {
    pub checkout: Checkout,
    snapshot: String,
    /// The builder image that the commit pins.
    pub image: String,
}

impl Factory {
    /// A checkout with a commit, and the tag v1.1.0 on it.
    pub fn new() -> Factory {
        let checkout = Checkout::new("a release");
        let recipe = checkout.root.join("linux/build/recipes/base/recipe.toml");
        let text = "description = \"a test\"\nentry = \"build\"\niso = \"silvermetal-base.iso\"\n\
                    released = true\n[needs]\nsubmodule = false\n\
                    engines = [\"docker\", \"podman\", \"private\"]\ndisk_gib = 0\nram_gib = 1\n\
                    host_packages = []\n[[stage]]\nname = \"rootfs\"\nproduces = [\"rootfs.tar\"]\n\
                    [[stage]]\nname = \"iso\"\nproduces = [\"silvermetal-base.iso\"]\n";
        fs::write(recipe, text).unwrap();
        let image = format!("registry.example:5000/silvermetal-builder@sha256:{}", "a".repeat(64));
        checkout.edit(
            "linux/build/scripts/build.sh",
            "BUILDER_IMAGE:-unpublished",
            &format!("BUILDER_IMAGE:-{image}"),
        );
        checkout.commit();
        git(&checkout.root, &["tag", TAG]);
        Factory { checkout, snapshot: snapshot_peer(), image }
    }

    /// The same with a verified build, and its release folder.
    pub fn with_a_release() -> (Factory, PathBuf) {
        let factory = Factory::new();
        run(&mut factory.verify(&[])).exits(0);
        let built = run(&mut factory.xtask(&["release", "build"])).exits(0);
        let folder = PathBuf::from(built.stdout.trim_end());
        (factory, folder)
    }

    pub fn xtask(&self, words: &[&str]) -> Command {
        self.xtask_in(&self.checkout, words)
    }

    /// Runs in another checkout.
    pub fn xtask_in(&self, checkout: &Checkout, words: &[&str]) -> Command {
        let mut command = checkout.xtask(words);
        command.env("PATH", checkout.path_with("docker", STUB)).env("RUN", RUN);
        for ci in ["GITEA_ACTIONS", "GITHUB_ACTIONS"] {
            command.env_remove(ci);
        }
        command.env("APT_SNAPSHOT_URL", &self.snapshot);
        command
    }

    /// Runs `block` in bash in the folder `dir`. `cargo xtask` starts the xtask under test, and its
    /// commands for releases get `--repository`.
    pub fn shell(&self, block: &str, dir: &Path, repository: &str) -> Command {
        let mut sh = Command::new("bash");
        sh.args(["-euo", "pipefail", "-c", block]).current_dir(dir);
        for (name, value) in self.xtask(&[]).get_envs() {
            match value {
                Some(value) => sh.env(name, value),
                None => sh.env_remove(name),
            };
        }
        let cargo = format!(
            "#!/bin/sh\n[ \"$1\" = xtask ] || exit 99\nshift\n\
             case \"$*\" in reproduce*|*publish*) set -- \"$@\" --repository '{repository}' ;; esac\n\
             exec '{}' \"$@\"\n",
            env!("CARGO_BIN_EXE_xtask")
        );
        sh.env("PATH", self.checkout.path_with("cargo", &cargo));
        sh
    }

    pub fn verify(&self, words: &[&str]) -> Command {
        let all = [&["verify", "--engine", "docker"], words].concat();
        self.xtask(&all)
    }

    pub fn short(&self) -> String {
        git(&self.checkout.root, &["rev-parse", "--short=7", "HEAD"]).trim().to_owned()
    }

    pub fn verify_folder(&self) -> PathBuf {
        self.checkout.output().join(format!("verify-{}", self.short()))
    }

    /// Runs `release build`, which must refuse and must create no folder.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) -> Ran {
        let ran = run(&mut self.xtask(&[&["release", "build"], words].concat())).exits(3);
        let names = self.checkout.output_names();
        assert!(!names.iter().any(|name| name.contains("release")), "{names:?}");
        ran
    }

    /// Rewrites a line of build A's BUILD_INFO.
    pub fn edit_build_info(&self, field: &str, value: &str) {
        let path = self.verify_folder().join("build-a/BUILD_INFO");
        let text = fs::read_to_string(&path).unwrap();
        let start = format!("{field}: ");
        assert!(text.contains(&start), "{text}");
        let edit = |line: &str| {
            if line.starts_with(&start) { format!("{start}{value}") } else { line.to_owned() }
        };
        let lines: Vec<String> = text.lines().map(edit).collect();
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}
