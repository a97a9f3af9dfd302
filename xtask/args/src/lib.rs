//! Command lines as both programs read them: `xtask`, and the program `diagnose` that it starts.
//!
//! xtask knows the arguments of `diagnose` and `inspect` too. So their `--help`, their usage errors and
//! their completions need no program that takes minutes to compile.

mod diagnose;
mod inspect;

pub use crate::diagnose::{DiagnoseArgs, DiffoscopeOption, TimeBudget};
pub use crate::inspect::InspectArgs;

use xtask_core::ending;
use xtask_core::escape::Shown as _;

/// Parses the command line of this process. Prints help, a version or an error, and exits, if there is
/// nothing to run.
pub fn parse<C: clap::Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        // Words of the command line are all that an error contains from outside. If they are escaped
        // before, every sequence of a terminal in the error is a colour of clap.
        let words = std::env::args_os().map(|word| word.shown().to_string());
        match C::try_parse_from(words) {
            Err(error) => ending::of_usage(&error.render().ansi().to_string()),
            Ok(_) => ending::of_usage(&error.to_string()),
        }
    })
}
