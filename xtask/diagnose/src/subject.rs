//! What the arguments name: images, trees, output folders, the folder of a verify.

use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::failure::Code;
use xtask_core::records::published::BuildInfo;

/// Two things to compare, and the folders that their builds published, where there are any.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) a: PathBuf,
    pub(crate) b: PathBuf,
    pub(crate) builds: Option<[PathBuf; 2]>,
}

/// From one or two arguments.
pub(crate) fn pair(paths: &[PathBuf]) -> Result<Pair> {
    let folders = match paths {
        [verify] => {
            let folders = [verify.join("build-a"), verify.join("build-b")];
            for folder in &folders {
                if !is_output(folder) {
                    return Err(Code::Usage.error(format!(
                        "{}: expected the folder of a verify, with build-a and build-b in it, or \
                         two images; {} is no finished build",
                        verify.display(),
                        folder.display()
                    )));
                }
            }
            folders
        }
        [a, b] => [a.clone(), b.clone()],
        _ => return Err(Code::Usage.error("expected two images, or the folder of a verify")),
    };
    for folder in &folders {
        if !folder.exists() {
            return Err(Code::Usage.error(format!("{}: no such file or folder", folder.display())));
        }
    }
    if folders.iter().all(|folder| is_output(folder)) {
        let [a, b] = [iso(&folders[0])?, iso(&folders[1])?];
        return Ok(Pair { a, b, builds: Some(folders) });
    }
    let [a, b] = folders;
    if a.is_dir() != b.is_dir() {
        let (folder, file) = if a.is_dir() { (&a, &b) } else { (&b, &a) };
        return Err(Code::Usage.error(format!(
            "{} is a folder, {} is none: expected two of one kind",
            folder.display(),
            file.display()
        )));
    }
    let builds = [a.parent(), b.parent()].map(|dir| dir.filter(|dir| is_output(dir)));
    let builds = match builds {
        [Some(x), Some(y)] if !a.is_dir() && is_of(x, &a) && is_of(y, &b) => {
            Some([x.to_owned(), y.to_owned()])
        }
        _ => None,
    };
    Ok(Pair { a, b, builds })
}

/// The image that is meant: itself, or that of an output folder.
pub(crate) fn iso(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        return Err(Code::Usage.error(format!("{}: no such file or folder", path.display())));
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let iso = build_info(path).map(|info| path.join(info.get("Iso"))).filter(|iso| iso.is_file());
    iso.ok_or_else(|| {
        Code::Usage.error(format!(
            "{}: expected an image, or the output folder of a build (with BUILD_INFO and its ISO)",
            path.display()
        ))
    })
}

fn is_output(dir: &Path) -> bool {
    dir.is_dir() && build_info(dir).is_some_and(|info| !info.get("Iso").is_empty())
}

fn is_of(dir: &Path, image: &Path) -> bool {
    build_info(dir)
        .is_some_and(|info| Some(info.get("Iso")) == image.file_name().and_then(|n| n.to_str()))
}

fn build_info(dir: &Path) -> Option<BuildInfo> {
    Some(BuildInfo::parse(&std::fs::read_to_string(dir.join("BUILD_INFO")).ok()?))
}
