//! Output for people: results on stdout, and on stderr what happens during long work.

use crate::exec::Cmd;
use crate::secret::redacted;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Prints a line of the result on stdout. A reader that closes the pipe (`| head -1`) is not an error.
pub fn answer(text: std::fmt::Arguments<'_>) {
    drop(writeln!(std::io::stdout(), "{}", redacted(&text.to_string())));
}

/// Removes control characters, so that a text from elsewhere cannot steer the terminal.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// A live status line on a terminal; plain, grouped lines in CI.
pub struct Ui {
    style: Style,
    verbose: bool,
    /// Begins every line, if two builds run at the same time.
    prefix: String,
    stage: Mutex<Option<Running>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Terminal,
    Plain,
    /// Gitea and GitHub fold the lines between `::group::` and `::endgroup::`.
    Ci,
}

struct Running {
    name: String,
    since: Instant,
    drawn: Instant,
}

impl Ui {
    pub fn new(verbose: bool) -> Ui {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        let style = if ci {
            Style::Ci
        } else if std::io::stderr().is_terminal() {
            Style::Terminal
        } else {
            Style::Plain
        };
        Ui { style, verbose, prefix: String::new(), stage: Mutex::new(None) }
    }

    /// A user interface for one of several builds at the same time: plain lines, each with the name of
    /// its build.
    pub fn of_build(&self, name: &str) -> Ui {
        Ui {
            style: Style::Plain,
            verbose: self.verbose,
            prefix: format!("{name}| "),
            stage: Mutex::new(None),
        }
    }

    /// Prints a note.
    pub fn notice(&self, text: &str) {
        self.print(&format!("note: {text}"));
    }

    /// Prints the command line of a command that takes long or changes something.
    pub fn command(&self, cmd: &Cmd) {
        self.print(&format!("$ {cmd}"));
    }

    pub fn begin(&self, name: &str) {
        self.end(None);
        match self.style {
            Style::Ci => self.print(&format!("::group::{name}")),
            Style::Plain if self.verbose => self.print(&format!("== {name}")),
            Style::Plain | Style::Terminal => {}
        }
        let now = Instant::now();
        *self.running() = Some(Running { name: name.to_owned(), since: now, drawn: now });
        self.line("");
    }

    /// Shows a line of the running stage's output.
    pub fn line(&self, text: &str) {
        if self.verbose || self.style == Style::Ci {
            if !text.is_empty() {
                self.print(&format!("  {text}"));
            }
            return;
        }
        if self.style != Style::Terminal {
            return;
        }
        if let Some(running) = self.running().as_mut() {
            if !text.is_empty() && running.drawn.elapsed() < Duration::from_millis(100) {
                return;
            }
            running.drawn = Instant::now();
            let shown: String =
                redacted(text).chars().filter(|c| !c.is_control()).take(60).collect();
            eprint!("\r\x1b[2K{} {} {shown}", running.name, seconds(running.since.elapsed()));
            drop(std::io::stderr().flush());
        }
    }

    /// Ends the running stage. `outcome` is printed behind its name, e.g. `failed`.
    pub fn end(&self, outcome: Option<&str>) {
        let Some(running) = self.running().take() else { return };
        if self.style == Style::Terminal {
            eprint!("\r\x1b[2K");
        }
        if self.style == Style::Ci {
            self.print("::endgroup::");
        }
        let took = seconds(running.since.elapsed());
        let outcome = outcome.map(|o| format!("  {o}")).unwrap_or_default();
        self.print(&format!("  {:<14} {took:>7}{outcome}", running.name));
    }

    /// Prints a text that belongs to no stage.
    pub fn print(&self, text: &str) {
        if self.style == Style::Terminal && self.running().is_some() {
            eprint!("\r\x1b[2K");
        }
        for line in redacted(text).lines() {
            eprintln!("{}{line}", self.prefix);
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

pub fn seconds(duration: Duration) -> String {
    let s = duration.as_secs_f64();
    if s < 100.0 {
        format!("{s:.1} s")
    } else {
        format!("{}:{:02} min", s as u64 / 60, s as u64 % 60)
    }
}
