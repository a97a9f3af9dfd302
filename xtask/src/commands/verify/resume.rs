//! `verify --resume`: finds a finished build A that can be used again.

use crate::build::BuildFacts;
use crate::build::records::known_before;
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::hash;
use xtask_core::record_file;
use xtask_core::records::published::Published;
use xtask_core::ui::Ui;

/// Returns build A if its record matches today's facts and its image matches the record. Otherwise a note
/// gives the reason.
///
/// With `--jobs 2`, only B may have finished. It takes A's place if nothing was varied.
pub(super) fn finished(dir: &Path, b: &Path, facts: &BuildFacts, ui: &Ui) -> Option<Published> {
    if !dir.exists() && matching(b, facts).is_ok_and(|b| is_ordinary(&b)) {
        match fs::rename(b, dir) {
            Ok(()) => ui.notice("only build B is finished: it is used as build A"),
            Err(error) => ui.notice(&format!("cannot rename {}: {error}", b.shown())),
        }
    }
    match matching(dir, facts) {
        Ok(build) => {
            ui.notice(&format!("going on with the finished build A in {}", dir.shown()));
            Some(build)
        }
        Err(why) => {
            ui.notice(&format!("build A is built again: {why:#}"));
            None
        }
    }
}

/// Returns true if nothing was varied in a build, according to its build.json.
fn is_ordinary(build: &Published) -> bool {
    let text = record_file::text(&build.dir.join("build.json")).unwrap_or_default();
    let json: Result<serde_json::Value, _> = serde_json::from_str(&text);
    json.is_ok_and(|json| json["varied"].as_array().is_some_and(Vec::is_empty))
}

fn matching(dir: &Path, facts: &BuildFacts) -> Result<Published> {
    if facts.source.dirty {
        bail!("the checkout has uncommitted changes, so no record tells what was built");
    }
    let build = Published::read(dir)?;
    for (field, now) in known_before(facts) {
        let then = build.info.get(field);
        if then != now {
            bail!("its record says {field} `{}`, but now it is `{}`", then.shown(), now.shown());
        }
    }
    let (digest, _) = hash::file(&build.iso())?;
    if digest != build.info.iso_digest()? {
        bail!("{} has changed since it was built", build.iso().shown());
    }
    Ok(build)
}
