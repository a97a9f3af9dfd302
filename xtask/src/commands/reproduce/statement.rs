//! `rebuild.json`: a statement about one rebuild, with its inputs and its result. Others can collect
//! such statements.

use super::release::PublishedRelease;
use super::verdict::{RebuildResult, RebuildVerdict};
use crate::build::BuildFacts;
use crate::build::records::known_before;
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::pins::Digest;

const FORMAT: &str = "silvermetal-rebuild/1";
/// Variables that runners of Gitea, GitHub, GitLab and others set.
const CI_VARIABLES: [&str; 3] = ["CI", "GITEA_ACTIONS", "GITHUB_ACTIONS"];

/// The statement of this rebuild.
pub(super) struct Statement(pub(super) Value);

impl Statement {
    /// The statement without its result.
    pub(super) fn new(
        release: &PublishedRelease,
        facts: &BuildFacts,
        rebuilder: Option<&str>,
    ) -> Statement {
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

    pub(super) fn with(mut self, verdict: &RebuildVerdict, seconds: f64) -> Statement {
        self.0["result"] = verdict.result().name().into();
        self.0["rebuilt_sha256"] = verdict.built().map(Digest::hex).into();
        self.0["seconds"] = seconds.into();
        if let RebuildVerdict::CouldNotBuild { why } = verdict {
            self.0["why"] = why.lines().next().unwrap_or_default().into();
        }
        self
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let part = path.with_extension("json.part");
        fs::write(&part, format!("{:#}\n", self.0))
            .and_then(|()| fs::rename(&part, path))
            .with_context(|| format!("cannot write {}", path.shown()))
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

/// A statement that somebody sent. It is parsed, but not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SentStatement {
    pub(super) release: Option<String>,
    pub(super) commit: String,
    pub(super) iso: String,
    /// Published hash that the rebuilder found.
    pub(super) published: Option<Digest>,
    pub(super) rebuilt: Option<Digest>,
    pub(super) result: RebuildResult,
    pub(super) rebuilder: String,
    pub(super) ci: bool,
}

impl SentStatement {
    /// Parses a statement. One that contradicts itself is an error.
    pub(super) fn parse(text: &str) -> Result<SentStatement> {
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
        let read = SentStatement {
            release: string("release"),
            commit: required("commit")?,
            iso: required("iso")?,
            published: digest("published_sha256")?,
            rebuilt: digest("rebuilt_sha256")?,
            result: RebuildResult::ALL
                .into_iter()
                .find(|known| known.name() == result)
                .with_context(|| {
                    format!(
                        "`result`: expected match, mismatch or could-not-build, found `{}`",
                        result.shown()
                    )
                })?,
            rebuilder: required("rebuilder")?,
            ci: json["ci"].as_bool().context("expected true or false `ci`")?,
        };
        let equal = read.rebuilt.is_some() && read.rebuilt == read.published;
        if (read.result == RebuildResult::Match) != equal && read.result != RebuildResult::Mismatch
        {
            bail!("the result `{}` contradicts its hashes", result.shown());
        }
        Ok(read)
    }

    /// Identity of the rebuilder in lower case: the e-mail address if there is one, else the name.
    pub(super) fn who(&self) -> String {
        let text = self.rebuilder.as_str();
        let address = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let words: Vec<&str> =
            address.map_or(text, |(address, _)| address).split_whitespace().collect();
        words.join(" ").to_lowercase()
    }
}
