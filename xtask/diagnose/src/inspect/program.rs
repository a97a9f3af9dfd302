//! Programs of UEFI firmware (PE files) and the modules of GRUB: the parts that decide what they start.

use diskimage::source::Slice;
use diskimage::{Budget, Format, Layer, Result, Shared};
use std::sync::Arc;

/// Bytes of a command line or of GRUB's configuration in a program.
const TEXT: usize = 1 << 20;

/// Parts of a program that decide what it starts.
#[derive(Default)]
pub(super) struct Program {
    /// Contents of `.cmdline`.
    pub(super) command_lines: Vec<String>,
    /// True if it has a `.linux`.
    pub(super) linux: bool,
    /// Contents of `.initrd` and `.ucode`.
    pub(super) initrds: Vec<Shared>,
    /// Configurations of a GRUB.
    pub(super) configurations: Vec<String>,
    /// Disks in a GRUB, which hold its configuration.
    pub(super) memory_disks: Vec<Shared>,
}

impl Program {
    /// Reads a PE file.
    pub(super) fn read(source: &Shared, budget: &Arc<Budget>) -> Result<Program> {
        let tree = Layer::open(Format::Pe, source.clone(), budget)?.tree();
        let mut program = Program::default();
        for (name, node) in tree.list(&tree.root()?)? {
            let part = tree.open(&node)?.source();
            // a section of a name that is there already has a number behind it
            match name.split(|byte| *byte == b'#').next().unwrap_or_default() {
                b".cmdline" => program.command_lines.push(text(&part)?),
                b".linux" => program.linux = true,
                b".initrd" | b".ucode" => program.initrds.push(part),
                b"mods" | b".mods" => program.modules(&part)?,
                _ => {}
            }
        }
        Ok(program)
    }

    /// GRUB's modules (include/grub/kernel.h): objects behind each other, some of which are no code.
    pub(super) fn modules(&mut self, part: &Shared) -> Result<()> {
        let head = part.up_to(0, 24)?;
        if !head.starts_with(b"mimg") || head.len() < 24 {
            return Ok(());
        }
        // with 64 bits a word of zeros follows the magic
        let (word, mut at, end) = if le32(&head, 4) == 0 {
            (8, u64::from(le32(&head, 8)), u64::from(le32(&head, 16)))
        } else {
            (4, u64::from(le32(&head, 4)), u64::from(le32(&head, 8)))
        };
        while at + 8 <= end {
            let object = part.up_to(at, 8)?;
            if object.len() < 8 || le32(&object, 4) < 8 {
                break;
            }
            let len = u64::from(le32(&object, 4));
            let content: Shared = Arc::new(Slice::new(part.clone(), at + 8, len - 8));
            match le32(&object, 0) {
                1 => self.memory_disks.push(content),
                2 => self.configurations.push(text(&content)?),
                _ => {}
            }
            at += len.next_multiple_of(word);
        }
        Ok(())
    }
}

/// A text that ends at the first zero.
fn text(part: &Shared) -> Result<String> {
    let bytes = part.up_to(0, TEXT.min(usize::try_from(part.size()?).unwrap_or(TEXT)))?;
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).trim_end().to_owned())
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
