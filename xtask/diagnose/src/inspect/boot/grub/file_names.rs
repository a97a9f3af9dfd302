//! Names of files that GRUB reads.

/// True for the files that GRUB looks for by itself, and for those that another GRUB looks for.
pub(super) fn is_start(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(name, "grub.cfg" | "loopback.cfg" | "grub.conf" | "custom.cfg")
        || (name.starts_with("grub.cfg-") && !name.ends_with('~'))
}

pub(super) fn is_config(path: &str) -> bool {
    path.ends_with(".cfg")
        && (path.contains("grub") || path.split('/').any(|part| part == "efi"))
        && !path.contains("syslinux")
        && !path.contains("isolinux")
}
