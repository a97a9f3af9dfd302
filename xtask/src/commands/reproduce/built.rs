//! The records of the rebuild on this machine.

use serde_json::Value;
use std::path::Path;
use xtask_core::record_file;
use xtask_core::records::environment::Environment;

/// The environment of a finished build, from its build.json. Empty if that cannot be read.
pub(super) fn environment_of(build: &Path) -> Environment {
    let text = record_file::read(&build.join("build.json")).unwrap_or_default();
    let object: Value = serde_json::from_slice(&text).unwrap_or_default();
    Environment::of(&object).unwrap_or_default()
}
