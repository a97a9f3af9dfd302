//! The command line of `cargo xtask diagnose` and `cargo xtask inspect`, as data.

use arguments::{arguments, choices, subcommands, value};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

subcommands! {
    /// Why two images differ, and what is in one.
    pub(crate) enum Command {
        /// Name the causes why two images differ
        "diagnose" => Diagnose(DiagnoseArgs),
        /// What is in an image, and does it hold the content policy; of two: which packages changed
        "inspect" => Inspect(InspectArgs),
    }
}

arguments! {
    pub(crate) struct DiagnoseArgs {
        /// Two ISOs, squashfs files, trees or output folders; or the one folder of a verify
        images: Vec<PathBuf> = operand("IMAGE").required(true).num_args(1..=2),
        /// Machine-readable result on stdout
        json: bool = flag(),
        /// Also write a report as one page that needs nothing else
        html: Option<PathBuf> = option("FILE"),
        /// Have diffoscope look at the files that nothing explains
        diffoscope: Diffoscope = option("WHEN").default_value("auto"),
        /// How long diffoscope may take for all of them, e.g. 90s, 10m, 1h
        budget: Budget = option("TIME").default_value("10m"),
    }

    pub(crate) struct InspectArgs {
        /// The image, or the output folder of a build; a second one: which packages changed
        images: Vec<PathBuf> = operand("ISO").required(true).num_args(1..=2),
        /// Hold it against the policy of this recipe [default: as BUILD_INFO beside it says, else base]
        recipe: Option<String> = option("NAME"),
        /// Search only what a build writes for traces of it (etc, var, …), not every file
        quick: bool = flag(),
        /// Machine-readable result on stdout
        json: bool = flag(),
    }
}

choices! {
    /// Whether diffoscope runs; in each case only on what nothing explains.
    pub(crate) enum Diffoscope {
        /// Where an engine that runs has the builder image
        "auto" => Auto,
        /// There, else on an engine of our own, else this machine's own; none of them is an error
        "always" => Always,
        /// Not at all
        "never" => Never,
    }
}

value!(Budget);

/// A number of seconds, minutes or hours; more than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget(pub(crate) Duration);

impl FromStr for Budget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Budget, Self::Err> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => 0,
        };
        match digits.parse::<u32>() {
            Ok(number @ 1..) if unit > 0 => {
                Ok(Budget(Duration::from_secs(u64::from(number) * unit)))
            }
            _ => Err("expected a number of seconds, minutes or hours: 90s, 10m, 1h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600)] {
            assert_eq!(text.parse(), Ok(Budget(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "0", "m", "-1", "1d", "10 m", "1.5h"] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }
}
