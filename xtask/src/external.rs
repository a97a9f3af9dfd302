//! Commands that are programs of their own, built when somebody first asks for them: `diagnose`
//! and `inspect`. They know their own arguments and `--help`.

use anyhow::Result;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use xtask_core::exec::Cmd;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::interrupt;
use xtask_core::ui::Ui;

const DIAGNOSE: &str = "diagnose";
const READS_IMAGES: &str = "what reads images";

/// The arguments of a command that is a program of its own.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct External {
    /// Arguments of the program; `--help` lists them
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// `cargo xtask diagnose`, `cargo xtask inspect`
pub(crate) fn diagnose(repo: &Repo, command: &str, args: &External) -> Result<()> {
    Err(diagnoser(repo).arg(command).args(&args.args).exec())
}

/// The program that reads images, for commands that need its answer.
pub(crate) fn diagnoser(repo: &Repo) -> Cmd {
    program(repo, DIAGNOSE, READS_IMAGES).run()
}

/// Builds the program that reads images where it isn't up to date, so that nobody waits for that, or
/// sees it fail, after an hour.
pub(crate) fn prepare_diagnoser(repo: &Repo) -> Result<()> {
    let program = program(repo, DIAGNOSE, READS_IMAGES);
    let Some(build) = program.build() else { return Ok(()) };
    let probe = build.output()?;
    interrupt::check()?;
    if probe.exit.ok() {
        return Ok(());
    }
    let why = probe.stderr.trim();
    Err(Code::NotReady
        .error(format!("cannot build package {DIAGNOSE}, which inspects ISOs:\n{why}")))
}

/// The program beside us, if it is newer than its sources: asking cargo costs as much as a whole
/// `check`. Else cargo brings it up to date first, in the profile that xtask was built in: what
/// both need is there already. Started without cargo, it is the one beside us in any case.
fn program(repo: &Repo, package: &str, what: &str) -> Program {
    let cargo = std::env::var_os("CARGO");
    let beside = beside(package.trim_start_matches("xtask-"));
    if let Some(program) = &beside
        && (cargo.is_none() || is_fresh(program, &repo.root))
    {
        return Program::Beside(program.clone());
    }
    if beside.is_none() {
        Ui::new(false).notice(&format!("building {what}; only this first time"));
    }
    let cargo = Cmd::new(cargo.unwrap_or_else(|| "cargo".into()));
    let options = ["--quiet", "--locked", "--package", package, "--manifest-path"];
    let options = options.map(OsString::from).into_iter();
    Program::Cargo(cargo, options.chain([repo.root.join("Cargo.toml").into()]).collect())
}

/// Where a program is from.
enum Program {
    Beside(PathBuf),
    /// Cargo, and the options of its `build` and `run`.
    Cargo(Cmd, Vec<OsString>),
}

impl Program {
    fn run(self) -> Cmd {
        match self {
            Program::Beside(program) => Cmd::new(program),
            Program::Cargo(cargo, options) => cargo.arg("run").args(options).arg("--"),
        }
    }

    /// What brings it up to date; none: it is.
    fn build(self) -> Option<Cmd> {
        match self {
            Program::Beside(_) => None,
            Program::Cargo(cargo, options) => Some(cargo.arg("build").args(options)),
        }
    }
}

fn beside(package: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name(package);
    path.exists().then_some(path)
}

/// Whether nothing that cargo built it from has changed since: the sources that its `.d` file
/// names, the manifests, and what xtask itself was built with.
fn is_fresh(program: &Path, root: &Path) -> bool {
    let Some(built) = changed(program) else { return false };
    let older = |path: &Path| changed(path).is_some_and(|time| time < built);
    let Ok(listing) = std::fs::read_to_string(program.with_extension("d")) else { return false };
    let Some((_, sources)) = listing.trim_end().split_once(": ") else { return false };
    // a blank in a path is written `\ `
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split(' ').map(|path| PathBuf::from(path.replace('\0', " ")));
    let manifests = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|path| root.join(path));
    let packages = std::fs::read_dir(root.join("xtask")).into_iter().flatten().flatten();
    let mut packages =
        packages.map(|dir| dir.path().join("Cargo.toml")).filter(|path| path.exists());
    sources.all(|path| older(&path))
        && manifests.iter().all(|path| older(path))
        && packages.all(|path| older(&path))
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::Duration;

    #[test]
    fn a_program_is_fresh_until_something_it_was_built_from_changes() {
        let root = std::env::temp_dir().join(format!("xtask-fresh-{}", std::process::id()));
        let at = |path: &str| root.join(path);
        for folder in [".cargo", "xtask/check/src", "xtask/check/a b", "target"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        let sources = ["xtask/check/src/main.rs", "xtask/check/a b/x.rs"];
        let others = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "xtask/check/Cargo.toml"];
        let program = at("target/check");
        let now = SystemTime::now();
        let age = |path: &Path, seconds: u64| {
            let file = File::options().create(true).append(true).open(path).unwrap();
            file.set_modified(now - Duration::from_secs(seconds)).unwrap();
        };
        for path in sources.iter().chain(&others) {
            age(&at(path), 60);
        }
        age(&program, 30);
        assert!(!is_fresh(&program, &root), "without a list of its sources");
        let listed = sources.map(|path| at(path).display().to_string().replace(' ', "\\ "));
        let line = format!("{}: {}\n", program.display(), listed.join(" "));
        fs::write(program.with_extension("d"), line).unwrap();
        assert!(is_fresh(&program, &root));
        for path in sources.iter().chain(&others) {
            age(&at(path), 10);
            assert!(!is_fresh(&program, &root), "{path} is newer");
            age(&at(path), 60);
        }
        fs::remove_file(at(sources[1])).unwrap();
        assert!(!is_fresh(&program, &root), "a source is gone");
        fs::remove_dir_all(&root).unwrap();
    }
}
