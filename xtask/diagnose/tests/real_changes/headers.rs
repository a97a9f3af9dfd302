//! Changes in the header of one member of an archive, as a writer would have made them.

use crate::formats;
use crate::node::Kind;

/// Other metadata of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    /// Permissions, of a file that stays one.
    Mode(u32),
    Owner(u32),
    Symlink,
    /// A character device: major and minor number.
    Device(u32, u32),
    /// An inode number, and several links to it.
    Inode(u32),
    /// A name of another member.
    Link(&'static str),
}

/// Target of links.
pub(crate) const TARGET: &str = "/tmp/evil";

/// The content that a member with this header has; `None`: its own.
pub(crate) fn content(kind: Kind, header: Header) -> Option<Vec<u8>> {
    match (header, kind) {
        (Header::Symlink, Kind::Cpio) => Some(TARGET.into()),
        (Header::Symlink | Header::Device(..) | Header::Link(_), _) => Some(Vec::new()),
        _ => None,
    }
}

/// Sets it in the first member of a name; `false` if the format has no such thing.
pub(crate) fn set(kind: Kind, archive: &mut [u8], name: &str, header: Header) -> bool {
    let Some(at) = find(kind, archive, name) else { return false };
    match kind {
        Kind::Tar => of_tar(&mut archive[at..at + 512], header),
        Kind::Cpio => of_cpio(&mut archive[at..at + 110], header),
        Kind::Ar => match header {
            Header::Mode(mode) => put(archive, at + 40, &format!("{:<8o}", 0o100_000 | mode)),
            Header::Owner(owner) => put(archive, at + 28, &format!("{owner:<6}{owner:<6}")),
            _ => return false,
        },
        Kind::Zip => match header {
            // of the Unix that made it
            Header::Mode(mode) => {
                let attributes = (0o100_000 | mode) << 16;
                archive[at + 38..at + 42].copy_from_slice(&attributes.to_le_bytes());
            }
            _ => return false,
        },
        Kind::Fat | Kind::Fat16 | Kind::Fat32 => match header {
            // hidden, and of the system
            Header::Mode(_) => archive[at + 11] |= 6,
            _ => return false,
        },
        _ => return false,
    }
    true
}

/// Offset of the header of a member.
fn find(kind: Kind, archive: &[u8], name: &str) -> Option<usize> {
    let mut offsets = 0..archive.len();
    let is_at = |at: usize, text: &[u8]| archive[at..].starts_with(text);
    let ends = |text: &str| [text.as_bytes(), &[0]].concat();
    match kind {
        Kind::Tar => offsets.find(|at| at % 512 == 0 && is_at(*at, &ends(name))),
        Kind::Cpio => offsets.find(|at| {
            is_at(*at, b"070701") && archive.len() > at + 110 && is_at(at + 110, &ends(name))
        }),
        Kind::Ar => offsets.find(|at| is_at(*at, format!("{name:<16}").as_bytes())),
        Kind::Zip => offsets.find(|at| {
            is_at(*at, b"PK\x01\x02") && archive.len() > at + 46 && is_at(at + 46, name.as_bytes())
        }),
        Kind::Fat | Kind::Fat16 | Kind::Fat32 => {
            let (stem, extension) = name.split_once('.')?;
            offsets.find(|at| is_at(*at, format!("{stem:<8}{extension:<3}").as_bytes()))
        }
        _ => None,
    }
}

fn put(bytes: &mut [u8], at: usize, text: &str) {
    bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
}

fn of_tar(tar: &mut [u8], header: Header) {
    let number = |n: u32| format!("{n:07o}\0");
    match header {
        Header::Mode(mode) => put(tar, 100, &number(mode)),
        Header::Owner(owner) => {
            put(tar, 108, &number(owner));
            put(tar, 116, &number(owner));
        }
        Header::Symlink => put(tar, 156, &format!("2{TARGET}")),
        Header::Link(name) => put(tar, 156, &format!("1{name}")),
        Header::Device(major, minor) => {
            put(tar, 156, "3");
            put(tar, 329, &(number(major) + &number(minor)));
        }
        Header::Inode(_) => {}
    }
    formats::seal(tar);
}

fn of_cpio(cpio: &mut [u8], header: Header) {
    let number = |n: u32| format!("{n:08x}");
    match header {
        Header::Mode(mode) => put(cpio, 14, &number(0o100_000 | mode)),
        Header::Owner(owner) => put(cpio, 22, &number(owner).repeat(2)),
        Header::Symlink => put(cpio, 14, &number(0o120_777)),
        Header::Device(major, minor) => {
            put(cpio, 14, &number(0o020_666));
            put(cpio, 78, &(number(major) + &number(minor)));
        }
        Header::Inode(inode) => {
            put(cpio, 6, &number(inode));
            put(cpio, 38, &number(2));
        }
        Header::Link(_) => {}
    }
}
