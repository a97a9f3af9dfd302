//! Entries that go by another name on the other side.

use super::correlate;
use super::fact::{Facts, Seen};
use crate::difference::{Place, Side};
use crate::edits::{Changes, Edit, Edited, lines};
use std::collections::HashMap;

/// Entries that only one side has, paired with one of the other side whose name differs in an id,
/// a date or a random end: the edits between their names.
pub(super) fn of_names(facts: &Facts) -> HashMap<usize, Changes> {
    let mut folders: HashMap<(Place, String), [Vec<usize>; 2]> = HashMap::new();
    for (index, fact) in facts.list.iter().enumerate() {
        if let Seen::OnlyIn { side, .. } = &fact.what {
            let mut place = fact.place.clone();
            let path = place.0.pop().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            folders.entry((place, folder)).or_default()[usize::from(*side == Side::B)].push(index);
        }
    }
    let name = |index: usize| {
        let path = facts.list[index].place.path();
        path.rsplit('/').next().unwrap_or_default()
    };
    let kind = |index: usize| match &facts.list[index].what {
        Seen::OnlyIn { entry, .. } => entry.kind,
        _ => "",
    };
    let mut found = HashMap::new();
    for [in_a, in_b] in folders.into_values() {
        let mut free = in_b;
        // a folder with thousands of them is no matter of random names
        for x in in_a.into_iter().take(1000) {
            let fits = |y: &usize| {
                let changes = lines::compare(name(x), name(*y));
                let telling = |edit: &Edit| {
                    matches!(
                        edit.what,
                        Edited::Dates(..) | Edited::Uuid | Edited::Hex | Edited::Blob
                    ) || correlate::random_names(&edit.a, &edit.b)
                };
                kind(x) == kind(*y) && changes.edits.len() == 1 && changes.edits.iter().all(telling)
            };
            if let Some(i) = free.iter().take(100).position(fits) {
                let y = free.swap_remove(i);
                found.insert(y, lines::compare(name(x), name(y)));
                found.insert(x, lines::compare(name(x), name(y)));
            }
        }
    }
    found
}
