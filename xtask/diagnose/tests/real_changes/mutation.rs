//! One to eight random bytes of a random layer or file, changed or appended.

use crate::node::{Kind, Node};
use crate::oracle::owner;
use crate::random::Random;

/// Other bytes for one node of an image.
pub(crate) struct Mutation {
    pub(crate) path: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
    /// Offsets of the bytes that differ from the node's, in rising order; of appended bytes the first.
    pub(crate) offsets: Vec<usize>,
}

impl Mutation {
    /// The parts of it, each of which has to be told by itself: bytes of one file together, and each run of
    /// bytes of a layer. None if it has but one.
    pub(crate) fn apart(&self, image: &Node) -> Vec<Mutation> {
        let node = image.at(&self.path);
        let mut parts: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
        for offset in self.offsets.iter().copied().filter(|at| *at < node.bytes.len()) {
            let (path, _) = owner(image, &self.path, offset);
            let is_file =
                matches!(image.at(&path).kind, Kind::Leaf | Kind::Unread | Kind::Packed(_));
            match parts.last_mut() {
                Some((last, offsets))
                    if *last == path && (is_file || offsets.last() == Some(&(offset - 1))) =>
                {
                    offsets.push(offset);
                }
                _ => parts.push((path, vec![offset])),
            }
        }
        if parts.len() < 2 {
            return Vec::new();
        }
        let alone = |(_, offsets): (Vec<usize>, Vec<usize>)| {
            let mut bytes = node.bytes.clone();
            offsets.iter().for_each(|at| bytes[*at] = self.bytes[*at]);
            Mutation { path: self.path.clone(), bytes, offsets }
        };
        parts.into_iter().map(alone).collect()
    }
}

/// The replacement of a byte: any other, one with a flipped bit, or one of its class, so that text
/// stays text.
#[derive(Clone, Copy)]
enum Look {
    Any,
    OneBit,
    SameClass,
}

impl Mutation {
    pub(crate) fn of(image: &Node, random: &mut Random) -> Mutation {
        // a depth first: most files are deep, and every layer shall have its turn
        let mut paths = image.paths();
        let deepest = paths.iter().map(Vec::len).max().unwrap_or_default();
        let depth = random.below(deepest + 1);
        paths.retain(|path| path.len() == depth);
        let path = random.one_of(&paths).clone();
        let node = image.at(&path);
        let mut bytes = node.bytes.clone();
        let n = 1 + random.below(8);
        if node.kind != Kind::Leaf && random.below(12) == 0 {
            let offsets = vec![bytes.len()];
            bytes.extend(random.bytes(n));
            return Mutation { path, bytes, offsets };
        }
        let (start, length) = gap(image, &path, random).unwrap_or_else(|| region(node, random));
        let together = random.below(2) == 0;
        let look = *random.one_of(&[Look::Any, Look::OneBit, Look::SameClass]);
        let first = start + random.below(length);
        for i in 0..n {
            let at = if together { first + i } else { start + random.below(length) };
            if at < bytes.len() {
                bytes[at] = other(bytes[at], look, random);
            }
        }
        let offsets = differing(&node.bytes, &bytes);
        if offsets.is_empty() {
            // two changes of one byte undid each other
            return Mutation::of(image, random);
        }
        Mutation { path, bytes, offsets }
    }
}

/// Offsets of the bytes of `after` that `before` has otherwise or has not; one behind its end if it is shorter.
pub(crate) fn differing(before: &[u8], after: &[u8]) -> Vec<usize> {
    let mut offsets: Vec<usize> =
        (0..after.len()).filter(|at| before.get(*at) != after.get(*at)).collect();
    if after.len() < before.len() {
        offsets.push(after.len());
    }
    offsets
}

/// In every fourth case, zeros of a layer that belong to no file.
fn gap(image: &Node, path: &[usize], random: &mut Random) -> Option<(usize, usize)> {
    const TRIES: usize = 16;
    const LENGTH: usize = 8;
    let bytes = &image.at(path).bytes;
    if matches!(image.at(path).kind, Kind::Leaf | Kind::Unread | Kind::Packed(_))
        || random.below(4) > 0
    {
        return None;
    }
    let starts: Vec<usize> = (0..TRIES).map(|_| random.below(bytes.len())).collect();
    let is_gap =
        |at: &usize| bytes[*at..].starts_with(&[0; LENGTH]) && owner(image, path, *at).0 == path;
    starts.into_iter().find(is_gap).map(|at| (at, LENGTH))
}

/// Offset and length of the part that is changed: headers and the end of a layer are small, and hold
/// more than the rest.
fn region(node: &Node, random: &mut Random) -> (usize, usize) {
    let size = node.bytes.len();
    let small = 600.min(size);
    match (node.kind, random.below(4)) {
        (Kind::Leaf | Kind::Unread, _) => (0, size),
        (Kind::Gpt, 0) => (0, 2048),
        (Kind::Iso, 0) => (0, 32 << 10),
        (Kind::Iso, 1) => (32 << 10, 24 << 10),
        (_, 0) => (0, small),
        (_, 1) => (size - small, small),
        _ => (0, size),
    }
}

fn other(byte: u8, look: Look, random: &mut Random) -> u8 {
    let class: &[u8] = match byte {
        b'0'..=b'9' => b"0123456789",
        b'a'..=b'f' => b"abcdef",
        b'g'..=b'z' => b"ghijklmnopqrstuvwxyz",
        b'A'..=b'Z' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        _ => b"",
    };
    loop {
        let new = match look {
            Look::SameClass if !class.is_empty() => *random.one_of(class),
            Look::OneBit => byte ^ 1 << random.below(8),
            _ => random.next() as u8,
        };
        if new != byte {
            return new;
        }
    }
}
