//! From gathered facts to an engine that runs: everything before the build itself.

use super::args::BuildRequest;
use super::execute::{self, BuiltIso};
use super::inputs::BuildFacts;
use super::policy_gate::PolicyGate;
use super::preflight;
use crate::engine::container::Network;
use crate::engine::private::Private;
use crate::engine::{EngineChoice, EngineKind, HOST_NOTICE};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use xtask_core::facts::mirror;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::upstream::Upstream;
use xtask_core::failure::refuse;
use xtask_core::ui::Ui;
use xtask_core::{apt, interrupt};

/// Facts that hold, on an engine that runs.
pub(crate) struct Ready {
    pub(crate) facts: BuildFacts,
    network: Network,
    setup: bool,
    gate: Option<PolicyGate>,
    /// Stops with the last one that uses it.
    engine: Option<Arc<Private>>,
}

impl Ready {
    /// Refuses with every problem, or mends what `--setup` can and starts the engine.
    pub(crate) fn new(
        mut facts: BuildFacts,
        repo: &Repo,
        args: &BuildRequest,
        ui: &Ui,
    ) -> Result<Ready> {
        let setup = args.what.build.setup;
        refuse(&preflight::problems(&facts, setup))?;
        if !facts.missing.is_empty() {
            apt::install(&facts.missing, ui)?;
            // the same engine, even if installing its packages started another one
            facts = BuildFacts::gather(repo, args, Some(facts.engine.kind))?;
            refuse(&preflight::problems(&facts, setup))?;
        }
        let mut engine = None;
        if facts.engine.kind == EngineKind::Private {
            match Private::start(&facts.places, ui) {
                Ok(started) => engine = Some(Arc::new(started)),
                Err(error) if may_go_without(&facts, args) => {
                    interrupt::check()?;
                    ui.notice(&format!("{error:#}"));
                    facts = without_engine(repo, args, ui)?;
                }
                Err(error) => return Err(error),
            }
        }
        for notice in &facts.engine.notices {
            ui.notice(notice);
        }
        if let Some(notice) = facts.upstream.as_ref().and_then(Upstream::notice) {
            ui.notice(&notice);
        }
        if let Some(saved) = &facts.inputs {
            ui.notice(&saved.notice(&facts.source.commit.to_string()));
        }
        mirror::announce(&facts.mirror.mirror, ui);
        let network = engine.as_ref().map_or(Network::Bridge, |engine| engine.network);
        let gate = PolicyGate::prepare(&facts, ui)?;
        Ok(Ready { facts, network, setup, gate, engine })
    }

    /// Another build from the same facts on the same engine, with its result in `output`.
    pub(crate) fn again(&self, output: &Path) -> Result<Ready> {
        let facts = self.facts.with_output(output)?;
        refuse(&preflight::problems(&facts, self.setup))?;
        Ok(Ready {
            facts,
            network: self.network,
            setup: self.setup,
            gate: self.gate.clone(),
            engine: self.engine.clone(),
        })
    }

    /// Makes or fetches the builder image, where that is still to be done.
    pub(crate) fn prepare(&self, ui: &Ui) -> Result<()> {
        execute::prepare(&self.facts, self.network, self.setup, ui)
    }

    /// One build; `begun` is when its command started.
    pub(crate) fn build(&self, begun: Instant, ui: &Ui) -> Result<BuiltIso> {
        execute::build(&self.facts, self.gate.as_ref(), self.network, self.setup, begun, ui)
    }
}

/// With `auto`, a private engine that will not start is no reason to give up on the canary.
fn may_go_without(facts: &BuildFacts, args: &BuildRequest) -> bool {
    args.what.build.engine == EngineChoice::Auto
        && facts.recipe.needs.engines.contains(&EngineKind::Host)
}

fn without_engine(repo: &Repo, args: &BuildRequest, ui: &Ui) -> Result<BuildFacts> {
    let mut facts = BuildFacts::gather(repo, args, Some(EngineKind::Host))?;
    refuse(&preflight::problems(&facts, args.what.build.setup))?;
    apt::install(&facts.missing, ui)?;
    facts.engine.notices.push(HOST_NOTICE.to_owned());
    Ok(facts)
}
