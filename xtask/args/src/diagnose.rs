//! Arguments of `diagnose`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const DIAGNOSE_EXAMPLES: &str = "\
Examples:
  cargo xtask diagnose linux/build/output/verify-1a2b3c4    the two builds of a verify
  cargo xtask diagnose published.iso mine.iso --html why.html
  cargo xtask diagnose a.squashfs b.squashfs --diffoscope never";

/// Name the causes of the differences between two images
///
/// Exit codes: 0 if the images are identical, 1 if they differ.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = DIAGNOSE_EXAMPLES)]
pub struct DiagnoseArgs {
    /// Two ISOs, squashfs files, images of containers (OCI layouts, archives of docker save), trees or
    /// output folders; or the one folder of a verify
    #[arg(value_name = "IMAGE", required = true, num_args = 1..=2)]
    pub images: Vec<PathBuf>,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    pub json: bool,
    /// Also write a report as one page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// When to run diffoscope; it looks only at files whose difference nothing explains
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub diffoscope: DiffoscopeOption,
    /// Time that diffoscope may take for all files together, e.g. 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub budget: TimeBudget,
}

/// Value of `--diffoscope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DiffoscopeOption {
    /// If an engine that runs has the builder image
    Auto,
    /// There, else on an engine of our own, else this machine's own; without any it is an error
    Always,
    /// Not at all
    Never,
}

/// A number of seconds, minutes or hours; more than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBudget(pub Duration);

impl FromStr for TimeBudget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<TimeBudget, Self::Err> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => 0,
        };
        match digits.parse::<u32>() {
            Ok(number @ 1..) if unit > 0 => {
                Ok(TimeBudget(Duration::from_secs(u64::from(number) * unit)))
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
            assert_eq!(text.parse(), Ok(TimeBudget(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "0", "m", "-1", "1d", "10 m", "1.5h"] {
            assert!(text.parse::<TimeBudget>().is_err(), "{text}");
        }
    }
}
