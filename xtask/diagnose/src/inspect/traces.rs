//! Traces of the build in contents: names, paths and addresses that only the builder knows.

use super::{Contents, Violation};
use anyhow::Result;
use diskimage::{Kind, Tree};
use memchr::memmem::Finder;
use std::path::Path;

/// Bytes that are searched at once.
const WINDOW: usize = 1 << 20;
/// Files that are named of a trace.
const NAMED: usize = 5;

/// Constant names of the builder: xtask/src/engine/container.rs and the recipes' contract. Upstream's
/// own scripts name /home/user/derivative-maker; what recipe base builds lies in its copy.
const OF_BUILDER: [(&str, &str); 6] = [
    ("builder-host", "silvermetal-builder"),
    ("builder-path", "/home/user/derivative-maker-copy"),
    ("builder-path", "/home/user/derivative-binary"),
    ("builder-path", "/home/user/out/"),
    ("package-cache", "127.0.0.1:9977"),
    ("package-cache", "approx-derivative-maker"),
];

/// Folders whose files are text that the build writes; the rest of a system is its packages'.
const WRITTEN: [&str; 10] =
    ["etc", "var", "root", "home", "boot", "opt", "srv", "usr/local", "lib/live", "usr/lib/live"];

/// The beginning of a private key in PEM; what stands between is its kind.
const KEY: &str = "PRIVATE KEY-----\n";

/// What is searched for.
pub(super) struct Traces {
    /// Rule and string.
    needles: Vec<(&'static str, String)>,
    /// Whether every file is searched, or only [`WRITTEN`].
    everywhere: bool,
}

/// Where a string was found.
#[derive(Default)]
struct Hits {
    count: u64,
    first: Vec<String>,
}

impl Traces {
    /// The builder's constant names, and what build.json beside the image says of its host.
    pub(super) fn of_builder(iso: &Path, everywhere: bool) -> Traces {
        let mut needles: Vec<(&'static str, String)> =
            OF_BUILDER.iter().map(|(rule, text)| (*rule, (*text).to_owned())).collect();
        let json = iso.with_file_name("build.json");
        let json = std::fs::read(json).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let json: serde_json::Value = json.unwrap_or_default();
        if let Some(host) = json["host"].as_str()
            // laptop, server, debian12 are words of the language as well
            && host.len() >= 6
            && host.contains(|c: char| c.is_ascii_digit() || c == '-')
            && !["debian", "ubuntu"].iter().any(|name| host.starts_with(name))
        {
            needles.push(("builder-host", host.to_owned()));
        }
        Traces { needles, everywhere }
    }

    pub(super) fn search(&self, contents: &Contents) -> Result<Vec<Violation>> {
        let finders: Vec<Finder<'_>> =
            self.needles.iter().map(|(_, text)| Finder::new(text.as_bytes())).collect();
        let mut hits: Vec<Hits> = self.needles.iter().map(|_| Hits::default()).collect();
        let mut keys = Hits::default();
        let overlap = self.needles.iter().map(|(_, text)| text.len()).max().unwrap_or(0) + 40;
        let key = Finder::new(KEY.as_bytes());
        for (name, tree) in &contents.trees {
            // the squashfs has its turn as a tree
            let outer = name.is_empty() && contents.trees.len() > 1;
            self.files(
                &**tree,
                outer,
                &mut |path, window| {
                    for (finder, hits) in finders.iter().zip(&mut hits) {
                        if finder.find(window).is_some() {
                            hits.add(path);
                        }
                    }
                    if is_a_place_for_secrets(path)
                        && key.find(window).is_some_and(|at| is_key(window, at))
                    {
                        keys.add(path);
                    }
                },
                overlap,
            )?;
        }
        let mut found = Vec::new();
        for ((rule, text), hits) in self.needles.iter().zip(hits) {
            if hits.count > 0 {
                let what = format!("`{text}` is in {}", hits.listed());
                found.push(Violation::new(rule, what));
            }
        }
        if keys.count > 0 {
            found.push(Violation::new("secrets", format!("a private key is in {}", keys.listed())));
        }
        Ok(found)
    }

    /// Gives every window of every file that is searched to `each`.
    fn files(
        &self,
        tree: &dyn Tree,
        outer: bool,
        each: &mut dyn FnMut(&str, &[u8]),
        overlap: usize,
    ) -> Result<()> {
        let mut window = vec![0; WINDOW];
        diskimage::walk(tree, &mut |path, node| {
            let path = String::from_utf8_lossy(path);
            let written = outer
                || WRITTEN.iter().any(|folder| {
                    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
                });
            if node.metadata.kind != Kind::File
                || node.metadata.size == 0
                || !(written || self.everywhere)
                || (outer && (path.ends_with(".squashfs") || path.ends_with(".sfs")))
            {
                return Ok(());
            }
            let source = tree.open(node)?.source();
            let mut at = 0;
            while at < node.metadata.size {
                let n = source.read_at(at, &mut window)?;
                each(&path, &window[..n]);
                if n < window.len() {
                    break;
                }
                at += (n - overlap) as u64;
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl Hits {
    fn add(&mut self, path: &str) {
        if self.first.last().is_some_and(|last| last == path) {
            return;
        }
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(path.to_owned());
        }
    }

    fn listed(&self) -> String {
        let more = self.count - self.first.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", self.first.join(", "))
    }
}

/// Packages bring keys as examples and for their tests; what the build makes lands here.
fn is_a_place_for_secrets(path: &str) -> bool {
    ["etc/", "root/", "home/", "var/lib/", "srv/", "opt/"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// Whether it is the end of `-----BEGIN … PRIVATE KEY-----`.
fn is_key(window: &[u8], end: usize) -> bool {
    let begin = b"-----BEGIN ";
    window[..end].windows(begin.len()).rev().take(24).any(|text| text == begin)
}
