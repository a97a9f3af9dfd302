//! `verify --bisect`: finds the varied factor that changes the ISO, by halving the list. Build A is not
//! repeated.

use super::varying::Varied;
use crate::build::records::known_before;
use crate::build::{BuildEnd, BuildSide, Ready, StageComparison};
use crate::engine::variations::{BuildConditions, Variation};
use anyhow::Result;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use xtask_core::failure::Code;
use xtask_core::records::ledger::Ledger;
use xtask_core::replace::{BUILD_RECORDS, is_result};
use xtask_core::ui::Ui;
use xtask_core::{hash, interrupt};

/// Result of a bisection.
pub(super) enum Guilty {
    /// This factor alone changes the ISO.
    One(Variation),
    /// A build differs even if no factor is varied: time, chance, or order.
    None,
    /// No factor alone changes the ISO, but these together do.
    Together(Vec<Variation>),
}

impl Guilty {
    pub(super) fn factor(&self) -> Option<&'static str> {
        match self {
            Guilty::One(factor) => Some(factor.name()),
            Guilty::None | Guilty::Together(_) => None,
        }
    }
}

impl fmt::Display for Guilty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Guilty::One(factor) => write!(f, "guilty: {}", factor.name()),
            Guilty::None => write!(
                f,
                "guilty: no factor of --vary; two builds under equal conditions differ, too"
            ),
            Guilty::Together(factors) => {
                let names: Vec<&str> = factors.iter().map(|factor| factor.name()).collect();
                write!(f, "guilty: {} together, none of them alone", names.join(", "))
            }
        }
    }
}

/// Folder for the builds of the search, beside build A.
pub(super) fn folder(a: &Path) -> PathBuf {
    a.with_file_name("build-bisect")
}

/// Halves the varied factors until one is left. Each step makes one build and compares it with A.
///
/// With `fail_fast`, a build ends at the first stage that differs from A's.
pub(super) fn guilty(a: &Ready, varied: &Varied, fail_fast: bool, ui: &Ui) -> Result<Guilty> {
    let ledger = Ledger::read(&a.facts.output.join("ledger"))?;
    let (expected, _) = hash::file(&a.facts.output.join(&a.facts.recipe.iso))?;
    let dir = folder(&a.facts.output);
    let differs = |factors: &[Variation]| -> Result<bool> {
        interrupt::check()?;
        let names: Vec<&str> = factors.iter().map(|factor| factor.name()).collect();
        ui.print(&format!(
            "bisect: {}",
            if names.is_empty() { "no factor".into() } else { names.join(", ") }
        ));
        let ready = a.again(&dir, BuildConditions::of(factors.iter().copied()))?;
        if known_before(&ready.facts) != known_before(&a.facts) {
            return Err(Code::Failed.error(
                "the checkout has changed since build A: --bisect needs equal inputs; run it again",
            ));
        }
        let watch = fail_fast.then(|| StageComparison::with(&ledger).watch(BuildSide::B, None));
        Ok(match ready.build_watched(watch.as_ref(), Instant::now(), ui)? {
            BuildEnd::Built(built) => built.digest != expected,
            BuildEnd::Halted(_) => true,
        })
    };
    let found = search(varied.factors(), &differs);
    if is_result(&dir, &BUILD_RECORDS) {
        drop(std::fs::remove_dir_all(&dir)); // the last build; nobody needs it after the answer
    }
    found
}

fn search(
    factors: Vec<Variation>,
    differs: &dyn Fn(&[Variation]) -> Result<bool>,
) -> Result<Guilty> {
    if differs(&[])? {
        return Ok(Guilty::None);
    }
    let mut suspects = factors;
    while suspects.len() > 1 {
        let (left, right) = suspects.split_at(suspects.len() / 2);
        if differs(left)? {
            suspects = left.to_vec();
        } else if differs(right)? {
            suspects = right.to_vec();
        } else {
            return Ok(Guilty::Together(suspects));
        }
    }
    Ok(suspects.first().map_or(Guilty::None, |factor| Guilty::One(*factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_single_factor_is_found() {
        let all = Variation::ALL;
        for guilty in all {
            let differs = |tried: &[Variation]| Ok(tried.contains(&guilty));
            let found = search(all.to_vec(), &differs).unwrap();
            assert_eq!(found.factor(), Some(guilty.name()));
        }
    }

    #[test]
    fn chance_and_a_pair_of_factors_are_distinguished() {
        let all = Variation::ALL.to_vec();
        assert!(matches!(search(all.clone(), &|_| Ok(true)).unwrap(), Guilty::None));
        let pair = |tried: &[Variation]| {
            Ok(tried.contains(&Variation::HostName) && tried.contains(&Variation::Kernel))
        };
        assert!(matches!(search(all, &pair).unwrap(), Guilty::Together(_)));
    }
}
