//! `cargo xtask completions`: completion scripts for shells.

use anyhow::Result;
use clap_complete::Shell;
use xtask_core::ui::answer;

const EXAMPLES: &str = "\
Examples:
  source <(cargo xtask completions bash)    cargo xtask COMM<TAB>; also for a function called xtask
  source <(cargo xtask completions zsh)     after compinit";

/// Print a completion script for a shell
///
/// It completes `cargo xtask …` in bash and zsh, and in all shells a function or alias called `xtask`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Name of the function or alias that the script completes.
const NAME: &str = "xtask";
/// Hands `cargo xtask …` to the script of clap, and everything else to cargo's own completion.
const BASH: &str = r#"
_cargo_xtask() {
    if [[ ${COMP_WORDS[1]} == xtask && $COMP_CWORD -gt 1 ]]; then
        COMP_WORDS=("${COMP_WORDS[@]:1}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _xtask xtask "$2" "$3"
    elif declare -F _cargo >/dev/null; then
        _cargo "$@"
    else
        COMPREPLY=($(compgen -W xtask -- "$2"))
    fi
}
complete -F _cargo_xtask -o bashdefault -o default cargo
"#;
/// The same for zsh.
const ZSH: &str = r#"
_cargo_xtask() {
    if [[ ${words[2]} == xtask ]] && (( CURRENT > 2 )); then
        shift words
        (( CURRENT-- ))
        _xtask "$@"
    elif (( $+functions[_cargo] )); then
        _cargo "$@"
    else
        compadd xtask
    fi
}
compdef _cargo_xtask cargo
"#;

/// `cargo xtask completions`, for the commands and flags of `cli`
pub(crate) fn command(cli: clap::Command, args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    // the script must name the function, not `cargo xtask`
    let mut cli = cli.name(NAME).bin_name(NAME);
    clap_complete::generate(args.shell, &mut cli, NAME, &mut script);
    let more = match args.shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        _ => "",
    };
    answer(format_args!("{}{more}", String::from_utf8_lossy(&script)));
    Ok(())
}
