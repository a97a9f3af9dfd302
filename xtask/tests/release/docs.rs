//! docs/reproduce-a-release.md: its commands work as written, for somebody who has only the page.

use crate::factory::{Factory, TAG};
use crate::gitea::{Gitea, TOKEN};
use crate::support::{git, run};
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../docs/reproduce-a-release.md");

/// The code blocks of the page that are marked `sh`.
fn blocks() -> Vec<String> {
    let parts = PAGE.split("```sh\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// A published release, with a local repository as derivative-maker.
fn published() -> (Factory, Gitea, std::path::PathBuf) {
    let factory = Factory::new();
    let root = &factory.checkout.root;
    let upstream = root.with_file_name("upstream");
    fs::create_dir(&upstream).unwrap();
    git(&upstream, &["init", "--quiet"]);
    git(&upstream, &["commit", "--quiet", "--allow-empty", "-m", "upstream"]);
    let commit = git(&upstream, &["rev-parse", "HEAD"]);
    let info = format!("160000,{},linux/build/derivative-maker", commit.trim());
    git(root, &["update-index", "--cacheinfo", &info]);
    git(root, &["commit", "--quiet", "-m", "upstream"]);
    git(root, &["tag", "--force", TAG]);
    run(&mut factory.verify(&[])).exits(0);
    run(&mut factory.xtask(&["release", "build"])).exits(0);
    let gitea = Gitea::new();
    let mut publish = factory.xtask(&["release", "publish", "--repository", &gitea.url]);
    run(publish.env("SILVERMETAL_RELEASE_TOKEN", TOKEN)).exits(0);
    (factory, gitea, upstream)
}

#[test]
fn the_commands_of_the_page_work_as_written() {
    let (factory, gitea, upstream) = published();
    let home = factory.checkout.root.with_file_name("home");
    fs::create_dir(&home).unwrap();
    // the real git, with local repositories in place of the public ones
    let config = format!(
        "[url \"{}\"]\n\tinsteadOf = https://git.silverlabs.uk/SilverLABS/SilverMetal\n\
         [url \"{}\"]\n\tinsteadOf = https://github.com/Kicksecure/derivative-maker.git\n\
         [protocol \"file\"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n",
        factory.checkout.root.display(),
        upstream.display()
    );
    fs::write(home.join(".gitconfig"), config).unwrap();
    let shell = |block: &str, dir: &Path| {
        run(factory.shell(block, dir, &gitea.url).env("HOME", &home)).exits(0)
    };
    let [clone_and_reproduce, count, check] = <[String; 3]>::try_from(blocks()).unwrap();

    let ran = shell(&clone_and_reproduce, &home);
    assert!(ran.stdout.contains("match: "), "{}", ran.stdout);

    let clone = home.join("SilverMetal");
    let statement = clone.join(format!("linux/build/output/reproduce-{TAG}/rebuild.json"));
    let statement = fs::read_to_string(statement).unwrap();
    assert!(statement.contains("Your Name <you@example.org>"), "{statement}");
    fs::create_dir(clone.join("statements")).unwrap();
    fs::write(clone.join("statements/a.json"), &statement).unwrap();
    let other = statement.replace("you@example.org", "else@example.org");
    fs::write(clone.join("statements/b.json"), other).unwrap();
    let ran = shell(&count, &clone);
    assert!(ran.stdout.contains("2 independent rebuilders agree"), "{}", ran.stdout);

    let ran = shell(&check, &factory.checkout.output().join("release-v1.1.0"));
    // SHA256SUMS lists the records, too
    assert!(ran.stdout.contains("silvermetal-base.iso: OK\n"), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.ends_with(": OK")), "{}", ran.stdout);
}
