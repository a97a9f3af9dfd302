//! Compares the stages of two builds while they run, and stops them at the first that differs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xtask_core::exec::Halt;
use xtask_core::pins::Digest;
use xtask_core::records::ledger::{Artefact, Ledger};

/// The stages of both builds that are hashed already.
pub(crate) struct StageComparison {
    stages: Mutex<[Stages; 2]>,
    halts: [Halt; 2],
    /// False if build A goes on to its end.
    stops_a: bool,
}

/// Artefacts by stage.
type Stages = BTreeMap<String, BTreeMap<String, Digest>>;

/// One of the two builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuildSide {
    A,
    B,
}

/// The watch over a build: it may stop it.
#[derive(Clone)]
pub(crate) struct Watch {
    comparison: Arc<StageComparison>,
    side: BuildSide,
    /// Folder for the artefacts of the build, which are compared if it is stopped.
    pub(crate) artefacts: Option<PathBuf>,
}

impl StageComparison {
    pub(crate) fn new() -> Arc<StageComparison> {
        StageComparison::with(&Ledger::default())
    }

    /// The comparison with a build A that is finished.
    pub(crate) fn with(finished: &Ledger) -> Arc<StageComparison> {
        let mut of_a = Stages::new();
        for artefact in &finished.0 {
            let (stage, path) = (artefact.stage.clone(), artefact.path.clone());
            of_a.entry(stage).or_default().insert(path, artefact.digest.clone());
        }
        StageComparison::between(of_a, true)
    }

    /// A comparison that stops only build B.
    pub(crate) fn of_b() -> Arc<StageComparison> {
        StageComparison::between(Stages::new(), false)
    }

    fn between(of_a: Stages, stops_a: bool) -> Arc<StageComparison> {
        let stages = Mutex::new([of_a, Stages::new()]);
        Arc::new(StageComparison { stages, halts: Default::default(), stops_a })
    }

    /// Watches one of the builds.
    pub(crate) fn watch(self: &Arc<Self>, side: BuildSide, artefacts: Option<PathBuf>) -> Watch {
        Watch { comparison: Arc::clone(self), side, artefacts }
    }

    fn stages(&self) -> MutexGuard<'_, [Stages; 2]> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Stops both builds if this stage, which has ended, differs from the other build's.
    pub(crate) fn stage(&self, name: &str, artefacts: &[Artefact]) {
        let of = |x: &Artefact| (x.path.clone(), x.digest.clone());
        let differs = {
            let mut stages = self.comparison.stages();
            stages[self.side as usize].insert(name.to_owned(), artefacts.iter().map(of).collect());
            let [a, b] = [0, 1].map(|side| stages[side].get(name));
            // a ledger has no line of a stage without artefacts
            a.is_some_and(|a| b.is_some_and(|b| a != b))
        };
        if differs {
            let from = usize::from(!self.comparison.stops_a);
            self.comparison.halts[from..].iter().for_each(Halt::halt);
        }
    }

    pub(crate) fn halt(&self) -> &Halt {
        &self.comparison.halts[self.side as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artefact(stage: &str, path: &str, c: char) -> Artefact {
        Artefact {
            stage: stage.into(),
            digest: format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap(),
            size: 1,
            path: path.into(),
        }
    }

    #[test]
    fn a_build_is_stopped_at_the_stage_that_differs_from_a_finished_one() {
        let a = Ledger(vec![artefact("one", "x", 'a'), artefact("two", "y", 'b')]);
        let comparison = StageComparison::with(&a);
        let b = comparison.watch(BuildSide::B, None);
        b.stage("none", &[]);
        b.stage("one", &[artefact("one", "x", 'a')]);
        assert!(!b.halt().wanted());
        b.stage("two", &[artefact("two", "y", 'c')]);
        assert!(b.halt().wanted());
    }

    #[test]
    fn two_builds_are_stopped_as_soon_as_both_have_the_stage() {
        let comparison = StageComparison::new();
        let [a, b] = [BuildSide::A, BuildSide::B].map(|side| comparison.watch(side, None));
        b.stage("two", &[artefact("two", "y", 'c')]);
        a.stage("one", &[artefact("one", "x", 'a')]);
        assert!(!a.halt().wanted() && !b.halt().wanted());
        // another artefact of the same name, or one that is missing
        a.stage("two", &[]);
        assert!(a.halt().wanted() && b.halt().wanted());
        let comparison = StageComparison::of_b();
        let [a, b] = [BuildSide::A, BuildSide::B].map(|side| comparison.watch(side, None));
        b.stage("two", &[artefact("two", "y", 'c')]);
        a.stage("two", &[]);
        assert!(!a.halt().wanted() && b.halt().wanted());
    }
}
