//! The pinned snapshot of Debian's archive, and the servers that may hold it.
//!
//! A snapshot is complete only on a server that has everything up to its stamp. A server that lags behind
//! answers with an earlier state, and so does snapshot.debian.org for a stamp between two of its own. Debian
//! signs trixie-updates and trixie-security several times a day, so their dates tell two states apart.

use crate::calendar;
use crate::escape::Shown as _;
use crate::facts::archive::{DEBIAN_SUITES, Mirror, MirrorOptions, MirrorOrigin, SECURITY_SUITES};
use crate::facts::repo::Repo;
use crate::failure::Code;
use crate::http::{Http, Request, Sink};
use crate::pins::{SnapshotStamp, env_file};
use crate::ui::Ui;
use anyhow::{Context as _, Result};

/// Most bytes of an InRelease. That of Debian has 200 KiB.
const LARGEST_RELEASE: usize = 16 << 20;
/// Number of times that the last server is asked while it throttles. Each time waits as long as the server says,
/// but at most half a minute.
const MOST_WAITS: usize = 4;

/// The pinned snapshot: linux/build/config/snapshot-pin.env.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPin {
    /// Roots of archives, e.g. `http://HOST/archive`, in the order in which they are asked.
    /// `APT_SNAPSHOT_URL` overrides them.
    pub servers: Vec<String>,
    pub stamp: SnapshotStamp,
}

/// The decision for a server.
pub(super) struct ServerChoice {
    pub(super) mirror: Mirror,
    /// Reason why no server can be used; `None` if one can.
    pub(super) unreachable: Option<String>,
    /// A sentence for each server that was asked before, and is not used.
    pub(super) passed_over: Vec<String>,
}

impl SnapshotPin {
    pub fn read(repo: &Repo) -> Result<SnapshotPin> {
        let path = repo.config().join("snapshot-pin.env");
        let values = env_file::read(&path, &["SNAPSHOT_URL", "SNAPSHOT_STAMP"])?;
        let get = |key: &str| {
            let value =
                values.get(key).with_context(|| format!("{}: {key} is missing", path.shown()));
            value.map_err(|error| Code::NotReady.wrap(error))
        };
        let stamp: Result<SnapshotStamp> = get("SNAPSHOT_STAMP")?.parse();
        let pinned = servers(get("SNAPSHOT_URL")?);
        let own = servers(&std::env::var("APT_SNAPSHOT_URL").unwrap_or_default());
        Ok(SnapshotPin {
            servers: if own.is_empty() { pinned } else { own },
            stamp: stamp
                .with_context(|| format!("{}", path.shown()))
                .map_err(|e| Code::NotReady.wrap(e))?,
        })
    }

    /// The server that `mirror` was chosen from.
    pub fn server_of(&self, mirror: &Mirror) -> &str {
        let serves = |server: &&String| self.mirror_on(server).debian == mirror.debian;
        let found = self.servers.iter().find(serves).or(self.servers.first());
        found.map_or("", String::as_str)
    }

    /// Runs `ask` with each server in turn, until one gives an answer, and says why the others gave none.
    ///
    /// # Errors
    /// The last server's error.
    pub fn on_any_server<T>(&self, ui: &Ui, ask: impl Fn(&str) -> Result<T>) -> Result<T> {
        let mut servers = self.servers.iter().peekable();
        while let Some(server) = servers.next() {
            match (ask(server), servers.peek()) {
                (Err(error), Some(next)) => {
                    ui.notice(&format!("{error:#}; the next server is asked: {}", next.shown()));
                }
                (answer, _) => return answer,
            }
        }
        Err(Code::NotReady.error("linux/build/config/snapshot-pin.env names no server"))
    }

    fn mirror_on(&self, server: &str) -> Mirror {
        Mirror {
            debian: format!("{server}/debian/{}", self.stamp),
            security: Some(format!("{server}/debian-security/{}", self.stamp)),
            origin: MirrorOrigin::Snapshot,
            keyring: None,
        }
    }

    /// Asks the servers in turn, and takes the first one that holds the snapshot. If there are several, all
    /// are asked, because only another server's answer shows that one lags behind.
    pub(super) fn choose(&self, wanted: &MirrorOptions) -> ServerChoice {
        let mirrors: Vec<Mirror> = self.servers.iter().map(|s| self.mirror_on(s)).collect();
        let several = mirrors.len() > 1;
        let mut asked: Vec<Asked> =
            mirrors.iter().map(|mirror| Asked::of(mirror, wanted, !several)).collect();
        if several && asked.iter().all(|asked| asked.states.is_err()) {
            // a server that throttles is better than none
            asked = mirrors.iter().map(|mirror| Asked::of(mirror, wanted, true)).collect();
        }
        let stamp = self.stamp.unix_time();
        let latest = |suite: usize| {
            let dates = asked.iter().filter_map(|asked| asked.states.as_ref().ok()?[suite].dated);
            dates.filter(|date| *date <= stamp).max()
        };
        let latest = [latest(0), latest(1)];
        let verdicts: Vec<Result<Holds, String>> =
            asked.into_iter().map(|asked| asked.judge(stamp, latest)).collect();
        let by = |wanted: Holds| verdicts.iter().position(|v| v.as_ref().ok() == Some(&wanted));
        let chosen = by(Holds::TheSnapshot).or_else(|| by(Holds::ALaterState));
        let reason = |n: usize, verdict: &Result<Holds, String>| {
            let server = self.servers[n].shown();
            match verdict {
                Err(why) => format!("{server}: {why}"),
                Ok(_) => format!("{server} serves a state that is later than the stamp"),
            }
        };
        let reasons = |before: usize| -> Vec<String> {
            verdicts.iter().enumerate().take(before).map(|(n, v)| reason(n, v)).collect()
        };
        match chosen {
            Some(n) => {
                let mut mirror = mirrors[n].clone();
                if verdicts[n] == Ok(Holds::ALaterState) {
                    mirror.origin = MirrorOrigin::LaterThanStamp;
                }
                ServerChoice { mirror, unreachable: None, passed_over: reasons(n) }
            }
            None => ServerChoice {
                mirror: mirrors.first().cloned().unwrap_or_else(|| self.mirror_on("")),
                unreachable: Some(reasons(verdicts.len()).join("; ")),
                passed_over: Vec::new(),
            },
        }
    }
}

/// The addresses in a list that is separated by commas.
pub fn servers(list: &str) -> Vec<String> {
    let trimmed = list.split(',').map(|server| server.trim().trim_end_matches('/'));
    trimmed.filter(|server| !server.is_empty()).map(str::to_owned).collect()
}

/// The state of a suite on a server.
#[derive(Clone, Copy, Default)]
struct State {
    /// Date of its InRelease, in seconds since 1970; `None` if it has none.
    dated: Option<u64>,
    /// End of its validity.
    valid_until: Option<u64>,
}

impl State {
    fn read(release: &str) -> State {
        let field = |name: &str| {
            let line = release.lines().find_map(|line| line.strip_prefix(name))?;
            moment(line.trim())
        };
        State { dated: field("Date:"), valid_until: field("Valid-Until:") }
    }
}

/// The state that a server holds under the stamp's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    TheSnapshot,
    ALaterState,
}

/// The suites whose dates are compared: the archives `debian` and `debian-security`.
const COMPARED: [&str; 2] = [DEBIAN_SUITES[1], SECURITY_SUITES[0]];

/// One server's answers.
struct Asked {
    /// States of the suites in [`COMPARED`], or the reason why the server cannot be used.
    states: Result<[State; 2], String>,
}

impl Asked {
    fn of(mirror: &Mirror, wanted: &MirrorOptions, patient: bool) -> Asked {
        let ask = || {
            let security = mirror.security.as_deref().unwrap_or_default();
            let states = [
                state(&mirror.debian, COMPARED[0], wanted, patient)?,
                state(security, COMPARED[1], wanted, patient)?,
            ];
            Ok(states)
        };
        Asked { states: ask().map_err(|error: anyhow::Error| format!("{error:#}")) }
    }

    /// `latest` has the newest date of each suite that any server gave, up to the stamp.
    fn judge(self, stamp: u64, latest: [Option<u64>; 2]) -> Result<Holds, String> {
        let states = self.states?;
        for ((state, latest), suite) in states.iter().zip(latest).zip(COMPARED) {
            let Some(dated) = state.dated else { continue };
            let shown = |seconds: u64| calendar::utc(seconds.cast_signed());
            if let Some(latest) = latest.filter(|latest| dated < *latest) {
                return Err(format!(
                    "its {suite} is of {}, and another server has that of {}",
                    shown(dated),
                    shown(latest)
                ));
            }
            if let Some(end) = state.valid_until.filter(|end| *end < stamp) {
                return Err(format!(
                    "its {suite} was valid until {} only, before the stamp",
                    shown(end)
                ));
            }
        }
        let later = states.iter().any(|state| state.dated.is_some_and(|date| date > stamp));
        Ok(if later { Holds::ALaterState } else { Holds::TheSnapshot })
    }
}

/// Asks a server for the state of a suite. A patient question waits for a server that throttles.
fn state(archive: &str, suite: &str, wanted: &MirrorOptions, patient: bool) -> Result<State> {
    // an archive that does not answer at once is no archive to build from
    let http = Http {
        connect_timeout: 10,
        stall_timeout: 10,
        attempts: if patient { 2 } else { 1 },
        ca_file: wanted.ca_file.clone(),
        ..Http::default()
    };
    let url = format!("{archive}/dists/{suite}/InRelease").parse()?;
    let ui = Ui::new(false);
    let mut waits = if patient { MOST_WAITS } else { 1 };
    loop {
        let answer = http.send(&Request::get(&url), Sink::Memory(LARGEST_RELEASE), &ui)?;
        waits -= 1;
        if answer.status != 429 || waits == 0 {
            return Ok(State::read(&String::from_utf8_lossy(&answer.expect(&[200])?.body)));
        }
    }
}

/// Seconds since 1970 of a date as in an InRelease: `Sat, 09 Aug 2025 09:24:55 UTC` (Debian's repository format,
/// "Date, Valid-Until").
fn moment(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, clock, zone] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let (year, day): (i64, i64) = (year.parse().ok()?, day.parse().ok()?);
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let utc = ["UTC", "GMT", "+0000"].contains(&zone);
    let real = (1970..=9999).contains(&year)
        && calendar::exists(year, month, day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let seconds = || calendar::days(year, month, day) * calendar::DAY + hour * 3600;
    (utc && real).then(|| (seconds() + minute * 60 + second).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::peer::{Peer, answer};

    fn pin(servers: &[&Peer]) -> SnapshotPin {
        let servers = servers.iter().map(|peer| peer.url.to_string());
        SnapshotPin {
            servers: servers.map(|url| url.trim_end_matches('/').to_owned()).collect(),
            stamp: "20260508T000000Z".parse().unwrap(),
        }
    }

    fn dated(date: &str) -> String {
        answer("200 OK", "", &format!("Suite: x\nDate: {date}\n"))
    }

    const DAY_BEFORE: &str = "Thu, 07 May 2026 20:15:02 UTC";

    fn chosen(servers: &[&Peer]) -> ServerChoice {
        pin(servers).choose(&MirrorOptions::default())
    }

    #[test]
    fn a_server_that_lags_behind_is_passed_over() {
        let stale = Peer::new(&[&dated("Wed, 06 May 2026 20:15:00 UTC")]);
        let fresh = Peer::new(&[&dated(DAY_BEFORE)]);
        let choice = chosen(&[&stale, &fresh]);
        assert_eq!(choice.unreachable, None);
        assert!(choice.mirror.debian.starts_with(pin(&[&fresh]).servers[0].as_str()));
        assert_eq!(choice.passed_over.len(), 1);
        let why = "its trixie-updates is of 2026-05-06 20:15:00, and another server has that of 2026-05-07 20:15:02";
        assert!(choice.passed_over[0].ends_with(why), "{}", choice.passed_over[0]);
        // and by its security archive alone
        let stale = Peer::new(&[&dated(DAY_BEFORE), &dated("Wed, 06 May 2026 20:15:00 UTC")]);
        let choice = chosen(&[&stale, &fresh]);
        assert!(choice.passed_over[0].contains("its trixie-security is of 2026-05-06"));
    }

    #[test]
    fn a_server_that_throttles_is_passed_over_and_the_only_one_is_waited_for() {
        let busy = answer("429 Too Many Requests", "Retry-After: 0\r\n", "slow down");
        let throttles = Peer::new(&[&busy]);
        let fresh = Peer::new(&[&dated(DAY_BEFORE)]);
        let choice = chosen(&[&throttles, &fresh]);
        assert_eq!(throttles.seen().len(), 1, "it is not asked again");
        assert!(choice.passed_over[0].contains("429 Too Many Requests: slow down"));
        assert!(choice.mirror.pinned());

        let patient = Peer::new(&[&busy, &busy, &busy, &dated(DAY_BEFORE)]);
        let choice = chosen(&[&patient]);
        assert_eq!(choice.unreachable, None);
        let choice = chosen(&[&throttles, &throttles]);
        assert!(choice.unreachable.unwrap().matches("429").count() == 2, "both are named");
    }

    #[test]
    fn a_state_after_the_stamp_is_not_the_snapshot() {
        let live = Peer::new(&[&dated("Fri, 08 May 2026 02:15:00 UTC")]);
        let choice = chosen(&[&live]);
        assert_eq!(choice.unreachable, None);
        assert_eq!(choice.mirror.origin, MirrorOrigin::LaterThanStamp);
        assert!(!choice.mirror.pinned());
        let fresh = Peer::new(&[&dated(DAY_BEFORE)]);
        let choice = chosen(&[&live, &fresh]);
        assert!(choice.mirror.pinned());
        assert!(choice.passed_over[0].ends_with("serves a state that is later than the stamp"));
    }

    #[test]
    fn a_state_that_had_expired_at_the_stamp_is_not_the_snapshot() {
        let text =
            "Date: Wed, 22 Apr 2026 20:15:00 UTC\nValid-Until: Wed, 29 Apr 2026 20:15:00 UTC\n";
        let choice = chosen(&[&Peer::new(&[&answer("200 OK", "", text)])]);
        let why = choice.unreachable.unwrap();
        assert!(
            why.ends_with("was valid until 2026-04-29 20:15:00 only, before the stamp"),
            "{why}"
        );
    }

    #[test]
    fn a_list_of_servers_is_read() {
        assert_eq!(servers("http://a/x/,http://b/y"), ["http://a/x", "http://b/y"]);
        assert_eq!(servers(" ,"), [""; 0]);
    }

    #[test]
    fn dates_of_a_release_are_read() {
        assert_eq!(moment("Sat, 09 Aug 2025 09:24:55 UTC"), Some(1_754_731_495));
        for wrong in ["", "Sat, 09 Aug 2025 09:24 UTC", "Sat, 31 Feb 2025 09:24:55 UTC", "now"] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }
}
