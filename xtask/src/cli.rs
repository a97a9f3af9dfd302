//! The list of commands. Each command's arguments are in its own file under commands/.

use crate::commands::boot::BootArgs;
use crate::commands::bump::image::BumpImageArgs;
use crate::commands::bump::snapshot::BumpSnapshotArgs;
use crate::commands::bump::submodule::BumpSubmoduleArgs;
use crate::commands::check::CheckArgs;
use crate::commands::clean::CleanArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::image::ImageCommand;
use crate::commands::iso::IsoArgs;
use crate::commands::release::ReleaseCommand;
use crate::commands::reproduce::ReproduceArgs;
use crate::commands::test::TestArgs;
use crate::commands::verify::VerifyArgs;
use clap::Parser as _;
use clap::error::ErrorKind;
use xtask_args::{DiagnoseArgs, InspectArgs};

const EXIT_CODES: &str = "\
Exit codes:
  0    yes
  1    no: the images differ, or there are findings
  2    wrong usage
  3    the environment is not ready; nothing was changed
  4    a build or an outside step failed
  130  interrupted

Examples:
  cargo xtask iso canary --setup     a small bootable ISO; minutes, the first time
  cargo xtask verify                 the product, built twice and compared
  cargo xtask help iso               the same as `cargo xtask iso --help`";

/// SilverMetal's build automation: from a commit to a reproducible ISO
#[derive(Debug, clap::Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    after_long_help = EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Iso(IsoArgs),
    Verify(VerifyArgs),
    Boot(BootArgs),
    Check(CheckArgs),
    Diagnose(Box<DiagnoseArgs>),
    Inspect(InspectArgs),
    Doctor(DoctorArgs),
    #[command(subcommand)]
    Image(ImageCommand),
    #[command(subcommand)]
    Release(ReleaseCommand),
    Reproduce(ReproduceArgs),
    BumpImage(BumpImageArgs),
    BumpSnapshot(BumpSnapshotArgs),
    BumpSubmodule(BumpSubmoduleArgs),
    Clean(CleanArgs),
    Completions(CompletionsArgs),
    Test(TestArgs),
}

/// Says why these words are no command line of xtask. What a variable stands for is not judged.
pub(crate) fn refusal(words: &[String]) -> Option<String> {
    let dynamic = |word: &str| word.contains(['$', '`', '*']);
    if words.first().is_none_or(|command| dynamic(command)) {
        return None;
    }
    let error =
        Cli::try_parse_from(std::iter::once("xtask").chain(words.iter().map(String::as_str)))
            .err()?;
    let by_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    // "$@" and $OPTIONS may be several words, or none
    let by_number = matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::TooFewValues
            | ErrorKind::WrongNumberOfValues
    );
    if !error.use_stderr() || (by_value || by_number) && words.iter().any(|word| dynamic(word)) {
        return None;
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Some(first.strip_prefix("error: ").unwrap_or(first).to_owned())
}

#[cfg(test)]
mod tests {
    use super::refusal;

    fn refused(line: &str) -> Option<String> {
        refusal(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_misspelt_command_or_option_is_refused() {
        for (line, why) in [
            ("verfy canary", "unrecognized subcommand 'verfy'"),
            ("release publsh x", "unrecognized subcommand 'publsh'"),
            ("verify canary --ouput x", "unexpected argument '--ouput' found"),
            ("diagnose a b --htlm x", "unexpected argument '--htlm' found"),
            ("iso --engine dokker", "invalid value 'dokker'"),
        ] {
            assert!(
                refused(line).is_some_and(|said| said.contains(why)),
                "{line}: {:?}",
                refused(line)
            );
        }
    }

    #[test]
    fn variables_may_stand_for_anything() {
        for line in [
            "$COMMAND --x",
            "verify $RECIPE --image $IMAGE",
            "iso --engine $ENGINE",
            "iso $@",
            "iso --help",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }
}
