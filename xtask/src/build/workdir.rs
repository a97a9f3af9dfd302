//! Work folders. They lie beside the result, are locked while their run lives, and are swept if it was
//! killed.

use crate::engine::Client;
use anyhow::{Context as _, Result};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;
use xtask_core::facts::host::Owner;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::in_place::{REPLACED, beside, put_in_place};
use xtask_core::lock::lock;
use xtask_core::loop_devices;
use xtask_core::removal;
use xtask_core::replace::{BUILD_RECORDS, is_result};

const PREFIX: &str = ".work-";
/// File of a work folder. Its name shows that the folder is ours.
const LOCK: &str = "silvermetal.lock";

/// The work folder of one build. Dropping it removes everything that was not published.
pub(crate) struct WorkFolder {
    path: PathBuf,
    /// File that names the parent of this folder, because a sweep may not know it (`--output`).
    note: PathBuf,
    cleanup: Option<EngineCleanup>,
    /// Held, so that a sweep can distinguish a live run from a killed one.
    _lock: File,
}

/// Changes or removes files that a container wrote as another user. Only the engine can do that without
/// root.
#[derive(Clone, Debug)]
pub(crate) struct EngineCleanup {
    pub(crate) client: Client,
    pub(crate) image: String,
    /// The work folder, as the engine's host names it.
    pub(crate) path: PathBuf,
}

impl WorkFolder {
    /// Makes the folder, and notes it in `notes` ([`noted`]).
    pub(crate) fn create(path: &Path, notes: &Path, caller: Owner) -> Result<WorkFolder> {
        let note = notes.join(path.file_name().unwrap_or_default());
        let _sweeps_wait = alone(notes)?;
        let made = (|| {
            fs::write(&note, path.parent().unwrap_or(path).as_os_str().as_bytes())?;
            let new: Vec<&Path> = path.ancestors().take_while(|dir| !dir.exists()).collect();
            fs::create_dir_all(path)?;
            for dir in new {
                // under sudo, new folders above the result belong to the caller, too
                lchown(dir, Some(caller.uid), Some(caller.gid))?;
            }
            let lock = File::create(path.join(LOCK))?;
            lock.lock()?;
            for (name, mode) in [("out", 0o777), ("mount", 0o755)] {
                let dir = path.join(name);
                fs::create_dir(&dir)?;
                // the builder runs as another user, and the caller's umask must not matter
                fs::set_permissions(&dir, Permissions::from_mode(mode))?;
            }
            Ok::<_, std::io::Error>(lock)
        })();
        if made.is_err() {
            drop(fs::remove_dir_all(path));
            drop(fs::remove_file(&note));
        }
        let lock = made
            .with_context(|| format!("cannot make the work folder {}: pass --output DIR on a disk that can be written", path.shown()))
            .or_exit(Code::NotReady)?;
        Ok(WorkFolder { path: path.to_owned(), note, cleanup: None, _lock: lock })
    }

    pub(crate) fn set_cleanup(&mut self, cleanup: EngineCleanup) {
        self.cleanup = Some(cleanup);
    }

    /// Gives all files to the caller, because the build wrote them as root or as uid 1000.
    pub(crate) fn give_to(&self, owner: Owner, me: u32) -> Result<()> {
        if me != 0
            && let Some(cleanup) = &self.cleanup
            && !["out", "cache"].iter().all(|name| all_owned_by(&self.path.join(name), owner))
        {
            let ids = format!("{}:{}", owner.uid, owner.gid);
            cleanup.run(&["chown", "-R", "--no-dereference", &ids, "/work"])?;
        }
        if me == 0 {
            // the stages' temporary files are never published
            let scratch = self.path.join("out/tmp");
            let all = WalkDir::new(&self.path).into_iter();
            for entry in all.filter_entry(|entry| entry.path() != scratch) {
                let entry = entry.context("cannot list the work folder")?;
                lchown(entry.path(), Some(owner.uid), Some(owner.gid)).with_context(|| {
                    format!("cannot give {} to its caller", entry.path().shown())
                })?;
            }
        }
        Ok(())
    }

    /// Renames `result`, a folder inside, to `output`, and replaces an older result.
    pub(crate) fn publish(&self, result: &Path, output: &Path) -> Result<()> {
        // between two renames, a sweep would restore the older result
        let _sweeps_wait = self.note.parent().map(alone);
        put_in_place(result, output, &BUILD_RECORDS)
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // a sweep must not take the half removed folder for one of a killed run
        let _sweeps_wait = self.note.parent().map(alone);
        // if one of them fails, the next run sweeps the folder, because its lock is free then
        if loop_devices::detach(&self.path).is_ok()
            && remove(&self.path, self.cleanup.as_ref()).is_ok()
        {
            drop(fs::remove_file(&self.note));
        }
    }
}

impl EngineCleanup {
    fn run(&self, command: &[&str]) -> Result<()> {
        let mut mount = self.path.clone().into_os_string();
        mount.push(":/work");
        let run = self.client.run().args(["--network", "none", "-v"]).arg(mount);
        run.args(["--entrypoint", command[0], &self.image]).args(&command[1..]).read().map(drop)
    }
}

/// Folder for an image that violates its content policy.
pub(crate) fn rejected(output: &Path) -> PathBuf {
    beside(output, "rejected-")
}

fn all_owned_by(dir: &Path, owner: Owner) -> bool {
    !dir.exists()
        || WalkDir::new(dir).into_iter().all(|entry| {
            entry.is_ok_and(|e| {
                e.metadata().is_ok_and(|m| m.uid() == owner.uid && m.gid() == owner.gid)
            })
        })
}

fn remove(path: &Path, cleanup: Option<&EngineCleanup>) -> Result<()> {
    let denied = |error: &anyhow::Error| {
        let cause = error.downcast_ref::<std::io::Error>();
        cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied)
    };
    match (removal::remove(path), cleanup) {
        (Err(error), Some(cleanup)) if denied(&error) => {
            cleanup.run(&["find", "/work", "-xdev", "-mindepth", "1", "-delete"])?;
            removal::remove(path)
        }
        (removed, _) => removed,
    }
}

/// Result of a sweep of one folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Ids of the runs whose work folders were removed.
    pub(crate) runs: Vec<String>,
    /// Loop devices that lay on files of these folders.
    pub(crate) devices: Vec<String>,
    /// Errors: folders that could not be removed, with the reason.
    pub(crate) stuck: Vec<String>,
}

/// Takes the lock for making and sweeping work folders. Without it, a sweep could remove a new folder
/// before that is locked.
pub(crate) fn alone(notes: &Path) -> Result<File> {
    fs::create_dir_all(notes)?;
    let file = File::create(notes.with_extension("lock"))?;
    lock(&file, "another xtask removes what killed runs left")?;
    Ok(file)
}

/// Folders with work folders, from the notes of their runs.
pub(crate) fn noted(notes: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(notes).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(PathBuf::from(OsString::from_vec(fs::read(entry.path()).ok()?))))
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

/// Removes the notes of runs whose work folders no longer exist.
pub(crate) fn forget_gone(notes: &Path) {
    for entry in fs::read_dir(notes).into_iter().flatten().flatten() {
        let beside = fs::read(entry.path()).map(|bytes| PathBuf::from(OsString::from_vec(bytes)));
        if beside.is_ok_and(|dir| !dir.join(entry.file_name()).exists()) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Ids of the live runs under `outputs`. Their work folders are locked.
pub(crate) fn live(outputs: &Path) -> Vec<String> {
    work_folders(outputs).into_iter().filter(|(path, _)| is_live(path)).map(|(_, id)| id).collect()
}

/// Removes the work folders of killed runs, which a lock in them or a file in `notes` shows. Restores
/// an older result if its replacement is missing. Folders that are not ours stay.
pub(crate) fn sweep(outputs: &Path, notes: &Path) -> Swept {
    let mut swept = Swept::default();
    for (path, id) in work_folders(outputs) {
        if is_live(&path) || !is_ours(&path, notes) {
            continue;
        }
        match loop_devices::detach(&path) {
            Ok(detached) => swept.devices.extend(detached),
            Err(error) => {
                // their file is what shows that they are ours, so it stays until they are gone
                swept.stuck.push(format!("{error:#}"));
                continue;
            }
        }
        match remove(&path, None) {
            Ok(()) => swept.runs.push(id),
            Err(error) => swept.stuck.push(format!("{error:#}")),
        }
    }
    for entry in fs::read_dir(outputs).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let Some(name) = file_name.as_bytes().strip_prefix(REPLACED.as_bytes()) else {
            continue;
        };
        if !is_result(&entry.path(), &BUILD_RECORDS) {
            continue;
        }
        let output = outputs.join(OsStr::from_bytes(name));
        let mended = if output.exists() {
            remove(&entry.path(), None)
        } else {
            fs::rename(entry.path(), &output).context("cannot restore the older result")
        };
        if let Err(error) = mended {
            swept.stuck.push(format!("{error:#}"));
        }
    }
    swept
}

fn work_folders(outputs: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(outputs).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.strip_prefix(PREFIX)?.to_owned();
            Some((entry.path(), id))
        })
        .collect()
}

/// Returns true if a run made this folder: it holds the lock, or its run has noted it, or it is empty.
fn is_ours(path: &Path, notes: &Path) -> bool {
    let noted = || {
        let above = fs::read(notes.join(path.file_name().unwrap_or_default())).ok();
        above.zip(path.parent()).is_some_and(|(a, b)| a == b.as_os_str().as_bytes())
    };
    path.join(LOCK).is_file() || is_result(path, &[]) || noted()
}

fn is_live(path: &Path) -> bool {
    File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work_in(dir: &Path, name: &str) -> WorkFolder {
        let me = fs::metadata("/proc/self").unwrap();
        let me = Owner { uid: me.uid(), gid: me.gid() };
        WorkFolder::create(&dir.join(name), &dir.join("notes"), me).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-work-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Makes a folder that looks like a result.
    fn result(dir: &Path) {
        fs::create_dir(dir).unwrap();
        for record in BUILD_RECORDS {
            let text =
                if record.name == "build.json" { r#"{ "files": ["x"] }"# } else { record.mark };
            fs::write(dir.join(record.name), text).unwrap();
        }
    }

    #[test]
    fn a_folder_that_came_meanwhile_is_not_replaced() {
        let dir = folder("meanwhile");
        let work = work_in(&dir, ".work-a");
        let made = dir.join(".work-a/result");
        result(&made);
        for place in ["abc", ".replaced-abc"] {
            fs::create_dir(dir.join("abc")).ok();
            fs::create_dir(dir.join(place)).ok();
            fs::write(dir.join(place).join("mine"), "").unwrap();
            work.publish(&made, &dir.join("abc")).unwrap_err();
            assert!(dir.join(place).join("mine").exists(), "{place}");
            fs::remove_file(dir.join(place).join("mine")).unwrap();
        }
        work.publish(&made, &dir.join("abc")).unwrap();
        drop(work);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_result_appears_whole_and_replaces_the_older_one() {
        let dir = folder("publish");
        let output = dir.join("abc");
        for content in ["old", "new"] {
            let work = work_in(&dir, ".work-a");
            let result = dir.join(".work-a/result");
            self::result(&result);
            fs::write(result.join("x"), content).unwrap();
            work.publish(&result, &output).unwrap();
        }
        assert_eq!(fs::read_to_string(output.join("x")).unwrap(), "new");
        let mut left: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["abc", "notes", "notes.lock"], "work folders are gone");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_run_that_begins_is_never_swept() {
        let dir = folder("race");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..200 {
                    let work = work_in(&dir, &format!(".work-{n}"));
                    assert!(work.path.join("out").exists());
                }
            });
            for _ in 0..200 {
                let _lock = alone(&dir.join("notes")).unwrap();
                assert_eq!(sweep(&dir, &dir.join("notes")).runs, [""; 0]);
            }
        });
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_sweep_takes_dead_runs_only() {
        let dir = folder("sweep");
        let live_run = work_in(&dir, ".work-live");
        fs::create_dir_all(dir.join(".work-dead/out")).unwrap();
        fs::write(dir.join(".work-dead").join(LOCK), "").unwrap();
        result(&dir.join(".replaced-abc"));
        for foreign in [".work-notes", ".replaced-photos", "photos"] {
            fs::create_dir_all(dir.join(foreign)).unwrap();
            fs::write(dir.join(foreign).join("mine"), "").unwrap();
        }
        assert_eq!(live(&dir), ["live"]);
        assert_eq!(noted(&dir.join("notes")), std::slice::from_ref(&dir));
        assert_eq!(
            sweep(&dir, &dir.join("notes")),
            Swept { runs: vec!["dead".into()], ..Swept::default() }
        );
        assert!(dir.join(".work-live/out").exists() && dir.join("abc").exists());
        for foreign in [".work-notes", ".replaced-photos", "photos"] {
            assert!(dir.join(foreign).join("mine").exists(), "{foreign} is somebody's");
        }
        drop(live_run);
        assert!(!dir.join(".work-live").exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
