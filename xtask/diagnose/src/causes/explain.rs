//! Every difference gets its cause, or is left unexplained.

use super::fact::{Fact, Facts, Seen};
use super::follow::{self, Consequences};
use super::packages::{Moved, ReadFile};
use super::together::Together;
use super::{At, Changed, Context, Evidence, Rule, rules};
use crate::difference::{FieldKind, MetadataField, Place, Side};
use crate::edits::{Changes, Edit, Edited, dates, lines};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Entries of a folder that only one side has that are named.
const ENTRIES: usize = 1_000;

/// All that is said of two images.
#[derive(Debug, Default)]
pub(crate) struct Diagnosis {
    pub(crate) causes: Vec<Cause>,
    /// What has no cause of its own.
    pub(crate) follows: Vec<Item>,
    pub(crate) unexplained: Vec<Item>,
    pub(crate) unreadable: Vec<Item>,
    /// Whether a content differs anywhere, and not only what stands around it.
    pub(crate) contents: bool,
}

/// A cause, and everything that it made differ.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) rule: &'static Rule,
    /// Which one of its kind, e.g. the two strings that stand for each other; may be empty.
    pub(crate) detail: String,
    pub(crate) places: Vec<Place>,
    /// Lines with `-` and `+`, of the first place, unless it is another that they name.
    pub(crate) excerpt: Vec<String>,
}

/// A place, what differs there, and how that looks.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) what: String,
    /// Whether it is a content, which can be looked into further.
    pub(crate) content: bool,
    pub(crate) excerpt: Vec<String>,
}

/// Names the cause of everything in `facts`.
pub(crate) fn explain(facts: &Facts, context: &Context, read: &ReadFile<'_>) -> Diagnosis {
    let guessed;
    let context = if context.epochs.is_none() {
        guessed = Context { epochs: epochs(facts), ..context.clone() };
        &guessed
    } else {
        context
    };
    let mut judge = Judge {
        context,
        consequences: Consequences::of(facts),
        moved: Moved::between(facts, read),
        together: Together::default(),
        causes: BTreeMap::new(),
        open: HashMap::new(),
        folders: HashMap::new(),
        entries: HashMap::new(),
        files: HashSet::new(),
        diagnosis: Diagnosis::default(),
    };
    let names = pairs_of_names(facts);
    for (index, fact) in facts.list.iter().enumerate() {
        judge.fact(index, fact, &names);
    }
    judge.conclude(facts)
}

struct Judge<'a> {
    context: &'a Context,
    consequences: Consequences,
    moved: Option<Moved>,
    together: Together,
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

impl<'a> Judge<'a> {
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
        if follows_epoch(fact, self.context) {
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
        if follow::is_consequence(kind) {
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
            if edit_follows_epoch(edit, self.context) {
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
                self.together.add(index << 8 | n, edit, &at);
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
        let found = std::mem::take(&mut self.together).conclude();
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

/// Two SOURCE_DATE_EPOCHs, where the volume's date and the times of files tell the same two.
fn epochs(facts: &Facts) -> Option<[i64; 2]> {
    let volume = facts.list.iter().find_map(|fact| match &fact.what {
        Seen::Field { kind: FieldKind::VolumeDate, name, a, b }
            if name.contains("modification") =>
        {
            Some([dates::at(a)?.1.seconds, dates::at(b)?.1.seconds])
        }
        _ => None,
    })?;
    let of_files = facts.list.iter().filter(|fact| match &fact.what {
        Seen::Metadata { field: MetadataField::Mtime, a, b } => {
            fact.layer == "squashfs" && a.parse() == Ok(volume[0]) && b.parse() == Ok(volume[1])
        }
        _ => false,
    });
    (of_files.take(3).count() == 3).then_some(volume)
}

/// Whether a time is SOURCE_DATE_EPOCH on both sides, or an id that our recipes derive from it.
fn follows_epoch(fact: &Fact, context: &Context) -> bool {
    let Some([x, y]) = context.epochs else { return false };
    match &fact.what {
        Seen::Metadata { field: MetadataField::Mtime, a, b } => {
            // FAT counts in steps of two seconds
            let is = |text: &str, epoch: i64| {
                text.parse::<i64>().is_ok_and(|time| (0..2).contains(&(epoch - time)))
            };
            is(a, x) && is(b, y)
        }
        Seen::Metadata { field: MetadataField::More(_), a, b }
        | Seen::Field {
            kind: FieldKind::VolumeDate | FieldKind::MkfsTime | FieldKind::GzipTime,
            a,
            b,
            ..
        } => {
            let is = |text: &str, epoch: i64| {
                dates::at(text)
                    .is_some_and(|(_, moment)| (0..2).contains(&(epoch - moment.seconds)))
            };
            is(a, x) && is(b, y)
        }
        // mformat -N of the recipe; xorriso's GUIDs are made from the volume's date
        Seen::Field { kind: FieldKind::FatSerial, a, b, .. } => {
            let is = |text: &str, epoch: i64| {
                let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
                digits.eq_ignore_ascii_case(&format!("{:08x}", epoch & 0xffff_ffff))
            };
            is(a, x) && is(b, y)
        }
        Seen::Field { kind: FieldKind::DiskId, name, .. } => name.starts_with("GPT"),
        _ => false,
    }
}

fn edit_follows_epoch(edit: &Edit, context: &Context) -> bool {
    let Some([x, y]) = context.epochs else { return false };
    match edit.what {
        Edited::Dates(a, b) => context.are_epochs(a.seconds, b.seconds),
        Edited::RawTime(a, b) => context.are_epochs(a, b),
        // nanoseconds, as systemd's .updated has them
        Edited::Number => {
            let is =
                |text: &str, epoch: i64| text.strip_suffix("000000000") == Some(&epoch.to_string());
            is(&edit.a, x) && is(&edit.b, y)
        }
        _ => false,
    }
}

/// Entries that only one side has, paired with one of the other side whose name differs in an id,
/// a date or a random end: the edits between their names.
fn pairs_of_names(facts: &Facts) -> HashMap<usize, Changes> {
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
                    ) || super::together::random_names(&edit.a, &edit.b)
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

fn item(fact: &Fact, what: String) -> Item {
    let content = matches!(fact.what, Seen::Content(_));
    Item { place: fact.place.clone(), what, content, excerpt: Vec::new() }
}

/// What differs, in a few words.
fn what(fact: &Fact) -> String {
    match &fact.what {
        Seen::OnlyIn { side, entry } => format!("only in {side:?} ({})", entry.kind),
        Seen::Field { name, .. } => (*name).to_owned(),
        Seen::Metadata { field, .. } => field.name().to_owned(),
        Seen::Order { .. } => "order of entries".to_owned(),
        Seen::Content(changes) if changes.sizes[0] != changes.sizes[1] => {
            format!("content ({} and {} bytes)", changes.sizes[0], changes.sizes[1])
        }
        Seen::Content(_) => "content".to_owned(),
        Seen::BootInfo => "where the boot image lies".to_owned(),
        Seen::Unreadable { why, .. } => why.clone(),
    }
}

/// How it looks, as lines with `-` and `+`.
fn excerpt(fact: &Fact) -> Vec<String> {
    let both = |name: &str, a: &str, b: &str| vec![format!("- {name}{a}"), format!("+ {name}{b}")];
    match &fact.what {
        Seen::Field { name, a, b, .. } => both(&format!("{name}: "), a, b),
        Seen::Metadata { field: MetadataField::Mtime, a, b } => {
            let date = |text: &str| text.parse().map_or(text.to_owned(), dates::show);
            both("mtime ", &date(a), &date(b))
        }
        Seen::Metadata { field, a, b } => both(&format!("{} ", field.name()), a, b),
        Seen::Order { a, b } => {
            let first = a.iter().zip(b).position(|(x, y)| x != y).unwrap_or(0);
            let some = |list: &[String]| {
                list.iter().skip(first).take(4).map(String::as_str).collect::<Vec<_>>().join(", ")
            };
            both("", &some(a), &some(b))
        }
        Seen::Content(changes) => changes.excerpt.clone(),
        Seen::OnlyIn { side, entry } => {
            let sign = if *side == Side::A { '-' } else { '+' };
            vec![format!(
                "{sign} {} {:04o} {}:{} {} bytes",
                entry.kind, entry.mode, entry.uid, entry.gid, entry.size
            )]
        }
        Seen::BootInfo | Seen::Unreadable { .. } => Vec::new(),
    }
}

fn shown(edit: &Edit) -> Vec<String> {
    [('-', &edit.a), ('+', &edit.b)]
        .into_iter()
        .filter(|(_, text)| edit.what != Edited::Line || !text.is_empty())
        .map(|(sign, text)| format!("{sign} {}{text}{}", edit.before, edit.after))
        .collect()
}
