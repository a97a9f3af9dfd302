//! Prepares a build: refuses bad facts, installs packages, starts the engine.

use super::execute::{self, BuildEnd, BuiltIso};
use super::inputs::BuildFacts;
use super::plan::Folders;
use super::policy_gate::PolicyGate;
use super::preflight;
use super::scratch::ScratchFolder;
use super::watch::Watch;
use crate::engine::container::Network;
use crate::engine::private::Private;
use crate::engine::variations::BuildConditions;
use crate::engine::vm::VmFacts;
use crate::engine::{EngineChoice, EngineKind, HOST_NOTICE};
use anyhow::{Result, bail};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xtask_core::facts::mirror;
use xtask_core::facts::upstream::Upstream;
use xtask_core::failure::refuse;
use xtask_core::ui::Ui;
use xtask_core::{apt, interrupt};

/// A build that can begin: preflight found no problem, and the engine runs.
pub(crate) struct Ready {
    pub(crate) facts: BuildFacts,
    network: Network,
    setup: bool,
    gate: Option<PolicyGate>,
    /// The private engine. It stops with its last user.
    engine: Option<Arc<Private>>,
}

impl Ready {
    /// Reports all problems in one error. Otherwise installs packages, if `--setup` allows it, and
    /// starts the engine.
    pub(crate) fn new(mut facts: BuildFacts, ui: &Ui) -> Result<Ready> {
        let setup = facts.request.what.build.setup;
        refuse(&preflight::problems(&facts, setup))?;
        if !facts.missing.is_empty() {
            apt::install(&facts.missing, ui)?;
            // the same engine, even if installing its packages started another one
            facts = facts.again(facts.engine.kind)?;
            refuse(&preflight::problems(&facts, setup))?;
        }
        if setup && facts.engine.client.is_some() {
            facts.places.note_setup(facts.engine.kind)?;
        }
        if let Some(vm) = facts.vm.as_ref().filter(|vm| setup && vm.kernels.is_empty()) {
            vm.prepare(ui)?;
            facts = facts.again(facts.engine.kind)?;
            refuse(&preflight::problems(&facts, false))?;
        }
        let mut engine = None;
        if facts.engine.kind == EngineKind::Private {
            match Private::start(&facts.places, ui) {
                Ok(started) => engine = Some(Arc::new(started)),
                Err(error) if may_go_without(&facts) => {
                    interrupt::check()?;
                    ui.notice(&format!("{error:#}"));
                    facts = without_engine(&facts, ui)?;
                }
                Err(error) => return Err(error),
            }
        }
        let slow = facts.vm.as_ref().and_then(VmFacts::notice);
        for notice in facts.engine.notices.iter().chain(&slow) {
            ui.notice(notice);
        }
        let of_upstream = facts.upstream.as_ref().and_then(Upstream::notice);
        for notice in of_upstream.iter().chain(&facts.levers.notice) {
            ui.notice(notice);
        }
        if let Some(saved) = &facts.inputs {
            ui.notice(&saved.notice(&facts.source.commit.to_string()));
        }
        mirror::announce(&facts.mirror, ui);
        let network = engine.as_ref().map_or(Network::Bridge, |engine| engine.network);
        let gate = PolicyGate::prepare(&facts, ui)?;
        Ok(Ready { facts, network, setup, gate, engine })
    }

    /// Prepares another build on the same engine, with its result in `output`. Call it shortly before
    /// that build, because it gathers facts.
    pub(crate) fn again(&self, output: &Path, conditions: BuildConditions) -> Result<Ready> {
        let facts = self.facts.with_output(output)?.again(self.facts.engine.kind)?;
        refuse(&preflight::problems(&facts, self.setup))?;
        Ok(Ready {
            facts: BuildFacts { conditions, ..facts },
            network: self.network,
            setup: self.setup,
            gate: self.gate.clone(),
            engine: self.engine.clone(),
        })
    }

    /// Builds or pulls the builder image if the engine does not have it.
    pub(crate) fn prepare(&self, ui: &Ui) -> Result<()> {
        execute::prepare(&self.facts, self.network, self.setup, ui)
    }

    /// Builds the ISO. `begun` is the start of the command.
    pub(crate) fn build(&self, begun: Instant, ui: &Ui) -> Result<BuiltIso> {
        match self.build_watched(None, begun, ui)? {
            BuildEnd::Built(built) => Ok(built),
            BuildEnd::Halted(_) => bail!("nobody watched the build, and it was stopped"),
        }
    }

    /// Builds the ISO, unless `watch` stops the build.
    pub(crate) fn build_watched(
        &self,
        watch: Option<&Watch>,
        begun: Instant,
        ui: &Ui,
    ) -> Result<BuildEnd> {
        let (gate, how) = (self.gate.as_ref(), (self.network, self.setup));
        execute::build(&self.facts, gate, how, watch, begun, ui)
    }

    /// A folder for artefacts, beside the result. It is removed with its value, or if this run is killed
    /// by the next one.
    pub(crate) fn artefact_folder(&self) -> Result<ScratchFolder> {
        let path = Folders::new(&self.facts).work;
        ScratchFolder::create(&path, &self.facts.repo, self.facts.host.caller)
    }
}

/// Returns true if engine `host` may take the place of a private engine that does not start.
fn may_go_without(facts: &BuildFacts) -> bool {
    facts.request.what.build.engine == EngineChoice::Auto
        && facts.recipe.needs.engines.contains(&EngineKind::Host)
}

fn without_engine(facts: &BuildFacts, ui: &Ui) -> Result<BuildFacts> {
    let mut facts = facts.again(EngineKind::Host)?;
    refuse(&preflight::problems(&facts, facts.request.what.build.setup))?;
    apt::install(&facts.missing, ui)?;
    facts.engine.notices.push(HOST_NOTICE.to_owned());
    Ok(facts)
}
