//! The container that this process runs in, if any: a CI job's, for instance.

use std::fs;
use std::path::Path;

/// Returns true if this process runs in a container of Docker or Podman.
pub fn in_container() -> bool {
    Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists()
}

/// Docker's id of the container that this process runs in.
pub fn own_container() -> Option<String> {
    in_container().then(own_id)?
}

/// The names that the engine may know this container by: its id, then its host name, which the
/// caller may have changed.
pub fn own_names() -> Vec<String> {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    own_id().into_iter().chain(Some(hostname.trim().to_owned())).collect()
}

fn own_id() -> Option<String> {
    id_in(&fs::read_to_string("/proc/self/mountinfo").ok()?)
}

/// The 64 hex digits before `/hostname` in the source of the mount over /etc/hostname: Docker makes
/// that mount for every container.
fn id_in(mountinfo: &str) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let root = line.split(' ').nth(3)?.strip_suffix("/hostname")?;
        let id = root.rsplit('/').next()?;
        (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_id_is_read_from_its_hostname_mount() {
        let id = "a1".repeat(32);
        let line = format!(
            "700 690 254:0 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/vda rw"
        );
        assert_eq!(id_in(&line), Some(id));
        assert_eq!(id_in("700 690 254:0 /etc/hostname /etc/hostname rw - ext4 /dev/vda rw"), None);
    }
}
