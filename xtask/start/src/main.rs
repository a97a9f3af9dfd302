//! The first program of `cargo xtask`: has cargo build xtask, and shows that it works.
//!
//! Cargo alone cannot: it either prints two lines in front of every answer, or nothing at all while it
//! compiles for half a minute, or a progress bar that it also draws into pipes. This program compiles at
//! once, because it uses nothing but std.

use std::env;
use std::io::{IsTerminal as _, stderr};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Cargo refuses a bar that is always drawn without a width.
const BAR: [&str; 4] =
    ["--config", "term.progress.when='always'", "--config", "term.progress.width=60"];

fn main() -> ExitCode {
    let error = cargo().exec();
    say(&format!("error: cannot start cargo: {error}"));
    ExitCode::from(3)
}

#[expect(clippy::disallowed_methods, reason = "xtask's exec.rs would have to be compiled first")]
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["run", "--quiet", "--package", "xtask"]);
    // cargo sets it; a script may have named a checkout that is not the current folder
    if let Some(package) = env::var_os("CARGO_MANIFEST_DIR") {
        let workspace = std::path::Path::new(&package).join("../../Cargo.toml");
        cargo.arg("--manifest-path").arg(workspace);
    }
    let built = env::current_exe().is_ok_and(|own| own.with_file_name("xtask").exists());
    if !built {
        say("note: compiling xtask, which takes about half a minute the first time");
    }
    if stderr().is_terminal() && env::var_os("TERM").is_some_and(|term| term != "dumb") {
        cargo.args(BAR);
    }
    cargo.arg("--").args(env::args_os().skip(1));
    cargo
}

#[expect(clippy::print_stderr, reason = "the texts are constants, and names of errors")]
fn say(text: &str) {
    eprintln!("{text}");
}
