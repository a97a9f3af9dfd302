//! The investigation of mismatches: rebuilders who got the same other image, and what only they have. That
//! is a hint where to look; it proves nothing.

use super::votes::{Counted, VoteStanding};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use xtask_core::escape::Shown as _;
use xtask_core::pins::Digest;
use xtask_core::records::environment::FACTS;

/// Facts beside those of an environment, with their names.
const MORE: [(&str, &str); 3] = [
    ("image", "builder image"),
    ("kernel_series", "kernel series"),
    ("cpu_maker", "maker of the CPU"),
];

/// Rebuilders who got the same image, which is not the published one.
pub(super) struct MismatchGroup {
    pub(super) rebuilt: Digest,
    pub(super) who: BTreeSet<String>,
    /// Their names, without addresses.
    pub(super) names: BTreeSet<String>,
    /// First stage whose artefacts are others than those of the rebuilders who match, and these artefacts.
    pub(super) stage: Option<(String, Vec<String>)>,
    /// Facts that all of them state, and nobody else.
    pub(super) only_they: Vec<GroupFact>,
    /// Facts that all of them state, and others do, too.
    pub(super) shared: Vec<GroupFact>,
}

pub(super) struct GroupFact {
    pub(super) what: &'static str,
    pub(super) value: String,
    /// Number of other statements that do not say.
    pub(super) not_stated: usize,
}

/// Name of a fact and its value in a statement.
type FactValues = BTreeMap<&'static str, String>;

/// All facts of a statement.
fn facts(counted: &Counted) -> FactValues {
    let environment = &counted.statement.environment;
    let mut values: FactValues = FACTS
        .iter()
        .filter_map(|(key, name)| Some((*name, environment.get(key)?.to_owned())))
        .collect();
    let series = |kernel: &str| kernel.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let more = [
        counted.statement.image.clone(),
        environment.get("kernel").map(series),
        environment.get("cpu").and_then(maker),
    ];
    for ((_, name), value) in MORE.iter().zip(more) {
        values.extend(value.map(|value| (*name, value)));
    }
    values
}

/// The maker that a CPU's model names.
fn maker(cpu: &str) -> Option<String> {
    let known = ["AMD", "Intel"].into_iter().find(|maker| cpu.contains(maker));
    known.map(str::to_owned)
}

/// The groups, the largest first.
pub(super) fn of(counted: &[&Counted]) -> Vec<MismatchGroup> {
    let mut members: BTreeMap<&Digest, Vec<&Counted>> = BTreeMap::new();
    for one in counted.iter().copied().filter(|one| one.standing == VoteStanding::Disagrees) {
        if let Some(rebuilt) = &one.statement.rebuilt {
            members.entry(rebuilt).or_default().push(one);
        }
    }
    let mut groups: Vec<MismatchGroup> = members
        .into_iter()
        .map(|(rebuilt, inside)| {
            let outside: Vec<&Counted> = counted
                .iter()
                .copied()
                .filter(|one| one.statement.rebuilt.as_ref() != Some(rebuilt))
                .collect();
            group(rebuilt, &inside, &outside)
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.who.len()));
    groups
}

fn group(rebuilt: &Digest, inside: &[&Counted], outside: &[&Counted]) -> MismatchGroup {
    let [theirs, others]: [Vec<FactValues>; 2] =
        [inside, outside].map(|side| side.iter().map(|one| facts(one)).collect());
    let (mut only_they, mut shared) = (Vec::new(), Vec::new());
    let all = FACTS.iter().chain(&MORE).map(|(_, name)| *name);
    for what in all {
        let Some(value) = theirs.first().and_then(|values| values.get(what)) else { continue };
        if !theirs.iter().all(|values| values.get(what) == Some(value)) {
            continue;
        }
        let not_stated = others.iter().filter(|values| !values.contains_key(what)).count();
        let elsewhere = others.iter().any(|values| values.get(what) == Some(value));
        let fact = GroupFact { what, value: value.clone(), not_stated };
        // what nobody else states at all tells nothing
        if elsewhere {
            shared.push(fact);
        } else if not_stated < others.len() {
            only_they.push(fact);
        }
    }
    let matching = outside
        .iter()
        .find(|one| one.standing == VoteStanding::Agrees && !one.statement.stages.is_empty());
    let stage = inside.iter().find(|one| !one.statement.stages.is_empty()).zip(matching);
    MismatchGroup {
        rebuilt: rebuilt.clone(),
        who: inside.iter().map(|one| one.who.clone()).collect(),
        names: inside.iter().map(|one| one.statement.name().to_owned()).collect(),
        stage: stage.and_then(|(theirs, right)| first_stage(theirs, right)),
        only_they,
        shared,
    }
}

/// The first stage in which two statements differ, and the artefacts that do.
fn first_stage(theirs: &Counted, right: &Counted) -> Option<(String, Vec<String>)> {
    let of = |one: &Counted| -> BTreeMap<(String, String), Digest> {
        let lines = one.statement.stages.iter();
        lines.map(|(stage, path, digest)| ((stage.clone(), path.clone()), digest.clone())).collect()
    };
    let (a, b) = (of(right), of(theirs));
    let order = right.statement.stages.iter().chain(&theirs.statement.stages);
    let differs = |key: &(String, String)| a.get(key) != b.get(key);
    let stage = order.map(|(stage, path, _)| (stage.clone(), path.clone())).find(&differs)?.0;
    let keys: BTreeSet<&(String, String)> = a.keys().chain(b.keys()).collect();
    let paths =
        keys.into_iter().filter(|key| key.0 == stage && differs(key)).map(|key| key.1.clone());
    Some((stage.clone(), paths.collect()))
}

impl MismatchGroup {
    pub(super) fn text(&self) -> String {
        let who: Vec<String> = self.who.iter().map(|who| who.shown().to_string()).collect();
        let mut text = format!("image {}: {}\n", self.rebuilt.hex(), who.join(", "));
        if let Some((stage, paths)) = &self.stage {
            let paths: Vec<String> = paths.iter().map(|path| path.shown().to_string()).collect();
            text +=
                &format!("  first stage that differs: {} ({})\n", stage.shown(), paths.join(", "));
        }
        let they = if self.who.len() == 1 { "only this rebuilder has" } else { "only they have" };
        for fact in &self.only_they {
            text += &format!("  {they}: {} {}{}\n", fact.what, fact.value.shown(), fact.unknown());
        }
        if self.only_they.is_empty() {
            text += "  nothing that the statements tell is common to them alone\n";
        }
        let shared: Vec<String> = self
            .shared
            .iter()
            .map(|fact| format!("{} {}", fact.what, fact.value.shown()))
            .collect();
        if !shared.is_empty() {
            text += &format!("  others have it, too: {}\n", shared.join(", "));
        }
        text
    }

    pub(super) fn value(&self) -> Value {
        let list = |facts: &[GroupFact]| {
            let fact = |fact: &GroupFact| json!({ "what": fact.what, "value": fact.value, "not_stated": fact.not_stated });
            facts.iter().map(fact).collect::<Vec<_>>()
        };
        let stage = self.stage.as_ref();
        json!({
            "sha256": self.rebuilt.hex(),
            "rebuilders": self.who,
            "stage": stage.map(|(stage, _)| stage),
            "artefacts": stage.map_or(&[][..], |(_, paths)| paths),
            "only_they": list(&self.only_they),
            "shared": list(&self.shared),
        })
    }
}

impl GroupFact {
    /// A remark if not all others state the fact.
    pub(super) fn unknown(&self) -> String {
        match self.not_stated {
            0 => String::new(),
            1 => " (1 other statement does not say)".to_owned(),
            n => format!(" ({n} other statements do not say)"),
        }
    }
}
