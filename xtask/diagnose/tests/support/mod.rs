//! Pairs of images that differ in what a test says, and in nothing else.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start diagnose and the tools that make images"
)]
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its part of it")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Ends a test that has no tools to make its images with.
#[allow(unused_macros, reason = "each test crate uses its part of it")]
macro_rules! needs_tools {
    () => {
        if !crate::support::has_tools() {
            return;
        }
    };
}

/// Returns true if the tools that make images are here. Without them a full run fails, and any other run
/// says on stderr, past the harness's capture, that a test was skipped.
#[allow(clippy::explicit_write, reason = "eprintln! is captured")]
pub fn has_tools() -> bool {
    use std::io::Write as _;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = |tool: &&&str| !std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    let missing: Vec<_> = ["mksquashfs", "xorriso", "mformat"].iter().filter(missing).collect();
    if missing.is_empty() {
        return true;
    }
    let full = std::env::args().any(|word| word == "--include-ignored");
    assert!(!full, "{missing:?} not found: apt-get install squashfs-tools xorriso mtools");
    let test = std::thread::current();
    let name = test.name().unwrap_or_default();
    writeln!(std::io::stderr(), "{name}: SKIPPED, {missing:?} not found").unwrap();
    false
}

/// SOURCE_DATE_EPOCH of every image, seconds since 1970.
pub const EPOCH: i64 = 1_780_000_000;

static COUNT: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn pick<T>(self, a: T, b: T) -> T {
        if self == Side::A { a } else { b }
    }
}

/// One side: a root file system in `root/`, what else the ISO holds in `iso/`.
pub struct Tree {
    pub dir: PathBuf,
}

/// Both sides; removed when dropped.
pub struct Pair {
    pub dir: PathBuf,
}

impl Pair {
    pub fn new(name: &str, make: impl Fn(&Tree, Side)) -> Pair {
        let n = COUNT.fetch_add(1, Ordering::SeqCst);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}-{n}", std::process::id()));
        for (side, folder) in [(Side::A, "a"), (Side::B, "b")] {
            let tree = Tree { dir: dir.join(folder) };
            fs::create_dir_all(tree.dir.join("root")).unwrap();
            fs::create_dir_all(tree.dir.join("iso/live")).unwrap();
            make(&tree, side);
        }
        Pair { dir }
    }

    /// Two ISOs with a squashfs each.
    pub fn of_images(name: &str, make: impl Fn(&Tree, Side)) -> Pair {
        Pair::new(name, |tree, side| {
            make(tree, side);
            tree.squashfs(&[], EPOCH);
            tree.iso(&[]);
        })
    }

    pub fn both(&self, file: &str) -> [PathBuf; 2] {
        ["a", "b"].map(|side| self.dir.join(side).join(file))
    }

    /// Output of `diagnose --json` for one file or folder of each side.
    pub fn json(&self, file: &str) -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_diagnose"))
            .args(["diagnose", "--json"])
            .args(self.both(file))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let expected = if value["verdict"] == "identical" { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(expected));
        value
    }

    /// Exactly these causes, and nothing that is unexplained.
    #[track_caller]
    pub fn names(&self, expected: &[&str]) {
        self.names_in("image.iso", expected);
    }

    /// Exactly these causes; and what is unexplained usually has exactly these.
    #[track_caller]
    pub fn hints(&self, causes: &[&str], usually: &[&str]) {
        let json = self.json("image.iso");
        let ids = |list: &str, id: &dyn Fn(&serde_json::Value) -> String| {
            let items = json[list].as_array().unwrap();
            let ids: std::collections::BTreeSet<String> = items.iter().map(id).collect();
            ids.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(ids("causes", &|c| c["id"].as_str().unwrap().to_owned()), causes, "{json:#}");
        let hint =
            |item: &serde_json::Value| item["usually"]["id"].as_str().unwrap_or("-").to_owned();
        assert_eq!(ids("unexplained", &hint), usually, "{json:#}");
        assert_eq!(json["unreadable"], serde_json::json!([]), "{json:#}");
    }

    #[track_caller]
    pub fn names_in(&self, file: &str, expected: &[&str]) {
        let json = self.json(file);
        let mut ids: Vec<&str> =
            json["causes"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{json:#}");
        assert_eq!(json["unexplained"], serde_json::json!([]), "{json:#}");
        assert_eq!(json["unreadable"], serde_json::json!([]), "{json:#}");
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // a failed test's folder is no reason to hide its message
        drop(fs::remove_dir_all(&self.dir));
    }
}

impl Tree {
    /// A path of this side; plain ones are in the root file system.
    pub fn path(&self, path: &str) -> PathBuf {
        if path.starts_with("iso/") || path == "efi.img" {
            self.dir.join(path)
        } else {
            self.dir.join("root").join(path)
        }
    }

    pub fn write(&self, path: &str, text: &str) {
        self.bytes(path, text.as_bytes());
    }

    pub fn bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn dir(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// An extended attribute, which the file system of the tests has to know.
    pub fn attribute(&self, path: &str, name: &str, value: &str) {
        run(Command::new("setfattr").args(["-n", name, "-v", value]).arg(self.path(path)));
    }

    pub fn hard_link(&self, from: &str, to: &str) {
        fs::hard_link(self.path(from), self.path(to)).unwrap();
    }

    pub fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The time that an entry has in the squashfs, later than the epoch or not.
    pub fn time(&self, path: &str, seconds: i64) {
        self.pseudo(&format!("{path} M {seconds} 644 0 0"));
    }

    /// A line for mksquashfs: how an entry differs from the one on disk.
    pub fn pseudo(&self, line: &str) {
        let file = self.dir.join("pseudo");
        let mut text = fs::read_to_string(&file).unwrap_or_default();
        text += &format!("{line}\n");
        fs::write(file, text).unwrap();
    }

    pub fn gzip(&self, path: &str, content: &[u8], mtime: u32) {
        let mut bytes = run_with(Command::new("gzip").args(["-n", "-9"]), content);
        bytes[4..8].copy_from_slice(&mtime.to_le_bytes());
        self.bytes(path, &bytes);
    }

    /// Writes `content`, compressed by `program`.
    pub fn packed(&self, path: &str, program: &str, option: &str, content: &[u8]) {
        self.bytes(path, &run_with(Command::new(program).args([option, "-c"]), content));
    }

    /// A tar of files with these names, in this order.
    pub fn tar(&self, path: &str, names: &[&str], mtime: i64) {
        for name in names {
            fs::write(self.dir.join(name), name).unwrap();
        }
        let at = format!("--mtime=@{mtime}");
        let mut tar = Command::new("tar");
        tar.args(["-c", "--owner=0", "--group=0", "--numeric-owner", &at, "-C"]);
        let bytes = run(tar.arg(&self.dir).args(names));
        self.bytes(path, &bytes);
    }

    /// An uncompressed cpio of files with these names, in this order.
    pub fn initrd(&self, path: &str, names: &[&str], mtime: i64) {
        let mut bytes = Vec::new();
        let member = |bytes: &mut Vec<u8>, ino: usize, name: &str, content: &[u8], mode: u32| {
            let fields = [
                ino as u32,
                mode,
                0,
                0,
                1,
                mtime as u32,
                content.len() as u32,
                0,
                0,
                0,
                0,
                name.len() as u32 + 1,
                0,
            ];
            bytes.extend(b"070701");
            bytes.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
            bytes.extend(name.bytes().chain([0]));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes.extend(content);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        };
        for (i, name) in names.iter().enumerate() {
            member(&mut bytes, i + 1, name, name.as_bytes(), 0o100_644);
        }
        member(&mut bytes, 0, "TRAILER!!!", b"", 0);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        self.bytes(path, &bytes);
    }

    /// A FAT image with one file and this serial number.
    pub fn fat(&self, path: &str, serial: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = self.dir.join("boot.efi");
        fs::write(&file, "MZ").unwrap();
        // mtools does not take a path with a quotation mark
        let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
        let mtools = |program: &str| {
            let mut command = Command::new(program);
            command.current_dir(folder).env("SOURCE_DATE_EPOCH", EPOCH.to_string());
            command
        };
        run(mtools("mformat").args(["-C", "-f", "1440", "-N", serial, "-i"]).arg(name).arg("::"));
        run(mtools("mcopy").arg("-i").arg(name).arg(&file).arg("::BOOT.EFI"));
    }

    /// `root/` → `filesystem.squashfs`, every time in it clamped.
    pub fn squashfs(&self, options: &[&str], mkfs_time: i64) {
        touch(&self.dir.join("root"), EPOCH);
        let image = self.dir.join("filesystem.squashfs");
        let mut command = Command::new("mksquashfs");
        command.arg(self.dir.join("root")).arg(&image);
        command.args(["-noappend", "-no-progress", "-quiet", "-processors", "1"]);
        command.args(["-mkfs-time", &mkfs_time.to_string()]).args(options);
        command.env_remove("SOURCE_DATE_EPOCH");
        if self.dir.join("pseudo").exists() {
            command.arg("-pf").arg(self.dir.join("pseudo"));
        } else {
            // which would undo what the file says
            command.arg("-all-root");
        }
        run(&mut command);
    }

    /// `iso/` and the squashfs → `image.iso`.
    pub fn iso(&self, options: &[&str]) {
        let inside = self.dir.join("iso/live/filesystem.squashfs");
        if !inside.exists() {
            fs::hard_link(self.dir.join("filesystem.squashfs"), inside).unwrap();
        }
        self.iso_of(options);
    }

    /// The same, with another time of one file.
    pub fn iso_at(&self, file: &str, seconds: i64) {
        let inside = self.dir.join("iso/live/filesystem.squashfs");
        fs::hard_link(self.dir.join("filesystem.squashfs"), inside).unwrap();
        touch(&self.dir.join("iso"), EPOCH);
        touch(&self.dir.join("iso").join(file), seconds);
        self.xorriso(&[]);
    }

    fn iso_of(&self, options: &[&str]) {
        touch(&self.dir.join("iso"), EPOCH);
        self.xorriso(options);
    }

    fn xorriso(&self, options: &[&str]) {
        let mut command = Command::new("xorriso");
        command
            .args(["-as", "mkisofs", "-quiet", "-r", "-J", "-o"])
            .arg(self.dir.join("image.iso"));
        if !options.contains(&"-V") {
            command.args(["-V", "TEST"]);
        }
        if !options.contains(&"--modification-date") {
            command.args(["--modification-date=2026052820263900"]);
        }
        let mut options = options.iter();
        while let Some(option) = options.next() {
            if *option == "--modification-date" {
                command.arg(format!("{option}={}", options.next().unwrap()));
            } else {
                command.arg(option);
            }
        }
        command.env("SOURCE_DATE_EPOCH", EPOCH.to_string());
        run(command.arg(self.dir.join("iso")));
    }
}

fn touch(path: &Path, seconds: i64) {
    let date = format!("@{seconds}");
    run(Command::new("find").arg(path).args(["-exec", "touch", "-h", "-d", &date, "{}", "+"]));
}

pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn run_with(command: &mut Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// MD5 in hexadecimal.
pub fn md5(content: impl AsRef<[u8]>) -> String {
    let text = run_with(&mut Command::new("md5sum"), content.as_ref());
    String::from_utf8(text).unwrap()[..32].to_owned()
}

/// SHA-256 in hexadecimal.
pub fn sha256(content: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-1 as Alpine writes it.
pub fn sha1_base64(content: &str) -> String {
    use sha1::{Digest as _, Sha1};
    let text = run_with(Command::new("base64").arg("-w0"), &Sha1::digest(content));
    String::from_utf8(text).unwrap()
}

/// Compiled Python: a magic number, flags, the source's time and size, and the code.
pub fn pyc(time: u32, code: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xf3\x0d\x0d\x0a\0\0\0\0".to_vec();
    bytes.extend(time.to_le_bytes());
    bytes.extend(40_u32.to_le_bytes());
    bytes.extend(b"\xe3");
    bytes.extend(code);
    bytes
}

/// A private key as PEM writes it.
pub fn private_key(seed: u8) -> String {
    let line = |n: u8| -> String {
        (0..64_u8)
            .map(|i| {
                char::from(
                    b"ABCDEFGHIJklmnopqrst0123456789+/"[usize::from(i.wrapping_mul(seed) ^ n) % 32],
                )
            })
            .collect()
    };
    let lines: Vec<String> = (0..5).map(line).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
