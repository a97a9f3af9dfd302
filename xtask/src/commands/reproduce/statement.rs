//! `rebuild.json`: a statement about one rebuild, with its inputs, its environment and its result. Others
//! can collect such statements. It is an unsigned in-toto Statement, docs/rebuild-statement.md.

use super::built;
use super::release::{LEDGER, PublishedRelease};
use super::verdict::{RebuildResult, RebuildVerdict};
use crate::build::BuildFacts;
use crate::build::records::known_before;
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use xtask_core::escape::Shown as _;
use xtask_core::pins::{Digest, ImageRef};
use xtask_core::records::environment::Environment;
use xtask_core::records::ledger::{Artefact, Ledger};

const FORMAT: &str = "silvermetal-rebuild/1";
/// Type of a Statement (in-toto attestation framework, spec/v1/statement.md).
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://git.silverlabs.uk/SilverLABS/SilverMetal/rebuild/v1";
/// Most lines of the ledger that a sent statement may have.
const MOST_ARTEFACTS: usize = 10_000;
/// Variables that runners of Gitea, GitHub, GitLab and others set.
const CI_VARIABLES: [&str; 3] = ["CI", "GITEA_ACTIONS", "GITHUB_ACTIONS"];

/// The statement of this rebuild: the predicate.
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

    /// Adds the result. `build` is the folder of the build, if there is one; `here` is the environment of
    /// one that failed.
    pub(super) fn with(
        mut self,
        verdict: &RebuildVerdict,
        seconds: f64,
        build: Option<&Path>,
        here: &Environment,
    ) -> Statement {
        let environment = build.map(built::environment_of);
        self.0["environment"] = environment.as_ref().unwrap_or(here).value();
        let ledger = build.and_then(|build| Ledger::read(&build.join(LEDGER)).ok());
        self.0["stages"] = ledger.unwrap_or_default().0.iter().map(artefact).collect();
        if let Some(difference) = verdict.difference() {
            self.0["difference"] = difference;
        }
        self.0["result"] = verdict.result().name().into();
        self.0["rebuilt_sha256"] = verdict.built().map(Digest::hex).into();
        self.0["seconds"] = seconds.into();
        if let RebuildVerdict::CouldNotBuild { why } = verdict {
            self.0["why"] = why.lines().next().unwrap_or_default().into();
        }
        self
    }

    /// The Statement. Its subject is the image that the rebuild gave, so that whoever asks for statements
    /// about the published image finds those that confirm it. Without an image it is the commit.
    fn in_toto(&self) -> Value {
        let subject = match self.0["rebuilt_sha256"].as_str() {
            Some(sha256) => json!({ "name": self.0["iso"], "digest": { "sha256": sha256 } }),
            None => json!({ "name": "commit", "digest": { "gitCommit": self.0["commit"] } }),
        };
        json!({
            "_type": STATEMENT_TYPE,
            "subject": [subject],
            "predicateType": PREDICATE_TYPE,
            "predicate": self.0,
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let part = path.with_extension("json.part");
        fs::write(&part, format!("{:#}\n", self.in_toto()))
            .and_then(|()| fs::rename(&part, path))
            .with_context(|| format!("cannot write {}", path.shown()))
    }
}

fn artefact(artefact: &Artefact) -> Value {
    let Artefact { stage, digest, size, path } = artefact;
    json!({ "stage": stage, "path": path, "sha256": digest.hex(), "size": size })
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
    /// Empty in older statements, like the next.
    pub(super) environment: Environment,
    /// Hashes by stage and path, in the order of the ledger.
    pub(super) stages: Vec<(String, String, Digest)>,
    /// Digest of the builder image, or else its name.
    pub(super) image: Option<String>,
}

impl SentStatement {
    /// Parses a statement. One that contradicts itself is an error.
    pub(super) fn parse(text: &str) -> Result<SentStatement> {
        let whole: Value = serde_json::from_str(text).context("not JSON")?;
        let json = predicate(&whole)?;
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
            environment: Environment::of(&json["environment"]).context("`environment`")?,
            stages: stages(&json["stages"]).context("`stages`")?,
            image: json["inputs"]["Builder-Image"].as_str().map(image),
        };
        let equal = read.rebuilt.is_some() && read.rebuilt == read.published;
        if (read.result == RebuildResult::Match) != equal && read.result != RebuildResult::Mismatch
        {
            bail!("the result `{}` contradicts its hashes", result.shown());
        }
        if let Some(subjects) = whole["subject"].as_array()
            && !subjects.iter().any(|subject| read.is_about(subject))
        {
            bail!("the subject is not the image that was rebuilt, or the commit");
        }
        Ok(read)
    }

    fn is_about(&self, subject: &Value) -> bool {
        let digest = &subject["digest"];
        match &self.rebuilt {
            Some(rebuilt) => digest["sha256"].as_str() == Some(rebuilt.hex()),
            None => digest["gitCommit"].as_str() == Some(&self.commit),
        }
    }

    /// Name of the rebuilder for a page: without the e-mail address, unless there is nothing else.
    pub(super) fn name(&self) -> &str {
        let name = self.rebuilder.split('<').next().unwrap_or_default().trim();
        if name.is_empty() { &self.rebuilder } else { name }
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

/// The predicate of a Statement; an older statement is one itself.
fn predicate(whole: &Value) -> Result<&Value> {
    if whole["_type"].is_null() {
        return Ok(whole);
    }
    for (key, expected) in [("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)] {
        let found = whole[key].as_str().unwrap_or_default();
        if found != expected {
            bail!("`{key}`: expected {expected}, found `{}`", found.shown());
        }
    }
    if whole["subject"].as_array().is_none_or(Vec::is_empty) {
        bail!("expected a list `subject`");
    }
    Ok(&whole["predicate"])
}

fn stages(value: &Value) -> Result<Vec<(String, String, Digest)>> {
    let Some(lines) = value.as_array() else { return Ok(Vec::new()) };
    if lines.len() > MOST_ARTEFACTS {
        bail!("expected at most {MOST_ARTEFACTS}, found {}", lines.len());
    }
    let line = |line: &Value| {
        let text =
            |key: &str| line[key].as_str().with_context(|| format!("expected a text `{key}`"));
        let digest = format!("sha256:{}", text("sha256")?).parse()?;
        anyhow::Ok((text("stage")?.to_owned(), text("path")?.to_owned(), digest))
    };
    lines.iter().map(line).collect()
}

/// The same image may come from another registry.
fn image(record: &str) -> String {
    let named: Result<ImageRef> = record.parse();
    let digest = named.ok().and_then(|named| named.digest);
    digest.map_or_else(|| record.to_owned(), |digest| digest.to_string())
}
