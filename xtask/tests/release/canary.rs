//! A test release of a real image: the canary is built, published and reproduced.

use crate::gitea::{Gitea, TOKEN};
use crate::support::{Checkout, git, run};
use std::fs;
use std::path::PathBuf;

#[test]
#[ignore = "needs root: cargo xtask test --full"]
fn a_test_release_of_the_canary_is_published_and_reproduced() {
    let checkout = Checkout::new("a test release");
    git(&checkout.root, &["tag", "test-1"]);
    let verify = ["verify", "canary", "--engine", "host", "--output"];
    let from = checkout.output().join("verify");
    run(checkout.xtask(verify).arg(&from)).exits(0);

    let refused = run(checkout.xtask(["release", "build", "--from"]).arg(&from)).exits(3);
    refused.says("recipe canary is never released").says("built on engine host");
    let words = ["release", "build", "test-1", "--test", "--from"];
    let built = run(checkout.xtask(words).arg(&from)).exits(0);
    let folder = PathBuf::from(built.stdout.trim_end());

    let gitea = Gitea::new();
    for _ in 0..2 {
        let mut publish = checkout.xtask(["release", "publish", "--repository", &gitea.url]);
        run(publish.arg(&folder).env("SILVERMETAL_RELEASE_TOKEN", TOKEN)).exits(0);
    }
    crate::publish::has_one_release(&gitea, &folder, "test-1");
    let release = gitea.release("test-1");
    assert_eq!(release["prerelease"], true);
    assert!(release["name"].as_str().unwrap().contains("not SilverMetal"), "{release}");

    let clone = checkout.clone_under("077", "a clone, elsewhere");
    let page = release["html_url"].as_str().unwrap();
    let ran = run(&mut clone.xtask(["reproduce", page])).exits(0);
    // it lists the other files of the release, too
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let image = sums.lines().find(|line| line.ends_with(".iso")).unwrap();
    assert!(ran.stdout.starts_with(&format!("match: {image}\n")), "{}", ran.stdout);
}
