//! Runs commands. This is the only place in the workspace that starts a process.
#![allow(clippy::disallowed_methods, reason = "this is the one place that spawns")]

use crate::escape::Shown as _;
use crate::failure::Code;
use crate::interrupt;
use crate::signal;
use anyhow::{Context as _, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

mod background;
mod exit;
mod halt;

pub use self::background::Background;
pub use self::exit::Exit;
pub use self::halt::Halt;
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

/// Longest time in seconds for a command that stops another one, and for one of the clean-up after a signal:
/// the engine that it asks may not answer.
const STOP_WITHIN: u32 = 10;
const CLEAN_UP_WITHIN: u32 = 20;
/// Time until a program is killed that was told to end; for the client of a container that was stopped.
const GRACE: Duration = Duration::from_secs(10);
const CLIENTS_GRACE: Duration = Duration::from_secs(3);

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

/// A program that cannot be started is an error in every way of running, with exit code
/// [`Code::NotReady`]; the error names the program.
impl Cmd {
    /// Runs a short command and collects what it prints. It reads [`Cmd::input`] on stdin. A signal to us
    /// ends it, unless it is a part of the clean-up after one.
    pub fn output(&self) -> Result<Output> {
        let raw = self.raw_output()?;
        Ok(Output {
            exit: Exit::of(raw.status),
            stdout: String::from_utf8_lossy(&raw.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&raw.stderr).into_owned(),
        })
    }

    fn raw_output(&self) -> Result<std::process::Output> {
        if interrupt::received() {
            self.clone().within_seconds(CLEAN_UP_WITHIN).run_to_its_end()
        } else {
            self.run_to_its_end()
        }
    }

    fn run_to_its_end(&self) -> Result<std::process::Output> {
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
        Ok(output)
    }

    /// Runs a short command; returns true if it succeeds, and false also if it cannot be started.
    pub fn succeeds(&self) -> bool {
        self.output().is_ok_and(|output| output.exit.ok())
    }

    /// Runs a short command that must succeed; returns what it prints on stdout, without the final
    /// newline. The error shows its last lines.
    pub fn read(&self) -> Result<String> {
        let text = String::from_utf8_lossy(&self.read_bytes()?).into_owned();
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// The same as [`Cmd::read`], but returns all bytes as they are: names of files need not be UTF-8.
    pub fn read_bytes(&self) -> Result<Vec<u8>> {
        let output = self.raw_output()?;
        let exit = Exit::of(output.status);
        if !exit.ok() {
            interrupt::check()?;
            let [stdout, stderr] =
                [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
            bail!("`{}` failed ({exit}): {}", self.brief(), last_words(&stderr, &stdout));
        }
        Ok(output.stdout)
    }

    /// Runs a long command. `on_line` gets its merged output line by line, without the line ends.
    ///
    /// The command is the leader of a process group of its own, so that Ctrl-C at the terminal
    /// reaches it only through `stop`. An error from `on_line` stops it, too.
    pub fn stream(&self, stop: &StopBy, on_line: impl FnMut(&str) -> Result<()>) -> Result<Exit> {
        self.stream_until(&Halt::default(), stop, on_line)
    }

    /// The same as [`Cmd::stream`], but `halt` stops it, too.
    pub fn stream_until(
        &self,
        halt: &Halt,
        stop: &StopBy,
        mut on_line: impl FnMut(&str) -> Result<()>,
    ) -> Result<Exit> {
        let merged = self.expression().stdin_null().stderr_to_stdout();
        let mut line = Vec::new();
        let output = self.pump(merged, halt, stop, |output| {
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
        let stop = StopBy::Signal(Signal::TERM);
        let output = self.pump(apart, &Halt::default(), &stop, |output| {
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
        halt: &Halt,
        stop: &StopBy,
        mut take: impl FnMut(&mut dyn BufRead) -> std::io::Result<Option<Result<()>>>,
    ) -> Result<std::process::Output> {
        interrupt::check()?;
        let reader = in_its_own_group(expression)
            .unchecked()
            .reader()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        let ended = Arc::new(AtomicBool::new(false));
        let stop_now = || drop(std::thread::spawn(stop.clone().action(reader.pids(), &ended)));
        let guard = interrupt::on_interrupt(stop.clone().action(reader.pids(), &ended));
        *halt.running() = Some(Box::new(stop.clone().action(reader.pids(), &ended)));
        if interrupt::received() || halt.wanted() {
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
        ended.store(true, Ordering::SeqCst);
        drop((guard, halt.running().take()));
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
        let ended = Arc::new(AtomicBool::new(false));
        let stop_now = stop.clone().action(handle.pids(), &ended);
        let _guard = interrupt::on_interrupt(stop.clone().action(handle.pids(), &ended));
        if interrupt::received() {
            std::thread::spawn(stop_now); // the signal came between the check and the guard
        }
        let output =
            handle.wait().with_context(|| format!("cannot wait for `{}`", self.brief()))?;
        ended.store(true, Ordering::SeqCst);
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
    /// `ended` becomes true when the command has ended: then its pid may be another process's.
    fn action(self, pids: Vec<u32>, ended: &Arc<AtomicBool>) -> impl Fn() + Send + Sync + 'static {
        let ended = Arc::clone(ended);
        let send = move |signal| pids.iter().for_each(|pid| signal::send_to_group(signal, *pid));
        move || {
            let grace = match &self {
                StopBy::Signal(signal) => {
                    send(*signal);
                    GRACE
                }
                // if it fails, the stopped command does not end, and that shows
                StopBy::Command(command) => {
                    drop(command.clone().within_seconds(STOP_WITHIN).run_to_its_end());
                    CLIENTS_GRACE
                }
            };
            // a program that gets INT has work that must not be cut off: apt, a push
            if matches!(self, StopBy::Signal(Signal::INT)) {
                return;
            }
            let patience = Instant::now() + grace;
            while !ended.load(Ordering::SeqCst) {
                if Instant::now() >= patience {
                    return send(Signal::KILL);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
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
mod tests;
