//! Users who have to become root for a command: its command line, and their files afterwards.

use crate::escape::Shown as _;
use crate::exec::{Cmd, quoted, which};
use crate::facts::host::{am_root, called_through_sudo};
use anyhow::{Context as _, Result};
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;
use walkdir::WalkDir;

/// Program that lies beside xtask, and that xtask runs to read disk images.
pub const DIAGNOSE: &str = "diagnose";

const SUDO: &str = "sudo";

/// Variables that change what a build does. sudo drops them.
const PASSED_ON: [&str; 2] = ["APT_SNAPSHOT_URL", "BUILDER_IMAGE"];

/// The shell line that runs commands one after the other as root.
pub fn line(commands: &[Cmd]) -> String {
    let plain = commands.iter().map(ToString::to_string);
    if am_root() {
        return plain.collect::<Vec<_>>().join(" && ");
    }
    if which(SUDO).is_some() {
        return plain.map(|cmd| format!("{SUDO} {cmd}")).collect::<Vec<_>>().join(" && ");
    }
    format!("su -c {}", quoted(plain.collect::<Vec<_>>().join(" && ")))
}

/// The shell line that runs this xtask again as root: with the same arguments, but on `engine`.
///
/// It names the program and not cargo, which is not on root's PATH and would leave root's files in the target
/// folder.
pub fn again(engine: &str) -> String {
    let Ok(own) = std::env::current_exe() else { return "run it as root".to_owned() };
    let arguments = with_engine(std::env::args_os().skip(1).collect(), engine);
    let mut cmd = Cmd::new(&own).args(arguments);
    let mut passed: Vec<String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)))
        .collect();
    if which(SUDO).is_none()
        && let Ok(me) = std::fs::metadata("/proc/self")
    {
        // su does not say who called it, and results belong to the caller
        passed.push(format!("SUDO_UID={}", me.uid()));
        passed.push(format!("SUDO_GID={}", me.gid()));
    }
    if !passed.is_empty() {
        cmd = cmd.wrapped_by(Cmd::new("env").args(passed));
    }
    let build = if own.with_file_name(DIAGNOSE).exists() {
        String::new()
    } else {
        format!("cargo build --package {DIAGNOSE} && ")
    };
    format!("{build}{}", line(&[cmd]))
}

/// The arguments of a command line, with this value of `--engine`.
fn with_engine(arguments: Vec<OsString>, engine: &str) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(word) = rest.next() {
        if word == "--engine" {
            rest.next();
        } else if !word.to_string_lossy().starts_with("--engine=") {
            kept.push(word);
        }
    }
    kept.extend(["--engine", engine].map(OsString::from));
    kept
}

/// Gives the files below `dir` that belong to root to the user who called sudo, so that their next command
/// can write to them. Entries of `dir` named in `except` stay as they are.
///
/// # Errors
/// A file cannot be given away.
pub fn give_back(dir: &Path, except: &str) -> Result<()> {
    let Some(caller) = called_through_sudo() else { return Ok(()) };
    let files = WalkDir::new(dir).into_iter();
    let own = |entry: &walkdir::DirEntry| entry.depth() != 1 || entry.file_name() != except;
    // a file may be gone by now
    for entry in files.filter_entry(own).flatten() {
        let of_root = entry.metadata().is_ok_and(|meta| meta.uid() == 0);
        if of_root {
            lchown(entry.path(), Some(caller.uid), Some(caller.gid)).with_context(|| {
                format!("cannot give {} to uid {}", entry.path().shown(), caller.uid)
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_of_a_command_line_is_replaced() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in ["iso canary", "iso --engine docker canary", "iso --engine=auto canary"] {
            let again = with_engine(words(line), "private");
            assert_eq!(again, words("iso canary --engine private"), "{line}");
        }
    }
}
