//! `verify --vary`: selects the conditions that build B varies.

use crate::build::BuildFacts;
use crate::engine::variations::{BuildConditions, BuildTraits, Variation};
use std::collections::BTreeSet;
use std::str::FromStr;
use xtask_core::ui::Ui;

/// Value of `--vary`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vary(BTreeSet<Variation>);

impl FromStr for Vary {
    type Err = String;

    /// `all`, `none`, or a comma-separated list of factors.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Vary(Variation::ALL.into())),
            "none" => Ok(Vary::default()),
            list => {
                list.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Vary)
            }
        }
    }
}

/// The factors that build B varies, and those that cannot be varied here.
pub(super) struct Varied {
    factors: BTreeSet<Variation>,
    left_out: Vec<(Variation, &'static str)>,
}

impl Varied {
    pub(super) fn on(vary: &Vary, facts: &BuildFacts) -> Varied {
        let there = BuildTraits {
            engine: facts.engine.kind,
            memory: facts.host.memory,
            scratch_gib: facts.recipe.needs.scratch_gib,
            submodule: facts.recipe.needs.submodule,
        };
        let reach = |factor: &Variation| factor.unsupported_reason(&there);
        Varied {
            factors: vary.0.iter().copied().filter(|factor| reach(factor).is_none()).collect(),
            left_out: vary.0.iter().filter_map(|factor| Some((*factor, reach(factor)?))).collect(),
        }
    }

    pub(super) fn factors(&self) -> Vec<Variation> {
        self.factors.iter().copied().collect()
    }

    pub(super) fn conditions(&self) -> BuildConditions {
        BuildConditions::of(self.factors.iter().copied())
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.factors.iter().map(|factor| factor.name()).collect()
    }

    pub(super) fn left_out(&self) -> Vec<String> {
        self.left_out.iter().map(|(factor, why)| format!("{}: {why}", factor.name())).collect()
    }

    pub(super) fn announce(&self, ui: &Ui) {
        for line in self.text().lines() {
            ui.notice(line);
        }
    }

    /// Lines for the report. Empty without `--vary`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.factors.is_empty() {
            text += &format!("build B varied: {}\n", self.names().join(", "));
        }
        for line in self.left_out() {
            text += &format!("not varied here: {line}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_none_and_a_list() {
        assert_eq!("none".parse::<Vary>().unwrap(), Vary::default());
        assert_eq!("all".parse::<Vary>().unwrap().0.len(), Variation::ALL.len());
        assert_eq!(
            "cpus, host-name".parse::<Vary>().unwrap().0,
            BTreeSet::from([Variation::Cpus, Variation::HostName])
        );
        assert!("moon".parse::<Vary>().is_err());
    }
}
