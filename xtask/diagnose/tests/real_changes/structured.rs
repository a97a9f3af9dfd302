//! Changes with a meaning, which random bytes seldom have: files that come, go, or change places; names,
//! permissions, owners, links and devices; a date beside a byte of a program.

use crate::answer::{Answer, Place, plain};
use crate::headers::{self, Header};
use crate::node::{Kind, Node};
use crate::oracle;
use crate::random::Random;
use crate::tools;
use std::path::Path;

/// A changed image. No cause explains the change.
pub(crate) struct Act {
    pub(crate) what: String,
    pub(crate) image: Vec<u8>,
    /// Files, each of which has to be named as unexplained or not read.
    places: Vec<Place>,
    /// True if a content differs, or a file is another one.
    contents: bool,
}

impl Act {
    pub(crate) fn of(dir: &Path, image: &Node, random: &mut Random) -> Act {
        loop {
            if let Some(act) = attempt(dir, image, random) {
                return act;
            }
        }
    }

    /// `before` is the answer without the change.
    pub(crate) fn judge(&self, before: &Answer, answer: &Answer) -> Result<(), String> {
        if answer.identical {
            return Err("said to be identical".to_owned());
        }
        if self.contents && !answer.contents_differ {
            return Err("contents are said to be identical".to_owned());
        }
        for names in &self.places {
            let mut new = answer.open.difference(&before.open);
            let around =
                |place: &Place| names.starts_with(place) && answer.not_read.contains(place);
            if !new.any(|(place, _)| is_of(place, names) || around(place)) {
                let causes = answer.causes.iter().filter(|(_, place)| is_of(place, names));
                let causes: Vec<&str> = causes.map(|(id, _)| id.as_str()).collect();
                return Err(format!("{names:?}: not open; causes there: {causes:?}"));
            }
        }
        Ok(())
    }
}

/// Returns true if `place` is the file with these names, one of several of its name, or something in it.
fn is_of(place: &Place, names: &Place) -> bool {
    let plain: Place = place
        .iter()
        .map(|part| match part.rsplit_once('#') {
            Some((name, n)) if n.parse::<usize>().is_ok() => name.to_owned(),
            _ => part.clone(),
        })
        .collect();
    oracle::within(&plain, names)
}

/// Formats in which files have names.
fn has_names(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Cpio
            | Kind::Tar
            | Kind::Ar
            | Kind::Zip
            | Kind::TarOf(_)
            | Kind::Fat
            | Kind::Fat16
            | Kind::Fat32
            | Kind::Pe
            | Kind::Ext4
            | Kind::Squashfs(..)
            | Kind::Iso
    )
}

/// One of the acts, if the layer that is chosen has such a thing.
fn attempt(dir: &Path, image: &Node, random: &mut Random) -> Option<Act> {
    let mut paths = image.paths();
    paths.retain(|path| has_names(image.at(path).kind));
    let path = random.one_of(&paths).clone();
    let layer = image.at(&path);
    match random.below(9) {
        0 => exchange(dir, image, &path, random),
        1 => delete(dir, image, &path, random),
        2 => add(dir, image, &path, random),
        3 => second(dir, image, &path, random),
        4 => rename(dir, image, &path, random),
        5 => names_exchanged(dir, image, &path, random),
        6 => beside_a_date(dir, image, random),
        _ if matches!(layer.kind, Kind::Squashfs(..)) => pseudo(dir, image, &path, random),
        _ if layer.kind == Kind::Iso => rock_ridge(dir, image, &path, random),
        _ => header(dir, image, &path, random),
    }
}

/// A name that no file of these images has.
fn unused(kind: Kind) -> &'static str {
    match kind {
        Kind::Fat | Kind::Fat16 | Kind::Fat32 => "EVIL.BIN",
        Kind::Pe => ".evil",
        Kind::Ar | Kind::Iso => "evil.bin",
        _ => "usr/bin/evil",
    }
}

fn evil() -> Vec<u8> {
    b"#!/bin/sh\nexec nc -l -p 4444 -e /bin/sh\n".to_vec()
}

/// The act that gives the layer at `path` other children; `names` of them have to be named.
fn repacked(
    dir: &Path,
    image: &Node,
    path: &[usize],
    children: Vec<Node>,
    what: &str,
    names: &[&str],
) -> Act {
    let layer = image.at(path);
    let bytes = Node::layer(dir, layer.name, layer.kind, children).bytes;
    done(dir, image, path, bytes, what, names)
}

fn done(
    dir: &Path,
    image: &Node,
    path: &[usize],
    bytes: Vec<u8>,
    what: &str,
    names: &[&str],
) -> Act {
    let around = image.names(path);
    let place = |name: &&str| -> Place {
        around.iter().chain([name]).map(|name| plain(name).to_owned()).collect()
    };
    Act {
        what: format!("{what} {names:?} in {around:?}"),
        image: image.with(dir, path, bytes),
        places: names.iter().map(place).collect(),
        contents: true,
    }
}

/// A child that is a file with nothing in it.
fn leaf(layer: &Node, random: &mut Random) -> Option<usize> {
    let leaves = (0..layer.children.len()).filter(|i| layer.children[*i].kind == Kind::Leaf);
    let leaves: Vec<usize> = leaves.collect();
    (!leaves.is_empty()).then(|| *random.one_of(&leaves))
}

/// Two files have each other's content.
fn exchange(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    let [i, j] = [leaf(layer, random)?, leaf(layer, random)?];
    let mut children = layer.children.clone();
    let bytes = children[i].bytes.clone();
    children[i].bytes = std::mem::replace(&mut children[j].bytes, bytes);
    if children[i].bytes == children[j].bytes {
        return None;
    }
    let names = [children[i].name, children[j].name];
    Some(repacked(dir, image, path, children, "exchanged the contents of", &names))
}

/// Two files have each other's name, and stay where they are.
fn names_exchanged(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    let [i, j] = [leaf(layer, random)?, leaf(layer, random)?];
    let mut children = layer.children.clone();
    let names = [children[i].name, children[j].name];
    if children[i].bytes == children[j].bytes {
        return None;
    }
    [children[j].name, children[i].name] = names;
    Some(repacked(dir, image, path, children, "exchanged the names of", &names))
}

fn delete(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let mut children = image.at(path).children.clone();
    if children.len() < 2 {
        return None;
    }
    let gone = children.remove(random.below(children.len()));
    Some(repacked(dir, image, path, children, "deleted", &[gone.name]))
}

fn add(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    let mut children = layer.children.clone();
    let name = unused(layer.kind);
    children.insert(random.below(children.len() + 1), Node::leaf(name, evil()));
    Some(repacked(dir, image, path, children, "added", &[name]))
}

/// A second file of a name, before or after the first.
fn second(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    if !matches!(layer.kind, Kind::Cpio | Kind::Tar | Kind::Ar | Kind::Zip) {
        return None;
    }
    let mut children = layer.children.clone();
    let name = children[random.below(children.len())].name;
    children.insert(random.below(children.len() + 1), Node::leaf(name, evil()));
    Some(repacked(dir, image, path, children, "added a second", &[name]))
}

fn rename(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    let mut children = layer.children.clone();
    let i = random.below(children.len());
    let names = [children[i].name, unused(layer.kind)];
    children[i].name = names[1];
    Some(repacked(dir, image, path, children, "renamed", &names))
}

/// A byte of one file differs, and a date in another one, as a cause explains it.
fn beside_a_date(dir: &Path, image: &Node, random: &mut Random) -> Option<Act> {
    let paths = image.paths();
    let leaves = |dated: bool| {
        let mut leaves = paths.clone();
        leaves.retain(|path| {
            let node = image.at(path);
            node.kind == Kind::Leaf
                && node.name.contains("stamp") == dated
                && !node.bytes.is_empty()
        });
        leaves
    };
    let [dated, other] = [leaves(true), leaves(false)];
    if dated.is_empty() || other.is_empty() {
        return None;
    }
    let [dated, other] = [random.one_of(&dated), random.one_of(&other)];
    let [mut date, mut code] = [dated, other].map(|path| image.at(path).bytes.clone());
    // the seconds
    let digit = date.iter().rposition(u8::is_ascii_digit)?;
    date[digit] = if date[digit] == b'9' { b'8' } else { date[digit] + 1 };
    let at = random.below(code.len());
    // no digit or letter, so that no date, id or key explains it
    code[at] ^= 0x80;
    let names = oracle::names(image, other);
    Some(Act {
        what: format!("byte {at} of {names:?}, and a date in {:?}", image.names(dated)),
        image: image.with_all(dir, &[(dated, date), (other, code)]),
        places: vec![names],
        contents: true,
    })
}

/// Other metadata of a member of an archive.
fn header(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    let [i, j] = [leaf(layer, random)?, leaf(layer, random)?];
    let [name, other] = [i, j].map(|i| layer.children[i].name);
    let header = *random.one_of(&[
        Header::Mode(0o4755),
        Header::Mode(0o666),
        Header::Owner(1000),
        Header::Owner(33),
        Header::Symlink,
        Header::Device(1, 3),
        Header::Inode(4711),
        Header::Link(other),
    ]);
    let mut children = layer.children.clone();
    if let Some(content) = headers::content(layer.kind, header) {
        children[i].bytes = content;
    }
    let mut bytes = Node::layer(dir, layer.name, layer.kind, children).bytes;
    let before = bytes.clone();
    let linked = matches!(header, Header::Inode(_));
    if i == j && (linked || matches!(header, Header::Link(_)))
        || !headers::set(layer.kind, &mut bytes, name, header)
        || linked && !headers::set(layer.kind, &mut bytes, other, header)
        || bytes == before
    {
        return None;
    }
    let names = if linked { vec![name, other] } else { vec![name] };
    let act = done(dir, image, path, bytes, &format!("{header:?} of"), &names);
    let contents = !matches!(header, Header::Mode(_) | Header::Owner(_) | Header::Inode(_));
    Some(Act { contents, ..act })
}

/// Other metadata of a file in a squashfs.
fn pseudo(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let layer = image.at(path);
    let Kind::Squashfs(options, later) = layer.kind else { return None };
    let mut children = layer.children.clone();
    let name = children[random.below(children.len())].name;
    let (definition, names) = match random.below(4) {
        0 => (format!("{name} m 4644 0 0"), [name]),
        1 => (format!("{name} m 646 0 0"), [name]),
        2 => ("evil c 666 0 0 1 3".to_owned(), ["evil"]),
        _ => {
            children.retain(|child| child.name != name);
            let folder = |name: &str| name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            if children.iter().all(|child| folder(child.name) != folder(name)) {
                return None;
            }
            (format!("{name} s 777 0 0 /tmp/evil"), [name])
        }
    };
    let files: Vec<(&str, &[u8])> =
        children.iter().map(|child| (child.name, &child.bytes[..])).collect();
    let options = [options, &["-p", &definition]].concat();
    let bytes =
        tools::squashfs(&dir.join("squashfs"), &options, crate::formats::TIME + later, &files);
    let contents = !definition.contains(" m ");
    let act = done(dir, image, path, bytes, &definition, &names);
    Some(Act { contents, ..act })
}

/// Other permissions of a file or folder of an ISO, in the attributes of Rock Ridge.
fn rock_ridge(dir: &Path, image: &Node, path: &[usize], random: &mut Random) -> Option<Act> {
    let mut bytes = image.at(path).bytes.clone();
    let is_mode = |at: &usize| {
        bytes[*at..].starts_with(b"PX\x24\x01") || bytes[*at..].starts_with(b"PX\x2c\x01")
    };
    let fields: Vec<usize> = (32 << 10..bytes.len().min(128 << 10)).filter(is_mode).collect();
    if fields.is_empty() {
        return None;
    }
    let at = random.one_of(&fields) + 4;
    let mode = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) | 0o4002;
    bytes[at..at + 4].copy_from_slice(&mode.to_le_bytes());
    bytes[at + 4..at + 8].copy_from_slice(&mode.to_be_bytes());
    let act = done(dir, image, path, bytes, "a mode of Rock Ridge", &[]);
    // the name of the file is in another field: something of the ISO has to be open
    let places = vec![image.names(path).into_iter().map(str::to_owned).collect()];
    Some(Act { places, contents: false, ..act })
}
