//! The files in which apt finds its package sources.

use xtask_core::apt::sources::{self, AptSource};

/// Files in which apt looks for sources.
pub(super) const FILES: [&str; 2] = ["etc/apt/sources.list", "etc/apt/sources.list.d/*"];

/// Files in which apt looks for its settings.
pub(super) const SETTINGS: [&str; 2] = ["etc/apt/apt.conf", "etc/apt/apt.conf.d/*"];

/// The enabled sources in a file. apt ignores files whose names have other signs than these.
pub(super) fn read(file: &str, text: &str) -> Vec<AptSource> {
    let name = file.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    if !name.chars().all(plain) || name.starts_with('.') {
        return Vec::new();
    }
    sources::read(file, text)
}

/// Settings by which apt takes packages that nobody signed, or from somebody between it and its sources
/// (apt.conf(5), apt-transport-http(1), apt-transport-https(1)).
const WEAKER: [&str; 6] = [
    "allowinsecurerepositories",
    "allowweakrepositories",
    "allowdowngradetoinsecurerepositories",
    "allowunauthenticated",
    "::proxy",
    "proxy-auto-detect",
];

/// The statements of apt's settings, once as they are and once without comments: where a comment begins
/// depends on the quotes before it, and neither reading may hide a statement.
fn statements(settings: &str) -> Vec<String> {
    // a comment ends nothing
    let parts = settings.split("/*").enumerate().map(|(index, part)| match part.split_once("*/") {
        Some((_, rest)) if index > 0 => rest,
        _ => part,
    });
    let texts = [settings.to_owned(), parts.collect()];
    let statements = texts.iter().flat_map(|text| text.split(['\n', ';', '{', '}']));
    statements.map(|statement| statement.trim().to_owned()).collect()
}

/// The first setting that lets apt take more than the sources sign.
pub(super) fn weaker(settings: &str) -> Option<String> {
    statements(settings)
        .into_iter()
        .filter(|line| !line.starts_with("//") && !line.starts_with('#'))
        .find(|line| {
            let (name, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let name = format!("::{}", name.to_lowercase());
            let value = value.trim_matches([' ', '\t', '"']).to_lowercase();
            let off = ["false", "no", "0", "off", "", "direct"].contains(&value.as_str());
            let verify = ["::verify-peer", "::verify-host"].iter().any(|end| name.ends_with(end));
            (verify && off) || (!off && WEAKER.iter().any(|end| name.ends_with(end)))
        })
}

/// True if apt's settings name other places for the lists of sources, or other settings (apt.conf(5)).
pub(super) fn moves_lists(settings: &str) -> bool {
    statements(&settings.to_lowercase()).iter().any(|line| {
        // `Dir "/x"`, `Dir { … }`, `Dir::Etc …`; but not `Dir::Cache`
        let folder = line.strip_prefix("dir").is_some_and(|rest| {
            !rest.starts_with("::") && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-')
        });
        folder
            || ["rootdir", "#include", "#clear"].iter().any(|start| line.starts_with(start))
            || ["dir::etc", "sourcelist", "sourceparts"].iter().any(|part| line.contains(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_take_more_than_is_signed() {
        for text in [
            "Acquire::AllowInsecureRepositories \"true\";",
            "APT::Get::AllowUnauthenticated \"1\";",
            "Acquire { http { Proxy \"http://x\"; }; };",
            "Acquire::https::Verify-Peer \"false\";",
            "Acquire::Allow/* */InsecureRepositories \"true\";",
        ] {
            assert!(weaker(text).is_some(), "{text}");
        }
        for text in [
            "Acquire::http::Proxy \"DIRECT\";",
            "Acquire::https::Verify-Peer \"true\";",
            "// Acquire::http::Proxy \"http://x\";",
            "Acquire::AllowInsecureRepositories \"false\";\nAcquire::BlockDotOnion \"false\";",
        ] {
            assert!(weaker(text).is_none(), "{text}");
        }
    }

    #[test]
    fn settings_that_move_the_lists() {
        for text in [
            "Dir::Etc::sourcelist \"x\";",
            "Dir::Etc \"x\";",
            "Dir \"x\";",
            "APT::A \"0\"; Dir {\n Etc \"x\"; };",
            "Dir\n{\n Etc \"x\"; };",
            "RootDir \"x\";",
            "#include \"x\"",
            "D/* */ir::Etc \"x\";",
            "A \"/*\"; Dir::Etc \"x\"; B \"*/\";",
        ] {
            assert!(moves_lists(text), "{text}");
        }
        for text in ["Dir::Cache::pkgcache \"\";", "APT::X \"/a/dir\";", "// a\nDirty \"x\";", ""] {
            assert!(!moves_lists(text), "{text}");
        }
    }
}
