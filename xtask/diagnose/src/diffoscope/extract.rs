//! The files that diffoscope is to see, out of both images into a folder that goes again.

use crate::difference::{Place, Side};
use crate::images::Images;
use anyhow::{Context as _, Result};
use diskimage::Shared;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::interrupt;

/// Pairs that are looked at.
const PAIRS: usize = 50;
/// Bytes that one file, and that all of them may take.
const FILE: u64 = 64 << 20;
const ALL: u64 = 512 << 20;

/// Pairs of files, removed when this is dropped: `1/a/NAME` and `1/b/NAME`, `2/…`.
pub(super) struct Extracted {
    pub(super) folder: PathBuf,
    /// Places of the pairs in `1`, `2`, ….
    pub(super) places: Vec<Place>,
    /// Places that were left out, and why.
    pub(super) left_out: Vec<(Place, &'static str)>,
}

impl Extracted {
    pub(super) fn from<'p>(
        places: impl Iterator<Item = &'p Place>,
        images: &Images,
        folder: PathBuf,
    ) -> Result<Extracted> {
        fs::create_dir_all(folder.parent().unwrap_or(&folder))
            .and_then(|()| fs::create_dir(&folder))
            .with_context(|| format!("cannot make {}", folder.shown()))?;
        readable(&folder, 0o755)?;
        let mut extracted = Extracted { folder, places: Vec::new(), left_out: Vec::new() };
        let mut bytes = 0;
        for place in places {
            interrupt::check()?;
            match extracted.pair(place, images, &mut bytes)? {
                None => extracted.places.push(place.clone()),
                Some(why) => extracted.left_out.push((place.clone(), why)),
            }
        }
        Ok(extracted)
    }

    /// Why a place is left out.
    fn pair(
        &self,
        place: &Place,
        images: &Images,
        bytes: &mut u64,
    ) -> Result<Option<&'static str>> {
        if self.places.len() >= PAIRS {
            return Ok(Some("enough others are looked at"));
        }
        let mut sources = Vec::new();
        for side in [Side::A, Side::B] {
            let Some(source) = images.open(side, place) else {
                return Ok(Some("no file of a tree"));
            };
            let Ok(size) = source.size() else { return Ok(Some("cannot be read")) };
            if size > FILE || *bytes + size > ALL {
                return Ok(Some("too large"));
            }
            *bytes += size;
            sources.push((side, source));
        }
        let pair = self.folder.join((self.places.len() + 1).to_string());
        for (side, source) in sources {
            let folder = pair.join(if side == Side::A { "a" } else { "b" });
            fs::create_dir_all(&folder)?;
            let path = folder.join(name(place));
            if write(&source, &path).with_context(|| format!("cannot write {}", path.shown()))? {
                continue;
            }
            fs::remove_dir_all(&pair)?;
            return Ok(Some("cannot be read"));
        }
        for path in [&pair, &pair.join("a"), &pair.join("b")] {
            readable(path, 0o755)?;
        }
        Ok(None)
    }
}

/// By root in a container, who has no rights there beyond anybody's; whatever the caller's umask.
fn readable(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.shown()))
}

impl Drop for Extracted {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Returns true if all of it could be read.
fn write(source: &Shared, path: &Path) -> Result<bool> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    readable(path, 0o644)?;
    let (mut offset, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let Ok(n) = source.read_at(offset, &mut buffer) else { return Ok(false) };
        if n == 0 {
            return Ok(true);
        }
        file.write_all(&buffer[..n])?;
        offset += n as u64;
    }
}

/// The last name of a place, by whose end diffoscope knows some formats; nothing in it leads
/// elsewhere or is taken for an option.
fn name(place: &Place) -> String {
    let name = place.path().rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".+_-".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_start_matches(['.', '-']);
    // what is long keeps its end
    let name = &name[name.len().saturating_sub(100)..];
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_an_image_leads_elsewhere() {
        let name = |path: &str| name(&Place(vec![path.to_owned()]));
        assert_eq!(name("usr/lib/x.so.1"), "x.so.1");
        assert_eq!(name("a/.."), "file");
        assert_eq!(name("a/--help"), "help");
        assert_eq!(name("a/x y\n$(id)é"), "x_y___id__");
        assert_eq!(name("[unpacked]"), "_unpacked_");
        assert_eq!(name(&"x".repeat(300)).len(), 100);
    }
}
