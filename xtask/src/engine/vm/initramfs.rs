//! The initramfs of a machine: busybox, the modules, and `init.sh`, as a cpio of the form `newc` (cpio(5)).

use super::modules::Module;

/// The first process.
pub(super) const INIT: &str = include_str!("init.sh");

/// Packs the initramfs. It is not compressed: the kernel reads it once.
pub(super) fn pack(busybox: &[u8], modules: &[Module]) -> Vec<u8> {
    let mut cpio = Cpio::default();
    for dir in ["bin", "modules"] {
        cpio.add(dir, 0o040_755, &[]);
    }
    cpio.add("bin/busybox", 0o100_755, busybox);
    cpio.add("init", 0o100_755, INIT.as_bytes());
    let order: String = modules.iter().map(|module| format!("{}\n", module.name)).collect();
    cpio.add("modules/order", 0o100_644, order.as_bytes());
    for module in modules {
        cpio.add(&format!("modules/{}", module.name), 0o100_644, &module.bytes);
    }
    cpio.add("TRAILER!!!", 0, &[]);
    cpio.bytes
}

#[derive(Default)]
struct Cpio {
    bytes: Vec<u8>,
    inode: u32,
}

impl Cpio {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let (size, name_size) = (length(content.len()), length(name.len() + 1));
        // inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, check
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_the_form_that_the_kernel_reads() {
        let module = Module { name: "9p".to_owned(), bytes: b"abc".to_vec() };
        let cpio = pack(b"busybox", &[module]);
        assert_eq!(cpio.len() % 4, 0);
        assert!(cpio.starts_with(b"070701000000010000")); // the first inode, and half of a mode
        let text = String::from_utf8_lossy(&cpio);
        assert!(text.contains("modules/order\0") && text.contains("9p\n"), "{text}");
        assert!(text.contains("modules/9p\0") && text.contains("abc\0"), "{text}");
        let last = "0707010000000700000000000000000000000000000001000000000000000000000000000000000000000000\
                    0000000000000b00000000TRAILER!!!\0";
        assert!(text.trim_end_matches('\0').ends_with(last.trim_end_matches('\0')), "{text}");
    }
}
