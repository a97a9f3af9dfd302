//! The end of a program: its failure as JSON and as text, and its exit code.

use crate::failure::Code;
use crate::{json, ui};
use anyhow::Result;
use std::process::ExitCode;

/// Prints the error, if there is one. Returns the exit code of the program.
pub fn of(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    json::print_failure(&error);
    ui::error(&error);
    ExitCode::from(Code::of(&error) as u8)
}

/// Ends the program after a command line that it does not understand.
pub fn of_usage(error: &str) -> ! {
    json::print_failure(&Code::Usage.error(error));
    ui::usage(error);
    std::process::exit(Code::Usage as i32)
}
