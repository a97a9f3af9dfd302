//! Folders that only one side has, and what is in them.

use super::Classifier;
use crate::classify::account::Settled;
use crate::classify::fact::{Fact, Facts, Seen};
use crate::classify::format::what;
use crate::classify::rules::lookup;
use crate::difference::Side;
use std::collections::HashSet;

/// Entries of a folder that only one side has that are named.
const ENTRIES: usize = 1_000;

impl Classifier<'_> {
    /// An entry that nothing explains: one line for a folder and all that is in it.
    pub(super) fn only_in(&mut self, index: usize, fact: &Fact) {
        let Seen::OnlyIn { side, entry } = &fact.what else { return };
        let mut folder = fact.place.clone();
        let path = folder.0.pop().unwrap_or_default();
        let above = match path.rsplit_once('/') {
            Some((parent, _)) => self.folders.get(&(*side, folder.join(parent))).copied(),
            None => None,
        };
        let item = match above {
            // the folder is there under another name, and what is in it was compared
            Some(None) => {
                self.follows(index, fact, what(fact));
                None
            }
            Some(Some(item)) => {
                self.account.settle(index, Settled::Unexplained);
                let usual = lookup::usual(&self.at(fact));
                let named = &mut self.diagnosis.unexplained[item];
                // the folder has the hint that all its files have
                if entry.kind != "dir" {
                    let first = !self.files.contains(&item);
                    let same = named.usually.map(|rule| rule.id) == usual.map(|rule| rule.id);
                    named.usually = if first || same { usual } else { None };
                }
                let sign = if *side == Side::A { '-' } else { '+' };
                if named.excerpt.len() < ENTRIES {
                    named.excerpt.push(format!("{sign} {path}"));
                }
                let n = self.entries.entry(item).or_default();
                *n += 1;
                let entries = if *n == 1 { "entry" } else { "entries" };
                named.what = format!("only in {side:?} (dir, and {n} {entries} in it)");
                Some(item)
            }
            None => {
                self.unexplained(index, fact);
                Some(self.diagnosis.unexplained.len() - 1)
            }
        };
        if entry.kind == "dir" {
            self.folders.insert((*side, fact.place.clone()), item);
        } else {
            self.files.extend(item);
        }
    }

    /// A folder that is there only for files that have a cause, has that cause.
    pub(super) fn folders_of_causes(&mut self, facts: &Facts) {
        let folders: HashSet<usize> = self.folders.values().copied().flatten().collect();
        let mut folders: Vec<usize> = folders.difference(&self.files).copied().collect();
        folders.sort_unstable();
        for item in folders.into_iter().rev() {
            let place = self.diagnosis.unexplained[item].place.clone();
            let mut places = self.causes.values().flat_map(|cause| &cause.places);
            if places.any(|other| other.is_below(&place)) {
                let of_folder = |fact: &Fact| fact.place == place || fact.place.is_below(&place);
                // who may write in it, no file says
                let is_odd = |fact: &Fact| matches!(&fact.what, Seen::OnlyIn { entry, .. } if !entry.is_plain());
                if facts.list.iter().any(|fact| fact.place == place && is_odd(fact)) {
                    continue;
                }
                for (index, fact) in facts.list.iter().enumerate() {
                    if of_folder(fact)
                        && matches!(fact.what, Seen::OnlyIn { .. })
                        && self.account.settled(index) == Some(Settled::Unexplained)
                    {
                        self.account.reconsider(index, Settled::Consequence);
                    }
                }
                let item = self.diagnosis.unexplained.remove(item);
                self.diagnosis.follows.push(item);
            }
        }
    }
}
