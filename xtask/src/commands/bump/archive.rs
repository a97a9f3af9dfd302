//! Package versions in a Debian archive, read from its signed indexes.

use anyhow::{Context as _, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::apt;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, which};
use xtask_core::failure::{Code, refuse};
use xtask_core::http::{Http, Request, Sink, Url};
use xtask_core::ui::Ui;

/// Program that verifies an InRelease. The Debian package has the same name.
const GPGV: &str = "gpgv";
/// Debian's keyring, and the package that installs it.
const KEYRING: (&str, &str) =
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring");
/// Most bytes of a compressed list of packages. That of Debian has 10 MiB.
const LARGEST_INDEX: u64 = 256 << 20;
/// Most bytes of an InRelease. That of trixie has 140 KB.
const LARGEST_RELEASE: usize = 16 << 20;

/// Numbers of MD5, SHA-1 and RIPE-MD/160 in OpenPGP (RFC 9580, 9.5). apt takes no signature over them.
const WEAK_HASHES: [&str; 3] = ["1", "2", "3"];

/// A reader of archives, with a scratch folder for their indexes.
pub(super) struct Archives<'a> {
    http: Http,
    keyring: PathBuf,
    scratch: PathBuf,
    ui: &'a Ui,
}

impl Drop for Archives<'_> {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.scratch));
    }
}

impl<'a> Archives<'a> {
    pub(super) fn new(keyring: Option<&Path>, state: &Path, ui: &'a Ui) -> Result<Archives<'a>> {
        let keyring = keyring.unwrap_or(Path::new(KEYRING.0)).to_owned();
        let mut missing = Vec::new();
        if which(GPGV).is_none() {
            missing.push(GPGV.to_owned());
        }
        if which("xz").is_none() {
            missing.push("xz-utils".to_owned());
        }
        if !keyring.exists() {
            missing.push(KEYRING.1.to_owned());
        }
        refuse(apt::problem(&missing, false).as_slice())?;
        let scratch = state.join(format!("archive-{}", std::process::id()));
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.shown()))?;
        Ok(Archives { http: Http { stall_timeout: 30, ..Http::default() }, keyring, scratch, ui })
    }

    /// The server's listing of a folder of the archive.
    pub(super) fn listing(&self, url: &str) -> Result<String> {
        let answer =
            self.http.send(&Request::get(&url.parse()?), Sink::Memory(LARGEST_RELEASE), self.ui)?;
        Ok(answer.expect(&[200])?.text()?.to_owned())
    }

    /// Highest version of each of `names` in the component main of a suite. Signature and hash are
    /// verified.
    pub(super) fn versions(
        &self,
        root: &str,
        suite: &str,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>> {
        let base = format!("{root}/dists/{suite}");
        let release = self.release(&base).with_context(|| base.clone())?;
        let index = ["xz", "gz"]
            .iter()
            .find_map(|kind| {
                let name = format!("main/binary-amd64/Packages.{kind}");
                Some((release.get(&name)?.clone(), name, *kind))
            })
            .with_context(|| format!("{base}/InRelease lists no main/binary-amd64/Packages.xz"))?;
        let (hash, name, kind) = index;
        let file = self.scratch.join("Packages");
        let url: Url = format!("{base}/{name}").parse()?;
        let answer = self
            .http
            .send(&Request::get(&url), Sink::File(&file, LARGEST_INDEX), self.ui)?
            .expect(&[200])?;
        if answer.digest.hex() != hash {
            bail!(
                "{url}: expected SHA-256 {hash} as in its InRelease, found {}: the snapshot is incomplete",
                answer.digest.hex()
            );
        }
        let unpack = if kind == "xz" { "xz" } else { "gzip" };
        let text = Cmd::new(unpack).arg("-dc").arg(&file).read()?;
        Ok(highest(&text, names))
    }

    /// SHA-256 by file name, from an InRelease whose signature was verified.
    fn release(&self, base: &str) -> Result<BTreeMap<String, String>> {
        let url: Url = format!("{base}/InRelease").parse()?;
        let (signed, text) = (self.scratch.join("InRelease"), self.scratch.join("Release"));
        let answer = self.http.send(
            &Request::get(&url),
            Sink::File(&signed, LARGEST_RELEASE as u64),
            self.ui,
        )?;
        answer.expect(&[200])?;
        let gpgv = Cmd::new(GPGV).args(["--status-fd", "1"]).arg("--keyring").arg(&self.keyring);
        let gpgv = gpgv.arg("--output").arg(&text);
        drop(fs::remove_file(&text)); // left from the previous suite
        let verified = gpgv.arg(&signed).output()?;
        let signatures = Signatures::read(&verified.stdout);
        if !signatures.are_enough() {
            let why = verified.stderr.lines().last().unwrap_or_default();
            return Err(signatures.refusal(&url, why, &self.keyring));
        }
        let text =
            fs::read_to_string(&text).context("cannot read the Release file that gpgv wrote")?;
        Ok(hashes(&text))
    }
}

/// The signatures of a file, as gpgv judges them (GnuPG, doc/DETAILS, "Format of the --status-fd output").
#[derive(Debug, Default)]
struct Signatures {
    /// Made by a key of the keyring, and valid.
    good: usize,
    /// Do not fit the text.
    bad: usize,
    /// Ids of keys that the keyring lacks.
    unknown: Vec<String>,
}

impl Signatures {
    fn read(status: &str) -> Signatures {
        let mut all = Signatures::default();
        let mut current = false;
        for line in status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("NEWSIG") => current = false,
                // EXPSIG, EXPKEYSIG or REVKEYSIG stands here if the signature or its key no longer counts
                Some("GOODSIG") => current = true,
                Some("VALIDSIG") => {
                    let hash = words.nth(7).unwrap_or_default();
                    all.good += usize::from(current && !WEAK_HASHES.contains(&hash));
                    current = false;
                }
                Some("BADSIG") => all.bad += 1,
                Some("NO_PUBKEY") => all.unknown.extend(words.next().map(str::to_owned)),
                _ => {}
            }
        }
        all
    }

    /// apt's own rule: one good signature is enough, and none may be bad. Around a release, Debian signs
    /// with the old and the new key, and a keyring may know only one of them.
    fn are_enough(&self) -> bool {
        self.good > 0 && self.bad == 0
    }

    fn refusal(&self, url: &Url, why: &str, keyring: &Path) -> anyhow::Error {
        if self.bad > 0 || self.unknown.is_empty() {
            return Code::No.error(format!("{url}: the signature is not valid: {why}"));
        }
        Code::No.error(format!(
            "{url}: the signature is not valid: {} lacks the key {}\n  fix: apt-get install {}, or name another \
             keyring: --keyring FILE",
            keyring.shown(),
            self.unknown.join(", "),
            KEYRING.1
        ))
    }
}

/// SHA-256 by file name, from the section `SHA256:` of a Release file: ` HASH SIZE NAME`.
fn hashes(release: &str) -> BTreeMap<String, String> {
    let section = release.lines().skip_while(|line| *line != "SHA256:").skip(1);
    section
        .take_while(|line| line.starts_with(' '))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (hash, _, name) = (words.next()?, words.next()?, words.next()?);
            Some((name.to_owned(), hash.to_owned()))
        })
        .collect()
}

/// Highest version of each of `names` in a Packages file.
fn highest(packages: &str, names: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    for line in packages.lines() {
        if let Some(name) = line.strip_prefix("Package: ") {
            current = names.get(name);
        } else if let (Some(version), Some(name)) = (line.strip_prefix("Version: "), current) {
            merge(&mut found, name, version);
        } else if line.is_empty() {
            current = None;
        }
    }
    found
}

/// Keeps the higher of two versions, in dpkg's order.
pub(super) fn merge(into: &mut BTreeMap<String, String>, name: &str, version: &str) {
    match into.get(name) {
        Some(old) if old == version || !newer(version, old) => {}
        _ => drop(into.insert(name.to_owned(), version.to_owned())),
    }
}

pub(super) fn newer(a: &str, b: &str) -> bool {
    Cmd::new("dpkg").args(["--compare-versions", a, "gt", b]).succeeds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_from_a_release_file() {
        let text =
            "Suite: x\nMD5Sum:\n aa 1 main/a\nSHA256:\n bb 2 main/a\n cc 3 main/b\nDate: y\n";
        let hashes = hashes(text);
        assert_eq!(hashes["main/a"], "bb");
        assert_eq!(hashes.len(), 2);
    }

    #[test]
    fn one_good_signature_is_enough_if_none_is_bad() {
        let enough = |status: &str| Signatures::read(status).are_enough();
        let valid = |hash: u8| format!("[GNUPG:] VALIDSIG AA 2026-06-01 1 0 4 0 1 {hash} 01 AA\n");
        let of = |word: &str, hash: u8| {
            format!("[GNUPG:] NEWSIG\n[GNUPG:] {word} AA Archive\n{}", valid(hash))
        };
        let good = &of("GOODSIG", 8);
        let unknown = "[GNUPG:] ERRSIG BB 1 8 01 0 9 -\n[GNUPG:] NO_PUBKEY BB\n";
        let bad = "[GNUPG:] BADSIG CC Archive\n";
        assert!(enough(good) && enough(&format!("{unknown}{good}")));
        let (sha1, expired) = (of("GOODSIG", 2), of("EXPKEYSIG", 8));
        for status in ["", unknown, bad, &format!("{good}{bad}"), &sha1, &expired, &valid(8)] {
            assert!(!enough(status), "{status}");
        }
        assert_eq!(Signatures::read(unknown).unknown, ["BB"]);
    }

    #[test]
    fn the_highest_of_several_versions_counts() {
        let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let text = "Package: a\nVersion: 1.9\n\nPackage: a\nVersion: 1.10\n\nPackage: c\nVersion: 9\n\nPackage: b\nDescription: x\nVersion: 1~rc1\n";
        let found = highest(text, &names);
        assert_eq!(
            found,
            BTreeMap::from([("a".into(), "1.10".into()), ("b".into(), "1~rc1".into())])
        );
    }
}
