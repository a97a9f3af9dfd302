//! Names the cause of every difference, or leaves it unexplained.

mod contents;
mod folders;
mod pending;

use super::account::{Account, Settled};
use super::accounts::Accounts;
use super::checksums::Checksums;
use super::consequences::Consequences;
use super::correlate::Correlator;
use super::exchanged::{self, ExchangedIds};
use super::fact::{Fact, Facts, Seen};
use super::format::{excerpt, item, what};
use super::implanted;
use super::moved::{self, Moved};
use super::owners::{self, Owners};
use super::renames;
use super::rules::{self, lookup};
use super::umask::Umask;
use super::verity::HashTrees;
use super::{At, Cause, CauseRule, Context, Diagnosis, Item, epoch};
use crate::difference::{FieldKind, MetadataField, Place, Side};
use crate::edits::declared::Declared;
use crate::edits::{Changes, Edited, lines};
use crate::images::Images;
use pending::{Found, Pending};
use std::collections::{BTreeMap, HashMap, HashSet};

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
        exchanged: ExchangedIds::of(facts),
        moved_contents: exchanged::contents(facts, &context, images),
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
    exchanged: ExchangedIds,
    /// Facts whose content another file had in the other build.
    moved_contents: HashSet<usize>,
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
        if self.exchanged.has(&fact.what) {
            return self.unexplained(index, fact);
        }
        if epoch::follows(fact, self.context) {
            return self.explained(index, fact, &rules::EPOCH, excerpt(fact));
        }
        match &fact.what {
            Seen::Unreadable { side, offset, why } => {
                let what = format!("cannot be read in {side:?}, at offset {offset:#x}: {why}");
                self.not_read(index, fact, what);
            }
            Seen::NotJudged(why) => self.not_read(index, fact, why.clone()),
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
                    // to something that was there before; the time zone has a rule that knows it
                    None if !at.path_is(&["etc/localtime"])
                        && self.images.leads(Side::A, &fact.place, b)
                        && self.images.leads(Side::B, &fact.place, a) =>
                    {
                        self.unexplained(index, fact);
                    }
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
                // in a folder of settings the names say what is read, and when
                Some(changes) if !at.is_setting() && !at.is_code() => {
                    self.edits(index, fact, changes);
                    self.folders.insert((*side, fact.place.clone()), None);
                }
                _ => self.only_in(index, fact),
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
            "system-owner" => self
                .accounts
                .of(self.images, &fact.place, field)
                .is_some_and(|accounts| accounts.are_one([a, b])),
            "builder-owner" => {
                let accounts = self.accounts.of(self.images, &fact.place, field);
                !accounts.is_some_and(|accounts| accounts.have_person([a, b]))
                    && !self.images.is_setuid(&fact.place)
            }
            _ => true,
        };
        borne_out.then_some(rule)
    }

    fn of_rule(&mut self, index: usize, fact: &Fact, id: &str) {
        match rules::by_id(id) {
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
        let usually = match &fact.what {
            Seen::Metadata { field: MetadataField::Mode, .. } => rules::by_id("mode"),
            Seen::Metadata { field: MetadataField::Xattr(_), .. } => rules::by_id("xattrs"),
            Seen::Metadata { field: MetadataField::Uid | MetadataField::Gid, a, b }
                if owners::is_person(a) || owners::is_person(b) =>
            {
                rules::by_id("builder-owner")
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
        self.contents(facts);
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
