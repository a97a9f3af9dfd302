//! Tags that derivative-maker's step 1100 refuses, whatever flag it gets: at most one tag may point at a
//! commit, and it must be an annotated one with an OpenPGP signature.

use crate::facts::git::git;
use anyhow::Result;
use std::path::Path;

/// The reason why upstream refuses the tags at `revision` of `repository`; `None` if git sees none. Only
/// upstream's own keys tell whether a signature is one that it trusts.
///
/// # Errors
/// git fails.
pub(super) fn refused(repository: &Path, revision: &str) -> Result<Option<String>> {
    let format = "--format=%(refname:strip=2)%00%(objecttype)%00%(contents:signature)%01";
    let at = format!("--points-at={revision}");
    let listed = git(repository).args(["for-each-ref", &at, format, "refs/tags"]).read()?;
    let tags: Vec<&str> =
        listed.split('\u{1}').map(str::trim_start).filter(|tag| !tag.is_empty()).collect();
    let names = || tags.iter().filter_map(|tag| tag.split('\0').next()).collect::<Vec<_>>();
    Ok(match &tags[..] {
        [] => None,
        [tag] => {
            let mut fields = tag.split('\0');
            let (name, kind) = (fields.next().unwrap_or_default(), fields.next());
            let signature = fields.next().unwrap_or_default();
            if kind != Some("tag") {
                Some(format!("tag {name} is a lightweight tag, which cannot be signed"))
            } else if !signature.contains("-----BEGIN PGP SIGNATURE-----") {
                Some(format!("tag {name} has no OpenPGP signature"))
            } else {
                None
            }
        }
        several => {
            Some(format!("{} tags point at its commit: {}", several.len(), names().join(", ")))
        }
    })
}
