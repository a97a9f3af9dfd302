//! Resolves the arguments: images, trees, output folders, the folder of a verify.

use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::failure::Code;
use xtask_core::record_file;
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
                if !is_output(folder) && was_stopped(verify) {
                    return Err(Code::Usage.error(format!(
                        "{}: the builds were stopped at the first stage that differs, so there are no two \
                         images: the diagnosis is in {}; `cargo xtask verify --no-fail-fast` builds both",
                        verify.shown(),
                        verify.join("verify.txt").shown()
                    )));
                }
                if !is_output(folder) {
                    return Err(Code::Usage.error(format!(
                        "{}: expected the folder of a verify, with build-a and build-b in it, or \
                         two images; {} is no finished build",
                        verify.shown(),
                        folder.shown()
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
            return Err(Code::Usage.error(format!("{}: no such file or folder", folder.shown())));
        }
    }
    let [(a, build_a), (b, build_b)] = [image(&folders[0])?, image(&folders[1])?];
    if a.is_dir() != b.is_dir() {
        let (folder, file) = if a.is_dir() { (&a, &b) } else { (&b, &a) };
        return Err(Code::Usage.error(format!(
            "{} is a folder, {} is none: expected two of one kind, or the output folder of a build \
             and an image",
            folder.shown(),
            file.shown()
        )));
    }
    Ok(Pair { a, b, builds: build_a.zip(build_b).map(<[PathBuf; 2]>::from) })
}

/// The image or tree that an argument names, and the folder of its build, if it has one.
fn image(path: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    if is_output(path) {
        return Ok((iso(path)?, Some(path.to_owned())));
    }
    let build = path.parent().filter(|dir| !path.is_dir() && is_of(dir, path));
    Ok((path.to_owned(), build.map(Path::to_owned)))
}

/// The image that is meant: itself, or that of an output folder.
pub(crate) fn iso(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        return Err(Code::Usage.error(format!("{}: no such file or folder", path.shown())));
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let iso = build_info(path).map(|info| info.get("Iso").to_owned()).unwrap_or_default();
    // another folder's image would stand for this one's
    if Path::new(&iso).file_name().is_none_or(|name| name != iso.as_str()) && !iso.is_empty() {
        return Err(Code::Usage.error(format!(
            "{}: `Iso: {iso}` is expected to be the name of a file in that folder",
            path.join("BUILD_INFO").shown()
        )));
    }
    let iso = Some(path.join(&iso)).filter(|path| !iso.is_empty() && path.is_file());
    iso.ok_or_else(|| {
        Code::Usage.error(format!(
            "{}: expected an image, or the output folder of a build (with BUILD_INFO and its ISO)",
            path.shown()
        ))
    })
}

/// Returns true if a verify ended early (`--fail-fast`), by its report.
fn was_stopped(verify: &Path) -> bool {
    let text = record_file::read(&verify.join("verify.json")).unwrap_or_default();
    let report: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    report["stopped"].is_object()
}

fn is_output(dir: &Path) -> bool {
    dir.is_dir() && build_info(dir).is_some_and(|info| !info.get("Iso").is_empty())
}

fn is_of(dir: &Path, image: &Path) -> bool {
    build_info(dir)
        .is_some_and(|info| Some(info.get("Iso")) == image.file_name().and_then(|n| n.to_str()))
}

fn build_info(dir: &Path) -> Option<BuildInfo> {
    BuildInfo::read(&dir.join("BUILD_INFO")).ok()
}
