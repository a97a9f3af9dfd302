//! Problems of a checkout of derivative-maker that would end a build late.

use super::{Packages, Upstream, UpstreamOrigin};
use crate::escape::Shown as _;
use crate::exec::quoted;
use crate::failure::Problem;

impl Upstream {
    /// Problems that would end a build late.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = match self.origin {
            UpstreamOrigin::Caller => self.problems_of_callers(),
            UpstreamOrigin::Submodule => self.problems_of_pin(),
            UpstreamOrigin::Candidate => self.problems_of_candidate(),
        };
        // problems_of_pin counts the tags of the submodule itself
        let counted = self.origin == UpstreamOrigin::Submodule && self.tags.len() != 1;
        let refused = self.refused_tags.iter().filter(|(path, _)| path != "." || !counted);
        found.extend(refused.map(|(path, why)| {
            let at = if path == "." { self.dir.clone() } else { self.dir.join(path) };
            let fix = match self.origin {
                // the copy is gone soon, and a new one has the same tags
                UpstreamOrigin::Candidate => {
                    "name a revision that upstream has signed: --rehearse needs one signed tag, or none".to_owned()
                }
                UpstreamOrigin::Submodule | UpstreamOrigin::Caller => format!(
                    "git -C {0} tag --points-at HEAD; delete the tags that are not upstream's: git -C {0} tag -d TAG",
                    quoted(&at)
                ),
            };
            let what = match self.origin {
                UpstreamOrigin::Candidate if path == "." => "the candidate".to_owned(),
                UpstreamOrigin::Candidate => format!("the candidate's {}", path.as_str().shown()),
                UpstreamOrigin::Submodule | UpstreamOrigin::Caller => at.shown().to_string(),
            };
            let why = why.as_str().shown();
            Problem::new(format!("derivative-maker's own check refuses {what}: {why}"), fix)
        }));
        found
    }

    /// Problems of a checkout of the caller.
    fn problems_of_callers(&self) -> Vec<Problem> {
        let Packages { at_their_pin, elsewhere, missing } = &self.packages;
        if missing.is_empty() || *at_their_pin > 0 || !elsewhere.is_empty() {
            return Vec::new();
        }
        vec![Problem::new(
            format!(
                "none of the {} submodules of {} is checked out",
                missing.len(),
                self.dir.shown()
            ),
            format!("git -C {} submodule update --init --recursive", quoted(&self.dir)),
        )]
    }

    /// Problems of a copy of a candidate: it must be what a fresh checkout of the commit is.
    fn problems_of_candidate(&self) -> Vec<Problem> {
        if self.commit.is_none() {
            let what = "the candidate is no derivative-maker: expected a file of this name in it";
            return vec![Problem::new(what, "name another revision")];
        }
        let Packages { elsewhere, missing, .. } = &self.packages;
        let lists = [
            (missing, "submodules of the candidate are missing"),
            (elsewhere, "submodules of the candidate are not at their pins"),
            (&self.changes.repositories, "repositories of the candidate's copy have changes"),
        ];
        let found = lists.into_iter().filter(|(which, _)| !which.is_empty());
        let fix = "look for git settings that change a checkout: git config --list --show-origin";
        found
            .map(|(which, what)| {
                Problem::new(format!("{} {what}: {}", which.len(), few(which)), fix)
            })
            .collect()
    }

    /// Problems of the pinned submodule.
    fn problems_of_pin(&self) -> Vec<Problem> {
        let path = "linux/build/derivative-maker";
        let update = format!("git submodule update --init --recursive {path}");
        let mut found = Vec::new();
        if self.commit.is_none() {
            found.push(Problem::new(
                format!("the submodule {path} is not initialised"),
                format!("{update}; or pass --upstream DIR, another checkout of derivative-maker"),
            ));
        } else if self.commit != self.pin {
            found.push(Problem::new(
                format!("the submodule {path} is not at the commit that the tree pins"),
                update.clone(),
            ));
        } else if self.tags.len() != 1 {
            found.push(Problem::new(
                format!(
                    "derivative-maker's own checks want exactly one tag at the commit of {path}, and there are {} ({})",
                    self.tags.len(),
                    if self.tags.is_empty() { "none".to_owned() } else { few(&self.tags) }
                ),
                format!("git -C {path} fetch --tags; or pin a commit that upstream has tagged"),
            ));
        }
        let Packages { elsewhere, missing, .. } = &self.packages;
        for (which, what) in [(missing, "not initialised"), (elsewhere, "not at their pins")] {
            if !which.is_empty() {
                found.push(Problem::new(
                    format!("{} submodules of {path} are {what}: {}", which.len(), few(which)),
                    update.clone(),
                ));
            }
        }
        found
    }
}

pub(super) fn few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
