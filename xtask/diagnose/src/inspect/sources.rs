//! apt's package sources (sources.list(5)): which are enabled, and where they point.

use anyhow::Result;
use diskimage::Tree;

/// One enabled source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Path of the file that has it.
    pub(crate) file: String,
    pub(crate) uri: String,
    pub(crate) suite: String,
}

impl Source {
    /// Host of the URI, without transport (`tor+https://`), user and port; of `file:` and the like
    /// the whole URI.
    pub(crate) fn host(&self) -> &str {
        let Some((_, rest)) = self.uri.split_once("://") else { return &self.uri };
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let port = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        port.map_or(host, |(host, _)| host)
    }
}

/// All enabled sources of an image, in the order in which apt reads them.
pub(super) fn of(tree: &dyn Tree) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    if let Some(text) = super::text(tree, "etc/apt/sources.list")? {
        found.extend(one_line_style("etc/apt/sources.list", &text));
    }
    let Some(folder) = diskimage::find(tree, b"etc/apt/sources.list.d")? else { return Ok(found) };
    if folder.metadata.kind != diskimage::Kind::Folder {
        return Ok(found);
    }
    let mut names: Vec<String> = tree
        .list(&folder)?
        .into_iter()
        .map(|(name, _)| String::from_utf8_lossy(&name).into_owned())
        .collect();
    names.sort();
    for name in names {
        let file = format!("etc/apt/sources.list.d/{name}");
        // apt leaves all other endings out
        let read: fn(&str, &str) -> Vec<Source> = match name.rsplit_once('.') {
            Some((_, "list")) => one_line_style,
            Some((_, "sources")) => deb822_style,
            _ => continue,
        };
        if let Some(text) = super::text(tree, &file)? {
            found.extend(read(&file, &text));
        }
    }
    Ok(found)
}

/// `deb [options] URI SUITE COMPONENT…`
fn one_line_style(file: &str, text: &str) -> Vec<Source> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .filter_map(|line| {
            let rest =
                line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '-']))?;
            let rest = rest.strip_prefix("-src").unwrap_or(rest).trim_start();
            let rest = match rest.strip_prefix('[') {
                Some(options) => options.split_once(']')?.1,
                None => rest,
            };
            let mut words = rest.split_whitespace();
            let (uri, suite) = (words.next()?.to_owned(), words.next()?.to_owned());
            Some(Source { file: file.to_owned(), uri, suite })
        })
        .collect()
}

/// Paragraphs with `Types`, `URIs`, `Suites`, `Enabled`.
fn deb822_style(file: &str, text: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for paragraph in lines.split(|line| line.trim().is_empty()) {
        let field = |name: &str| {
            let mut words: Vec<String> = Vec::new();
            let mut inside = false;
            for line in paragraph {
                if !line.starts_with([' ', '\t']) {
                    inside = line
                        .split_once(':')
                        .is_some_and(|(other, _)| other.trim().eq_ignore_ascii_case(name));
                }
                if inside {
                    let value = line.split_once(':').filter(|_| !line.starts_with([' ', '\t']));
                    let value = value.map_or(*line, |(_, value)| value);
                    words.extend(value.split_whitespace().map(str::to_owned));
                }
            }
            words
        };
        let off = ["no", "false", "without", "off", "disable", "0"];
        if field("Enabled").first().is_some_and(|word| off.contains(&word.to_lowercase().as_str()))
        {
            continue;
        }
        for uri in field("URIs") {
            for suite in field("Suites") {
                found.push(Source { file: file.to_owned(), uri: uri.clone(), suite });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_are_read_and_what_is_off_is_left_out() {
        let text = "# deb http://x/a y\ndeb [arch=amd64 trusted=yes] http://u@h:80/debian trixie main\n\
                    deb-src tor+https://deb.debian.org/debian trixie main\n";
        let found = one_line_style("f", text);
        assert_eq!(found.iter().map(Source::host).collect::<Vec<_>>(), ["h", "deb.debian.org"]);

        let text = "## a comment\nTypes: deb\nURIs: tor+https://deb.debian.org/debian\n\
                    Suites: trixie\n trixie-updates\nEnabled: yes\n\nTypes: deb\nURIs: http://off/x\n\
                    Suites: s\nEnabled: no\n";
        let found = deb822_style("f", text);
        let suites: Vec<&str> = found.iter().map(|source| source.suite.as_str()).collect();
        assert_eq!(suites, ["trixie", "trixie-updates"]);
    }
}
