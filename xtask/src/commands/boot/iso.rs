//! Checks that a file is an ISO 9660 image, before a firmware tries to boot it.

use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _};

/// Offset of the first volume descriptor's identifier: byte 1 of sector 16.
const IDENTIFIER_AT: u64 = 16 * 2048 + 1;
const IDENTIFIER: [u8; 5] = *b"CD001";

/// Returns the absolute path of an image. Exits 2 if it is no image, 3 if it cannot be read.
pub(crate) fn find(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).context("the ISO's path").or_exit(Code::Usage)?;
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Code::Usage.error(format!("no such file: {}", path.shown())));
        }
        other => other
            .with_context(|| format!("cannot read {}", path.shown()))
            .or_exit(Code::NotReady)?,
    };
    check(&file).with_context(|| path.shown().to_string()).or_exit(Code::Usage)?;
    Ok(path)
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
