//! A pseudo terminal: all that a command writes to it, and its size.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Timeout for a hang, far above the time of any step.
const TIMEOUT: Duration = Duration::from_secs(300);

pub struct Terminal {
    controller: File,
    child: Child,
    written: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts a command whose three streams are a terminal of this size.
    pub fn start(command: &mut Command, columns: u16, rows: u16) -> Terminal {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let controller = File::from(controller);
        let written = Arc::new(Mutex::new(String::new()));
        let user = || File::options().read(true).write(true).open(&path).unwrap();
        let streams = [user(), user(), user()];
        resize(&controller, columns, rows);
        let [stdin, stdout, stderr] = streams;
        let child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
        // the command keeps no copies, so that the reader sees the end when the child ends
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let (mut output, all) = (controller.try_clone().unwrap(), Arc::clone(&written));
        std::thread::spawn(move || {
            let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = output.read(&mut piece) {
                bytes.extend_from_slice(&piece[..n]);
                *all.lock().unwrap() = String::from_utf8_lossy(&bytes).into_owned();
            }
        });
        Terminal { controller, child, written }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        resize(&self.controller, columns, rows);
    }

    /// Everything that was written so far.
    pub fn written(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    /// Waits until `is_it` holds for what was written.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_it: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_it(&self.written()) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) before {what}:\n{:?}", self.written());
            assert!(Instant::now() < deadline, "no {what}:\n{:?}", self.written());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end. Returns the exit code and everything that was written.
    pub fn ends(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        // the reader may be a little behind
        let deadline = Instant::now() + TIMEOUT;
        while Arc::strong_count(&self.written) > 1 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        (code, self.written())
    }
}

fn resize(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}
