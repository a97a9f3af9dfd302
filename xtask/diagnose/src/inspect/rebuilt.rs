//! Which packages of an image others have rebuilt, and with which result.
//!
//! The answers are those of rebuilderd, the program behind reproduce.debian.net: `GET URL/api/v0/pkgs/list` gives
//! one object for each binary package, with `name`, `version` and `status` (`GOOD`, `BAD`, `UNKWN`; rebuilderd,
//! common/src/api/v0). Debian's program debian-repro-status asks the same.

use super::contents::Contents;
use crate::text::{counted, printable};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, BTreeSet};
use xtask_core::failure::Code;
use xtask_core::http::{Http, Request, Sink, Url};
use xtask_core::ui::Ui;

/// The rebuilders of Debian: packages for amd64, and those for every architecture.
const SERVERS: [&str; 2] =
    ["https://reproduce.debian.net/amd64", "https://reproduce.debian.net/all"];
/// Most bytes of a list. That of amd64 has some 70,000 packages of about 300 bytes.
const LARGEST_LIST: usize = 256 << 20;

/// A rebuilder's word on a package. In this order the better one counts, if several rebuilders know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RebuilderWord {
    Unknown,
    Bad,
    Good,
}

/// The words of all rebuilders, by name and version of a package.
pub(super) struct Rebuilders {
    servers: Vec<String>,
    words: BTreeMap<(String, String), RebuilderWord>,
}

impl Rebuilders {
    /// Asks the rebuilders; those of Debian if `servers` is empty.
    pub(super) fn ask(servers: &[String]) -> Result<Rebuilders> {
        let servers: Vec<String> = match servers {
            [] => SERVERS.map(str::to_owned).to_vec(),
            own => own.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
        };
        let mut words = BTreeMap::new();
        let mut failed = Vec::new();
        for server in &servers {
            if let Err(error) = list(server, &mut words) {
                failed.push(format!("{error:#}"));
            }
        }
        if !failed.is_empty() {
            return Err(Code::NotReady.error(format!(
                "cannot ask who has rebuilt the packages: {}\n  fix: check the network; or name another \
                 rebuilder: --rebuilder URL; or omit --rebuilt",
                failed.join("; ")
            )));
        }
        Ok(Rebuilders { servers, words })
    }

    /// Sorts the packages of all roots of an image by the rebuilders' words.
    pub(super) fn of(&self, contents: &Contents) -> RebuiltPackages {
        let roots = contents.roots.iter().flat_map(|root| &root.packages);
        let packages: BTreeSet<(String, String)> =
            roots.map(|(name, version)| (name.clone(), version.clone())).collect();
        let mut rebuilt =
            RebuiltPackages { servers: self.servers.clone(), ..RebuiltPackages::default() };
        for package in packages {
            match self.words.get(&package).unwrap_or(&RebuilderWord::Unknown) {
                RebuilderWord::Good => rebuilt.reproduced += 1,
                RebuilderWord::Bad => rebuilt.differs.push(package),
                RebuilderWord::Unknown => rebuilt.unknown.push(package),
            }
        }
        rebuilt
    }
}

/// Adds the list of one rebuilder.
fn list(server: &str, words: &mut BTreeMap<(String, String), RebuilderWord>) -> Result<()> {
    let url: Url = format!("{server}/api/v0/pkgs/list").parse()?;
    let answer =
        Http::default().send(&Request::get(&url), Sink::Memory(LARGEST_LIST), &Ui::new(false))?;
    let answer = answer.expect(&[200])?;
    let list: Value = serde_json::from_slice(&answer.body).with_context(|| {
        format!("{url}: expected a list of packages in JSON, as rebuilderd gives it")
    })?;
    let Some(list) = list.as_array() else {
        bail!("{url}: expected a list of packages, as rebuilderd gives it");
    };
    for (n, package) in list.iter().enumerate() {
        let text = |key: &str| {
            package[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("{url}: package {} has no text `{key}`", n + 1))
        };
        let status = match text("status")?.as_str() {
            "GOOD" => RebuilderWord::Good,
            "BAD" => RebuilderWord::Bad,
            // a later rebuilderd may say more than today's three words
            _ => RebuilderWord::Unknown,
        };
        let known = words.entry((text("name")?, text("version")?)).or_insert(status);
        *known = status.max(*known);
    }
    Ok(())
}

/// The packages of an image, by what rebuilders say of them.
#[derive(Default)]
pub(super) struct RebuiltPackages {
    servers: Vec<String>,
    reproduced: usize,
    /// Name and version of packages whose rebuild differed.
    differs: Vec<(String, String)>,
    /// Packages that nobody has rebuilt, or that the rebuilders do not know.
    unknown: Vec<(String, String)>,
}

impl RebuiltPackages {
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let all = self.reproduced + self.differs.len() + self.unknown.len();
        say!(
            out,
            "others have reproduced {} of {} ({})",
            self.reproduced,
            counted(all, "package", "packages"),
            printable(&self.servers.join(", "))
        );
        for (packages, what) in [
            (&self.differs, "rebuilt with another result"),
            (&self.unknown, "of which no rebuild is known"),
        ] {
            if packages.is_empty() {
                continue;
            }
            say!(out, "  {} {what}:", counted(packages.len(), "package", "packages"));
            for (name, version) in packages {
                say!(out, "    {} {}", printable(name), printable(version));
            }
        }
        out
    }

    pub(super) fn json(&self) -> Value {
        let list = |packages: &[(String, String)]| -> Vec<Value> {
            let one =
                |(name, version): &(String, String)| value!({"package": name, "version": version});
            packages.iter().map(one).collect()
        };
        value!({
            "servers": self.servers,
            "reproduced": self.reproduced,
            "differs": list(&self.differs),
            "unknown": list(&self.unknown),
        })
    }
}
