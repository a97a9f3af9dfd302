//! `bump-image --offline`: the pin of the builder image is edited exactly, all files or none.
use crate::support::{Checkout, git, run};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use xtask_core::hash;

const BUILD_SH: &str = "linux/build/scripts/build.sh";
const RECORD: &str = "linux/build/docker/builder-image.toml";

fn image(letter: &str) -> String {
    format!("registry.example:5000/silvermetal-builder@sha256:{}", letter.repeat(64))
}

/// `bump-image IMAGE --offline`, without an engine.
fn bump(checkout: &Checkout, image: &str) -> Command {
    let mut bump = checkout.xtask(["bump-image", image, "--offline"]);
    // the stub of a killed run may still be running, and cannot be overwritten then
    let path = checkout.root.with_file_name("bin");
    if !path.join("docker").exists() {
        checkout.path_with("docker", "#!/bin/sh\nexit 1\n");
    }
    bump.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap()));
    bump
}

fn text(checkout: &Checkout, file: &str) -> String {
    fs::read_to_string(checkout.root.join(file)).unwrap()
}

/// Changed and new files, as git reports them.
fn changes(checkout: &Checkout) -> String {
    git(&checkout.root, &["status", "--porcelain"])
}

#[test]
fn the_digest_is_written_once_and_nothing_else_changes() {
    let checkout = Checkout::new("bump");
    let before = text(&checkout, BUILD_SH);
    run(bump(&checkout, &image("a")).arg("--dry-run")).exits(0).says("nothing was written");
    assert_eq!(changes(&checkout), "");
    run(&mut bump(&checkout, &image("a")))
        .exits(0)
        .says("cargo xtask verify")
        .says("git add linux/build/docker/builder-image.toml linux/build/scripts/build.sh");
    assert_eq!(changes(&checkout), format!(" M {RECORD}\n M {BUILD_SH}\n"));
    assert_eq!(
        text(&checkout, BUILD_SH),
        before.replace("unpublished}\"", &format!("{}}}\"", image("a")))
    );
    assert!(text(&checkout, RECORD).contains(&format!("digest = \"sha256:{}\"\n", "a".repeat(64))));
    let mode = fs::metadata(checkout.root.join(BUILD_SH)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);

    let files = [text(&checkout, BUILD_SH), text(&checkout, RECORD)];
    run(&mut bump(&checkout, &image("a"))).exits(0).says("already pinned");
    assert_eq!([text(&checkout, BUILD_SH), text(&checkout, RECORD)], files);
    // a tag beside the digest is dropped
    run(&mut bump(&checkout, &image("a").replace('@', ":tag@"))).exits(0).says("already pinned");
}

#[test]
fn a_build_sh_without_exactly_one_pin_is_refused() {
    let checkout = Checkout::new("lines");
    let good = text(&checkout, BUILD_SH);
    let line = good.lines().find(|line| line.starts_with("BUILDER_IMAGE=")).unwrap();
    for (bad, found) in [
        (good.replace(line, "BUILDER_IMAGE=x"), "found 0"),
        (format!("{good}{line}\n"), "found 2"),
        (String::new(), "found 0"),
    ] {
        fs::write(checkout.root.join(BUILD_SH), &bad).unwrap();
        run(&mut bump(&checkout, &image("a"))).exits(3).says(BUILD_SH).says(found);
        assert_eq!(text(&checkout, BUILD_SH), bad);
        assert_eq!(changes(&checkout), format!(" M {BUILD_SH}\n"));
    }
}

#[test]
fn read_only_files_links_and_invalid_files_are_refused() {
    let checkout = Checkout::new("files");
    let script = checkout.root.join(BUILD_SH);
    fs::set_permissions(&script, Permissions::from_mode(0o555)).unwrap();
    run(&mut bump(&checkout, &image("a"))).exits(3).says("is read-only").says("chmod u+w");
    let elsewhere = checkout.root.with_file_name("build.sh");
    fs::rename(&script, &elsewhere).unwrap();
    symlink(&elsewhere, &script).unwrap();
    run(&mut bump(&checkout, &image("a"))).exits(3).says("is a symbolic link");
    assert!(fs::read_to_string(&elsewhere).unwrap().contains("unpublished"));
    fs::remove_file(&script).unwrap();
    run(&mut bump(&checkout, &image("a"))).exits(4).says("cannot read");
    fs::rename(&elsewhere, &script).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    fs::write(checkout.root.join(RECORD), "[pin\n").unwrap();
    run(&mut bump(&checkout, &image("a"))).exits(3).says("builder-image.toml is not TOML");
    assert!(text(&checkout, BUILD_SH).contains("unpublished"));
}

#[test]
fn an_invalid_image_is_a_usage_error() {
    let checkout = Checkout::new("usage");
    run(&mut bump(&checkout, "Bad Name")).exits(2).says("not an image reference");
    run(&mut bump(&checkout, "sha256:12")).exits(2).says("is not a digest");
    run(&mut bump(&checkout, "registry.example/b:tag")).exits(2).says("only a registry knows it");
    assert_eq!(changes(&checkout), "");
}

/// After a kill at any moment, build.sh has the old or the new pin, the pin has its provenance, and
/// another run completes the edit.
#[test]
fn a_killed_bump_leaves_nothing_half_written() {
    let checkout = Checkout::new("killed");
    let states: Vec<[String; 2]> = ["a", "b"]
        .map(|letter| {
            run(&mut bump(&checkout, &image(letter))).exits(0);
            [BUILD_SH, RECORD].map(|file| text(&checkout, file))
        })
        .to_vec();
    for n in 0..60 {
        let mut command = bump(&checkout, &image(["a", "b"][n % 2]));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(n as u64 * 500));
        child.kill().unwrap();
        child.wait().unwrap();
        let script = text(&checkout, BUILD_SH);
        let state = states.iter().find(|[whole, _]| *whole == script);
        let [_, record] = state.unwrap_or_else(|| panic!("after {n}:\n{script}"));
        // all lines of its entry are there in one piece, except comments
        let entry = |text: &str| {
            text.lines().filter(|l| !l.starts_with('#')).collect::<Vec<_>>().join("\n")
        };
        let own = entry(&record[record.find("[[pin]]").unwrap()..]);
        assert!(entry(&text(&checkout, RECORD)).contains(own.trim_end()), "after {n}");
        let mode = fs::metadata(checkout.root.join(BUILD_SH)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(!changes(&checkout).contains("??"), "git sees a leftover: {}", changes(&checkout));
    }
    run(&mut bump(&checkout, &image("a"))).exits(0);
    assert_eq!([BUILD_SH, RECORD].map(|file| text(&checkout, file)), states[0]);
    let left: Vec<PathBuf> = ["scripts", "docker"]
        .iter()
        .flat_map(|dir| fs::read_dir(checkout.root.join("linux/build").join(dir)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_pin_of_other_inputs_than_todays_is_stale() {
    let checkout = Checkout::new("stale");
    let check = || {
        let mut check = checkout.xtask(["bump-image", "--check", "--offline"]);
        run(&mut check)
    };
    check().exits(0).says("nothing is pinned yet");
    run(&mut bump(&checkout, &image("a"))).exits(0).says("its provenance stays empty");
    check().exits(1).says("the pin is stale: it was built from inputs unknown");
    let show = run(&mut checkout.xtask(["image", "show", "--offline", "--json"])).exits(0).stdout;
    let show: serde_json::Value = serde_json::from_str(&show).unwrap();
    let today = show["inputs"].as_str().unwrap();
    checkout.edit(RECORD, "inputs = \"\"", &format!("inputs = \"{today}\""));
    assert_eq!(check().exits(0).stdout, format!("{}\n", image("a")));
    fs::write(checkout.root.join("linux/build/docker/new-file"), "x").unwrap();
    check().exits(1).says("the pin is stale").says("cargo xtask image push");
    checkout.edit(BUILD_SH, &"a".repeat(64), &"b".repeat(64));
    check().exits(1).says("builder-image.toml records no provenance of sha256:bbbb");
}

#[test]
fn an_image_that_was_not_built_here_is_never_pinned() {
    let checkout = Checkout::new("unpushed");
    fs::write(checkout.root.join("linux/build/docker/new-file"), "of this test").unwrap();
    let before = changes(&checkout);
    run(&mut bump(&checkout, "local"))
        .exits(3)
        .says(
            "no image of today's linux/build/docker was built here: expected silvermetal-builder:",
        )
        .says("cargo xtask image push");
    assert_eq!(changes(&checkout), before);
}

/// Writes the normal form of an image with these labels, but without files. Returns its digest.
fn archive(to: &Path, labels: &Value) -> String {
    let dir = to.with_extension("made");
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |content: &Value| {
        let digest = hash::text(&content.to_string());
        fs::write(blobs.join(digest.hex()), content.to_string()).unwrap();
        digest
    };
    let config = blob(&json!({"config": {"Labels": labels}, "rootfs": {"diff_ids": []}}));
    let manifest = blob(&json!({"config": {"digest": config.to_string()}}));
    let index = json!({"manifests": [{"digest": manifest.to_string()}]});
    fs::write(dir.join("index.json"), index.to_string()).unwrap();
    let listed = json!([{"Config": format!("blobs/sha256/{}", config.hex())}]);
    fs::write(dir.join("manifest.json"), listed.to_string()).unwrap();
    let mut tar = Command::new("tar");
    run(tar.arg("-cf").arg(to).arg("-C").arg(&dir).args(["index.json", "manifest.json", "blobs"]))
        .exits(0);
    fs::remove_dir_all(&dir).unwrap();
    manifest.to_string()
}

#[test]
fn the_pin_is_compared_with_the_image_that_was_built_here() {
    let checkout = Checkout::new("rebuilt");
    let kept = checkout.own_inputs();
    let show = || {
        let shown = run(&mut checkout.xtask(["image", "show", "--offline", "--json"])).exits(0);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        (
            shown["rebuilt"].as_str().unwrap().to_owned(),
            shown["inputs"].as_str().unwrap().to_owned(),
        )
    };
    let (rebuilt, inputs) = show();
    assert_eq!(rebuilt, "no");
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    let labels = |pinned: &str| {
        json!({"uk.silverlabs.silvermetal.inputs": inputs, "uk.silverlabs.silvermetal.base": "b",
            "uk.silverlabs.silvermetal.apt-pinned": pinned})
    };
    let digest = archive(&kept, &labels("yes"));
    assert_eq!(show().0, "no"); // nothing is pinned

    let pin = format!("registry.example:5000/silvermetal-builder@{digest}");
    run(&mut bump(&checkout, &pin)).exits(0);
    assert_eq!(show().0, "equal");
    let recorded = text(&checkout, RECORD);
    assert!(recorded.contains(&format!("inputs = \"{inputs}\"\n")), "{recorded}");
    // the same inputs and snapshot, and another image
    archive(
        &kept,
        &json!({"uk.silverlabs.silvermetal.inputs": inputs, "uk.silverlabs.silvermetal.base": "b",
        "uk.silverlabs.silvermetal.apt-pinned": "yes", "date": "today"}),
    );
    assert_eq!(show().0, "differs");
    let told = run(&mut checkout.xtask(["image", "show", "--offline"])).exits(0).stdout;
    assert!(told.contains("NOT equal to the pin"), "{told}");
    archive(&kept, &labels("no"));
    assert_eq!(show().0, "not comparable");
    fs::remove_file(&kept).unwrap();
}
