//! Paths as the engine sees them, when xtask itself runs in a container with the host's socket.
//!
//! A Gitea job's workspace is a volume of the job's container: its path does not exist on the
//! engine's host (go-gitea/gitea issue 23672). So the own container's mounts are looked up.

use super::Client;
use anyhow::Result;
use std::path::{Path, PathBuf};
use xtask_core::facts::container::{in_container, own_names};
use xtask_core::failure::Code;

/// How paths here become paths on the engine's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathMap {
    /// The engine sees the same file system.
    Same,
    /// We are its container: `(destination here, source there)`.
    Mounts(Vec<(PathBuf, PathBuf)>),
}

impl PathMap {
    pub(crate) fn of(client: &Client) -> Result<PathMap> {
        if !client.is_local() {
            return Err(Code::NotReady.error(
                "DOCKER_HOST points at a remote engine, which cannot see this checkout: unset it",
            ));
        }
        if client.socket.is_some() || !in_container() {
            return Ok(PathMap::Same);
        }
        let template = "{{range .Mounts}}{{.Destination}}\t{{.Source}}\n{{end}}";
        let names = own_names();
        let mounts = names.iter().find_map(|name| client.inspect(name, template).ok());
        // an engine that does not know us runs inside our own container, on our file system
        Ok(mounts.map_or(PathMap::Same, |text| PathMap::Mounts(parse(&text))))
    }

    /// `path` as the engine's host names it.
    pub(crate) fn translate(&self, path: &Path) -> Result<PathBuf> {
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
                path.display()
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

    #[test]
    fn the_longest_mount_wins_and_no_mount_is_refused() {
        let map = PathMap::Mounts(parse(
            "/workspace\t/var/lib/docker/volumes/w/_data\n/workspace/deep\t/srv/deep\n/var/run/docker.sock\t/run/docker.sock\n",
        ));
        let there = |path: &str| map.translate(Path::new(path)).map(|p| p.display().to_string());
        assert_eq!(there("/workspace/a/b").unwrap(), "/var/lib/docker/volumes/w/_data/a/b");
        assert_eq!(there("/workspace/deep").unwrap(), "/srv/deep");
        let error = there("/workspaces/x").unwrap_err();
        assert_eq!(Code::of(&error), Code::NotReady);
    }
}
