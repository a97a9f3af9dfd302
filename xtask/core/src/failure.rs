//! Exit codes and the errors that carry them.

use crate::escape::Shown as _;
use std::fmt;
use std::path::Path;

/// Exit codes of every command. Exit code 0 (yes) is `Ok(())`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 1: the answer is no (images differ, findings).
    No = 1,
    /// 2: the command line is wrong.
    Usage = 2,
    /// 3: the environment isn't ready; nothing was changed.
    NotReady = 3,
    /// 4: a build or an external step failed.
    Failed = 4,
    /// 130: interrupted (INT, TERM or HUP), as a shell reports Ctrl-C.
    Interrupted = 130,
}

/// An error with an exit code. Other errors exit with [`Code::Failed`].
#[derive(Debug)]
struct Coded {
    code: Code,
    error: anyhow::Error,
    problems: Vec<Problem>,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // prints the whole chain, so that the wrapper adds no line of its own
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for Coded {}

impl Code {
    pub fn error(self, message: impl fmt::Display) -> anyhow::Error {
        self.wrap(anyhow::anyhow!("{message}"))
    }

    /// Gives an error this exit code. An interruption keeps its own.
    pub fn wrap(self, error: anyhow::Error) -> anyhow::Error {
        if Code::of(&error) == Code::Interrupted {
            return error;
        }
        anyhow::Error::new(Coded { code: self, error, problems: Vec::new() })
    }

    /// The exit code of an error.
    pub fn of(error: &anyhow::Error) -> Code {
        error
            .chain()
            .find_map(|e| e.downcast_ref::<Coded>())
            .map_or(Code::Failed, |coded| coded.code)
    }
}

/// Says what failed, in front of an error. An interruption is no failure: it stays as it is.
pub fn in_context(error: anyhow::Error, failed: &'static str) -> anyhow::Error {
    if Code::of(&error) == Code::Interrupted { error } else { error.context(failed) }
}

/// Gives the error of a `Result` an exit code.
pub trait OrExit<T> {
    fn or_exit(self, code: Code) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: Code) -> anyhow::Result<T> {
        self.map_err(|error| code.wrap(error.into()))
    }
}

/// A reason to refuse a command before it begins, with what mends it. docs/architecture.md tells
/// problems, findings and faults apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub what: String,
    pub fix: String,
    /// Name of the rule of `doctor` that it breaks ([`crate::rules::DOCTOR`]).
    pub rule: &'static str,
}

impl Problem {
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Problem { what: what.into(), fix: fix.into(), rule: "ready-to-build" }
    }

    pub fn of(self, rule: &'static str) -> Self {
        Problem { rule, ..self }
    }
}

/// Returns one error that lists all problems; `Ok` if there are none.
pub fn refuse(problems: &[Problem]) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let error = anyhow::anyhow!(listing(problems));
    Err(anyhow::Error::new(Coded { code: Code::NotReady, error, problems: problems.to_vec() }))
}

/// The problems that an error lists; none unless it comes from [`refuse`].
pub fn problems(error: &anyhow::Error) -> &[Problem] {
    let coded = error.chain().find_map(|cause| cause.downcast_ref::<Coded>());
    coded.map_or(&[], |coded| match &coded.problems[..] {
        [] => problems(&coded.error),
        own => own,
    })
}

/// Lists all problems, each with its fix.
pub fn listing(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "not ready: 1 problem".to_owned(),
        n => format!("not ready: {n} problems"),
    };
    for (i, problem) in problems.iter().enumerate() {
        text += &format!("\n  {}. {}\n     fix: {}", i + 1, problem.what, problem.fix);
    }
    text
}

/// Line (0 for the whole file) and description of something in an input file that cannot be read.
pub type Fault = (usize, String);

/// Returns one error that lists the faults of a file as `PATH:LINE: what`.
pub fn unreadable(path: &Path, faults: &[Fault]) -> anyhow::Error {
    let shown = |(line, what): &Fault| match line {
        0 => format!("{}: {what}", path.shown()),
        line => format!("{}:{line}: {what}", path.shown()),
    };
    Code::NotReady.error(faults.iter().map(shown).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_code_survives_context() {
        let error =
            Err::<(), _>(Code::NotReady.error("no engine")).context("starting").unwrap_err();
        assert_eq!(Code::of(&error), Code::NotReady);
        assert_eq!(format!("{error:#}"), "starting: no engine");
    }

    #[test]
    fn an_interruption_keeps_its_code() {
        let error = Code::NotReady.wrap(Code::Interrupted.error("interrupted"));
        assert_eq!(Code::of(&error), Code::Interrupted);
    }

    #[test]
    fn an_error_without_a_code_is_a_failed_step() {
        assert_eq!(Code::of(&anyhow::anyhow!("x")), Code::Failed);
    }

    #[test]
    fn every_problem_is_named_with_its_fix() {
        let error = refuse(&[Problem::new("no disk", "buy one"), Problem::new("no RAM", "plug")])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "not ready: 2 problems\n  1. no disk\n     fix: buy one\n  2. no RAM\n     fix: plug"
        );
    }
}
