//! `--resume`: is a build that stands there the one we would make?

use crate::build::BuildFacts;
use crate::build::records::known_before;
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;
use xtask_core::hash;
use xtask_core::records::published::Published;
use xtask_core::ui::Ui;

/// Build A, if its record matches and its image is still what the record says. Says why if not.
///
/// Of two at once B may have finished alone; it takes A's place, built under ordinary conditions.
pub(super) fn finished(dir: &Path, b: &Path, facts: &BuildFacts, ui: &Ui) -> Option<Published> {
    if !dir.exists() && matching(b, facts).is_ok_and(|b| is_ordinary(&b)) {
        match fs::rename(b, dir) {
            Ok(()) => ui.notice("only build B is finished: it is taken for build A"),
            Err(error) => ui.notice(&format!("cannot rename {}: {error}", b.display())),
        }
    }
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

/// Whether a build was made under the ordinary conditions, none varied; build.json knows.
fn is_ordinary(build: &Published) -> bool {
    let text = fs::read_to_string(build.dir.join("build.json")).unwrap_or_default();
    let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
    json.is_ok_and(|json| json["varied"].as_array().is_some_and(Vec::is_empty))
}

fn matching(dir: &Path, facts: &BuildFacts) -> Result<Published> {
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
