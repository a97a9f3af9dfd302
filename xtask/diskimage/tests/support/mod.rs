//! Images to read, and reading all of one.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its part of it")]

pub mod disc;
pub mod squash;

use diskimage::source::Bytes;
use diskimage::{
    Budget, Content, Kind, Layer, Metadata, PartContent, Result, Shared, Source, Tree, hex,
    printable,
};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Layers in layers that are read.
const DEEPEST: usize = 4;

/// The images that `make.sh` makes.
pub const FIXTURES: [&str; 23] = [
    "cpio.gz",
    "disk.img",
    "ext4.img",
    "fat12.img",
    "gnu.tar",
    "gzip.squashfs",
    "hybrid.iso",
    "initramfs.img",
    "lz4.squashfs",
    "lzo.squashfs",
    "pax.tar",
    "plain.squashfs",
    "small.deb",
    "small.efi",
    "small.elf",
    "small.zip",
    "text.bz2",
    "text.gz",
    "text.lz4",
    "text.xz",
    "text.zst",
    "xz.squashfs",
    "zstd.squashfs",
];

pub fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_path(name)).unwrap()
}

/// Bytes that count how many of them were read.
pub struct Counted {
    bytes: Bytes,
    pub read: AtomicU64,
}

impl Counted {
    pub fn new(bytes: Vec<u8>) -> Arc<Counted> {
        Arc::new(Counted { bytes: Bytes(bytes), read: AtomicU64::new(0) })
    }
}

impl Source for Counted {
    fn size(&self) -> Result<u64> {
        self.bytes.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let n = self.bytes.read_at(offset, into)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Reads every field, name and byte of an image and of the layers in it, and tells what is there.
pub fn describe(source: &Shared, budget: &Arc<Budget>) -> Result<String> {
    let mut text = String::new();
    layer(source, budget, 0, &mut text)?;
    Ok(text)
}

fn layer(source: &Shared, budget: &Arc<Budget>, depth: usize, text: &mut String) -> Result<()> {
    if depth < DEEPEST
        && let Some(layer) = Layer::of(source, budget)?
    {
        tree(&*layer.tree(), budget, depth, text)?;
    }
    Ok(())
}

fn tree(tree: &dyn Tree, budget: &Arc<Budget>, depth: usize, text: &mut String) -> Result<()> {
    let indent = "    ".repeat(depth);
    for field in tree.fields() {
        writeln!(
            text,
            "{indent}# {}: {:?} {}: {}",
            tree.layer(),
            field.kind,
            field.name,
            field.value.replace('\0', "\\0")
        )
        .unwrap();
    }
    diskimage::walk(tree, &mut |path, node| {
        let about = show(&node.metadata);
        let path = printable(path);
        if node.metadata.kind != Kind::File {
            writeln!(text, "{indent}{path} {about}").unwrap();
            return Ok(());
        }
        let content = tree.open(node)?;
        let hash = hash(&content)?;
        writeln!(text, "{indent}{path} {about} {hash}").unwrap();
        layer(&content.source(), budget, depth + 1, text)
    })?;
    for part in tree.parts()? {
        match part.what {
            PartContent::Bytes(source) => {
                let hash = hash(&Content::Plain(source.clone()))?;
                writeln!(text, "{indent}{} at {:?} {hash}", part.name, part.place).unwrap();
                layer(&source, budget, depth + 1, text)?;
            }
            PartContent::SharedBlocks(blocks) => {
                let mut rest = Vec::new();
                for mut block in blocks {
                    rest.extend(block.rest()?);
                }
                if !rest.is_empty() {
                    let hash = hash(&Content::Plain(Arc::new(diskimage::source::Bytes(rest))))?;
                    writeln!(text, "{indent}{} {hash}", part.name).unwrap();
                }
            }
            PartContent::Tree(inner) => {
                writeln!(text, "{indent}{}", part.name).unwrap();
                self::tree(&*inner, budget, depth + 1, text)?;
            }
        }
    }
    Ok(())
}

/// The start of the SHA-256 of a file, once as a whole and, if it has blocks, once block by block.
pub fn hash(content: &Content) -> Result<String> {
    let source = content.source();
    let hash = hex(&diskimage::sha256(&*source)?[..8]);
    if let Content::Packed(file) = content {
        let (mut whole, mut block) = (Vec::new(), Vec::new());
        for part in file.blocks() {
            file.unpack(&part?, &mut block)?;
            whole.extend_from_slice(&block);
        }
        assert_eq!(hex(&diskimage::sha256(&Bytes(whole))?[..8]), hash);
    }
    Ok(hash)
}

/// All that is known of an entry, in a line.
pub fn show(metadata: &Metadata) -> String {
    let mut text = metadata.kind.name().to_string();
    let mut add = |part: Option<String>| {
        if let Some(part) = part {
            text.push(' ');
            text.push_str(&part);
        }
    };
    add(metadata.mode.map(|mode| format!("{mode:04o}")));
    add(metadata.uid.zip(metadata.gid).map(|(uid, gid)| format!("{uid}:{gid}")));
    add(metadata.mtime.map(|mtime| format!("@{mtime}")));
    add((metadata.kind == Kind::File).then(|| format!("{} bytes", metadata.size)));
    add(metadata.links.map(|links| format!("{links} links")));
    add(metadata.device.map(|(major, minor)| format!("{major},{minor}")));
    add(metadata.target.as_deref().map(|target| format!("-> {}", printable(target))));
    for (name, value) in &metadata.xattrs {
        add(Some(format!("{}={}", printable(name), printable(value))));
    }
    for (name, value) in &metadata.more {
        add(Some(format!("[{name}: {value}]")));
    }
    text
}
