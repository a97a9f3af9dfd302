//! `verify --vary`: selects the conditions that build B varies.

use crate::build::BuildFacts;
use crate::engine::variations::{BuildConditions, BuildTraits, Variation};
use crate::engine::vm::Measured;
use std::collections::BTreeSet;
use std::str::FromStr;
use xtask_core::calendar;
use xtask_core::escape::Shown as _;
use xtask_core::ui::Ui;

/// Value of `--vary`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vary {
    factors: BTreeSet<Variation>,
    /// True for a list of names. `all` is everything that the selected engine can vary.
    named: bool,
}

/// Conditions that only a machine of its own can vary.
const OF_A_MACHINE: [Variation; 3] = [Variation::Clock, Variation::Kernel, Variation::CpuModel];
/// Days between two dates that count as another date.
const ANOTHER_DATE: i64 = 300;

impl FromStr for Vary {
    type Err = String;

    /// `all`, `none`, or a comma-separated list of factors.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Vary { factors: Variation::ALL.into(), named: false }),
            "none" => Ok(Vary::default()),
            list => {
                let factors = list.split(',').map(|name| name.trim().parse());
                Ok(Vary { factors: factors.collect::<Result<_, _>>()?, named: true })
            }
        }
    }
}

impl Vary {
    /// Returns true if the user named a condition that only engine vm can vary.
    pub(super) fn needs_a_machine(&self) -> bool {
        self.named && OF_A_MACHINE.iter().any(|factor| self.factors.contains(factor))
    }
}

/// The factors that build B varies, and those that cannot be varied here.
pub(super) struct Varied {
    factors: BTreeSet<Variation>,
    left_out: Vec<(Variation, String)>,
}

impl Varied {
    pub(super) fn on(vary: &Vary, facts: &BuildFacts) -> Varied {
        let there = BuildTraits {
            engine: facts.engine.kind,
            memory: facts.vm.as_ref().map_or(facts.host.memory, |vm| vm.memory),
            scratch_gib: facts.recipe.needs.scratch_gib,
            submodule: facts.recipe.needs.submodule,
            kernels: facts.vm.as_ref().map_or(0, |vm| match vm.kernels.len() {
                0 => 2, // --setup gets two if there are two
                known => known,
            }),
            lists_expire: !facts.mirror.mirror.pinned() && facts.inputs.is_none(),
        };
        let reach = |factor: &Variation| factor.unsupported_reason(&there);
        Varied {
            factors: vary
                .factors
                .iter()
                .copied()
                .filter(|factor| reach(factor).is_none())
                .collect(),
            left_out: vary
                .factors
                .iter()
                .filter_map(|factor| Some((*factor, reach(factor)?.to_owned())))
                .collect(),
        }
    }

    /// Moves the conditions that were not really others inside the two builds to those that were not varied.
    pub(super) fn confirm(&mut self, [a, b]: [Option<&Measured>; 2]) {
        for factor in OF_A_MACHINE {
            if !self.factors.contains(&factor) {
                continue;
            }
            let why = match (a, b) {
                (Some(a), Some(b)) => {
                    same(factor, a, b).map(|of| format!("inside, both builds measured {of}"))
                }
                _ => Some("a build did not measure what it had inside".to_owned()),
            };
            if let Some(why) = why {
                self.factors.remove(&factor);
                self.left_out.push((factor, why));
            }
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

/// The value that is the same in two builds, if it is.
fn same(factor: Variation, a: &Measured, b: &Measured) -> Option<String> {
    let (name, of_a, of_b) = match factor {
        Variation::Clock => {
            let apart = day(&a.date).zip(day(&b.date)).map(|(a, b)| (a - b).abs());
            let another = apart.is_some_and(|days| days >= ANOTHER_DATE);
            return (!another)
                .then(|| format!("the dates {} and {}", a.date.shown(), b.date.shown()));
        }
        Variation::CpuModel => ("the CPU", &a.cpu, &b.cpu),
        _ => ("kernel", &a.kernel, &b.kernel),
    };
    (of_a == of_b).then(|| format!("{name} {}", of_a.shown()))
}

/// The day of `YYYY-MM-DDT…`, since 1970.
fn day(date: &str) -> Option<i64> {
    let numbers: Vec<i64> =
        date.get(..10)?.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [year, month, day] = numbers[..] else { return None };
    calendar::exists(year, month, day).then(|| calendar::days(year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_none_and_a_list() {
        assert_eq!("none".parse::<Vary>().unwrap(), Vary::default());
        let all: Vary = "all".parse().unwrap();
        assert_eq!((all.factors.len(), all.needs_a_machine()), (Variation::ALL.len(), false));
        assert!("umask,clock".parse::<Vary>().unwrap().needs_a_machine());
        assert_eq!(
            "cpus, host-name".parse::<Vary>().unwrap().factors,
            BTreeSet::from([Variation::Cpus, Variation::HostName])
        );
        assert!("moon".parse::<Vary>().is_err());
    }

    #[test]
    fn only_what_was_measured_inside_counts_as_varied() {
        let measured = |date: &str, kernel: &str, cpu: &str| Measured {
            date: date.to_owned(),
            kernel: kernel.to_owned(),
            cpu: cpu.to_owned(),
            cpus: 1,
        };
        let varied = || Varied { factors: OF_A_MACHINE.into(), left_out: Vec::new() };
        let a = measured("2026-11-26T10:00:00Z", "6.12", "A");
        let (mut all, mut none, mut unknown) = (varied(), varied(), varied());
        all.confirm([Some(&a), Some(&measured("2027-12-31T17:00:00Z", "6.1", "B"))]);
        assert_eq!((all.factors.len(), all.left_out.len()), (3, 0));
        none.confirm([Some(&a), Some(&measured("2026-11-27T10:00:00Z", "6.12", "A"))]);
        assert!(none.factors.is_empty());
        let text = none.text();
        for line in [
            "clock: inside, both builds measured the dates 2026-11-26T10:00:00Z and",
            "kernel 6.12",
            "the CPU A",
        ] {
            assert!(text.contains(line), "{text}");
        }
        unknown.confirm([Some(&a), None]);
        assert!(unknown.factors.is_empty() && unknown.text().contains("did not measure"));
    }
}
