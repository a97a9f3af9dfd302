//! Checks that a file is an ISO 9660 image, before a firmware tries to boot it.

use anyhow::{Context as _, Result, bail};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::record_file::{self, plain_name};
use xtask_core::records::published::BuildInfo;

/// Offset of the first volume descriptor's identifier: byte 1 of sector 16.
const IDENTIFIER_AT: u64 = 16 * 2048 + 1;
const IDENTIFIER: [u8; 5] = *b"CD001";

/// Returns the absolute path of an image, or of the image in an output folder. Exits 2 if it is no
/// image, 3 if it cannot be read.
pub(crate) fn find(path: &Path) -> Result<PathBuf> {
    let mut path = std::path::absolute(path).context("the ISO's path").or_exit(Code::Usage)?;
    if path.is_dir() {
        path = image_in(&path).or_exit(Code::Usage)?;
    }
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Code::Usage.error(format!("no such file: {}", path.shown())));
        }
        Ok(meta) if !meta.is_file() => {
            return Err(Code::Usage.error(format!("{}: expected a file", path.shown())));
        }
        _ => {}
    }
    let file = record_file::open(&path).or_exit(Code::NotReady)?;
    check(&file).with_context(|| path.shown().to_string()).or_exit(Code::Usage)?;
    Ok(path)
}

/// The image in the output folder of a build.
fn image_in(dir: &Path) -> Result<PathBuf> {
    let info = BuildInfo::read(&dir.join("BUILD_INFO")).with_context(|| {
        format!("{}: expected an ISO, or the output folder of a build", dir.shown())
    })?;
    let name = plain_name(info.get("Iso"));
    Ok(dir.join(name.with_context(|| format!("{}/BUILD_INFO: Iso", dir.shown()))?))
}

fn check(file: &File) -> Result<()> {
    let mut found = [0; IDENTIFIER.len()];
    match file.read_exact_at(&mut found, IDENTIFIER_AT) {
        Ok(()) if found == IDENTIFIER => Ok(()),
        Ok(()) => bail!("not an ISO 9660 image: no CD001 at byte {IDENTIFIER_AT}"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            bail!("not an ISO 9660 image: it ends before byte {IDENTIFIER_AT}")
        }
        Err(error) => Err(error).context("cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content: &[u8]) -> Result<PathBuf> {
        let name =
            format!("xtask-boot-iso-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        let found = find(&path);
        std::fs::remove_file(path).unwrap();
        found
    }

    #[test]
    fn the_image_of_an_output_folder_is_found() {
        let dir = std::env::temp_dir().join(format!("xtask-boot-folder-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let error = find(&dir).unwrap_err();
        assert_eq!(Code::of(&error), Code::Usage);
        assert!(format!("{error:#}").contains("expected an ISO, or the output folder of a build"));
        let mut image = vec![0; 40_000];
        image[32_769..32_774].copy_from_slice(b"CD001");
        std::fs::write(dir.join("an.iso"), image).unwrap();
        let info = "Format: silvermetal-build-info/1\nIso: an.iso\n";
        std::fs::write(dir.join("BUILD_INFO"), info).unwrap();
        assert_eq!(find(&dir).unwrap(), dir.join("an.iso"));
        std::fs::write(dir.join("BUILD_INFO"), info.replace("an.iso", "../an.iso")).unwrap();
        assert_eq!(Code::of(&find(&dir).unwrap_err()), Code::Usage);
        let error = find(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("expected a file"), "{error}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn an_image_is_recognized_by_its_volume_descriptor() {
        let mut image = vec![0; 40_000];
        let error = found(&image).unwrap_err();
        assert!(
            error.to_string().ends_with("not an ISO 9660 image: no CD001 at byte 32769"),
            "{error}"
        );
        assert_eq!(Code::of(&error), Code::Usage);
        image[32_769..32_774].copy_from_slice(b"CD001");
        assert!(found(&image).is_ok());
        let error = found(b"CD001").unwrap_err();
        assert!(error.to_string().ends_with("it ends before byte 32769"), "{error}");
    }

    #[test]
    fn a_missing_file_or_a_folder_is_a_usage_error() {
        for path in ["/no/such.iso", "/"] {
            assert_eq!(Code::of(&find(Path::new(path)).unwrap_err()), Code::Usage, "{path}");
        }
    }
}
