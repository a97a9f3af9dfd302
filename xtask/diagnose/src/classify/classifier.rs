//! Names the cause of every difference, or leaves it unexplained.

use super::account::{Account, Settled};
use super::accounts::{self, Accounts};
use super::checksums::Checksums;
use super::consequences::Consequences;
use super::correlate::{Correlated, Correlator};
use super::fact::{Fact, Facts, Seen};
use super::format::{excerpt, item, shown, what};
use super::implanted;
use super::mirrors;
use super::moved::{self, Moved};
use super::owners::{self, Owners};
use super::renames;
use super::rules::{self, lookup};
use super::umask::Umask;
use super::verity::HashTrees;
use super::{At, Cause, CauseRule, Context, Diagnosis, Item, epoch};
use crate::difference::{FieldKind, MetadataField, Place, Side};
use crate::edits::declared::Declared;
use crate::edits::{Changes, Edit, Edited, lines};
use crate::images::Images;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Entries of a folder that only one side has that are named.
const ENTRIES: usize = 1_000;

/// Stands for the order of lines among the edits of a content.
const ORDER: usize = usize::MAX;

/// Names the cause of everything in `facts`.
pub(crate) fn classify(facts: &Facts, context: &Context, images: &Images) -> Diagnosis {
    let mut context = context.with_times_of(facts);
    context.epochs = context.epochs.or_else(|| epoch::of(facts));
    let mut classifier = Classifier {
        context: &context,
        images,
        consequences: Consequences::of(facts),
        moved: moved::all(facts, images),
        trees: HashTrees::of(facts, images),
        correlator: Correlator::default(),
        checksums: Checksums::of(facts, images),
        account: Account::new(facts.list.len()),
        causes: BTreeMap::new(),
        pending: BTreeMap::new(),
        umask: Umask::of(facts),
        owners: Owners::of(facts),
        accounts: Accounts::default(),
        folders: HashMap::new(),
        entries: HashMap::new(),
        files: HashSet::new(),
        followers: Vec::new(),
        diagnosis: Diagnosis::default(),
    };
    let names = renames::of_names(facts, images);
    for (index, fact) in facts.list.iter().enumerate() {
        classifier.fact(index, fact, &names);
    }
    classifier.conclude(facts)
}

struct Classifier<'a> {
    context: &'a Context,
    images: &'a Images,
    consequences: Consequences,
    moved: Vec<Moved>,
    trees: HashTrees,
    correlator: Correlator,
    checksums: Checksums<'a>,
    account: Account,
    causes: BTreeMap<(&'static str, String), Cause>,
    /// Contents whose edits are not all judged.
    pending: BTreeMap<usize, Pending>,
    umask: Umask,
    owners: Owners,
    accounts: Accounts,
    /// Folders that only one side has, and the unexplained item that names them, if any does.
    folders: HashMap<(Side, Place), Option<usize>>,
    /// Number of entries in them, by item.
    entries: HashMap<usize, usize>,
    /// Those items in which something else than folders is.
    files: HashSet<usize>,
    /// Facts whose consequence is withdrawn where nothing else differs.
    followers: Vec<usize>,
    diagnosis: Diagnosis,
}

/// A content whose causes count only together: if one edit has none, nothing of it is explained.
#[derive(Default)]
struct Pending {
    found: Vec<Found>,
    /// Edits that nothing explains so far.
    left: Vec<usize>,
    /// True if some edits are proved to follow from others.
    follows: bool,
    /// The usual cause of what is left, which does not count here: a setting or code is somebody's decision.
    hint: Option<&'static CauseRule>,
}

/// One cause of a part of a content.
struct Found {
    rule: &'static CauseRule,
    detail: String,
    lines: Vec<String>,
}

impl<'a> Classifier<'a> {
    fn at<'f>(&self, fact: &'f Fact) -> At<'f>
    where
        'a: 'f,
    {
        let content = match &fact.what {
            Seen::Content(changes) => Some(&**changes),
            _ => None,
        };
        At { place: &fact.place, layer: fact.layer, context: self.context, content }
    }

    fn fact(&mut self, index: usize, fact: &Fact, names: &HashMap<usize, Changes>) {
        let at = self.at(fact);
        self.diagnosis.contents |= !is_around(fact);
        if self.moved.iter().any(|moved| moved.explains(fact, self.images)) {
            return self.explained(index, fact, &rules::PACKAGES, Vec::new());
        }
        if epoch::follows(fact, self.context) {
            return self.explained(index, fact, &rules::EPOCH, excerpt(fact));
        }
        match &fact.what {
            Seen::Unreadable { side, offset, why } => {
                let what = format!("cannot be read in {side:?}, at offset {offset:#x}: {why}");
                self.not_read(index, fact, what);
            }
            Seen::Field { kind, name, .. } => match lookup::by_field(*kind, name) {
                Some(rule) => self.explained(index, fact, rule, excerpt(fact)),
                None if self.consequences.has_field(fact) => self.follows(index, fact, what(fact)),
                None if self.consequences.is_only_longer(fact) => {
                    self.of_rule(index, fact, "padding");
                }
                None if *kind == FieldKind::ApplicationUse => self.implanted(index, fact),
                None => self.by_layout(index, fact, *kind),
            },
            Seen::Metadata { field: MetadataField::LinkTarget, a, b } => {
                match lookup::by_metadata(&at, &MetadataField::LinkTarget, a, b, |_| true) {
                    Some(rule) => self.explained(index, fact, rule, excerpt(fact)),
                    None => self.edits(index, fact, &lines::compare(a, b)),
                }
            }
            Seen::Metadata { field, a, b } => match self.by_metadata(fact, field, a, b) {
                Some(rule) => self.explained(index, fact, rule, excerpt(fact)),
                None => self.unexplained(index, fact),
            },
            Seen::Order { a, b } => {
                match lookup::by_entry_order(fact.layer, lines::sorted_by_locale(a, b)) {
                    Some(rule) => self.explained(index, fact, rule, excerpt(fact)),
                    None => self.unexplained(index, fact),
                }
            }
            Seen::OnlyIn { side, .. } => match names.get(&index) {
                Some(changes) => {
                    self.edits(index, fact, changes);
                    self.folders.insert((*side, fact.place.clone()), None);
                }
                None => self.only_in(index, fact),
            },
            Seen::Repacked { format, sizes } => match lookup::by_repacking(format) {
                Some(rule) => {
                    let [a, b] = sizes;
                    let lines = vec![format!("- {a} bytes"), format!("+ {b} bytes")];
                    let lines = if a == b { Vec::new() } else { lines };
                    self.explained(index, fact, rule, lines);
                }
                None => self.unexplained(index, fact),
            },
            Seen::Content(changes) => self.content(index, fact, changes, &at),
        }
    }

    /// The rule for a property of an entry, if the rest of the image bears it out.
    fn by_metadata(
        &mut self,
        fact: &Fact,
        field: &MetadataField,
        a: &str,
        b: &str,
    ) -> Option<&'static CauseRule> {
        let at = self.at(fact);
        let others = |rule: &CauseRule| match rule.id {
            "umask" => self.umask.is_borne_out(&at),
            "builder-owner" => self.owners.are_borne_out(&at, field),
            _ => true,
        };
        let rule = lookup::by_metadata(&at, field, a, b, others)?;
        let borne_out = match rule.id {
            "system-owner" => self.accounts.is_one(self.images, &fact.place, field, [a, b]),
            "builder-owner" => !self.accounts.is_somebody(self.images, &fact.place, field, [a, b]),
            _ => true,
        };
        borne_out.then_some(rule)
    }

    fn of_rule(&mut self, index: usize, fact: &Fact, id: &str) {
        match rules::all().find(|rule| rule.id == id) {
            Some(rule) => self.explained(index, fact, rule, excerpt(fact)),
            None => self.unexplained(index, fact),
        }
    }

    /// The checksum of the image that implantisomd5 writes: of one side only, it is a cause; of both,
    /// a consequence.
    fn implanted(&mut self, index: usize, fact: &Fact) {
        let Seen::Field { a, b, .. } = &fact.what else { return };
        let verified = |side, text: &str| {
            fact.place.0.is_empty()
                && self.images.whole(side).is_some_and(|image| implanted::is_true(text, image))
        };
        let none = |text: &str| text.is_empty() || text == "\0";
        match (none(a) || verified(Side::A, a), none(b) || verified(Side::B, b)) {
            (true, true) if none(a) || none(b) => self.of_rule(index, fact, "implanted-md5"),
            (true, true) => {
                self.follows(index, fact, "checksum of the image, recomputed".to_owned())
            }
            _ => self.unexplained(index, fact),
        }
    }

    /// Tables and blocks of a squashfs that lie elsewhere, while nothing in it differs.
    fn by_layout(&mut self, index: usize, fact: &Fact, kind: FieldKind) {
        let layout = kind == FieldKind::Layout && fact.layer == "squashfs";
        let whole = !self.consequences.is_broken(&fact.place);
        match lookup::by_repacking("squashfs") {
            Some(rule) if layout && whole => self.explained(index, fact, rule, excerpt(fact)),
            _ => self.unexplained(index, fact),
        }
    }

    fn content(&mut self, index: usize, fact: &Fact, changes: &Changes, at: &At<'_>) {
        if self.consequences.is_broken(&fact.place) {
            // the layer that could not be read is named; these are its bytes
            return self.account.settle(index, Settled::NotRead);
        }
        if let Some(tree) = self.trees.get(index) {
            if tree.follows() {
                return self.follows(index, fact, "hashes of the data, recomputed".to_owned());
            }
            let lines = tree.excerpt();
            return self.explained(index, fact, &rules::VERITY, lines);
        }
        if let Some(rule) = self.by_shape(at) {
            return self.explained(index, fact, rule, excerpt(fact));
        }
        self.edits(index, fact, changes);
    }

    /// The rule that knows the shape of both whole contents.
    fn by_shape(&self, at: &At<'_>) -> Option<&'static CauseRule> {
        let candidates: Vec<_> = lookup::by_whole_path(at).collect();
        if candidates.is_empty() {
            return None;
        }
        let (_, layers) = at.place.0.split_last()?;
        let read = |side| String::from_utf8(self.images.read(side, layers, at.place.path())?).ok();
        let (a, b) = (read(Side::A)?, read(Side::B)?);
        let holds = |rule: &CauseRule, is: fn(&str, &str) -> bool| {
            is(&a, &b)
                && (rule.id != "account-numbers"
                    || !at.path_is(&["etc/passwd*"])
                    || accounts::groups_agree(self.images, layers, at.place.path()))
        };
        candidates.into_iter().find(|(rule, is)| holds(rule, *is)).map(|(rule, _)| rule)
    }

    /// An entry that nothing explains: one line for a folder and all that is in it.
    fn only_in(&mut self, index: usize, fact: &Fact) {
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

    /// The edits of a content, of a link's target, or of a name.
    fn edits(&mut self, index: usize, fact: &Fact, changes: &Changes) {
        let at = At {
            place: &fact.place,
            layer: fact.layer,
            context: self.context,
            content: Some(changes),
        };
        let mut pending = Pending::default();
        if let Some(order) = &changes.reordered {
            match lookup::by_word_order(order.by_locale) {
                Some(rule) if !at.is_ordered() => {
                    let lines = vec![format!("- {}", order.a), format!("+ {}", order.b)];
                    pending.found.push(Found { rule, detail: String::new(), lines });
                }
                _ => pending.left.push(ORDER),
            }
        }
        let exchanged = exchanged(changes);
        for (n, edit) in changes.edits.iter().enumerate() {
            if exchanged && matches!(edit.what, Edited::Dates(..)) {
                pending.left.push(n);
                continue;
            }
            if epoch::edit_follows(edit, self.context) {
                let detail = String::new();
                pending.found.push(Found { rule: &rules::EPOCH, detail, lines: shown(edit) });
                continue;
            }
            if matches!(edit.what, Edited::Declared(declared) if declared.follows())
                || self.consequences.has_edit(edit)
                || self.trees.has_edit(edit)
                || self.checksums.explain(edit, &at)
            {
                pending.follows = true;
                continue;
            }
            let found = lookup::by_edit(edit, &at);
            if found.is_empty() {
                self.correlator.add((index, n), edit, &at);
                pending.left.push(n);
            }
            for rule in found {
                let mirror = rule.id == "mirror";
                if mirror && !mirrors::are_known(self.images, &fact.place, edit) {
                    pending.left.push(n);
                    continue;
                }
                let detail =
                    if mirror { format!("`{}` ↔ `{}`", edit.a, edit.b) } else { String::new() };
                pending.found.push(Found { rule, detail, lines: shown(edit) });
            }
        }
        self.pending.insert(index, pending);
    }

    fn explained(
        &mut self,
        index: usize,
        fact: &Fact,
        rule: &'static CauseRule,
        lines: Vec<String>,
    ) {
        self.account.settle(index, Settled::Cause);
        self.cause(fact, Found { rule, detail: String::new(), lines });
    }

    fn cause(&mut self, fact: &Fact, found: Found) {
        let Found { rule, detail, lines } = found;
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

    fn follows(&mut self, index: usize, fact: &Fact, what: String) {
        self.account.settle(index, Settled::Consequence);
        self.followers.push(index);
        self.diagnosis.follows.push(Item { excerpt: excerpt(fact), ..item(fact, what) });
    }

    fn unexplained(&mut self, index: usize, fact: &Fact) {
        self.account.settle(index, Settled::Unexplained);
        let named = |id| rules::all().find(|rule| rule.id == id);
        let usually = match &fact.what {
            Seen::Metadata { field: MetadataField::Mode, .. } => named("mode"),
            Seen::Metadata { field: MetadataField::Xattr(_), .. } => named("xattrs"),
            Seen::Metadata { field: MetadataField::Uid | MetadataField::Gid, a, b }
                if owners::is_person(a) || owners::is_person(b) =>
            {
                named("builder-owner")
            }
            _ => self.usual(fact),
        };
        self.diagnosis.unexplained.push(Item {
            excerpt: excerpt(fact),
            usually,
            ..item(fact, what(fact))
        });
    }

    /// The cause that a difference at such a place usually has.
    fn usual(&self, fact: &Fact) -> Option<&'static CauseRule> {
        let listed = || self.moved.iter().any(|moved| moved.lists(fact));
        lookup::usual(&self.at(fact)).or_else(|| listed().then_some(&rules::PACKAGES))
    }

    fn not_read(&mut self, index: usize, fact: &Fact, what: String) {
        self.account.settle(index, Settled::NotRead);
        let usually = self.usual(fact);
        self.diagnosis.unreadable.push(Item { usually, ..item(fact, what) });
    }

    fn conclude(mut self, facts: &Facts) -> Diagnosis {
        for Correlated { key, rule, detail, decision } in
            std::mem::take(&mut self.correlator).conclude()
        {
            let (index, n) = key;
            let Some(pending) = self.pending.get_mut(&index) else { continue };
            if decision {
                pending.hint = Some(rule);
                continue;
            }
            pending.left.retain(|other| *other != n);
            let fact = &facts.list[index];
            let lines = match &fact.what {
                Seen::Content(changes) => changes.edits.get(n).map(shown).unwrap_or_default(),
                _ => excerpt(fact),
            };
            pending.found.push(Found { rule, detail, lines });
        }
        for (index, pending) in std::mem::take(&mut self.pending) {
            self.settle_edits(index, &facts.list[index], pending);
        }
        for index in self.account.open() {
            self.unexplained(index, &facts.list[index]);
        }
        self.folders_of_causes(facts);
        let nothing = self.causes.is_empty()
            && self.diagnosis.unexplained.is_empty()
            && self.diagnosis.unreadable.is_empty();
        if nothing {
            // there is nothing that they could follow from
            for index in std::mem::take(&mut self.followers) {
                self.account.reconsider(index, Settled::Unexplained);
            }
            self.diagnosis.unexplained = std::mem::take(&mut self.diagnosis.follows);
        }
        let mut diagnosis = self.diagnosis;
        diagnosis.counts = self.account.counts();
        diagnosis.contents |= diagnosis.counts.unexplained + diagnosis.counts.not_read > 0;
        diagnosis.causes = self.causes.into_values().collect();
        let packages = |cause: &&mut Cause| std::ptr::eq(cause.rule, &rules::PACKAGES);
        if let Some(cause) = diagnosis.causes.iter_mut().find(packages) {
            cause.excerpt = self.moved.into_iter().flat_map(|moved| moved.changes).collect();
        }
        // moved inputs first: they say that the rest may be no fault of the build
        diagnosis.causes.sort_by_key(|cause| {
            let inputs =
                [&rules::PACKAGES, &rules::EPOCH].iter().any(|r| std::ptr::eq(*r, cause.rule));
            (!inputs, std::cmp::Reverse(cause.places.len()), cause.rule.id)
        });
        diagnosis
    }

    /// A content is explained if every edit is, and the edits account for every byte.
    fn settle_edits(&mut self, index: usize, fact: &Fact, pending: Pending) {
        let at = self.at(fact);
        let (rest, unread, opaque) = match &fact.what {
            Seen::Content(changes) => (changes.rest.clone(), changes.unread, changes.is_opaque()),
            _ => (None, None, false),
        };
        // a date among bytes whose format nobody reads may be anything
        let is_read = unread.is_none()
            || matches!(&fact.what, Seen::Content(changes)
                if changes.edits.iter().all(|edit| matches!(edit.what, Edited::Declared(_))));
        if pending.left.is_empty() && rest.is_none() && is_read {
            if pending.found.is_empty() && pending.follows {
                let boot = |edit: &Edit| edit.what == Edited::Declared(Declared::BootPosition);
                let is_boot = matches!(&fact.what, Seen::Content(x) if x.edits.iter().all(boot));
                let what =
                    if is_boot { "where the boot image lies" } else { "checksums, recomputed" };
                return self.follows(index, fact, what.to_owned());
            }
            if !pending.found.is_empty() {
                self.account.settle(index, Settled::Cause);
                let named = lookup::by_path(&at).filter(|rule| !rules::names_no_values(rule));
                for mut found in pending.found {
                    // what such a file is, says more than that there is a time in it
                    if let Some(rule) = named
                        && rules::is_general(found.rule)
                    {
                        found.rule = rule;
                    }
                    self.cause(fact, found);
                }
                return;
            }
        }
        if let Some(format) = unread {
            return self.not_read(
                index,
                fact,
                format!("in a format that is not read ({format}): its bytes differ"),
            );
        }
        self.account.settle(index, Settled::Unexplained);
        let mut item = Item { excerpt: excerpt(fact), ..item(fact, what(fact)) };
        item.usually = self.usual(fact).or(pending.hint);
        if let Seen::Content(changes) = &fact.what
            && let Some((a, b)) = changes.perhaps
            && self.context.are_near(a, b)
        {
            item.usually =
                item.usually.or_else(|| rules::all().find(|rule| rule.id == "build-time"));
        }
        if item.usually.is_none() && !at.is_code() && are_settings(fact, &pending.left) {
            item.usually = Some(&rules::SETTING);
        }
        if item.usually.is_none() && !opaque {
            item.usually = pending.found.first().map(|found| found.rule);
        }
        if let Some(rest) = rest {
            item.what = format!("{}: {rest}", item.what);
        }
        // what other rules explained is not shown again
        if let (Seen::Content(changes), [first, ..]) = (&fact.what, &pending.left[..])
            && let Some(edit) = changes.edits.get(*first)
            && pending.left.len() < changes.edits.len()
        {
            item.excerpt = shown(edit);
        }
        self.diagnosis.unexplained.push(item);
    }

    /// A folder that is there only for files that have a cause, has that cause.
    fn folders_of_causes(&mut self, facts: &Facts) {
        let folders: HashSet<usize> = self.folders.values().copied().flatten().collect();
        let mut folders: Vec<usize> = folders.difference(&self.files).copied().collect();
        folders.sort_unstable();
        for item in folders.into_iter().rev() {
            let place = self.diagnosis.unexplained[item].place.clone();
            let mut places = self.causes.values().flat_map(|cause| &cause.places);
            if places.any(|other| other.is_below(&place)) {
                let of_folder = |fact: &Fact| fact.place == place || fact.place.is_below(&place);
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

/// Returns true if two dates changed places: no build puts its time for another's, and the other's for its own.
fn exchanged(changes: &Changes) -> bool {
    let dates = || changes.edits.iter().filter(|edit| matches!(edit.what, Edited::Dates(..)));
    let pairs: HashSet<(&str, &str)> = dates().map(|edit| (&*edit.a, &*edit.b)).collect();
    pairs.iter().any(|(a, b)| pairs.contains(&(b, a)))
}

/// Returns true if these edits of a content exchange values that have a name: `timeout=5`.
fn are_settings(fact: &Fact, left: &[usize]) -> bool {
    let Seen::Content(changes) = &fact.what else { return false };
    let is_name = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    // the whole line is one setting, or a word of it is, as on a kernel's command line
    let is_line = |line: &str| {
        let line = line.trim_start();
        let line = ["set ", "export "].iter().find_map(|x| line.strip_prefix(x)).unwrap_or(line);
        let named = line.split_once('=').or_else(|| line.split_once(": "));
        named.is_some_and(|(name, _)| is_name(name.trim_end()))
    };
    let is_setting = |edit: &Edit| {
        let word = edit.before.trim_end_matches(['"', '\'']).strip_suffix('=').unwrap_or_default();
        match edit.what {
            Edited::Bytes | Edited::Declared(_) => false,
            Edited::Line => [&edit.a, &edit.b].iter().all(|line| line.is_empty() || is_line(line)),
            _ => is_line(&edit.before) || is_name(word.rsplit(' ').next().unwrap_or_default()),
        }
    };
    !left.is_empty()
        && left
            .iter()
            .all(|n| changes.edits.get(*n).is_some_and(|edit| edit.in_text && is_setting(edit)))
}

/// Returns true if a difference leaves every content and every link as it is.
fn is_around(fact: &Fact) -> bool {
    match &fact.what {
        Seen::Metadata { field, .. } => !matches!(
            field,
            MetadataField::Kind | MetadataField::LinkTarget | MetadataField::Xattr(_)
        ),
        Seen::Field { .. } | Seen::Repacked { .. } => true,
        Seen::Content(changes) => {
            matches!(changes.edits[..], [ref edit] if edit.what == Edited::Declared(Declared::Padding))
        }
        _ => false,
    }
}
