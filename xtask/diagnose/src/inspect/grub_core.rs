//! GRUB for BIOS (core.img, eltorito.img): a small decompressor, and behind it GRUB with its modules
//! and configuration as a bare LZMA stream (grub-core/boot/i386/pc/startup_raw.S).

use super::program::Program;
use diskimage::source::{Bytes, Slice};
use diskimage::unpack::{Codec, Unpacked};
use diskimage::{Budget, Result, Shared};
use memchr::memmem;
use std::sync::Arc;

/// Offsets at which the decompressor can begin: it follows boot sectors of 512 and 2048 bytes.
const STARTS: std::ops::Range<usize> = 0..4096;

/// Bytes of the decompressor in any version.
const DECOMPRESSOR: std::ops::Range<usize> = 0x600..0x1200;

/// Bytes of GRUB, packed and unpacked. It has to run below 1 MiB or be copied there.
const LARGEST: usize = 16 << 20;

/// `None`: no GRUB for BIOS begins here.
pub(super) fn read(source: &Shared, budget: &Arc<Budget>) -> Result<Option<Program>> {
    let head = source.up_to(0, STARTS.end + DECOMPRESSOR.end)?;
    for start in STARTS.step_by(512) {
        let number = |at: usize| {
            let bytes = head.get(start + at..start + at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let (Some(packed), Some(unpacked)) = (number(8), number(12)) else { break };
        // it begins with a far jump into its own segment 0
        let jumps = head[start] == 0xea && head[start + 3..start + 5] == [0, 0];
        if !jumps || packed < 1 << 12 || unpacked <= packed || unpacked > LARGEST {
            continue;
        }
        let parity = number(16).unwrap_or(0);
        let size = usize::try_from(source.size()?).unwrap_or(usize::MAX);
        // it ends with the file; of an image of unknown size, the place is searched
        let at_the_end = size.checked_sub(packed + parity).filter(|at| *at < head.len());
        // every such stream begins with a zero
        let others = DECOMPRESSOR.map(|len| start + len).filter(|at| head.get(*at) == Some(&0));
        for at in at_the_end.into_iter().chain(others) {
            if let Some(modules) = modules(source, at, packed, unpacked, budget)? {
                let mut program = Program::default();
                program.modules(&modules)?;
                return Ok(Some(program));
            }
        }
    }
    Ok(None)
}

/// The modules in the stream at `at`; `None`: there is no such stream.
fn modules(
    source: &Shared,
    at: usize,
    packed: usize,
    unpacked: usize,
    budget: &Arc<Budget>,
) -> Result<Option<Shared>> {
    // the header of a .lzma file: the properties that GRUB uses, the window, the size
    let mut stream = vec![0x5d];
    stream.extend((1_u32 << 24).to_le_bytes());
    stream.extend((unpacked as u64).to_le_bytes());
    stream.extend(source.up_to(at as u64, packed)?);
    let stream: Shared = Arc::new(Bytes(stream));
    let stream = Unpacked::new(stream, Codec::Lzma, 0, budget.clone());
    let stream: &dyn diskimage::Source = &stream;
    let Ok(bytes) = stream.up_to(0, unpacked) else { return Ok(None) };
    // GRUB's code names the magic, too; behind that of the header stands the header's length
    let header = |from: &usize| matches!(bytes.get(from + 4..from + 8), Some([12 | 0, 0, 0, 0]));
    let found = memmem::find_iter(&bytes, b"mimg").find(header);
    Ok(found.map(|from| {
        let len = (bytes.len() - from) as u64;
        Arc::new(Slice::new(Arc::new(Bytes(bytes)), from as u64, len)) as Shared
    }))
}
