//! The files of all volumes, by number and by path.

use crate::inspect::file_tree::{FileTree, Id};
use crate::inspect::kernel;
use crate::inspect::program::Program;
use diskimage::{Format, Node, Shared, Tree};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Bytes of a text that may be a menu under another name.
const MENU: usize = 256 << 10;

/// Number of a file. A file that several trees of names have counts once.
pub(in crate::inspect) type FileNumber = usize;

pub(super) struct ImageVolume {
    /// Empty for the ISO itself, else e.g. `[UEFI boot image 2]/`.
    pub(super) name: String,
    pub(super) tree: Arc<dyn Tree>,
    pub(super) files: FileTree,
}

/// A file of one of the volumes.
pub(in crate::inspect) struct OuterFile {
    pub(super) volume: usize,
    pub(super) id: Id,
    /// Path with the name of the volume.
    pub(in crate::inspect) path: String,
    /// Its paths in other trees of names.
    pub(super) other_paths: Vec<String>,
    pub(in crate::inspect) format: Option<Format>,
}

/// An image of a root file system or an initramfs.
pub(in crate::inspect) struct RootImage {
    pub(in crate::inspect) path: String,
    pub(in crate::inspect) size: u64,
    pub(in crate::inspect) source: Shared,
    pub(in crate::inspect) format: Format,
}

#[derive(Default)]
pub(in crate::inspect) struct Volumes {
    pub(super) volumes: Vec<ImageVolume>,
    pub(super) files: Vec<OuterFile>,
    pub(super) numbers: HashMap<(usize, Id), FileNumber>,
    /// Every squashfs and every initramfs.
    pub(in crate::inspect) images: Vec<RootImage>,
    /// Programs of UEFI firmware.
    pub(in crate::inspect) programs: Vec<(FileNumber, Program)>,
    /// Configurations within GRUB itself: name and text.
    pub(in crate::inspect) embedded: Vec<(String, String)>,
    /// Parts of the image that cannot be read, and why.
    pub(in crate::inspect) unclear: BTreeSet<String>,
}

impl Volumes {
    /// Path of a file with the name of its volume.
    pub(in crate::inspect) fn name(&self, number: FileNumber) -> String {
        self.files[number].path.clone()
    }

    pub(in crate::inspect) fn outer_file(&self, number: FileNumber) -> &OuterFile {
        &self.files[number]
    }

    /// Names of volumes whose lookups had to give up.
    pub(in crate::inspect) fn exhausted(&self) -> impl Iterator<Item = &str> {
        self.volumes.iter().filter(|v| v.files.exhausted()).map(|v| v.name.as_str())
    }

    pub(in crate::inspect) fn files(&self) -> impl Iterator<Item = (FileNumber, &OuterFile)> {
        self.files.iter().enumerate()
    }

    pub(in crate::inspect) fn files_where(&self, is: impl Fn(&str) -> bool) -> Vec<FileNumber> {
        let any = |file: &OuterFile| is(&file.path) || file.other_paths.iter().any(|path| is(path));
        self.files().filter(|(_, file)| any(file)).map(|(number, _)| number).collect()
    }

    fn node(&self, number: FileNumber) -> Option<&Node> {
        let file = &self.files[number];
        self.volumes[file.volume].files.node(file.id)
    }

    pub(in crate::inspect) fn source(&self, number: FileNumber) -> diskimage::Result<Shared> {
        let node = self.node(number).cloned().unwrap_or_else(Node::unknown_file);
        Ok(self.volumes[self.files[number].volume].tree.open(&node)?.source())
    }

    pub(in crate::inspect) fn size(&self, number: FileNumber) -> u64 {
        self.node(number).map_or(0, |node| node.metadata.size)
    }

    pub(in crate::inspect) fn bytes(
        &self,
        number: FileNumber,
        most: usize,
    ) -> diskimage::Result<Vec<u8>> {
        let most = most.min(usize::try_from(self.size(number)).unwrap_or(most));
        self.source(number)?.up_to(0, most)
    }

    /// The text of a small file that has no format of its own.
    pub(in crate::inspect) fn plain_text(&self, number: FileNumber) -> Option<String> {
        let size = self.size(number);
        if self.files[number].format.is_some() || size == 0 || size > MENU as u64 {
            return None;
        }
        let start = self.bytes(number, 512).ok()?;
        if start.contains(&0) {
            return None;
        }
        String::from_utf8(self.bytes(number, MENU).ok()?).ok()
    }

    /// True if the file holds nothing but zeros, which Linux takes for an empty initramfs.
    pub(in crate::inspect) fn is_zero(&self, number: FileNumber) -> bool {
        let zero = |source: Shared| -> diskimage::Result<bool> {
            let (mut at, size) = (0, self.size(number));
            while at < size {
                let bytes = source.up_to(at, 1 << 16)?;
                if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                    return Ok(bytes.is_empty());
                }
                at += bytes.len() as u64;
            }
            Ok(true)
        };
        self.source(number).and_then(zero).unwrap_or(false)
    }

    /// True if the file is a Linux by its header.
    pub(in crate::inspect) fn is_kernel(&self, number: FileNumber) -> bool {
        let version = self.source(number).and_then(|source| kernel::version_of(&*source));
        version.is_ok_and(|version| version.is_some())
    }

    pub(in crate::inspect) fn is_unified_kernel(&self, number: FileNumber) -> bool {
        self.programs.iter().any(|(other, program)| *other == number && program.linux)
    }

    /// Files that a path from the root means in any volume. FAT and ISO 9660 do not tell upper case
    /// from lower case; UEFI's paths have backslashes.
    pub(in crate::inspect) fn find(&self, path: &str) -> Vec<FileNumber> {
        let path = path.replace('\\', "/");
        let found = self.volumes.iter().enumerate().flat_map(|(volume, v)| {
            let ids = v.files.find_any_case(&path).into_iter();
            ids.filter_map(move |id| self.numbers.get(&(volume, id)).copied())
        });
        distinct(found)
    }

    /// The same for a path from the folder of the file `from`, or from the root.
    pub(in crate::inspect) fn find_from(&self, from: FileNumber, path: &str) -> Vec<FileNumber> {
        let mut found = self.find(path);
        if !path.starts_with('/') {
            let file = &self.files[from];
            let own = self.volumes[file.volume].files.path(file.id);
            let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
            found.extend(self.find(&format!("{folder}/{path}")));
        }
        distinct(found.into_iter())
    }

    /// Files that a path of GRUB's may mean. Whatever device it names, every volume is looked at. A
    /// zero stands for text that is not known.
    pub(in crate::inspect) fn grub_path(&self, path: &str) -> Result<Vec<FileNumber>, String> {
        let (device, on_device) = match path.strip_prefix('(') {
            Some(rest) => rest.split_once(')').unwrap_or(("", rest)),
            None => ("", path),
        };
        if begins_with(device, &NETWORKS) {
            return Err("a file from a network".to_owned());
        }
        if on_device.is_empty() {
            return Ok(Vec::new());
        }
        if !on_device.contains('\0') {
            if !on_device.starts_with('/') {
                // `+1` is the first sector, which starts what is on that device
                return match on_device {
                    "+1" => Ok(Vec::new()),
                    _ if on_device.contains('+') => Err("a list of blocks, not a file".to_owned()),
                    _ => Ok(Vec::new()),
                };
            }
            let found = self.find(on_device);
            if found.is_empty() && begins_with(device, &DISKS) {
                return Err("no file of this image, but another disk may have it".to_owned());
            }
            return Ok(found);
        }
        let parts: Vec<&str> = on_device.split('\0').collect();
        if parts.iter().all(|part| part.trim_matches('/').is_empty()) {
            return Err("a path that is not known".to_owned());
        }
        // what stands before the last unknown part may be a device
        let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        Ok(self.files_where(|path| {
            let path = format!("/{}", path.to_lowercase());
            let (first, rest) = (&lower[0], &lower[1..]);
            let mut at = 0;
            if !first.is_empty() && !first.starts_with('(') {
                match path.find(first.as_str()) {
                    Some(found) => at = found + first.len(),
                    None => return false,
                }
            }
            for (index, part) in rest.iter().enumerate() {
                if index + 1 == rest.len() {
                    return path.len() >= at + part.len() && path.ends_with(part.as_str());
                }
                match path[at..].find(part.as_str()) {
                    Some(found) => at += found + part.len(),
                    None => return false,
                }
            }
            true
        }))
    }
}

/// Beginnings of GRUB's names of network devices (GRUB manual, "Device syntax").
const NETWORKS: [&str; 5] = ["http", "tftp", "pxe", "net", "efinet"];

/// Beginnings of its names of disks.
const DISKS: [&str; 10] =
    ["hd", "fd", "ahci", "ata", "usb", "scsi", "nvme", "lvm", "md/", "crypto"];

fn begins_with(device: &str, names: &[&str]) -> bool {
    names.iter().any(|name| device.starts_with(name))
}

fn distinct(numbers: impl Iterator<Item = FileNumber>) -> Vec<FileNumber> {
    let mut seen = HashSet::new();
    numbers.filter(|number| seen.insert(*number)).collect()
}
