//! Output for people: results on stdout, and on stderr what happens during long work.
//!
//! Everything that xtask prints goes through here. Only colours and commands to the CI service are
//! printed as they are; every other text is escaped first.
#![allow(clippy::print_stderr, reason = "this is the one place that prints")]

mod colour;
mod safe;
mod screen;
mod span;

pub use colour::Tone;
pub use span::{clock, span};

use crate::as_seen::as_seen;
use crate::ci;
use crate::escape::{Shown as _, printable, printable_json};
use crate::exec::Cmd;
use crate::interrupt;
use crate::secret::redacted;
use anstream::adapter::strip_str;
use colour::{on_stderr, on_stdout, stderr_has_colour};
use safe::{safe, safe_but_colours};
use screen::LiveRow;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Prints a line of the result on stdout. A reader that closes the pipe (`| head -1`) is not an error.
pub fn answer(text: std::fmt::Arguments<'_>) {
    to_stdout(&safe(&text.to_string()));
}

/// Prints a line of the result that begins with a coloured word.
pub fn answer_in(tone: Tone, word: &str, text: &str) {
    to_stdout(&format!("{}{}", on_stdout(tone, &safe(word)), safe(text)));
}

/// Prints a result for a program on stdout: JSON, which means the same when it is escaped. See
/// [`crate::json`].
pub(crate) fn answer_json(json: impl std::fmt::Display) {
    to_stdout(&printable_json(&redacted(&json.to_string())));
}

/// Prints commands to the CI service ([`crate::ci`]), whose values are escaped: on stderr, or on stdout.
pub fn ci_commands(commands: &str, on_stderr: bool) {
    let commands = redacted(commands);
    let commands = printable(commands.trim_end());
    screen::above(|| {
        if commands.is_empty() {
        } else if on_stderr {
            to_stderr(&format!("{commands}\n"));
        } else {
            drop(writeln!(std::io::stdout(), "{commands}"));
        }
    });
}

/// Prints a text about a command line, which may be coloured; in CI also `what` is wrong with it, for the
/// run's page.
pub fn usage(text: &str, what: &str) {
    let coloured = stderr_has_colour();
    let text = if coloured { safe_but_colours(text) } else { safe(&strip_str(text).to_string()) };
    screen::above(|| to_stderr(&text));
    if ci::is_ci() {
        ci_commands(&ci::error(what), true);
    }
}

/// Prints the error that ends a command; in CI also for the run's page.
pub fn error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    let line = format!("{} {}\n", on_stderr(Tone::Bad, "error:"), safe(&text));
    screen::above(|| to_stderr(&line));
    if ci::is_ci() {
        ci_commands(&ci::error(&text), true);
    }
}

/// Prints on stderr, without the panic of `eprint!`: if the reader or the terminal is gone, the clean-up after a
/// signal still has to run.
fn to_stderr(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}

fn to_stdout(text: &str) {
    screen::above(|| drop(writeln!(std::io::stdout(), "{text}")));
}

/// Shows a command's progress: live rows on a terminal, lines in a pipe, folded lines in CI.
pub struct Ui {
    style: Style,
    verbose: bool,
    /// Begins every line, if two builds run at the same time.
    prefix: String,
    /// The stages that run. A stage may contain another one, which is behind it.
    running: Mutex<Vec<Running>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Terminal,
    Plain,
    /// Gitea and GitHub fold the lines between `::group::` and `::endgroup::`.
    Ci,
}

/// Name of a stage, its place in the order of a recipe's stages, and its expected duration.
#[derive(Clone, Debug)]
pub struct StageTitle {
    pub name: String,
    /// The stage's number, from 1, and the number of all stages.
    pub place: Option<(usize, usize)>,
    pub about: Option<Duration>,
}

impl From<&str> for StageTitle {
    fn from(name: &str) -> StageTitle {
        StageTitle { name: name.to_owned(), place: None, about: None }
    }
}

impl StageTitle {
    fn shown(&self) -> String {
        match self.place {
            Some((n, all)) => format!("[{n}/{all}] {}", self.name.shown()),
            None => self.name.shown().to_string(),
        }
    }
}

struct Running {
    title: StageTitle,
    since: Instant,
    row: Option<LiveRow>,
    /// True while a group is open in CI.
    in_group: bool,
}

/// A running stage. It has failed if it is dropped without [`StageProgress::end`].
#[must_use]
pub struct StageProgress<'a> {
    ui: &'a Ui,
    /// Number of stages that contain it.
    depth: usize,
    ok: bool,
}

impl StageProgress<'_> {
    /// Ends the stage, as a success or a failure.
    pub fn end(mut self, ok: bool) {
        self.ok = ok;
    }
}

impl Drop for StageProgress<'_> {
    fn drop(&mut self) {
        self.ui.close(self.depth, self.ok);
    }
}

/// A row for work that is no stage of its own. It leaves no trace.
#[must_use]
pub struct Wait(#[expect(dead_code, reason = "held until the work is done")] Option<LiveRow>);

impl Ui {
    pub fn new(verbose: bool) -> Ui {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let style = if ci::is_ci() {
            Style::Ci
        } else if std::io::stderr().is_terminal() && !dumb {
            Style::Terminal
        } else {
            Style::Plain
        };
        Ui { style, verbose, prefix: String::new(), running: Mutex::default() }
    }

    /// A user interface for one of several builds at the same time: each line begins with the name of
    /// its build.
    pub fn of_build(&self, name: &str) -> Ui {
        // the groups of two builds would be nested in each other
        let style = if self.style == Style::Ci { Style::Plain } else { self.style };
        let prefix = format!("{name}| ");
        Ui { style, verbose: self.verbose, prefix, running: Mutex::default() }
    }

    /// Another user interface with the same settings, for something that outlives this one.
    pub fn again(&self) -> Ui {
        let prefix = self.prefix.clone();
        Ui { style: self.style, verbose: self.verbose, prefix, running: Mutex::default() }
    }

    /// Prints a note.
    pub fn notice(&self, text: &str) {
        self.end_group(); // nobody would see it in a folded group
        self.write(&format!("{} {}", on_stderr(Tone::Doubtful, "note:"), safe(text)));
    }

    /// Shows the command line of a command that takes long or changes something: with `--verbose`, and
    /// in CI, where nobody can ask again.
    pub fn command(&self, cmd: &Cmd) {
        let line = format!("$ {cmd}");
        if self.verbose {
            self.print(&line);
        } else if self.style == Style::Ci {
            self.line(&line);
        }
    }

    /// Begins a stage.
    pub fn stage(&self, title: impl Into<StageTitle>) -> StageProgress<'_> {
        let title = title.into();
        let shown = title.shown();
        let row = if self.style == Style::Terminal {
            Some(LiveRow::open(&self.prefix, &shown, title.about))
        } else {
            let about = title.about.map(|about| format!(", about {}", clock(about)));
            self.print(&format!("{shown}  begins{}", about.unwrap_or_default()));
            None
        };
        let mut running = self.running();
        running.push(Running { title, since: Instant::now(), row, in_group: false });
        StageProgress { ui: self, depth: running.len() - 1, ok: false }
    }

    /// Shows on a terminal that something short is waited for. A running stage has a row already.
    pub fn wait(&self, what: &str) -> Wait {
        let has_row = self.running().last().is_some_and(|stage| stage.row.is_some());
        let shown = self.style == Style::Terminal && !has_row;
        Wait(shown.then(|| LiveRow::open(&self.prefix, what, None)))
    }

    /// Shows a line of the running stage's output.
    pub fn line(&self, text: &str) {
        let text = as_seen(text);
        if text.is_empty() {
            return;
        }
        let mut running = self.running();
        let stage = running.last_mut();
        if let Some(row) = stage.as_ref().and_then(|stage| stage.row.as_ref()) {
            row.say(&text);
        }
        if self.style == Style::Ci {
            if let Some(stage) = stage.filter(|stage| !stage.in_group) {
                stage.in_group = true;
                ci_commands(&format!("::group::{}", stage.title.name.shown()), true);
            }
            self.write(&safe(&format!("  {text}")));
        } else if self.verbose {
            self.write(&safe(&format!("  {text}")));
        }
    }

    /// Ends the stages from `depth` on.
    fn close(&self, depth: usize, ok: bool) {
        self.end_group();
        let ended = {
            let mut running = self.running();
            let depth = depth.min(running.len());
            running.split_off(depth)
        };
        for stage in ended.into_iter().rev() {
            let took = clock(stage.since.elapsed());
            let outcome = match (ok, interrupt::received()) {
                (true, _) => String::new(),
                (false, true) => format!("  {}", on_stderr(Tone::Doubtful, "interrupted")),
                (false, false) => format!("  {}", on_stderr(Tone::Bad, "failed")),
            };
            let title = safe(&stage.title.shown());
            drop(stage);
            self.write(&format!("{title:<20} {took:>7}{outcome}"));
        }
    }

    /// Prints a text that belongs to no stage.
    pub fn print(&self, text: &str) {
        self.end_group(); // nobody would see it in a folded group
        self.write(&safe(text));
    }

    fn end_group(&self) {
        for stage in self.running().iter_mut().filter(|stage| stage.in_group) {
            stage.in_group = false;
            ci_commands("::endgroup::", true);
        }
    }

    /// Prints a text that is safe.
    fn write(&self, text: &str) {
        screen::above(|| {
            for line in text.lines() {
                to_stderr(&format!("{}{line}\n", self.prefix));
            }
        });
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
