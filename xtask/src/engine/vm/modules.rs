//! Kernel modules that a machine needs, in the order in which they can be loaded.

use anyhow::{Context as _, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;

/// Modules for the machine's devices and the shared folders, and those that a build may ask the kernel for. In a
/// container, the engine's host has loaded them.
const WANTED: [&str; 18] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio_rng",
    "crc32c_generic", // ext4 asks for it by its algorithm, which no module names
    "ext4",
    "9pnet_virtio",
    "9p",
    "loop",
    "overlay",
    "squashfs",
    "isofs",
    "vfat",
    "nls_ascii",
    "fuse",
    "autofs4", // systemd asks for it
    "dm_mod",
];

/// A module, ready to be loaded.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The wanted modules of the kernel in `tree` (`lib/modules/RELEASE` of its package), each after those that it
/// depends on. Those that are part of the kernel are left out.
pub(super) fn needed(tree: &Path) -> Result<Vec<Module>> {
    let list = tree.join("modules.builtin");
    let text =
        fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.shown()))?;
    let built_in = text.lines().filter_map(|path| name(Path::new(path))).collect();
    let mut files = BTreeMap::new();
    for entry in WalkDir::new(tree) {
        let entry = entry.context("cannot list the kernel's modules")?;
        if let Some(name) = name(entry.path()) {
            files.insert(name, entry.into_path());
        }
    }
    let mut load = Load { built_in, files, begun: BTreeSet::new(), modules: Vec::new() };
    for wanted in WANTED {
        load.add(wanted)?;
    }
    Ok(load.modules)
}

struct Load {
    built_in: BTreeSet<String>,
    files: BTreeMap<String, PathBuf>,
    begun: BTreeSet<String>,
    modules: Vec<Module>,
}

impl Load {
    fn add(&mut self, name: &str) -> Result<()> {
        if self.built_in.contains(name) || !self.begun.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(file) = self.files.get(name) else {
            bail!("the kernel has no module {name}, which engine vm needs");
        };
        let bytes = match file.extension().and_then(|end| end.to_str()) {
            Some("xz") => Cmd::new("xz").args(["-dc", "--"]).arg(file).read_bytes()?,
            Some("zst") => Cmd::new("zstd").args(["-dcq", "--"]).arg(file).read_bytes()?,
            _ => fs::read(file).with_context(|| format!("cannot read {}", file.shown()))?,
        };
        for other in depends(&bytes) {
            self.add(&other)?;
        }
        self.modules.push(Module { name: name.to_owned(), bytes });
        Ok(())
    }
}

/// Name of the module in a file `NAME.ko`, `NAME.ko.xz` or `NAME.ko.zst`, with `_` for `-` as the kernel does.
fn name(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let name = [".ko", ".ko.xz", ".ko.zst"].iter().find_map(|end| name.strip_suffix(end))?;
    Some(name.replace('-', "_"))
}

/// The modules that a module names in its section `.modinfo`: `depends=a,b`, between two zero bytes.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"depends=";
    let fields = module.split(|byte| *byte == 0);
    let list = fields.filter_map(|field| field.strip_prefix(KEY)).next().unwrap_or_default();
    let list = String::from_utf8_lossy(list).replace('-', "_");
    list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dependencies_are_read_as_the_kernel_writes_them() {
        assert_eq!(name(Path::new("kernel/fs/ext4/ext4.ko.xz")).unwrap(), "ext4");
        assert_eq!(name(Path::new("crc32c-generic.ko")).unwrap(), "crc32c_generic");
        assert_eq!(name(Path::new("modules.builtin")), None);
        assert_eq!(depends(b"\x7fELF\0license=GPL\0depends=jbd2,crc-16\0x"), ["jbd2", "crc_16"]);
        assert_eq!(depends(b"\0depends=\0"), [""; 0]);
    }

    #[test]
    fn modules_come_after_those_that_they_need() {
        let dir = std::env::temp_dir().join(format!("silvermetal-modules-{}", std::process::id()));
        fs::create_dir_all(dir.join("kernel")).unwrap();
        let built_in: Vec<String> = WANTED
            .iter()
            .filter(|name| **name != "9p")
            .map(|n| format!("kernel/{n}.ko\n"))
            .collect();
        fs::write(dir.join("modules.builtin"), built_in.concat()).unwrap();
        fs::write(dir.join("kernel/9p.ko"), b"\0depends=9pnet,netfs\0").unwrap();
        fs::write(dir.join("kernel/9pnet.ko"), b"\0depends=netfs\0").unwrap();
        let missing = needed(&dir).err().unwrap().to_string();
        assert!(missing.contains("no module netfs"), "{missing}");
        fs::write(dir.join("kernel/netfs.ko"), b"\0depends=\0").unwrap();
        let names: Vec<String> = needed(&dir).unwrap().into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["netfs", "9pnet", "9p"]);
        fs::remove_dir_all(dir).unwrap();
    }
}
