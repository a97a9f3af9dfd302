//! `reproduce` with the records of a release: what they tell about a mismatch, and what they may try.

use crate::reproduce::World;
use crate::support::{Ran, run};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A date in the tree of the first stage, as the issue's stranger has it.
const OTHER: &str = "echo today >etc/date; chmod 0600 etc/built";
const MANIFEST: &str = "rootfs.tar.manifest.gz";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    let mut gzip = gzip.arg("-nc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, bytes) = (gzip.stdin.take().unwrap(), bytes.to_vec());
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let packed = gzip.wait_with_output().unwrap().stdout;
    feeder.join().unwrap();
    packed
}

fn mismatch(world: &World, named: &Path, early: &str) -> Ran {
    let ran = run(world
        .reproduce(&[named.to_str().unwrap()])
        .env("EARLY", early)
        .env("EXTRA", "cat \"$out/rootfs.tar\" >>\"$out/silvermetal-base.iso\""));
    let ran = ran.exits(1);
    assert!(ran.stdout.starts_with("mismatch: "), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
    ran
}

#[test]
fn a_mismatch_names_stage_file_and_properties_without_the_image() {
    let world = World::new();
    // the image is nowhere: the release has its hash alone
    world.gitea.loses_asset("v1.1.0", "silvermetal-base.iso");
    let ran = run(world.of_tag().env("EARLY", OTHER)).exits(0);
    assert!(ran.stdout.starts_with("match: "), "the image does not hold the tree: {}", ran.stdout);
    let other = "echo other >>\"$out/silvermetal-base.iso\"";
    let ran = run(world.of_tag().env("EARLY", OTHER).env("EXTRA", other)).exits(1);
    for line in [
        "  first stage that differs: rootfs (2 differences, by the release's records)",
        "    rootfs.tar:./etc/built: mode 0644 → 0600",
        "    rootfs.tar:./etc/date: only in the rebuild",
        "next: curl -LO http://",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("tells less"), "{}", ran.stdout);
    let difference = &world.statement()["difference"];
    assert_eq!((&difference["stage"], &difference["count"]), (&"rootfs".into(), &2.into()));
    assert!(world.out().join("published").join(MANIFEST).exists());
}

#[test]
fn the_published_image_is_fetched_for_the_causes_if_wanted() {
    let world = World::new();
    let other = "echo other >>\"$out/silvermetal-base.iso\"";
    let ran = run(world.of_tag().arg("--fetch-iso").env("EXTRA", other)).exits(1);
    assert!(ran.stdout.contains("diagnosis: "), "{}", ran.stdout);
    let fetched = world.out().join("published/silvermetal-base.iso");
    assert_eq!(fs::read(&fetched).unwrap(), b"an image\n");
    // a match needs no download
    fs::remove_file(&fetched).unwrap();
    run(world.of_tag().arg("--fetch-iso")).exits(0);
    assert!(!fetched.exists());
    world.gitea.loses_asset("v1.1.0", "silvermetal-base.iso");
    let ran = run(world.of_tag().arg("--fetch-iso").env("EXTRA", other)).exits(1);
    ran.says("going on without the published image");
    assert!(!fetched.exists());
}

#[test]
fn an_older_release_reproduces_and_says_what_it_lacks() {
    let world = World::new();
    let copy = world.copy();
    let iso = fs::read_to_string(copy.join("SHA256SUMS")).unwrap();
    let iso = iso.lines().find(|line| line.ends_with("  silvermetal-base.iso")).unwrap();
    fs::remove_file(copy.join("SHA256SUMS")).unwrap();
    fs::write(copy.join("SHA256SUMS"), format!("{iso}\n")).unwrap();
    for name in [MANIFEST, "environment.json"] {
        fs::remove_file(copy.join(name)).unwrap();
    }
    run(&mut world.reproduce(&[copy.to_str().unwrap()])).exits(0);
    let ran = mismatch(&world, &copy, OTHER);
    for line in [
        "first stage that differs: rootfs (1 difference,",
        "    rootfs.tar: content",
        "it has no rootfs.tar.manifest.gz: the files of that tree that differ are not known",
        "it has no environment.json",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    fs::remove_file(copy.join("ledger")).unwrap();
    let ran = mismatch(&world, &copy, OTHER);
    assert!(ran.stdout.contains("it has no ledger: the stage that differs"), "{}", ran.stdout);
    // nothing of an earlier run's records is compared with
    assert!(!world.out().join("published/ledger").exists());
}

#[test]
fn a_record_that_is_not_the_listed_one_is_a_contradiction() {
    let world = World::new();
    for name in [MANIFEST, "environment.json", "ledger", "packages.txt", "BUILD_INFO"] {
        let copy = world.copy();
        let mut content = fs::read(copy.join(name)).unwrap();
        content.push(b'\n');
        fs::remove_file(copy.join(name)).unwrap();
        fs::write(copy.join(name), content).unwrap();
        let ran = run(&mut world.reproduce(&[copy.to_str().unwrap()])).exits(1);
        let says = format!(" of {name}, which hashes to ");
        assert!(ran.stdout.contains(&says), "{name}: {}", ran.stdout);
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn a_hostile_manifest_changes_no_verdict_and_steers_no_terminal() {
    let world = World::new();
    let line = |path: &str| format!("file\t0644\t0:0\t1\t2\t-\t-\t{path}\t-\n");
    for (manifest, says) in [
        (gzip(line("./etc/\x1b[2Jx").as_bytes()), r"./etc/\x1b[2Jx: only in the release"),
        (gzip(line(r"./x\nmatch: all is well").as_bytes()), r"./x\nmatch: all is well: only in"),
        (gzip(line("../../../etc/passwd").as_bytes()), "../../../etc/passwd: only in the release"),
        (gzip(&vec![b'\n'; 2 << 20]), "expected at most 1048576 entries, found 2097152"),
        (gzip(&vec![0; 300 << 20]), "unpacks to more than 268435456 bytes"),
        (gzip(b"\xff"), "expected UTF-8"),
        (gzip(b"x\ty\n"), ":1: expected 9 fields, found 2"),
        (b"no gzip".to_vec(), "expected a complete gzip file"),
        (gzip(&[b'x'; 1 << 20])[..1000].to_vec(), "expected a complete gzip file"),
    ] {
        let copy = world.copy();
        World::publish_as(&copy, MANIFEST, &manifest);
        let ran = mismatch(&world, &copy, OTHER);
        assert!(ran.stdout.contains(says), "{says} is not in\n{}", ran.stdout);
        assert!(!ran.stdout.contains("\nmatch"), "{}", ran.stdout);
        assert!(ran.stdout.contains("first stage that differs: rootfs"), "{}", ran.stdout);
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn a_hostile_ledger_or_environment_is_bounded_and_told() {
    let world = World::new();
    for (name, content, says) in [
        ("ledger", "rootfs x 1 rootfs.tar\n".to_owned(), "its records cannot be read"),
        ("ledger", format!("rootfs {} 1 ../../x.tar\n", "a".repeat(64)), "its records cannot be"),
        (
            "environment.json",
            r#"{"format":"silvermetal-environment/1","kernel":"\u001b[2J"}"#.to_owned(),
            r"another kernel: \x1b[2J → ",
        ),
        ("environment.json", "[".repeat(1 << 20), "environment.json cannot be read: not JSON"),
    ] {
        let copy = world.copy();
        World::publish_as(&copy, name, content.as_bytes());
        run(&mut world.reproduce(&[copy.to_str().unwrap()])).exits(0);
        let ran = mismatch(&world, &copy, OTHER);
        assert!(ran.stdout.contains(says), "{says} is not in\n{}", ran.stdout);
        fs::remove_dir_all(copy).unwrap();
    }
}
