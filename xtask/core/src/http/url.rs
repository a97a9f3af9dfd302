//! URLs (RFC 3986), as far as requests need them.

use crate::escape::Shown as _;
use anyhow::{Context as _, Result, bail};
use std::fmt;
use std::str::FromStr;

/// An absolute http or https URL without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    /// Length in bytes of scheme, host and port in `text`.
    origin: usize,
}

impl FromStr for Url {
    type Err = anyhow::Error;

    fn from_str(s: &str) -> Result<Url> {
        let text = s.split('#').next().unwrap_or_default();
        let Some((scheme, rest)) = text.split_once("://") else {
            bail!("`{}` is not an address: expected http:// or https://", s.shown());
        };
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        if authority.contains('@') {
            // the error does not show it, because it may contain a password
            bail!(
                "an address with a user or password in it: expected http(s)://HOST/…, and the secret elsewhere"
            );
        }
        if scheme != "http" && scheme != "https" {
            bail!("`{}` is not an address: expected http:// or https://", s.shown());
        }
        let host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(host) {
            bail!("`{}` is not an address: expected a host after {scheme}://", s.shown());
        }
        if let Some(bad) = text.chars().find(|c| c.is_control() || *c == ' ' || !c.is_ascii()) {
            bail!("`{}` is not an address: {bad:?} must be percent-encoded", s.shown());
        }
        Ok(Url { origin: scheme.len() + 3 + authority.len(), text: text.to_owned() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Url {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, in lower case.
    pub fn origin(&self) -> String {
        self.text[..self.origin].to_ascii_lowercase()
    }

    /// Path and query; empty or beginning with `/` or `?`.
    pub fn path(&self) -> &str {
        &self.text[self.origin..]
    }

    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// True if scheme, host and port are those of `other`. A default port may be left out.
    pub fn same_origin(&self, other: &Url) -> bool {
        let whole = |url: &Url| {
            let origin = url.origin();
            let default = if url.is_https() { ":443" } else { ":80" };
            origin.strip_suffix(default).unwrap_or(&origin).to_owned()
        };
        whole(self) == whole(other)
    }

    /// Another path, with its query, at the same origin. Unlike a reference, `//x/y` is a path here.
    pub fn at(&self, path: &str) -> Result<Url> {
        if !path.is_empty() && !path.starts_with(['/', '?']) {
            bail!("`{}` is not a path: expected `/…`", path.shown());
        }
        format!("{}{path}", &self.text[..self.origin]).parse()
    }

    /// True if the host is this machine's loopback interface.
    pub fn on_loopback(&self) -> bool {
        let origin = self.origin();
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let v4 = name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        v4 || name == "localhost" || name == "::1"
    }

    /// True if nobody on the way can read a request to it.
    pub fn keeps_secrets(&self) -> bool {
        self.is_https() || self.on_loopback()
    }

    /// The URL of `name` in the folder `self`. The name is percent-encoded.
    pub fn child(&self, name: &str) -> Url {
        let text = format!("{}/{}", self.text.trim_end_matches('/'), encoded(name));
        Url { text, origin: self.origin }
    }

    /// Appends to the query. Names and values are percent-encoded.
    pub fn query(&self, pairs: &[(&str, &str)]) -> Url {
        let mark = if self.text.contains('?') { '&' } else { '?' };
        Url { text: format!("{}{mark}{}", self.text, self::pairs(pairs)), origin: self.origin }
    }

    /// Resolves a reference: an absolute URL, a path from the root, or a relative path.
    pub fn join(&self, reference: &str) -> Result<Url> {
        let text = if reference.contains("://") {
            reference.to_owned()
        } else if reference.starts_with("//") {
            format!("{}{reference}", if self.is_https() { "https:" } else { "http:" })
        } else if reference.starts_with('/') {
            format!("{}{reference}", &self.text[..self.origin])
        } else {
            let path = self.path().split('?').next().unwrap_or_default();
            let folder = path.rfind('/').map_or("", |slash| &path[..slash]);
            format!("{}{folder}/{reference}", &self.text[..self.origin])
        };
        text.parse().with_context(|| format!("from {self}"))
    }
}

/// Percent-encodes pairs for a query or a form: `name=value&…`.
pub(super) fn pairs(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect();
    pairs.join("&")
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn origin_path_and_children() {
        let base = url("http://Host:3000/a/b#top");
        assert_eq!((base.origin().as_str(), base.path()), ("http://host:3000", "/a/b"));
        assert_eq!(base.child("x y/ü").as_str(), "http://Host:3000/a/b/x%20y%2F%C3%BC");
        assert_eq!(
            base.query(&[("name", "a&b"), ("page", "2")]).as_str(),
            "http://Host:3000/a/b?name=a%26b&page=2"
        );
        assert_eq!(url("https://h").child("x").as_str(), "https://h/x");
    }

    #[test]
    fn references_are_resolved() {
        let base = url("https://h:1/a/b?c=d");
        for (reference, expected) in [
            ("http://x/y", "http://x/y"),
            ("//x/y", "https://x/y"),
            ("/y?z", "https://h:1/y?z"),
            ("y", "https://h:1/a/y"),
        ] {
            assert_eq!(base.join(reference).unwrap().as_str(), expected);
        }
        assert!(base.join("ftp://x/").is_err());
        for path in ["//x/y", "/y?z", "", "?z"] {
            let at = base.at(path).unwrap();
            assert_eq!((at.as_str(), at.origin()), (&*format!("https://h:1{path}"), base.origin()));
        }
        for bad in ["x", "@x/", ".x", ":2/", "/\n", "/ "] {
            assert!(base.at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for same in ["https://h", "https://H:443/x", "https://h/?y"] {
            assert!(url("https://h/a").same_origin(&url(same)), "{same}");
        }
        for other in ["http://h", "https://h:80", "https://h.x", "https://h:4430", "https://x.h"] {
            assert!(!url("https://h/a").same_origin(&url(other)), "{other}");
        }
    }

    #[test]
    fn bad_urls_are_refused_and_passwords_not_shown() {
        for bad in ["", "h/x", "ftp://h/", "http://", "http:///x", "http://h/a b", "http://h/\n"] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
        let error = "https://me:hunter2@h/x".parse::<Url>().unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn secrets_are_safe_with_https_and_on_loopback() {
        for safe in ["https://h/", "http://127.1.2.3:5/", "http://localhost:8/", "http://[::1]:9"] {
            assert!(url(safe).keeps_secrets(), "{safe}");
        }
        for open in ["http://h/", "http://127.0.0.1.example/", "http://localhost.example"] {
            assert!(!url(open).keeps_secrets(), "{open}");
        }
    }
}
