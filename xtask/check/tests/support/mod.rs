//! Copies of the clean tree, each a git repository of its own, to be broken.
#![allow(dead_code, clippy::unwrap_used, reason = "shared by test programs")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use xtask_check::rule::{Edit, Fixture};
use xtask_core::exec::Cmd;

const SUBMODULE: &str = "linux/build/derivative-maker";
const COMMIT: &str = "3c25009d615ffd37a3544ddc32b9b507b0650bb6";

/// A checkout under target/, removed in the end.
pub(crate) struct Checkout {
    pub(crate) root: PathBuf,
}

impl Checkout {
    pub(crate) fn clean() -> Checkout {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let root =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tree-{}-{n}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clean"), &root);
        let checkout = Checkout { root };
        checkout.record_inputs();
        checkout.git(&["init", "--quiet"]);
        checkout.git(&["add", "--all"]);
        checkout.gitlink(COMMIT);
        checkout
    }

    /// The pin is up to date again, as far as the docker/ folder can be read.
    pub(crate) fn record_inputs(&self) {
        let repo = xtask_core::facts::repo::Repo { root: self.root.clone() };
        let record = self.root.join("linux/build/docker/builder-image.toml");
        let Ok(inputs) = xtask_core::facts::builder_inputs::Inputs::gather(&repo) else { return };
        let text = fs::read_to_string(&record).unwrap();
        let lines = text.split_inclusive('\n').map(|line| match line.starts_with("inputs = ") {
            true => format!("inputs = \"{}\"\n", inputs.digest.hex()),
            false => line.to_owned(),
        });
        fs::write(&record, lines.collect::<String>()).unwrap();
    }

    pub(crate) fn git(&self, args: &[&str]) {
        xtask_core::facts::git::git(&self.root).args(args).read().unwrap();
    }

    fn gitlink(&self, commit: &str) {
        let info = format!("160000,{commit},{SUBMODULE}");
        self.git(&["update-index", "--add", "--cacheinfo", &info]);
        fs::create_dir_all(self.root.join(SUBMODULE)).unwrap();
    }

    pub(crate) fn break_by(&self, fixture: &Fixture) {
        let path = self.root.join(fixture.path);
        let add = || self.git(&["add", "--", fixture.path]);
        match fixture.edit {
            Edit::Replace(from, to) => {
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains(from), "{} has no `{from}`", fixture.path);
                fs::write(&path, text.replacen(from, to, 1)).unwrap();
            }
            Edit::Append(more) => {
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text + more).unwrap();
            }
            Edit::Write(bytes) => {
                let folder = path.parent().unwrap();
                if fixture.path.starts_with(SUBMODULE) {
                    self.git(&["rm", "--quiet", "--cached", SUBMODULE]);
                }
                fs::create_dir_all(folder).unwrap();
                fs::write(&path, bytes).unwrap();
                add();
            }
            Edit::Remove => fs::remove_file(&path).unwrap(),
            Edit::Executable(on) => {
                let mode = if on { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                add();
            }
            Edit::Crlf => {
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text.replace('\n', "\r\n")).unwrap();
            }
            Edit::Link(target) => {
                fs::remove_file(&path).unwrap();
                symlink(target, &path).unwrap();
            }
            Edit::Folder => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            Edit::Size(bytes) => fs::write(&path, "x\n".repeat(bytes / 2)).unwrap(),
            Edit::Gitlink(commit) => self.gitlink(commit),
        }
    }

    pub(crate) fn check(&self, args: &[&str]) -> Cmd {
        Cmd::new(env!("CARGO_BIN_EXE_check")).arg("--root").arg(&self.root).args(args)
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.root));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
