//! Command lines as data. [`crate::exec`] runs them.

use crate::escape;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A command line. Any module may build or extend one, and a dry run prints it; only
/// [`crate::exec`] runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(String, OsString)>,
    pub(crate) unset: Vec<&'static str>,
    pub(crate) bare_env: bool,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) input: Input,
}

/// Bytes for a command's stdin. Secrets go there, because every user of the machine can read an argv.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Input(pub(crate) Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
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

    /// Removes a variable from the child's environment.
    pub fn env_remove(mut self, name: &'static str) -> Cmd {
        self.unset.push(name);
        self
    }

    /// Starts from an empty environment: only what [`Cmd::env`] adds reaches the child.
    pub fn env_clear(mut self) -> Cmd {
        self.bare_env = true;
        self
    }

    pub fn current_dir(mut self, dir: &Path) -> Cmd {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Bytes that the command reads on stdin in [`Cmd::output`], [`Cmd::read`] and [`Cmd::feed`]. They
    /// are never shown.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Cmd {
        self.input = Input(bytes.into());
        self
    }

    /// Appends this command to the arguments of another: `timeout 10` and this, `nsenter …` and this.
    pub fn wrapped_by(self, outer: Cmd) -> Cmd {
        let mut wrapped = outer.arg(&self.program).args(&self.args);
        wrapped.env.extend(self.env);
        wrapped.unset.extend(self.unset);
        wrapped.bare_env |= self.bare_env;
        wrapped.dir = wrapped.dir.or(self.dir);
        wrapped.input = self.input;
        wrapped
    }

    /// Limits the run time, for a question to something that may not answer (an engine).
    pub fn within_seconds(self, seconds: u32) -> Cmd {
        self.wrapped_by(Cmd::new("timeout").args(["--kill-after=5", &seconds.to_string()]))
    }

    /// Binds the process to the thread that starts it: the kernel kills it when that thread ends, so
    /// that not even a SIGKILL of this process leaves it running.
    pub fn bound_to_us(self) -> Cmd {
        self.wrapped_by(Cmd::new("setpriv").args(["--pdeathsig", "KILL", "--"]))
    }

    /// The command line for an error: cut if it is long, because the cause stands behind it.
    pub fn brief(&self) -> String {
        /// Characters of a line on a small terminal, without the words around it.
        const MOST: usize = 60;
        let whole = self.to_string();
        if whole.chars().count() <= MOST {
            return whole;
        }
        let mut short = quoted(&self.program);
        for word in self.args.iter().map(quoted) {
            if short.chars().count() + word.chars().count() >= MOST {
                break;
            }
            short += &format!(" {word}");
        }
        short + " …"
    }

    /// Program and arguments as text, for snapshots of plans. Bytes that are not UTF-8 are replaced.
    pub fn argv(&self) -> Vec<String> {
        std::iter::once(&self.program)
            .chain(&self.args)
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }
}

/// Finds an executable on PATH or in sbin.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps daemons in sbin, which is not on an ordinary user's PATH
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
    /// Writes a line that a person can paste into a POSIX shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.bare_env {
            words.push("env -i".to_owned());
        }
        for (key, value) in &self.env {
            words.push(format!("{key}={}", quoted(value)));
        }
        words.extend(std::iter::once(&self.program).chain(&self.args).map(quoted));
        write!(f, "{}", words.join(" "))
    }
}

/// Quotes one word for a shell, if it needs quotes. Bytes that a terminal acts on, does not show, or
/// cannot show are written as `$'\NNN'`, which bash and zsh read, and POSIX since 2024.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(escape::steers) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => ansi_c_quoted(word.as_bytes()),
    }
}

fn ansi_c_quoted(word: &[u8]) -> String {
    let mut out = "$'".to_owned();
    let octal = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:03o}")).collect::<String>();
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                // an interactive bash may take it for a reference to its history here
                '!' => out += "\\041",
                c if escape::steers(c) => out += &octal(c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        out += &octal(chunk.invalid());
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_first_words_of_a_long_command() {
        assert_eq!(Cmd::new("git").args(["rev-parse", "HEAD"]).brief(), "git rev-parse HEAD");
        let long = Cmd::new("docker").args(["run", "--rm"]).args(["--mount"; 20]).env("K", "v");
        let brief = long.brief();
        assert!(brief.starts_with("docker run --rm --mount ") && brief.ends_with(" --mount …"));
        assert!(brief.len() < 70, "{brief}");
        assert_eq!(Cmd::new("sh").args(["-c", &"x".repeat(100)]).brief(), "sh -c …");
    }

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let cmd =
            Cmd::new("docker").args(["run", "a b", "it's", "--mount=x,y=z", ""]).env("K", "$V");
        assert_eq!(cmd.to_string(), r"K='$V' docker run 'a b' 'it'\''s' --mount=x,y=z ''");
    }

    #[test]
    fn a_shell_reads_a_quoted_word_back_to_the_byte() {
        for word in [
            b"$(touch x)".as_slice(),
            b"!ls \n!!",
            b"it's; rm -rf \"$HOME\" `x` \\ \\n",
            b"a\nb\r\x1b[2J\x07 \xe2\x80\xae \xff\xfe' \\",
            b"-n",
            b"",
            "ü ".as_bytes(),
        ] {
            let quoted = quoted(OsStr::from_bytes(word));
            assert!(!quoted.contains(escape::steers), "{quoted:?}");
            let echo =
                Cmd::new("bash").args(["-c", &format!("printf '%s' {quoted} | od -An -v -tx1")]);
            let hex: String = word.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(echo.read().unwrap().replace([' ', '\n'], ""), hex, "{quoted}");
        }
    }
}
