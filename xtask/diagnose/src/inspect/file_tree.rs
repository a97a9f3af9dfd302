//! The names of a file system in memory. Paths are looked up as a program on that system would:
//! symbolic links are followed, and stay inside.

use diskimage::{Error, Kind, Node, Result, Tree, Walked};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use xtask_core::glob;

/// Entries of one tree. A desktop system has 300,000.
const MOST: usize = 600_000;
/// Links that one lookup follows, as in Linux (path_resolution(7)).
const LINKS: u32 = 40;
/// Steps of all lookups together. A desktop system needs some hundred thousand.
const STEPS: usize = 50_000_000;

/// Number of an entry in its tree.
pub(super) type Id = usize;

const ROOT: Id = 0;

/// All entries of a tree.
pub(super) struct FileTree {
    entries: Vec<Entry>,
    /// Steps that lookups may still take.
    steps: Cell<usize>,
}

struct Entry {
    name: Vec<u8>,
    parent: Id,
    /// `None`: a folder that the tree implies but does not list.
    node: Option<Node>,
    /// Sorted by name; those of one name in the order in which they are stored.
    children: Vec<Id>,
}

/// A path that a pattern matches.
pub(super) struct Match {
    /// The path as a program would write it.
    pub(super) path: String,
    pub(super) id: Id,
    /// The entry that the path leads to after all links; `None` if a link leads nowhere.
    pub(super) target: Option<Id>,
}

impl FileTree {
    pub(super) fn read(tree: &dyn Tree) -> Result<FileTree> {
        let root = tree.root()?;
        let root_entry = Entry { name: Vec::new(), parent: ROOT, node: None, children: Vec::new() };
        let mut files = FileTree { entries: vec![root_entry], steps: Cell::new(STEPS) };
        if tree.flat() {
            files.archive(tree, &root)?;
        } else {
            files.folders(tree, root)?;
        }
        for id in 0..files.entries.len() {
            let mut children = std::mem::take(&mut files.entries[id].children);
            children.sort_by(|a, b| files.entries[*a].name.cmp(&files.entries[*b].name));
            files.entries[id].children = children;
        }
        Ok(files)
    }

    fn folders(&mut self, tree: &dyn Tree, root: Node) -> Result<()> {
        let mut walked = Walked::default();
        let mut open = vec![(root, ROOT, 0)];
        while let Some((folder, id, depth)) = open.pop() {
            walked.enter(tree, &folder, depth)?;
            for (name, node) in tree.list(&folder)? {
                let folder = (node.metadata.kind == Kind::Folder).then(|| node.clone());
                let child = self.add(tree, id, name, Some(node))?;
                open.extend(folder.map(|folder| (folder, child, depth + 1)));
            }
        }
        Ok(())
    }

    /// Members of an archive: whole paths, of which one may be there twice.
    fn archive(&mut self, tree: &dyn Tree, root: &Node) -> Result<()> {
        let members = tree.list(root)?;
        let names: HashSet<&[u8]> = members.iter().map(|(name, _)| &name[..]).collect();
        let mut folders: HashMap<(Id, Vec<u8>), Id> = HashMap::new();
        for (path, node) in &members {
            let mut at = ROOT;
            let mut parts: Vec<&[u8]> = Vec::new();
            for part in unnumbered(path, &names).split(|byte| *byte == b'/') {
                match part {
                    b"" | b"." => {}
                    b".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            let Some(name) = parts.pop() else { continue };
            for part in parts {
                at = match folders.get(&(at, part.to_vec())) {
                    Some(id) => *id,
                    None => {
                        let id = self.add(tree, at, part.to_vec(), None)?;
                        folders.insert((at, part.to_vec()), id);
                        id
                    }
                };
            }
            if node.metadata.kind == Kind::Folder {
                let key = (at, name.to_vec());
                if let Some(id) = folders.get(&key) {
                    self.entries[*id].node = Some(node.clone());
                } else {
                    let id = self.add(tree, at, name.to_vec(), Some(node.clone()))?;
                    folders.insert(key, id);
                }
            } else {
                self.add(tree, at, name.to_vec(), Some(node.clone()))?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        tree: &dyn Tree,
        parent: Id,
        name: Vec<u8>,
        node: Option<Node>,
    ) -> Result<Id> {
        let id = self.entries.len();
        if id >= MOST {
            return Err(Error::new(tree.layer(), 0, format!("more than {MOST} entries")));
        }
        let node = node.map(|mut node| {
            node.metadata.xattrs.retain(|(name, _)| name == b"trusted.overlay.opaque");
            node.metadata.more = Vec::new();
            node
        });
        self.entries.push(Entry { name, parent, node, children: Vec::new() });
        self.entries[parent].children.push(id);
        Ok(id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - 1
    }

    pub(super) fn node(&self, id: Id) -> Option<&Node> {
        self.entries[id].node.as_ref()
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.node(id).map_or(Kind::Folder, |node| node.metadata.kind)
    }

    /// Every entry but the root.
    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        1..self.entries.len()
    }

    /// The path of an entry from the root, as it is stored.
    pub(super) fn path(&self, mut id: Id) -> String {
        let mut names = Vec::new();
        while id != ROOT {
            names.push(String::from_utf8_lossy(&self.entries[id].name));
            id = self.entries[id].parent;
        }
        names.reverse();
        names.join("/")
    }

    /// The entries of a folder that have a name.
    fn named(&self, folder: Id, name: &[u8], any_case: bool) -> Vec<Id> {
        let children = &self.entries[folder].children;
        if any_case {
            let same = |id: &&Id| self.entries[**id].name.eq_ignore_ascii_case(name);
            self.step(children.len());
            return children.iter().filter(same).copied().collect();
        }
        let first = children.partition_point(|id| &self.entries[*id].name[..] < name);
        let same = children[first..].iter().take_while(|id| self.entries[**id].name == name);
        same.copied().collect()
    }

    /// Pays for some steps; false: nothing is left to pay with.
    fn step(&self, steps: usize) -> bool {
        self.steps.set(self.steps.get().saturating_sub(steps));
        self.steps.get() > 0
    }

    /// True if lookups had to give up, so that their answers may lack something.
    pub(super) fn exhausted(&self) -> bool {
        self.steps.get() == 0
    }

    /// All that is stored under `path`; no link is followed.
    pub(super) fn stored_at(&self, path: &str) -> Vec<Id> {
        path.split('/').fold(vec![ROOT], |folders, name| {
            folders.into_iter().flat_map(|id| self.named(id, name.as_bytes(), false)).collect()
        })
    }

    /// All that `path` leads to, links followed. Several records may have one name.
    pub(super) fn find(&self, path: &str) -> Vec<Id> {
        self.follow(ROOT, path.as_bytes(), false)
    }

    /// The same, for a reader that does not tell upper case from lower case.
    pub(super) fn find_any_case(&self, path: &str) -> Vec<Id> {
        self.follow(ROOT, path.as_bytes(), true)
    }

    fn follow(&self, from: Id, path: &[u8], any_case: bool) -> Vec<Id> {
        // the parts that are left, the next one last
        let parts = |path: &[u8]| -> Vec<Vec<u8>> {
            let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
            parts.rev().map(<[u8]>::to_vec).collect()
        };
        let mut found = Vec::new();
        let mut open = vec![(from, parts(path), LINKS)];
        while let Some((at, mut left, links)) = open.pop() {
            if !self.step(1 + left.len()) {
                break;
            }
            let Some(name) = left.pop() else {
                if !found.contains(&at) {
                    found.push(at);
                }
                continue;
            };
            match &name[..] {
                b"." => open.push((at, left, links)),
                b".." => open.push((self.entries[at].parent, left, links)),
                name => {
                    for id in self.named(at, name, any_case) {
                        match self.node(id).and_then(|node| node.metadata.target.as_ref()) {
                            Some(target) if links > 0 => {
                                let from = if target.starts_with(b"/") { ROOT } else { at };
                                let mut left = left.clone();
                                left.extend(parts(target));
                                open.push((from, left, links - 1));
                            }
                            Some(_) => {}
                            None => open.push((id, left.clone(), links)),
                        }
                    }
                }
            }
        }
        found
    }

    /// Follows an entry's links; `None` if they lead nowhere.
    pub(super) fn target(&self, id: Id) -> Option<Id> {
        match self.node(id).and_then(|node| node.metadata.target.as_ref()) {
            None => Some(id),
            Some(target) => {
                let from = if target.starts_with(b"/") { ROOT } else { self.entries[id].parent };
                self.follow(from, target, false).first().copied()
            }
        }
    }

    /// Everything that matches `pattern` when links to folders are followed; folders are left out.
    /// Each folder is looked at once, so links in a circle end.
    pub(super) fn matches(&self, pattern: &str) -> Vec<Match> {
        let parts: Vec<&str> = pattern.split('/').collect();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![(ROOT, 0, String::new())];
        while let Some((folder, index, prefix)) = open.pop() {
            if !seen.insert((folder, index)) || !self.step(1) {
                continue;
            }
            let part = parts[index];
            let last = index + 1 == parts.len();
            if part == "**" && !last {
                open.push((folder, index + 1, prefix.clone()));
            }
            for id in &self.entries[folder].children {
                self.step(1);
                let name = String::from_utf8_lossy(&self.entries[*id].name);
                let matches = part == "**" || glob::matches_path(part, &name);
                if !matches {
                    continue;
                }
                let path =
                    if prefix.is_empty() { name.into_owned() } else { format!("{prefix}/{name}") };
                let target = self.target(*id);
                match target.filter(|target| self.kind(*target) == Kind::Folder) {
                    Some(folder) if part == "**" => open.push((folder, index, path)),
                    Some(folder) if !last => open.push((folder, index + 1, path)),
                    Some(_) => {}
                    None if last => found.push(Match { path, id: *id, target }),
                    None => {}
                }
            }
        }
        found
    }
}

/// The name without the number that tells it from an earlier member of the same name.
fn unnumbered<'a>(path: &'a [u8], names: &HashSet<&[u8]>) -> &'a [u8] {
    let mark = path.iter().rposition(|byte| *byte == b'#');
    let plain = mark.and_then(|mark| {
        let number = &path[mark + 1..];
        let number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        (number && names.contains(&path[..mark])).then(|| &path[..mark])
    });
    plain.unwrap_or(path)
}
