//! The levers of every recipe at the candidate: what each relies on inside derivative-maker.

use super::upstream::UpstreamCopy;
use anyhow::Result;
use xtask_core::facts::repo::Repo;
use xtask_core::levers::{self, Standing, UpstreamTree};

/// The state of the levers at a revision, one line for each anchor that does not hold.
#[derive(Debug, Default)]
pub(super) struct LeverReport {
    pub(super) anchors: usize,
    pub(super) fallen: Vec<String>,
    /// Anchors in a submodule whose objects are not there.
    pub(super) unread: Vec<String>,
    /// Recipes that never built an image from the revision's layout.
    pub(super) untried: Vec<String>,
}

impl LeverReport {
    /// Judges the levers at `commit`, in the copy's objects alone.
    pub(super) fn at(repo: &Repo, upstream: &UpstreamCopy, commit: &str) -> Result<LeverReport> {
        let mut report = LeverReport::default();
        for (recipe, levers) in levers::of_all_recipes(repo)? {
            let tree = UpstreamTree::of_commit(upstream.dir(), commit, &levers)?;
            let untried = levers::untried(&levers, &tree)?;
            report.untried.extend(untried.map(|what| format!("recipe {recipe}: {what}")));
            for judged in levers::judge(&levers, &tree)? {
                report.anchors += 1;
                let line = format!("{recipe}: {}: {}", judged.lever.name, judged.shown());
                match judged.standing {
                    Standing::Holds => {}
                    Standing::Fell(_) => report.fallen.push(line),
                    Standing::Unread(_) => report.unread.push(line),
                }
            }
        }
        Ok(report)
    }

    pub(super) fn shown(&self) -> String {
        let LeverReport { anchors, fallen, unread, untried } = self;
        let holding = anchors - fallen.len() - unread.len();
        let mut text = format!("levers: {holding} of {anchors} anchors hold");
        let listed = |text: &mut String, title: &str, lines: &[String]| {
            if !lines.is_empty() {
                *text += &format!("; {title}:\n  {}", lines.join("\n  "));
            }
        };
        listed(&mut text, &format!("{} fell", fallen.len()), fallen);
        listed(&mut text, &format!("{} in submodules that moved", unread.len()), unread);
        listed(&mut text, "not proved by a build", untried);
        text
    }
}
