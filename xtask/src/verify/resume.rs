//! `--resume`: is the build A that stands there the one we would make?

use crate::iso::Facts;
use crate::records::known_before;
use crate::records::published::Published;
use anyhow::{Result, bail};
use base::hash;
use base::ui::Ui;
use std::path::Path;

/// Build A, if its record matches and its image is still what the record says. Says why if not.
pub(super) fn finished(dir: &Path, facts: &Facts, ui: &Ui) -> Option<Published> {
    match matching(dir, facts) {
        Ok(build) => {
            ui.notice(&format!("going on with the finished build A in {}", dir.display()));
            Some(build)
        }
        Err(why) => {
            ui.notice(&format!("build A is made anew: {why:#}"));
            None
        }
    }
}

fn matching(dir: &Path, facts: &Facts) -> Result<Published> {
    if facts.source.dirty {
        bail!("the tree has uncommitted changes, so its record cannot say what was built");
    }
    let build = Published::read(dir)?;
    for (field, now) in known_before(facts) {
        let then = build.info.get(field);
        if then != now {
            bail!("its record says {field} `{then}`, today it is `{now}`");
        }
    }
    let (digest, _) = hash::file(&build.iso())?;
    if digest != build.info.iso_digest()? {
        bail!("{} is no longer what was built", build.iso().display());
    }
    Ok(build)
}
