//! Kernel images: which Linux one is, and memory tests, which boot loaders start like a Linux.

use diskimage::{Result, Source};

/// Bytes of an image that [`version`] needs.
const ENOUGH: usize = 0x200 + 0x1_0000 + 256;

/// Bytes of the largest memory test. A kernel that can mount a live image is several times larger.
const MEMORY_TEST: u64 = 1 << 20;

/// The version that the kernel image at the start of `source` names.
pub(super) fn version_of(source: &dyn Source) -> Result<Option<String>> {
    Ok(version(&source.up_to(0, ENOUGH)?))
}

/// The version that a bzImage names (Documentation/arch/x86/boot.rst: `HdrS` at 0x202, the version's
/// place less 0x200 at 0x20e), e.g. `6.12.57+deb13-amd64`.
fn version(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let place: [u8; 2] = image.get(0x20e..0x210)?.try_into().ok()?;
    let text = image.get(usize::from(u16::from_le_bytes(place)) + 0x200..)?;
    let end = text.iter().take(256).position(|byte| matches!(byte, 0 | b' '))?;
    let text = std::str::from_utf8(&text[..end]).ok()?;
    text.chars().all(|c| c.is_ascii_graphic()).then(|| text.to_owned())
}

/// True if the image could be a memory test: it is small, and no Linux by what it says.
pub(super) fn may_be_memory_test(source: &dyn Source) -> Result<bool> {
    let version = version_of(source)?;
    let test = version.is_none_or(|version| version.starts_with("Memtest86"));
    Ok(test && source.size()? < MEMORY_TEST)
}
