//! Linters: other projects' programs that check files. Their answers are cached.

use crate::finding::Location;
use crate::fix::Fix;
use crate::model::workflow;
use crate::rule::Findings;
use crate::tree::{SourceFile, SourceTree};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use xtask_core::exec::{Cmd, Exit, which};
use xtask_core::hash;

/// Cached answers of one linter. With more, the cache is emptied.
const CACHED: usize = 500;
/// Installs the linters that .gitea/runner/job-image/linters.txt pins.
const INSTALL: &str = "cargo xtask check --setup";
/// Seconds. Some text makes shellcheck hang.
const PATIENCE: u32 = 10;

pub(crate) struct Linter {
    pub(crate) program: &'static str,
    /// Arguments before the file.
    pub(crate) args: &'static [&'static str],
    /// An option that names the settings, and their file. It is left out if there is no such file.
    pub(crate) config: Option<(&'static str, &'static str)>,
    /// Settings that the program finds on its own.
    pub(crate) settings: &'static [&'static str],
    /// JSON pointer to the list of problems in the program's output.
    pub(crate) list: &'static str,
    /// Reads one problem; `None` if it is none here.
    pub(crate) remark: fn(&Value) -> Option<Remark>,
}

/// One problem that a linter reports.
pub(crate) struct Remark {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) text: String,
    /// How to fix it, or where that is explained.
    pub(crate) fix: Fix,
}

/// A file, and the others that the linter reads with it.
pub(crate) struct LinterInput<'t> {
    pub(crate) file: &'t SourceFile,
    pub(crate) also: Vec<&'t SourceFile>,
}

/// A file and its answer, or the cache file of the answer.
struct Asked<'t> {
    path: &'t str,
    cache: PathBuf,
    answer: Result<Vec<Remark>, String>,
}

impl Linter {
    /// Checks every workflow with the program, or says that it is missing.
    pub(crate) fn check_workflows(&self, tree: &SourceTree, found: &mut Findings) {
        let workflows = workflow::all(tree);
        let inputs: Vec<LinterInput<'_>> =
            workflows.iter().map(|w| LinterInput { file: w.source, also: Vec::new() }).collect();
        self.check(tree, &inputs, found);
    }

    /// Checks the files with the program, or says that it is missing.
    pub(crate) fn check(
        &self,
        tree: &SourceTree,
        inputs: &[LinterInput<'_>],
        found: &mut Findings,
    ) {
        let Some(program) = find(tree, self.program) else {
            return found.skip(format!("{} is not installed ({INSTALL})", self.program));
        };
        // a linter takes up to a second, and its files rarely change
        let folder = tree.repo.state().join("linters").join(self.program);
        let (known, open): (Vec<Asked<'_>>, Vec<Asked<'_>>) = inputs
            .iter()
            .map(|input| {
                let cache = folder.join(self.key(&program, tree, input));
                let answer = std::fs::read_to_string(&cache).map_err(|e| e.to_string());
                let answer = answer.and_then(|text| self.remarks(&text));
                Asked { path: &input.file.path, cache, answer }
            })
            .partition(|asked| asked.answer.is_ok());
        for asked in known.into_iter().chain(self.ask(&program, tree, open)) {
            self.report(asked, found);
        }
    }

    /// Runs the program once per file on all CPUs, so that a slow file delays no other.
    fn ask<'t>(&self, program: &Path, tree: &SourceTree, open: Vec<Asked<'t>>) -> Vec<Asked<'t>> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(open.len());
        let root = &tree.repo.root;
        let config = self.config.filter(|(_, path)| tree.source(path).is_some());
        // actionlint looks for shellcheck
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", pinned(tree).to_string_lossy());
        let (open, done) = (Mutex::new(open), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(mut asked) = open.lock().ok().and_then(|mut open| open.pop()) {
                        let config = config.iter().flat_map(|(option, path)| [option, path]);
                        let cmd = Cmd::new(program).args(self.args).args(config);
                        let cmd = cmd.arg(asked.path).current_dir(root).env("PATH", &path);
                        asked.answer = self.run(&cmd.within_seconds(PATIENCE), &asked.cache);
                        if let Ok(mut done) = done.lock() {
                            done.push(asked);
                        }
                    }
                });
            }
        });
        done.into_inner().unwrap_or_default()
    }

    fn run(&self, cmd: &Cmd, cache: &Path) -> Result<Vec<Remark>, String> {
        let probe = cmd.output().map_err(|error| format!("{error:#}"))?;
        if probe.exit == Exit::Code(124) {
            return Err(format!("it did not end within {PATIENCE} s"));
        }
        let remarks = self
            .remarks(&probe.stdout)
            .map_err(|_| format!("{}: {}", probe.exit, beginning(&probe.stderr)))?;
        // a cache that cannot be written only costs time
        drop(keep(cache, &probe.stdout));
        Ok(remarks)
    }

    /// Reads the program's output.
    fn remarks(&self, output: &str) -> Result<Vec<Remark>, String> {
        let output: Value = serde_json::from_str(output).map_err(|error| error.to_string())?;
        let list = output.pointer(self.list).and_then(Value::as_array).ok_or("no list")?;
        Ok(list.iter().filter_map(self.remark).collect())
    }

    fn report(&self, asked: Asked<'_>, found: &mut Findings) {
        let expected = format!("no remark by {}", self.program);
        match asked.answer {
            Ok(remarks) => {
                for remark in remarks {
                    let location = Location::at(asked.path, (remark.line, remark.column));
                    found.add(location, remark.text, &expected, remark.fix);
                }
            }
            Err(why) => {
                let what = format!("{} cannot read it: {why}", self.program);
                let fix = Fix::with("{} {}", &[self.program, asked.path]);
                found.add(Location::file(asked.path), what, expected, fix);
            }
        }
    }

    /// The hash of everything that an answer depends on.
    fn key(&self, program: &Path, tree: &SourceTree, input: &LinterInput<'_>) -> String {
        // actionlint passes scripts to shellcheck
        let programs = [Some(program.to_owned()), find(tree, "shellcheck")];
        let mut all: String = programs.iter().flatten().map(|path| identity(path)).collect();
        all += &self.args.join(" ");
        let settings = self.settings.iter().copied().chain(self.config.map(|(_, path)| path));
        let settings = settings.filter_map(|path| tree.source(path));
        for source in settings.chain([input.file]).chain(input.also.iter().copied()) {
            all += &format!("{}\n{}\n", source.path, source.text);
        }
        hash::text(&all).hex()[..24].to_owned()
    }
}

/// The pinned program that `--setup` installs, or the one on PATH.
fn find(tree: &SourceTree, program: &str) -> Option<PathBuf> {
    let pinned = pinned(tree).join(program);
    if pinned.exists() { Some(pinned) } else { which(program) }
}

/// Folder of the pinned programs.
fn pinned(tree: &SourceTree) -> PathBuf {
    tree.repo.state().join("tools/bin")
}

fn identity(program: &Path) -> String {
    let meta = program.metadata().ok();
    let made = meta.and_then(|meta| Some((meta.len(), meta.modified().ok()?)));
    format!("{} {made:?}\n", program.to_string_lossy())
}

/// The first lines of a program's message. A backtrace may follow.
fn beginning(message: &str) -> String {
    message.trim().lines().take(4).collect::<Vec<_>>().join("\n")
}

fn keep(path: &Path, answer: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let old: Vec<_> = std::fs::read_dir(folder)?.flatten().collect();
    if old.len() >= CACHED {
        for entry in old {
            std::fs::remove_file(entry.path())?;
        }
    }
    // renamed when complete: another run may be reading it
    let half = path.with_extension(std::process::id().to_string());
    std::fs::write(&half, answer)?;
    std::fs::rename(half, path)
}
