//! Strings that stand for each other in several places: names of hosts and users, paths, and others.
//! A pair is known once a place proves it, or two different signs agree; then it is known everywhere.

use super::rules::{BUILD_PATH, HOST_NAME, REPLACED, TEMPORARY, USER};
use super::{At, CauseRule};
use crate::edits::{Edit, Edited};
use std::collections::{HashMap, HashSet};

/// Folders of the image itself: a path in them is no path of the build.
const SYSTEM: [&str; 12] =
    ["usr", "etc", "bin", "sbin", "lib", "lib64", "boot", "dev", "proc", "sys", "run", "var"];

/// Folders that builds take place in, at the start of a path.
const BUILDS: [&str; 9] = [
    "/build",
    "/tmp/",
    "/var/tmp/",
    "/home/",
    "/root/",
    "/usr/src/",
    "/work",
    "/github/",
    "/nix/build",
];

/// Words that somebody decides on. One for the other is a setting, however often it stands there.
const DECISIONS: [&str; 40] = [
    "yes",
    "no",
    "true",
    "false",
    "on",
    "off",
    "none",
    "all",
    "any",
    "root",
    "nobody",
    "user",
    "allow",
    "deny",
    "accept",
    "reject",
    "drop",
    "enable",
    "enabled",
    "disable",
    "disabled",
    "always",
    "never",
    "auto",
    "default",
    "permit",
    "refuse",
    "strict",
    "required",
    "optional",
    "sufficient",
    "public",
    "private",
    "local",
    "secure",
    "insecure",
    "verify",
    "trust",
    "trusted",
    "password",
];

/// The position of an edit: the difference, and the edit in it.
type Key = (usize, usize);

/// An edit that no rule of its own explains.
struct Open {
    key: Key,
    place: String,
    a: String,
    b: String,
    /// The line around it.
    around: String,
    /// True if such a word may stand for an unknown string of the environment.
    word: bool,
    /// True if it stands in a setting or in code: there nothing is a trace of the build by itself.
    decision: bool,
}

/// An edit whose pair of strings is known.
pub(super) struct Correlated {
    pub(super) key: Key,
    pub(super) rule: &'static CauseRule,
    pub(super) detail: String,
    /// True if it stands where somebody decided it: then the rule is only a hint.
    pub(super) decision: bool,
}

/// The evidence for what a pair of strings is.
struct PairEvidence {
    rule: &'static CauseRule,
    /// Distinct signs; a sign that proves it by itself counts as two.
    signs: HashSet<&'static str>,
    proved: bool,
    /// Files that it was seen in.
    places: HashSet<String>,
}

#[derive(Default)]
pub(super) struct Correlator {
    open: Vec<Open>,
    evidence: HashMap<(String, String), PairEvidence>,
}

impl Correlator {
    /// Takes an edit up; the caller knows it again by `key`.
    pub(super) fn add(&mut self, key: Key, edit: &Edit, at: &At<'_>) {
        let says_something = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count() >= 2;
        let judged = matches!(
            edit.what,
            Edited::Name
                | Edited::Text
                | Edited::Hex
                | Edited::Number
                | Edited::Blob
                | Edited::Path
        );
        if !judged || !says_something(&edit.a) || !says_something(&edit.b) {
            return;
        }
        let path = edit.what == Edited::Path || (edit.a.contains('/') && edit.b.contains('/'));
        let (a, b, signs) =
            if path { paths(&edit.a, &edit.b, edit.in_text) } else { single(edit, at) };
        // the files that a host's name belongs in
        let own = |(_, sign, _): &PairSign| matches!(*sign, "hostname" | "hosts");
        // a program may act by a string that nothing beside it says to be of the build
        let acted_by = !edit.in_text && signs.is_empty();
        let decision = (at.is_decision(edit) && !signs.iter().any(own)) || acted_by;
        for (rule, sign, proof) in signs.into_iter().filter(|_| !decision) {
            let evidence = self.evidence.entry((a.clone(), b.clone())).or_insert_with(|| {
                PairEvidence { rule, signs: HashSet::new(), proved: false, places: HashSet::new() }
            });
            // one pair is one thing: the first sign says which
            if std::ptr::eq(evidence.rule, rule) {
                evidence.proved |= proof;
                evidence.signs.insert(sign);
                evidence.places.insert(at.place.to_string());
            }
        }
        let decided = |text: &str| DECISIONS.contains(&text.to_lowercase().as_str());
        let plain = |text: &str| {
            text.len() >= 4
                && !decided(text)
                && text.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let word = edit.in_text
            && !path
            && edit.what == Edited::Name
            && edit.key().is_none()
            && !decision
            && plain(&edit.a)
            && plain(&edit.b);
        let around = format!("{}\u{0}{}", edit.before, edit.after);
        self.open.push(Open { key, place: at.place.to_string(), a, b, around, word, decision });
    }

    /// Every edit whose pair is known now.
    pub(super) fn conclude(self) -> Vec<Correlated> {
        // one string for another, in several files and between different words
        let mut often: HashMap<(&str, &str), [HashSet<&str>; 2]> = HashMap::new();
        for open in self.open.iter().filter(|open| open.word) {
            let [places, around] = often.entry((&open.a, &open.b)).or_default();
            places.insert(&open.place);
            around.insert(&open.around);
        }
        let known = |pair: &(String, String)| {
            let evidence = self.evidence.get(pair)?;
            // one path for another in one file alone may be somebody's decision
            let seen = !std::ptr::eq(evidence.rule, &BUILD_PATH) || evidence.places.len() > 1;
            (seen && (evidence.proved || evidence.signs.len() > 1)).then_some(evidence.rule)
        };
        let explained = self.open.iter().filter_map(|open| {
            let found = |rule, detail| {
                Some(Correlated { key: open.key, rule, detail, decision: open.decision })
            };
            let pair = (open.a.clone(), open.b.clone());
            if let Some(rule) = known(&pair) {
                return found(rule, detail(rule, &open.a, &open.b));
            }
            // a known pair inside of longer strings
            let inside = self.evidence.keys().find(|(a, b)| {
                a.len() > 2
                    && open.a.contains(a.as_str())
                    && open.a.replace(a.as_str(), b) == open.b
            });
            if let Some((pair, rule)) = inside.and_then(|pair| Some((pair, known(pair)?))) {
                return found(rule, detail(rule, &pair.0, &pair.1));
            }
            let [places, around] = often.get(&(open.a.as_str(), open.b.as_str()))?;
            if open.word && places.len() > 1 && around.len() > 1 {
                return found(&REPLACED, detail(&REPLACED, &open.a, &open.b));
            }
            None
        });
        explained.collect()
    }
}

/// Random names have nothing in common that could be shown for all of them.
fn detail(rule: &CauseRule, a: &str, b: &str) -> String {
    if std::ptr::eq(rule, &TEMPORARY) { String::new() } else { format!("`{a}` ↔ `{b}`") }
}

/// A sign for what a pair is: the rule, the kind of sign, and whether it proves it by itself.
type PairSign = (&'static CauseRule, &'static str, bool);

fn single(edit: &Edit, at: &At<'_>) -> (String, String, Vec<PairSign>) {
    let (a, b) = (edit.a.clone(), edit.b.clone());
    let mut signs: Vec<PairSign> = Vec::new();
    if random_names(&a, &b) && (is_temporary(&a) || edit.before.contains("/tmp/")) {
        signs.push((&TEMPORARY, "name", true));
    }
    if at.context.both_were(|build| build.host.clone(), &a, &b) {
        signs.push((&HOST_NAME, "records", true));
    }
    if at.path_is(&["etc/hostname", "etc/mailname"])
        && is_host(&a)
        && is_host(&b)
        && edit.before.is_empty()
        && edit.after.is_empty()
    {
        signs.push((&HOST_NAME, "hostname", true));
    }
    signs.extend(sign_of_host(edit, at).map(|sign| (&HOST_NAME, sign, false)));
    signs.extend(sign_of_user(edit, at).map(|sign| (&USER, sign, false)));
    (a, b, signs)
}

/// Returns true if a word can be nothing but a name: not what somebody decides, a folder of the system or a number.
fn is_host(word: &str) -> bool {
    let word = word.to_lowercase();
    word.contains(|c: char| c.is_ascii_alphabetic())
        && !DECISIONS.contains(&word.as_str())
        && !SYSTEM.contains(&word.as_str())
        && !["tmp", "opt", "home", "root", "srv", "mnt", "media"].contains(&word.as_str())
}

/// Returns true if a name's stem says that it is temporary.
fn is_temporary(name: &str) -> bool {
    let stem = name.rsplit_once(['.', '-', '_']).map_or("", |(stem, _)| stem).to_lowercase();
    ["tmp", "temp"].iter().any(|word| stem.contains(word))
}

fn paths(a: &str, b: &str, in_text: bool) -> (String, String, Vec<PairSign>) {
    let (x, y): (Vec<&str>, Vec<&str>) = (a.split('/').collect(), b.split('/').collect());
    let head = x.iter().zip(&y).take_while(|(p, q)| p == q).count();
    let most = x.len().min(y.len()) - head;
    let foot = x.iter().rev().zip(y.iter().rev()).take(most).take_while(|(p, q)| p == q).count();
    let (x, y) = (&x[..x.len() - foot], &y[..y.len() - foot]);
    if x.join("").is_empty() || y.join("").is_empty() {
        // one is the end of the other
        return (a.to_owned(), b.to_owned(), Vec::new());
    }
    let (a, b) = (x.join("/"), y.join("/"));
    if let ([.., p], [.., q]) = (x, y)
        && x.len() == head + 1
        && y.len() == head + 1
    {
        let within = x[..head].join("/");
        if random_names(p, q) && (is_temporary(p) || within.ends_with("/tmp")) {
            return (a, b, vec![(&TEMPORARY, "name", true)]);
        }
        if matches!(x[..head], ["", "home"]) {
            return ((*p).to_owned(), (*q).to_owned(), vec![(&USER, "home", false)]);
        }
    }
    let built = |path: &str| BUILDS.iter().any(|folder| path.starts_with(folder));
    let outside = |path: &str| {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        built(path) || !SYSTEM.contains(&first)
    };
    let absolute = a.starts_with('/') && b.starts_with('/');
    // a program may look there for what it loads
    let both_built = built(&a) && built(&b);
    let path = absolute
        && outside(&a)
        && outside(&b)
        && (both_built || (in_text && (built(&a) || built(&b))));
    let signs: Vec<PairSign> = if path { vec![(&BUILD_PATH, "path", true)] } else { Vec::new() };
    (a, b, signs)
}

/// `tmp.aB3xYz` and `tmp.Qw9eRt`: one stem, then as many letters and numbers, in no order.
pub(super) fn random_names(a: &str, b: &str) -> bool {
    let cut = |text: &str| text.rfind(['.', '-', '_']).map_or(0, |i| i + 1);
    let (i, j) = (cut(a), cut(b));
    let (tail_a, tail_b) = (&a[i..], &b[j..]);
    let random = |tail: &str| {
        let has = |kind: fn(char) -> bool| tail.contains(kind);
        let kinds = [
            has(|c| c.is_ascii_digit()),
            has(|c| c.is_ascii_lowercase()),
            has(|c| c.is_ascii_uppercase()),
        ];
        tail.len() >= 5
            && tail.chars().all(|c| c.is_ascii_alphanumeric())
            && kinds.iter().filter(|kind| **kind).count() >= 2
            // `Hello` is a word
            && (kinds[0] || tail[1..].contains(|c: char| c.is_ascii_uppercase()))
    };
    a[..i] == b[..j]
        && tail_a.len() == tail_b.len()
        && tail_a != tail_b
        && i > 0
        && (random(tail_a) && random(tail_b))
}

fn sign_of_host(edit: &Edit, at: &At<'_>) -> Option<&'static str> {
    let before =
        edit.before.trim_end_matches([' ', '"', '\'', '=', ':', '\t', '`', '(']).to_lowercase();
    let verbs = ["built", "build", "compiled", "generated", "created", "made", "packed"];
    // `carol@alpha`; but `id@1234` names no host
    let behind_at = edit.before.ends_with('@')
        && edit.before.trim_end_matches('@').ends_with(char::is_alphanumeric);
    if at.path_is(&["etc/hosts"]) && edit.before.starts_with("127.0.1.1") {
        Some("hosts")
    } else if behind_at {
        Some("@")
    } else if edit.before.trim_start().ends_with("Linux ")
        && edit.after.trim_start().starts_with(|c: char| c.is_ascii_digit())
    {
        // `Linux alpha 6.1.0-13-amd64 #1 SMP`
        Some("uname")
    } else if ["hostname", "nodename", "buildhost", "build-host", "build_host", "build host"]
        .iter()
        .any(|name| before.ends_with(name))
    {
        Some("named")
    } else if before.ends_with(" on") && verbs.iter().any(|verb| before.contains(verb)) {
        Some("built on")
    } else {
        None
    }
}

fn sign_of_user(edit: &Edit, at: &At<'_>) -> Option<&'static str> {
    let before = edit.before.trim_end_matches([' ', '"', '\'', ':', '\t', '`', '(']);
    if edit.after.starts_with('@') {
        Some("@")
    } else if matches!(edit.key(), Some("USER" | "LOGNAME" | "USERNAME" | "SUDO_USER")) {
        Some("variable")
    } else if [" by", "packager", "Packager", "builder"].iter().any(|name| before.ends_with(name)) {
        Some("by")
    } else if at.path_is(&["etc/passwd", "etc/group", "etc/subuid", "etc/subgid"])
        && edit.before.is_empty()
    {
        Some("account")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_names_have_a_stem_and_no_sense() {
        assert!(random_names("tmp.aB3xYz", "tmp.Qw9eRt"));
        assert!(random_names("x-a1b2c3d4", "x-99fe01aa"));
        assert!(!random_names("build.alpha", "build.gamma"));
        assert!(!random_names("libc-2.41", "libc-2.42"));
        assert!(!random_names("alpha", "gamma"));
    }

    #[test]
    fn paths_are_cut_to_what_differs() {
        let (a, b, signs) = paths("/build/one/src/x.c", "/srv/two/src/x.c", true);
        assert_eq!((a.as_str(), b.as_str()), ("/build/one", "/srv/two"));
        assert_eq!(signs[0].0.id, "build-path");
        let (_, _, signs) = paths("/home/carol/x", "/home/dave/x", true);
        assert_eq!(signs[0].0.id, "user-name");
        for (a, b) in [("/usr/share/a", "/usr/share/b"), ("/opt/good/run", "/opt/evil/run")] {
            assert!(paths(a, b, true).2.is_empty(), "{a} {b}");
        }
        assert!(paths("/opt/app/lib", "/tmp/x/lib", false).2.is_empty());
    }
}
