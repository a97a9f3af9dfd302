//! The one place that spawns: a command is data until it is run here.
#![allow(clippy::disallowed_methods, reason = "this is the one place that spawns")]

use crate::failure::Code;
use crate::interrupt;
use anyhow::{Context as _, Result, anyhow, bail};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{ExitStatus, Output};

pub use crate::command::{Cmd, quoted, which};

/// Variables that would make git look at another repository than the one we name.
const GIT_REDIRECTIONS: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
];

/// How a finished process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// What a short command printed, whether or not it succeeded.
#[derive(Debug)]
pub struct Probe {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

/// What ends a streamed command when a signal comes.
#[derive(Clone, Debug)]
pub enum StopBy {
    /// A signal (as `kill` spells it) to the command's process group.
    Signal(&'static str),
    /// Another command, for what lives on without its client: a container.
    Command(Cmd),
}

impl Exit {
    pub fn ok(self) -> bool {
        self == Exit::Code(0)
    }

    fn of(status: ExitStatus) -> Exit {
        match status.code() {
            Some(code) => Exit::Code(code),
            None => Exit::Signal(status.signal().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

impl Cmd {
    /// Runs a short command, with nothing but [`Cmd::input`] on stdin; returns what it printed.
    pub fn output(&self) -> Result<Probe> {
        let shell = xshell::Shell::new().context("cannot read the current directory")?;
        if let Some(dir) = &self.dir {
            shell.change_dir(dir);
        }
        let mut cmd = shell.cmd(&self.program).args(&self.args).quiet().ignore_status();
        if self.bare_env {
            cmd = cmd.env_clear();
        } else {
            // what is parsed must not be translated, and git must look where we point
            cmd = cmd.env("LC_ALL", "C.UTF-8").env_remove("LANGUAGE");
            for name in GIT_REDIRECTIONS.iter().chain(&self.unset) {
                cmd = cmd.env_remove(name);
            }
        }
        for (key, value) in &self.env {
            cmd = cmd.env(key, value);
        }
        if !self.input.0.is_empty() {
            cmd = cmd.stdin(&self.input.0);
        }
        let output = cmd.output().map_err(|error| self.unstartable(anyhow!(error)))?;
        Ok(Probe {
            exit: Exit::of(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Whether a short command succeeds; a missing program is a no.
    pub fn succeeds(&self) -> bool {
        self.output().is_ok_and(|probe| probe.exit.ok())
    }

    /// Runs a short command that must succeed; returns its output without the final newline.
    pub fn read(&self) -> Result<String> {
        let probe = self.output()?;
        if !probe.exit.ok() {
            interrupt::check()?;
            bail!("`{self}` failed ({}): {}", probe.exit, last_words(&probe.stderr, &probe.stdout));
        }
        Ok(probe.stdout.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Runs a long command, handing over its merged output line by line (CR stripped).
    ///
    /// The command gets a process group of its own, so that Ctrl-C reaches it only through
    /// `stop`. An error from `on_line` stops it too.
    pub fn stream(
        &self,
        stop: &StopBy,
        mut on_line: impl FnMut(&str) -> Result<()>,
    ) -> Result<Exit> {
        let merged = self.expression().stdin_null().stderr_to_stdout();
        let mut line = Vec::new();
        let output = self.pump(merged, stop, |output| {
            line.clear();
            if output.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            Ok(Some(on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']))))
        })?;
        Ok(Exit::of(output.status))
    }

    /// Runs a command that reads [`Cmd::input`], handing over its output piece by piece, unseen
    /// and unkept. Returns how it ended, and what it said on stderr.
    ///
    /// Signals, and errors of `on_output`, stop it as in [`Cmd::stream`].
    pub fn feed(&self, mut on_output: impl FnMut(&[u8]) -> Result<()>) -> Result<(Exit, String)> {
        let apart = self.expression().stdin_bytes(self.input.0.clone()).stderr_capture();
        let output = self.pump(apart, &StopBy::Signal("TERM"), |output| {
            let piece = output.fill_buf()?;
            let n = piece.len();
            let taken = (n > 0).then(|| on_output(piece));
            output.consume(n);
            Ok(taken)
        })?;
        Ok((Exit::of(output.status), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Runs `expression` in a process group of its own and reads it to its end. `take` reads the
    /// next piece and says what came of it; `None` at the end. After its first error the rest is
    /// read, because the command must not hang on a full pipe, and thrown away.
    fn pump(
        &self,
        expression: duct::Expression,
        stop: &StopBy,
        mut take: impl FnMut(&mut dyn BufRead) -> std::io::Result<Option<Result<()>>>,
    ) -> Result<Output> {
        interrupt::check()?;
        let reader = in_its_own_group(expression)
            .unchecked()
            .reader()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        let stop_now = stop.clone().action(reader.pids());
        let guard = interrupt::on_interrupt(stop.clone().action(reader.pids()));
        if interrupt::received() {
            stop_now(); // the signal came between the check and the guard
        }
        let unreadable = "cannot read the command's output";
        let mut output = BufReader::with_capacity(1 << 16, &reader);
        let mut outcome = Ok(());
        while let Some(taken) = take(&mut output).context(unreadable)? {
            outcome = taken;
            if outcome.is_err() {
                stop_now();
                std::io::copy(&mut output, &mut std::io::sink()).context(unreadable)?;
                break;
            }
        }
        drop(guard);
        interrupt::check()?;
        outcome?;
        match reader.try_wait()? {
            Some(output) => Ok(output.clone()),
            None => bail!("`{self}` closed its output but did not exit"),
        }
    }

    /// Starts a command that lives beside us, its output going to `log`.
    pub fn start(&self, log: &Path) -> Result<Background> {
        interrupt::check()?;
        let log = std::fs::File::create(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let handle = in_its_own_group(self.expression().stdin_null())
            .stderr_to_stdout()
            .stdout_file(log)
            .unchecked()
            .start()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        Ok(Background { handle, name: self.program.to_string_lossy().into_owned() })
    }

    /// Becomes this command: terminal, signals and exit code are its own from here on. Only guards
    /// of the caller's are lost. Returns only when the command cannot be started.
    pub fn exec(&self) -> anyhow::Error {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        if self.bare_env {
            command.env_clear();
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        self.unstartable(anyhow!(command.exec()))
    }

    fn expression(&self) -> duct::Expression {
        let mut expression = duct::cmd(&self.program, &self.args);
        if self.bare_env {
            // alone: what is set around a full_env has no effect
            expression = expression.full_env(self.env.iter().map(|(k, v)| (k, v)));
        } else {
            for name in &self.unset {
                expression = expression.env_remove(name);
            }
            for (key, value) in &self.env {
                expression = expression.env(key, value);
            }
        }
        if let Some(dir) = &self.dir {
            expression = expression.dir(dir);
        }
        expression
    }

    /// The bare "No such file or directory" of a failed spawn, with the program's name.
    fn unstartable(&self, error: anyhow::Error) -> anyhow::Error {
        Code::NotReady
            .wrap(error.context(format!("cannot start `{}`", self.program.to_string_lossy())))
    }
}

/// So that Ctrl-C reaches the command only through us.
fn in_its_own_group(expression: duct::Expression) -> duct::Expression {
    expression.before_spawn(|command| {
        command.process_group(0);
        Ok(())
    })
}

impl StopBy {
    fn action(self, pids: Vec<u32>) -> impl Fn() + Send + 'static {
        move || match &self {
            StopBy::Signal(name) => {
                for pid in &pids {
                    signal(name, &format!("-{pid}"));
                }
            }
            // its own failure shows in the stopped command not ending; nothing to add here
            StopBy::Command(command) => drop(command.output()),
        }
    }
}

/// Sends a signal through the shell's own `kill`: a bare machine has no other.
fn signal(name: &str, target: &str) {
    drop(Cmd::new("sh").args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", name, target]).output());
}

/// Sends `name` (as `kill` spells it) to one process; one that is gone already is fine.
pub fn signal_process(name: &str, pid: u32) {
    signal(name, &pid.to_string());
}

/// A process that lives beside us (dockerd, QEMU). Dropping it kills it.
pub struct Background {
    handle: duct::Handle,
    name: String,
}

impl Background {
    pub fn pid(&self) -> u32 {
        self.handle.pids().first().copied().unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Result<Option<Exit>> {
        let output =
            self.handle.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(output.map(|output| Exit::of(output.status)))
    }

    /// Lets it live on; somebody else ends it by its pid.
    pub fn leave(self) {
        std::mem::forget(self);
    }

    pub fn kill(&self) {
        signal("KILL", &format!("-{}", self.pid()));
        // and without a `kill` that has to be started: a machine may be out of processes
        drop(self.handle.kill());
        drop(self.handle.wait());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !matches!(self.ended(), Ok(Some(_))) {
            self.kill();
        }
    }
}

/// The most telling end of what a failed command printed.
fn last_words(stderr: &str, stdout: &str) -> String {
    let text = if stderr.trim().is_empty() { stdout } else { stderr };
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(5)..];
    if tail.is_empty() { "it printed nothing".into() } else { tail.join("\n  ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = Cmd::new("no-such-program-here").read().unwrap_err();
        assert!(format!("{error:#}").contains("no-such-program-here"), "{error:#}");
        assert_eq!(Code::of(&error), Code::NotReady);
    }

    #[test]
    fn output_comes_line_by_line_in_order_with_the_exit_code() {
        let mut seen = Vec::new();
        let exit = Cmd::new("sh")
            .args(["-c", "echo a; echo b >&2; printf 'c\\r\\nd'; exit 42"])
            .stream(&StopBy::Signal("TERM"), |line| {
                seen.push(line.to_owned());
                Ok(())
            })
            .unwrap();
        assert_eq!((seen.join(","), exit), ("a,b,c,d".to_owned(), Exit::Code(42)));
    }

    #[test]
    fn a_failing_sink_ends_the_command() {
        let error = Cmd::new("sh")
            .args(["-c", "while echo x; do sleep 0.01; done"])
            .stream(&StopBy::Signal("TERM"), |_| bail!("disk full"))
            .unwrap_err();
        assert_eq!(error.to_string(), "disk full");
    }

    #[test]
    fn input_reaches_stdin_also_through_a_wrapper_and_is_not_shown() {
        let cmd = Cmd::new("cat").input("hunter2").within_seconds(60);
        assert_eq!(cmd.read().unwrap(), "hunter2");
        assert!(!format!("{cmd} {cmd:?}").contains("hunter2"));
    }

    #[test]
    fn the_bare_environment_is_bare() {
        let out = Cmd::new("/usr/bin/env").env_clear().env("ONLY", "this").read().unwrap();
        assert_eq!(out, "ONLY=this");
    }

    #[test]
    fn what_is_fed_in_comes_out_whole_beside_the_errors() {
        let input: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        let mut seen = Vec::new();
        let (exit, stderr) = Cmd::new("sh")
            .args(["-c", "cat; echo why >&2; exit 3"])
            .input(input.clone())
            .feed(|piece| {
                seen.extend_from_slice(piece);
                Ok(())
            })
            .unwrap();
        assert_eq!((seen == input, exit, stderr.as_str()), (true, Exit::Code(3), "why\n"));
    }

    #[test]
    fn a_failed_read_shows_exit_code_and_last_words() {
        let error = Cmd::new("sh").args(["-c", "echo why >&2; exit 7"]).read().unwrap_err();
        assert!(error.to_string().ends_with("failed (exit 7): why"), "{error}");
    }
}
