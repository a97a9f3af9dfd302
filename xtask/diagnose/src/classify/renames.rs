//! Entries that go by another name on the other side: their names differ in an id, a date or a random
//! end, and everything that they hold is equal.

use super::correlate;
use super::fact::{Facts, Seen};
use crate::difference::{OneSidedEntry, Place, Side};
use crate::edits::{Changes, Edit, Edited, lines};
use crate::images::Images;
use std::collections::HashMap;

/// Entries of one folder that are looked at; a folder with thousands is no matter of random names.
const ENTRIES: usize = 1_000;

/// The edits between the names of such entries, by the index of each fact.
pub(super) fn of_names(facts: &Facts, images: &Images) -> HashMap<usize, Changes> {
    let mut folders: HashMap<(Place, String), [Vec<usize>; 2]> = HashMap::new();
    for (index, fact) in facts.list.iter().enumerate() {
        if let Seen::OnlyIn { side, .. } = &fact.what {
            let mut place = fact.place.clone();
            let path = place.0.pop().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            folders.entry((place, folder)).or_default()[*side as usize].push(index);
        }
    }
    let name = |index: usize| {
        let path = facts.list[index].place.path();
        path.rsplit('/').next().unwrap_or_default()
    };
    let mut found = HashMap::new();
    for [in_a, in_b] in folders.into_values() {
        let mut free = in_b;
        for x in in_a.into_iter().take(ENTRIES) {
            let fits = |y: &usize| is_renamed(name(x), name(*y)) && is_equal(facts, images, x, *y);
            if let Some(i) = free.iter().take(100).position(fits) {
                let y = free.swap_remove(i);
                found.insert(y, lines::compare(name(x), name(y)));
                found.insert(x, lines::compare(name(x), name(y)));
            }
        }
    }
    found
}

fn is_renamed(a: &str, b: &str) -> bool {
    let changes = lines::compare(a, b);
    let telling = |edit: &Edit| {
        matches!(edit.what, Edited::Dates(..) | Edited::Uuid | Edited::Hex | Edited::Blob)
            || correlate::random_names(&edit.a, &edit.b)
    };
    changes.edits.len() == 1 && changes.edits.iter().all(telling)
}

/// Returns true if the entry of A, and all that is below it, is equal to the entry of B but for the name.
fn is_equal(facts: &Facts, images: &Images, x: usize, y: usize) -> bool {
    let below = |index: usize, side: Side| -> Vec<(String, &OneSidedEntry, &Place)> {
        let top = &facts.list[index].place;
        let entries = facts.list.iter().filter_map(|fact| match &fact.what {
            Seen::OnlyIn { side: of, entry }
                if *of == side && (fact.place == *top || fact.place.is_below(top)) =>
            {
                let rest = fact.place.path()[top.path().len()..].to_owned();
                Some((rest, entry, &fact.place))
            }
            _ => None,
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries
    };
    let (a, b) = (below(x, Side::A), below(y, Side::B));
    a.len() == b.len()
        && a.len() <= ENTRIES
        && a.iter().zip(&b).all(|((path, entry, place), (other_path, other, other_place))| {
            path == other_path
                && (OneSidedEntry { mtime: 0, ..(*entry).clone() })
                    == (OneSidedEntry { mtime: 0, ..(*other).clone() })
                && match entry.kind {
                    "dir" => true,
                    "file" => same_bytes(images, place, other_place),
                    // the target of a link is not in the listing
                    _ => false,
                }
        })
}

fn same_bytes(images: &Images, a: &Place, b: &Place) -> bool {
    let hash = |side, place| diskimage::sha256(&*images.open(side, place)?).ok();
    let (a, b) = (hash(Side::A, a), hash(Side::B, b));
    a.is_some() && a == b
}
