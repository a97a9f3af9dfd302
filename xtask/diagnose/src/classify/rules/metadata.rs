//! Properties of entries, apart from their contents.

use super::super::owners::is_person;
use super::super::rule::{CauseRule, Changed, Evidence};
use super::shapes;
use crate::difference::MetadataField;

pub(super) static RULES: &[CauseRule] = &[
    CauseRule {
        id: "mtime-squashfs",
        name: "times in a squashfs, not clamped to SOURCE_DATE_EPOCH",
        fix: "let mksquashfs see SOURCE_DATE_EPOCH: it clamps inode times (from 4.6 on never with -all-time: fatal)",
        source: "squashfs-tools#140, #51",
        evidence: Evidence::Metadata(|c| mtime(c) && c.at.layer == "squashfs"),
    },
    CauseRule {
        id: "mtime-iso",
        name: "times of files in the ISO, not clamped to SOURCE_DATE_EPOCH",
        fix: "touch -h -d @$SOURCE_DATE_EPOCH on everything before xorriso, or --set_all_file_dates",
        source: "live-build binary_iso",
        evidence: Evidence::Metadata(|c| mtime(c) && is_iso(c.at.layer)),
    },
    CauseRule {
        id: "mtime-initramfs",
        name: "times in an initramfs, not clamped to SOURCE_DATE_EPOCH",
        fix: "initramfs-tools or dracut --reproducible with SOURCE_DATE_EPOCH set",
        source: "initramfs-tools, dracut(8)",
        evidence: Evidence::Metadata(|c| mtime(c) && c.at.layer == "cpio"),
    },
    CauseRule {
        id: "mtime-fat",
        name: "times in the FAT file system (EFI image), not clamped to SOURCE_DATE_EPOCH",
        fix: "mtools with SOURCE_DATE_EPOCH set; mcopy -m keeps a file's own time",
        source: "mtools NEWS 4.0.19",
        evidence: Evidence::Metadata(|c| mtime(c) && c.at.layer.starts_with("FAT")),
    },
    CauseRule {
        id: "mtime-archive",
        name: "times in an archive, not clamped to SOURCE_DATE_EPOCH",
        fix: "tar --mtime=@$SOURCE_DATE_EPOCH --clamp-mtime; ar's deterministic mode (D)",
        source: "reproducible-builds.org, archives",
        evidence: Evidence::Metadata(|c| {
            mtime(c) && matches!(c.at.layer, "tar" | "ar" | "deb" | "zip")
        }),
    },
    CauseRule {
        id: "mtime",
        name: "times of files, not clamped to SOURCE_DATE_EPOCH",
        fix: "touch -h -d @$SOURCE_DATE_EPOCH on what is newer",
        source: "reproducible-builds.org, timestamps",
        evidence: Evidence::Metadata(mtime),
    },
    CauseRule {
        id: "umask",
        name: "permissions as the builder's umask left them",
        fix: "umask 022 at the start of the build, or set the mode of what it makes",
        source: "umask(2)",
        // of what other modes bear out
        evidence: Evidence::Metadata(|c| *c.field == MetadataField::Mode),
    },
    CauseRule {
        id: "mode",
        name: "permissions differ",
        fix: "set the mode explicitly (install -m, chmod)",
        source: "the entries' modes",
        // who may read, write or run something is a decision: the rule is only a hint
        evidence: Evidence::Together,
    },
    CauseRule {
        id: "builder-owner",
        name: "owner or group is the user who built",
        fix: "mksquashfs -all-root, tar --owner=0 --group=0 --numeric-owner, xorriso -r, or build as root",
        source: "reproducible-builds.org, archives",
        // of what other owners bear out
        evidence: Evidence::Metadata(|c| owner(c) && (is_person(c.a) || is_person(c.b))),
    },
    CauseRule {
        id: "system-owner",
        name: "other number of a system user or group: they were made in another order",
        fix: "give the user a fixed number (sysusers.d, adduser --uid), or fix the order of installation",
        source: "adduser(8), sysusers.d(5)",
        evidence: Evidence::Metadata(|c| owner(c) && is_system(c.a) && is_system(c.b)),
    },
    CauseRule {
        id: "account-numbers",
        name: "other numbers of system accounts: they were made in another order",
        fix: "give the accounts fixed numbers (sysusers.d, adduser --uid), or fix the order of installation",
        source: "adduser(8), sysusers.d(5)",
        evidence: Evidence::Whole(
            &["etc/passwd", "etc/group", "etc/passwd-", "etc/group-"],
            shapes::account_numbers,
        ),
    },
    CauseRule {
        id: "xattrs",
        name: "extended attributes differ",
        fix: "set them explicitly, or -no-xattrs (loses file capabilities); mksquashfs newer than 4.4, whose table holds garbage",
        source: "squashfs-tools#78",
        // a value that differs proves nothing: the rule is only a hint
        evidence: Evidence::Together,
    },
    CauseRule {
        id: "extended-headers",
        name: "extended headers in a tar on one side only: another format, or times with fractions",
        fix: "tar --format=gnu, or --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        source: "GNU tar manual, Reproducibility; all that the headers say is compared",
        evidence: Evidence::Metadata(|c| {
            *c.field == MetadataField::More("extended header") && c.at.layer == "tar"
        }),
    },
    CauseRule {
        id: "cpio-links",
        name: "link counts in an initramfs, from the file system that it was packed on",
        fix: "pack from a fresh copy (cp -r) on the same file system, in which nothing is linked",
        source: "cpio(5)",
        evidence: Evidence::Metadata(|c| {
            (*c.field == MetadataField::LinkCount || *c.field == MetadataField::FOLDER_LINKS)
                && c.at.layer == "cpio"
        }),
    },
    CauseRule {
        id: "hard-links",
        name: "other hard links: files are one on one side and several, or met in another order, on the other",
        fix: "mksquashfs -no-hardlinks, or copy with cp -a, which keeps them",
        source: "nixpkgs#114454",
        evidence: Evidence::Metadata(|c| {
            matches!(c.field, MetadataField::LinkCount | MetadataField::HardLink)
        }),
    },
    CauseRule {
        id: "hole-bytes",
        name: "how much of a file is holes, as the builder's file system stored it",
        fix: "fill or dig all holes before packing (cp --sparse=never or always)",
        source: "squashfs-tools; the content, holes included, is compared",
        evidence: Evidence::Metadata(|c| {
            *c.field == MetadataField::More("bytes of holes") && c.at.layer == "squashfs"
        }),
    },
    CauseRule {
        id: "efi-theme",
        name: "link that follows the build host's firmware",
        fix: "mask /sys/firmware/efi in the builder, or set the link in a chroot hook",
        source: "kicksecure-base-files, etc/default/grub.d/30_kicksecure.cfg",
        evidence: Evidence::Metadata(|c| {
            *c.field == MetadataField::LinkTarget
                && c.at.path_is(&["etc/default/grub.d/*theme*", "boot/grub/themes/**"])
                && [c.a, c.b].into_iter().all(is_shipped)
        }),
    },
];

fn mtime(changed: &Changed<'_>) -> bool {
    match changed.field {
        MetadataField::Mtime => true,
        // a directory record's date, a tar's access time
        MetadataField::More(name) => name.contains("time") || name.contains("date"),
        _ => false,
    }
}

fn is_iso(layer: &str) -> bool {
    layer.starts_with("ISO") || layer == "Joliet" || layer == "Rock Ridge"
}

fn owner(changed: &Changed<'_>) -> bool {
    matches!(
        changed.field,
        MetadataField::Uid | MetadataField::Gid | MetadataField::More("user name" | "group name")
    )
}

/// Returns true if a link leads to files that packages ship.
fn is_shipped(target: &str) -> bool {
    target.starts_with("/usr/share/") && !target.split('/').any(|part| part == "..")
}

fn is_system(id: &str) -> bool {
    id.parse::<u32>().is_ok_and(|id| (1..1000).contains(&id))
}
