//! A copy of `fixtures/clean` that is a git repository, for a test to break.

use crate::rule::{Fixture, FixtureEdit};
use crate::run::{CheckReport, run};
use crate::selection::RuleSelection;
use crate::tree::SourceTree;
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

/// Rules that run another project's program.
pub(crate) const LINTERS: [&str; 4] = ["actionlint", "hadolint", "shellcheck", "zizmor"];

/// Removed when dropped, but kept when the test fails.
pub(crate) struct Checkout {
    pub(crate) root: PathBuf,
}

impl Checkout {
    pub(crate) fn clean() -> Checkout {
        // git takes a while: one repository is made, and written out for each test
        static TEMPLATE: OnceLock<Vec<Saved>> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let checkout = Checkout::empty();
            let clean = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clean");
            write(&read(&clean), &checkout.root);
            checkout.record_inputs();
            checkout.git(&["init", "--quiet"]);
            checkout.git(&["add", "--all"]);
            checkout.gitlink(SUBMODULE, COMMIT);
            read(&checkout.root)
        });
        let checkout = Checkout::empty();
        write(template, &checkout.root);
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

    /// Runs every rule but the linters, which need other programs.
    pub(crate) fn check(&self) -> CheckReport {
        self.check_with(&[], &LINTERS)
    }

    pub(crate) fn check_with(&self, only: &[&str], skip: &[&str]) -> CheckReport {
        let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let selection = RuleSelection::new(owned(only), owned(skip)).unwrap();
        let mut tree = SourceTree::load(&self.root).unwrap();
        tree.refusal = Some(|words| {
            words.iter().any(|word| word == "doktor").then(|| "no such command".to_owned())
        });
        run(tree, &selection)
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

/// A file's path, permissions and content, or a folder.
type Saved = (PathBuf, Option<(fs::Permissions, Vec<u8>)>);

/// Everything below a folder, folders before what is in them.
fn read(root: &Path) -> Vec<Saved> {
    let mut found: Vec<Saved> = vec![(PathBuf::new(), None)];
    let mut at = 0;
    while let Some((folder, content)) = found.get(at).cloned() {
        at += 1;
        if content.is_some() {
            continue;
        }
        for entry in fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            let file =
                meta.is_file().then(|| (meta.permissions(), fs::read(entry.path()).unwrap()));
            found.push((folder.join(entry.file_name()), file));
        }
    }
    found
}

fn write(saved: &[Saved], root: &Path) {
    for (path, content) in saved {
        let path = root.join(path);
        match content {
            None => fs::create_dir_all(path).unwrap(),
            Some((permissions, bytes)) => {
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, permissions.clone()).unwrap();
            }
        }
    }
}
