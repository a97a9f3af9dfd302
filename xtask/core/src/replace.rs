//! Protects the user's data: decides if a result may take the place of a folder or a file.

use crate::escape::Shown as _;
use crate::exec::quoted;
use crate::failure::Problem;
use crate::record_file;
use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags, access, statx};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// A file that only this project writes.
#[derive(Clone, Copy, Debug)]
pub struct RecordFile {
    pub name: &'static str,
    /// Text in it: the format that it states. Empty if the name suffices.
    pub mark: &'static str,
}

/// Records that show that a folder is the result of a build. build.json lists its files.
pub const BUILD_RECORDS: [RecordFile; 2] = [
    RecordFile { name: "BUILD_INFO", mark: "Format: silvermetal-build-info/" },
    RecordFile { name: "build.json", mark: "" },
];

/// Folder beside an ISO where `boot` puts its files, its record, and all files beside that.
pub const BOOT_FOLDER: &str = "boot";
pub const BOOT_RECORD: RecordFile = RecordFile { name: "boot.json", mark: "silvermetal-boot/1" };
const BOOT_FILES: [&str; 4] = ["bios.png", "bios.serial.log", "uefi.png", "uefi.serial.log"];

impl RecordFile {
    fn is_in(&self, dir: &Path) -> bool {
        is_own(&dir.join(self.name), self.mark)
    }
}

/// Returns true if `path` is a regular file, and no link, that can be read and contains `mark`.
pub fn is_own(path: &Path, mark: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
        && record_file::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(mark))
}

/// Returns true if a folder is empty, or holds all of `records` and no file that they do not list.
pub fn is_result(dir: &Path, records: &[RecordFile]) -> bool {
    let folder = fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir());
    folder && (is_empty(dir) || has_all(dir, records) && stranger(dir, records).is_none())
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

fn has_all(dir: &Path, records: &[RecordFile]) -> bool {
    !records.is_empty() && records.iter().all(|record| record.is_in(dir))
}

/// The first file or folder in a result that somebody else put there: `records` do not list it, and
/// `boot` did not make it.
fn stranger(dir: &Path, records: &[RecordFile]) -> Option<PathBuf> {
    let mut own: BTreeSet<PathBuf> = records.iter().map(|record| record.name.into()).collect();
    own.extend(all_listed(dir, records));
    let boot = Path::new(BOOT_FOLDER);
    if BOOT_RECORD.is_in(&dir.join(boot)) {
        own.insert(boot.join(BOOT_RECORD.name));
        own.extend(BOOT_FILES.map(|name| boot.join(name)));
    }
    let walk = WalkDir::new(dir).min_depth(1).sort_by_file_name().into_iter();
    let mut strangers = walk.filter_map(|entry| {
        // a folder that cannot be read is not known to be ours
        let (path, is_dir) = match entry {
            Ok(entry) => (entry.path().to_owned(), entry.file_type().is_dir()),
            Err(error) => (error.path().unwrap_or(dir).to_owned(), false),
        };
        let inside = path.strip_prefix(dir).ok()?.to_owned();
        let known = match is_dir {
            true => own.iter().any(|file| *file != inside && file.starts_with(&inside)),
            false => own.contains(&inside),
        };
        (!known).then_some(inside)
    });
    strangers.next()
}

/// The files that the records of a folder list.
fn all_listed(dir: &Path, records: &[RecordFile]) -> Vec<PathBuf> {
    let lists = records.iter().filter(|record| record.name.ends_with(".json"));
    lists.flat_map(|record| listed(&dir.join(record.name))).collect()
}

/// The paths below `files` in a record: texts, or objects with a `name`.
fn listed(record: &Path) -> Vec<PathBuf> {
    let text = record_file::read(record).unwrap_or_default();
    let record: Value = serde_json::from_slice(&text).unwrap_or_default();
    let files = record["files"].as_array().into_iter().flatten();
    files.filter_map(|file| file["name"].as_str().or(file.as_str())).map(PathBuf::from).collect()
}

/// Returns true for the root of a file system, and for a folder that is mounted from elsewhere.
fn is_mount_point(dir: &Path, above: &Path) -> bool {
    let attributes = statx(CWD, dir, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    match attributes {
        Ok(found) if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) => {
            found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
        }
        // a kernel before 5.8, which tells nothing of a folder of the same file system
        _ => {
            let device = |path: &Path| fs::symlink_metadata(path).map(|meta| meta.dev()).ok();
            device(dir) != device(above)
        }
    }
}

/// Folders that no result may replace.
#[derive(Clone, Debug)]
pub struct Protected {
    checkout: PathBuf,
    /// The current folder and homes.
    others: Vec<PathBuf>,
}

impl Protected {
    /// The checkout, the current folder, and the homes of this machine.
    pub fn here(checkout: &Path) -> Protected {
        let homes = fs::read_dir("/home").into_iter().flatten().flatten().map(|home| home.path());
        let others = [std::env::current_dir().ok(), std::env::var_os("HOME").map(Into::into)];
        let root_home = Some(PathBuf::from("/root"));
        let others = others.into_iter().chain([root_home]).flatten().chain(homes);
        Protected { checkout: checkout.to_owned(), others: others.map(|dir| real(&dir)).collect() }
    }

    /// The reason why a result may not replace `dir`. A missing or an empty folder may be replaced,
    /// and one that holds all of `records`, which earlier results have. Without `records`, `dir` must
    /// be new. The folder above must be writable, because a rename puts the result in place.
    pub fn problem(&self, dir: &Path, records: &[RecordFile]) -> Option<Problem> {
        // without a slash at the end, which would follow a link
        let dir = &dir.components().collect::<PathBuf>();
        let above = dir.parent().unwrap_or(dir);
        if matches!(dir.components().next_back(), Some(Component::ParentDir)) {
            return refused(format!(
                "{} ends with `..`: expected the name of a folder",
                dir.shown()
            ));
        }
        let Ok(meta) = fs::symlink_metadata(dir) else { return unwritable(above) };
        let shown = dir.shown();
        if !meta.is_dir() {
            return refused(format!("{shown} is in the way: expected a folder, or nothing"));
        }
        let place = real(dir);
        if let Some(held) =
            self.others.iter().chain([&self.checkout]).find(|p| p.starts_with(&place))
        {
            return refused(format!("{shown} would be replaced, and it holds {}", held.shown()));
        }
        if is_mount_point(dir, above) {
            return refused(format!("{shown} is a mount point: expected a folder in it"));
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries.count(),
            Err(error) => return refused(format!("{shown} cannot be read: {error}")),
        };
        if entries > 0 {
            let for_results = ["linux/build/output", "target"].map(|name| self.checkout.join(name));
            if place.starts_with(&self.checkout)
                && !for_results.iter().any(|dir| place.starts_with(dir) && place != *dir)
            {
                return refused(format!(
                    "{shown} would be replaced, and it is part of the checkout"
                ));
            }
            if records.is_empty() {
                return refused(format!("{shown} is not empty"));
            }
            if !has_all(dir, records) {
                return refused(format!(
                    "{shown} holds other files than a result: expected {} (look at it: ls -A {})",
                    records.iter().map(|record| record.name).collect::<Vec<_>>().join(" and "),
                    quoted(dir)
                ));
            }
            if all_listed(dir, records).is_empty() {
                return Some(Problem::new(
                    format!(
                        "{shown} would be replaced, and no record in it lists its files, because an older xtask made it"
                    ),
                    format!(
                        "if nobody needs it: rm -r {}; or name another folder: --output DIR",
                        quoted(dir)
                    ),
                ));
            }
            if let Some(stranger) = stranger(dir, records) {
                return Some(Problem::new(
                    format!(
                        "{shown} would be replaced, and it holds {}, which is no part of that result",
                        stranger.shown()
                    ),
                    "move that elsewhere, or name a folder that does not exist yet",
                ));
            }
        }
        unwritable(above)
    }
}

/// The reason why a command may not write `files` into `dir`, beside files of others. It replaces them
/// only if `record` shows that an earlier run wrote them.
pub fn shared_problem(dir: &Path, files: &[String], record: RecordFile) -> Option<Problem> {
    if !dir.exists() {
        return match fs::symlink_metadata(dir) {
            Ok(_) => refused(format!("{} is a link to nowhere", dir.shown())),
            Err(_) => unwritable(dir),
        };
    }
    if !dir.is_dir() {
        return refused(format!("{} is in the way: expected a folder, or nothing", dir.shown()));
    }
    let own = record.is_in(dir);
    let foreign = |name: &&String| {
        fs::symlink_metadata(dir.join(name)).is_ok_and(|meta| !meta.is_file() || !own)
    };
    match files.iter().find(foreign) {
        Some(name) => refused(format!(
            "{} would be replaced, and no {} beside it shows that it is an earlier result",
            dir.join(name).shown(),
            record.name
        )),
        None => unwritable(dir),
    }
}

/// The reason why a command may not replace the file `path`: it is neither new nor an earlier result,
/// which contains `mark`.
pub fn file_problem(path: &Path, mark: &str) -> Option<Problem> {
    let refused = |what: String| Some(Problem::new(what, "name another file"));
    let shown = path.shown();
    let above = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.file_name().is_none() || path.is_dir() || path.as_os_str().as_bytes().ends_with(b"/") {
        return refused(format!("{shown} is a folder: expected a file"));
    }
    if !above.is_dir() {
        return refused(format!("{shown} cannot be written: {} is no folder", above.shown()));
    }
    if fs::symlink_metadata(path).is_ok() && !is_own(path, mark) {
        return refused(format!("{shown} would be replaced, and it is not an earlier report"));
    }
    unwritable(above)
}

fn refused(what: String) -> Option<Problem> {
    Some(Problem::new(what, "name a folder that does not exist yet"))
}

/// The reason why nothing can be created in `dir`, or in the nearest folder above it that exists.
fn unwritable(dir: &Path) -> Option<Problem> {
    let existing = dir.ancestors().find(|dir| fs::symlink_metadata(dir).is_ok())?;
    let what = if !existing.is_dir() {
        format!("{} is in the way: expected a folder", existing.shown())
    } else if let Err(error) = access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        format!("nothing can be created in {}: {}", existing.shown(), std::io::Error::from(error))
    } else {
        return None;
    };
    Some(Problem::new(what, "make it writable, or name another place (a result: --output DIR)"))
}

/// The path without symbolic links, if it exists.
fn real(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_folders_and_own_results_are_replaced() {
        let top = std::env::temp_dir().join(format!("xtask-replace-{}", std::process::id()));
        let make = |name: &str, files: &[&str]| {
            fs::create_dir_all(top.join(name)).unwrap();
            for file in files {
                let list = r#"{ "files": ["an.iso"] }"#;
                let info = "Format: silvermetal-build-info/1";
                let text = if *file == "build.json" { list } else { info };
                fs::write(top.join(name).join(file), text).unwrap();
            }
        };
        let own = BUILD_RECORDS.map(|record| record.name);
        make("empty", &[]);
        make("foreign", &["thesis.odt"]);
        make("half", &["BUILD_INFO"]);
        make("namesake", &["BUILD_INFO", "build.json"]);
        fs::write(top.join("namesake/BUILD_INFO"), "of another project").unwrap();
        make("own", &own);
        make("mixed", &[own[0], own[1], "thesis.odt"]);
        make("nested", &own);
        make("nested/inside", &own);
        make("older", &own);
        fs::write(top.join("older/build.json"), "{}").unwrap();
        make("booted", &own);
        make("booted/boot", &["bios.png"]);
        fs::write(top.join("booted/boot/boot.json"), BOOT_RECORD.mark).unwrap();
        make("photos", &own);
        make("photos/boot", &["bios.png", "holiday.png"]);
        fs::write(top.join("photos/boot/boot.json"), BOOT_RECORD.mark).unwrap();
        make("work/checkout/docs", &["page.md"]);
        make("work/checkout/own", &own);
        make("work/checkout/linux/build/output/own", &own);
        make("work/checkout/linux/build/output/foreign", &["x"]);
        make("work/checkout/target/own", &own);
        make("people/somebody/own", &own);
        make("read-only", &["x"]);
        let mut mode = fs::metadata(top.join("read-only")).unwrap().permissions();
        mode.set_readonly(true);
        fs::set_permissions(top.join("read-only"), mode).unwrap();
        fs::write(top.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(top.join("own"), top.join("link")).unwrap();
        let top = top.canonicalize().unwrap();
        let protected = Protected {
            checkout: top.join("work/checkout"),
            others: vec![top.join("people/somebody")],
        };
        for (place, refused) in [
            ("nowhere", None),
            ("empty", None),
            ("own", None),
            ("booted", None),
            ("mixed", Some("and it holds thesis.odt, which is no part of that result")),
            ("older", Some("no record in it lists its files")),
            ("nested", Some("and it holds inside, which")),
            ("photos", Some("and it holds boot/holiday.png, which")),
            ("empty/..", Some("ends with `..`")),
            ("work/checkout/linux/build/output/own", None),
            ("work/checkout/target/own", None),
            ("people/somebody/own", None),
            ("foreign", Some("holds other files than a result")),
            ("namesake", Some("holds other files than a result")),
            ("half", Some("holds other files than a result")),
            ("read-only", Some("holds other files than a result")),
            ("work/checkout/linux/build/output/foreign", Some("holds other files than a result")),
            ("work/checkout/linux/build/output", Some("is part of the checkout")),
            ("work/checkout/docs", Some("is part of the checkout")),
            ("work/checkout/own", Some("is part of the checkout")),
            ("work/checkout", Some("and it holds")),
            ("work/checkout/docs/../../..", Some("ends with `..`")),
            ("people/somebody", Some("and it holds")),
            ("people", Some("and it holds")),
            ("file", Some("expected a folder")),
            ("file/below", Some("expected a folder")),
            ("file/below/more", Some("expected a folder")),
            ("link", Some("expected a folder")),
        ] {
            let problem = protected.problem(&top.join(place), &BUILD_RECORDS);
            match (&problem, refused) {
                (None, None) => {}
                (Some(problem), Some(words)) if problem.what.contains(words) => {}
                _ => panic!("{place}: expected {refused:?}, found {problem:?}"),
            }
        }
        let root = Path::new("/");
        assert!(protected.problem(root, &BUILD_RECORDS).is_some(), "the root of the file system");
        fs::remove_dir_all(top).unwrap();
    }
}
