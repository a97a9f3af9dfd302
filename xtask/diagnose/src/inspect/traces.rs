//! Traces of the build in contents: names, paths and addresses that only the builder knows.

use super::contents::Contents;
use super::roots::Root;
use super::violation::Violation;
use anyhow::Result;
use diskimage::{Format, Kind, Source};
use memchr::memmem::{self, Finder};
use std::path::Path;
use xtask_core::record_file;

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

/// The strings of one search.
pub(super) struct Traces {
    /// Rule and string.
    needles: Vec<(&'static str, String)>,
    /// `true`: every file is searched; `false`: only [`WRITTEN`].
    everywhere: bool,
}

/// Files in which a string was found.
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
        let json = record_file::read(&json).ok();
        let json = json.and_then(|bytes| serde_json::from_slice(&bytes).ok());
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
        let mut each = |path: &str, secrets: bool, window: &[u8]| {
            for (finder, hits) in finders.iter().zip(&mut hits) {
                if finder.find(window).is_some() {
                    hits.add(path);
                }
            }
            if secrets && has_key(window) {
                keys.add(path);
            }
        };
        for (number, file) in contents.volumes.files() {
            // what is a root or a volume has its turn as a tree
            let is_tree = file
                .format
                .is_some_and(|format| format.is_file_system() || format == Format::Initramfs);
            if !is_tree && contents.volumes.size(number) > 0 {
                let source = contents.volumes.source(number)?;
                windows(&*source, overlap, &mut |window, elf| each(&file.path, !elf, window))?;
            }
        }
        for root in &contents.roots {
            self.root(root, contents.roots.len() > 1, overlap, &mut each)?;
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

    /// Gives every window of every file of a root that is searched to `each`, and whether it is
    /// searched for keys.
    fn root(
        &self,
        root: &Root,
        named: bool,
        overlap: usize,
        each: &mut dyn FnMut(&str, bool, &[u8]),
    ) -> Result<()> {
        let tree = &*root.tree;
        diskimage::walk(tree, &mut |path, node| {
            let path = String::from_utf8_lossy(path);
            let written = root.initramfs
                || WRITTEN.iter().any(|folder| {
                    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
                });
            if node.metadata.kind != Kind::File
                || node.metadata.size == 0
                || !(written || self.everywhere)
            {
                return Ok(());
            }
            let shown = if named { format!("{}: {path}", root.path) } else { path.to_string() };
            let source = tree.open(node)?.source();
            windows(&*source, overlap, &mut |window, elf| {
                // packages bring keys as examples; an initramfs has no use for any
                let secrets = (root.initramfs && !elf) || is_a_place_for_secrets(&path);
                each(&shown, secrets, window);
            })
        })?;
        Ok(())
    }
}

/// Gives a file piece by piece to `each`, and whether it is a program.
fn windows(
    source: &dyn Source,
    overlap: usize,
    each: &mut dyn FnMut(&[u8], bool),
) -> diskimage::Result<()> {
    let size = source.size()?;
    let mut window = vec![0; WINDOW.min(usize::try_from(size).unwrap_or(WINDOW).max(1))];
    let elf = source.up_to(0, 4)? == b"\x7fELF";
    let mut at = 0;
    while at < size {
        let n = source.read_at(at, &mut window)?;
        each(&window[..n], elf);
        if n < window.len() || at + n as u64 == size {
            break;
        }
        at += (n - overlap) as u64;
    }
    Ok(())
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

/// True if a line `-----BEGIN … PRIVATE KEY-----` or that of an OpenPGP key is in it.
fn has_key(window: &[u8]) -> bool {
    let begin = b"-----BEGIN ";
    let ends = ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"];
    ends.iter().any(|end| {
        memmem::find_iter(window, end.as_bytes()).any(|at| {
            let line_ends = matches!(window.get(at + end.len()), Some(b'\n' | b'\r'));
            line_ends && window[..at].windows(begin.len()).rev().take(24).any(|text| text == begin)
        })
    })
}
