//! mistakes.txt: single mistakes in this repository's own files, and legal variants of them.

use super::checkout::LINTERS;
use crate::run::run;
use crate::selection::RuleSelection;
use crate::tree::SourceTree;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use xtask_core::facts::git::git;

const LIST: &str = include_str!("mistakes.txt");
/// Stands in the first column of a legal variant.
const LEGAL: &str = "legal";
/// Words that the stand-in for xtask's command line refuses.
const REFUSED: [&str; 4] = ["verfy", "publsh", "--ouput", "--runing"];

struct Case<'t> {
    /// The rule that finds it, or [`LEGAL`].
    rule: &'t str,
    path: &'t str,
    from: String,
    to: String,
    name: &'t str,
}

fn cases() -> Vec<Case<'static>> {
    let text = |escaped: &str| {
        let escaped = escaped.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t");
        escaped.replace('\0', "\\")
    };
    let mut paths = BTreeMap::new();
    let mut cases = Vec::new();
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            [rule, path, from, to, name] => {
                let path = paths.get(path).copied().unwrap_or(*path);
                cases.push(Case { rule, path, from: text(from), to: text(to), name });
            }
            [line] => {
                let (short, path) = line.split_once(" = ").unwrap();
                paths.insert(short, path);
            }
            _ => panic!("expected five columns: {line}"),
        }
    }
    cases
}

/// A copy of the files that git tracks here, without the submodule.
struct TrackedFiles {
    root: PathBuf,
}

impl TrackedFiles {
    fn copied() -> TrackedFiles {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let copy = TrackedFiles {
            root: std::env::temp_dir().join(format!("xtask-mistakes-{}-{n}", std::process::id())),
        };
        drop(fs::remove_dir_all(&copy.root));
        let listed = git(&here).args(["ls-files", "-z", "--stage"]).read().unwrap();
        fs::create_dir_all(&copy.root).unwrap();
        git(&copy.root).args(["init", "--quiet"]).read().unwrap();
        let mut links = Vec::new();
        for entry in listed.split('\0').filter(|entry| !entry.is_empty()) {
            let (facts, path) = entry.split_once('\t').unwrap();
            let facts: Vec<&str> = facts.split(' ').collect();
            let to = copy.root.join(path);
            if facts[0] == "160000" {
                fs::create_dir_all(&to).unwrap();
                links.push(format!("160000,{},{path}", facts[1]));
            } else if fs::create_dir_all(to.parent().unwrap()).is_ok() {
                // a file that was removed and not committed
                drop(fs::copy(here.join(path), &to));
            }
        }
        git(&copy.root).args(["add", "--all"]).read().unwrap();
        for link in links {
            git(&copy.root).args(["update-index", "--add", "--cacheinfo", &link]).read().unwrap();
        }
        copy
    }

    /// Applies a case, and returns `rule path:line` of each finding.
    fn findings(&self, case: &Case<'_>, selection: &RuleSelection) -> Vec<String> {
        let path = self.root.join(case.path);
        let before = fs::read_to_string(&path).ok();
        let text = before.as_deref().unwrap_or_default();
        let after = match case.from.as_str() {
            "" => case.to.clone(),
            "$" => format!("{text}{}", case.to),
            from => {
                assert!(
                    text.contains(from),
                    "{}: {} has no longer the text `{from}`: correct mistakes.txt",
                    case.name,
                    case.path
                );
                text.replacen(from, &case.to, 1)
            }
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, after).unwrap();
        let mut tree = SourceTree::load(&self.root).unwrap();
        tree.refusal = Some(|words| {
            let refused = words.iter().find(|word| REFUSED.contains(&word.as_str()));
            refused.map(|word| format!("unexpected `{word}`"))
        });
        let report = run(tree, selection);
        match before {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let place = |f: &crate::finding::Finding| {
            format!("{} {}:{}", f.rule, f.location.path, f.location.line)
        };
        // every change of docker/ makes the pin stale
        report.findings.iter().filter(|f| f.rule != "stale-pin").map(place).collect()
    }
}

impl Drop for TrackedFiles {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.root));
    }
}

/// Tries the cases on all CPUs.
fn try_all(cases: &[Case<'_>], skip: &[&str]) -> Vec<String> {
    let selection =
        RuleSelection::new(Vec::new(), skip.iter().map(|s| (*s).to_owned()).collect()).unwrap();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = |part: &[Case<'_>]| -> Vec<String> {
        let copy = TrackedFiles::copied();
        let wrong = |case: &Case<'_>| {
            let found = copy.findings(case, &selection);
            let right = match case.rule {
                LEGAL => found.is_empty(),
                rule => found.iter().any(|f| f.starts_with(&format!("{rule} "))),
            };
            (!right).then(|| format!("{}: expected {}, found {found:?}", case.name, case.rule))
        };
        part.iter().filter_map(wrong).collect()
    };
    thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(threads));
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn mistakes_are_found_and_legal_variants_are_not() {
    let cases: Vec<Case<'_>> =
        cases().into_iter().filter(|case| !LINTERS.contains(&case.rule)).collect();
    assert_eq!(try_all(&cases, &LINTERS), [""; 0]);
}

#[test]
#[ignore = "needs the linters: cargo xtask test --full"]
fn linters_find_theirs_and_report_no_legal_variant() {
    let theirs = |case: &Case<'_>| LINTERS.contains(&case.rule) || case.rule == LEGAL;
    let cases: Vec<Case<'_>> = cases().into_iter().filter(theirs).collect();
    assert_eq!(try_all(&cases, &[]), [""; 0]);
}
