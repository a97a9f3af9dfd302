//! apt's package sources (sources.list(5)), in both styles.

use crate::deb822;

/// An enabled source: one URI and one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptSource {
    /// File that it is in, as the caller of [`read`] named it.
    pub file: String,
    pub uri: String,
    pub suite: String,
    /// True if it serves binary packages (`deb`), false if it serves only sources (`deb-src`).
    pub binary: bool,
    /// True if apt takes from it what nobody signed.
    pub unsigned: bool,
}

impl AptSource {
    /// Host of the URI, without transport (`tor+https://`), user and port; the whole URI if it names
    /// no host (`file:/…`).
    pub fn host(&self) -> &str {
        let Some((_, rest)) = self.uri.split_once("://") else { return &self.uri };
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let port = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        port.map_or(host, |(host, _)| host)
    }
}

/// The enabled sources in a file, in its order. apt knows the style by the end of the file's name:
/// `.list` or `.sources`. It ignores all other files, and so does this function.
pub fn read(file: &str, text: &str) -> Vec<AptSource> {
    match file.rsplit_once('.') {
        Some((_, "list")) => text.lines().filter_map(|line| one_line(file, line)).collect(),
        Some((_, "sources")) => deb822_style(file, text),
        _ => Vec::new(),
    }
}

/// Options by which apt takes what nobody signed (sources.list(5)).
const UNSIGNED: [&str; 3] = ["Trusted", "Allow-Insecure", "Allow-Weak"];

/// The words that apt takes for no.
fn is_no(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    ["no", "false", "without", "off", "disable", "0"].contains(&value.as_str())
}

/// `deb [options] URI SUITE COMPONENT…`
fn one_line(file: &str, line: &str) -> Option<AptSource> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (kind, rest) = line.split_once([' ', '\t'])?;
    let binary = match kind {
        "deb" => true,
        "deb-src" => false,
        _ => return None,
    };
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?,
        None => ("", rest),
    };
    let unsigned = options.split_whitespace().filter_map(|option| option.split_once('=')).any(
        |(name, value)| UNSIGNED.iter().any(|x| x.eq_ignore_ascii_case(name)) && !is_no(value),
    );
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(AptSource { file: file.to_owned(), uri, suite, binary, unsigned })
}

/// Paragraphs with `Types`, `URIs`, `Suites`, `Enabled`.
fn deb822_style(file: &str, text: &str) -> Vec<AptSource> {
    let mut found = Vec::new();
    for paragraph in deb822::paragraphs(text) {
        if is_no(paragraph.get("Enabled").unwrap_or("yes")) {
            continue;
        }
        let unsigned =
            UNSIGNED.iter().any(|name| paragraph.get(name).is_some_and(|value| !is_no(value)));
        let binary = paragraph.words("Types").any(|kind| kind == "deb");
        for uri in paragraph.words("URIs") {
            for suite in paragraph.words("Suites") {
                let (uri, suite) = (uri.to_owned(), suite.to_owned());
                found.push(AptSource { file: file.to_owned(), uri, suite, binary, unsigned });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts_and_suites(file_name: &str, text: &str) -> Vec<String> {
        let shown = |source: &AptSource| {
            let kind = if source.binary { "deb" } else { "deb-src" };
            format!("{kind} {} {}", source.host(), source.suite)
        };
        read(file_name, text).iter().map(shown).collect()
    }

    #[test]
    fn one_line_style() {
        let text = "# deb http://x/a y\ndeb [arch=amd64 trusted=yes] http://u@h:80/debian trixie main # z\n\
                    deb-src tor+https://deb.debian.org/debian trixie main\ndeb\tcdrom:[x]/ bookworm main\n\
                    rpm http://r/x y\ndeb http://only.a.uri/\ndebx http://x/ y\n";
        assert_eq!(
            hosts_and_suites("debian.list", text),
            ["deb h trixie", "deb-src deb.debian.org trixie", "deb cdrom:[x]/ bookworm"]
        );
    }

    #[test]
    fn deb822_style() {
        let text = "## a comment\nTypes: deb deb-src\n# URIs: http://commented/\n\
                    URIs: tor+https://deb.debian.org/debian\nSuites: trixie\n trixie-updates\nEnabled: yes\n\n\
                    Types: deb\nURIs: http://off/x\nSuites: s\nEnabled: no\n\n\
                    types: deb-src\nuris: http://a/x http://b/x\nsuites: s\n";
        assert_eq!(
            hosts_and_suites("debian.sources", text),
            [
                "deb deb.debian.org trixie",
                "deb deb.debian.org trixie-updates",
                "deb-src a s",
                "deb-src b s"
            ]
        );
    }

    #[test]
    fn sources_that_need_no_signature() {
        let unsigned = |file: &str, text: &str| read(file, text)[0].unsigned;
        assert!(unsigned("a.list", "deb [arch=amd64 trusted=yes] http://h/ s main\n"));
        assert!(unsigned("a.list", "deb [allow-insecure=1] http://h/ s main\n"));
        assert!(!unsigned("a.list", "deb [trusted=no signed-by=/k] http://h/ s main\n"));
        let text = "Types: deb\nURIs: http://h/\nSuites: s\nTrusted: X\n";
        assert!(unsigned("a.sources", &text.replace('X', "yes")));
        assert!(!unsigned("a.sources", &text.replace('X', "no")));
    }

    #[test]
    fn apt_ignores_files_of_other_names() {
        for name in ["debian.list.save", "debian.sources~", "list", "debian"] {
            assert_eq!(read(name, "deb http://h/debian trixie main\n"), [], "{name}");
        }
        assert_eq!(read("sources.list", "deb http://h/debian trixie main\n").len(), 1);
    }
}
