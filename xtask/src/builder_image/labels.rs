//! The labels of a builder image, which record how it was built.

use super::Inputs;
use std::collections::BTreeMap;

pub(crate) const INPUTS: &str = "uk.silverlabs.silvermetal.inputs";
pub(crate) const BASE: &str = "uk.silverlabs.silvermetal.base";
pub(crate) const SNAPSHOT: &str = "uk.silverlabs.silvermetal.snapshot";
pub(crate) const APT_PINNED: &str = "uk.silverlabs.silvermetal.apt-pinned";

/// Returns the reason why an image with these labels was not built from the inputs `today`; `None` if it
/// was.
pub(crate) fn mismatch(labels: &BTreeMap<String, String>, today: &Inputs) -> Option<String> {
    match labels.get(INPUTS) {
        None => {
            Some(format!("it has no label {INPUTS}, so it is not a builder image of this project"))
        }
        Some(inputs) if *inputs != today.digest.to_string() => Some(format!(
            "it was built from other inputs: its label says {inputs}, today's linux/build/docker gives {}",
            today.digest
        )),
        Some(_) => None,
    }
}
