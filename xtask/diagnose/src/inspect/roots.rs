//! Root file systems and initramfs of an image: what each of them holds. All are read, since a boot
//! parameter, an overlay or a rescue entry can make any of them the system that runs.

use super::boot::Parameters;
use super::file_tree::{FileTree, Id};
use super::forbidden::{self, ForbiddenFiles};
use super::sources;
use super::sshd;
use super::volumes::{RootImage, other_file_system};
use crate::packages::versions;
use anyhow::Result;
use diskimage::{Budget, Format, Kind, Layer, Shared, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use xtask_core::apt::sources::AptSource;
use xtask_core::deb822;

/// Entries that are named of those that are largest or latest.
const NAMED: usize = 8;

/// Bytes of a text that is read, e.g. of dpkg's status.
const TEXT: usize = 64 << 20;

/// Bytes of etc/machine-id that are looked at.
const MACHINE_ID: usize = 4096;

/// Images in one root that are looked at.
const NESTED: usize = 64;

/// Files of an initramfs whose words count like those of the kernel's command line
/// (dracut.cmdline(7), live-boot(7)).
const PARAMETER_FILES: [&str; 6] = [
    "etc/cmdline",
    "etc/cmdline.d/*",
    "etc/live/boot.conf",
    "etc/live/boot.conf.d/*",
    "conf/param.conf",
    "conf/conf.d/*",
];

/// Folders of images that systemd lays over usr/, opt/ and etc/ of a running system (systemd-sysext(8)).
const EXTENSIONS: [&str; 13] = [
    "etc/extensions",
    "run/extensions",
    "usr/lib/extensions",
    "usr/local/lib/extensions",
    "var/lib/extensions",
    "var/lib/extensions.mutable",
    "run/confexts",
    "usr/lib/confexts",
    "usr/local/lib/confexts",
    "var/lib/confexts",
    ".extra/sysext",
    ".extra/confext",
    ".extra/global_sysext",
];

/// Files that set the environment of programs, apt's among them.
const ENVIRONMENT: [&str; 8] = [
    "etc/environment",
    "etc/environment.d/*",
    "etc/profile",
    "etc/profile.d/*",
    "etc/systemd/system.conf",
    "etc/systemd/system.conf.d/*",
    "usr/lib/environment.d/*",
    "root/.profile",
];

/// Beginnings of words that name a root.
const ROOT: [&str; 17] = [
    "root=",
    "ROOT=",
    "NFSROOT=",
    "init=",
    "rdinit=",
    "overlay=",
    "netroot=",
    "nfsroot=",
    "rd.live.",
    "live_media",
    "LIVE_MEDIA",
    "fetch=",
    "httpfs=",
    "ftpfs=",
    "findiso=",
    "fromiso=",
    "iso_scan/",
];

/// One squashfs or initramfs.
pub(crate) struct Root {
    /// Path in the image; empty if the image is this file system itself.
    pub(crate) path: String,
    pub(crate) initramfs: bool,
    /// Bytes of the image.
    pub(crate) size: u64,
    pub(crate) compressor: String,
    pub(crate) entries: u64,
    /// Bytes of all files, unpacked.
    pub(crate) unpacked: u64,
    /// Version by name.
    pub(crate) packages: BTreeMap<String, String>,
    /// Name and kibibytes, largest first.
    pub(crate) largest_packages: Vec<(String, u64)>,
    pub(crate) sources: Vec<AptSource>,
    /// Paths of machine ids that are not empty.
    pub(crate) machine_ids: Vec<String>,
    pub(crate) forbidden: Vec<ForbiddenFiles>,
    /// Path and mtime of entries that are later than the epoch, seconds since 1970.
    pub(crate) latest: Vec<(String, i64)>,
    /// How many entries are later.
    pub(crate) late: u64,
    /// apt's files in this root.
    pub(super) apt: Apt,
    /// Reasons why the root may hold more than was read.
    pub(crate) unclear: BTreeSet<String>,
    pub(crate) tree: Arc<dyn Tree>,
}

/// apt's configuration in one root, to see what it does to a root below it.
#[derive(Default)]
pub(super) struct Apt {
    /// Paths below etc/apt that name sources.
    pub(super) files: BTreeSet<String>,
    /// True if it hides what a root below has there.
    pub(super) hides: bool,
}

/// Reads an image of a root, and those within it that a boot could mount in its place.
pub(super) fn read(
    image: &RootImage,
    epoch: Option<i64>,
    budget: &Arc<Budget>,
    into: &mut Vec<Root>,
) -> Result<()> {
    let layer = Layer::open(image.format, image.source.clone(), budget)?;
    let tree = layer.tree();
    let files = FileTree::read(&*tree)?;
    let initramfs = image.format == Format::Initramfs;
    let root = Root::read(&image.path, initramfs, image.size, tree.clone(), &files, epoch)?;
    into.push(root);
    let nested = nested(&*tree, &files, initramfs, budget)?;
    drop(files);
    for (path, source, format) in nested.into_iter().take(NESTED) {
        let path = format!("{}/{path}", image.path);
        match format {
            Some(format) => {
                let size = source.size()?;
                // what is in there is not looked into again
                let layer = Layer::open(format, source, budget)?;
                let files = FileTree::read(&*layer.tree())?;
                into.push(Root::read(&path, false, size, layer.tree(), &files, epoch)?);
            }
            None => {
                if let (Some(other), Some(root)) = (other_file_system(&source)?, into.last_mut()) {
                    root.unclear.insert(format!("{path}: {other}, which is not read"));
                }
            }
        }
    }
    Ok(())
}

/// File systems in a root that dracut or live-boot could mount: anywhere in an initramfs, and where
/// LiveOS images have theirs.
fn nested(
    tree: &dyn Tree,
    files: &FileTree,
    initramfs: bool,
    budget: &Arc<Budget>,
) -> Result<Vec<(String, Shared, Option<Format>)>> {
    let mut found = Vec::new();
    for id in files.ids() {
        let Some(node) = files.node(id) else { continue };
        if node.metadata.kind != Kind::File || node.metadata.size < 96 {
            continue;
        }
        let path = || files.path(id);
        if !initramfs && !path().starts_with("LiveOS/") {
            continue;
        }
        let source = tree.open(node)?.source();
        let format = Format::of(&source, budget)?;
        if let Some(format @ (Format::Squashfs | Format::Ext)) = format {
            found.push((path(), source, Some(format)));
        } else if format.is_none() && other_file_system(&source)?.is_some() {
            found.push((path(), source, None));
        }
    }
    Ok(found)
}

impl Root {
    /// True if dracut finds this root at `path` of some volume.
    pub(super) fn is_at(&self, path: &str) -> bool {
        !self.initramfs && (self.path == path || self.path.ends_with(&format!("]/{path}")))
    }

    /// True if live-boot finds this root in `folder` of some volume.
    pub(super) fn is_in(&self, folder: &str) -> bool {
        let path = self.path.rsplit_once("]/").map_or(self.path.as_str(), |(_, path)| path);
        let (parent, _) = path.rsplit_once('/').unwrap_or(("", path));
        !self.initramfs && parent == folder
    }

    fn read(
        path: &str,
        initramfs: bool,
        size: u64,
        tree: Arc<dyn Tree>,
        files: &FileTree,
        epoch: Option<i64>,
    ) -> Result<Root> {
        let text = |id: Id| text(&*tree, files, id, TEXT);
        // path and text of each file; of what is no file, the text is empty
        let texts = |patterns: &'static [&'static str]| {
            let found = patterns.iter().flat_map(|pattern| files.matches(pattern));
            found.map(|found| -> Result<(String, String)> {
                let text = found.target.map(text).transpose()?.flatten().unwrap_or_default();
                Ok((found.path, text))
            })
        };
        let mut status = String::new();
        for id in files.find("var/lib/dpkg/status") {
            status += &text(id)?.unwrap_or_default();
        }
        let mut unclear = BTreeSet::new();
        let mut sources = Vec::new();
        let mut apt = Apt { hides: hides(files), ..Apt::default() };
        for found in texts(&sources::FILES) {
            let (path, text) = found?;
            sources.extend(sources::read(&path, &text));
            apt.files.insert(path);
        }
        for found in texts(&sources::SETTINGS) {
            let (path, text) = found?;
            if sources::moves_lists(&text) {
                unclear.insert(format!("{path}: apt is told to read its sources elsewhere"));
            }
            if let Some(setting) = sources::weaker(&text) {
                let what = "apt takes more than its sources sign";
                unclear.insert(format!("{path}: `{setting}`: {what}"));
            }
        }
        for found in texts(&ENVIRONMENT) {
            let (path, text) = found?;
            if text.contains("APT_CONFIG") {
                unclear.insert(format!("{path}: apt is told to read other settings"));
            }
        }
        for folder in EXTENSIONS {
            for found in files.matches(&format!("{folder}/**")) {
                let what = "an extension that systemd lays over the root, which is not read";
                let depth = folder.split('/').count() + 1;
                let path: Vec<&str> = found.path.split('/').take(depth).collect();
                unclear.insert(format!("{}: {what}", path.join("/")));
            }
        }
        let mut forbidden = forbidden::find(files);
        for found in texts(&sshd::SETTINGS) {
            let (path, text) = found?;
            let named = sshd::named(&text);
            let is_there = |key: &&String| !files.find(key.trim_start_matches('/')).is_empty();
            forbidden.extend(
                named.host_keys.iter().filter(is_there).map(|key| ForbiddenFiles::host_key(key)),
            );
            for other in named.includes {
                unclear.insert(format!("{path}: sshd reads {other} as well"));
            }
        }
        for found in texts(&forbidden::GRUB_SETTINGS) {
            let (path, text) = found?;
            forbidden.extend(ForbiddenFiles::firmware_parameters(&path, &text));
        }
        for found in texts(if initramfs { &PARAMETER_FILES } else { &[] }) {
            let (path, text) = found?;
            let names_root = |word: String| ROOT.iter().any(|name| word.starts_with(name));
            if Parameters::parse(&text).words().any(names_root) {
                unclear.insert(format!("{path}: it may name another root"));
            }
        }
        let mut machine_ids = Vec::new();
        for path in ["etc/machine-id", "var/lib/dbus/machine-id", "run/machine-id"] {
            for id in files.find(path) {
                let id = bytes(&*tree, files, id, MACHINE_ID)?.unwrap_or_default();
                // systemd writes `uninitialized` to have first-boot units run (machine-id(5))
                if !id.trim_ascii().is_empty() && id.trim_ascii() != b"uninitialized" {
                    machine_ids.push(path.to_owned());
                }
            }
        }
        let mut root = Root {
            path: path.to_owned(),
            initramfs,
            size,
            compressor: compressor(&*tree),
            entries: files.len() as u64,
            unpacked: 0,
            packages: versions(&status),
            largest_packages: installed_sizes(&status),
            sources,
            machine_ids,
            forbidden,
            latest: Vec::new(),
            late: 0,
            apt,
            unclear,
            tree: tree.clone(),
        };
        root.count(files, epoch.unwrap_or(i64::MAX));
        if files.exhausted() {
            root.unclear.insert("its links lead on and on".to_owned());
        }
        Ok(root)
    }

    fn count(&mut self, files: &FileTree, epoch: i64) {
        for id in files.ids() {
            let Some(node) = files.node(id) else { continue };
            let metadata = &node.metadata;
            let time = metadata.mtime.unwrap_or_default();
            // the times in an initramfs are those of the files that it was made from
            if time > epoch && !self.initramfs {
                self.late += 1;
                if self.latest.len() < NAMED {
                    self.latest.push((files.path(id), time));
                }
            }
            if metadata.kind == Kind::File {
                self.unpacked = self.unpacked.saturating_add(metadata.size);
            }
        }
    }
}

/// True if this root, as an upper layer, removes what another one has at etc/apt: by something that
/// is no folder, an opaque folder or a device without a number (overlayfs), or a `.wh.` file (aufs).
fn hides(files: &FileTree) -> bool {
    let device = |id: Id| files.node(id).and_then(|node| node.metadata.device);
    let opaque = |id: Id| files.node(id).is_some_and(|node| !node.metadata.xattrs.is_empty());
    let any = |patterns: &[&str], is: &dyn Fn(Id) -> bool| {
        patterns.iter().flat_map(|pattern| files.matches(pattern)).any(|found| is(found.id))
    };
    ["etc", "etc/apt", "etc/apt/sources.list.d"]
        .iter()
        .flat_map(|path| files.stored_at(path))
        .any(|id| files.kind(id) != Kind::Folder || opaque(id))
        || any(&["etc/.wh.*", "etc/apt/.wh.*", "etc/apt/sources.list.d/.wh.*"], &|_| true)
        || any(&["etc/apt/*", "etc/apt/sources.list.d/*"], &|id| device(id) == Some((0, 0)))
}

/// The bytes of a file; `None`: it is no file.
fn bytes(tree: &dyn Tree, files: &FileTree, id: Id, most: usize) -> Result<Option<Vec<u8>>> {
    let Some(node) = files.node(id).filter(|node| node.metadata.kind == Kind::File) else {
        return Ok(None);
    };
    let len = usize::try_from(node.metadata.size).unwrap_or(most).min(most);
    Ok(Some(tree.open(node)?.source().up_to(0, len)?))
}

fn text(tree: &dyn Tree, files: &FileTree, id: Id, most: usize) -> Result<Option<String>> {
    let bytes = bytes(tree, files, id, most)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn compressor(tree: &dyn Tree) -> String {
    let field = tree.fields().into_iter().find(|f| f.name == "compressor" || f.name == "parts");
    field.map(|field| field.value).unwrap_or_default()
}

/// Packages with their Installed-Size, largest first.
fn installed_sizes(status: &str) -> Vec<(String, u64)> {
    let size = |package: &deb822::Paragraph<'_>| {
        Some((package.get("Package")?.to_owned(), package.get("Installed-Size")?.parse().ok()?))
    };
    let mut sizes: Vec<(String, u64)> =
        deb822::paragraphs(status).iter().filter_map(size).collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    sizes.truncate(NAMED);
    sizes
}
