//! `--bisect`: which factor makes the difference, by halving. Build A is built once.

use super::varying::Varied;
use crate::build::Ready;
use crate::engine::variations::{BuildConditions, Variation};
use anyhow::Result;
use std::fmt;
use std::time::Instant;
use xtask_core::ui::Ui;
use xtask_core::{hash, interrupt};

/// What the halving found.
pub(super) enum Guilty {
    /// This factor alone makes a build that differs.
    One(Variation),
    /// The build differs with no factor varied: time, chance, or order.
    None,
    /// None alone, but these together.
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
                "guilty: no factor of --vary; two builds under equal conditions differ as well"
            ),
            Guilty::Together(factors) => {
                let names: Vec<&str> = factors.iter().map(|factor| factor.name()).collect();
                write!(f, "guilty: {} together, none of them alone", names.join(", "))
            }
        }
    }
}

/// Halves the varied factors until one is left; each step is one build, compared with A.
pub(super) fn guilty(a: &Ready, varied: &Varied, ui: &Ui) -> Result<Guilty> {
    let (expected, _) = hash::file(&a.facts.output.join(&a.facts.recipe.iso))?;
    let dir = a.facts.output.with_file_name("build-bisect");
    let differs = |factors: &[Variation]| -> Result<bool> {
        interrupt::check()?;
        let names: Vec<&str> = factors.iter().map(|factor| factor.name()).collect();
        ui.print(&format!(
            "bisect: {}",
            if names.is_empty() { "no factor".into() } else { names.join(", ") }
        ));
        let mut ready = a.again(&dir)?;
        ready.facts.conditions = BuildConditions::of(factors.iter().copied());
        let built = ready.build(Instant::now(), ui)?;
        Ok(built.digest != expected)
    };
    let found = search(varied.factors(), &differs);
    drop(std::fs::remove_dir_all(&dir)); // its records say nothing that the answer doesn't
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
    fn chance_and_conspiracy_are_told_apart() {
        let all = Variation::ALL.to_vec();
        assert!(matches!(search(all.clone(), &|_| Ok(true)).unwrap(), Guilty::None));
        let pair = |tried: &[Variation]| {
            Ok(tried.contains(&Variation::HostName) && tried.contains(&Variation::Kernel))
        };
        assert!(matches!(search(all, &pair).unwrap(), Guilty::Together(_)));
    }
}
