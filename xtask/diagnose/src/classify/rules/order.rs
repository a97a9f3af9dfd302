//! Orders that nobody fixed.

use super::super::rule::{CauseRule, Evidence};

pub(super) static RULES: &[CauseRule] = &[
    CauseRule {
        id: "initramfs-order",
        name: "order of the members of an initramfs: as the folders were read",
        fix: "sort the list that cpio gets; initramfs-tools and dracut do with SOURCE_DATE_EPOCH set (--reproducible)",
        source: "initramfs-tools, dracut(8)",
        evidence: Evidence::EntryOrder(&["cpio"]),
    },
    CauseRule {
        id: "archive-order",
        name: "order of the members of an archive: as the folders were read",
        fix: "tar --sort=name; a sorted list",
        source: "reproducible-builds.org, archives",
        evidence: Evidence::EntryOrder(&["tar", "ar", "zip"]),
    },
    CauseRule {
        id: "entry-order",
        name: "order of the entries of a folder: as it was read",
        fix: "copy from a sorted list (mcopy, cp, mksquashfs sort on their own when fed a tree)",
        source: "reproducible-builds.org, stable inputs",
        evidence: Evidence::EntryOrder(&[]),
    },
    CauseRule {
        id: "locale-order",
        name: "lines or words sorted as a language sorts: another locale",
        fix: "LC_ALL=C.UTF-8 for everything that sorts",
        source: "reproducible-builds.org, locales",
        evidence: Evidence::WordOrder(true),
    },
    CauseRule {
        id: "line-order",
        name: "the same lines or words in another order: folder order, hash order, or threads",
        fix: "sort what generates it (sort keys of hashes, PERL_HASH_SEED=0, PYTHONHASHSEED=0)",
        source: "live-build hooks 2004, 2009, 2010, 2012",
        evidence: Evidence::WordOrder(false),
    },
];
