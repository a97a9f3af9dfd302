//! Every difference gets its cause, or is left unexplained.

use super::consequences::{self, Consequences};
use super::correlate::Correlator;
use super::fact::{Fact, Facts, Seen};
use super::format::{excerpt, item, shown, what};
use super::moved::Moved;
use super::{At, Cause, Changed, Context, Diagnosis, Evidence, Item, Rule, epoch, renames, rules};
use crate::difference::{FieldKind, MetadataField, Place, Side};
use crate::edits::{Changes, Edit, Edited, lines};
use crate::images::Images;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Entries of a folder that only one side has that are named.
const ENTRIES: usize = 1_000;

/// Names the cause of everything in `facts`.
pub(crate) fn classify(facts: &Facts, context: &Context, images: &Images) -> Diagnosis {
    let guessed;
    let context = if context.epochs.is_none() {
        guessed = Context { epochs: epoch::of(facts), ..context.clone() };
        &guessed
    } else {
        context
    };
    let mut classifier = Classifier {
        context,
        consequences: Consequences::of(facts),
        moved: Moved::between(facts, images),
        correlator: Correlator::default(),
        causes: BTreeMap::new(),
        open: HashMap::new(),
        folders: HashMap::new(),
        entries: HashMap::new(),
        files: HashSet::new(),
        diagnosis: Diagnosis::default(),
    };
    let names = renames::of_names(facts);
    for (index, fact) in facts.list.iter().enumerate() {
        classifier.fact(index, fact, &names);
    }
    classifier.conclude(facts)
}

struct Classifier<'a> {
    context: &'a Context,
    consequences: Consequences,
    moved: Option<Moved>,
    correlator: Correlator,
    causes: BTreeMap<(&'static str, String), Cause>,
    /// Edits of a fact that nothing explains so far; `true`: and other bytes as well.
    open: HashMap<usize, (Vec<usize>, bool)>,
    /// Folders that only one side has, and the unexplained item that names them, if any does.
    folders: HashMap<(Side, Place), Option<usize>>,
    /// How much is in them, by item.
    entries: HashMap<usize, usize>,
    /// Those items in which something else than folders is.
    files: HashSet<usize>,
    diagnosis: Diagnosis,
}

impl<'a> Classifier<'a> {
    fn fact(&mut self, index: usize, fact: &Fact, names: &HashMap<usize, Changes>) {
        let at = At { place: &fact.place, layer: fact.layer, context: self.context };
        if let Seen::Unreadable { side, offset, why } = &fact.what {
            let what = format!("cannot be read in {side:?}, at offset {offset:#x}: {why}");
            self.diagnosis.unreadable.push(item(fact, what));
            return;
        }
        // of contents it depends on why they differ
        let content = matches!(fact.what, Seen::Content(_));
        let around = matches!(fact.what, Seen::Metadata { .. } | Seen::Field { .. });
        self.diagnosis.contents |= !content && !around;
        if self.moved.as_ref().is_some_and(|moved| moved.explains(fact)) {
            self.diagnosis.contents |= content;
            self.cause(&rules::PACKAGES, String::new(), fact, Vec::new());
            return;
        }
        if epoch::follows(fact, self.context) {
            self.cause(&rules::EPOCH, String::new(), fact, excerpt(fact));
            return;
        }
        match &fact.what {
            Seen::Field { kind: FieldKind::Layout, .. }
                if fact.layer == "squashfs" && !self.consequences.holds(&fact.place) =>
            {
                // tables and blocks lie elsewhere, yet nothing in them differs
                match by_format("squashfs") {
                    Some(rule) => self.cause(rule, String::new(), fact, excerpt(fact)),
                    None => self.unexplained(fact),
                }
            }
            Seen::Field { kind, .. } => self.field(fact, *kind),
            Seen::Metadata { field: MetadataField::LinkTarget, a, b } => match by_path(&at) {
                Some(rule) => self.cause(rule, String::new(), fact, excerpt(fact)),
                None => match by_metadata(&at, &MetadataField::LinkTarget, a, b) {
                    Some(rule) => self.cause(rule, String::new(), fact, excerpt(fact)),
                    None => self.edits(index, fact, &lines::compare(a, b)),
                },
            },
            Seen::Metadata { field, a, b } => match by_metadata(&at, field, a, b) {
                Some(rule) => self.cause(rule, String::new(), fact, excerpt(fact)),
                None => self.unexplained(fact),
            },
            Seen::Order { a, b } => {
                let rule = by_entry_order(fact.layer, lines::sorted_by_locale(a, b));
                match rule {
                    Some(rule) => self.cause(rule, String::new(), fact, excerpt(fact)),
                    None => self.unexplained(fact),
                }
            }
            Seen::OnlyIn { .. } => match (by_path(&at), names.get(&index)) {
                (Some(rule), _) => self.cause(rule, String::new(), fact, excerpt(fact)),
                (None, Some(changes)) => {
                    self.edits(index, fact, changes);
                    if let Seen::OnlyIn { side, .. } = &fact.what {
                        self.folders.insert((*side, fact.place.clone()), None);
                    }
                }
                (None, None) => self.only_in(fact),
            },
            Seen::Content(changes) => self.content(index, fact, changes, &at),
            Seen::BootInfo if self.consequences.of_layout(fact) => {
                self.diagnosis.follows.push(item(fact, what(fact)));
            }
            Seen::BootInfo => self.unexplained(fact),
            Seen::Unreadable { .. } => {}
        }
    }

    fn field(&mut self, fact: &Fact, kind: FieldKind) {
        if consequences::is_consequence(kind) {
            self.diagnosis.follows.push(item(fact, what(fact)));
            return;
        }
        let rule = rules::all()
            .find(|rule| matches!(rule.evidence, Evidence::Field(kinds) if kinds.contains(&kind)));
        match rule {
            Some(rule) => self.cause(rule, String::new(), fact, excerpt(fact)),
            None => self.unexplained(fact),
        }
    }

    fn content(&mut self, index: usize, fact: &Fact, changes: &Changes, at: &At<'_>) {
        if self.consequences.of_layout(fact) {
            self.diagnosis.follows.push(item(fact, "where things lie".to_owned()));
        } else if self.consequences.holds(&fact.place) {
            self.diagnosis.follows.push(item(fact, "bytes of what holds the rest".to_owned()));
        } else if let Some(rule) = by_path(at) {
            self.diagnosis.contents = true;
            self.cause(rule, String::new(), fact, excerpt(fact));
        } else if let Some(rule) = by_repacking(at) {
            let [a, b] = changes.sizes;
            let lines = [format!("- {a} bytes"), format!("+ {b} bytes")];
            self.cause(rule, String::new(), fact, if a == b { Vec::new() } else { lines.to_vec() });
        } else {
            self.diagnosis.contents = true;
            self.edits(index, fact, changes);
        }
    }

    /// An entry that no rule explains: one line for a folder and all that is in it.
    fn only_in(&mut self, fact: &Fact) {
        let Seen::OnlyIn { side, entry } = &fact.what else { return };
        let mut folder = fact.place.clone();
        let path = folder.0.pop().unwrap_or_default();
        let index = match path.rsplit_once('/') {
            Some((parent, _)) => self.folders.get(&(*side, folder.join(parent))).copied(),
            None => None,
        };
        let index = match index {
            Some(None) => {
                self.diagnosis.follows.push(item(fact, what(fact)));
                None
            }
            Some(Some(index)) => {
                let item = &mut self.diagnosis.unexplained[index];
                let sign = if *side == Side::A { '-' } else { '+' };
                if item.excerpt.len() < ENTRIES {
                    item.excerpt.push(format!("{sign} {path}"));
                }
                let n = self.entries.entry(index).or_default();
                *n += 1;
                let entries = if *n == 1 { "entry" } else { "entries" };
                item.what = format!("only in {side:?} (dir, and {n} {entries} in it)");
                Some(index)
            }
            None => {
                self.unexplained(fact);
                Some(self.diagnosis.unexplained.len() - 1)
            }
        };
        if entry.kind == "dir" {
            self.folders.insert((*side, fact.place.clone()), index);
        } else {
            self.files.extend(index);
        }
    }

    /// The edits of a content, of a link's target, or of a name.
    fn edits(&mut self, index: usize, fact: &Fact, changes: &Changes) {
        let at = At { place: &fact.place, layer: fact.layer, context: self.context };
        if let Some(order) = &changes.reordered {
            let by_locale = order.by_locale;
            let rule = rules::all()
                .find(|rule| matches!(rule.evidence, Evidence::WordOrder(x) if x == by_locale));
            if let Some(rule) = rule {
                let lines = vec![format!("- {}", order.a), format!("+ {}", order.b)];
                self.cause(rule, String::new(), fact, lines);
            }
        }
        let mut left = Vec::new();
        for (n, edit) in changes.edits.iter().enumerate() {
            if epoch::edit_follows(edit, self.context) {
                self.cause(&rules::EPOCH, String::new(), fact, shown(edit));
                continue;
            }
            if self.consequences.explains(edit, &at) {
                let known = self.diagnosis.follows.last().is_some_and(|i| i.place == fact.place);
                if !known {
                    let what = "a hash or name of what differs".to_owned();
                    self.diagnosis.follows.push(Item { excerpt: shown(edit), ..item(fact, what) });
                }
                continue;
            }
            let found: Vec<&'static Rule> = by_edit(edit, &at);
            for rule in &found {
                self.cause(rule, String::new(), fact, shown(edit));
            }
            if found.is_empty() {
                self.correlator.add(index << 8 | n, edit, &at);
                left.push(n);
            }
        }
        if !left.is_empty() || changes.opaque {
            self.open.insert(index, (left, changes.opaque));
        }
    }

    fn cause(&mut self, rule: &'static Rule, detail: String, fact: &Fact, lines: Vec<String>) {
        let cause = self.causes.entry((rule.id, detail.clone())).or_insert_with(|| Cause {
            rule,
            detail,
            places: Vec::new(),
            excerpt: lines,
        });
        if cause.places.last() != Some(&fact.place) {
            cause.places.push(fact.place.clone());
        }
    }

    fn unexplained(&mut self, fact: &Fact) {
        self.diagnosis.unexplained.push(Item { excerpt: excerpt(fact), ..item(fact, what(fact)) });
    }

    fn conclude(mut self, facts: &Facts) -> Diagnosis {
        let found = std::mem::take(&mut self.correlator).conclude();
        for (key, rule, detail) in found {
            let (index, n) = (key >> 8, key & 0xff);
            let Some((left, _)) = self.open.get_mut(&index) else { continue };
            left.retain(|other| *other != n);
            let fact = &facts.list[index];
            let lines = match &fact.what {
                Seen::Content(changes) => changes.edits.get(n).map(shown).unwrap_or_default(),
                _ => excerpt(fact),
            };
            self.cause(rule, detail, fact, lines);
        }
        let mut open: Vec<(usize, (Vec<usize>, bool))> = self.open.drain().collect();
        open.sort();
        for (index, (left, opaque)) in open {
            if !left.is_empty() || opaque {
                let fact = &facts.list[index];
                let mut item = Item { excerpt: excerpt(fact), ..item(fact, what(fact)) };
                // what other rules explained is not shown again
                if let (Seen::Content(changes), [first, ..]) = (&fact.what, &left[..])
                    && let Some(edit) = changes.edits.get(*first)
                    && edit.what != Edited::Line
                {
                    item.excerpt = shown(edit);
                }
                self.diagnosis.unexplained.push(item);
            }
        }
        let mut diagnosis = self.diagnosis;
        diagnosis.causes = self.causes.into_values().collect();
        // a folder that is only there for what has a cause
        let folders: HashSet<usize> = self.folders.into_values().flatten().collect();
        let mut folders: Vec<usize> = folders.difference(&self.files).copied().collect();
        folders.sort_unstable();
        for index in folders.into_iter().rev() {
            let place = &diagnosis.unexplained[index].place;
            let mut places = diagnosis.causes.iter().flat_map(|cause| &cause.places);
            if places.any(|other| other.is_below(place)) {
                let item = diagnosis.unexplained.remove(index);
                diagnosis.follows.push(item);
            }
        }
        if let (Some(moved), Some(cause)) = (
            &self.moved,
            diagnosis.causes.iter_mut().find(|cause| std::ptr::eq(cause.rule, &rules::PACKAGES)),
        ) {
            cause.excerpt.clone_from(&moved.changes);
        }
        // moved inputs first: they say that the rest may be no fault of the build
        diagnosis.causes.sort_by_key(|cause| {
            let inputs =
                [&rules::PACKAGES, &rules::EPOCH].iter().any(|r| std::ptr::eq(*r, cause.rule));
            (!inputs, std::cmp::Reverse(cause.places.len()), cause.rule.id)
        });
        if diagnosis.causes.is_empty() && diagnosis.unexplained.is_empty() {
            // there is nothing that it could follow from
            diagnosis.unexplained = std::mem::take(&mut diagnosis.follows);
        }
        diagnosis
    }
}

fn by_path(at: &At<'_>) -> Option<&'static Rule> {
    rules::all().find(|rule| matches!(rule.evidence, Evidence::Paths(paths) if at.path_is(paths)))
}

fn by_metadata(at: &At<'_>, field: &MetadataField, a: &str, b: &str) -> Option<&'static Rule> {
    let changed = Changed { at: *at, field, a, b };
    rules::all().find(|rule| matches!(rule.evidence, Evidence::Metadata(holds) if holds(&changed)))
}

fn by_entry_order(layer: &str, by_locale: bool) -> Option<&'static Rule> {
    let of_words =
        rules::all().find(|rule| by_locale && matches!(rule.evidence, Evidence::WordOrder(true)));
    of_words.or_else(|| {
        rules::all().find(|rule| {
            matches!(rule.evidence,
                Evidence::EntryOrder(layers) if layers.is_empty() || layers.contains(&layer))
        })
    })
}

fn by_format(format: &str) -> Option<&'static Rule> {
    rules::all()
        .find(|rule| matches!(rule.evidence, Evidence::Repacked(names) if names.contains(&format)))
}

fn by_repacking(at: &At<'_>) -> Option<&'static Rule> {
    if at.place.0.is_empty() {
        return by_format(at.context.format?);
    }
    rules::all().find(|rule| match rule.evidence {
        Evidence::Repacked(names) => at.path_is(names),
        _ => false,
    })
}

/// The first rule that has the edit, and those beside it.
fn by_edit(edit: &Edit, at: &At<'_>) -> Vec<&'static Rule> {
    let first =
        rules::all().find(|rule| matches!(rule.evidence, Evidence::Edit(holds) if holds(edit, at)));
    let beside = rules::all()
        .filter(|rule| matches!(rule.evidence, Evidence::AlsoEdit(holds) if holds(edit, at)));
    first.into_iter().chain(beside).collect()
}
