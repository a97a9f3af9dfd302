//! The environment of a build: what may matter if two builds of one commit differ, and says nothing about
//! who built. `build.json` has it among other facts; a release publishes it alone, as `environment.json`.

use crate::escape::Shown as _;
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Name of the file in a release.
pub const ENVIRONMENT: &str = "environment.json";
const FORMAT: &str = "silvermetal-environment/1";
/// Most bytes of a value. Those of real machines are far shorter.
const LONGEST: usize = 300;

/// Keys of the facts, with their names for people.
pub const FACTS: [(&str, &str); 8] = [
    ("engine", "engine"),
    ("engine_version", "engine's version"),
    ("image_id", "builder image's id"),
    ("kernel", "kernel"),
    ("cpu", "CPU model"),
    ("cpus", "number of CPUs"),
    ("file_system", "file system"),
    ("rustc", "compiler of xtask"),
];

/// Facts by key. A fact that is not known is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<&'static str, String>);

impl Environment {
    /// Takes the facts out of an object with these keys among others: a build.json, an environment.json,
    /// a statement.
    ///
    /// # Errors
    /// A value that is no text and no number, or too long.
    pub fn of(object: &Value) -> Result<Environment> {
        let mut facts = BTreeMap::new();
        for (key, _) in FACTS {
            let value = match &object[key] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => bail!("`{key}`: expected a text or a number"),
            };
            if value.len() > LONGEST {
                bail!("`{key}`: expected at most {LONGEST} bytes, found {}", value.len());
            }
            facts.insert(key, value);
        }
        Ok(Environment(facts))
    }

    /// Reads an environment.json.
    ///
    /// # Errors
    /// It is none, or one of the errors of [`Environment::of`].
    pub fn parse(text: &[u8]) -> Result<Environment> {
        let object: Value = serde_json::from_slice(text).context("not JSON")?;
        let format = object["format"].as_str().unwrap_or_default();
        if format != FORMAT {
            bail!("expected format {FORMAT}, found `{}`", format.shown());
        }
        Environment::of(&object)
    }

    /// The value of a fact, if it is known.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The facts as an object; with `cpus` as a number, as in build.json.
    pub fn value(&self) -> Value {
        let value = |text: &String| text.parse::<u64>().map_or(text.as_str().into(), Value::from);
        let facts = self.0.iter().map(|(key, text)| {
            let typed = if *key == "cpus" { value(text) } else { text.as_str().into() };
            ((*key).to_owned(), typed)
        });
        Value::Object(facts.collect::<Map<_, _>>())
    }

    /// The text of an environment.json.
    pub fn to_text(&self) -> String {
        let mut value = self.value();
        value["format"] = FORMAT.into();
        format!("{value:#}\n")
    }

    /// Facts that both know, and that differ: name for people, value here, value there.
    pub fn differences<'a>(
        &'a self,
        there: &'a Environment,
    ) -> Vec<(&'static str, &'a str, &'a str)> {
        let pair = |(key, name): (&'static str, &'static str)| {
            let (a, b) = (self.get(key)?, there.get(key)?);
            (a != b).then_some((name, a, b))
        };
        FACTS.into_iter().filter_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn facts_of_a_build_are_kept_and_others_are_not() {
        let build = json!({
            "kernel": "6.1", "cpus": 8, "cpu": "A", "engine_version": null,
            "host": "private", "command": "docker run /home/alice",
        });
        let of = Environment::of(&build).unwrap();
        let text = of.to_text();
        assert!(!text.contains("private") && !text.contains("alice"), "{text}");
        assert_eq!(Environment::parse(text.as_bytes()).unwrap(), of);
        assert_eq!(of.value(), json!({ "kernel": "6.1", "cpus": 8, "cpu": "A" }));
        let there =
            Environment::of(&json!({ "kernel": "6.12", "cpus": 8, "engine": "x" })).unwrap();
        assert_eq!(of.differences(&there), [("kernel", "6.1", "6.12")]);
    }

    #[test]
    fn what_is_no_environment_is_refused() {
        for (bad, says) in [
            ("[".to_owned(), "not JSON"),
            ("[]".to_owned(), "expected format"),
            (r#"{"format":"\u001b"}"#.to_owned(), r"found `\x1b`"),
            (format!(r#"{{"format":"{FORMAT}","kernel":[]}}"#), "`kernel`: expected a text"),
            (
                format!(r#"{{"format":"{FORMAT}","cpu":"{}"}}"#, "x".repeat(301)),
                "`cpu`: expected at most 300 bytes, found 301",
            ),
        ] {
            let error = format!("{:#}", Environment::parse(bad.as_bytes()).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
