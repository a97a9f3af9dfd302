//! The whole life of a builder image: built, pushed to a registry with a login, pinned by the digest
//! that the registry serves, and pulled for a build.

use crate::interrupted::{FAST, WAITS, go, ready};
use crate::machine::Machine;
use crate::registry::{How, PAIR, PASSWORD, Registry, docker_config};
use crate::support::{Checkout, git, run};
use serde_json::json;
use std::fs;

const BUILDER: &str = "silvermetal-builder";

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn an_image_is_pushed_pinned_and_pulled_for_a_build() {
    let machine = Machine::get();
    let checkout = Checkout::new("published");
    checkout.add_recipe("fast", &["one"], FAST);
    let registry = Registry::start(&checkout.root, How { tls: true, login: true, public: false });
    let config = docker_config(&checkout.root, &json!({"auths": {&registry.host: {"auth": PAIR}}}));
    let xtask = |args: &[&str]| {
        let ran = run(checkout.xtask(args).env("DOCKER_CONFIG", &config));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains(PASSWORD) && !said.contains(PAIR), "{said}");
        ran
    };
    let outputs = checkout.root.with_file_name("outputs");
    let repository = format!("{}/{BUILDER}", registry.host);
    let push = |more: &[&str]| {
        let args = ["image", "push", "--engine", "private", "--to", &repository, "--github-output"];
        let mut push = checkout.xtask([&args[..], more].concat());
        push.env("DOCKER_CONFIG", &config).env("GITHUB_OUTPUT", &outputs);
        run(&mut push)
    };

    let nobody = docker_config(&checkout.root.join("nobody"), &json!({}));
    run(checkout
        .xtask(["image", "push", "--engine", "private", "--to", &repository])
        .env("DOCKER_CONFIG", &nobody))
    .exits(3)
    .says("docker login");
    let image = push(&[]).exits(0).says("pushed: ").stdout.trim().to_owned();
    let digest = registry.digest(&format!("{BUILDER}:latest"));
    assert_eq!(image, format!("{repository}@{digest}"));
    let told = format!("image={image}\ndigest={digest}\n");
    assert_eq!(fs::read_to_string(&outputs).unwrap(), told);
    let keeper = format!("keep.{}", digest.replace(':', "."));
    assert_eq!(registry.digest(&format!("{BUILDER}:{keeper}")), digest);
    let again = push(&["--if-missing"]).exits(0).says("already in the registry: ");
    assert_eq!(again.stdout.trim(), image);

    xtask(&["bump-image", "local"]).exits(0);
    let diff = git(&checkout.root, &["diff"]);
    for again in ["latest-pushed", &digest] {
        xtask(&["bump-image", again]).exits(0).says("already pinned");
        assert_eq!(git(&checkout.root, &["diff"]), diff);
    }
    let shown = xtask(&["image", "show", "--engine", "private"]).exits(0).stdout;
    assert!(shown.contains("current: built from today's"), "{shown}");
    checkout.commit();

    // remove it from the engine, as on a machine that never had it
    let with_engine = |more: &[&str], work: &dyn Fn()| {
        let holder = Checkout::new("holder");
        holder.add_recipe("waits", &["one"], WAITS);
        let engine = ready(&holder, "waits", "private", more);
        work();
        go(&holder.output());
        engine.ends().exits(0);
    };
    with_engine(&[], &|| machine.forget(&machine.image));
    let built = xtask(&["iso", "fast", "--engine", "private"]).exits(0);
    built.says("pull image ");
    let folder = checkout.output().join(&checkout.output_names()[0]);
    let info = fs::read_to_string(folder.join("BUILD_INFO")).unwrap();
    assert!(info.contains(&format!("Builder-Image: {image}\n")), "{info}");
    assert_eq!(xtask(&["bump-image", "--check"]).exits(0).stdout.trim(), image);
    with_engine(&["--image", &image], &|| {
        // the name that the other tests expect
        run(machine.docker().args(["tag", &image, &machine.image])).exits(0);
    });
    machine.has_no_traces();
}
