//! `cargo xtask diagnose`: a command of the program `diagnose`, which gets diffoscope from here.

use crate::builder_image::diffoscope::Diffoscope;
use crate::external::{self, External};
use anyhow::Result;
use std::ffi::OsStr;
use std::path::Path;
use xtask_core::exec::{Exit, Signal, StopBy};
use xtask_core::facts::repo::Repo;
use xtask_core::ui::Ui;

pub(crate) fn command(repo: &Repo, args: &External) -> Result<()> {
    let ui = Ui::new(false);
    let args: Vec<&OsStr> = args.args.iter().map(|arg| arg.as_os_str()).collect();
    let mut program = external::diagnose(repo, &ui)?.arg("diagnose");
    let image = args.iter().map(Path::new).find(|path| path.exists());
    let diffoscope = match wanted(&args) {
        Wanted::Never => None,
        Wanted::IfAtHand => Diffoscope::if_at_hand(repo, image, &ui)?,
        Wanted::Always => Diffoscope::find(repo, image, true, &ui)?,
    };
    if let Some(diffoscope) = &diffoscope {
        program = diffoscope.hand_to(program);
    }
    let program = program.args(&args);
    match diffoscope {
        // the private engine must outlive the program, and be stopped after it
        Some(diffoscope) if diffoscope.is_private() => {
            let exit = program.status(&StopBy::Signal(Signal::TERM))?;
            drop(diffoscope);
            // the program has printed its own error
            std::process::exit(match exit {
                Exit::Code(code) => code,
                Exit::Signal(signal) => 128 + signal,
            })
        }
        _ => Err(program.exec()),
    }
}

/// Need for diffoscope, by the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Never,
    IfAtHand,
    /// Even if an engine must be started for it.
    Always,
}

fn wanted(args: &[&OsStr]) -> Wanted {
    let is = |word: &str| args.contains(&OsStr::new(word));
    let when = |value: &str| {
        let separate = args.windows(2).any(|pair| pair[0] == "--diffoscope" && pair[1] == value);
        separate || is(&format!("--diffoscope={value}"))
    };
    if is("--help") || is("-h") || when("never") {
        Wanted::Never
    } else if when("always") {
        Wanted::Always
    } else {
        Wanted::IfAtHand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_asked_only_if_diffoscope_may_run() {
        let wanted = |args: &[&str]| wanted(&args.iter().map(OsStr::new).collect::<Vec<_>>());
        assert_eq!(wanted(&["a", "b"]), Wanted::IfAtHand);
        assert_eq!(wanted(&["a", "b", "--diffoscope", "auto"]), Wanted::IfAtHand);
        assert_eq!(wanted(&["a", "b", "--diffoscope", "always"]), Wanted::Always);
        assert_eq!(wanted(&["--diffoscope=always", "a", "b"]), Wanted::Always);
        assert_eq!(wanted(&["--diffoscope=never", "a", "b"]), Wanted::Never);
        assert_eq!(wanted(&["--help"]), Wanted::Never);
    }
}
