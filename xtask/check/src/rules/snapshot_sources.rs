//! Packages come only from the snapshot archive.

use crate::finding::{Location, Severity};
use crate::model::image;
use crate::rule::{Findings, Rule, replace};
use crate::tree::{SourceFile, SourceTree};
use xtask_core::pins::env_file;
use xtask_core::rules::Described;

const PIN: &str = "linux/build/config/snapshot-pin.env";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "snapshot-sources",
        what: "Dockerfiles, their scripts, recipes and configuration name no package archive but the snapshot's",
        why: "a live mirror serves other packages tomorrow: it looks reproducible until somebody builds it again",
        source: "snapshot.debian.org",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            "linux/build/docker/install-packages.sh",
            "debian=${APT_SNAPSHOT_URL%/}/debian/${APT_SNAPSHOT_STAMP}",
            "debian=http://deb.debian.org/debian",
            "deb.debian.org",
        ),
        replace(
            "linux/build/recipes/canary/build",
            "exit 0",
            "printf 'deb http://ftp.example.org/debian trixie main\\n'\nexit 0",
            "ftp.example.org",
        ),
        replace(
            PIN,
            "SNAPSHOT_URL=http://snapshot.debian.org/archive",
            "SNAPSHOT_URL=http://deb.debian.org/debian",
            "SNAPSHOT_URL",
        ),
        replace(PIN, "SNAPSHOT_URL=http://", "SNAPSHOT_URL=", "SNAPSHOT_URL"),
        replace(PIN, "org/archive\n", "org/archive,http://other.example\n", "SNAPSHOT_URL"),
        replace(
            PIN,
            "debian.org/archive",
            "debian.org/archive/debian/20260508T000000Z",
            "SNAPSHOT_URL",
        ),
        replace(
            "linux/build/docker/Dockerfile.builder",
            "STOPSIGNAL",
            "ARG MIRROR=https://security.debian.org/debian-security\nSTOPSIGNAL",
            "security.debian.org",
        ),
    ],
};

/// Hosts of live archives.
const LIVE: [&str; 9] = [
    "deb.debian.org",
    "security.debian.org",
    "ftp.debian.org",
    "httpredir.debian.org",
    "http.debian.net",
    "archive.debian.org",
    "cloudfront.debian.net",
    "archive.ubuntu.com",
    "deb.kicksecure.com",
];

fn check(tree: &SourceTree, found: &mut Findings) {
    let images: Vec<String> =
        image::all(tree).iter().map(|image| image.context().to_owned()).collect();
    for source in tree.sources().filter(|source| !source.path.ends_with(".md")) {
        let path = &source.path;
        let of_image = images.iter().any(|context| path.starts_with(context));
        if of_image
            || path.starts_with("linux/build/recipes/")
            || path.starts_with("linux/build/config/")
        {
            file(source, found);
        }
    }
    if let Some(pin) = tree.source(PIN) {
        let url = env_file::lines(&pin.text).find(|(_, key, _)| *key == "SNAPSHOT_URL");
        let servers = url.into_iter().flat_map(|(line, _, list)| {
            list.split(',').map(move |server| (line, server.trim_end_matches('/')))
        });
        for (line, server) in servers.filter(|(_, s)| !is_root(s) && live(s).is_none()) {
            let what = format!("`{server}` is not the root of a snapshot archive");
            found.add(
                Location::line(PIN, line),
                what,
                "http://snapshot.debian.org/archive, or mirrors of it, separated by commas",
                "correct the URL",
            );
        }
    }
}

/// True for an address of an archive of snapshots, without a snapshot's own stamp.
fn is_root(url: &str) -> bool {
    let stamp = |part: &str| part.len() == 16 && part.ends_with('Z') && part.as_bytes()[8] == b'T';
    let web = url.starts_with("http://") || url.starts_with("https://");
    web && url.contains("/archive") && !url.split('/').any(stamp)
}

fn file(source: &SourceFile, found: &mut Findings) {
    for (line, text) in source.lines() {
        let text = without_comment(text);
        for (at, _) in text.match_indices("://") {
            let start = text[..at]
                .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '+')
                .map_or(0, |n| n + 1);
            let end = text[at..]
                .find(|c: char| c.is_whitespace() || "\"'`)>|,;".contains(c))
                .map_or(text.len(), |n| at + n);
            let url = &text[start..end];
            if let Some(why) = live(url) {
                found.add(
                    Location::at(&source.path, (line, text[..start].chars().count() + 1)),
                    format!("`{url}` is {why}"),
                    "the snapshot: SNAPSHOT_URL and SNAPSHOT_STAMP of snapshot-pin.env",
                    "use the archive from the build's environment (APT_SNAPSHOT_URL, SILVERMETAL_APT_DEBIAN)",
                );
            }
        }
    }
}

/// The line without its comment: a `#` outside quotes that begins a word.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match (c, quote) {
            ('#', None) if before.is_whitespace() => return &line[..at],
            ('"' | '\'', None) if before != '\\' => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

/// Says why a URL is a package archive that changes. `None` if it is not one.
fn live(url: &str) -> Option<&'static str> {
    let rest = url.split_once("://")?.1;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    let name = host.split(':').next().unwrap_or(host);
    let local = name.starts_with("127.") || name == "localhost" || name.contains('$');
    if local || name.starts_with("snapshot.") || path.split('/').next() == Some("archive") {
        return None;
    }
    if LIVE.contains(&name) || (name.starts_with("ftp.") && name.ends_with(".debian.org")) {
        return Some("a live mirror");
    }
    let folder = path.split('/').next().unwrap_or_default();
    let archive = matches!(folder, "debian" | "debian-security" | "ubuntu");
    archive.then_some("a package archive, and not the snapshot's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_sources() {
        for (line, code) in [
            ("#http://x", ""),
            ("a # b", "a "),
            ("a#b", "a#b"),
            ("'# a' #b", "'# a' "),
            ("é #", "é "),
        ] {
            assert_eq!(without_comment(line), code);
        }
    }

    #[test]
    fn which_archives_move() {
        for (url, moves) in [
            ("http://deb.debian.org/debian", true),
            ("https://ftp.de.debian.org/debian/", true),
            ("http://mirror:3142/debian", true),
            ("http://snapshot.debian.org/archive/debian/20260508T000000Z/", false),
            ("http://127.0.0.1:9977/debian", false),
            ("https://${HOST}/debian", false),
            ("https://git.silverlabs.uk/SilverLABS", false),
            ("http://mirror/archive/debian/x", false),
        ] {
            assert_eq!(live(url).is_some(), moves, "{url}");
        }
    }
}
