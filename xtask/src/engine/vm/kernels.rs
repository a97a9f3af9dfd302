//! Debian's kernels for engine `vm`: packages of this machine's own apt that are unpacked into the state folder, and
//! never installed.

use super::initramfs;
use super::modules;
use anyhow::{Context as _, Result, bail};
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, Signal, StopBy};
use xtask_core::failure::Code;
use xtask_core::step;
use xtask_core::ui::Ui;

/// Package with a program that runs before the builder's own are mounted.
const BUSYBOX: &str = "busybox-static";

/// A kernel and its initramfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Folder with `vmlinuz` and `initramfs`.
    pub(super) dir: PathBuf,
    /// Name and version of its package.
    pub(crate) package: String,
}

impl Kernel {
    pub(super) fn image(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    pub(super) fn initramfs(&self) -> PathBuf {
        self.dir.join("initramfs")
    }
}

/// Folder of the kernels in the state folder. Another xtask with another init.sh has another one.
fn folder(state: &Path) -> PathBuf {
    let form = xtask_core::hash::text(initramfs::INIT);
    state.join("vm/kernels").join(&form.hex()[..8])
}

/// Names of the folders: the kernel that a build uses, and the one of `--vary kernel`.
const NAMES: [&str; 2] = ["first", "other"];

/// A kernel that is not there yet.
pub(super) fn expected(state: &Path, place: usize) -> Kernel {
    let name = NAMES.get(place).copied().unwrap_or_default();
    Kernel { dir: folder(state).join(name), package: String::new() }
}

/// The kernels that are there: first the one that a build uses, then the one of `--vary kernel`, if there is one.
pub(super) fn find(state: &Path) -> Vec<Kernel> {
    let at = |name: &str| {
        let dir = folder(state).join(name);
        let package = fs::read_to_string(dir.join("package")).ok()?;
        Some(Kernel { dir, package: package.trim().to_owned() })
    };
    NAMES.into_iter().filter_map(at).collect()
}

/// Downloads and unpacks the kernels.
pub(super) fn prepare(state: &Path, ui: &Ui) -> Result<()> {
    let work = state.join("vm").join(format!("new-{}", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.shown()))?;
    let made = fetch(&work, ui).and_then(|()| {
        let kernels = folder(state);
        if kernels.exists() {
            fs::remove_dir_all(&kernels)?;
        }
        kernels.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::rename(work.join("kernels"), &kernels)
            .with_context(|| format!("cannot make {}", kernels.shown()))
    });
    drop(fs::remove_dir_all(&work)); // the next --setup would begin again
    made.map_err(|error| Code::NotReady.wrap(error.context("cannot get a kernel for engine vm")))
}

fn fetch(work: &Path, ui: &Ui) -> Result<()> {
    let stop = StopBy::Signal(Signal::INT);
    step::run("package lists", &Cmd::new("apt-get").arg("update"), &stop, ui)?;
    let listed = Cmd::new("apt-cache").args(["pkgnames", "linux-image-"]).read()?;
    let chosen = choose(listed.lines());
    if chosen.is_empty() {
        bail!("this machine's apt has no package linux-image-VERSION-amd64");
    }
    let get = |package: &str| {
        let cmd = Cmd::new("apt-get").args(["download", package]).current_dir(work);
        step::run("download", &cmd, &stop, ui)?;
        let files = fs::read_dir(work)?.flatten().map(|entry| entry.path());
        let start = format!("{package}_");
        let mut debs = files.filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))
        });
        let deb = debs.next().with_context(|| format!("apt-get downloaded no {package}"))?;
        let tree = work.join(format!("tree-{package}"));
        Cmd::new("dpkg-deb").arg("--extract").arg(&deb).arg(&tree).read()?;
        let named = Cmd::new("dpkg-deb").arg("--show").arg(&deb).read()?;
        fs::remove_file(deb)?;
        Ok::<_, anyhow::Error>((tree, named.replace('\t', " ")))
    };
    let (busybox, _) = get(BUSYBOX)?;
    let busybox = fs::read(busybox.join("bin/busybox"))
        .or_else(|_| fs::read(busybox.join("usr/bin/busybox")))
        .with_context(|| format!("package {BUSYBOX} has no busybox"))?;
    for (package, name) in chosen.iter().zip(NAMES) {
        let (tree, package) = get(package)?;
        let into = work.join("kernels").join(name);
        unpack(&tree, &into, &busybox)?;
        fs::write(into.join("package"), format!("{package}\n"))?;
        fs::remove_dir_all(tree)?;
    }
    Ok(())
}

/// Makes the folder of one kernel from its package.
fn unpack(tree: &Path, into: &Path, busybox: &[u8]) -> Result<()> {
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.shown()))?;
    let boot = tree.join("boot");
    let image = first_in(&boot, "vmlinuz-")?;
    fs::copy(&image, into.join("vmlinuz"))?;
    let libraries = ["lib/modules", "usr/lib/modules"].map(|path| tree.join(path));
    let of_release = libraries.iter().find(|dir| dir.is_dir());
    let modules = first_in(of_release.context("the kernel's package has no modules")?, "")?;
    let initramfs = initramfs::pack(busybox, &modules::needed(&modules)?);
    fs::write(into.join("initramfs"), initramfs).context("cannot write the initramfs")
}

/// The one entry of a folder whose name has this start.
fn first_in(dir: &Path, start: &str) -> Result<PathBuf> {
    let entries = WalkDir::new(dir).min_depth(1).max_depth(1).sort_by_file_name();
    let found = entries.into_iter().flatten().map(walkdir::DirEntry::into_path);
    let mut found = found.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    });
    found.next().with_context(|| format!("{} has no {start}*", dir.shown()))
}

/// Selects two kernels: the newest, and the newest of the next older series. If there is one series only, the
/// second newest.
fn choose<'a>(packages: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kernels: Vec<(Vec<u32>, &str)> =
        packages.into_iter().filter_map(|package| Some((version(package)?, package))).collect();
    kernels.sort_by_key(|(version, package)| Reverse((version.clone(), *package)));
    kernels.dedup();
    let Some((newest, first)) = kernels.first() else { return Vec::new() };
    let older = kernels.iter().find(|(version, _)| version[..2] != newest[..2]);
    let other = older.or_else(|| kernels.get(1));
    [Some(*first), other.map(|(_, package)| *package)].into_iter().flatten().collect()
}

/// All numbers in the version of a package `linux-image-6.12.57+deb13-amd64`. `None` for a metapackage, another
/// flavour (cloud, rt), debugging symbols, or an unsigned image.
fn version(package: &str) -> Option<Vec<u32>> {
    let version = package.strip_prefix("linux-image-")?.strip_suffix("-amd64")?;
    let plain =
        version.chars().all(|c| c.is_ascii_digit() || ".+-~".contains(c) || c.is_lowercase());
    let flavoured = ["-cloud", "-rt", "-unsigned"].iter().any(|end| version.ends_with(end));
    let numbers = version.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<u32> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    let release = version.split(['+', '-']).next()?.matches('.').count();
    (plain && !flavoured && release == 2 && numbers.len() > 2).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_and_one_of_an_older_series_are_chosen() {
        let bookworm = [
            "linux-image-6.1.0-9-amd64",
            "linux-image-6.1.0-56-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.12-amd64",
            "linux-image-6.12.117+deb12-amd64",
            "linux-image-6.12.90+deb12-amd64",
            "linux-image-6.12.117+deb12-rt-amd64",
            "linux-image-6.12.117+deb12-amd64-dbg",
            "linux-image-6.12.117+deb12-amd64-unsigned",
            "linux-image-amd64",
        ];
        let chosen = ["linux-image-6.12.117+deb12-amd64", "linux-image-6.1.0-56-amd64"];
        assert_eq!(choose(bookworm), chosen);
        let trixie = ["linux-image-6.12.57+deb13-amd64", "linux-image-6.12.63+deb13-amd64"];
        assert_eq!(choose(trixie), [trixie[1], trixie[0]]);
        assert_eq!(choose([trixie[0], trixie[0]]), [trixie[0]]);
        assert!(choose(["linux-image-amd64", "linux-image-6.12-cloud-amd64"]).is_empty());
    }
}
