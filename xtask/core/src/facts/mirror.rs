//! Where packages come from: the pinned snapshot, a mirror named by the caller, or (canary only)
//! the mirror that this host's own apt uses.

use crate::exec::{Cmd, which};
use crate::facts::repo::Repo;
use crate::failure::{Code, Problem};
use crate::pins::{SnapshotStamp, env_file};
use crate::ui::Ui;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The release that the ISOs are made of.
pub const SUITE: &str = "trixie";
/// Its suites in the archive `debian`, and those in `debian-security`.
pub const DEBIAN_SUITES: [&str; 2] = ["trixie", "trixie-updates"];
pub const SECURITY_SUITES: [&str; 1] = ["trixie-security"];

/// linux/build/config/snapshot-pin.env
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPin {
    /// Root of the archive, e.g. `http://HOST/archive`; `APT_SNAPSHOT_URL` overrides it.
    pub url: String,
    pub stamp: SnapshotStamp,
}

impl SnapshotPin {
    pub fn read(repo: &Repo) -> Result<SnapshotPin> {
        let path = repo.config().join("snapshot-pin.env");
        let values = env_file::read(&path, &["SNAPSHOT_URL", "SNAPSHOT_STAMP"])?;
        let get = |key: &str| {
            let value =
                values.get(key).with_context(|| format!("{}: {key} is missing", path.display()));
            value.map_err(|error| Code::NotReady.wrap(error))
        };
        let stamp: Result<SnapshotStamp> = get("SNAPSHOT_STAMP")?.parse();
        let own = std::env::var("APT_SNAPSHOT_URL").ok().filter(|url| !url.is_empty());
        Ok(SnapshotPin {
            url: own.unwrap_or(get("SNAPSHOT_URL")?.clone()).trim_end_matches('/').to_owned(),
            stamp: stamp
                .with_context(|| format!("{}", path.display()))
                .map_err(|e| Code::NotReady.wrap(e))?,
        })
    }

    fn mirror(&self) -> Mirror {
        Mirror {
            debian: format!("{}/debian/{}", self.url, self.stamp),
            security: Some(format!("{}/debian-security/{}", self.url, self.stamp)),
            origin: Origin::Snapshot,
            keyring: None,
        }
    }
}

/// Who decided on the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Snapshot,
    Caller,
    HostApt,
    /// None: what an earlier build fetched, from `pinned` archives or others.
    Inputs {
        pinned: bool,
    },
}

/// The archives that a build installs from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub debian: String,
    /// `None` where the mirror does not serve it: the build then goes without.
    pub security: Option<String>,
    pub origin: Origin,
    /// Verifies the mirror's InRelease in place of Debian's own keyring.
    pub keyring: Option<PathBuf>,
}

/// What `--mirror` and `--mirror-keyring` said.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub url: Option<String>,
    pub keyring: Option<PathBuf>,
}

/// The mirror to use, and why it may not do.
#[derive(Clone, Debug)]
pub struct Found {
    pub mirror: Mirror,
    /// Why the archive does not answer; `None` when it does.
    pub unreachable: Option<String>,
}

impl Mirror {
    pub fn pinned(&self) -> bool {
        matches!(self.origin, Origin::Snapshot | Origin::Inputs { pinned: true })
    }

    /// Served on this machine's own loopback, which a container has not.
    pub fn on_loopback(&self) -> bool {
        let rest = self.debian.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        host == "localhost" || host.starts_with("127.") || rest.starts_with("[::1]")
    }
}

/// Decides: the caller's mirror, else the snapshot, else (if `may_fall_back`) the host's own.
pub fn find(pin: &SnapshotPin, wanted: &Wanted, may_fall_back: bool) -> Found {
    let mut found = if let Some(url) = &wanted.url {
        let debian = url.trim_end_matches('/').to_owned();
        let mut mirror = Mirror {
            security: security_beside(&debian),
            debian,
            origin: Origin::Caller,
            keyring: None,
        };
        let unreachable = unreachable(&mirror.debian, SUITE);
        let serves = |url: &String| self::unreachable(url, &format!("{SUITE}-security")).is_none();
        mirror.security = mirror.security.filter(|url| unreachable.is_none() && serves(url));
        Found { mirror, unreachable }
    } else {
        let snapshot = pin.mirror();
        match (unreachable(&snapshot.debian, SUITE), host_mirror().filter(|_| may_fall_back)) {
            (Some(_), Some(mirror)) => {
                let unreachable = unreachable(&mirror.debian, SUITE);
                Found { mirror, unreachable }
            }
            (unreachable, _) => Found { mirror: snapshot, unreachable },
        }
    };
    found.mirror.keyring.clone_from(&wanted.keyring);
    found
}

/// An archive that doesn't answer, and the ways on.
pub fn problem(mirror: &Mirror, why: &str) -> Problem {
    let what = match mirror.origin {
        Origin::Snapshot => {
            format!("the pinned snapshot does not answer: {} ({why})", mirror.debian)
        }
        Origin::Caller => {
            format!("the mirror of --mirror does not serve {SUITE}: {} ({why})", mirror.debian)
        }
        Origin::HostApt => format!("the mirror of this host's apt does not serve {SUITE} ({why})"),
        Origin::Inputs { .. } => format!("the saved inputs cannot be used: {why}"),
    };
    let fix = match mirror.origin {
        Origin::Snapshot => {
            "check the network; or point APT_SNAPSHOT_URL at another mirror of the snapshot archive; \
             or move the pin in linux/build/config/snapshot-pin.env"
        }
        Origin::Caller => "name a Debian mirror's root: --mirror http://HOST/debian",
        Origin::HostApt => "check the network, or name a mirror: --mirror http://HOST/debian",
        Origin::Inputs { .. } => "build without --from-inputs",
    };
    Problem::new(what, fix).of("mirror")
}

/// Says in one line when a build doesn't come from the pin.
pub fn announce(mirror: &Mirror, ui: &Ui) {
    let without = if mirror.security.is_none() {
        "; it serves no security archive: going without"
    } else {
        ""
    };
    match mirror.origin {
        Origin::Snapshot | Origin::Inputs { .. } => {}
        Origin::Caller => ui.notice(&format!("packages come from --mirror, not from the pinned snapshot{without}")),
        Origin::HostApt => ui.notice(&format!(
            "the pinned snapshot cannot be reached: packages come from the mirror of this host's apt{without}"
        )),
    }
}

/// Debian's convention: `…/debian` and `…/debian-security` stand side by side.
fn security_beside(debian: &str) -> Option<String> {
    Some(format!("{}/debian-security", debian.strip_suffix("/debian")?))
}

/// Why `url` does not serve `suite`; `None` when it does.
fn unreachable(url: &str, suite: &str) -> Option<String> {
    let scratch =
        std::env::temp_dir().join(format!("silvermetal-inrelease-{}", std::process::id()));
    let fetched = download_within(30, &format!("{url}/dists/{suite}/InRelease"), &scratch);
    drop(std::fs::remove_file(&scratch)); // there only where something was fetched
    fetched.err().map(|error| format!("{error:#}"))
}

/// Fetches a file, by apt's own fetcher: it knows this host's proxies and certificates.
pub fn download(url: &str, to: &Path) -> Result<()> {
    download_within(3600, url, to).with_context(|| format!("cannot fetch {url}"))
}

fn download_within(seconds: u32, url: &str, to: &Path) -> Result<()> {
    let fetch = match apt_helper() {
        Some(helper) => Cmd::new(helper)
            .args(["-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"])
            .args(["-o", "Acquire::Retries=1", "-qq", "download-file", url])
            .arg(to),
        None => Cmd::new("curl")
            .args(["-fsSL", "--connect-timeout", "10", "-o"])
            .arg(to)
            .args(["--", url]),
    };
    let probe = fetch.within_seconds(seconds).output()?;
    if probe.exit.ok() {
        return Ok(());
    }
    let why = probe.stderr.lines().find_map(|l| l.strip_prefix("E: ").or(l.strip_prefix("curl: ")));
    bail!("{}", why.map_or_else(|| format!("no answer ({})", probe.exit), |w| w.trim().to_owned()))
}

fn apt_helper() -> Option<PathBuf> {
    let helper = Path::new("/usr/lib/apt/apt-helper");
    helper.exists().then(|| helper.to_owned()).filter(|_| which("timeout").is_some())
}

/// The Debian archive in this host's apt configuration.
fn host_mirror() -> Option<Mirror> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let dir = std::fs::read_dir("/etc/apt/sources.list.d").ok();
    files.extend(dir.into_iter().flatten().flatten().map(|entry| entry.path()));
    files.sort();
    let texts: Vec<String> = files.iter().filter_map(|f| std::fs::read_to_string(f).ok()).collect();
    from_sources(&texts)
}

/// Picks the archives by their suites: `X` beside `X-updates` is Debian's, `X-security` its security.
fn from_sources(texts: &[String]) -> Option<Mirror> {
    let entries: Vec<(String, String)> = texts.iter().flat_map(|text| entries(text)).collect();
    let of = |wanted: fn(&str) -> bool| {
        let found = entries.iter().find(|(url, suite)| url.starts_with("http") && wanted(suite));
        found.map(|(url, _)| url.trim_end_matches('/').to_owned())
    };
    let codenames = |s: &str| {
        let base = s.strip_suffix("-updates").unwrap_or(s);
        ["bullseye", "bookworm", SUITE, "forky", "sid", "stable", "testing"].contains(&base)
    };
    Some(Mirror {
        debian: of(codenames)?,
        security: of(|suite| suite.ends_with("-security")),
        origin: Origin::HostApt,
        keyring: None,
    })
}

/// `(URI, suite)` of every `deb` entry, in one-line or deb822 style (sources.list(5)).
fn entries(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    for line in &lines {
        let Some(rest) = line.trim().strip_prefix("deb ") else { continue };
        let rest = match rest.trim_start().strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        let mut words = rest.split_whitespace();
        if let (Some(url), Some(suite)) = (words.next(), words.next()) {
            found.push((url.to_owned(), suite.to_owned()));
        }
    }
    for stanza in lines.split(|line| line.trim().is_empty()) {
        let field = |name: &str| -> Vec<&str> {
            let value = stanza.iter().find_map(|l| {
                let (key, value) = l.split_once(':')?;
                key.eq_ignore_ascii_case(name).then_some(value)
            });
            value.unwrap_or_default().split_whitespace().collect()
        };
        let off = field("Enabled").first().is_some_and(|v| v.eq_ignore_ascii_case("no"));
        if !off && field("Types").contains(&"deb") {
            for url in field("URIs") {
                found.extend(field("Suites").iter().map(|s| (url.to_owned(), (*s).to_owned())));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_of_sources_are_read() {
        let deb822 = "Types: deb deb-src\n# URIs: http://commented/\nURIs: http://m.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                      Types: deb\nURIs: http://m.example/debian-security\nSuites: bookworm-security\n";
        let oneline = "deb [arch=amd64 signed-by=/x] https://other.example/apt cloud-sdk main\n";
        let mirror = from_sources(&[oneline.into(), deb822.into()]).unwrap();
        assert_eq!(mirror.debian, "http://m.example/debian");
        assert_eq!(mirror.security.as_deref(), Some("http://m.example/debian-security"));
        let list = "deb http://a.example/debian trixie main\ndeb http://a.example/debian-security trixie-security main\n";
        assert_eq!(from_sources(&[list.into()]).unwrap().debian, "http://a.example/debian");
        assert_eq!(from_sources(&["deb cdrom:[x]/ bookworm main".into()]), None);
    }

    #[test]
    fn the_security_archive_stands_beside_debian() {
        assert_eq!(
            security_beside("http://h:1/x/debian").as_deref(),
            Some("http://h:1/x/debian-security")
        );
        assert_eq!(security_beside("http://h/repo"), None);
    }

    #[test]
    fn loopback_is_seen() {
        let mirror = |url: &str| Mirror {
            debian: url.into(),
            security: None,
            origin: Origin::Caller,
            keyring: None,
        };
        for url in
            ["http://127.0.0.1:80/debian", "http://localhost/debian", "http://[::1]:8/debian"]
        {
            assert!(mirror(url).on_loopback(), "{url}");
        }
        assert!(!mirror("http://127x.example/debian").on_loopback());
    }
}
