//! The manifest of saved inputs: the input fields of BUILD_INFO, and the files of the package cache.

use anyhow::{Context as _, Result, bail};
use std::path::{Component, Path};
use xtask_core::deb822;
use xtask_core::escape::Shown as _;
use xtask_core::pins::Digest;
use xtask_core::records::published::BuildInfo;

const FORMAT: &str = "silvermetal-inputs/1";

/// One file of the package cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: u64,
    /// Relative to the cache's folder.
    pub(super) path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputsManifest {
    /// The fields of BUILD_INFO that were known before the build, and `Builder-Image-Id`,
    /// `Builder-Image-Digest` (if the archive is a normal form), `Security` (yes or no) and `Keyring` (a hash, or `no`).
    pub(super) about: BuildInfo,
    /// `COMMIT PATH` of derivative-maker's submodules.
    pub(super) submodules: Vec<String>,
    pub(super) files: Vec<Object>,
}

impl InputsManifest {
    /// Equal inputs give equal text.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("Format: {FORMAT}\n");
        for (name, value) in &self.about.0 {
            deb822::push_field(&mut text, name, value);
        }
        let mut list = |name: &str, lines: &mut dyn Iterator<Item = String>| {
            let lines: String = lines.map(|line| format!("\n{line}")).collect();
            if !lines.is_empty() {
                deb822::push_field(&mut text, name, &lines);
            }
        };
        list("Submodules", &mut self.submodules.iter().cloned());
        list(
            "Files",
            &mut self.files.iter().map(|f| format!("{} {} {}", f.digest.hex(), f.size, f.path)),
        );
        text
    }

    pub(super) fn parse(text: &str) -> Result<InputsManifest> {
        let mut about = BuildInfo::parse(text)?;
        let mut take = |name: &str| about.0.remove(name).unwrap_or_default();
        let format = take("Format");
        if format != FORMAT {
            bail!("expected Format: {FORMAT}, found `{}`", format.shown());
        }
        let submodules = take("Submodules").lines().map(str::to_owned).collect();
        let files = take("Files");
        let files = files.lines().map(|line| {
            object(line).with_context(|| {
                format!("expected ` SHA-256 BYTES PATH`, found ` {}`", line.shown())
            })
        });
        Ok(InputsManifest { files: files.collect::<Result<_>>()?, submodules, about })
    }
}

fn object(line: &str) -> Option<Object> {
    let mut words = line.splitn(3, ' ');
    let object = Object {
        digest: format!("sha256:{}", words.next()?).parse().ok()?,
        size: words.next()?.parse().ok()?,
        path: words.next()?.to_owned(),
    };
    let inside = Path::new(&object.path).components().all(|c| matches!(c, Component::Normal(_)));
    (inside && !object.path.is_empty()).then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> InputsManifest {
        let file = |path: &str| Object {
            digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            size: 7,
            path: path.into(),
        };
        InputsManifest {
            about: BuildInfo::parse("Recipe: canary\nApt-Pinned: no\n").unwrap(),
            submodules: vec!["aa live-build".into()],
            files: vec![file("debian/pool/a b.deb"), file("debian/dists/trixie/InRelease")],
        }
    }

    #[test]
    fn a_written_manifest_can_be_read() {
        assert_eq!(InputsManifest::parse(&manifest().to_text()).unwrap(), manifest());
        let bare = InputsManifest { submodules: vec![], files: vec![], ..manifest() };
        assert_eq!(InputsManifest::parse(&bare.to_text()).unwrap(), bare);
    }

    #[test]
    fn no_path_leads_out_of_the_cache() {
        for path in ["../x", "/etc/passwd", "a/../../x", "./x", ""] {
            let text = manifest().to_text().replace("debian/pool/a b.deb", path);
            let error = InputsManifest::parse(&text).unwrap_err();
            assert!(error.to_string().contains("expected ` SHA-256"), "{path}: {error}");
        }
        assert!(InputsManifest::parse("Format: other\n").is_err());
    }
}
