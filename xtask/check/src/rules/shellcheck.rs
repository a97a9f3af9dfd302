//! shellcheck finds nothing in the scripts.

use crate::finding::{Place, Severity};
use crate::model::script;
use crate::rule::{Edit, Findings, Rule, edit};
use crate::tree::{Source, Tree};
use base::exec::{Cmd, on_path};
use base::hash;
use base::rules::Described;
use std::path::Path;

pub const RULE: Rule = Rule {
    described: Described {
        name: "shellcheck",
        what: "shellcheck, where it is installed, finds nothing in the scripts",
        why: "an unquoted variable works until a path has a blank in it",
        source: "preflight, \"shell through shellcheck\"; shellcheck's wiki explains each SC number",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit("linux/build/scripts/build.sh", Edit::Replace("exec cargo", "rm $root/x\nexec cargo"), "rm $root/x"),
        edit("linux/build/scripts/build.sh", Edit::Replace("exec cargo", "if true\nexec cargo"), "if true"),
    ],
};

/// Empty files, one for each state of the tree that had nothing to remark on.
const KEPT: usize = 200;

fn check(tree: &Tree, found: &mut Findings) {
    let Some(program) = on_path("shellcheck") else {
        found.note("shellcheck is not installed: scripts were not looked at by it (apt-get install shellcheck)");
        return;
    };
    let scripts: Vec<&Source> = script::scripts(tree)
        // of CRLF line ends it would speak in every line
        .filter(|source| source.text.starts_with("#!") && source.mended.is_empty())
        .collect();
    if scripts.is_empty() {
        return;
    }
    // it takes a second for what rarely changes: its answer is kept, by the hash of what it read
    let kept = tree.repo.state().join("shellcheck").join(key(&program, tree));
    if kept.exists() {
        return;
    }
    let paths = scripts.iter().map(|source| source.path.as_str());
    let cmd = Cmd::new(&program)
        .args(["--external-sources", "--source-path=SCRIPTDIR:SCRIPTDIR/..", "--format=json1", "--"])
        .args(paths)
        .dir(&tree.repo.root);
    let Ok(probe) = cmd.probe() else { return };
    let answer = serde_json::from_str::<serde_json::Value>(&probe.stdout);
    let Some(comments) = answer.as_ref().ok().and_then(|answer| answer["comments"].as_array()) else {
        found.note(format!("shellcheck failed ({}): {}", probe.exit, probe.stderr.trim()));
        return;
    };
    if comments.is_empty() {
        // a cache that cannot be written only costs time
        drop(keep(&kept));
    }
    for comment in comments {
        let text = |key: &str| comment[key].as_str().unwrap_or_default();
        let number = |key: &str| comment[key].as_u64().unwrap_or_default() as usize;
        let (line, code) = (number("line"), number("code"));
        found.add(
            Place::at(text("file"), (line, number("column"))),
            format!("{} (SC{code})", text("message")),
            "no remark of shellcheck's",
            format!("https://www.shellcheck.net/wiki/SC{code}"),
        );
    }
}

fn key(program: &Path, tree: &Tree) -> String {
    let meta = program.metadata().ok();
    let made = meta.and_then(|meta| Some((meta.len(), meta.modified().ok()?)));
    let mut all = format!("{} {made:?}\n", program.display());
    // what a script sources, or sets for shellcheck, counts, too
    for source in tree.sources().filter(|source| !source.path.ends_with(".md")) {
        all += &format!("{}\n{}\n", source.path, source.text);
    }
    hash::text(&all).hex()[..24].to_owned()
}

fn keep(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let old: Vec<_> = std::fs::read_dir(folder)?.flatten().collect();
    if old.len() >= KEPT {
        for entry in old {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::write(path, b"")
}
