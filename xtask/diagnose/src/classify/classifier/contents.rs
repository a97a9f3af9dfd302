//! Contents that differ, a link's target or a name: the causes of their edits.

use super::Classifier;
use super::pending::{Found, Pending};
use crate::classify::account::Settled;
use crate::classify::correlate::Correlated;
use crate::classify::fact::{Fact, Facts, Seen};
use crate::classify::format::{excerpt, item, shown, what};
use crate::classify::rules::{self, lookup};
use crate::classify::{At, CauseRule, Item, accounts, certificates, epoch, host_keys, mirrors};
use crate::difference::Side;
use crate::edits::declared::Declared;
use crate::edits::{Changes, Edit, Edited};
use std::collections::HashSet;

/// Stands for the order of lines among the edits of a content.
const ORDER: usize = usize::MAX;

impl Classifier<'_> {
    pub(super) fn content(&mut self, index: usize, fact: &Fact, changes: &Changes, at: &At<'_>) {
        if self.consequences.is_broken(&fact.place) {
            // the layer that could not be read is named; these are its bytes
            return self.account.settle(index, Settled::NotRead);
        }
        if self.moved_contents.contains(&index) {
            return self.unexplained(index, fact);
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
                && match rule.id {
                    "account-numbers" => accounts::agree(self.images, layers, at.place.path()),
                    "ssh-host-keys" if at.place.path().ends_with(".pub") => {
                        host_keys::belong(self.images, layers, at.place.path())
                    }
                    "tls-certificates" => {
                        certificates::belong(self.images, layers, at.place.path())
                    }
                    _ => true,
                }
        };
        candidates.into_iter().find(|(rule, is)| holds(rule, *is)).map(|(rule, _)| rule)
    }

    /// The edits of a content, of a link's target, or of a name.
    pub(super) fn edits(&mut self, index: usize, fact: &Fact, changes: &Changes) {
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

    /// Settles every content, now that it is known what belongs together.
    pub(super) fn contents(&mut self, facts: &Facts) {
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
            item.usually = item.usually.or_else(|| rules::by_id("build-time"));
        }
        if item.usually.is_none() && are_containers(fact, &pending.left) {
            item.usually = Some(&rules::HOST_NAME);
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
}

/// Returns true if two dates changed places: no build puts its time for another's, and the other's for its own.
fn exchanged(changes: &Changes) -> bool {
    let dates = || changes.edits.iter().filter(|edit| matches!(edit.what, Edited::Dates(..)));
    let pairs: HashSet<(&str, &str)> = dates().map(|edit| (&*edit.a, &*edit.b)).collect();
    pairs.iter().any(|(a, b)| pairs.contains(&(b, a)))
}

/// Returns true if these edits of a content exchange what an engine names its containers by default: the first 12 digits
/// of a container's id (docker run, --hostname). Many other things look like that, so that it proves nothing.
fn are_containers(fact: &Fact, left: &[usize]) -> bool {
    let Seen::Content(changes) = &fact.what else { return false };
    let is_id = |text: &str| {
        text.len() == 12 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    };
    let both = |edit: &Edit| edit.in_text && is_id(&edit.a) && is_id(&edit.b);
    !left.is_empty() && left.iter().all(|n| changes.edits.get(*n).is_some_and(both))
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
