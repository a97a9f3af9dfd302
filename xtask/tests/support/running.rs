//! A running xtask: its output so far, and signals to it.

use super::Ran;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Timeout for a hang, far above the time of any step: also where a job compiles beside other work.
const TIMEOUT: Duration = Duration::from_secs(1200);

/// Dropping it sends a TERM, and waits.
pub struct Running {
    child: Child,
    stdout: ChildStdout,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                said.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Running { child, stdout, lines, reader: Some(reader) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns stderr up to now.
    pub fn said(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Waits until stderr has a line that starts with `line`, apart from blanks.
    #[track_caller]
    pub fn until(&mut self, line: &str) {
        self.until_a_line(line, |said| said.trim_start().starts_with(line));
    }

    /// Waits until stderr shows a command that runs `program`, even behind a wrapper.
    #[track_caller]
    pub fn until_it_runs(&mut self, program: &str) {
        let program = format!(" {program} ");
        self.until_a_line(&program, |said| said.starts_with("$ ") && said.contains(&program));
    }

    /// Waits until one of these stages begins.
    #[track_caller]
    pub fn until_begins(&mut self, stages: &[&str]) {
        let begins = |said: &String| stages.iter().any(|it| *said == format!("{it}  begins"));
        self.until_a_line(&stages.join(" or "), begins);
    }

    #[track_caller]
    fn until_a_line(&mut self, line: &str, is_it: impl Fn(&String) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !self.lines.lock().unwrap().iter().any(&is_it) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "it ended ({ended:?}) before it printed `{line}`:\n{}",
                self.said()
            );
            assert!(Instant::now() < deadline, "it did not print `{line}`:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal, named as for `kill`.
    pub fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    /// Waits until it ends.
    pub fn ends(mut self) -> Ran {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        // children of a killed process may keep stderr open for a moment
        self.reader.take().unwrap().join().unwrap();
        Ran { code: status.code().unwrap_or(-1), stdout, stderr: self.said() }
    }

    /// Kills it with SIGKILL, so that it cannot clean up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // after a failed test, so that its containers are removed
            self.signal("TERM");
            drop(self.child.wait());
        }
    }
}

pub fn signal(name: &str, pid: u32) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()]);
    assert!(kill.status().unwrap().success(), "kill -s {name} {pid}");
}
