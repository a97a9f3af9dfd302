//! Debian's dpkg: var/lib/dpkg/status, and for each package a list of files and one of MD5 sums.

use super::manager::{Brought, Manager, Sum, View, merged};
use crate::packages::versions;
use std::collections::HashSet;

const STATUS: &str = "var/lib/dpkg/status";

pub(super) const MANAGER: Manager = Manager {
    has: |path| path == STATUS,
    versions: |view| Some(versions(&view.text(STATUS)?)),
    brought,
    shared: Some((STATUS, ["Package: ", "Architecture: "])),
};

fn brought(view: &View<'_>, name: &str, _: &str, found: &mut Brought) {
    for name in [name.to_owned(), format!("{name}:amd64")] {
        let path = |end: &str| format!("var/lib/dpkg/info/{name}.{end}");
        found.lists.extend([path("list"), path("md5sums")]);
        let list = view.text(&path("list")).unwrap_or_default();
        let folders = folders(&list);
        let listed = list.lines().map(|path| merged(path.trim_start_matches('/')));
        found.files.extend(listed.filter(|path| !folders.contains(path)));
        found.folders.extend(folders);
        let sums = view.text(&path("md5sums")).unwrap_or_default();
        let sums = sums.lines().filter_map(|line| line.split_once("  "));
        found.sums.extend(sums.map(|(sum, path)| (merged(path), Sum::Md5(sum.to_owned()))));
    }
}

/// The folders of a package's list.
fn folders(list: &str) -> HashSet<String> {
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort_unstable();
    let is_folder =
        |pair: &&[&str]| pair[1].strip_prefix(pair[0]).is_some_and(|rest| rest.starts_with('/'));
    lines.windows(2).filter(is_folder).map(|pair| merged(pair[0].trim_start_matches('/'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_list_are_told_from_files() {
        let list = "/.\n/bin\n/bin/bash\n/usr\n/usr/share\n/usr/share/doc/bash\n";
        let folders = folders(list);
        assert!(folders.contains("usr/share") && folders.contains("usr/bin"));
        assert!(!folders.contains("usr/bin/bash") && !folders.contains("usr/share/doc/bash"));
    }
}
