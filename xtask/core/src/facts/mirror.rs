//! The archive that packages come from: the pinned snapshot, the caller's mirror, or (canary only) the
//! mirror that this host's own apt uses.

use crate::apt::sources::{self, AptSource};
use crate::facts::archive::{Mirror, MirrorOptions, MirrorOrigin, SECURITY_SUITES, SUITE};
use crate::facts::snapshot::SnapshotPin;
use crate::failure::Problem;
use crate::http::{Http, Request, Sink};
use crate::ui::Ui;
use std::path::PathBuf;

/// The mirror to use, and the reason if it cannot be used.
#[derive(Clone, Debug)]
pub struct FoundMirror {
    pub mirror: Mirror,
    /// Reason why the archive does not answer; `None` if it does.
    pub unreachable: Option<String>,
    /// A sentence for each snapshot server that was asked before, and is not used.
    pub passed_over: Vec<String>,
}

/// Decides on the mirror and asks whether it answers: the caller's; else the snapshot; else, if
/// `may_fall_back`, the one that this host's own apt uses.
pub fn find(pin: &SnapshotPin, wanted: &MirrorOptions, may_fall_back: bool) -> FoundMirror {
    let mut found = if let Some(url) = &wanted.url {
        let debian = url.trim_end_matches('/').to_owned();
        let security = security_beside(&debian);
        let unreachable = unreachable(&debian, SUITE, wanted);
        let serves = |url: &String| {
            unreachable.is_none() && self::unreachable(url, SECURITY_SUITES[0], wanted).is_none()
        };
        let security = security.filter(serves);
        FoundMirror {
            mirror: Mirror { debian, security, origin: MirrorOrigin::Caller, keyring: None },
            unreachable,
            passed_over: Vec::new(),
        }
    } else {
        let mut choice = pin.choose(wanted);
        if !may_fall_back && choice.mirror.origin == MirrorOrigin::LaterThanStamp {
            choice.unreachable = Some("it serves a state that is later than the stamp".to_owned());
        }
        let instead = host_mirror().filter(|_| may_fall_back && choice.unreachable.is_some());
        match instead {
            Some(mirror) => FoundMirror {
                unreachable: unreachable(&mirror.debian, SUITE, wanted),
                mirror,
                passed_over: choice.unreachable.into_iter().collect(),
            },
            None => FoundMirror {
                mirror: choice.mirror,
                unreachable: choice.unreachable,
                passed_over: choice.passed_over,
            },
        }
    };
    found.mirror.keyring.clone_from(&wanted.keyring);
    found
}

/// The problem that an archive does not answer, with a fix for its origin.
pub fn problem(mirror: &Mirror, why: &str) -> Problem {
    let what = match mirror.origin {
        MirrorOrigin::Snapshot | MirrorOrigin::LaterThanStamp => {
            format!("the pinned snapshot cannot be had: {} ({why})", mirror.debian)
        }
        MirrorOrigin::Caller => {
            format!("the mirror of --mirror does not serve {SUITE}: {} ({why})", mirror.debian)
        }
        MirrorOrigin::HostApt => {
            format!("the mirror of this host's apt does not serve {SUITE} ({why})")
        }
        MirrorOrigin::Inputs { .. } => format!("the saved inputs cannot be used: {why}"),
    };
    let fix = match mirror.origin {
        MirrorOrigin::Snapshot | MirrorOrigin::LaterThanStamp => {
            "check the network; or point APT_SNAPSHOT_URL at another mirror of the snapshot archive; \
             or move the pin in linux/build/config/snapshot-pin.env; or, for an image that is never \
             released, build from a live mirror: --mirror http://HOST/debian"
        }
        MirrorOrigin::Caller => "name a Debian mirror's root: --mirror http://HOST/debian",
        MirrorOrigin::HostApt => "check the network, or name a mirror: --mirror http://HOST/debian",
        MirrorOrigin::Inputs { .. } => "build without --from-inputs",
    };
    Problem::new(what, fix).of("mirror")
}

/// Prints a note if a build does not use the pinned snapshot, or not the first server of it.
pub fn announce(found: &FoundMirror, ui: &Ui) {
    let mirror = &found.mirror;
    for why in &found.passed_over {
        ui.notice(&format!("this snapshot server is not used: {why}"));
    }
    let without = if mirror.security.is_none() {
        "; it serves no security archive: going without"
    } else {
        ""
    };
    match mirror.origin {
        MirrorOrigin::Snapshot | MirrorOrigin::Inputs { .. } => {}
        MirrorOrigin::LaterThanStamp => ui.notice(&format!(
            "packages come from {}, which serves a later state than that of the stamp: not from the pinned snapshot",
            mirror.debian
        )),
        MirrorOrigin::Caller => ui.notice(&format!("packages come from --mirror, not from the pinned snapshot{without}")),
        MirrorOrigin::HostApt => ui.notice(&format!(
            "the pinned snapshot cannot be reached: packages come from the mirror of this host's apt{without}"
        )),
    }
}

/// Most bytes of an InRelease. That of Debian has 200 KiB.
const LARGEST_RELEASE: u64 = 16 << 20;

/// The security archive next to a Debian archive: `…/debian-security` for `…/debian`, by convention.
fn security_beside(debian: &str) -> Option<String> {
    Some(format!("{}/debian-security", debian.strip_suffix("/debian")?))
}

/// The reason why `url` does not serve `suite`; `None` if it does.
fn unreachable(url: &str, suite: &str, wanted: &MirrorOptions) -> Option<String> {
    // an archive that does not answer at once is no archive to build from
    let http = Http {
        connect_timeout: 10,
        stall_timeout: 10,
        attempts: 2,
        ca_file: wanted.ca_file.clone(),
        ..Http::default()
    };
    let answer = || {
        let url = format!("{url}/dists/{suite}/InRelease").parse()?;
        http.send(&Request::get(&url), Sink::Hash(LARGEST_RELEASE), &Ui::new(false))?.expect(&[200])
    };
    answer().err().map(|error| format!("{error:#}"))
}

/// The Debian archive in this host's apt configuration.
fn host_mirror() -> Option<Mirror> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let dir = std::fs::read_dir("/etc/apt/sources.list.d").ok();
    files.extend(dir.into_iter().flatten().flatten().map(|entry| entry.path()));
    files.sort();
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        sources::read(&file.to_string_lossy(), &text)
    };
    from_sources(&files.iter().flat_map(read).collect::<Vec<_>>())
}

/// Recognizes the archives by their suites: Debian's own has `X` and `X-updates`, the security
/// archive has `X-security`.
fn from_sources(sources: &[AptSource]) -> Option<Mirror> {
    let first = |wanted: fn(&str) -> bool| {
        let mut fetched =
            sources.iter().filter(|source| source.binary && source.uri.starts_with("http"));
        let found = fetched.find(|source| wanted(&source.suite));
        found.map(|source| source.uri.trim_end_matches('/').to_owned())
    };
    let is_debian = |suite: &str| {
        let base = suite.strip_suffix("-updates").unwrap_or(suite);
        ["bullseye", "bookworm", SUITE, "forky", "sid", "stable", "testing"].contains(&base)
    };
    Some(Mirror {
        debian: first(is_debian)?,
        security: first(|suite| suite.ends_with("-security")),
        origin: MirrorOrigin::HostApt,
        keyring: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Cmd;
    use crate::http::peer::{Peer, answer};

    #[test]
    fn the_hosts_archives_are_known_by_their_suites() {
        let mirror = |text: &str| from_sources(&sources::read("x.list", text));
        let found = mirror(
            "deb https://other.example/apt cloud-sdk main\ndeb-src http://src.example/debian bookworm main\n\
             deb http://m.example/debian/ bookworm-updates main\ndeb http://m.example/debian-security bookworm-security main\n",
        );
        let found = found.unwrap();
        assert_eq!(found.debian, "http://m.example/debian");
        assert_eq!(found.security.as_deref(), Some("http://m.example/debian-security"));
        assert_eq!(mirror("deb cdrom:[x]/ bookworm main"), None);
    }

    #[test]
    fn the_callers_mirror_is_asked_for_both_archives() {
        let peer = Peer::new(&[&answer("200 OK", "", "x"), &answer("404 Not Found", "", "")]);
        let wanted = |url: String| MirrorOptions { url: Some(url), ..MirrorOptions::default() };
        let pin = SnapshotPin {
            servers: vec!["http://127.0.0.1:9".into()],
            stamp: "20260508T000000Z".parse().unwrap(),
        };
        let found = find(&pin, &wanted(format!("{}/debian/", peer.url)), false);
        assert_eq!(found.unreachable, None);
        assert_eq!((found.mirror.security, found.mirror.origin), (None, MirrorOrigin::Caller));
        let asked: Vec<String> =
            peer.seen().iter().map(|seen| seen.head.lines().next().unwrap().to_owned()).collect();
        assert_eq!(
            asked,
            [
                "GET /debian/dists/trixie/InRelease HTTP/1.1",
                "GET /debian-security/dists/trixie-security/InRelease HTTP/1.1"
            ]
        );
        let found = find(&pin, &wanted("http://me:hunter2@h/debian".into()), false);
        assert!(!found.unreachable.unwrap().contains("hunter2"));
        assert!(
            find(&pin, &MirrorOptions::default(), false)
                .unreachable
                .unwrap()
                .contains("no connection")
        );
    }

    #[test]
    fn the_security_archive_stands_beside_debian() {
        assert_eq!(
            security_beside("http://h:1/x/debian").as_deref(),
            Some("http://h:1/x/debian-security")
        );
        assert_eq!(security_beside("http://h/repo"), None);
    }

    /// A TLS server on loopback with a certificate of its own, which no machine trusts.
    #[test]
    fn a_mirror_behind_tls_needs_its_ca_file() {
        let dir = std::env::temp_dir().join(format!("xtask-mirror-tls-{}", std::process::id()));
        let suite = dir.join("debian/dists/trixie");
        std::fs::create_dir_all(&suite).unwrap();
        std::fs::write(suite.join("InRelease"), "Suite: trixie\n").unwrap();
        let openssl = |words: &str| Cmd::new("openssl").args(words.split(' ')).current_dir(&dir);
        openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=peer -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out ca.pem")
            .read()
            .unwrap();
        let log = dir.join("log");
        let server = openssl("s_server -accept 127.0.0.1:0 -cert ca.pem -key key.pem -WWW");
        let server = server.start(&log).unwrap();
        let address = loop {
            assert_eq!(server.ended().unwrap(), None, "{:?}", std::fs::read_to_string(&log));
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text
                .split_once('\n')
                .and_then(|_| text.lines().find_map(|l| l.strip_prefix("ACCEPT ")));
            if let Some(address) = line {
                break address.to_owned();
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        let mirror = |ca_file: Option<PathBuf>| MirrorOptions {
            url: Some(format!("https://{address}/debian")),
            ca_file,
            ..MirrorOptions::default()
        };
        let pin = SnapshotPin {
            servers: vec!["http://127.0.0.1:9".into()],
            stamp: "20260508T000000Z".parse().unwrap(),
        };
        let refused = find(&pin, &mirror(None), false).unreachable.unwrap();
        assert!(refused.contains("no trusted TLS connection"), "{refused}");
        assert_eq!(find(&pin, &mirror(Some(dir.join("ca.pem"))), false).unreachable, None);
        drop(server);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
