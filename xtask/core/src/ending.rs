//! The end of a program: its failure as JSON and as text, and its exit code.

use crate::failure::Code;
use crate::{interrupt, json, ui};
use anstream::adapter::strip_str;
use anyhow::Result;
use std::process::ExitCode;

/// Prints the error, if there is one. Returns the exit code of the program.
/// After a signal no other outcome counts: the signal may have caused it, or left a part of the work undone.
pub fn of(result: Result<()>) -> ExitCode {
    let result = match result {
        Err(error) if Code::of(&error) == Code::Interrupted => Err(error),
        Err(error) if interrupt::received() => {
            Err(Code::Interrupted.wrap(error.context("interrupted")))
        }
        other => other.and_then(|()| interrupt::check()),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    json::print_failure(&error);
    ui::error(&error);
    ExitCode::from(Code::of(&error) as u8)
}

/// Ends the program after a command line that it does not understand. `error` may be coloured; its words
/// from outside must be escaped before.
pub fn of_usage(error: &str) -> ! {
    let plain = strip_str(error).to_string();
    let what = plain.trim_start_matches("error: ").trim_end();
    json::print_failure(&Code::Usage.error(what));
    ui::usage(error, what);
    std::process::exit(Code::Usage as i32)
}
