//! The file systems of an image that firmware and boot loaders can read: the ISO with each of its
//! trees of names, its partitions and boot images, and images that lie in those as files.

mod files;
mod find;
mod unread;

pub(super) use files::{FileNumber, RootImage, Volumes};
pub(super) use find::find;
pub(super) use unread::other_file_system;
