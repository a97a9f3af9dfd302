//! Members of an archive that are one file once they are unpacked: of one name, of names that are one path, or
//! reached through links. The last of them is there in the end, so that their order means something.

use super::member::Member;
use crate::record::printable;
use crate::tree::Kind;
use std::collections::HashMap;

/// Links on the way of one path; Linux follows 40.
const LINKS: usize = 40;

/// Parts and bytes of a path that is followed; real ones have thirty parts.
const PARTS: usize = 64;
const LONGEST: usize = 1024;

/// Stands for all paths that are not followed to their end.
const UNKNOWN: &[u8] = b"\0";

/// Name of the fact that says which member a link of a tar is made of.
const HARD_LINK: &str = "hard link to";

/// Says of a member which one takes its place, and of a hard link which of several members it is made of.
pub(super) fn tell(members: &mut [Member]) {
    let is_link = |member: &&Member| member.metadata.kind == Kind::Symlink;
    let links = members.iter().filter(is_link);
    let links = links.filter_map(|link| Some((path(link.path()), link.metadata.target.clone()?)));
    let links: HashMap<Vec<u8>, Vec<u8>> = links.collect();
    let mut places: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (place, member) in members.iter().enumerate() {
        places.entry(resolved(member.path(), &links)).or_default().push(place);
    }
    let (mut told, mut made_of) = (Vec::new(), Vec::new());
    for places in places.values().filter(|places| places.len() > 1) {
        let is_folder = |place: &usize| members[*place].metadata.kind == Kind::Folder;
        if let Some((last, earlier)) = places.split_last().filter(|_| !places.iter().all(is_folder))
        {
            let name = printable(&members[*last].name);
            told.extend(earlier.iter().map(|place| (*place, "replaced by", name.clone())));
        }
    }
    for (place, member) in members.iter().enumerate() {
        let target = member.metadata.more.iter().find(|(name, _)| *name == HARD_LINK);
        let Some((_, target)) = target else { continue };
        let Some(of) = places.get(&resolved(target.as_bytes(), &links)) else { continue };
        let before = of.iter().rev().find(|other| **other < place);
        match before {
            Some(target) if of.len() == 1 => made_of.push((place, *target)),
            Some(other) => told.push((place, "linked member", printable(&members[*other].name))),
            None => told.push((place, "linked member", "none before it".to_owned())),
        }
    }
    for (place, what, name) in told {
        members[place].metadata.more.push((what, name));
    }
    for (link, target) in made_of {
        share(members, &[link, target], target);
    }
}

/// Gives the content of the member `of` to those of `names` that have none: Linux makes them one file. They get
/// one inode number, that of `of` in the archive, or of the member that it is made of itself.
pub(super) fn share(members: &mut [Member], names: &[usize], of: usize) {
    let Some(Member { content, digest, metadata, .. }) = members.get(of) else { return };
    if metadata.kind != Kind::File {
        return;
    }
    let inode = metadata.inode.unwrap_or(of as u64);
    let (content, digest, size) = (content.clone(), *digest, metadata.size);
    for name in names {
        let Some(member) = members.get_mut(*name) else { continue };
        member.metadata.inode = Some(inode);
        if member.metadata.kind == Kind::File && member.metadata.size == 0 {
            (member.content, member.digest) = (content.clone(), digest);
            member.metadata.size = size;
        }
    }
}

/// A path without empty parts, `.` and `..`.
fn path(name: &[u8]) -> Vec<u8> {
    resolved(name, &HashMap::new())
}

/// The path that a name leads to, through the links of the archive. A link at its end is not followed.
fn resolved(name: &[u8], links: &HashMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
    };
    if name.len() > LONGEST {
        return UNKNOWN.to_vec();
    }
    // parts that are still to come, the next one last
    let mut rest = parts(name);
    let mut done: Vec<u8> = Vec::new();
    let (mut followed, mut walked) = (0, 0);
    while let Some(part) = rest.pop() {
        walked += 1;
        if walked > PARTS || done.len() > LONGEST {
            return UNKNOWN.to_vec();
        }
        let parent = done.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        match &part[..] {
            b"" | b"." => continue,
            b".." => {
                done.truncate(parent);
                continue;
            }
            _ => {}
        }
        let len = done.len();
        if !done.is_empty() {
            done.push(b'/');
        }
        done.extend(&part);
        let inner = !rest.is_empty() && !links.is_empty();
        if let Some(target) = inner.then(|| links.get(&done)).flatten() {
            followed += 1;
            if followed > LINKS || target.len() > LONGEST {
                return UNKNOWN.to_vec();
            }
            done.truncate(if target.starts_with(b"/") { 0 } else { len });
            rest.extend(parts(target));
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_it_leads_to() {
        let links = [("lib", "usr/lib"), ("usr/lib", "/opt/lib"), ("a", "a"), ("etc/x", "y")];
        let links: HashMap<_, _> =
            links.map(|(a, b)| (a.as_bytes().to_vec(), b.as_bytes().to_vec())).into();
        for (name, wanted) in [
            ("etc//./init", "etc/init"),
            ("/init", "init"),
            ("usr/../init", "init"),
            ("../init", "init"),
            ("lib/x", "opt/lib/x"),
            ("lib", "lib"),
            ("etc/x/z", "etc/y/z"),
        ] {
            let found = resolved(name.as_bytes(), &links);
            assert_eq!(String::from_utf8(found).unwrap(), wanted, "{name}");
        }
        // links without an end, paths without one
        for name in [b"a/b".to_vec(), b"x/".repeat(PARTS + 1), b"x".repeat(LONGEST + 1)] {
            assert_eq!(resolved(&name, &links), UNKNOWN);
        }
    }
}
