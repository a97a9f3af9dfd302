//! Command lines for a user who is not root and has to become root.

use crate::exec::{Cmd, quoted, which};
use crate::facts::host::am_root;
use std::path::Path;

/// Program that lies beside xtask, and that xtask runs to read disk images.
pub const DIAGNOSE: &str = "diagnose";

/// Variables that change what a build does. sudo drops them.
const PASSED_ON: [&str; 2] = ["APT_SNAPSHOT_URL", "BUILDER_IMAGE"];

/// The shell line that runs commands one after the other as root.
pub fn line(commands: &[Cmd]) -> String {
    let plain = commands.iter().map(ToString::to_string);
    if am_root() {
        return plain.collect::<Vec<_>>().join(" && ");
    }
    if which("sudo").is_some() {
        return plain.map(|cmd| format!("sudo {cmd}")).collect::<Vec<_>>().join(" && ");
    }
    format!("su -c {}", quoted(plain.collect::<Vec<_>>().join(" && ")))
}

/// The shell line that runs this xtask again as root, with the same arguments.
///
/// It names the program and not cargo, which is not on root's PATH and would leave root's files in the target
/// folder.
pub fn again() -> String {
    let Ok(own) = std::env::current_exe() else { return "run it as root".to_owned() };
    let mut cmd = Cmd::new(&own).args(std::env::args_os().skip(1));
    let passed: Vec<String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)))
        .collect();
    if !passed.is_empty() {
        cmd = cmd.wrapped_by(Cmd::new("env").args(passed));
    }
    let build = if beside(&own, DIAGNOSE) {
        String::new()
    } else {
        format!("cargo build --package {DIAGNOSE} && ")
    };
    format!("{build}{}", line(&[cmd]))
}

fn beside(program: &Path, name: &str) -> bool {
    program.with_file_name(name).exists()
}
