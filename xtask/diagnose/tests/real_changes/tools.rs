//! Images that the real tools make: squashfs and ISO 9660.

use crate::formats::TIME;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns true if every program is installed.
pub(crate) fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<_> = std::env::split_paths(&path).collect();
    programs.iter().all(|program| dirs.iter().any(|dir| dir.join(program).is_file()))
}

/// A squashfs of these files; `dir` is emptied.
pub(crate) fn squashfs(
    dir: &Path,
    options: &[&str],
    time: u32,
    files: &[(&str, &[u8])],
) -> Vec<u8> {
    pack(&fresh(dir, files), &dir.join("image"), options, time)
}

/// The same, every file under a second name as well: `NAME-too`.
pub(crate) fn squashfs_with_links(
    dir: &Path,
    options: &[&str],
    time: u32,
    files: &[(&str, &[u8])],
) -> Vec<u8> {
    let root = fresh(dir, files);
    for (path, _) in files {
        fs::hard_link(root.join(path), root.join(format!("{path}-too"))).unwrap();
    }
    pack(&root, &dir.join("image"), options, time)
}

/// Empties `dir`, and returns a folder in it that holds these files.
fn fresh(dir: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    drop(fs::remove_dir_all(dir));
    let root = dir.join("root");
    write(&root, files);
    root
}

fn pack(root: &Path, image: &Path, options: &[&str], time: u32) -> Vec<u8> {
    let mut command = Command::new("mksquashfs");
    command.args([root, image]).args(["-noappend", "-no-progress", "-quiet", "-all-root"]);
    command.args(["-processors", "1", "-mkfs-time", &time.to_string()]);
    command.args(["-all-time", &TIME.to_string()]).args(options);
    run(command.env_remove("SOURCE_DATE_EPOCH"));
    fs::read(image).unwrap()
}

/// The files of a squashfs as unsquashfs gives them; `None` if it cannot.
pub(crate) fn unpacked(dir: &Path, squashfs: &[u8], files: &[&str]) -> Option<Vec<Vec<u8>>> {
    let (image, to) = (dir.join("packed"), dir.join("unpacked"));
    drop(fs::remove_dir_all(&to));
    fs::write(&image, squashfs).unwrap();
    let done = Command::new("unsquashfs").args(["-q", "-n", "-d"]).args([&to, &image]).output();
    done.unwrap().status.success().then_some(())?;
    files.iter().map(|file| fs::read(to.join(file)).ok()).collect()
}

/// An ext4 of 2 MiB with these files, and ids and times that are the same in every run.
pub(crate) fn ext4(dir: &Path, files: &[(&str, &[u8])]) -> Vec<u8> {
    ext4_with("^has_journal", dir, files)
}

/// The same with other features, as `mke2fs -O` takes them.
pub(crate) fn ext4_with(features: &str, dir: &Path, files: &[(&str, &[u8])]) -> Vec<u8> {
    let (root, image) = (dir.join("root"), dir.join("image"));
    drop(fs::remove_dir_all(dir));
    write(&root, files);
    touch(&root);
    let id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let mut command = Command::new("mke2fs");
    command.args(["-q", "-t", "ext4", "-O", features, "-U", id, "-E"]);
    command.arg(format!("hash_seed={id},root_owner=0:0")).arg("-d").args([&root, &image]);
    let time = TIME.to_string();
    command.arg("2M").env("SOURCE_DATE_EPOCH", &time).env("E2FSPROGS_FAKE_TIME", &time);
    run(&mut command);
    fs::read(image).unwrap()
}

/// A FAT32 of 34 MiB with these files in its root folder.
pub(crate) fn fat32(dir: &Path, files: &[(&str, &[u8])]) -> Vec<u8> {
    let (root, image) = (fresh(dir, files), dir.join("image"));
    let mut command = Command::new("mkfs.fat");
    command.args(["-F", "32", "-s", "1", "-i", "12345678", "-C"]).arg(&image).arg("34816");
    let time = TIME.to_string();
    run(command.env("SOURCE_DATE_EPOCH", &time));
    let mut command = Command::new("mcopy");
    command.args(["-n", "-i"]).arg(&image);
    command.args(files.iter().map(|(name, _)| root.join(name))).arg("::/");
    run(command.env("SOURCE_DATE_EPOCH", &time).env("TZ", "UTC"));
    fs::read(image).unwrap()
}

/// A tar in a format of GNU tar.
pub(crate) fn tar(dir: &Path, format: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let (root, image) = (fresh(dir, files), dir.join("image"));
    let mut command = Command::new("tar");
    command.arg("-cf").arg(&image).args(["--format", format, "--owner=0", "--group=0"]);
    command.args(["--mode=644", &format!("--mtime=@{TIME}.5")]).arg("-C").arg(&root);
    if format == "posix" {
        command.arg("--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime");
    }
    run(command.args(files.iter().map(|(name, _)| *name)));
    fs::read(image).unwrap()
}

fn touch(root: &Path) {
    let date = format!("@{TIME}");
    run(Command::new("find").arg(root).args(["-exec", "touch", "-h", "-d", &date, "{}", "+"]));
}

/// An ISO of these files, with boot code for BIOS and a boot image that El Torito names.
pub(crate) fn iso(dir: &Path, files: &[(&str, &[u8])]) -> Vec<u8> {
    let (root, image) = (dir.join("root"), dir.join("image"));
    drop(fs::remove_dir_all(dir));
    write(&root, files);
    let code: Vec<u8> = (0..432).map(|i: u32| (i * 7 % 251) as u8).collect();
    fs::write(dir.join("mbr"), code).unwrap();
    touch(&root);
    let mut command = Command::new("xorriso");
    command.args(["-as", "mkisofs", "-quiet", "-r", "-J", "-V", "TEST"]);
    command.args(["--modification-date=2026052820264000", "-o"]).arg(&image);
    command.arg("-G").arg(dir.join("mbr"));
    if files.iter().any(|(name, _)| *name == "boot/efi.img") {
        command.args(["-e", "boot/efi.img", "-no-emul-boot"]);
    }
    run(command.arg(&root).env("SOURCE_DATE_EPOCH", TIME.to_string()));
    fs::read(image).unwrap()
}

/// `iso` with another content of a file that takes as many sectors as before, as xorriso would
/// have written it; `None` if it takes more or fewer.
pub(crate) fn replaced(iso: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    const SECTOR: usize = 2048;
    if old.len().div_ceil(SECTOR) != new.len().div_ceil(SECTOR) || old.is_empty() {
        return None;
    }
    let at = (16..iso.len() / SECTOR).map(|n| n * SECTOR).find(|at| iso[*at..].starts_with(old))?;
    let mut out = iso.to_vec();
    let end = at + old.len().next_multiple_of(SECTOR);
    out[at..end].fill(0);
    out[at..at + new.len()].copy_from_slice(new);
    // extent and size of every record of the file, in both byte orders
    let field = |size: usize| {
        let both = |n: u32| [n.to_le_bytes(), n.to_be_bytes()].concat();
        [both((at / SECTOR) as u32), both(size as u32)].concat()
    };
    let (before, after) = (field(old.len()), field(new.len()));
    let mut records = 0;
    for i in 0..at {
        if out[i..].starts_with(&before) {
            out[i..i + 16].copy_from_slice(&after);
            records += 1;
        }
    }
    (records > 0).then_some(out)
}

/// Writes files. A name that ends with a slash is an empty folder.
fn write(root: &Path, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = root.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
