//! `rebuild.json`: what somebody rebuilt, from what, and with which result; for others to collect.

use super::release::Release;
use super::verdict::Verdict;
use crate::build::Facts;
use crate::build::records::known_before;
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use xtask_core::pins::Digest;

const FORMAT: &str = "silvermetal-rebuild/1";
/// Set by Gitea's, GitHub's and GitLab's runners among others.
const CI_VARIABLES: [&str; 3] = ["CI", "GITEA_ACTIONS", "GITHUB_ACTIONS"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Match,
    Mismatch,
    CouldNotBuild,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Match, Outcome::Mismatch, Outcome::CouldNotBuild];

    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Match => "match",
            Outcome::Mismatch => "mismatch",
            Outcome::CouldNotBuild => "could-not-build",
        }
    }
}

/// A statement of our own, as it is written.
pub(super) struct Statement(pub(super) Value);

impl Statement {
    /// All but the result.
    pub(super) fn new(release: &Release, facts: &Facts, rebuilder: Option<&str>) -> Statement {
        let inputs: Map<String, Value> = known_before(facts)
            .into_iter()
            .map(|(field, value)| (field.to_owned(), Value::String(value)))
            .collect();
        let own = || format!("{}@{}", user(), facts.host.name);
        Statement(json!({
            "format": FORMAT,
            "release": release.tag,
            "found_at": release.address(),
            "commit": release.commit.to_string(),
            "recipe": release.info.get("Recipe"),
            "iso": release.info.get("Iso"),
            "published_sha256": release.published.as_ref().map(Digest::hex),
            "published_build_info": release.info.0,
            "contradictions": release.contradictions,
            "inputs": inputs,
            "rebuilder": rebuilder.map_or_else(own, str::to_owned),
            "ci": in_ci(),
            "started": facts.now,
        }))
    }

    pub(super) fn with(mut self, verdict: &Verdict, seconds: f64) -> Statement {
        self.0["result"] = verdict.result().name().into();
        self.0["rebuilt_sha256"] = verdict.built().map(Digest::hex).into();
        self.0["seconds"] = seconds.into();
        if let Verdict::CouldNotBuild { why } = verdict {
            self.0["why"] = why.lines().next().unwrap_or_default().into();
        }
        self
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let part = path.with_extension("json.part");
        fs::write(&part, format!("{:#}\n", self.0))
            .and_then(|()| fs::rename(&part, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.unwrap_or_else(|| "somebody".to_owned())
}

fn in_ci() -> bool {
    let set =
        |name: &&str| std::env::var(name).is_ok_and(|v| !["", "0", "false"].contains(&v.as_str()));
    CI_VARIABLES.iter().any(set)
}

/// A statement of anybody's, read and not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) release: Option<String>,
    pub(super) commit: String,
    pub(super) iso: String,
    /// What was published, as the rebuilder saw it.
    pub(super) published: Option<Digest>,
    pub(super) rebuilt: Option<Digest>,
    pub(super) result: Outcome,
    pub(super) rebuilder: String,
    pub(super) ci: bool,
}

impl Read {
    /// An error says why it is no statement, or contradicts itself.
    pub(super) fn parse(text: &str) -> Result<Read> {
        let json: Value = serde_json::from_str(text).context("not JSON")?;
        let string = |name: &str| json[name].as_str().map(str::to_owned);
        let required =
            |name: &str| string(name).with_context(|| format!("expected a text `{name}`"));
        let digest = |name: &str| match string(name) {
            None => Ok(None),
            Some(hex) => {
                format!("sha256:{hex}").parse().map(Some).with_context(|| format!("`{name}`"))
            }
        };
        let format = required("format")?;
        if format != FORMAT {
            bail!("expected format {FORMAT}, found {format}");
        }
        let result = required("result")?;
        let read = Read {
            release: string("release"),
            commit: required("commit")?,
            iso: required("iso")?,
            published: digest("published_sha256")?,
            rebuilt: digest("rebuilt_sha256")?,
            result: Outcome::ALL
                .into_iter()
                .find(|known| known.name() == result)
                .with_context(|| format!("`{result}` is no result"))?,
            rebuilder: required("rebuilder")?,
            ci: json["ci"].as_bool().context("expected true or false `ci`")?,
        };
        let equal = read.rebuilt.is_some() && read.rebuilt == read.published;
        if (read.result == Outcome::Match) != equal && read.result != Outcome::Mismatch {
            bail!("it says `{result}`, and its hashes say otherwise");
        }
        Ok(read)
    }

    /// Who stands for it: an e-mail address where one is given, else the name, in lower case.
    pub(super) fn who(&self) -> String {
        let text = self.rebuilder.as_str();
        let address = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let words: Vec<&str> =
            address.map_or(text, |(address, _)| address).split_whitespace().collect();
        words.join(" ").to_lowercase()
    }
}
