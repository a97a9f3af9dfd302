//! What only many files together show: one string that stands for another, again and again.

use super::rules::{BUILD_PATH, HOST_NAME, REPLACED, TEMPORARY, USER};
use super::{At, Rule};
use crate::edits::{Edit, Edited};
use std::collections::{HashMap, HashSet};

/// Folders of the image itself: a path in them is no path of the build.
const SYSTEM: [&str; 12] =
    ["usr", "etc", "bin", "sbin", "lib", "lib64", "boot", "dev", "proc", "sys", "run", "var"];
/// …but for these.
const NOT_SYSTEM: [&str; 3] = ["usr/src", "usr/local/src", "var/tmp"];

/// An edit that no rule of its own explains.
struct Open {
    key: usize,
    place: String,
    a: String,
    b: String,
    rule: Option<&'static Rule>,
}

#[derive(Default)]
pub(super) struct Correlator {
    open: Vec<Open>,
    /// Which pairs are known for what, by direct evidence.
    known: HashMap<(String, String), &'static Rule>,
}

impl Correlator {
    /// Takes an edit up; the caller knows it again by `key`.
    pub(super) fn add(&mut self, key: usize, edit: &Edit, at: &At<'_>) {
        let says_something = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count() >= 2;
        if !says_something(&edit.a) || !says_something(&edit.b) {
            return;
        }
        let (a, b, rule) = single(edit, at);
        if let Some(rule) = rule {
            self.known.entry((a.clone(), b.clone())).or_insert(rule);
        }
        self.open.push(Open { key, place: at.place.to_string(), a, b, rule });
    }

    /// For every edit that is explained now: its key, the rule, and the pair of strings.
    pub(super) fn conclude(self) -> Vec<(usize, &'static Rule, String)> {
        let mut places: HashMap<(&str, &str), HashSet<&str>> = HashMap::new();
        for open in &self.open {
            places.entry((&open.a, &open.b)).or_default().insert(&open.place);
        }
        let by_pair = |open: &Open| -> Option<(&'static Rule, String)> {
            if let Some(rule) = self.known.get(&(open.a.clone(), open.b.clone())) {
                return Some((rule, detail(rule, &open.a, &open.b)));
            }
            // a known pair inside of longer strings
            let inside = self.known.iter().find(|((a, b), _)| {
                a.len() > 2
                    && open.a.contains(a.as_str())
                    && open.a.replace(a.as_str(), b) == open.b
            });
            if let Some(((a, b), rule)) = inside {
                return Some((rule, detail(rule, a, b)));
            }
            let often = places.get(&(open.a.as_str(), open.b.as_str())).map_or(0, HashSet::len) > 1;
            often.then(|| (&REPLACED, detail(&REPLACED, &open.a, &open.b)))
        };
        let explained = self.open.iter().filter_map(|open| {
            let direct = open.rule.map(|rule| (rule, detail(rule, &open.a, &open.b)));
            let (rule, detail) = direct.or_else(|| by_pair(open))?;
            Some((open.key, rule, detail))
        });
        explained.collect()
    }
}

/// Random names have nothing in common that could be shown for all of them.
fn detail(rule: &Rule, a: &str, b: &str) -> String {
    if std::ptr::eq(rule, &TEMPORARY) { String::new() } else { format!("`{a}` ↔ `{b}`") }
}

/// The strings that stand for each other, and what they are if this place tells.
fn single(edit: &Edit, at: &At<'_>) -> (String, String, Option<&'static Rule>) {
    let (a, b) = (edit.a.clone(), edit.b.clone());
    if edit.what == Edited::Path || (a.contains('/') && b.contains('/')) {
        return paths(&a, &b);
    }
    if random_names(&a, &b) {
        return (a, b, Some(&TEMPORARY));
    }
    let is_host = |a: &str, b: &str| at.context.both_were(|build| build.host.clone(), a, b);
    let rule: Option<&'static Rule> = if is_host(&a, &b) || in_place_of_host(edit, at) {
        Some(&HOST_NAME)
    } else if in_place_of_user(edit, at) {
        Some(&USER)
    } else {
        None
    };
    let word = matches!(
        edit.what,
        Edited::Name | Edited::Text | Edited::Hex | Edited::Number | Edited::Blob
    );
    let rule = if word { rule } else { None };
    (a, b, rule)
}

fn paths(a: &str, b: &str) -> (String, String, Option<&'static Rule>) {
    let (x, y): (Vec<&str>, Vec<&str>) = (a.split('/').collect(), b.split('/').collect());
    let head = x.iter().zip(&y).take_while(|(p, q)| p == q).count();
    let most = x.len().min(y.len()) - head;
    let foot = x.iter().rev().zip(y.iter().rev()).take(most).take_while(|(p, q)| p == q).count();
    let (x, y) = (&x[..x.len() - foot], &y[..y.len() - foot]);
    if x.join("").is_empty() || y.join("").is_empty() {
        // one is the end of the other
        return (a.to_owned(), b.to_owned(), None);
    }
    let (a, b) = (x.join("/"), y.join("/"));
    if let ([.., p], [.., q]) = (x, y)
        && x.len() == head + 1
        && y.len() == head + 1
    {
        if random_names(p, q) {
            return (a, b, Some(&TEMPORARY));
        }
        if matches!(x[..head], ["", "home"]) {
            return ((*p).to_owned(), (*q).to_owned(), Some(&USER));
        }
    }
    let outside = |path: &str| {
        let path = path.trim_start_matches('/');
        let first = path.split('/').next().unwrap_or_default();
        NOT_SYSTEM.iter().any(|other| path.starts_with(other)) || !SYSTEM.contains(&first)
    };
    let absolute = a.starts_with('/') && b.starts_with('/');
    let rule: Option<&'static Rule> =
        if absolute && (outside(&a) || outside(&b)) { Some(&BUILD_PATH) } else { None };
    (a, b, rule)
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

fn in_place_of_host(edit: &Edit, at: &At<'_>) -> bool {
    if at.path_is(&["etc/hostname", "etc/hosts", "etc/mailname"]) {
        return true;
    }
    let before =
        edit.before.trim_end_matches([' ', '"', '\'', '=', ':', '\t', '`', '(']).to_lowercase();
    let named = [
        "host",
        "hostname",
        "nodename",
        "built on",
        "build host",
        "machine",
        "uname -n",
        "node",
        "buildhost",
        "build-host",
        "build_host",
        "on host",
    ];
    // `carol@alpha`; but `id@1234` names no host
    let behind_at = edit.before.ends_with('@')
        && edit.before.trim_end_matches('@').ends_with(char::is_alphanumeric);
    // `Linux alpha 6.1.0-13-amd64 #1 SMP`
    let uname = edit.before.trim_start().ends_with("Linux ")
        && edit.after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    named.iter().any(|name| before.ends_with(name)) || behind_at || uname
        // `on alpha`, at the end of a sentence about building
        || (before.ends_with(" on") && ["built", "build", "compiled", "generated", "created", "made"].iter().any(|word| before.contains(word)))
}

fn in_place_of_user(edit: &Edit, at: &At<'_>) -> bool {
    let before =
        edit.before.trim_end_matches([' ', '"', '\'', '=', ':', '\t', '`', '(']).to_lowercase();
    let named = [
        "user",
        "username",
        "logname",
        "owner",
        "author",
        "packager",
        "maintainer",
        "uid",
        "built by",
        "builder",
        "sudo_user",
        " by",
    ];
    edit.after.starts_with('@')
        || named.iter().any(|name| before.ends_with(name))
        || (at.path_is(&[
            "etc/passwd",
            "etc/group",
            "etc/shadow",
            "etc/gshadow",
            "etc/subuid",
            "etc/subgid",
        ]) && edit.before.is_empty())
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
        let (a, b, rule) = paths("/build/one/src/x.c", "/srv/two/src/x.c");
        assert_eq!((a.as_str(), b.as_str()), ("/build/one", "/srv/two"));
        assert!(rule.is_some_and(|rule| rule.id == "build-path"));
        let (_, _, rule) = paths("/home/carol/x", "/home/dave/x");
        assert!(rule.is_some_and(|rule| rule.id == "user-name"));
        let (_, _, rule) = paths("/usr/share/a", "/usr/share/b");
        assert!(rule.is_none());
    }
}
