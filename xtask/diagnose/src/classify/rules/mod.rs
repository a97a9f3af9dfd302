//! The table of rules. An edit belongs to the first rule that fits: special ones stand first.

mod builder;
mod identity;
mod leftovers;
pub(super) mod lookup;
mod metadata;
mod order;
mod shapes;
mod times;
mod volume;

use super::CauseRule;

pub(super) use builder::{BUILD_PATH, HOST_NAME, REPLACED, TEMPORARY, USER};

/// Versions of packages: the inputs moved, not the build.
pub(super) static PACKAGES: CauseRule = CauseRule {
    id: "packages",
    name: "other package versions: the inputs moved, not the build",
    fix: "build both from the same snapshot (linux/build/config/snapshot-pin.env) and the same lists",
    source: "the package databases of both images (dpkg, apk, pacman), whose checksums name both contents",
    evidence: super::rule::Evidence::Together,
};

/// Another SOURCE_DATE_EPOCH: everything that follows it differs.
pub(super) static EPOCH: CauseRule = CauseRule {
    id: "epoch",
    name: "another SOURCE_DATE_EPOCH: the inputs moved, and these follow it",
    fix: "build both from the same commit, or set it in linux/build/config/source-date-epoch.env",
    source: "the records, or the volume dates and the times of files, which agree",
    evidence: super::rule::Evidence::Together,
};

/// A hash tree whose salt or UUID was made at random.
pub(super) static VERITY: CauseRule = CauseRule {
    id: "verity-salt",
    name: "random salt or UUID of a dm-verity hash tree, and the hashes that follow from it",
    fix: "veritysetup format --salt=… --uuid=… (systemd-repart --seed=…) with constants",
    source: "veritysetup(8); the tree was recomputed over the data on both sides",
    evidence: super::rule::Evidence::Together,
};

/// A value with a name. Nothing proves why it differs, so it is only a hint.
pub(super) static SETTING: CauseRule = CauseRule {
    id: "setting",
    name: "a setting: somebody decided it, or another version of what writes it",
    fix: "compare the commits, configurations and packages of both builds",
    source: "the line has the form NAME=VALUE",
    evidence: super::rule::Evidence::Together,
};

pub(super) fn all() -> impl Iterator<Item = &'static CauseRule> {
    let tables: [&'static [CauseRule]; 7] = [
        identity::RULES,
        leftovers::RULES,
        volume::RULES,
        metadata::RULES,
        order::RULES,
        times::RULES,
        builder::RULES,
    ];
    tables.into_iter().flatten()
}

pub(super) fn by_id(id: &str) -> Option<&'static CauseRule> {
    all().find(|rule| rule.id == id)
}

/// Returns true if a rule only says what kind of value differs: a rule that knows the file says more.
pub(super) fn is_general(rule: &CauseRule) -> bool {
    matches!(
        rule.id,
        "build-time" | "time-zone" | "measured-time" | "line-order" | "locale-order" | "random-id"
    )
}

/// Returns true if a rule's files hold such values for another reason than the rule's.
pub(super) fn names_no_values(rule: &CauseRule) -> bool {
    matches!(
        rule.id,
        "password-salt" | "key-rings" | "loader-cache" | "locale-archive" | "fat-leftovers"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_says_what_mends_it() {
        let mut ids = BTreeSet::new();
        for rule in all().chain([
            &PACKAGES,
            &EPOCH,
            &VERITY,
            &SETTING,
            &HOST_NAME,
            &USER,
            &BUILD_PATH,
            &TEMPORARY,
            &REPLACED,
        ]) {
            assert!(ids.insert(rule.id), "{} stands twice", rule.id);
            for text in [rule.name, rule.fix, rule.source] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", rule.id);
            }
        }
    }
}
