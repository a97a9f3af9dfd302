//! Users and groups of both sides: two numbers that stand for one name.

use super::owners::is_person;
use crate::difference::{MetadataField, Place, Side};
use crate::images::Images;
use std::collections::{HashMap, HashSet};

/// The accounts of one layer, of A and of B: names by number.
pub(super) struct Names([HashMap<String, String>; 2]);

impl Names {
    /// Returns true if A's list gives A's number the name that B's list gives B's.
    pub(super) fn are_one(&self, [a, b]: [&str; 2]) -> bool {
        let name = self.0[0].get(a);
        name.is_some() && name == self.0[1].get(b)
    }

    /// Returns true if one of the numbers is that of a person who has an account of the image: then it is
    /// no leftover of whoever built.
    pub(super) fn have_person(&self, numbers: [&str; 2]) -> bool {
        let has_account = |n: &str| self.0.iter().any(|names| names.contains_key(n));
        numbers.into_iter().any(|n| is_person(n) && has_account(n))
    }
}

/// The lists that were read, by the layers that hold them and their path.
#[derive(Default)]
pub(super) struct Accounts {
    read: HashMap<(Vec<String>, &'static str), Option<Names>>,
}

impl Accounts {
    /// The users or groups of the image that a place is in.
    pub(super) fn of(
        &mut self,
        images: &Images,
        place: &Place,
        field: &MetadataField,
    ) -> Option<&Names> {
        let path = match field {
            MetadataField::Uid => "etc/passwd",
            MetadataField::Gid => "etc/group",
            _ => return None,
        };
        let layers = place.layers();
        let names = self.read.entry((layers.to_vec(), path)).or_insert_with(|| {
            let list = |side| images.read(side, layers, path).map(|bytes| names(&bytes));
            Some(Names([list(Side::A)?, list(Side::B)?]))
        });
        names.as_ref()
    }
}

/// Returns true if other numbers in a list of accounts, etc/passwd or etc/group, are all that changed: each user's
/// own group is the same one, and so is the owner of each file.
pub(super) fn agree(images: &Images, layers: &[String], list: &str) -> bool {
    let users = list.rsplit('/').next().is_some_and(|name| name.starts_with("passwd"));
    (!users || groups_agree(images, layers, list)) && owners_agree(images, layers, list, users)
}

/// Returns true if no file is somebody else's in B, because its owner's number has another name there.
fn owners_agree(images: &Images, layers: &[String], list: &str, users: bool) -> bool {
    let names = |side| names(&images.read(side, layers, list).unwrap_or_default());
    let [a, b] = [Side::A, Side::B].map(names);
    let moved: HashSet<u32> = (a.keys().chain(b.keys()))
        .filter(|number| a.get(*number) != b.get(*number))
        .filter_map(|number| number.parse().ok())
        .collect();
    let owned = |side| {
        let mut owned = HashSet::new();
        let read = images.walk(side, layers, &mut |path, metadata| {
            let owner = if users { metadata.uid } else { metadata.gid };
            if let Some(owner) = owner.filter(|owner| moved.contains(owner)) {
                owned.insert((path.to_vec(), owner));
            }
        });
        read.then_some(owned)
    };
    // an owner that differs as well is told, and judged by itself
    let both = owned(Side::A).zip(owned(Side::B));
    both.is_some_and(|(a, b)| a.is_disjoint(&b))
}

/// Returns true if each user's own group has one name in A and in B: a user that is put into another one
/// may do what that one may.
fn groups_agree(images: &Images, layers: &[String], passwd: &str) -> bool {
    let groups = |side| names(&images.read(side, layers, "etc/group").unwrap_or_default());
    let users = |side| -> HashMap<String, String> {
        let list = images.read(side, layers, passwd).unwrap_or_default();
        let list = String::from_utf8_lossy(&list).into_owned();
        let user = |line: &str| {
            let mut fields = line.split(':');
            Some((fields.next()?.to_owned(), fields.nth(2)?.to_owned()))
        };
        list.lines().filter_map(user).collect()
    };
    let ([a, b], [in_a, in_b]) = ([Side::A, Side::B].map(users), [Side::A, Side::B].map(groups));
    a.iter().all(|(user, group)| {
        let name = in_a.get(group);
        b.get(user)
            .is_some_and(|other| in_b.get(other) == name && (name.is_some() || other == group))
    })
}

/// passwd(5), group(5). A number that stands there twice has no name.
fn names(list: &[u8]) -> HashMap<String, String> {
    let list = String::from_utf8_lossy(list);
    let mut names: HashMap<String, Option<String>> = HashMap::new();
    for line in list.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) {
            let name = Some(name.to_owned());
            names.entry(number.to_owned()).and_modify(|known| *known = None).or_insert(name);
        }
    }
    names.into_iter().filter_map(|(number, name)| Some((number, name?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_stands_there_twice_has_no_name() {
        let names = names(b"shadow:x:42:\nusers:x:100:\nevil:x:100:\n");
        assert_eq!(names.get("42").map(String::as_str), Some("shadow"));
        assert_eq!(names.get("100"), None);
    }
}
