//! A client of QMP, the JSON protocol of a running QEMU, over a unix socket.

use super::desktop::MousePlace;
use super::qemu::CD;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use xtask_core::escape::Shown as _;

/// Longest wait for an answer. On a busy host QEMU may be slow.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Greatest value of an axis of QEMU's tablet (INPUT_EVENT_ABS_MAX).
const TABLET: f64 = 32_767.0;

pub(crate) struct Monitor {
    stream: BufReader<UnixStream>,
    /// The reason why the guest stopped, in QEMU's word, e.g. `guest-reset`.
    shutdown: Option<String>,
}

/// State of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MachineStatus {
    Running,
    /// The guest reset or powered off the machine; with the reason in QEMU's word.
    Shutdown(String),
    /// KVM found code that it cannot run.
    InternalError,
    /// Any other state in which the machine does not run.
    Stopped(String),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PictureFormat {
    /// For people to look at.
    Png,
    /// Raw pixels, for [`super::screen`].
    Ppm,
}

impl Monitor {
    pub(crate) fn connect(socket: &Path) -> Result<Monitor> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot reach QEMU at {}", socket.shown()))?;
        stream.set_read_timeout(Some(ANSWER_WITHIN)).context("QEMU's monitor")?;
        stream.set_write_timeout(Some(ANSWER_WITHIN)).context("QEMU's monitor")?;
        let mut monitor = Monitor { stream: BufReader::new(stream), shutdown: None };
        monitor.message().context("QEMU's greeting")?;
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    pub(crate) fn status(&mut self) -> Result<MachineStatus> {
        let answer = self.execute("query-status", &json!({}))?;
        let status = answer["status"].as_str().context("QEMU gave no status")?;
        Ok(match status {
            "running" | "prelaunch" => MachineStatus::Running,
            "shutdown" => {
                MachineStatus::Shutdown(self.shutdown.clone().unwrap_or_else(|| status.to_owned()))
            }
            "internal-error" => MachineStatus::InternalError,
            other => MachineStatus::Stopped(other.to_owned()),
        })
    }

    /// Number of bytes that the guest has read from the image.
    pub(crate) fn bytes_read(&mut self) -> Result<u64> {
        let answer = self.execute("query-blockstats", &json!({}))?;
        let drives = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let cd = drives.iter().find(|drive| drive["device"] == CD);
        cd.and_then(|cd| cd["stats"]["rd_bytes"].as_u64())
            .context("QEMU lists no drive with the image")
    }

    /// Writes the screen to `file`.
    pub(crate) fn screendump(&mut self, file: &Path, format: PictureFormat) -> Result<()> {
        let format = match format {
            PictureFormat::Png => "png",
            PictureFormat::Ppm => "ppm",
        };
        let file = file.to_str().context("the path is not UTF-8")?;
        self.execute("screendump", &json!({ "filename": file, "format": format })).map(drop)
    }

    /// Presses the Enter key.
    pub(crate) fn press_enter(&mut self) -> Result<()> {
        let key = json!({ "type": "qcode", "data": "ret" });
        self.execute("send-key", &json!({ "keys": [key] })).map(drop)
    }

    /// Moves the mouse, which is a tablet: it knows places on the screen.
    pub(crate) fn move_mouse(&mut self, to: MousePlace) -> Result<()> {
        let axis = |axis: &str, fraction: f64| {
            let value = (fraction * TABLET) as u64;
            json!({ "type": "abs", "data": { "axis": axis, "value": value } })
        };
        let events = json!({ "events": [axis("x", to.x), axis("y", to.y)] });
        self.execute("input-send-event", &events).map(drop)
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        // in one write, because QEMU reads what has arrived so far
        let request = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        self.stream.get_mut().write_all(request.as_bytes()).context("cannot talk to QEMU")?;
        loop {
            let mut message =
                self.message().with_context(|| format!("QEMU does not answer {command}"))?;
            if let Some(error) = message.get("error") {
                bail!(
                    "QEMU refuses {command}: {}",
                    error["desc"].as_str().unwrap_or("no reason given")
                );
            }
            if message["event"] == "SHUTDOWN" {
                self.shutdown = message["data"]["reason"].as_str().map(str::to_owned);
            }
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }

    fn message(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("QEMU closed the connection");
        }
        serde_json::from_str(&line).with_context(|| format!("not JSON: {}", line.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A stand-in for QEMU: it greets, accepts the capabilities, and sends one of `answers` for each
    /// question.
    fn with_qemu<T>(answers: &'static [&'static str], ask: impl FnOnce(&mut Monitor) -> T) -> T {
        let name = format!("xtask-qmp-{}-{:?}", std::process::id(), thread::current().id());
        let socket = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        let qemu = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut questions = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"{\"QMP\": {}}\n").unwrap();
            for answer in ["{\"return\": {}}"].iter().chain(answers) {
                questions.next().unwrap().unwrap();
                writeln!(stream, "{answer}").unwrap();
            }
        });
        let asked = ask(&mut Monitor::connect(&socket).unwrap());
        qemu.join().unwrap();
        std::fs::remove_file(socket).unwrap();
        asked
    }

    #[test]
    fn events_between_question_and_answer_are_skipped() {
        const RESET: &str = "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\n\
                             {\"return\": {\"status\": \"shutdown\", \"running\": false}}";
        let status = with_qemu(&[RESET], |monitor| monitor.status().unwrap());
        assert_eq!(status, MachineStatus::Shutdown("guest-reset".into()));
    }

    #[test]
    fn bytes_read_are_those_of_the_drive_with_the_image() {
        const STATS: &str = "{\"return\": [{\"device\": \"pflash0\", \"stats\": {\"rd_bytes\": 1}}, \
                             {\"device\": \"cd\", \"stats\": {\"rd_bytes\": 42}}]}";
        assert_eq!(with_qemu(&[STATS], |monitor| monitor.bytes_read().unwrap()), 42);
    }

    #[test]
    fn a_refusal_and_a_silence_are_errors() {
        const NO: &str = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no room\"}}";
        let refused = with_qemu(&[NO], |m| m.screendump(Path::new("/x.png"), PictureFormat::Png));
        assert_eq!(refused.unwrap_err().to_string(), "QEMU refuses screendump: no room");
        let silent = with_qemu(&[], |monitor| monitor.status());
        let text = format!("{:#}", silent.unwrap_err());
        assert!(text.contains("QEMU"), "{text}");
    }
}
