//! `cargo xtask diagnose`: a command of the program `diagnose`, which gets diffoscope from here.

use crate::builder_image::diffoscope::Diffoscope;
use crate::external::{self, External};
use anyhow::Result;
use std::ffi::OsStr;
use std::path::Path;
use xtask_core::exec::{Exit, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::records::published::BuildInfo;
use xtask_core::ui::Ui;

pub(crate) fn command(repo: &Repo, args: &External) -> Result<()> {
    let ui = Ui::new(false);
    let args: Vec<&OsStr> = args.args.iter().map(|arg| arg.as_os_str()).collect();
    let mut program = external::diagnose(repo, &ui)?.arg("diagnose");
    let diffoscope = match wanted(&args) {
        None => None,
        Some(start) => Diffoscope::at_hand(repo, recorded_image(&args).as_deref(), start, &ui)?,
    };
    if let Some(diffoscope) = &diffoscope {
        program = diffoscope.hand_to(program);
    }
    let program = program.args(&args);
    match diffoscope {
        // our own engine must outlive the program, and be stopped after it
        Some(diffoscope) if diffoscope.is_private() => {
            let exit = program.status(&StopBy::Signal(Signal::TERM))?;
            drop(diffoscope);
            // the program has said everything itself
            std::process::exit(match exit {
                Exit::Code(code) => code,
                Exit::Signal(signal) => 128 + signal,
            })
        }
        _ => Err(program.exec()),
    }
}

/// Whether diffoscope may be needed, and if so, whether an engine may be started for it.
fn wanted(args: &[&OsStr]) -> Option<bool> {
    let is = |word: &str| args.contains(&OsStr::new(word));
    let when = |value: &str| {
        let separate = args.windows(2).any(|pair| pair[0] == "--diffoscope" && pair[1] == value);
        separate || is(&format!("--diffoscope={value}"))
    };
    (!is("--help") && !is("-h") && !when("never")).then(|| when("always"))
}

/// The builder image of the build that the first image is from, by the BUILD_INFO beside it.
fn recorded_image(args: &[&OsStr]) -> Option<String> {
    let first = args.iter().map(Path::new).find(|path| path.exists())?.canonicalize().ok()?;
    let folders = [first.clone(), first.join("build-a"), first.parent()?.to_owned()];
    let info = folders.iter().find_map(|dir| std::fs::read_to_string(dir.join("BUILD_INFO")).ok());
    let info = BuildInfo::parse(&info?);
    let image = info.get("Builder-Image").split_whitespace().next()?;
    (image == "local" || image.contains('/')).then(|| image.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_asked_only_if_diffoscope_may_run() {
        let wanted = |args: &[&str]| wanted(&args.iter().map(OsStr::new).collect::<Vec<_>>());
        assert_eq!(wanted(&["a", "b"]), Some(false));
        assert_eq!(wanted(&["a", "b", "--diffoscope", "auto"]), Some(false));
        assert_eq!(wanted(&["a", "b", "--diffoscope", "always"]), Some(true));
        assert_eq!(wanted(&["--diffoscope=always", "a", "b"]), Some(true));
        assert_eq!(wanted(&["--diffoscope=never", "a", "b"]), None);
        assert_eq!(wanted(&["--help"]), None);
    }
}
