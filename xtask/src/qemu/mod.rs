//! QEMU on this machine: its accelerator, a folder for the files of a running machine, and its options.

pub(crate) mod accel;
pub(crate) mod runtime;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Joins an option with a path in it. A comma in the path is doubled, as QEMU requires.
pub(crate) fn option(before: &str, path: &Path, after: &str) -> OsString {
    let mut bytes = before.as_bytes().to_vec();
    for &byte in path.as_os_str().as_bytes() {
        bytes.push(byte);
        if byte == b',' {
            bytes.push(byte);
        }
    }
    bytes.extend(after.as_bytes());
    OsString::from_vec(bytes)
}
