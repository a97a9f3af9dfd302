//! The one place that spawns: a command is data until it is run here.
#![allow(clippy::disallowed_methods, reason = "this is the one place that spawns")]

use crate::failure::Code;
use crate::interrupt;
use anyhow::{Context as _, Result, anyhow, bail};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Variables that would make git look at another repository than the one we name.
const GIT_REDIRECTIONS: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
];

/// A command line: built and decorated anywhere, shown by a dry run, run only here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    unset: Vec<&'static str>,
    bare_env: bool,
    dir: Option<PathBuf>,
    input: Input,
}

/// What a short command reads on stdin: where secrets go, because everybody can read an argv.
#[derive(Clone, Default, PartialEq, Eq)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

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
    pub fn new(program: impl AsRef<OsStr>) -> Cmd {
        Cmd {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            unset: crate::secret::VARIABLES.to_vec(),
            bare_env: false,
            dir: None,
            input: Input::default(),
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Cmd {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Cmd {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Cmd {
        self.env.push((key.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Keeps variables of the caller's from the child.
    pub fn without(mut self, names: &[&'static str]) -> Cmd {
        self.unset.extend(names);
        self
    }

    /// Starts from an empty environment: only what [`Cmd::env`] adds reaches the child.
    pub fn bare_env(mut self) -> Cmd {
        self.bare_env = true;
        self
    }

    pub fn dir(mut self, dir: &Path) -> Cmd {
        self.dir = Some(dir.to_owned());
        self
    }

    /// What [`Cmd::probe`], [`Cmd::read`] and [`Cmd::feed`] give it on stdin; never shown.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Cmd {
        self.input = Input(bytes.into());
        self
    }

    /// This command as the arguments of another: `timeout 10` + this, `nsenter …` + this.
    pub fn wrapped_by(self, outer: Cmd) -> Cmd {
        let mut wrapped = outer.arg(&self.program).args(&self.args);
        wrapped.env.extend(self.env);
        wrapped.unset.extend(self.unset);
        wrapped.bare_env |= self.bare_env;
        wrapped.dir = wrapped.dir.or(self.dir);
        wrapped.input = self.input;
        wrapped
    }

    /// Bounds a probe of something that may not answer (an engine, a mirror).
    pub fn within_seconds(self, seconds: u32) -> Cmd {
        self.wrapped_by(Cmd::new("timeout").arg(format!("{seconds}")))
    }

    /// Program and arguments, lossily as text: for snapshots of plans.
    pub fn argv(&self) -> Vec<String> {
        std::iter::once(&self.program)
            .chain(&self.args)
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    /// Runs a short command, with nothing but [`Cmd::input`] on stdin; returns what it printed.
    pub fn probe(&self) -> Result<Probe> {
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
        self.probe().is_ok_and(|probe| probe.exit.ok())
    }

    /// Runs a short command that must succeed; returns its output without the final newline.
    pub fn read(&self) -> Result<String> {
        let probe = self.probe()?;
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
        interrupt::check()?;
        let reader = self
            .expression()
            .before_spawn(|command| {
                command.process_group(0);
                Ok(())
            })
            .stdin_null()
            .stderr_to_stdout()
            .unchecked()
            .reader()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        let stop_now = stop.clone().action(reader.pids());
        let on_signal = stop.clone().action(reader.pids());
        let guard = interrupt::on_interrupt(on_signal);
        if interrupt::received() {
            stop_now(); // the signal came between the check and the guard
        }

        let mut lines = BufReader::new(&reader);
        let mut line = Vec::new();
        let mut outcome = Ok(());
        loop {
            line.clear();
            let n =
                lines.read_until(b'\n', &mut line).context("cannot read the command's output")?;
            if n == 0 {
                break;
            }
            if outcome.is_ok() {
                outcome = on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
                if outcome.is_err() {
                    stop_now();
                }
            }
        }
        drop(guard);
        interrupt::check()?;
        outcome?;
        match reader.try_wait()? {
            Some(output) => Ok(Exit::of(output.status)),
            None => bail!("`{self}` closed its output but did not exit"),
        }
    }

    /// Runs a command that reads [`Cmd::input`], handing over its output piece by piece, unseen
    /// and unkept. Returns how it ended, and what it said on stderr.
    ///
    /// Signals, and errors of `on_output`, stop it as in [`Cmd::stream`].
    pub fn feed(&self, mut on_output: impl FnMut(&[u8]) -> Result<()>) -> Result<(Exit, String)> {
        interrupt::check()?;
        let reader = self
            .expression()
            .before_spawn(|command| {
                command.process_group(0);
                Ok(())
            })
            .stdin_bytes(self.input.0.clone())
            .stderr_capture()
            .unchecked()
            .reader()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        let stop = StopBy::Signal("TERM");
        let stop_now = stop.clone().action(reader.pids());
        let guard = interrupt::on_interrupt(stop.action(reader.pids()));
        if interrupt::received() {
            stop_now(); // the signal came between the check and the guard
        }

        let mut output = &reader;
        let mut piece = vec![0; 1 << 16];
        let mut outcome = Ok(());
        loop {
            let n = output.read(&mut piece).context("cannot read the command's output")?;
            if n == 0 {
                break;
            }
            if outcome.is_ok() {
                outcome = on_output(&piece[..n]);
                if outcome.is_err() {
                    stop_now();
                }
            }
        }
        drop(guard);
        interrupt::check()?;
        outcome?;
        match reader.try_wait()? {
            Some(output) => {
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                Ok((Exit::of(output.status), stderr))
            }
            None => bail!("`{self}` closed its output but did not exit"),
        }
    }

    /// Starts a command that lives beside us, its output going to `log`.
    pub fn start(&self, log: &Path) -> Result<Background> {
        interrupt::check()?;
        let log = std::fs::File::create(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let handle = self
            .expression()
            .before_spawn(|command| {
                command.process_group(0);
                Ok(())
            })
            .stdin_null()
            .stderr_to_stdout()
            .stdout_file(log)
            .unchecked()
            .start()
            .map_err(|error| self.unstartable(anyhow!(error)))?;
        Ok(Background { handle, name: self.program.to_string_lossy().into_owned() })
    }

    /// Becomes this command: terminal, signals and exit code are its own from here on. Only guards
    /// of the caller's are lost. Returns only when the command cannot be started.
    pub fn replace(&self) -> anyhow::Error {
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

impl StopBy {
    fn action(self, pids: Vec<u32>) -> impl Fn() + Send + 'static {
        move || match &self {
            StopBy::Signal(name) => {
                for pid in &pids {
                    signal(name, &format!("-{pid}"));
                }
            }
            // its own failure shows in the stopped command not ending; nothing to add here
            StopBy::Command(command) => drop(command.probe()),
        }
    }
}

/// Sends a signal through the shell's own `kill`: a bare machine has no other.
fn signal(name: &str, target: &str) {
    drop(Cmd::new("sh").args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", name, target]).probe());
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

/// Whether `program` is on PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps daemons in sbin, which an ordinary user's PATH leaves out
    let extra = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(extra)
        .map(|dir| dir.join(program))
        .find(|p| is_executable(p))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

impl fmt::Display for Cmd {
    /// A line that can be pasted into a POSIX shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.bare_env {
            words.push("env -i".to_owned());
        }
        for (key, value) in &self.env {
            words.push(format!("{key}={}", quoted(&value.to_string_lossy())));
        }
        words.extend(self.argv().iter().map(|word| quoted(word)));
        write!(f, "{}", words.join(" "))
    }
}

/// One shell word, in single quotes only where it needs them.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_so_that_it_can_be_pasted() {
        let cmd =
            Cmd::new("docker").args(["run", "a b", "it's", "--mount=x,y=z", ""]).env("K", "$V");
        assert_eq!(cmd.to_string(), r"K='$V' docker run 'a b' 'it'\''s' --mount=x,y=z ''");
    }

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
        let out = Cmd::new("/usr/bin/env").bare_env().env("ONLY", "this").read().unwrap();
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
