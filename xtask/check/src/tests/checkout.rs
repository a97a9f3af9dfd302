//! A copy of `fixtures/clean` that is a git repository, for a test to break.

use crate::rule::{Fixture, FixtureEdit};
use crate::run::{CheckReport, run};
use crate::selection::RuleSelection;
use crate::tree::Tree;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::facts::git::git;
use xtask_core::facts::repo::Repo;

const SUBMODULE: &str = "linux/build/derivative-maker";
const COMMIT: &str = "3c25009d615ffd37a3544ddc32b9b507b0650bb6";

/// Removed when dropped, but kept when the test fails.
pub(crate) struct Checkout {
    pub(crate) root: PathBuf,
}

impl Checkout {
    pub(crate) fn clean() -> Checkout {
        // git takes a while: one repository is made, and copied for each test
        static TEMPLATE: OnceLock<Checkout> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let checkout = Checkout::empty();
            copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clean"), &checkout.root);
            checkout.record_inputs();
            checkout.git(&["init", "--quiet"]);
            checkout.git(&["add", "--all"]);
            checkout.gitlink(SUBMODULE, COMMIT);
            checkout
        });
        let checkout = Checkout::empty();
        copy(&template.root, &checkout.root);
        checkout
    }

    fn empty() -> Checkout {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("xtask-check-{}-{n}", std::process::id());
        let root = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&root));
        Checkout { root }
    }

    /// Every rule's findings, but for linters, which few tests need.
    pub(crate) fn check(&self) -> CheckReport {
        self.check_with(&[], &["shellcheck"])
    }

    pub(crate) fn check_with(&self, only: &[&str], skip: &[&str]) -> CheckReport {
        let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let selection = RuleSelection::new(owned(only), owned(skip)).unwrap();
        run(Tree::load(&self.root).unwrap(), &selection)
    }

    /// Makes the pin match the docker/ folder again, if that can be read.
    pub(crate) fn record_inputs(&self) {
        let record = self.root.join("linux/build/docker/builder-image.toml");
        let Ok(inputs) = Inputs::gather(&Repo { root: self.root.clone() }) else { return };
        let text = fs::read_to_string(&record).unwrap();
        let lines = text.split_inclusive('\n').map(|line| match line.starts_with("inputs = ") {
            true => format!("inputs = \"{}\"\n", inputs.digest.hex()),
            false => line.to_owned(),
        });
        fs::write(&record, lines.collect::<String>()).unwrap();
    }

    pub(crate) fn git(&self, args: &[&str]) {
        git(&self.root).args(args).read().unwrap();
    }

    /// Makes the folder one that git does not know.
    pub(crate) fn leave_git(&self) {
        fs::remove_dir_all(self.root.join(".git")).unwrap();
        fs::write(self.root.join(".git"), "gitdir: nowhere\n").unwrap();
    }

    fn gitlink(&self, path: &str, commit: &str) {
        let info = format!("160000,{commit},{path}");
        self.git(&["update-index", "--add", "--cacheinfo", &info]);
        fs::create_dir_all(self.root.join(path)).unwrap();
    }

    pub(crate) fn break_by(&self, fixture: &Fixture) {
        let path = self.root.join(fixture.path);
        let read = || fs::read_to_string(&path).unwrap();
        let add = || self.git(&["add", "--", fixture.path]);
        match fixture.edit {
            FixtureEdit::Replace(from, to) => {
                let text = read();
                assert!(text.contains(from), "{} has no `{from}`", fixture.path);
                fs::write(&path, text.replacen(from, to, 1)).unwrap();
            }
            FixtureEdit::Append(more) => fs::write(&path, read() + more).unwrap(),
            FixtureEdit::Write(bytes) => {
                if fixture.path.starts_with(SUBMODULE) {
                    self.git(&["rm", "--quiet", "--cached", SUBMODULE]);
                }
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, bytes).unwrap();
                add();
            }
            FixtureEdit::Remove => fs::remove_file(&path).unwrap(),
            FixtureEdit::Executable(on) => {
                let mode = if on { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                add();
            }
            FixtureEdit::Crlf => fs::write(&path, read().replace('\n', "\r\n")).unwrap(),
            FixtureEdit::Link(target) => {
                fs::remove_file(&path).unwrap();
                symlink(target, &path).unwrap();
            }
            FixtureEdit::Folder => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            FixtureEdit::Size(bytes) => fs::write(&path, "x\n".repeat(bytes / 2)).unwrap(),
            FixtureEdit::Gitlink(commit) => self.gitlink(fixture.path, commit),
        }
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
