//! Checksums and lengths of files that differ: recomputed, on both sides, before anything follows.

use super::At;
use super::fact::{Facts, Seen};
use crate::difference::{Place, Side};
use crate::edits::{Edit, Edited};
use crate::images::Images;
use diskimage::Shared;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::collections::{BTreeSet, HashMap};

/// Files up to this many bytes are hashed although the line with the checksum does not name them.
const UNNAMED: u64 = 32 << 20;
/// Such files at most.
const FILES: usize = 500;

/// Files that differ, and their checksums as far as somebody asked for them.
pub(super) struct Checksums<'a> {
    images: &'a Images,
    /// Files that differ themselves, or hold something that does.
    files: Vec<Place>,
    known: HashMap<(usize, usize), Option<[String; 2]>>,
}

impl<'a> Checksums<'a> {
    pub(super) fn of(facts: &Facts, images: &'a Images) -> Checksums<'a> {
        let mut files = BTreeSet::new();
        for fact in &facts.list {
            let layers = &fact.place.0;
            let own = matches!(fact.what, Seen::Content(_) | Seen::Repacked { .. });
            let last = if own { layers.len() } else { layers.len().saturating_sub(1) };
            for n in 1..=last {
                if !layers[..n].iter().any(|layer| layer.starts_with('[')) {
                    files.insert(layers[..n].to_vec());
                }
            }
        }
        let files = files.into_iter().map(Place).collect();
        Checksums { images, files, known: HashMap::new() }
    }

    /// Returns true if an edit is the checksum, or the length, of one file that differs: A's in A, B's in B.
    pub(super) fn explain(&mut self, edit: &Edit, at: &At<'_>) -> bool {
        let hash = matches!(edit.what, Edited::Hex | Edited::Blob | Edited::Text | Edited::Number)
            && edit.a.len() == edit.b.len()
            && matches!(edit.a.len(), 32 | 40 | 64 | 96 | 128)
            && [&edit.a, &edit.b].iter().all(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        if hash {
            let len = edit.a.len();
            let wanted = [edit.a.to_lowercase(), edit.b.to_lowercase()];
            return self
                .candidates(edit, at)
                .into_iter()
                .any(|file| self.hashes(file, len).is_some_and(|hashes| *hashes == wanted));
        }
        // ` 1234 main/binary-amd64/Packages`, `Size: 1234`
        let length = edit.what == Edited::Number
            && (edit.key() == Some("Size")
                || (edit.before.ends_with(' ') && edit.after.contains('/')));
        length
            && self.candidates(edit, at).into_iter().any(|file| {
                let size = |side| Some(self.open(file, side)?.size().ok()?.to_string());
                size(Side::A).as_ref() == Some(&edit.a) && size(Side::B).as_ref() == Some(&edit.b)
            })
    }

    fn open(&self, file: usize, side: Side) -> Option<Shared> {
        self.images.open(side, &self.files[file])
    }

    /// Files that the line names first; then the others, if they are small and few.
    fn candidates(&self, edit: &Edit, at: &At<'_>) -> Vec<usize> {
        let other = |file: &usize| self.files[*file] != *at.place;
        if let Some(name) = named_by(edit) {
            let is = |file: &usize| is_named(&self.files[*file], name, at.place);
            return (0..self.files.len()).filter(other).filter(is).collect();
        }
        let named = |file: &usize| {
            let name = self.files[*file].path().rsplit('/').next().unwrap_or_default();
            !name.is_empty() && (edit.after.contains(name) || edit.before.contains(name))
        };
        let (mut first, mut rest): (Vec<usize>, Vec<usize>) =
            (0..self.files.len()).filter(other).partition(named);
        if rest.len() <= FILES {
            rest.retain(|file| {
                let size = |side| self.open(*file, side)?.size().ok();
                [Side::A, Side::B].iter().all(|side| size(*side).is_some_and(|n| n <= UNNAMED))
            });
            first.append(&mut rest);
        }
        first
    }

    fn hashes(&mut self, file: usize, len: usize) -> Option<&[String; 2]> {
        if !self.known.contains_key(&(file, len)) {
            let hash = |side| {
                let source = self.open(file, side)?;
                match len {
                    32 => of::<Md5>(&source),
                    40 => of::<Sha1>(&source),
                    64 => of::<Sha256>(&source),
                    96 => of::<Sha384>(&source),
                    _ => of::<Sha512>(&source),
                }
            };
            let both = hash(Side::A).zip(hash(Side::B)).map(|(a, b)| [a, b]);
            self.known.insert((file, len), both);
        }
        self.known.get(&(file, len))?.as_ref()
    }
}

/// The file that a line of checksums names: `HASH  name`, `HASH *name`, ` HASH 12 name`,
/// `SHA256 (name) = HASH`.
fn named_by(edit: &Edit) -> Option<&str> {
    let before = edit.before.trim();
    if before.is_empty() {
        return edit.after.split_whitespace().last().map(|name| name.trim_start_matches('*'));
    }
    let (_, name) = before.strip_suffix('=')?.trim_end().strip_suffix(')')?.split_once('(')?;
    Some(name)
}

/// Returns true if a list at `list` means this file by `name`: a path from the folder of the list, or from the
/// root that it was made in. A bare name is of the folder alone.
fn is_named(file: &Place, name: &str, list: &Place) -> bool {
    let absolute = name.starts_with('/');
    let name = plain(name.trim_start_matches('/'));
    let (Some((path, layers)), Some((own, around))) =
        (file.0.split_last(), without_unpacked(list).split_last())
    else {
        return false;
    };
    if name.is_empty() {
        return false;
    }
    let path = plain(path);
    let own = plain(own);
    // the files of a Debian package, of which its other archive holds the checksums
    if let ([.., data], [.., control], "md5sums" | "sha256sums") = (layers, around, own)
        && layers[..layers.len() - 1] == around[..around.len() - 1]
        && data.starts_with("data.tar")
        && control.starts_with("control.tar")
    {
        return path == name;
    }
    if layers != around {
        return false;
    }
    let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = path.strip_prefix(folder).map(|rest| rest.strip_prefix('/').unwrap_or(rest));
    let of_folder = !absolute && beside == Some(name) && path.len() > folder.len();
    let from_root = absolute || name.contains('/') || folder == "var/lib/dpkg/info";
    of_folder || (from_root && path == name)
}

/// A place without what is only an unpacked content.
fn without_unpacked(place: &Place) -> &[String] {
    let mut layers = &place.0[..];
    while let [rest @ .., last] = layers
        && last == "[unpacked]"
    {
        layers = rest;
    }
    layers
}

/// A path as every archive could have it.
fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// A checksum in hexadecimal.
pub(super) fn of<D: Digest>(source: &Shared) -> Option<String> {
    let mut digest = D::new();
    let (mut at, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let n = source.read_at(at, &mut buffer).ok()?;
        if n == 0 {
            return Some(diskimage::hex(&digest.finalize()));
        }
        digest.update(&buffer[..n]);
        at += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_checksums_names_one_file() {
        let edit = |before: &str, after: &str| Edit {
            what: Edited::Hex,
            a: String::new(),
            b: String::new(),
            before: before.to_owned(),
            after: after.to_owned(),
            in_text: true,
        };
        assert_eq!(named_by(&edit("", "  ./live/vmlinuz")), Some("./live/vmlinuz"));
        assert_eq!(named_by(&edit(" ", " 12 main/Packages")), Some("main/Packages"));
        assert_eq!(named_by(&edit("MD5 (etc/x) = ", "")), Some("etc/x"));
        assert_eq!(named_by(&edit("SHA256: ", "")), None);
    }

    #[test]
    fn a_list_means_files_of_its_folder_or_paths_from_the_root() {
        let place = |text: &str| Place(text.split('!').map(str::to_owned).collect());
        let named = |list: &str, name: &str, file: &str| is_named(&place(file), name, &place(list));
        for (list, name, file) in [
            ("md5sum.txt", "./live/vmlinuz", "live/vmlinuz"),
            ("live/SHA256SUMS", "vmlinuz", "live/vmlinuz"),
            ("live/SHA256SUMS", "sub/vmlinuz", "live/sub/vmlinuz"),
            ("live/SHA256SUMS", "live/vmlinuz", "live/vmlinuz"),
            ("a.squashfs!etc/sums", "/etc/passwd", "a.squashfs!etc/passwd"),
            ("dists/x/Release.gz![unpacked]", "main/Packages", "dists/x/main/Packages"),
            ("var/lib/dpkg/info/x.md5sums", "usr/bin/x", "usr/bin/x"),
            ("var/lib/dpkg/info/x.md5sums", "init", "init"),
            ("x.deb!control.tar.xz!./md5sums", "usr/bin/x", "x.deb!data.tar.xz!./usr/bin/x"),
        ] {
            assert!(named(list, name, file), "{list} {name} {file}");
        }
        for (list, name, file) in [
            ("live/SHA256SUMS", "passwd", "etc/passwd"),
            ("live/SHA256SUMS", "passwd", "passwd"),
            ("live/SHA256SUMS", "vmlinuz", "lives/vmlinuz"),
            ("live/SHA256SUMS", "bin/x", "usr/bin/x"),
            ("SHA256SUMS", "passwd", "etc/passwd"),
            ("SHA256SUMS", "etc/passwd", "a.squashfs!etc/passwd"),
            ("a.squashfs!etc/sums", "/etc/passwd", "etc/passwd"),
            ("x.deb!control.tar.xz!./md5sums", "usr/bin/x", "y.deb!data.tar.xz!./usr/bin/x"),
            ("x.deb!control.tar.xz!./other", "usr/bin/x", "x.deb!data.tar.xz!./usr/bin/x"),
        ] {
            assert!(!named(list, name, file), "{list} {name} {file}");
        }
    }
}
