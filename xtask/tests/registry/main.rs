//! `bump-image` against a real registry: Debian's docker-registry on this machine. skopeo confirms the
//! digests.
//!
//! A plain `cargo test` ignores these tests; `cargo xtask test --full` runs them.
#![allow(clippy::disallowed_methods, reason = "tests start xtask and its peers themselves")]
#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

#[path = "../support/registry.rs"]
mod registry;
#[path = "../support/mod.rs"]
mod support;
mod token;

use registry::{How, Image, PAIR, PASSWORD, Registry, USER, docker_config, helper};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Checkout, Ran, git, run};
use xtask_core::facts::builder_inputs::Inputs;
use xtask_core::facts::repo::Repo;

const BUILDER: &str = "silvermetal-builder";

fn today(checkout: &Checkout) -> String {
    let repo = Repo { root: checkout.root.clone() };
    Inputs::gather(&repo).unwrap().digest.to_string()
}

/// Runs xtask with that docker configuration, and without an engine.
fn xtask(checkout: &Checkout, config: &Path, args: &[&str]) -> Command {
    let mut xtask = checkout.xtask(args);
    xtask.env("DOCKER_CONFIG", config);
    xtask.env("PATH", checkout.path_with("docker", "#!/bin/sh\nexit 1\n"));
    xtask
}

fn pinned(checkout: &Checkout) -> String {
    let script = fs::read_to_string(checkout.root.join("linux/build/scripts/build.sh")).unwrap();
    let line =
        script.lines().find_map(|line| line.strip_prefix("BUILDER_IMAGE=\"${BUILDER_IMAGE:-"));
    line.unwrap().trim_end_matches("}\"").to_owned()
}

/// Pins the tag `latest` of `registry`, and checks all effects.
fn is_pinned(checkout: &Checkout, registry: &Registry, config: &Path) {
    let name = format!("{}/{BUILDER}:latest", registry.host);
    let bump =
        |more: &[&str]| run(&mut xtask(checkout, config, &[&["bump-image", &name], more].concat()));
    bump(&["--dry-run"]).exits(0);
    assert_eq!(git(&checkout.root, &["status", "--porcelain"]), "");
    bump(&[]).exits(0);
    let image =
        format!("{}/{BUILDER}@{}", registry.host, registry.digest(&format!("{BUILDER}:latest")));
    assert_eq!(pinned(checkout), image);
    let record =
        fs::read_to_string(checkout.root.join("linux/build/docker/builder-image.toml")).unwrap();
    let commit = git(&checkout.root, &["rev-parse", "HEAD"]);
    for value in [&today(checkout), "20260508T000000Z", "debian:test", commit.trim()] {
        assert!(record.contains(&format!("= \"{value}\"\n")), "{value} is not in\n{record}");
    }
    let before = git(&checkout.root, &["diff"]);
    bump(&[]).exits(0).says("already pinned");
    assert_eq!(git(&checkout.root, &["diff"]), before);
    let check = run(&mut xtask(checkout, config, &["bump-image", "--check"])).exits(0);
    assert_eq!(check.stdout, format!("{image}\n"));
}

fn nobody(checkout: &Checkout) -> std::path::PathBuf {
    docker_config(&checkout.root, &json!({}))
}

#[test]
#[ignore = "needs docker-registry and skopeo: cargo xtask test --full"]
fn an_image_is_pinned_by_the_digest_that_the_registry_serves() {
    for (tls, index) in [(false, false), (true, false), (false, true)] {
        let checkout = Checkout::new("plain");
        let registry = Registry::start(&checkout.root, How { tls, ..How::default() });
        let mut image = Image::of_inputs(&today(&checkout));
        image.index = index;
        let digest = registry.put(&image, &format!("{BUILDER}:latest"));
        is_pinned(&checkout, &registry, &nobody(&checkout));
        assert!(pinned(&checkout).ends_with(&digest.to_string()));
    }
}

#[test]
#[ignore = "needs docker-registry and skopeo: cargo xtask test --full"]
fn dockers_login_is_used_and_appears_in_no_output() {
    let checkout = Checkout::new("login");
    let registry = Registry::start(&checkout.root, How { tls: true, login: true, public: false });
    registry.put(&Image::of_inputs(&today(&checkout)), &format!("{BUILDER}:latest"));
    let name = format!("{}/{BUILDER}:latest", registry.host);
    let bump =
        |config: &Path| run(&mut xtask(&checkout, config, &["bump-image", &name, "--dry-run"]));
    let login = format!("docker login {}", registry.host);
    let shows_no_secret = |ran: &Ran| {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(PASSWORD) && !said.contains(PAIR), "{said}");
    };
    bump(&nobody(&checkout)).exits(3).says(&login);
    let wrong =
        docker_config(&checkout.root, &json!({"auths": {&registry.host: {"auth": "eDp5eXl5"}}}));
    bump(&wrong).exits(3).says(&login);

    let bin = checkout.root.with_file_name("bin");
    helper(&bin, "test", &registry.host, USER, PASSWORD);
    for config in [
        json!({"auths": {&registry.host: {"auth": PAIR}}}),
        json!({"auths": {format!("https://{}/v1/", registry.host): {"auth": PAIR}}}),
        json!({"auths": {&registry.host: {"username": USER, "password": PASSWORD}}}),
        json!({"credHelpers": {&registry.host: "test"}}),
        json!({"credsStore": "test"}),
    ] {
        let config = docker_config(&checkout.root, &config);
        // a wrapper around curl that records its argv
        let curl = run(Command::new("sh").args(["-c", "command -v curl"])).exits(0).stdout;
        let argv = checkout.root.with_file_name("argv");
        let spy = format!(
            "#!/bin/sh\nprintf '%s ' \"$@\" >>'{}'\nexec {} \"$@\"\n",
            argv.display(),
            curl.trim()
        );
        support::executable(&bin.join("curl"), &spy);
        shows_no_secret(&bump(&config).exits(0));
        let argv = fs::read_to_string(&argv).unwrap();
        assert!(argv.starts_with("--disable --config - ") && !argv.contains("://"), "{argv}");
    }
    let config = docker_config(&checkout.root, &json!({"auths": {&registry.host: {"auth": PAIR}}}));
    is_pinned(&checkout, &registry, &config);
    let silent = docker_config(&checkout.root, &json!({"credsStore": "nobody-wrote-this"}));
    bump(&silent).exits(3).says("docker-credential-nobody-wrote-this");
}

#[test]
#[ignore = "needs docker-registry and skopeo: cargo xtask test --full"]
fn a_token_of_the_token_server_is_used() {
    let checkout = Checkout::new("token");
    let registry = Registry::start(&checkout.root, How::default());
    registry.put(&Image::of_inputs(&today(&checkout)), &format!("{BUILDER}:latest"));
    let door = token::Door::before(&registry.host);
    let name = format!("{}/{BUILDER}:latest", door.host);
    let bump =
        |config: &Path| run(&mut xtask(&checkout, config, &["bump-image", &name, "--dry-run"]));
    bump(&nobody(&checkout)).exits(3).says(&format!("docker login {}", door.host));
    for config in [
        json!({"auths": {&door.host: {"auth": PAIR}}}),
        json!({"auths": {&door.host: {"auth": "eDp5eXl5", "identitytoken": token::IDENTITY}}}),
    ] {
        let ran = bump(&docker_config(&checkout.root, &config)).exits(0);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(token::TOKEN) && !said.contains(token::IDENTITY), "{said}");
    }
}

#[test]
#[ignore = "needs docker-registry and skopeo: cargo xtask test --full"]
fn a_registry_that_is_not_on_loopback_needs_a_trusted_certificate() {
    let checkout = Checkout::new("public");
    let nobody = nobody(&checkout);
    let image = Image::of_inputs(&today(&checkout));
    let bump = |registry: &Registry| {
        registry.put(&image, &format!("{BUILDER}:latest"));
        let name = format!("{}/{BUILDER}:latest", registry.host);
        run(&mut xtask(&checkout, &nobody, &["bump-image", &name, "--dry-run"]))
    };
    let plain = Registry::start(&checkout.root, How { public: true, ..How::default() });
    bump(&plain).exits(3).says("no trusted TLS connection");
    let tls = Registry::start(&checkout.root, How { public: true, tls: true, login: false });
    bump(&tls).exits(3).says("no trusted TLS connection");
    // the folder in which docker looks for it
    let trusted = Path::new("/etc/docker/certs.d").join(&tls.host);
    fs::create_dir_all(&trusted).unwrap();
    fs::copy(tls.certificate(), trusted.join("ca.crt")).unwrap();
    let ran = bump(&tls);
    fs::remove_dir_all(trusted).unwrap();
    ran.exits(0);
}

#[test]
#[ignore = "needs docker-registry and skopeo: cargo xtask test --full"]
fn a_missing_or_outdated_image_is_reported() {
    let checkout = Checkout::new("wrong");
    let config = nobody(&checkout);
    let registry = Registry::start(&checkout.root, How::default());
    let name = |tag: &str| format!("{}/{BUILDER}:{tag}", registry.host);
    let bump = |image: &str| run(&mut xtask(&checkout, &config, &["bump-image", image]));
    let check = || run(&mut xtask(&checkout, &config, &["bump-image", "--check"]));

    registry.put(&Image::of_inputs("sha256:other"), &format!("{BUILDER}:other"));
    registry.put(&Image { labels: json!({}), index: false }, &format!("{BUILDER}:bare"));
    bump(&name("other")).exits(3).says("built from other inputs").says("cargo xtask image push");
    bump(&name("bare")).exits(3).says("not a builder image of this project");
    bump(&name("nowhere")).exits(3).says("the registry has no").says("cargo xtask image push");
    bump("127.0.0.1:9/b:latest").exits(3).says("does not answer");
    assert_eq!(git(&checkout.root, &["status", "--porcelain"]), "");

    let mirrored = Image {
        labels: {
            let mut labels = Image::of_inputs(&today(&checkout)).labels;
            labels["uk.silverlabs.silvermetal.apt-pinned"] = json!("no");
            labels
        },
        index: false,
    };
    registry.put(&mirrored, &format!("{BUILDER}:latest"));
    bump(&name("latest")).exits(0).says("from a mirror, not from the pinned snapshot");
    check().exits(0);
    let other = registry.digest(&format!("{BUILDER}:other"));
    let script = checkout.root.join("linux/build/scripts/build.sh");
    let good = fs::read_to_string(&script).unwrap();
    checkout.edit(
        "linux/build/scripts/build.sh",
        pinned(&checkout).split('@').nth(1).unwrap(),
        &other,
    );
    check().exits(1).says("builder-image.toml records no provenance of sha256:");
    fs::write(&script, good).unwrap();
    registry.delete(&format!("{BUILDER}:latest"));
    check().exits(1).says("the registry has no").says("cargo xtask image push");
}

/// docker/ was changed and changed back: the image of today's inputs was pushed before that of `latest`.
#[test]
#[ignore = "needs docker-registry and skopeo: cargo xtask test --full"]
fn latest_follows_a_revert_and_no_tag_is_one_of_referrers() {
    let checkout = Checkout::new("revert");
    let config = nobody(&checkout);
    let registry = Registry::start(&checkout.root, How::default());
    let inputs = today(&checkout);
    let digest = registry.put(&Image::of_inputs(&inputs), &format!("{BUILDER}:{}", &inputs[7..19]));
    registry.put(&Image::of_inputs("sha256:other"), &format!("{BUILDER}:latest"));
    let name = format!("{}/{BUILDER}", registry.host);
    let push = |to: &str| {
        run(&mut xtask(
            &checkout,
            &config,
            &["image", "push", "--if-missing", "--engine", "docker", "--to", to],
        ))
    };
    push(&format!("{name}:sha256-{}", digest.hex())).exits(2).says("referrers");
    push(&name).exits(0).says("already in the registry");
    for tag in ["latest".to_owned(), format!("keep.sha256.{}", digest.hex())] {
        assert_eq!(registry.digest(&format!("{BUILDER}:{tag}")), digest.to_string(), "{tag}");
    }
    // a fresh clone, as in the next job of CI: its cargo target folder holds nothing but the program
    let target = checkout.root.parent().unwrap().join("fresh-target");
    fs::create_dir_all(target.join("debug")).unwrap();
    fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
    fs::copy(env!("CARGO_BIN_EXE_xtask"), target.join("debug/xtask")).unwrap();
    let mut fresh = Command::new(target.join("debug/xtask"));
    fresh.args(["image", "push", "--if-missing", "--engine", "docker", "--to", &name]);
    let known = xtask(&checkout, &config, &[]);
    for (key, value) in known.get_envs() {
        match value {
            Some(value) => fresh.env(key, value),
            None => fresh.env_remove(key),
        };
    }
    run(fresh.current_dir(&checkout.root)).exits(0).says("already in the registry");
    // a job of another branch pushes its image
    registry.put(&Image::of_inputs("sha256:other"), &format!("{BUILDER}:latest"));
    run(&mut xtask(&checkout, &config, &["bump-image"])).exits(0);
    assert_eq!(pinned(&checkout), format!("{name}@{digest}"));
}
