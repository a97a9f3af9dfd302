//! The machine that all these tests share: its builder image, and the traces that runs leave.

use crate::support::{Checkout, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static IMAGE: OnceLock<String> = OnceLock::new();

/// The machine, locked for one test at a time, because each test looks for traces.
pub struct Machine {
    _alone: MutexGuard<'static, ()>,
    /// Name of the builder image.
    pub image: String,
}

/// A process, with all that shows if it belongs to the engine or to a test.
#[derive(Debug)]
struct Process {
    pid: u32,
    argv: String,
    mounts: String,
}

impl Machine {
    /// Locks the machine, and builds the builder image if the engine has none, which takes minutes.
    pub fn get() -> Machine {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(fs::metadata("/proc/self").unwrap().uid(), 0, "these tests need root");
        let image = IMAGE.get_or_init(|| {
            let checkout = Checkout::new("image");
            let build =
                run(&mut checkout.xtask(["image", "build", "--engine", "private", "--setup"]));
            build.exits(0).stdout.trim().to_owned()
        });
        let machine = Machine { _alone: alone, image: image.clone() };
        if !machine.traces().is_empty() {
            // left by a failed test: not an error of this one
            run(&mut Checkout::new("clean").xtask(["clean"]));
        }
        machine
    }

    /// Traces of runs that did not clean up: processes, mounts, files. Should be empty.
    pub fn traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        let tests = env!("CARGO_TARGET_TMPDIR");
        let engine = engine_dir().display().to_string();
        let run_dir = run_dir().display().to_string();
        // folders of this test run, as they appear in the source of a bind mount on any file system
        let ours = format!("/tmp/{}-", std::process::id());
        for Process { pid, argv, mounts } in processes() {
            let mut sources = mounts.lines().filter_map(|line| line.split(' ').nth(3));
            if [&engine, &run_dir].iter().any(|dir| argv.contains(*dir) || mounts.contains(*dir)) {
                found.push(format!("process {pid} of the engine: {argv}"));
            } else if sources.any(|source| source.contains(&ours)) {
                found.push(format!("process {pid} of a build: {argv}"));
            }
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        for mount in mounts.lines().filter(|m| m.contains(tests) || m.contains(&engine)) {
            found.push(format!("mount {mount}"));
        }
        if Path::new(&run_dir).exists() {
            found.push(format!("run folder {run_dir}"));
        }
        let bridge = bridge();
        if let Some(id) = bridge.strip_prefix("sm") {
            if Path::new("/sys/class/net").join(&bridge).exists() {
                found.push(format!("bridge {bridge}"));
            }
            let mark = format!("silvermetal-{id}");
            let rules = run(&mut Command::new("iptables-save")).exits(0).stdout;
            found.extend(rules.lines().filter(|l| l.contains(&mark)).map(|l| format!("rule {l}")));
        }
        let notes = fs::read_dir(state().join("runs")).into_iter().flatten().flatten();
        found.extend(notes.map(|note| format!("note {}", note.path().display())));
        found
    }

    #[track_caller]
    pub fn has_no_traces(&self) {
        let traces = self.traces();
        assert!(traces.is_empty(), "left behind:\n{}", traces.join("\n"));
    }

    /// Socket of the private engine, while an xtask keeps it running.
    pub fn socket(&self) -> PathBuf {
        run_dir().join("docker.sock")
    }

    /// Folder of the private engine's images.
    pub fn store(&self) -> PathBuf {
        engine_dir()
    }

    /// The same of a private engine that runs through sudo.
    pub fn store_under_sudo(&self) -> PathBuf {
        let bridge = bridge();
        Path::new("/var/lib").join(format!("silvermetal-{}", bridge.strip_prefix("sm").unwrap()))
    }

    /// Removes all names of an image, while an xtask keeps the engine running. The last name removes the
    /// image, unless it is in use.
    pub fn forget(&self, image: &str) {
        let template =
            "{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}";
        let mut inspect = self.docker();
        inspect.args(["image", "inspect", "--format", template, image]);
        for name in run(&mut inspect).exits(0).stdout.split_whitespace() {
            // the digest of a repository goes with its last tag
            run(self.docker().args(["rmi", name]));
        }
    }

    /// Returns the command `docker` for the private engine.
    pub fn docker(&self) -> Command {
        let mut docker = Command::new("docker");
        docker.arg("--host").arg(format!("unix://{}", self.socket().display()));
        docker
    }

    /// Pid of the private engine's daemon.
    pub fn daemon(&self) -> u32 {
        let file = config()["pidfile"].as_str().unwrap().to_owned();
        fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }
}

/// Folder where xtask keeps engine, logs and notes, beside the program under test.
pub fn state() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_xtask")).ancestors().nth(2).unwrap();
    target.join("silvermetal")
}

fn engine_dir() -> PathBuf {
    state().join("engine")
}

/// The engine's configuration of its last start.
fn config() -> Value {
    serde_json::from_slice(&fs::read(engine_dir().join("daemon.json")).unwrap()).unwrap()
}

fn run_dir() -> PathBuf {
    config()["exec-root"].as_str().unwrap().into()
}

/// Name of the engine's bridge: `sm` and the engine's id, or `none` if the machine allows no bridge.
fn bridge() -> String {
    config()["bridge"].as_str().unwrap().to_owned()
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// All processes. One that ends meanwhile has neither argv nor mounts.
fn processes() -> Vec<Process> {
    pids()
        .into_iter()
        .map(|pid| Process {
            pid,
            argv: text(pid, "cmdline").replace('\0', " "),
            mounts: text(pid, "mountinfo"),
        })
        .collect()
}

fn text(pid: u32, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Searches for words, until stopped, in the argv of all processes, and in the environment of those in
/// other pid namespaces (containers and builds on engine host).
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

#[derive(Debug, Default)]
pub struct Seen {
    /// Places where a word was found.
    pub words: BTreeSet<String>,
    /// Processes found in other pid namespaces. None means that no build was watched.
    pub inside: BTreeSet<u32>,
}

impl Watch {
    pub fn for_words(words: &[String]) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (words, asked) = (words.to_vec(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !asked.load(Ordering::SeqCst) {
                seen.look(&words);
                std::thread::sleep(Duration::from_millis(100));
            }
            seen
        });
        Watch { stop, thread }
    }

    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

impl Seen {
    fn look(&mut self, words: &[String]) {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = namespace("self");
        for pid in pids() {
            let Some(theirs) = namespace(&pid.to_string()) else { continue };
            let mut places = vec![("argv", text(pid, "cmdline"))];
            if Some(theirs) != ours {
                self.inside.insert(pid);
                places.push(("environment", text(pid, "environ")));
            }
            for (place, text) in places {
                let found = words.iter().filter(|word| text.contains(*word));
                self.words.extend(
                    found.map(|word| format!("{word} in the {place}: {}", text.replace('\0', " "))),
                );
            }
        }
    }
}
