//! Loop devices that a killed build left on files of its work folder. The kernel keeps them when their container
//! is gone, and with them the disk space of the removed files.

use crate::exec::Cmd;
use crate::facts::host::am_root;
use anyhow::Result;
use rustix::fs::makedev;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use walkdir::WalkDir;

/// Folder in which the kernel shows its block devices.
const BLOCK: &str = "/sys/block";

/// Detaches them. A device belongs to the folder if its file lies there: the device and the number of the
/// file are compared, because the path that the kernel tells is the one inside the container. Returns the
/// names. Only root can do that, so for other users this does nothing.
///
/// # Errors
/// A device is in use, or a program is missing.
pub fn detach(folder: &Path) -> Result<Vec<String>> {
    let block = Path::new(BLOCK);
    if !am_root() || !any_attached(block) {
        return Ok(Vec::new());
    }
    let columns = "NAME,BACK-INO,BACK-MAJ:MIN";
    let list = Cmd::new("losetup").args(["--list", "--json", "--output", columns]).read()?;
    let attached = attached(&serde_json::from_str(&list)?);
    let mut detached = Vec::new();
    for file in WalkDir::new(folder).same_file_system(true).into_iter().flatten() {
        let Ok(meta) = file.metadata() else { continue };
        let of_file = attached.iter().filter(|device| {
            meta.is_file() && (device.inode, device.file_system) == (meta.ino(), meta.dev())
        });
        for device in of_file {
            Cmd::new("losetup").args(["--detach", &format!("/dev/{}", device.name)]).read()?;
            detached.push(format!("/dev/{}", device.name));
        }
    }
    Ok(detached)
}

/// A loop device, and the file behind it.
#[derive(Debug, PartialEq, Eq)]
struct LoopDevice {
    /// Name below /dev.
    name: String,
    inode: u64,
    /// Device number of the file system that holds the file.
    file_system: u64,
}

fn any_attached(block: &Path) -> bool {
    let devices = fs::read_dir(block).into_iter().flatten().flatten();
    devices.map(|device| device.path()).any(|device| device.join("loop/backing_file").exists())
}

/// Reads what losetup prints. Its numbers are texts or not, by its version.
fn attached(list: &Value) -> Vec<LoopDevice> {
    let text = |value: &Value| match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let devices = list["loopdevices"].as_array().into_iter().flatten();
    devices
        .filter_map(|device| {
            let numbers = text(&device["back-maj:min"]);
            let (major, minor) = numbers.split_once(':')?;
            Some(LoopDevice {
                name: text(&device["name"]).strip_prefix("/dev/")?.to_owned(),
                inode: text(&device["back-ino"]).parse().ok()?,
                file_system: makedev(major.parse().ok()?, minor.parse().ok()?),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_losetups_numbers_are_read() {
        let list = json!({ "loopdevices": [
            { "name": "/dev/loop0", "back-ino": 12, "back-maj:min": "254:0   " },
            { "name": "/dev/loop1", "back-ino": "13", "back-maj:min": "  8:1" },
            { "name": "/dev/loop2", "back-ino": null, "back-maj:min": null },
        ] });
        let device = |name: &str, inode, major, minor| LoopDevice {
            name: name.to_owned(),
            inode,
            file_system: makedev(major, minor),
        };
        assert_eq!(attached(&list), [device("loop0", 12, 254, 0), device("loop1", 13, 8, 1)]);
    }

    #[test]
    fn a_device_with_a_file_is_attached() {
        let block = std::env::temp_dir().join(format!("xtask-devices-{}", std::process::id()));
        fs::create_dir_all(block.join("loop0/loop")).unwrap();
        assert!(!any_attached(&block));
        fs::write(block.join("loop0/loop/backing_file"), "/x\n").unwrap();
        assert!(any_attached(&block));
        fs::remove_dir_all(block).unwrap();
    }
}
