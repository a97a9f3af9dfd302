//! Checkouts of derivative-maker with faults that git alone can tell.

use super::problems::few;
use super::{Packages, Upstream, UpstreamOrigin, revisions};
use crate::escape::Shown as _;
use crate::facts::git::git;
use std::fs;
use std::path::{Path, PathBuf};

/// An upstream with two submodules, `one` and `two`; removed when dropped.
struct Checkout(PathBuf);

impl Checkout {
    fn new(name: &str) -> Checkout {
        let dir = std::env::temp_dir().join(format!("upstream-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&dir));
        let checkout = Checkout(dir);
        for name in ["one", "two", "."] {
            let dir = checkout.0.join("top").join(name);
            fs::create_dir_all(&dir).unwrap();
            run(&dir, &["init", "--quiet"]);
            fs::write(dir.join("derivative-maker"), "x\n").unwrap();
        }
        let mut modules = String::new();
        for name in ["one", "two"] {
            commit(&checkout.at(name));
            modules += &format!("[submodule \"{name}\"]\n\tpath = {name}\n\turl = ../{name}\n");
        }
        fs::write(checkout.at(".gitmodules"), modules).unwrap();
        commit(&checkout.at("."));
        run(&checkout.at("."), &["submodule", "--quiet", "init"]);
        checkout
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join("top").join(path)
    }

    fn gather(&self) -> Upstream {
        Upstream::gather(&self.at("."), UpstreamOrigin::Caller, None).unwrap()
    }

    /// The problems, one a line.
    fn problems(&self) -> String {
        let problems = self.gather().problems();
        problems.iter().map(|p| format!("{}\n", p.what)).collect()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn run(dir: &Path, args: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "tag.gpgSign=false"];
    git(dir).args(who).args(args).read().unwrap();
}

fn commit(dir: &Path) {
    run(dir, &["add", "--all"]);
    run(dir, &["commit", "--quiet", "-m", "t"]);
}

#[test]
fn uncommitted_changes_are_seen_wherever_they_are() {
    let checkout = Checkout::new("changes");
    let clean = checkout.gather();
    assert_eq!(clean.changes.repositories, Vec::<String>::new());
    let mut seen = vec![clean.digest];
    let mut changed = |repositories: &[&str]| {
        let upstream = checkout.gather();
        assert_eq!(upstream.changes.repositories, repositories);
        assert!(
            upstream
                .notice()
                .unwrap()
                .contains(&format!("; uncommitted changes in {}", repositories.join(", ")))
        );
        assert!(!seen.contains(&upstream.digest), "{repositories:?}");
        seen.push(upstream.digest);
    };
    fs::write(checkout.at("one/derivative-maker"), "y\n").unwrap();
    changed(&["one"]);
    fs::write(checkout.at("one/derivative-maker"), "z\n").unwrap();
    changed(&["one"]);
    fs::write(checkout.at("two/new"), "new\n").unwrap();
    changed(&["one", "two"]);
    fs::write(checkout.at("new"), "new\n").unwrap();
    changed(&[".", "one", "two"]);
    fs::remove_file(checkout.at("one/derivative-maker")).unwrap();
    changed(&[".", "one", "two"]);
    // staged, not committed
    run(&checkout.at("two"), &["add", "new"]);
    changed(&[".", "one", "two"]);
    assert_eq!(checkout.problems(), "");
}

#[test]
fn missing_submodules_are_named() {
    let checkout = Checkout::new("missing");
    fs::remove_dir_all(checkout.at("two")).unwrap();
    fs::create_dir(checkout.at("two")).unwrap();
    assert!(checkout.gather().notice().unwrap().contains(", 1 missing (two): "));
    assert_eq!(checkout.problems(), "");
    fs::remove_dir_all(checkout.at("one")).unwrap();
    fs::create_dir(checkout.at("one")).unwrap();
    let top = checkout.at(".").canonicalize().unwrap();
    let none = format!("none of the 2 submodules of {} is checked out\n", top.shown());
    assert_eq!(checkout.problems(), none);
}

#[test]
fn tags_that_upstream_refuses_are_told() {
    let checkout = Checkout::new("tags");
    let top = checkout.at(".").canonicalize().unwrap();
    let refuses = |path: &str, why: &str| {
        let at = if path == "." { top.clone() } else { top.join(path) };
        format!("derivative-maker's own check refuses {}: {why}\n", at.shown())
    };
    run(&checkout.at("one"), &["tag", "light"]);
    let light = refuses("one", "tag light is a lightweight tag, which cannot be signed");
    assert_eq!(checkout.problems(), light);
    run(&checkout.at("two"), &["tag", "-a", "-m", "not\nsigned", "plain"]);
    let plain = refuses("two", "tag plain has no OpenPGP signature");
    assert_eq!(checkout.problems(), format!("{light}{plain}"));
    run(&checkout.at("one"), &["tag", "-a", "-m", "x", "another"]);
    let two = refuses("one", "2 tags point at its commit: another, light");
    assert_eq!(checkout.problems(), format!("{two}{plain}"));
    for (path, tag) in [("one", "light"), ("one", "another"), ("two", "plain")] {
        run(&checkout.at(path), &["tag", "-d", tag]);
    }
    assert_eq!(checkout.problems(), "");
    let signature = "m\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";
    run(&checkout.at("."), &["tag", "-a", "--cleanup=verbatim", "-m", signature, "signed"]);
    // only upstream's keys tell whose signature it is
    assert_eq!(checkout.problems(), "");
}

#[test]
fn a_candidate_is_a_clean_copy_with_one_signed_tag_or_none() {
    let checkout = Checkout::new("candidate");
    let top = checkout.at(".");
    let head = git(&top).args(["rev-parse", "HEAD"]).read().unwrap().parse().unwrap();
    let gather = || Upstream::gather(&top, UpstreamOrigin::Candidate, None).unwrap();
    let told = |upstream: &Upstream| {
        upstream.problems().iter().map(|p| format!("{}\n", p.what)).collect::<String>()
    };
    let planned = || Upstream::planned(&top, Path::new("/nowhere"), &head, None).unwrap();
    for upstream in [gather(), planned()] {
        assert!(upstream.is_untagged());
        assert_eq!(told(&upstream), "");
        assert!(upstream.notice().unwrap().contains("no tag points at it"));
    }
    run(&top, &["tag", "light"]);
    let refused = "derivative-maker's own check refuses the candidate: tag light is a lightweight tag, which \
                   cannot be signed\n";
    for upstream in [gather(), planned()] {
        assert!(!upstream.is_untagged());
        assert_eq!(told(&upstream), refused);
    }
    run(&top, &["tag", "-d", "light"]);
    run(&checkout.at("one"), &["tag", "light"]);
    assert!(
        told(&gather()).starts_with("derivative-maker's own check refuses the candidate's one: ")
    );
    run(&checkout.at("one"), &["tag", "-d", "light"]);

    // nothing that a clean copy has
    fs::write(checkout.at("one/derivative-maker"), "y\n").unwrap();
    fs::remove_dir_all(checkout.at("two")).unwrap();
    fs::create_dir(checkout.at("two")).unwrap();
    let expected = "1 submodules of the candidate are missing: two\n\
                    1 repositories of the candidate's copy have changes: one\n";
    assert_eq!(told(&gather()), expected);
    fs::remove_file(checkout.at("derivative-maker")).unwrap();
    assert!(told(&gather()).starts_with("the candidate is no derivative-maker"));
}

#[test]
fn the_status_of_submodules_is_read() {
    let status = " aa11 live-build (v1)\n+bb22 packages/x (heads/y)\n-cc33 windows/z\nUdd44 w\n";
    let packages = Packages::parse(status);
    assert_eq!(packages.at_their_pin, 1);
    assert_eq!(packages.elsewhere, ["packages/x", "w"]);
    assert_eq!(packages.missing, ["windows/z"]);
    assert_eq!(revisions(status), ["aa11 live-build", "bb22 packages/x", "dd44 w"]);
}

#[test]
fn long_lists_are_shortened() {
    let names: Vec<String> = (0..6).map(|n| n.to_string()).collect();
    assert_eq!(few(&names), "0, 1, 2, 3 and 2 more");
    assert_eq!(few(&names[..2]), "0, 1");
}
