//! shellcheck finds nothing in the scripts.

use crate::finding::{Location, Severity};
use crate::model::script;
use crate::rule::{Findings, FixtureEdit, Rule, edit};
use crate::tree::{SourceFile, Tree};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use xtask_core::exec::{Cmd, Exit, which};
use xtask_core::hash;
use xtask_core::rules::Described;

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "shellcheck",
        what: "shellcheck finds nothing in the scripts",
        why: "an unquoted variable works until a path has a blank in it",
        source: "shellcheck's wiki, which explains each SC number",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace("exec cargo", "rm $root/x\nexec cargo"),
            "rm $root/x",
        ),
        edit(
            "linux/build/scripts/build.sh",
            FixtureEdit::Replace("exec cargo", "if true\nexec cargo"),
            "if true",
        ),
    ],
};

/// Number of cached answers, one for each state of a script.
const KEPT: usize = 500;
/// Seconds. The largest script here takes a third of a second, but some text makes shellcheck hang.
const PATIENCE: u32 = 10;

/// A script and the file that caches its answer.
struct Asked<'t> {
    path: &'t str,
    kept: PathBuf,
    answer: Result<Vec<Value>, String>,
}

fn check(tree: &Tree, found: &mut Findings) {
    let Some(program) = which("shellcheck") else {
        found.skip("shellcheck is not installed (apt-get install shellcheck)");
        return;
    };
    let scripts = script::scripts(tree)
        // it would report CRLF line ends on every line
        .filter(|source| source.text.starts_with("#!") && source.mended.is_empty());
    // it takes a second, and scripts rarely change: answers are cached under the hash of their input
    let folder = tree.repo.state().join("shellcheck");
    let (known, open): (Vec<Asked<'_>>, Vec<Asked<'_>>) = scripts
        .map(|source| {
            let kept = folder.join(key(&program, tree, source));
            let answer = std::fs::read_to_string(&kept).map_err(|e| e.to_string());
            Asked { path: &source.path, kept, answer: answer.and_then(|text| comments(&text)) }
        })
        .partition(|asked| asked.answer.is_ok());
    for asked in known.into_iter().chain(ask(&program, &tree.repo.root, open)) {
        tell(&asked, found);
    }
}

/// Runs one shellcheck per script on all CPUs, so that a slow script delays no other.
fn ask<'t>(program: &Path, root: &Path, open: Vec<Asked<'t>>) -> Vec<Asked<'t>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(open.len());
    let (open, done) = (Mutex::new(open), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(mut asked) = open.lock().ok().and_then(|mut open| open.pop()) {
                    asked.answer = run(program, root, &asked);
                    if let Ok(mut done) = done.lock() {
                        done.push(asked);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_default()
}

fn run(program: &Path, root: &Path, asked: &Asked<'_>) -> Result<Vec<Value>, String> {
    let cmd = Cmd::new(program)
        .args([
            "--external-sources",
            "--source-path=SCRIPTDIR:SCRIPTDIR/..",
            "--format=json1",
            "--",
        ])
        .arg(asked.path)
        .current_dir(root)
        .within_seconds(PATIENCE);
    let probe = cmd.output().map_err(|error| format!("{error:#}"))?;
    if probe.exit == Exit::Code(124) {
        return Err(format!("it came to no end within {PATIENCE} s"));
    }
    let comments =
        comments(&probe.stdout).map_err(|_| format!("{}: {}", probe.exit, probe.stderr.trim()))?;
    // a cache that cannot be written only costs time
    drop(keep(&asked.kept, &probe.stdout));
    Ok(comments)
}

fn comments(answer: &str) -> Result<Vec<Value>, String> {
    let mut answer: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    match answer["comments"].take() {
        Value::Array(comments) => Ok(comments),
        _ => Err("no comments".into()),
    }
}

fn tell(asked: &Asked<'_>, found: &mut Findings) {
    let expected = "no remark of shellcheck's";
    let path = asked.path;
    let comments = match &asked.answer {
        Ok(comments) => comments,
        Err(why) => {
            let fix = format!("shellcheck {path}");
            return found.add(
                Location::file(path),
                format!("shellcheck cannot read it: {why}"),
                expected,
                fix,
            );
        }
    };
    for comment in comments {
        let text = |key: &str| comment[key].as_str().unwrap_or_default();
        let number = |key: &str| comment[key].as_u64().unwrap_or_default() as usize;
        let (line, code) = (number("line"), number("code"));
        found.add(
            Location::at(text("file"), (line, number("column"))),
            format!("{} (SC{code})", text("message")),
            expected,
            format!("https://www.shellcheck.net/wiki/SC{code}"),
        );
    }
}

/// The hash of all input of an answer: the program, its settings, the script, and the files that it
/// may source.
fn key(program: &Path, tree: &Tree, script: &SourceFile) -> String {
    let meta = program.metadata().ok();
    let made = meta.and_then(|meta| Some((meta.len(), meta.modified().ok()?)));
    let mut all = format!("{} {made:?}\n", program.display());
    if let Some(settings) = tree.source(".shellcheckrc") {
        all += &settings.text;
    }
    let mut read = vec![script];
    let mut at = 0;
    while let Some(source) = read.get(at) {
        at += 1;
        all += &format!("{}\n{}\n", source.path, source.text);
        let names = sourced(source);
        let named = |other: &&SourceFile| names.contains(&file_name(&other.path));
        let more =
            script::shell(tree).filter(named).filter(|s| !read.iter().any(|r| r.path == s.path));
        let more: Vec<&SourceFile> = more.collect();
        read.extend(more);
    }
    hash::text(&all).hex()[..24].to_owned()
}

/// File names of the files that a script sources.
fn sourced(script: &SourceFile) -> Vec<&str> {
    let by_command = script.commands().iter().filter(|c| matches!(c.program(), "." | "source"));
    let by_command =
        by_command.filter_map(|c| Some(file_name(c.words_of_program().get(1)?.text.as_str())));
    let told = script
        .text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("# shellcheck source="));
    by_command.chain(told.map(|path| file_name(path.trim()))).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn keep(path: &Path, answer: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let old: Vec<_> = std::fs::read_dir(folder)?.flatten().collect();
    if old.len() >= KEPT {
        for entry in old {
            std::fs::remove_file(entry.path())?;
        }
    }
    // renamed when complete: another run may be reading it
    let half = path.with_extension(std::process::id().to_string());
    std::fs::write(&half, answer)?;
    std::fs::rename(half, path)
}
