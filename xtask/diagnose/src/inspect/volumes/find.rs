//! The search for volumes: partitions, boot images, and images that lie in them as files.

use super::files::{FileNumber, ImageVolume, OuterFile, RootImage, Volumes};
use super::unread::{other_file_system, second_file_system};
use crate::inspect::file_tree::FileTree;
use crate::inspect::grub_core;
use crate::inspect::program::Program;
use anyhow::Result;
use diskimage::source::Slice;
use diskimage::{Budget, Format, Kind, Layer, Shared, Tree};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Images in images.
const DEPTH: usize = 3;

/// File systems in one image. A hybrid ISO has four or five.
const VOLUMES: usize = 64;

/// Finds all volumes of an image.
pub(in crate::inspect) fn find(
    layer: &Layer,
    source: &Shared,
    budget: &Arc<Budget>,
) -> Result<Volumes> {
    let mut finder = Finder {
        volumes: Volumes::default(),
        budget,
        places: HashMap::new(),
        parts: HashSet::new(),
        open: vec![Opened {
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

/// An image that is still to be looked at.
struct Opened {
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
    open: Vec<Opened>,
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

    fn layer(&mut self, open: Opened) -> Result<()> {
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
            | Layer::Container(_)
            | Layer::Disk(_) => {
                self.volume(open.name.clone(), open.layer.tree(), &open)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Partitions and boot images, which the firmware and Linux can read as disks of their own.
    fn disk(&mut self, iso: &diskimage::Iso, open: &Opened) {
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
                Ok(None) => match grub_core::read(&source, self.budget) {
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
            Ok(layer) => self.open.push(Opened { name, layer, source, depth }),
            Err(error) => self.unclear(&name, error),
        }
    }

    fn volume(&mut self, name: String, tree: Arc<dyn Tree>, open: &Opened) -> Result<()> {
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
        self.volumes.volumes.push(ImageVolume { name, tree, files });
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
                } else if let Some(grub) = grub_core::read(&source, self.budget)? {
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
