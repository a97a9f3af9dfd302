//! The configuration of an image (OCI image specification, config.md): what of it the Dockerfile decides.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};
use xtask_core::calendar;
use xtask_core::escape::Shown as _;
use xtask_core::pins::Digest;

/// Settings that a container gets.
const KEPT: [&str; 9] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Labels",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];
/// Settings of the container in which a builder worked, or of the builder itself.
const OF_BUILDERS: [&str; 13] = [
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "Hostname",
    "Image",
    "MacAddress",
    "OpenStdin",
    "Shell",
    "StdinOnce",
    "Tty",
    "PublishService",
];
/// Label that podman's builder adds: its version.
const BUILDAH: &str = "io.buildah.version";
/// The search path that BuildKit writes down if the base names none, and that engines use then.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The parts of a configuration that the normal form keeps.
#[derive(Debug)]
pub(super) struct ImageConfig {
    architecture: String,
    os: String,
    created: Option<String>,
    settings: Map<String, Value>,
}

impl ImageConfig {
    pub(super) fn parse(config: &Value) -> Result<ImageConfig> {
        let text = |key: &str| {
            let value = config[key].as_str().filter(|value| !value.is_empty());
            value
                .map(str::to_owned)
                .with_context(|| format!("the image's configuration names no {key}"))
        };
        let mut settings = Map::new();
        for (key, value) in config["config"].as_object().into_iter().flatten() {
            if is_empty(value) || OF_BUILDERS.contains(&key.as_str()) {
                continue;
            }
            if !KEPT.contains(&key.as_str()) {
                bail!(
                    "the image has the setting {}, which the normal form has no place for: remove it from the Dockerfile",
                    key.shown()
                );
            }
            settings.insert(key.clone(), value.clone());
        }
        if settings.get("WorkingDir").is_some_and(|dir| dir == "/") {
            settings.remove("WorkingDir");
        }
        if let Some(labels) = settings.get_mut("Labels").and_then(Value::as_object_mut) {
            labels.remove(BUILDAH);
        }
        let env = settings.entry("Env").or_insert_with(|| json!([]));
        let env = env.as_array_mut().context("the image's Env is no list")?;
        let has_path =
            |entry: &Value| entry.as_str().is_some_and(|entry| entry.starts_with("PATH="));
        if !env.iter().any(has_path) {
            env.insert(0, json!(PATH));
        }
        Ok(ImageConfig {
            architecture: text("architecture")?,
            os: text("os")?,
            created: text("created").ok(),
            settings,
        })
    }

    /// Time of creation in seconds since 1970-01-01 UTC.
    pub(super) fn created(&self) -> Result<u64> {
        let text = self.created.as_deref().unwrap_or_default();
        seconds(text)
            .with_context(|| format!("the image names no time of creation: `{}`", text.shown()))
    }

    /// The normal form, for an image with this one layer.
    pub(super) fn normal(&self, epoch: u64, diff_id: &Digest) -> Value {
        let created = rfc3339(epoch);
        json!({
            "architecture": self.architecture,
            "os": self.os,
            "created": created,
            "config": self.settings,
            "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
            "history": [{ "created": created, "created_by": "cargo xtask image build" }],
        })
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn rfc3339(seconds: u64) -> String {
    format!("{}Z", calendar::utc(seconds.cast_signed()).replace(' ', "T"))
}

/// The reverse of [`rfc3339`]; also with a fraction of a second, which is left out.
fn seconds(text: &str) -> Option<u64> {
    let whole = text.strip_suffix('Z')?.split('.').next()?;
    let (date, clock) = whole.split_once('T')?;
    let mut numbers = date.split('-').chain(clock.split(':')).map(|part| part.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    let (year, month, day, hour, minute, second) =
        (next()?, next()?, next()?, next()?, next()?, next()?);
    let seconds =
        calendar::days(year, month, day) * calendar::DAY + hour * 3600 + minute * 60 + second;
    // the same text again: no part was out of its range
    u64::try_from(seconds).ok().filter(|s| rfc3339(*s).trim_end_matches('Z') == whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &Value) -> Result<Value> {
        let config = json!({ "architecture": "amd64", "os": "linux", "created": "2026-11-26T09:00:00.5Z",
            "container": "f00", "docker_version": "20.10", "config": settings });
        let digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        Ok(ImageConfig::parse(&config)?.normal(1_778_198_400, &digest)["config"].clone())
    }

    #[test]
    fn docker_buildkit_and_podman_give_one_configuration() {
        let ours = json!({ "Entrypoint": ["/e"], "StopSignal": "SIGRTMIN+3", "Labels": { "a": "b" }, "Env": [PATH] });
        let legacy = json!({ "Hostname": "f00", "Tty": false, "Env": null, "Cmd": null, "Image": "sha256:aa",
            "Volumes": null, "WorkingDir": "", "Entrypoint": ["/e"], "OnBuild": null,
            "Labels": { "a": "b" }, "StopSignal": "SIGRTMIN+3" });
        let buildkit = json!({ "Env": [PATH], "Entrypoint": ["/e"], "WorkingDir": "/", "Labels": { "a": "b" },
            "ArgsEscaped": true, "StopSignal": "SIGRTMIN+3" });
        let podman = json!({ "Entrypoint": ["/e"], "Labels": { "a": "b", BUILDAH: "1.28" }, "StopSignal": "SIGRTMIN+3" });
        for form in [&ours, &legacy, &buildkit, &podman] {
            assert_eq!(config(form).unwrap(), ours);
        }
    }

    #[test]
    fn a_setting_without_a_place_is_refused() {
        for (key, value) in [
            ("Healthcheck", json!({ "Test": ["CMD", "true"] })),
            ("OnBuild", json!(["RUN date"])),
            ("Unknown", json!(1)),
        ] {
            let error = config(&json!({ key: value })).unwrap_err().to_string();
            assert!(error.contains(&format!("the setting {key}, which")), "{error}");
        }
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        assert_eq!(rfc3339(1_778_198_400), "2026-05-08T00:00:00Z");
        assert_eq!(seconds("2026-05-08T00:00:00Z"), Some(1_778_198_400));
        assert_eq!(seconds("2026-05-08T00:00:01.987654321Z"), Some(1_778_198_401));
        for bad in [
            "",
            "2026-05-08",
            "2026-13-08T00:00:00Z",
            "2026-05-08T00:00:00+02:00",
            "x-05-08T00:00:00Z",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
