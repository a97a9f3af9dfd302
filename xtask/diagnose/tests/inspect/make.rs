//! Parts of images: configurations, file systems and archives.

use crate::support::{EPOCH, Tree, run};
use std::fs;
use std::process::Command;

pub(crate) const GRUB: &str = "iso/boot/grub/grub.cfg";

/// Parameters of a kernel that is not hardened.
pub(crate) const EVIL: &str = "boot=live mitigations=off";

/// All parameters that the policy asks for.
pub(crate) fn good() -> String {
    crate::parameters().join(" ")
}

/// Adds text to a file.
pub(crate) fn append(tree: &Tree, path: &str, text: &str) {
    let old = fs::read_to_string(tree.path(path)).unwrap_or_default();
    tree.write(path, &format!("{old}{text}"));
}

/// A menu entry of GRUB's.
pub(crate) fn entry(title: &str, body: &str) -> String {
    format!("menuentry \"{title}\" {{\n{body}\n}}\n")
}

/// Adds an entry without the parameters to GRUB's configuration.
pub(crate) fn evil(tree: &Tree, body: &str) {
    append(tree, GRUB, &entry("Evil", body));
}

/// A squashfs of these files at `path`.
pub(crate) fn squashfs(tree: &Tree, path: &str, files: &[(&str, &str)]) {
    squashfs_with(tree, path, files, &[]);
}

pub(crate) fn squashfs_with(tree: &Tree, path: &str, files: &[(&str, &str)], options: &[&str]) {
    let root = tree.dir.join("other");
    drop(fs::remove_dir_all(&root));
    fs::create_dir_all(&root).unwrap();
    for (name, text) in files {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let image = tree.path(path);
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    let mut command = Command::new("mksquashfs");
    command.arg(&root).arg(&image).args(["-noappend", "-no-progress", "-quiet", "-all-root"]);
    let time = EPOCH.to_string();
    command.args(["-mkfs-time", &time, "-all-time", &time]).args(options);
    run(command.env_remove("SOURCE_DATE_EPOCH"));
}

/// A FAT image of these files at `path`.
pub(crate) fn fat(tree: &Tree, path: &str, files: &[(&str, &[u8])]) {
    let image = tree.path(path);
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    drop(fs::remove_file(&image));
    let time = [("SOURCE_DATE_EPOCH", EPOCH.to_string()), ("MTOOLS_SKIP_CHECK", "1".to_owned())];
    let mtools = |program: &str| {
        let mut command = Command::new(program);
        // mtools does not take a path with a quotation mark
        command.current_dir(image.parent().unwrap());
        command.arg("-i").arg(image.file_name().unwrap()).envs(time.clone());
        command
    };
    run(mtools("mformat").args(["-C", "-f", "2880", "-N", "12345678", "::"]));
    for (name, bytes) in files {
        let mut folder = String::from("::");
        let (folders, _) = name.rsplit_once('/').unwrap_or(("", name));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder = format!("{folder}/{part}");
            // it may be there from the file before
            drop(mtools("mmd").arg(&folder).output());
        }
        let file = tree.dir.join("for-fat");
        fs::write(&file, bytes).unwrap();
        run(mtools("mcopy").arg(&file).arg(format!("::/{name}")));
    }
}

/// A cpio archive of these files, as Linux reads an initramfs.
pub(crate) fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut member = |inode: usize, name: &str, mode: u32, content: &[u8]| {
        let size = content.len() as u32;
        let fields = [inode as u32, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        bytes.extend(b"070701");
        bytes.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    for (index, (name, content)) in files.iter().enumerate() {
        member(index + 1, name, 0o100_644, content);
    }
    member(0, "TRAILER!!!", 0, b"");
    bytes
}

/// A PE file of these sections.
pub(crate) fn pe(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut head = vec![0; 0x40];
    head[..2].copy_from_slice(b"MZ");
    head[0x3c] = 0x40;
    head.extend(b"PE\0\0\x64\x86");
    head.extend((sections.len() as u16).to_le_bytes());
    head.extend([0; 16]);
    let start = head.len() + 40 * sections.len();
    let mut content: Vec<u8> = Vec::new();
    for (name, bytes) in sections {
        let mut section = [0; 40];
        section[..name.len()].copy_from_slice(name.as_bytes());
        let (len, at) = (bytes.len() as u32, (start + content.len()) as u32);
        section[8..12].copy_from_slice(&len.to_le_bytes());
        section[16..20].copy_from_slice(&len.to_le_bytes());
        section[20..24].copy_from_slice(&at.to_le_bytes());
        head.extend(section);
        content.extend(*bytes);
    }
    head.extend(content);
    head
}

/// A kernel image by its header, with this version.
pub(crate) fn kernel(version: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    bytes[0x300..0x300 + version.len()].copy_from_slice(version.as_bytes());
    bytes
}

/// GRUB's modules with a configuration in them, as `grub-mkimage -c` puts it into a program.
pub(crate) fn grub_modules(config: &str) -> Vec<u8> {
    let mut config = [config.as_bytes(), b"\0"].concat();
    config.resize(config.len().next_multiple_of(8), 0);
    let size = config.len() as u64 + 8;
    let mut bytes = b"mimg\0\0\0\0".to_vec();
    bytes.extend(24_u64.to_le_bytes());
    bytes.extend((24 + size).to_le_bytes());
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend((size as u32).to_le_bytes());
    bytes.extend(config);
    bytes
}

/// GRUB for BIOS as `grub-mkimage -O i386-pc-eltorito` puts it together, with a configuration.
pub(crate) fn grub_for_bios(tree: &Tree, config: &str) -> Vec<u8> {
    // the core does not compress well
    let mut state = 1_u32;
    let mut core: Vec<u8> = (0..8192)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    core.resize(16384, 0);
    core.extend(grub_modules(config));
    let file = tree.dir.join("core");
    fs::write(&file, &core).unwrap();
    let mut xz = Command::new("xz");
    xz.args(["-c", "--format=raw", "--lzma1=lc=3,lp=0,pb=2"]).arg(&file);
    let packed = run(&mut xz);
    let mut image = vec![0x90; 0xa00 + 2848];
    image[0xa08..0xa0c].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    image[0xa0c..0xa10].copy_from_slice(&(core.len() as u32).to_le_bytes());
    image[0xa00..0xa08].copy_from_slice(&[0xea, 0x1c, 0x82, 0, 0, 0, 0, 0]);
    image[0xa10..0xa14].copy_from_slice(&[0; 4]);
    image.extend(packed);
    image
}
