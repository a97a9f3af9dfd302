//! `release build`: the files that it collects, and the problems that it refuses.

use crate::factory::{Factory, TAG};
use crate::support::{git, run};
use std::fs;
use std::process::Command;

#[test]
fn a_verified_build_is_collected_completely() {
    let (factory, folder) = Factory::with_a_release();
    let again = run(&mut factory.xtask(&["release", "build"])).exits(0);
    assert!(!again.stderr.contains("does not pin"), "{}", again.stderr);
    assert_eq!(folder, factory.checkout.output().join("release-v1.1.0"));
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "BUILD_INFO",
        "SHA256SUMS",
        "environment.json",
        "ledger",
        "packages.txt",
        "release.json",
        "rootfs.tar.manifest.gz",
        "silvermetal-base.iso",
        "verify.json",
    ];
    assert_eq!(names, expected);
    // all of it but the list is in SHA256SUMS, and nothing says whose machine it was
    let check = ["--check", "--strict", "--quiet", "SHA256SUMS"];
    run(Command::new("sha256sum").args(check).current_dir(&folder)).exits(0);
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), expected.len() - 2, "{sums}");
    let environment = fs::read_to_string(folder.join("environment.json")).unwrap();
    let environment: serde_json::Value = serde_json::from_str(&environment).unwrap();
    let keys: Vec<&String> = environment.as_object().unwrap().keys().collect();
    for key in ["cpus", "engine", "engine_version", "file_system", "format", "image_id", "kernel"] {
        assert!(keys.contains(&&key.to_owned()), "{keys:?}");
    }
    for private in ["host", "command", "mirror", "image", "memory"] {
        assert!(!keys.contains(&&private.to_owned()), "{keys:?}");
    }
    let list = fs::read_to_string(folder.join("release.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(json["files"].as_array().unwrap().last().unwrap()["name"], "SHA256SUMS");
    assert_eq!((&json["tag"], &json["test"]), (&TAG.into(), &false.into()));
    // again, after a killed run left its folder
    fs::create_dir(folder.with_file_name(".release-v1.1.0.silvermetal-part")).unwrap();
    run(factory.xtask(&["release", "build", TAG, "--from"]).arg(factory.verify_folder())).exits(0);
    assert_eq!(fs::read_to_string(folder.join("release.json")).unwrap(), list);
    assert!(!folder.with_file_name(".release-v1.1.0.silvermetal-part").exists());
}

#[test]
fn a_folder_of_the_user_is_never_replaced() {
    let factory = Factory::new();
    run(&mut factory.verify(&[])).exits(0);
    let foreign = factory.checkout.root.with_file_name("mine");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.odt"), "years of work").unwrap();
    let root = factory.checkout.root.to_str().unwrap();
    for (output, says) in [
        (foreign.to_str().unwrap(), "holds other files than a result: expected release.json"),
        (root, "would be replaced, and it holds"),
        (".", "would be replaced, and it holds"),
        ("/", "would be replaced, and it holds"),
    ] {
        factory.refused(&["--output", output]).says(says);
    }
    assert_eq!(fs::read_to_string(foreign.join("thesis.odt")).unwrap(), "years of work");
    assert!(factory.checkout.root.join(".git").exists());
}

#[test]
fn all_problems_of_a_release_are_reported_at_once() {
    let factory = Factory::new();
    run(&mut factory.verify(&[])).exits(0);
    factory.edit_build_info("Builder-Image", "local (inputs sha256:0)");
    factory.edit_build_info("Tree", "dirty");
    factory.edit_build_info("Apt-Pinned", "no");
    factory.edit_build_info("Source-Date-Epoch-From", "source-date-epoch.env");
    let report = factory.verify_folder().join("verify.json");
    let text = fs::read_to_string(&report).unwrap();
    fs::write(&report, text.replace("\"identical\"", "\"differs\"")).unwrap();
    fs::write(factory.checkout.root.join("new.md"), "x").unwrap();
    git(&factory.checkout.root, &["tag", "--delete", TAG]);
    factory
        .refused(&[])
        .says("the tree has uncommitted changes")
        .says("there is no tag v1.1.0")
        .says("the verdict: expected identical, found differs")
        .says("not pinned by digest: `local (inputs sha256:0)`")
        .says("Tree: expected `clean`, found `dirty`")
        .says("packages did not come from the pinned snapshot")
        .says("Source-Date-Epoch-From: expected `commit`")
        .says("not ready: 7 problems");
    factory.edit_build_info("Engine", "host");
    factory.refused(&[]).says("built on engine host, whose images are never released");
}

#[test]
fn a_builder_image_that_the_commit_does_not_pin_is_reported() {
    let factory = Factory::new();
    let other = factory.image.replace("aaa", "bbb");
    run(&mut factory.verify(&["--image", &other])).exits(0);
    run(&mut factory.xtask(&["release", "build"]))
        .exits(0)
        .says("this commit does not pin the builder image");
}

#[test]
fn a_build_from_another_upstream_than_the_pinned_one_is_refused() {
    let factory = Factory::new();
    run(&mut factory.verify(&[])).exits(0);
    // as if the recipe had built from the submodule
    let recipe = "linux/build/recipes/base/recipe.toml";
    factory.checkout.edit(recipe, "submodule = false", "submodule = true");
    let pin = git(&factory.checkout.root, &["rev-parse", "HEAD:linux/build/derivative-maker"]);
    let pin = pin.trim();
    factory
        .refused(&[])
        .says(&format!("Derivative-Maker: expected `{pin}`, found ``"))
        .says("Flavor: expected `kicksecure-lxqt`, found ``");
    let path = factory.verify_folder().join("build-a/BUILD_INFO");
    let text = fs::read_to_string(&path).unwrap();
    let other = format!("{pin} (another checkout, sha256:0)");
    fs::write(&path, format!("{text}Derivative-Maker: {other}\nFlavor: kicksecure-cli\n")).unwrap();
    factory
        .refused(&[])
        .says(&format!("Derivative-Maker: expected `{pin}`, found `{other}`"))
        .says("Flavor: expected `kicksecure-lxqt`, found `kicksecure-cli`");
}

#[test]
fn a_tag_that_is_not_head_or_not_the_version_is_refused() {
    let factory = Factory::new();
    run(&mut factory.verify(&[])).exits(0);
    git(&factory.checkout.root, &["tag", "v1.2.0"]);
    factory
        .refused(&["v1.2.0"])
        .says("tag v1.2.0 does not match version 1.1.0")
        .says("expected v1.1.0");
    git(&factory.checkout.root, &["commit", "--quiet", "--allow-empty", "-m", "later"]);
    let refused = factory.refused(&["--from", &factory.verify_folder().display().to_string()]);
    refused.says("tag v1.1.0 is not HEAD").says("git checkout --detach v1.1.0");
    run(&mut factory.xtask(&["release", "build", "../v1"])).exits(2).says("is not a tag");
}

#[test]
fn a_verify_report_of_another_commit_or_image_is_refused() {
    let factory = Factory::new();
    factory.refused(&[]).says("no verify report").says("cargo xtask verify");
    run(&mut factory.verify(&[])).exits(0);
    // HEAD is another commit than the verified one
    let old = factory.verify_folder();
    git(&factory.checkout.root, &["commit", "--quiet", "--allow-empty", "-m", "later"]);
    git(&factory.checkout.root, &["tag", "--force", TAG]);
    factory
        .refused(&["--from", old.to_str().unwrap()])
        .says("verify.json: commit: expected")
        .says("BUILD_INFO: Commit: expected");
    run(&mut factory.verify(&[])).exits(0);
    // the image has changed since the verify
    let iso = factory.verify_folder().join("build-a/silvermetal-base.iso");
    fs::remove_file(&iso).unwrap();
    fs::write(&iso, "another image").unwrap();
    factory
        .refused(&[])
        .says("verify.json: hash of the image")
        .says("BUILD_INFO: Iso-Sha256")
        .says("build B's BUILD_INFO")
        .says("SHA256SUMS: expected");
}

#[test]
fn an_image_too_large_for_the_server_is_refused_early() {
    let factory = Factory::new();
    let sparse = "truncate -s 3M \"$out/silvermetal-base.iso\"";
    run(factory.verify(&[]).env("EXTRA", sparse)).exits(0);
    factory.refused(&["--max-size", "2"]).says("has 3 MiB: the server accepts at most 2 MiB");
    run(&mut factory.xtask(&["release", "build", "--max-size", "3"])).exits(0);
}

#[test]
fn another_recipe_than_the_product_makes_only_a_test_release() {
    let factory = Factory::new();
    factory.checkout.edit(
        "linux/build/recipes/base/recipe.toml",
        "released = true",
        "released = false",
    );
    factory.checkout.commit();
    git(&factory.checkout.root, &["tag", "--force", TAG]);
    let short = factory.short();
    git(&factory.checkout.root, &["tag", "test-1"]);
    let from = factory.checkout.output().join(format!("verify-base-{short}"));
    let from = from.to_str().unwrap();
    run(&mut factory.verify(&[])).exits(0);
    factory.refused(&["--from", from]).says("recipe base is never released");
    factory.refused(&[TAG, "--test", "--from", from]).says("begins with `test-`");
    factory.refused(&["test-1", "--from", from]).says("expected v1.1.0");
    let built = run(&mut factory.xtask(&["release", "build", "test-1", "--test", "--from", from]));
    built.exits(0).says("this is a test release");
    let list = factory.checkout.output().join("release-test-1/release.json");
    assert!(fs::read_to_string(list).unwrap().contains("\"test\": true"));
}
