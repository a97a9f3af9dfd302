//! Opens and reads files that others made: records, releases, images, statements.
//!
//! Only a regular file is read. Another file may never end (a device), or make the reader wait for ever
//! (a pipe that nobody writes to).

use crate::escape::Shown as _;
use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Most bytes of a record. The largest, the manifest of a whole system, has a tenth of it.
pub const LONGEST: u64 = 256 << 20;

/// Opens a regular file, or a link to one. Never waits.
///
/// # Errors
/// There is no such file, it cannot be opened, or it is no regular file.
pub fn open(path: &Path) -> Result<File> {
    Ok(opened(path).with_context(|| format!("cannot read {}", path.shown()))?.0)
}

/// Reads a record of at most [`LONGEST`] bytes.
///
/// # Errors
/// Those of [`open`]; the file is too large.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let most = |path| {
        let (file, size) = opened(path)?;
        let mut bytes = Vec::new();
        // the size may be wrong: a file of /proc has none, and another process may write
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if size.max(bytes.len() as u64) > LONGEST {
            bail!("larger than {LONGEST} bytes");
        }
        Ok(bytes)
    };
    most(path).with_context(|| format!("cannot read {}", path.shown()))
}

/// Reads a record that is text.
///
/// # Errors
/// Those of [`read`]; the first line that is not UTF-8.
pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        anyhow::anyhow!("{}:{line}: expected UTF-8", path.shown())
    })
}

/// `None` if there is no file of that name; a file that cannot be read is an error.
pub fn if_there<T>(path: &Path, read: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => read(path).map(Some),
    }
}

/// Returns `name` if it is the plain name of a file in a folder: no path, no hidden file, no option of a
/// program, nothing that a terminal acts on.
pub fn plain_name(name: &str) -> Result<&str> {
    let bad = name.is_empty()
        || name.starts_with(['.', '-'])
        || name.len() > 255
        || name.contains(|c: char| c == '/' || c == '\\' || crate::escape::steers(c));
    if bad { bail!("expected a file name, found `{}`", name.shown()) } else { Ok(name) }
}

fn opened(path: &Path) -> Result<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(std::io::Error::from)?;
    let file = File::from(file);
    let meta = file.metadata()?;
    if !meta.is_file() {
        bail!("expected a regular file");
    }
    Ok((file, meta.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Cmd;
    use std::fs;

    #[test]
    fn only_regular_files_are_read() {
        let dir = std::env::temp_dir().join(format!("xtask-record-file-{}", std::process::id()));
        fs::create_dir_all(dir.join("folder")).unwrap();
        fs::write(dir.join("good"), "x\n").unwrap();
        fs::write(dir.join("latin1"), b"x\n\xfcber").unwrap();
        fs::File::create(dir.join("huge")).unwrap().set_len(LONGEST + 1).unwrap();
        Cmd::new("mkfifo").arg(dir.join("pipe")).read().unwrap();
        for (link, target) in
            [("zero", "/dev/zero"), ("tty", "/dev/tty"), ("there", "good"), ("nowhere", "gone")]
        {
            std::os::unix::fs::symlink(target, dir.join(link)).unwrap();
        }
        assert_eq!(text(&dir.join("good")).unwrap(), "x\n");
        assert_eq!(text(&dir.join("there")).unwrap(), "x\n");
        for bad in ["folder", "pipe", "zero", "tty", "nowhere", "huge", "latin1"] {
            text(&dir.join(bad)).unwrap_err();
            if_there(&dir.join(bad), text).unwrap_err();
        }
        let error = text(&dir.join("latin1")).unwrap_err().to_string();
        assert!(error.ends_with("latin1:2: expected UTF-8"), "{error}");
        let error = format!("{:#}", read(&dir.join("pipe")).unwrap_err());
        assert!(error.ends_with("pipe: expected a regular file"), "{error}");
        assert_eq!(if_there(&dir.join("gone"), text).unwrap(), None);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_name_is_plain() {
        for good in ["x.iso", "a b.iso", "$(touch x);'y\".iso", "ü.iso", "a..b"] {
            assert_eq!(plain_name(good).unwrap(), good);
        }
        for bad in
            ["", ".", "..", "../x", "/x", "a/b", ".x", "-x", "a\\b", "a\n", "a\u{202e}b", "\x1b"]
        {
            plain_name(bad).unwrap_err();
        }
    }
}
