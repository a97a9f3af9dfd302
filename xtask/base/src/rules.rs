//! What the commands that look for faults promise to find: names and explanations, in one place.
//!
//! `cargo xtask check --explain NAME` and the table in docs/rules.md are made from this. A rule of
//! `check` describes itself in its own file; the rules of `doctor` are described here.

/// A rule as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Kebab case; what `--explain`, `--only` and `--skip` take.
    pub name: &'static str,
    /// What must hold, as one sentence without a full stop.
    pub what: &'static str,
    /// What happens otherwise: the incident, or how it fails.
    pub why: &'static str,
    /// Where that is known from: an incident, an issue number, a manual.
    pub source: &'static str,
}

/// The rules of `cargo xtask doctor`.
pub const DOCTOR: &[Described] = &[];
