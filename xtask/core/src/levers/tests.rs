//! The levers of recipe `base`, over a tree that is made from them and broken in every place.

use super::{Anchor, Lever, Levers, Must, UpstreamTree, judge, parse, untried};
use crate::facts::git::git;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const OF_BASE: &str = include_str!("../../../../linux/build/recipes/base/levers.toml");
const SUBMODULE: &str = "live-build";
const SUBMODULES: [&str; 2] = [SUBMODULE, "grml-debootstrap"];

/// A repository with its submodules, in which every anchor holds.
struct Synthetic {
    dir: PathBuf,
}

impl Synthetic {
    fn new(levers: &Levers) -> Synthetic {
        let name = format!("levers-{}-{:?}", std::process::id(), std::thread::current().id());
        let dir = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).unwrap();
        let tree = Synthetic { dir };
        for (path, text) in files(levers) {
            tree.write(&path, &text);
        }
        for name in SUBMODULES.into_iter().chain(["."]) {
            git(&tree.dir.join(name)).args(["init", "--quiet"]).read().unwrap();
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The id of the tree as it is now.
    fn tree(&self) -> String {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        for inner in SUBMODULES.map(|name| self.dir.join(name)) {
            git(&inner).args(["add", "--all"]).read().unwrap();
            let unchanged = git(&inner).args(["diff", "--cached", "--quiet", "HEAD"]).succeeds();
            if !unchanged {
                git(&inner).args(who).args(["commit", "--quiet", "-m", "t"]).read().unwrap();
            }
        }
        git(&self.dir).args(["add", "--all"]).read().unwrap();
        git(&self.dir).arg("write-tree").read().unwrap()
    }

    /// Lines in levers.toml of the anchors that fell, in git's objects and in the files.
    fn fallen(&self, levers: &Levers) -> BTreeSet<usize> {
        let objects = UpstreamTree::of_commit(&self.dir, &self.tree(), levers).unwrap();
        let [there, on_disk] = [objects, UpstreamTree::of_folder(&self.dir)].map(|tree| {
            let judged = judge(levers, &tree).unwrap();
            let fallen = judged.iter().filter(|one| one.fell());
            fallen
                .map(|one| {
                    let shown = one.shown();
                    assert!(shown.contains(&one.lever.what), "{shown}");
                    assert!(shown.contains(&one.anchor.path), "{shown}");
                    one.anchor.line
                })
                .collect::<BTreeSet<_>>()
        });
        assert_eq!(there, on_disk);
        there
    }
}

impl Drop for Synthetic {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Contents of files in which every anchor holds.
fn files(levers: &Levers) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for (_, anchor) in levers.anchors() {
        match &anchor.must {
            Must::List(names) => {
                for name in names {
                    files.entry(format!("{}/{name}", anchor.path)).or_default();
                }
            }
            Must::HaveInOrder(lines) => {
                files.entry(anchor.path.clone()).or_default().push(lines.clone());
            }
            Must::MentionOnly { lines, .. } => {
                for line in lines {
                    // in a folder: `FILE: LINE`
                    let split = line.split_once(": ").filter(|(file, _)| {
                        file.strip_prefix(&anchor.path).is_some_and(|rest| rest.starts_with('/'))
                    });
                    if let Some((file, line)) = split {
                        files.entry(file.to_owned()).or_default().push(vec![line.to_owned()]);
                    }
                }
                if !lines.iter().any(|line| line.starts_with(&format!("{}/", anchor.path))) {
                    files.entry(anchor.path.clone()).or_default().push(lines.clone());
                }
            }
            Must::Lack(_) | Must::HaveContent { .. } => {}
        }
    }
    files.entry("live-build-data/x".to_owned()).or_default();
    files.into_iter().map(|(path, lists)| (path, merged(&lists))).collect()
}

/// One text in which each list of lines stands in its order.
fn merged(lists: &[Vec<String>]) -> String {
    let mut text = String::from("#!/bin/bash\n");
    // the n-th occurrence of a line in a list is the n-th in the file
    let numbered: Vec<Vec<(&str, usize)>> = lists
        .iter()
        .map(|list| {
            let of = |n: usize| list[..n].iter().filter(|line| **line == list[n]).count();
            (0..list.len()).map(|n| (list[n].as_str(), of(n))).collect()
        })
        .collect();
    let all: BTreeSet<_> = numbered.iter().flatten().collect();
    let mut done = BTreeSet::new();
    while done.len() < all.len() {
        let next = numbered.iter().flatten().find(|line| {
            let free = numbered.iter().all(|list| {
                list.iter().take_while(|other| other != line).all(|l| done.contains(l))
                    || !list.contains(line)
            });
            !done.contains(*line) && free
        });
        let line = next.expect("the anchors of a file contradict each other");
        done.insert(*line);
        text += &format!("   {}\n", line.0);
    }
    text
}

/// Ways to break an anchor: file and its new text; `None` removes the file.
fn breaks(must: &Must, path: &str, dir: &Path) -> Vec<(String, Option<String>)> {
    let text = |path: &str| fs::read_to_string(dir.join(path)).unwrap();
    let file_of =
        |line: &str| match line.split_once(": ").filter(|(file, _)| file.starts_with(path)) {
            Some((file, line)) => (file.to_owned(), line.to_owned()),
            None => (path.to_owned(), line.to_owned()),
        };
    let mut found = Vec::new();
    match must {
        Must::HaveInOrder(lines) | Must::MentionOnly { lines, .. } => {
            for line in lines {
                let (file, line) = file_of(line);
                let whole = text(&file);
                found.push((file.clone(), Some(whole.replace(&format!("{line}\n"), "\n"))));
                found.push((file.clone(), Some(whole.replace(&line, &format!("# {line}")))));
                found.push((file.clone(), Some(whole.replace(&line, &format!("{line} x")))));
            }
            if let Some(line) = lines.first() {
                found.push((file_of(line).0, None));
            }
            if let Must::MentionOnly { word, .. } = must {
                let file = lines.first().map_or_else(
                    || {
                        if dir.join(path).is_dir() {
                            format!("{path}/new")
                        } else {
                            path.to_owned()
                        }
                    },
                    |line| file_of(line).0,
                );
                let before = fs::read_to_string(dir.join(&file)).unwrap_or_default();
                found.push((file, Some(format!("{before}\tmore {word} here\n"))));
            }
        }
        Must::Lack(word) => {
            found.push((format!("{path}/deep/new"), Some(format!("x {word} y\n"))));
        }
        Must::List(names) => {
            found.push((format!("{path}/9999-new"), Some("x\n".to_owned())));
            found.push((format!("{path}/{}", names[0]), None));
        }
        Must::HaveContent { .. } => found.push((format!("{path}/9999-new"), Some(String::new()))),
    }
    found
}

/// The levers as they count in one layout.
fn in_layout(levers: &Levers, layout: &str) -> Levers {
    let counts = |anchor: &Anchor| anchor.layout.as_deref().is_none_or(|name| name == layout);
    let levers = levers.levers.iter().map(|lever| {
        let anchors = lever.anchors.iter().filter(|anchor| counts(anchor)).cloned().collect();
        Lever { anchors, ..lever.clone() }
    });
    Levers { layouts: vec![layout.to_owned()], levers: levers.collect(), ..Levers::default() }
}

#[test]
fn every_anchor_of_base_is_named_when_it_breaks() {
    let all = parse(OF_BASE).unwrap();
    for layout in &all.layouts {
        let levers = in_layout(&all, layout);
        let upstream = Synthetic::new(&levers);
        assert_eq!(upstream.fallen(&all), BTreeSet::new(), "{layout}");
        // what counts in each layout is broken in one of them
        let counts = |anchor: &Anchor| anchor.layout.is_some() || *layout == all.layouts[0];
        for (lever, anchor) in levers.anchors().filter(|(_, anchor)| counts(anchor)) {
            let alone = Levers { levers: vec![lever.clone()], ..levers.clone() };
            for (file, text) in breaks(&anchor.must, &anchor.path, &upstream.dir) {
                let path = upstream.dir.join(&file);
                let before = fs::read_to_string(&path).ok();
                match &text {
                    Some(text) => upstream.write(&file, text),
                    None => fs::remove_file(&path).unwrap(),
                }
                let fallen = upstream.fallen(&alone);
                assert!(
                    fallen.contains(&anchor.line),
                    "line {}: {file} was broken and only {fallen:?} fell: {text:?}",
                    anchor.line
                );
                match before {
                    Some(before) => upstream.write(&file, &before),
                    None => {
                        fs::remove_file(&path).unwrap();
                        drop(fs::remove_dir(path.parent().unwrap())); // if it is empty
                    }
                }
            }
        }
    }
}

/// The levers of base, as if the recipe also knew an older layout with another list of steps.
fn with_an_older_layout() -> Levers {
    let mut all = parse(OF_BASE).unwrap();
    let (old, new) = ("2000_make-iso".to_owned(), all.layouts.last().unwrap().clone());
    all.layouts = vec![old.clone(), new.clone()];
    let stages = all.levers.iter_mut().find(|lever| lever.name == "stages").unwrap();
    let is_list = |anchor: &&mut Anchor| matches!(anchor.must, Must::List(_));
    let of_new = stages.anchors.iter_mut().find(is_list).unwrap();
    of_new.layout = Some(new.clone());
    let mut of_old = Anchor { layout: Some(old.clone()), line: 0, ..of_new.clone() };
    let Must::List(names) = &mut of_old.must else { unreachable!() };
    names.retain(|name| *name != new);
    names.push(old);
    stages.anchors.push(of_old);
    all
}

#[test]
fn a_tree_with_no_known_layout_or_with_two_is_told() {
    let mut all = with_an_older_layout();
    all.never_built = all.layouts.last().cloned().into_iter().collect();
    let [old, new] = &all.layouts[..] else { panic!("{:?}", all.layouts) };
    let steps_of = |layout: &str| {
        let mut anchors = all.anchors().filter(|(lever, _)| lever.name == "stages");
        anchors.find(|(_, anchor)| anchor.layout.as_deref() == Some(layout)).unwrap().1.line
    };
    let upstream = Synthetic::new(&in_layout(&all, new));
    let step = upstream.dir.join(Levers::step(new));
    let text = fs::read_to_string(&step).unwrap();
    fs::rename(&step, upstream.dir.join("build-steps.d/3700_make-iso")).unwrap();
    let tree = UpstreamTree::of_folder(&upstream.dir);
    assert!(untried(&all, &tree).unwrap().unwrap().contains(new.as_str()));
    let fallen = upstream.fallen(&all);
    assert!(fallen.contains(&steps_of(new)), "{fallen:?}");
    assert!(!fallen.contains(&steps_of(old)), "{fallen:?}");
    fs::remove_file(upstream.dir.join("build-steps.d/3700_make-iso")).unwrap();
    upstream.write(&Levers::step(new), &text);
    upstream.write(&Levers::step(old), "x\n");
    assert_eq!(upstream.fallen(&all), BTreeSet::from([steps_of(new)]));
    fs::remove_file(upstream.dir.join(Levers::step(new))).unwrap();
    assert_eq!(untried(&all, &tree).unwrap(), None, "images of the old layout were built");
}

#[test]
fn a_submodule_that_is_not_there_is_known_by_its_commit() {
    let levers = parse(OF_BASE).unwrap();
    let levers = in_layout(&levers, &levers.layouts[0]);
    let upstream = Synthetic::new(&levers);
    upstream.tree();
    let tree = |commit: &str| {
        let info = format!("160000,{commit},{SUBMODULE}");
        git(&upstream.dir).args(["update-index", "--cacheinfo", &info]).read().unwrap();
        git(&upstream.dir).arg("write-tree").read().unwrap()
    };
    let mut inside = levers.anchors().filter(|(_, anchor)| anchor.path.starts_with(SUBMODULE));
    let read = inside.find_map(|(_, anchor)| anchor.submodule_at.clone()).unwrap();
    let judged = |commit: &str| -> Vec<String> {
        let tree = UpstreamTree::of_commit(&upstream.dir, &tree(commit), &levers).unwrap();
        let judged = judge(&levers, &tree).unwrap();
        judged.iter().filter(|one| !one.found().is_empty()).map(super::Judged::shown).collect()
    };
    assert_eq!(judged(&read), Vec::<String>::new());
    let moved = judged(&"4".repeat(40));
    assert_eq!(moved.len(), 9, "{moved:?}");
    for shown in moved {
        assert!(
            shown.contains("nobody looked: the submodule live-build moved to 444444444444"),
            "{shown}"
        );
    }
}

#[test]
fn each_anchor_says_where_somebody_read_it() {
    for (lever, anchor) in parse(OF_BASE).unwrap().anchors() {
        assert!(!anchor.held_at.is_empty(), "{}, line {}", lever.name, anchor.line);
        let inside = SUBMODULES.iter().any(|name| anchor.path.starts_with(&format!("{name}/")));
        assert_eq!(anchor.submodule_at.is_some(), inside, "line {}", anchor.line);
    }
}
