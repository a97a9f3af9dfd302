//! `cargo xtask bump-snapshot`: the snapshot of the Debian archive that all packages come from.

use super::archive::{Archives, merge};
use super::edit::{self, FileEdit};
use super::{lock, next_steps, shown};
use anyhow::Result;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use xtask_core::calendar;
use xtask_core::escape::Shown as _;
use xtask_core::facts::archive::{DEBIAN_SUITES, SECURITY_SUITES};
use xtask_core::facts::git::git;
use xtask_core::facts::repo::Repo;
use xtask_core::facts::snapshot::SnapshotPin;
use xtask_core::failure::{Code, OrExit as _, Problem, refuse};
use xtask_core::json;
use xtask_core::pins::SnapshotStamp;
use xtask_core::record_file;
use xtask_core::ui::{Ui, answer};

const EXAMPLES: &str = "\
Examples:
  cargo xtask bump-snapshot --dry-run
  cargo xtask bump-snapshot 20260508T000000Z";

/// Pin another moment of the snapshot archive; show which packages of the builder change
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct BumpSnapshotArgs {
    /// YYYYMMDDTHHMMSSZ, or `latest` for the newest that both archives have completely
    #[arg(value_name = "STAMP|latest", default_value = LATEST)]
    stamp: String,
    /// Keyring that verifies the archives, instead of Debian's own
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Show the edits, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a machine-readable result on stdout
    #[arg(long)]
    json: bool,
}

/// Argument that stands for the newest complete snapshot.
pub(crate) const LATEST: &str = "latest";
/// Number of the newest snapshots to try until one is complete. Four are made a day.
const MOST_TRIED: usize = 8;

type PackageVersions = BTreeMap<String, String>;

/// `cargo xtask bump-snapshot`
pub(crate) fn command(repo: &Repo, args: &BumpSnapshotArgs) -> Result<()> {
    let ui = Ui::new(false);
    let pin = SnapshotPin::read(repo)?;
    let names = builders_list(repo)?;
    let archives = Archives::new(args.keyring.as_deref(), &repo.state(), &ui)?;
    let (stamp, new) = if args.stamp == LATEST {
        latest(&archives, &pin, &names, &ui)?
    } else {
        let stamp: SnapshotStamp = args.stamp.parse().or_exit(Code::Usage)?;
        refuse_future(&stamp)?;
        let versions = all(&archives, &pin, &stamp, &names, &ui);
        let versions = versions.map_err(|error| unusable(&stamp, &error))?;
        (stamp, versions)
    };
    let gone: Vec<&str> =
        names.iter().filter(|n| !new.contains_key(*n)).map(String::as_str).collect();
    if !gone.is_empty() {
        refuse(&[Problem::new(
            format!("snapshot {stamp} lacks packages of the builder's list: {}", gone.join(", ")),
            "name another stamp, or correct linux/build/docker/packages.list",
        )])?;
    }
    let old = all(&archives, &pin, &pin.stamp, &names, &ui);
    if let Err(error) = &old {
        ui.notice(&format!("no comparison with the pinned snapshot: {error:#}"));
    }
    if stamp < pin.stamp {
        ui.notice(&format!("{stamp} is older than the pinned {}", pin.stamp));
    }
    let compared = old.is_ok();
    let changes = changes(&old.unwrap_or_default(), &new);
    let edits = edits(repo, &pin.stamp, &stamp)?;
    if args.json {
        let files: Vec<String> = edits.iter().map(|edit| shown(repo, edit.path())).collect();
        let changes: Vec<_> = changes
            .iter()
            .map(|(name, old, new)| json!({"package": name, "old": old, "new": new}))
            .collect();
        json::print(&json!({
            "format": "silvermetal-bump-snapshot/1",
            "stamp": stamp.to_string(), "before": pin.stamp.to_string(), "changed": files,
            "compared": compared, "packages": changes, "dry_run": args.dry_run,
        }));
    } else {
        for (name, old, new) in &changes {
            answer(format_args!("{name:<32} {old} -> {new}"));
        }
        let all = names.len();
        if compared {
            let changed = changes.len();
            answer(format_args!("{changed} of the {all} packages on the builder's list change"));
        } else {
            answer(format_args!("snapshot {stamp} has all {all} packages on the builder's list"));
        }
        for edit in &edits {
            answer(format_args!("{}", edit.shown(&shown(repo, edit.path()))));
        }
    }
    if stamp == pin.stamp {
        ui.print(&format!("already pinned: {stamp}"));
        return Ok(());
    }
    if args.dry_run {
        ui.print("nothing was written: --dry-run");
        return Ok(());
    }
    edit::apply(&edits, &lock(repo))?;
    ui.print("rebuild the builder image from this snapshot too: cargo xtask image push && cargo xtask bump-image");
    ui.print(&next_steps(repo, &edits));
    Ok(())
}

/// Package names in docker/packages.list.
fn builders_list(repo: &Repo) -> Result<BTreeSet<String>> {
    let path = repo.docker().join("packages.list");
    let text = record_file::text(&path).or_exit(Code::NotReady)?;
    let words = text.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next());
    Ok(words.map(str::to_owned).collect())
}

/// Versions in all suites of both archives at one stamp, on the first server that has them. All must be signed
/// and complete.
fn all(
    archives: &Archives<'_>,
    pin: &SnapshotPin,
    stamp: &SnapshotStamp,
    names: &BTreeSet<String>,
    ui: &Ui,
) -> Result<PackageVersions> {
    pin.on_any_server(ui, |server| {
        let mut found = PackageVersions::new();
        let suites = DEBIAN_SUITES.iter().map(|suite| ("debian", suite));
        let security = SECURITY_SUITES.iter().map(|suite| ("debian-security", suite));
        for (archive, suite) in suites.chain(security) {
            let root = format!("{server}/{archive}/{stamp}");
            for (name, version) in archives.versions(&root, suite, names)? {
                merge(&mut found, &name, &version);
            }
        }
        Ok(found)
    })
}

fn unusable(stamp: &SnapshotStamp, error: &anyhow::Error) -> anyhow::Error {
    let error = format!("{error:#}");
    if error.contains("\n  fix: ") {
        return Code::NotReady.error(format!("snapshot {stamp} cannot be pinned: {error}"));
    }
    Code::NotReady.error(format!(
        "snapshot {stamp} cannot be pinned: {error}\n  fix: name another stamp, or `latest`; \
         or point APT_SNAPSHOT_URL at another mirror of the snapshot archive"
    ))
}

fn refuse_future(stamp: &SnapshotStamp) -> Result<()> {
    let now = calendar::now();
    if stamp.unix_time() > now {
        return Err(
            Code::Usage.error(format!("{stamp} is in the future: expected a stamp of the past"))
        );
    }
    Ok(())
}

/// The newest complete snapshot in the archive's listing.
fn latest(
    archives: &Archives<'_>,
    pin: &SnapshotPin,
    names: &BTreeSet<String>,
    ui: &Ui,
) -> Result<(SnapshotStamp, PackageVersions)> {
    let stamps = pin.on_any_server(ui, |server| {
        let url = format!("{server}/debian/");
        let listing = archives.listing(&url).map_err(|error| Code::NotReady.wrap(error))?;
        let mut stamps = stamps(&listing);
        if stamps.is_empty()
            && let Some((year, month)) = last_month(&listing)
        {
            // snapshot.debian.org lists months first, and the stamps below each
            stamps = self::stamps(&archives.listing(&format!("{url}?year={year}&month={month}"))?);
        }
        if stamps.is_empty() {
            return Err(Code::NotReady.error(format!("{} lists no snapshots", url.shown())));
        }
        Ok(stamps)
    })?;
    let mut last = None;
    for stamp in stamps.into_iter().rev().take(MOST_TRIED) {
        if refuse_future(&stamp).is_err() {
            continue;
        }
        match all(archives, pin, &stamp, names, ui) {
            Ok(versions) => return Ok((stamp, versions)),
            Err(error) => {
                ui.notice(&format!("snapshot {stamp} is skipped: {error:#}"));
                last = Some(error);
            }
        }
    }
    Err(Code::NotReady
        .wrap(last.unwrap_or_else(|| anyhow::anyhow!("no snapshot of the past is listed"))))
}

/// All stamps on a page, in order.
fn stamps(page: &str) -> BTreeSet<SnapshotStamp> {
    page.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(|word| word.parse().ok()).collect()
}

/// Year and month of the newest link `?year=YYYY&month=M` on a page.
fn last_month(page: &str) -> Option<(u32, u32)> {
    let links = page.split("year=").skip(1).filter_map(|rest| {
        let year = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        let month = rest.split("month=").nth(1)?;
        Some((year, month.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?))
    });
    links.max()
}

/// `(name, old, new)` of the packages whose versions differ. Empty if there are no old versions.
fn changes(old: &PackageVersions, new: &PackageVersions) -> Vec<(String, String, String)> {
    if old.is_empty() {
        return Vec::new();
    }
    let none = "(none)".to_owned();
    new.iter()
        .map(|(name, version)| (name, old.get(name).unwrap_or(&none), version))
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| (name.clone(), old.clone(), new.clone()))
        .collect()
}

/// Edits of all files that carry the stamp, except the sources of xtask and the record of an image
/// that was built from it.
fn edits(repo: &Repo, old: &SnapshotStamp, new: &SnapshotStamp) -> Result<Vec<FileEdit>> {
    let listed = git(&repo.root)
        .args([
            "grep",
            "--fixed-strings",
            "--files-with-matches",
            "-I",
            "-z",
            &old.to_string(),
            "--",
        ])
        .args([
            ".",
            ":!xtask",
            ":!linux/build/docker/builder-image.toml",
            ":!linux/build/derivative-maker",
        ])
        .read()?;
    let mut edits = Vec::new();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let mut edit = FileEdit::of(&repo.root.join(name))?;
        edit.after = edit.before().replace(&old.to_string(), &new.to_string());
        edits.push(edit);
    }
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_and_months_are_read_from_a_page() {
        let page = "<a href=\"20260508T000000Z/\">20260508T000000Z/</a> <a href='20260101T060000Z'>x20269999T000000Z";
        let found: Vec<String> = stamps(page).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["20260101T060000Z", "20260508T000000Z"]);
        let months = "<a href=\"./?year=2025&amp;month=12\">12</a> <a href=\"./?year=2026&amp;month=5\">5</a>";
        assert_eq!(last_month(months), Some((2026, 5)));
        assert_eq!(last_month("nothing"), None);
    }
}
