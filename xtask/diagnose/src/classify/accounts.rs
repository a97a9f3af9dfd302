//! Users and groups of both sides: two numbers that stand for one name.

use crate::difference::{MetadataField, Place, Side};
use crate::images::Images;
use std::collections::HashMap;

/// Names by number, of A and of B.
type Names = [HashMap<String, String>; 2];

/// The lists that were read, by the layers that hold them and their path.
#[derive(Default)]
pub(super) struct Accounts {
    read: HashMap<(Vec<String>, &'static str), Option<Names>>,
}

impl Accounts {
    /// Returns true if A's list gives A's number the name that B's list gives B's.
    pub(super) fn is_one(
        &mut self,
        images: &Images,
        place: &Place,
        field: &MetadataField,
        numbers: [&str; 2],
    ) -> bool {
        let path = match field {
            MetadataField::Uid => "etc/passwd",
            MetadataField::Gid => "etc/group",
            _ => return false,
        };
        let layers = place.0.split_last().map_or(&[][..], |(_, layers)| layers);
        let names = self.read.entry((layers.to_vec(), path)).or_insert_with(|| {
            let list = |side| images.read(side, layers, path).map(|bytes| names(&bytes));
            Some([list(Side::A)?, list(Side::B)?])
        });
        let Some([a, b]) = names else { return false };
        let name = a.get(numbers[0]);
        name.is_some() && name == b.get(numbers[1])
    }
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
