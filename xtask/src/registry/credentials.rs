//! Credentials of a registry, from docker's config.json and from credential helpers.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::exec::Cmd;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::record_file;
use xtask_core::secret::Secret;

/// Credentials for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    Anonymous,
    /// `user:password` in base64, for Basic authentication.
    Basic(Secret),
    /// An OAuth 2 refresh token, which the token server exchanges for an access token.
    Identity(Secret),
}

/// Folder of docker's client configuration: $DOCKER_CONFIG, else ~/.docker.
pub(crate) fn config_dir() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    named.map(PathBuf::from).or_else(home)
}

/// Reads `dir`/config.json. A missing file gives an empty object.
pub(crate) fn read_config(dir: &Path) -> Result<Value> {
    let path = dir.join("config.json");
    let Some(text) = record_file::if_there(&path, record_file::text).or_exit(Code::NotReady)?
    else {
        return Ok(Value::Object(serde_json::Map::new()));
    };
    let config: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not JSON", path.shown()))
        .or_exit(Code::NotReady)?;
    if !config.is_object() {
        return Err(Code::NotReady.error(format!("{}: expected a JSON object", path.shown())));
    }
    Ok(config)
}

impl Credentials {
    /// Searches in docker's order: the registry's own helper, the common helper, the file itself.
    pub(super) fn of(key: &str) -> Result<Credentials> {
        let Some(dir) = config_dir() else { return Ok(Credentials::Anonymous) };
        let config = read_config(&dir)?;
        let helper = config["credHelpers"][key].as_str().or(config["credsStore"].as_str());
        match helper.filter(|name| !name.is_empty()) {
            Some(name) => ask(name, key),
            None => in_file(&config, key)
                .with_context(|| dir.join("config.json").shown().to_string())
                .or_exit(Code::NotReady),
        }
    }
}

/// Runs `docker-credential-NAME get`, with the registry on its stdin and JSON on its stdout.
fn ask(name: &str, key: &str) -> Result<Credentials> {
    let program = format!("docker-credential-{name}");
    let probe = Cmd::new(&program).arg("get").input(key.as_bytes()).within_seconds(30).output()?;
    if !probe.exit.ok() {
        // message for "no credentials", which the helpers' common library prints on stdout
        if probe.stdout.contains("credentials not found") {
            return Ok(Credentials::Anonymous);
        }
        // its output is not shown, because it may contain a secret
        return Err(
            Code::NotReady.error(format!("`{program} get` failed for {key} ({})", probe.exit))
        );
    }
    let answer: Value = serde_json::from_str(&probe.stdout)
        .map_err(|_| Code::NotReady.error(format!("`{program} get` printed no JSON for {key}")))?;
    known(&answer, "Username", "Secret", &program)
}

/// Makes credentials from a user and a password. The user `<token>` marks an identity token.
fn known(entry: &Value, user: &str, secret: &str, source: &str) -> Result<Credentials> {
    let word = |name: &str| entry[name].as_str().unwrap_or_default();
    Ok(match (word(user), word(secret)) {
        (_, "") => Credentials::Anonymous,
        ("<token>", token) => Credentials::Identity(Secret::new(token, source)?),
        (user, password) => {
            // registers the password as a secret of its own, so that it is redacted too
            drop(Secret::new(password, source)?);
            Credentials::Basic(Secret::new(&base64(&format!("{user}:{password}")), source)?)
        }
    })
}

fn in_file(config: &Value, key: &str) -> Result<Credentials> {
    let Some(auths) = config["auths"].as_object() else { return Ok(Credentials::Anonymous) };
    // older clients wrote URLs as keys
    let entry = auths.get(key).or_else(|| {
        auths.iter().find(|(name, _)| host_of(name) == host_of(key)).map(|(_, entry)| entry)
    });
    let Some(entry) = entry else { return Ok(Credentials::Anonymous) };
    let source = format!("auths.{key}");
    match (entry["identitytoken"].as_str(), entry["auth"].as_str()) {
        (Some(token), _) if !token.is_empty() => {
            Ok(Credentials::Identity(Secret::new(token, &source)?))
        }
        (_, Some(pair)) if !pair.is_empty() => Ok(Credentials::Basic(Secret::new(pair, &source)?)),
        _ => known(entry, "username", "password", &source),
    }
}

fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Base64 of RFC 4648, with padding.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * n) & 63) as usize];
            encoded.push(if n <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn basic(pair: &str) -> Credentials {
        Credentials::Basic(Secret::new(pair, "test").unwrap())
    }

    #[test]
    fn config_json_is_read_as_docker_reads_it() {
        let config = json!({"auths": {
            "r.example:5000": {"auth": "dXNlcjpwYTpzcw=="},
            "https://old.example/v1/": {"auth": "dTpw"},
            "token.example": {"auth": "dTpw", "identitytoken": "long-token"},
            "plain.example": {"username": "user", "password": "pa:ss"},
            "store.example": {},
        }});
        let of = |key: &str| in_file(&config, key).unwrap();
        assert_eq!(of("r.example:5000"), basic("dXNlcjpwYTpzcw=="));
        assert_eq!(of("plain.example"), of("r.example:5000"));
        assert_eq!(of("old.example"), basic("dTpw"));
        let identity = Credentials::Identity(Secret::new("long-token", "test").unwrap());
        assert_eq!(of("token.example"), identity);
        assert_eq!(of("store.example"), Credentials::Anonymous);
        assert_eq!(of("r.example"), Credentials::Anonymous, "another port is another registry");
    }

    #[test]
    fn a_helper_returns_a_password_or_a_token() {
        let of = |user: &str, secret: &str| {
            known(&json!({"Username": user, "Secret": secret}), "Username", "Secret", "x").unwrap()
        };
        assert_eq!(of("user", "pa:ss"), basic("dXNlcjpwYTpzcw=="));
        assert!(matches!(of("<token>", "long-token"), Credentials::Identity(_)));
        assert_eq!(of("user", ""), Credentials::Anonymous);
    }

    #[test]
    fn base64_is_padded() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text), encoded);
        }
    }
}
