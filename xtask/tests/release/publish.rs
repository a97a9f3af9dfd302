//! `release publish` against a Gitea that fails in many ways: the result is one complete release.

use crate::factory::{Factory, TAG};
use crate::gitea::{DOWNLOAD, Gitea, How, TOKEN, UPLOAD};
use crate::support::{Ran, git, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Shop {
    factory: Factory,
    folder: PathBuf,
    gitea: Gitea,
}

impl Shop {
    fn open() -> Shop {
        let (factory, folder) = Factory::with_a_release();
        Shop { factory, folder, gitea: Gitea::new() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let all = [&["release", "publish", "--repository", &self.gitea.url], words].concat();
        let mut command = self.factory.xtask(&all);
        command.env("SILVERMETAL_RELEASE_TOKEN", TOKEN);
        command
    }

    fn publish(&self) -> Ran {
        run(&mut self.command(&[]))
    }

    /// Fails unless there is exactly one release, published, with each built file once.
    #[track_caller]
    fn has_one_release(&self) {
        has_one_release(&self.gitea, &self.folder, TAG);
    }

    /// Fails if the server shows a published release.
    #[track_caller]
    fn shows_nothing(&self) {
        let releases = self.gitea.releases();
        assert!(releases.iter().all(|(_, draft, _)| *draft), "{releases:?}");
    }

    /// Expects the run to fail with `says` and to publish nothing, and the next run to complete the
    /// release without the fault.
    #[track_caller]
    fn fails_then_finishes(&self, code: i32, says: &str) {
        let ran =
            self.publish().exits(code).says(says).says("to continue: cargo xtask release publish");
        assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
        self.shows_nothing();
        self.gitea.heals();
        self.publish().exits(0);
        self.has_one_release();
    }
}

#[track_caller]
pub fn has_one_release(gitea: &Gitea, folder: &Path, tag: &str) {
    let releases = gitea.releases();
    assert_eq!(releases.len(), 1, "{releases:?}");
    let (found, draft, mut files) = releases.into_iter().next().unwrap();
    assert_eq!((found.as_str(), draft), (tag, false));
    files.sort();
    let mut expected: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .filter(|(name, _)| name != "release.json")
        .collect();
    expected.sort();
    assert!(files == expected, "{files:?}");
}

#[test]
fn a_second_run_after_a_complete_one_changes_nothing() {
    let shop = Shop::open();
    let ran = shop.publish().exits(0);
    assert_eq!(ran.stdout, format!("{}/releases/tag/{TAG}\n", shop.gitea.url));
    shop.has_one_release();
    let release = shop.gitea.release(TAG);
    let head = git(&shop.factory.checkout.root, &["rev-parse", "HEAD"]);
    assert_eq!(release["target_commitish"], head.trim());
    assert_eq!(release["prerelease"], false);
    assert_eq!(shop.gitea.tag(TAG).unwrap(), head.trim(), "made with the release");
    let uploads: Vec<String> =
        release["assets"].as_array().unwrap().iter().map(|a| a["name"].to_string()).collect();
    assert_eq!(uploads.last().unwrap(), "\"SHA256SUMS\"", "{uploads:?}");
    let log = shop.gitea.log();
    let at = |what: &str| log.iter().rposition(|line| line.contains(what)).unwrap();
    assert!(at(DOWNLOAD) < at("PATCH"), "{log:#?}");

    shop.gitea.forgets_the_log();
    let ran = run(&mut shop.command(&["--json"])).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["uploaded"], serde_json::json!([]));
    for changes in ["POST", "PATCH", "DELETE"] {
        assert_eq!(shop.gitea.asked(changes), 0, "{:#?}", shop.gitea.log());
    }
    shop.has_one_release();
}

#[test]
fn a_dry_run_sends_no_request() {
    let shop = Shop::open();
    let ran = run(&mut shop.command(&["--dry-run"])).exits(0);
    assert!(ran.stdout.contains("upload     silvermetal-base.iso ("), "{}", ran.stdout);
    assert_eq!(shop.gitea.log(), [""; 0]);
}

#[test]
fn an_unfinished_draft_is_completed_even_if_the_list_has_many_pages() {
    let mut shop = Shop::open();
    for hidden_by_tag in [false, true] {
        shop.gitea = Gitea::new();
        shop.gitea.pages(2, true);
        if hidden_by_tag {
            shop.gitea.hides_drafts_by_tag();
        }
        let draft = shop.gitea.has_release(TAG, true);
        for n in 0..5 {
            shop.gitea.has_release(&format!("v0.{n}"), false);
        }
        // left by an earlier run: a right file, a cut one, one of another build, a duplicate
        let right = fs::read(shop.folder.join("BUILD_INFO")).unwrap();
        let iso = fs::read(shop.folder.join("silvermetal-base.iso")).unwrap();
        shop.gitea.has_asset(draft, "BUILD_INFO", &right);
        shop.gitea.has_asset(draft, "silvermetal-base.iso", &iso[..3]);
        shop.gitea.has_asset(draft, "silvermetal-base.iso", &vec![b'x'; iso.len()]);
        shop.gitea.has_asset(draft, "ledger", b"");
        shop.gitea.has_asset(draft, "ledger", b"");
        let ran = run(&mut shop.command(&["--json"])).exits(0);
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let uploaded = json["uploaded"].as_array().unwrap();
        assert!(!uploaded.contains(&"BUILD_INFO".into()) && uploaded.len() == 7, "{uploaded:?}");
        let mut releases = shop.gitea.releases();
        releases.retain(|(tag, ..)| tag == TAG);
        assert_eq!((releases.len(), releases[0].1, releases[0].2.len()), (1, false, 8));
    }
}

#[test]
fn a_lost_answer_to_a_successful_request_is_no_failure() {
    let shop = Shop::open();
    shop.gitea.fails("POST", 1, How::DoneButCut);
    shop.gitea.fails(UPLOAD, 1, How::DoneButCut);
    shop.gitea.fails("PATCH", 1, How::DoneButCut);
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_conflict_with_a_release_that_the_token_cannot_see_is_reported() {
    let shop = Shop::open();
    shop.gitea.fails("POST", 1, How::Status(409));
    shop.fails_then_finishes(3, "does not show it to this token");
}

#[test]
fn an_upload_that_is_too_large_is_reported_with_the_setting() {
    let shop = Shop::open();
    shop.gitea.takes_at_most(0);
    shop.publish().exits(3).says("the server does not take").says("FILE_MAX_SIZE").says("413");
    shop.shows_nothing();
    // a proxy answers before the whole body
    shop.gitea.takes_at_most(1 << 20);
    shop.gitea.fails(UPLOAD, 1, How::Status(413));
    shop.fails_then_finishes(3, "FILE_MAX_SIZE");
}

#[test]
fn a_file_that_the_server_refuses_for_good_is_sent_once() {
    let mut shop = Shop::open();
    for (status, says) in [(400, "ALLOWED_TYPES"), (415, "ALLOWED_TYPES"), (423, "archived")] {
        shop.gitea = Gitea::new();
        shop.gitea.fails(UPLOAD, 99, How::Status(status));
        shop.publish().exits(3).says(says).says("the server does not take");
        assert_eq!(shop.gitea.asked(UPLOAD), 1, "{:#?}", shop.gitea.log());
        shop.shows_nothing();
        shop.gitea.heals();
    }
}

#[test]
fn a_tag_of_another_commit_on_the_server_is_refused() {
    let shop = Shop::open();
    shop.gitea.has_tag(TAG, &"a".repeat(40));
    shop.publish().exits(1).says(&format!("tag {TAG} names commit aaaa")).says("was built from");
    assert_eq!(shop.gitea.releases().len(), 0);
    let head = git(&shop.factory.checkout.root, &["rev-parse", "HEAD"]);
    shop.gitea.has_tag(TAG, head.trim());
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_commit_that_nobody_pushed_is_reported_before_any_upload() {
    let shop = Shop::open();
    let head = git(&shop.factory.checkout.root, &["rev-parse", "HEAD"]);
    shop.gitea.lacks_commit(head.trim());
    shop.publish()
        .exits(3)
        .says("has neither tag v1.1.0 nor the commit")
        .says("git push REMOTE v1.1.0");
    assert_eq!(shop.gitea.asked("POST"), 0, "{:#?}", shop.gitea.log());
}

#[test]
fn the_tag_of_an_older_draft_names_the_commit_of_this_release() {
    let shop = Shop::open();
    let id = shop.gitea.has_release(TAG, true);
    assert_eq!(shop.gitea.release(TAG)["target_commitish"], "main");
    shop.publish().exits(0);
    shop.has_one_release();
    let head = git(&shop.factory.checkout.root, &["rev-parse", "HEAD"]);
    assert_eq!(shop.gitea.tag(TAG).unwrap(), head.trim());
    assert_eq!(shop.gitea.release(TAG)["id"], id);
}

#[test]
fn a_repository_that_takes_no_release_is_reported_before_any_upload() {
    let shop = Shop::open();
    shop.gitea.is_archived(true);
    shop.publish().exits(3).says("is archived").says("fix: open it");
    shop.gitea.is_archived(false);
    shop.gitea.may_only_be_read(true);
    shop.publish().exits(3).says("may only read the repository");
    assert_eq!(shop.gitea.asked("POST"), 0, "{:#?}", shop.gitea.log());
    shop.gitea.may_only_be_read(false);
    shop.gitea.protects_tags(true);
    shop.publish().exits(3).says("is protected").says("fix: push the tag v1.1.0 first");
    shop.shows_nothing();
    shop.gitea.protects_tags(false);
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_repository_that_is_archived_during_the_upload_is_reported() {
    let shop = Shop::open();
    shop.gitea.fails(UPLOAD, 1, How::Archive);
    shop.publish().exits(3).says("is archived").says("fix: open it");
    shop.shows_nothing();
    shop.gitea.is_archived(false);
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_wrong_token_changes_nothing() {
    let shop = Shop::open();
    let wrong = "0123456789-wrong";
    let ran = run(shop.command(&[]).env("SILVERMETAL_RELEASE_TOKEN", wrong));
    let ran =
        ran.exits(3).says("the server refuses the token").says("401").says("write:repository");
    assert!(!ran.stderr.contains(wrong), "{}", ran.stderr);
    assert!(shop.gitea.releases().is_empty());
    shop.gitea.token_may_only_read(true);
    shop.publish()
        .exits(3)
        .says("the server refuses the token")
        .says("token scope=read:repository");
    assert_eq!(shop.gitea.asked(UPLOAD), 0);
    shop.gitea.token_may_only_read(false);
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_missing_token_or_release_is_reported_before_any_request() {
    let shop = Shop::open();
    let none = run(shop.command(&["--max-size", "0"]).env_remove("SILVERMETAL_RELEASE_TOKEN"));
    none.exits(3)
        .says("SILVERMETAL_RELEASE_TOKEN is empty")
        .says("silvermetal-base.iso has 1 MiB: the server accepts at most 0 MiB")
        .says("--token-file FILE");
    run(&mut shop.command(&["--token-file", "nowhere"])).exits(3).says("cannot read nowhere");
    run(&mut shop.command(&["elsewhere"])).exits(2).says("cargo xtask release build");
    fs::write(shop.folder.join("ledger"), "other").unwrap();
    shop.publish().exits(3).says("files of the release have changed").says("ledger: expected");
    assert_eq!(shop.gitea.log(), [""; 0]);
}

#[test]
fn a_cut_upload_is_repeated_and_leaves_no_partial_file() {
    let mut shop = Shop::open();
    for how in [How::CutAfter(3), How::StoreAndCutAfter(3)] {
        shop.gitea = Gitea::new();
        shop.gitea.fails(UPLOAD, 1, how.clone());
        shop.publish().exits(0);
        shop.has_one_release();
        // every attempt is cut
        shop.gitea = Gitea::new();
        shop.gitea.fails(UPLOAD, 99, how);
        shop.fails_then_finishes(4, "the connection was cut");
    }
}

#[test]
fn a_failing_server_is_asked_a_limited_number_of_times() {
    let mut shop = Shop::open();
    shop.gitea.fails("GET", 3, How::Status(500));
    shop.gitea.fails("POST", 1, How::Status(502));
    shop.fails_then_finishes(4, "502 Bad Gateway");
    for when in ["GET /api", "POST /api", UPLOAD, DOWNLOAD, "PATCH"] {
        shop.gitea = Gitea::new();
        shop.gitea.fails(when, 99, How::Status(500));
        shop.fails_then_finishes(4, "500 Internal Server Error");
    }
}

#[test]
fn a_file_that_the_server_changed_is_not_published() {
    let mut shop = Shop::open();
    for (when, how) in [(DOWNLOAD, How::Lie), (UPLOAD, How::Corrupt)] {
        shop.gitea = Gitea::new();
        shop.gitea.fails(when, 1, how);
        shop.fails_then_finishes(4, "the server returns another file than was sent");
    }
    // a published release is not touched
    shop.gitea = Gitea::new();
    shop.publish().exits(0);
    shop.gitea.fails(DOWNLOAD, 1, How::Lie);
    shop.publish().exits(1).says("a published release is never changed");
    shop.has_one_release();
    shop.publish().exits(0);
}

#[test]
fn a_published_release_is_completed_but_never_changed() {
    let shop = Shop::open();
    shop.gitea.has_release(TAG, false);
    shop.publish().exits(0);
    shop.has_one_release();
    shop.gitea.loses_asset(TAG, "SHA256SUMS");
    shop.publish().exits(0);
    shop.has_one_release();

    let shop = Shop::open();
    let release = shop.gitea.has_release(TAG, false);
    shop.gitea.has_asset(release, "SHA256SUMS", b"another");
    shop.gitea.has_asset(release, "SHA256SUMS.asc", b"a signature");
    shop.publish()
        .exits(1)
        .says("a published release is never changed")
        .says("SHA256SUMS.asc on the server does not belong to this release");
    assert_eq!(shop.gitea.asked("DELETE"), 0);
}

#[test]
fn a_cut_download_is_repeated_and_a_slow_one_is_awaited() {
    let shop = Shop::open();
    shop.gitea.fails(DOWNLOAD, 2, How::CutAfter(1));
    shop.gitea.fails(DOWNLOAD, 2, How::Slow);
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_stalled_server_ends_the_run() {
    let shop = Shop::open();
    shop.gitea.fails("POST", 1, How::Stall);
    run(&mut shop.command(&["--stall", "1"])).exits(4).says("it stood still for too long");
    shop.shows_nothing();
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn an_interrupted_upload_ends_at_once_and_the_next_run_continues() {
    let shop = Shop::open();
    shop.gitea.fails(UPLOAD, 1, How::Stall);
    let mut publishing = shop.command(&[]).spawn().unwrap();
    while shop.gitea.asked(UPLOAD) == 0 {
        assert!(publishing.try_wait().unwrap().is_none(), "it ended before its first upload");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // the kill that is built into the shell: a minimal machine has no other
    run(Command::new("sh").args(["-c", "kill -INT \"$0\"", &publishing.id().to_string()])).exits(0);
    // a run that waited for the server would end only after `--stall` seconds
    assert_eq!(publishing.wait().unwrap().code(), Some(130));
    shop.shows_nothing();
    shop.publish().exits(0);
    shop.has_one_release();
}

#[test]
fn a_wrong_address_of_the_repository_is_reported() {
    let shop = Shop::open();
    let at = |url: &str| {
        let mut command = shop.factory.xtask(&["release", "publish", "--repository", url]);
        run(command.env("SILVERMETAL_RELEASE_TOKEN", TOKEN))
    };
    let host = shop.gitea.url.strip_suffix("/SilverLABS/SilverMetal").unwrap();
    at(&format!("{host}/SilverLABS/Other")).exits(3).says("check --repository");
    at(host).exits(2).says("expected https://HOST/OWNER/NAME");
    at("gitea.example").exits(2).says("is not an address");
    at("https://me:hunter2@gitea.example/a/b").exits(2).says("password in it");
    at("http://gitea.example/a/b").exits(2).says("refusing to send a secret over plain http");
    assert!(shop.gitea.releases().is_empty());
}

/// An ISO may have 2.1 GB. The memory of the process must not grow with it.
#[test]
#[ignore = "needs half a minute of both CPUs: cargo xtask test --full"]
fn a_large_file_is_uploaded_in_little_memory() {
    const SIZE: &str = "2100000000";
    let factory = Factory::new();
    let sparse = format!("truncate -s {SIZE} \"$out/silvermetal-base.iso\"");
    run(factory.verify(&[]).env("EXTRA", sparse)).exits(0);
    let built = run(&mut factory.xtask(&["release", "build"])).exits(0);
    let gitea = Gitea::new();
    let mut command = factory.xtask(&["release", "publish", "--repository", &gitea.url]);
    run(command.env("SILVERMETAL_RELEASE_TOKEN", TOKEN)).exits(0);
    let release = gitea.release(TAG);
    let iso =
        release["assets"].as_array().unwrap().iter().find(|a| a["name"] == "silvermetal-base.iso");
    assert_eq!(iso.unwrap()["size"].to_string(), SIZE);
    assert!(PathBuf::from(built.stdout.trim_end()).exists());
    let peaks = gitea.peaks();
    println!("peak resident memory, KiB: {peaks:?}");
    assert!(peaks.contains_key("curl"), "{peaks:?}");
    assert!(peaks.values().all(|peak| *peak < 64 << 10), "{peaks:?}");
}
