//! Differences of two images: `compare` finds them, `classify` explains them.

use crate::edits::Changes;
pub(crate) use diskimage::FieldKind;
use std::fmt;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    A,
    B,
}

/// The place of a difference: the layers from the outermost, then the path in the innermost,
/// e.g. `["live/filesystem.squashfs", "etc/nvme/hostid"]`. Empty: the image itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) Vec<String>);

/// One difference of one thing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) place: Place,
    /// Format of the innermost container around `place` (of a [`DifferenceKind::Field`]: of the layer that
    /// has the field), as its reader names it: `squashfs`, `ISO 9660`, `cpio`, `FAT`, `tar`, …;
    /// `tree` for a folder of this machine.
    pub(crate) layer: &'static str,
    pub(crate) what: DifferenceKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DifferenceKind {
    /// An entry that the other side does not have. If it is a folder, its entries come next.
    OnlyIn { side: Side, entry: OneSidedEntry },
    /// A header field of the layer that `place` names.
    Field { kind: FieldKind, name: &'static str, a: String, b: String },
    /// Metadata of the entry that `place` names.
    Metadata { field: MetadataField, a: String, b: String },
    /// The entries of a folder or the members of an archive: the same set, in another order.
    Order { a: Vec<String>, b: Vec<String> },
    /// Bytes that no reader opens further.
    Content(Box<Changes>),
    /// A layer that was opened to its end on both sides, and in which nothing differs, but whose own
    /// bytes do.
    Repacked { format: &'static str, sizes: [u64; 2] },
    /// A layer that could not be read to its end. What holds it is compared as bytes.
    Unreadable { side: Side, offset: u64, why: String },
    /// Contents that differ, and that are judged under other names only; the reason.
    NotJudged(String),
}

/// A property of an entry, apart from its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum MetadataField {
    /// `file`, `dir`, `symlink`, `char`, `block`, `fifo`, `socket`.
    Kind,
    /// Permission bits, octal.
    Mode,
    Uid,
    Gid,
    /// Seconds since 1970-01-01 UTC.
    Mtime,
    /// `major,minor`.
    Device,
    /// By name; values in hexadecimal, `-` where there is none.
    Xattr(String),
    LinkTarget,
    /// Number of hard links.
    LinkCount,
    /// The first path of the same file, `-` where it is the first.
    HardLink,
    /// A property that only some formats have, e.g. `access time` in an ISO, `user name` in a tar.
    More(&'static str),
}

impl MetadataField {
    /// Number of hard links of a folder, where it does not follow from what is in the folder.
    pub(crate) const FOLDER_LINKS: MetadataField = MetadataField::More("links of the folder");

    /// In a word or two.
    pub(crate) fn name(&self) -> &str {
        match self {
            MetadataField::Kind => "type",
            MetadataField::Mode => "mode",
            MetadataField::Uid => "owner",
            MetadataField::Gid => "group",
            MetadataField::Mtime => "mtime",
            MetadataField::Device => "device number",
            MetadataField::Xattr(name) => name,
            MetadataField::LinkTarget => "link target",
            MetadataField::LinkCount => "hard links",
            MetadataField::HardLink => "hard link",
            MetadataField::More(name) => name,
        }
    }
}

/// An entry that only one side has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OneSidedEntry {
    /// As [`MetadataField::Kind`].
    pub(crate) kind: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) mtime: i64,
    /// Bytes.
    pub(crate) size: u64,
    /// Names of its extended attributes, and a hash of all their values; empty if it has none.
    pub(crate) xattrs: String,
    /// The other facts that its format knows of it, but for times and other names.
    pub(crate) more: String,
}

impl OneSidedEntry {
    /// Returns true if it is root's, nobody else may write it, and nothing gives it another user's rights.
    pub(crate) fn is_plain(&self) -> bool {
        self.mode & 0o7022 == 0 && (self.uid, self.gid) == (0, 0) && self.xattrs.is_empty()
    }
}

impl Place {
    /// The path in the innermost layer; empty for an image itself.
    pub(crate) fn path(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The layers from the outermost, without the path in the innermost one.
    pub(crate) fn layers(&self) -> &[String] {
        self.0.split_last().map_or(&[], |(_, layers)| layers)
    }

    /// Returns true if it is in the folder that `folder` names.
    pub(crate) fn is_below(&self, folder: &Place) -> bool {
        let (Some((path, layers)), Some((other, others))) =
            (self.0.split_last(), folder.0.split_last())
        else {
            return false;
        };
        layers == others
            && path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The same place with one more layer or path.
    pub(crate) fn join(&self, inner: impl Into<String>) -> Place {
        let mut place = self.clone();
        place.0.push(inner.into());
        place
    }
}

impl fmt::Display for Place {
    /// Layers apart by `!`, as in a jar's URL: `live/filesystem.squashfs!etc/nvme/hostid`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the image") } else { f.write_str(&self.0.join("!")) }
    }
}
