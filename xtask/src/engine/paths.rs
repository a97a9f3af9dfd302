//! Translates paths for the engine, if xtask itself runs in a container and uses the host's engine.
//!
//! A Gitea job's workspace is a volume of the job's container. Its path does not exist on the engine's
//! host (go-gitea/gitea issue 23672), so the mounts of our own container are read.

use super::Client;
use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::facts::container::{in_container, own_names};
use xtask_core::failure::Code;

/// Translation of our paths to paths on the engine's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathMap {
    /// The engine sees the same file system.
    Same,
    /// We run in a container of the engine, with these mounts: `(path here, path on its host)`.
    Mounts(Vec<(PathBuf, PathBuf)>),
}

impl PathMap {
    pub(crate) fn of(client: &Client) -> Result<PathMap> {
        if let Some(address) = client.remote_address() {
            return Err(Code::NotReady.error(format!(
                "engine {} is remote ({address}), and cannot see this checkout",
                client.kind
            )));
        }
        if client.socket.is_some() || !in_container() {
            return Ok(PathMap::Same);
        }
        let template = "{{range .Mounts}}{{.Destination}}\t{{.Source}}\n{{end}}";
        let names = own_names();
        let mounts = names.iter().find_map(|name| client.inspect(name, template).ok());
        // an engine that does not know our container runs inside it, on our file system
        Ok(mounts.map_or(PathMap::Same, |text| PathMap::Mounts(parse(&text))))
    }

    /// Returns the path of `path` on the engine's host.
    ///
    /// # Errors
    /// The engine cannot see it: it is on no mount, or the engine's API, which is JSON, cannot name it.
    pub(crate) fn translate(&self, path: &Path) -> Result<PathBuf> {
        if path.to_str().is_none() {
            return Err(Code::NotReady.error(format!(
                "{} is not UTF-8, so the engine cannot mount it: rename the folder",
                path.shown()
            )));
        }
        let PathMap::Mounts(mounts) = self else { return Ok(path.to_owned()) };
        let holding = mounts
            .iter()
            .filter_map(|(here, there)| Some((here, there, path.strip_prefix(here).ok()?)))
            .max_by_key(|(here, ..)| here.components().count());
        match holding {
            Some((_, there, rest)) if rest.as_os_str().is_empty() => Ok(there.clone()),
            Some((_, there, rest)) => Ok(there.join(rest)),
            None => Err(Code::NotReady.error(format!(
                "{} is inside this container and on none of its mounts, so the host's engine cannot \
                 see it: mount the workspace into this container (a volume or a bind), or pass --engine host",
                path.shown()
            ))),
        }
    }
}

fn parse(text: &str) -> Vec<(PathBuf, PathBuf)> {
    text.lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(here, there)| !here.is_empty() && !there.is_empty())
        .map(|(here, there)| (here.into(), there.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn the_longest_mount_wins_and_no_mount_is_refused() {
        let map = PathMap::Mounts(parse(
            "/workspace\t/var/lib/docker/volumes/w/_data\n/workspace/deep\t/srv/deep\n/var/run/docker.sock\t/run/docker.sock\n",
        ));
        let there = |path: &str| map.translate(Path::new(path)).map(|p| p.shown().to_string());
        assert_eq!(there("/workspace/a/b").unwrap(), "/var/lib/docker/volumes/w/_data/a/b");
        assert_eq!(there("/workspace/deep").unwrap(), "/srv/deep");
        let error = there("/workspaces/x").unwrap_err();
        assert_eq!(Code::of(&error), Code::NotReady);
        let latin1 = Path::new(std::ffi::OsStr::from_bytes(b"/workspace/\xfc"));
        map.translate(latin1).unwrap_err();
        PathMap::Same.translate(latin1).unwrap_err();
    }
}
