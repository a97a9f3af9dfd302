//! Which Linux a kernel image is.

/// The version that a bzImage names (Documentation/arch/x86/boot.rst: `HdrS` at 0x202, the version's
/// place less 0x200 at 0x20e), e.g. `6.12.57+deb13-amd64`.
pub(super) fn version(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let place: [u8; 2] = image.get(0x20e..0x210)?.try_into().ok()?;
    let text = image.get(usize::from(u16::from_le_bytes(place)) + 0x200..)?;
    let end = text.iter().take(256).position(|byte| matches!(byte, 0 | b' '))?;
    let text = std::str::from_utf8(&text[..end]).ok()?;
    text.chars().all(|c| c.is_ascii_graphic()).then(|| text.to_owned())
}

/// Bytes of an image that [`version`] needs.
pub(super) const ENOUGH: usize = 0x200 + 0x1_0000 + 256;
