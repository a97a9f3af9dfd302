//! Hands a command to a program of its own: `diagnose` and `inspect` go to the package `diagnose`.
//!
//! That package takes long to compile. Cargo builds it when it is first used, so that no other command
//! has to wait. Both programs know its arguments: see `xtask_args`.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::ffi::OsString;
use std::path::PathBuf;
use xtask_core::as_root::DIAGNOSE;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::ui::Ui;

const PACKAGE: &str = DIAGNOSE;
/// First words of cargo's messages while it builds, or waits for another cargo.
const BUILDS: [&str; 4] = ["Blocking", "Compiling", "Downloading", "Updating"];

/// The words behind the name of the command, which the program gets as they are.
pub(crate) fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(2)
}

/// Builds the program `diagnose` if it is out of date, and returns its command line. Cargo's messages are
/// shown while it builds.
///
/// If cargo did not start this xtask, the program beside it is used as it is.
pub(crate) fn diagnose(repo: &Repo, ui: &Ui) -> Result<Cmd> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        let own = std::env::current_exe().context("cannot find the path of this program")?;
        let program = own.with_file_name(PACKAGE);
        return if program.exists() {
            Ok(Cmd::new(program))
        } else {
            Err(Code::NotReady.error(format!(
                "{} is not built: cargo build --package {PACKAGE}",
                program.shown()
            )))
        };
    };
    let build = Cmd::new(cargo)
        .args(["build", "--locked", "--package", PACKAGE])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(repo.root.join("Cargo.toml"));
    let (mut program, mut messages, mut stage) = (None, Vec::new(), None);
    let exit = build.stream(&StopBy::Signal(Signal::TERM), |line| {
        if line.starts_with('{') {
            program = executable(line).or(program.take());
        } else {
            if stage.is_none() && BUILDS.iter().any(|word| line.trim_start().starts_with(word)) {
                ui.notice("compiling the program that reads disk images");
                stage = Some(ui.stage(PACKAGE));
            }
            ui.line(line);
            messages.push(line.to_owned());
        }
        Ok(())
    });
    if let Some(stage) = stage {
        stage.end(exit.as_ref().is_ok_and(|exit| exit.ok()));
    }
    let exit = exit?;
    match program {
        Some(program) if exit.ok() => Ok(Cmd::new(program)),
        _ => Err(Code::NotReady
            .error(format!("cannot build package {PACKAGE} ({exit}):\n{}", messages.join("\n")))),
    }
}

/// The path of the program, if one of cargo's messages has it.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let of_program = message["target"]["name"] == PACKAGE;
    message["executable"].as_str().filter(|_| of_program).map(PathBuf::from)
}
