//! Runs commands. This is the only place in the workspace that starts a process.
#![allow(clippy::disallowed_methods, reason = "this is the one place that spawns")]

use crate::escape::Shown as _;
use crate::failure::Code;
use crate::interrupt;
use crate::signal;
use anyhow::{Context as _, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

pub use crate::command::{Cmd, quoted, which};
pub use crate::signal::Signal;

/// Variables that would make git work on another repository than the one that we name.
const GIT_REDIRECTIONS: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
];

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// The output of a short command, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

/// How to stop a streamed command when xtask is interrupted.
#[derive(Clone, Debug)]
pub enum StopBy {
    /// By a signal to the command's process group.
    Signal(Signal),
    /// By another command: a container lives on without its client.
    Command(Cmd),
}

impl Exit {
    /// True for exit code 0.
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

/// A program that cannot be started is an error in every way of running, with exit code
/// [`Code::NotReady`]; the error names the program.
impl Cmd {
    /// Runs a short command and collects what it prints. It reads [`Cmd::input`] on stdin. A signal to us
    /// ends it, unless it is a part of the clean-up after one.
    pub fn output(&self) -> Result<Output> {
        let shell = xshell::Shell::new().context("cannot read the current directory")?;
        if let Some(dir) = &self.dir {
            shell.change_dir(dir);
        }
        let mut command = Command::from(shell.cmd(&self.program).args(&self.args));
        command.env_clear().envs(self.environment());
        let input = &self.input.0;
        command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let cleaning_up = interrupt::received();
        let mut child = command.spawn().map_err(|error| self.unstartable(anyhow!(error)))?;
        let pid = child.id();
        let stop = move || signal::send(Signal::TERM, pid);
        let guard = (!cleaning_up).then(|| interrupt::on_interrupt(stop));
        if !cleaning_up && interrupt::received() {
            stop(); // the signal came before the guard
        }
        let stdin = child.stdin.take();
        let output = std::thread::scope(|threads| {
            // a program may end without reading its input: that is no error
            threads.spawn(|| stdin.map(|mut pipe| pipe.write_all(input)));
            child.wait_with_output()
        });
        let output = output.with_context(|| format!("cannot wait for `{}`", self.brief()))?;
        drop(guard);
        if !cleaning_up {
            interrupt::check()?;
        }
        Ok(Output {
            exit: Exit::of(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a short command; returns true if it succeeds, and false also if it cannot be started.
    pub fn succeeds(&self) -> bool {
        self.output().is_ok_and(|output| output.exit.ok())
    }

    /// Runs a short command that must succeed; returns what it prints on stdout, without the final
    /// newline. The error shows its last lines.
    pub fn read(&self) -> Result<String> {
        let output = self.output()?;
        if !output.exit.ok() {
            interrupt::check()?;
            let words = last_words(&output.stderr, &output.stdout);
            bail!("`{}` failed ({}): {words}", self.brief(), output.exit);
        }
        Ok(output.stdout.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Runs a long command. `on_line` gets its merged output line by line, without the line ends.
    ///
    /// The command is the leader of a process group of its own, so that Ctrl-C at the terminal
    /// reaches it only through `stop`. An error from `on_line` stops it, too.
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

    /// Runs a command that reads [`Cmd::input`] on stdin. `on_output` gets what it prints on stdout,
    /// piece by piece. Returns how it ended and what it printed on stderr.
    ///
    /// Signals and errors of `on_output` stop it as in [`Cmd::stream`].
    pub fn feed(&self, mut on_output: impl FnMut(&[u8]) -> Result<()>) -> Result<(Exit, String)> {
        let apart = self.expression().stdin_bytes(self.input.0.clone()).stderr_capture();
        let output = self.pump(apart, &StopBy::Signal(Signal::TERM), |output| {
            let piece = output.fill_buf()?;
            let n = piece.len();
            let taken = (n > 0).then(|| on_output(piece));
            output.consume(n);
            Ok(taken)
        })?;
        Ok((Exit::of(output.status), String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Runs `expression` in a process group of its own and reads all it prints. `take` reads the next
    /// piece and returns the caller's verdict on it, or `None` at the end. After the caller's first
    /// error the command is stopped; the rest of its output is read, so that it does not hang on a
    /// full pipe, and thrown away.
    fn pump(
        &self,
        expression: duct::Expression,
        stop: &StopBy,
        mut take: impl FnMut(&mut dyn BufRead) -> std::io::Result<Option<Result<()>>>,
    ) -> Result<std::process::Output> {
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
            None => bail!("`{}` closed its output but did not exit", self.brief()),
        }
    }

    /// Starts a command that runs beside us. It writes all output to the file `log`.
    pub fn start(&self, log: &Path) -> Result<Background> {
        interrupt::check()?;
        let log =
            std::fs::File::create(log).with_context(|| format!("cannot write {}", log.shown()))?;
        let handle = in_its_own_group(self.expression().stdin_null())
            .stderr_to_stdout()
            .stdout_file(log)
            .unchecked()
            .start()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        Ok(Background { handle, name: self.program.to_string_lossy().into_owned() })
    }

    /// Runs a command that has the terminal to itself: its output is not read. `stop` ends it when a
    /// signal comes.
    pub fn status(&self, stop: &StopBy) -> Result<Exit> {
        interrupt::check()?;
        let handle = in_its_own_group(self.expression().stdin_null())
            .unchecked()
            .start()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        let stop_now = stop.clone().action(handle.pids());
        let _guard = interrupt::on_interrupt(stop.clone().action(handle.pids()));
        if interrupt::received() {
            stop_now(); // the signal came between the check and the guard
        }
        let output =
            handle.wait().with_context(|| format!("cannot wait for `{}`", self.brief()))?;
        interrupt::notice();
        Ok(Exit::of(output.status))
    }

    /// Replaces this process by the command, which gets the terminal, the signals and the exit code.
    /// No destructor runs. Returns only if the command cannot be started.
    pub fn exec(&self) -> anyhow::Error {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.environment());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        self.unstartable(anyhow!(command.exec()))
    }

    fn expression(&self) -> duct::Expression {
        let expression = duct::cmd(&self.program, &self.args).full_env(self.environment());
        match &self.dir {
            Some(dir) => expression.dir(dir),
            None => expression,
        }
    }

    /// The whole environment of the child, the same for every way of running: the caller's without
    /// secrets and without what redirects git, a fixed locale, and the command's own variables. After
    /// [`Cmd::env_clear`] it is only the command's own variables.
    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut variables = BTreeMap::new();
        if !self.bare_env {
            variables.extend(std::env::vars_os());
            // programs must not translate what we parse
            variables.insert("LC_ALL".into(), "C.UTF-8".into());
            let removed = GIT_REDIRECTIONS.iter().chain(&self.unset).chain(&["LANGUAGE"]);
            for name in removed {
                variables.remove(std::ffi::OsStr::new(name));
            }
        }
        variables.extend(self.env.iter().map(|(key, value)| (key.into(), value.clone())));
        variables
    }

    /// The bare "No such file or directory" of a failed start, with the program's name.
    fn unstartable(&self, error: anyhow::Error) -> anyhow::Error {
        Code::NotReady
            .wrap(error.context(format!("cannot start `{}`", self.program.to_string_lossy())))
    }
}

/// Makes the command the leader of a new process group, so that Ctrl-C reaches it only through us.
fn in_its_own_group(expression: duct::Expression) -> duct::Expression {
    expression.before_spawn(|command| {
        command.process_group(0);
        Ok(())
    })
}

impl StopBy {
    fn action(self, pids: Vec<u32>) -> impl Fn() + Send + 'static {
        move || match &self {
            StopBy::Signal(signal) => {
                pids.iter().for_each(|pid| signal::send_to_group(*signal, *pid))
            }
            // if it fails, the stopped command does not end, and that shows
            StopBy::Command(command) => drop(command.output()),
        }
    }
}

/// A process that runs beside us (dockerd, QEMU). Dropping it kills it and its process group.
pub struct Background {
    handle: duct::Handle,
    name: String,
}

impl Background {
    pub fn pid(&self) -> u32 {
        self.handle.pids().first().copied().unwrap_or_default()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Result<Option<Exit>> {
        let output =
            self.handle.try_wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(output.map(|output| Exit::of(output.status)))
    }

    /// Lets it run on after us. Somebody else ends it by its pid.
    pub fn leave(self) {
        std::mem::forget(self);
    }

    /// Kills it and its process group, and waits until it has ended.
    pub fn kill(&self) {
        signal::send_to_group(Signal::KILL, self.pid());
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

/// The last lines of what a failed command printed: on stderr, or else on stdout.
fn last_words(stderr: &str, stdout: &str) -> String {
    let text = if stderr.trim().is_empty() { stdout } else { stderr };
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(5)..];
    if tail.is_empty() { "it printed nothing".into() } else { tail.join("\n  ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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
            .stream(&StopBy::Signal(Signal::TERM), |line| {
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
            .stream(&StopBy::Signal(Signal::TERM), |_| bail!("disk full"))
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
    fn every_way_of_running_gives_the_same_environment() {
        let cmd = Cmd::new("env").env("OWN", "x").env_remove("PWD");
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let expected = lines(&cmd.read().unwrap());
        assert!(expected.contains("LC_ALL=C.UTF-8") && expected.contains("OWN=x"));
        assert!(!expected.iter().any(|line| line.starts_with("PWD=")));

        let mut streamed = BTreeSet::new();
        cmd.stream(&StopBy::Signal(Signal::TERM), |line| {
            streamed.insert(line.to_owned());
            Ok(())
        })
        .unwrap();
        let mut fed = Vec::new();
        cmd.feed(|piece| {
            fed.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        let log = std::env::temp_dir().join(format!("xtask-environment-{}", std::process::id()));
        let started = cmd.start(&log).unwrap();
        while started.ended().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(streamed, expected);
        assert_eq!(lines(&String::from_utf8(fed).unwrap()), expected);
        assert_eq!(lines(&std::fs::read_to_string(&log).unwrap()), expected);
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_dropped_process_takes_its_group_along() {
        let log = std::env::temp_dir().join(format!("xtask-group-{}", std::process::id()));
        let shell = Cmd::new("sh").args(["-c", "sleep 1000 & echo $!; wait"]).start(&log).unwrap();
        let child = loop {
            if let Ok(pid) = std::fs::read_to_string(&log).unwrap().trim().parse::<u32>() {
                break pid;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let runs = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            !(stat.is_empty() || stat.contains(") Z "))
        };
        assert!(runs());
        drop(shell);
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while runs() {
            assert!(std::time::Instant::now() < patience, "the shell's child lives on");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn the_bare_environment_is_bare() {
        let out = Cmd::new("/usr/bin/env").env_clear().env("ONLY", "this").read().unwrap();
        assert_eq!(out, "ONLY=this");
    }

    #[test]
    fn feed_returns_all_output_and_stderr_apart() {
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
