//! The file systems of an image that firmware and boot loaders can read: the ISO with each of its
//! trees of names, its partitions and boot images, and images that lie in those as files.

use super::boot::{self, Program};
use super::file_tree::{FileTree, Id};
use anyhow::Result;
use diskimage::source::Slice;
use diskimage::{Budget, Format, Kind, Layer, Node, Shared, Tree};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Images in images.
const DEPTH: usize = 3;

/// File systems in one image. A hybrid ISO has four or five.
const VOLUMES: usize = 64;

/// Bytes of a text that may be a menu under another name.
const MENU: usize = 256 << 10;

/// Number of a file. A file that several trees of names have counts once.
pub(super) type FileNumber = usize;

struct Volume {
    /// Empty for the ISO itself, else e.g. `[UEFI boot image 2]/`.
    name: String,
    tree: Arc<dyn Tree>,
    files: FileTree,
}

/// A file of one of the volumes.
pub(super) struct OuterFile {
    volume: usize,
    id: Id,
    /// Path with the name of the volume.
    pub(super) path: String,
    /// Its paths in other trees of names.
    other_paths: Vec<String>,
    pub(super) format: Option<Format>,
}

/// An image of a root file system or an initramfs.
pub(super) struct RootImage {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) source: Shared,
    pub(super) format: Format,
}

#[derive(Default)]
pub(super) struct Volumes {
    volumes: Vec<Volume>,
    files: Vec<OuterFile>,
    numbers: HashMap<(usize, Id), FileNumber>,
    /// Every squashfs and every initramfs.
    pub(super) images: Vec<RootImage>,
    /// Programs of UEFI firmware.
    pub(super) programs: Vec<(FileNumber, Program)>,
    /// Configurations within GRUB itself: name and text.
    pub(super) embedded: Vec<(String, String)>,
    /// Parts of the image that cannot be read, and why.
    pub(super) unclear: BTreeSet<String>,
}

impl Volumes {
    /// Finds all volumes of an image.
    pub(super) fn read(layer: &Layer, source: &Shared, budget: &Arc<Budget>) -> Result<Volumes> {
        let mut finder = Finder {
            volumes: Volumes::default(),
            budget,
            places: HashMap::new(),
            parts: HashSet::new(),
            open: vec![Open {
                name: String::new(),
                layer: layer.clone(),
                source: source.clone(),
                depth: 0,
            }],
        };
        while let Some(next) = finder.open.pop() {
            finder.layer(next)?;
        }
        Ok(finder.volumes)
    }

    /// Path of a file with the name of its volume.
    pub(super) fn name(&self, number: FileNumber) -> String {
        self.files[number].path.clone()
    }

    pub(super) fn outer_file(&self, number: FileNumber) -> &OuterFile {
        &self.files[number]
    }

    /// Names of volumes whose lookups had to give up.
    pub(super) fn exhausted(&self) -> impl Iterator<Item = &str> {
        self.volumes.iter().filter(|v| v.files.exhausted()).map(|v| v.name.as_str())
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (FileNumber, &OuterFile)> {
        self.files.iter().enumerate()
    }

    pub(super) fn files_where(&self, is: impl Fn(&str) -> bool) -> Vec<FileNumber> {
        let any = |file: &OuterFile| is(&file.path) || file.other_paths.iter().any(|path| is(path));
        self.files().filter(|(_, file)| any(file)).map(|(number, _)| number).collect()
    }

    fn node(&self, number: FileNumber) -> Option<&Node> {
        let file = &self.files[number];
        self.volumes[file.volume].files.node(file.id)
    }

    pub(super) fn source(&self, number: FileNumber) -> diskimage::Result<Shared> {
        let node = self.node(number).cloned().unwrap_or_else(Node::unknown_file);
        Ok(self.volumes[self.files[number].volume].tree.open(&node)?.source())
    }

    pub(super) fn size(&self, number: FileNumber) -> u64 {
        self.node(number).map_or(0, |node| node.metadata.size)
    }

    pub(super) fn bytes(&self, number: FileNumber, most: usize) -> diskimage::Result<Vec<u8>> {
        let most = most.min(usize::try_from(self.size(number)).unwrap_or(most));
        self.source(number)?.up_to(0, most)
    }

    /// The text of a small file that has no format of its own.
    pub(super) fn plain_text(&self, number: FileNumber) -> Option<String> {
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
    pub(super) fn is_zero(&self, number: FileNumber) -> bool {
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
    pub(super) fn is_kernel(&self, number: FileNumber) -> bool {
        let version = self.source(number).and_then(|source| boot::version_of(&*source));
        version.is_ok_and(|version| version.is_some())
    }

    pub(super) fn is_unified_kernel(&self, number: FileNumber) -> bool {
        self.programs.iter().any(|(other, program)| *other == number && program.linux)
    }

    /// Files that a path from the root means in any volume. FAT and ISO 9660 do not tell upper case
    /// from lower case; UEFI's paths have backslashes.
    pub(super) fn find(&self, path: &str) -> Vec<FileNumber> {
        let path = path.replace('\\', "/");
        let found = self.volumes.iter().enumerate().flat_map(|(volume, v)| {
            let ids = v.files.find_any_case(&path).into_iter();
            ids.filter_map(move |id| self.numbers.get(&(volume, id)).copied())
        });
        distinct(found)
    }

    /// The same for a path from the folder of the file `from`, or from the root.
    pub(super) fn find_from(&self, from: FileNumber, path: &str) -> Vec<FileNumber> {
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
    pub(super) fn grub_path(&self, path: &str) -> Result<Vec<FileNumber>, String> {
        let on_device = match path.strip_prefix('(') {
            Some(rest) => rest.split_once(')').map_or(rest, |(_, path)| path),
            None => path,
        };
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
            return Ok(self.find(on_device));
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

fn distinct(numbers: impl Iterator<Item = FileNumber>) -> Vec<FileNumber> {
    let mut seen = HashSet::new();
    numbers.filter(|number| seen.insert(*number)).collect()
}

/// An image that is still to be looked at.
struct Open {
    name: String,
    layer: Layer,
    source: Shared,
    depth: usize,
}

struct Finder<'a> {
    volumes: Volumes,
    budget: &'a Arc<Budget>,
    /// Number of the file at each place of the image.
    places: HashMap<(u64, u64), FileNumber>,
    /// Places of parts that were looked at.
    parts: HashSet<u64>,
    open: Vec<Open>,
}

impl Finder<'_> {
    fn unclear(&mut self, name: &str, why: impl std::fmt::Display) {
        if self.volumes.unclear.len() < 1000 {
            let name = match name.trim_end_matches('/') {
                "" => "the image",
                name => name,
            };
            self.volumes.unclear.insert(format!("{name}: {why}"));
        }
    }

    fn layer(&mut self, open: Open) -> Result<()> {
        match &open.layer {
            Layer::Iso(iso) => {
                self.volume(open.name.clone(), open.layer.tree(), &open)?;
                for (view, iso) in iso.as_others_read_it() {
                    self.volume(format!("{}[{view}]/", open.name), Arc::new(iso), &open)?;
                }
                if iso.is_ambiguous() {
                    self.unclear(&open.name, "several volume descriptors of one kind");
                }
                self.disk(iso, &open);
                if let Some(other) = second_file_system(&open.source)? {
                    self.unclear(
                        &open.name,
                        format!("{other} over the same bytes, which is not read"),
                    );
                }
            }
            Layer::Squashfs(_)
            | Layer::Fat(_)
            | Layer::Ext(_)
            | Layer::Archive(_)
            | Layer::Disk(_) => {
                self.volume(open.name.clone(), open.layer.tree(), &open)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Partitions and boot images, which the firmware and Linux can read as disks of their own.
    fn disk(&mut self, iso: &diskimage::Iso, open: &Open) {
        if let Some(error) = iso.broken() {
            self.unclear(&open.name, error.clone());
        }
        let mut parts: Vec<(String, u64, Option<u64>)> = Vec::new();
        if let Some(disk) = iso.disk() {
            let gpt = disk.gpt.iter().flat_map(|gpt| &gpt.partitions);
            parts.extend(gpt.map(|p| (format!("[partition {}]/", p.name), p.start, Some(p.len))));
            parts.extend(disk.mbr.iter().enumerate().map(|(index, p)| {
                (format!("[MBR partition {}]/", index + 1), p.start, Some(p.len))
            }));
        }
        parts.extend(iso.boot_entries().iter().enumerate().map(|(index, entry)| {
            (format!("[{} boot image {}]/", entry.platform, index + 1), entry.offset, None)
        }));
        let size = open.source.size().unwrap_or(0);
        for (name, start, len) in parts {
            // the whole disk is no part of it
            if start == 0 || start >= size {
                continue;
            }
            let len = len.unwrap_or(u64::MAX).min(size - start);
            let source: Shared = Arc::new(Slice::new(open.source.clone(), start, len));
            let place = source.place(0, 1).unwrap_or(u64::MAX);
            if !self.parts.insert(place) {
                continue;
            }
            let name = format!("{}{name}", open.name);
            self.part(name, source, open.depth + 1);
        }
    }

    /// Something that is a file system if it is anything.
    fn part(&mut self, name: String, source: Shared, depth: usize) {
        match Format::of(&source, self.budget) {
            Ok(Some(format @ (Format::Iso | Format::Fat | Format::Disk))) => {
                self.enter(name, format, source, depth);
            }
            Ok(Some(format @ (Format::Squashfs | Format::Initramfs | Format::Ext))) => {
                let size = source.size().unwrap_or(0);
                let path = name.trim_end_matches('/').to_owned();
                self.volumes.images.push(RootImage { path, size, source: source.clone(), format });
                // GRUB reads configurations in it, too
                if format == Format::Ext {
                    self.enter(name, format, source, depth);
                }
            }
            Ok(_) => match other_file_system(&source) {
                Ok(Some(other)) => self.unclear(&name, format!("{other}, which is not read")),
                Ok(None) => match boot::grub_for_bios(&source, self.budget) {
                    Ok(Some(grub)) => self.program(name.trim_end_matches('/'), grub, None, depth),
                    Ok(None) => {}
                    Err(error) => self.unclear(&name, error),
                },
                Err(error) => self.unclear(&name, error),
            },
            Err(error) => self.unclear(&name, error),
        }
    }

    fn enter(&mut self, name: String, format: Format, source: Shared, depth: usize) {
        if depth > DEPTH || self.volumes.volumes.len() + self.open.len() >= VOLUMES {
            return self.unclear(&name, "images in images, too many or too deep");
        }
        match Layer::open(format, source.clone(), self.budget) {
            Ok(layer) => self.open.push(Open { name, layer, source, depth }),
            Err(error) => self.unclear(&name, error),
        }
    }

    fn volume(&mut self, name: String, tree: Arc<dyn Tree>, open: &Open) -> Result<()> {
        let files = match FileTree::read(&*tree) {
            Ok(files) => files,
            // without its own tree there is nothing to tell of an image
            Err(error) if name.is_empty() => return Err(error.into()),
            Err(error) => {
                self.unclear(&name, error);
                return Ok(());
            }
        };
        let volume = self.volumes.volumes.len();
        let mut found = Vec::new();
        for id in files.ids() {
            let Some(node) = files.node(id) else { continue };
            if node.metadata.kind != Kind::File {
                continue;
            }
            let path = format!("{name}{}", files.path(id));
            let place = tree.open(node).ok().and_then(|content| content.source().place(0, 1));
            let key = place.map(|place| (place, node.metadata.size));
            if let Some(number) = key.and_then(|key| self.places.get(&key)) {
                self.volumes.numbers.insert((volume, id), *number);
                self.volumes.files[*number].other_paths.push(path);
                continue;
            }
            let number = self.volumes.files.len();
            self.volumes.numbers.insert((volume, id), number);
            // empty files may share a place with others
            if let Some(key) = key.filter(|(_, size)| *size > 0) {
                self.places.insert(key, number);
            }
            self.volumes.files.push(OuterFile {
                volume,
                id,
                path,
                other_paths: Vec::new(),
                format: None,
            });
            found.push(number);
        }
        self.volumes.volumes.push(Volume { name, tree, files });
        for number in found {
            if self.volumes.size(number) > 0 {
                self.look_at(number, open.depth);
            }
        }
        Ok(())
    }

    /// Finds out the format of a file, and opens it if it can hold something that boots.
    fn look_at(&mut self, number: FileNumber, depth: usize) {
        let name = self.volumes.name(number);
        if let Err(error) = self.classify(number, depth, &name) {
            self.unclear(&name, error);
        }
    }

    fn classify(&mut self, number: FileNumber, depth: usize, name: &str) -> diskimage::Result<()> {
        let source = self.volumes.source(number)?;
        let format = Format::of(&source, self.budget)?;
        self.volumes.files[number].format = format;
        match format {
            Some(format @ (Format::Squashfs | Format::Initramfs | Format::Ext)) => {
                self.parts.extend(source.place(0, 1));
                let size = self.volumes.size(number);
                let image = RootImage { path: name.to_owned(), size, source, format };
                self.volumes.images.push(image);
            }
            Some(format @ (Format::Iso | Format::Fat | Format::Disk)) => {
                // the image of the EFI system partition is a file and a partition
                if source.place(0, 1).is_none_or(|place| self.parts.insert(place)) {
                    self.enter(format!("{name}/"), format, source, depth + 1);
                }
            }
            Some(Format::Pe) => {
                let program = Program::read(&source, self.budget)?;
                self.program(name, program, Some(number), depth);
            }
            Some(_) => {}
            None => {
                if let Some(other) = other_file_system(&source)? {
                    self.unclear(name, format!("{other}, which is not read"));
                } else if let Some(grub) = boot::grub_for_bios(&source, self.budget)? {
                    self.parts.extend(source.place(0, 1));
                    self.program(name, grub, None, depth);
                }
            }
        }
        Ok(())
    }

    /// Takes a program apart; `number` is that of its file, for a program of UEFI firmware.
    fn program(
        &mut self,
        name: &str,
        mut program: Program,
        number: Option<FileNumber>,
        depth: usize,
    ) {
        for (index, initrd) in program.initrds.drain(..).enumerate() {
            let path = format!("{name}[initrd {}]", index + 1);
            let size = initrd.size().unwrap_or(0);
            match Format::of(&initrd, self.budget) {
                Ok(Some(format @ Format::Initramfs)) => {
                    self.volumes.images.push(RootImage { path, size, source: initrd, format });
                }
                Ok(_) => self.unclear(&path, "an initramfs in a format that is not read"),
                Err(error) => self.unclear(&path, error),
            }
        }
        for text in program.configurations.drain(..) {
            self.volumes.embedded.push((format!("{name}[configuration]"), text));
        }
        for disk in program.memory_disks.drain(..) {
            let disk_name = format!("{name}[memory disk]/");
            match Format::of(&disk, self.budget) {
                Ok(Some(format)) => self.enter(disk_name, format, disk, depth + 1),
                Ok(None) => self.unclear(&disk_name, "in a format that is not read"),
                Err(error) => self.unclear(&disk_name, error),
            }
        }
        self.volumes.programs.extend(number.map(|number| (number, program)));
    }
}

/// The name of a format that is not read and can hold a file system.
pub(super) fn other_file_system(source: &Shared) -> diskimage::Result<Option<&'static str>> {
    let kinds = ["file system", "squashfs", "volume", "container", "disk image", "sparse image"];
    let name = diskimage::unread_format(source)?;
    Ok(name.filter(|name| kinds.iter().any(|kind| name.contains(kind))))
}

/// Another file system over the same bytes as an ISO, which Linux or GRUB could prefer.
fn second_file_system(source: &Shared) -> diskimage::Result<Option<&'static str>> {
    for sector in 16..48 {
        let id = source.up_to(sector * 2048 + 1, 5)?;
        if id == b"NSR02" || id == b"NSR03" {
            return Ok(Some("UDF file system"));
        }
    }
    let apple = source.up_to(512, 2)? == b"PM" || source.up_to(2048, 2)? == b"PM";
    if apple || source.up_to(0x400, 2)? == b"BD" {
        return Ok(Some("HFS file system"));
    }
    other_file_system(source)
}
