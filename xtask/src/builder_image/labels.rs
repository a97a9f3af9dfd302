//! What an image says of its own making.

use super::Inputs;
use std::collections::BTreeMap;

pub(crate) const INPUTS: &str = "uk.silverlabs.silvermetal.inputs";
pub(crate) const BASE: &str = "uk.silverlabs.silvermetal.base";
pub(crate) const SNAPSHOT: &str = "uk.silverlabs.silvermetal.snapshot";
pub(crate) const APT_PINNED: &str = "uk.silverlabs.silvermetal.apt-pinned";
/// The OCI image specification's key for the source's commit.
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";

/// Why an image with these labels is not one of today's docker/ folder; `None` where it is.
pub(crate) fn mismatch(labels: &BTreeMap<String, String>, today: &Inputs) -> Option<String> {
    match labels.get(INPUTS) {
        None => Some(format!("it carries no label {INPUTS}: not a builder image of ours")),
        Some(inputs) if *inputs != today.digest.to_string() => Some(format!(
            "it was built from other inputs: its label says {inputs}, today's linux/build/docker gives {}",
            today.digest
        )),
        Some(_) => None,
    }
}
