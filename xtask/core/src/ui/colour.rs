//! Colour, where a person looks. A pipe, NO_COLOR and TERM=dumb get none.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Effects, Style};
use std::sync::OnceLock;

/// The meaning of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Doubtful,
    /// Less important than the text around it.
    Faint,
    Title,
}

/// Colours a text for stdout.
pub(super) fn on_stdout(tone: Tone, text: &str) -> String {
    static COLOURED: OnceLock<bool> = OnceLock::new();
    let coloured = COLOURED.get_or_init(|| wanted(AutoStream::choice(&std::io::stdout())));
    if *coloured { painted(tone, text) } else { text.to_owned() }
}

/// Colours a text for stderr.
pub(super) fn on_stderr(tone: Tone, text: &str) -> String {
    if stderr_has_colour() { painted(tone, text) } else { text.to_owned() }
}

pub(super) fn stderr_has_colour() -> bool {
    static COLOURED: OnceLock<bool> = OnceLock::new();
    *COLOURED.get_or_init(|| wanted(AutoStream::choice(&std::io::stderr())))
}

fn wanted(choice: ColorChoice) -> bool {
    choice != ColorChoice::Never
}

fn painted(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default().bold(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Doubtful => AnsiColor::Yellow.on_default().bold(),
        Tone::Faint => Style::new().effects(Effects::DIMMED),
        Tone::Title => Style::new().bold(),
    };
    format!("{style}{text}{style:#}")
}
