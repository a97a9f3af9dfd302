//! Builds with a stub of docker: records, failures of the recipe and of the engine.

use crate::support::{self, COMMIT_TIME, Checkout, STUB, mirror_peer, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `iso canary` with the stub of docker. `script` stands for the container.
fn iso_with_stub(checkout: &Checkout, script: &str) -> Command {
    let mut command =
        checkout.xtask(["iso", "canary", "--engine", "docker", "--mirror", &mirror_peer()]);
    command.env("PATH", checkout.path_with("docker", STUB)).env("RUN", script);
    command
}

#[test]
fn a_build_is_published_complete_with_its_records() {
    let checkout = Checkout::new("records");
    // a container that leaves all artifacts of the ledger
    let script = r#"
        mkdir -p "$out/records"; echo "hello 1 amd64" >"$out/records/packages.txt"
        echo "$(printf '%064d' 1)  debian/dists/trixie/InRelease" >"$out/records/inrelease.txt"
        echo "mksquashfs 4.6" >"$out/records/tools.txt"
        tar cf "$out/rootfs.tar" -T /dev/null
        for f in vmlinuz initrd.img filesystem.squashfs efi.img; do echo x >"$out/$f"; done
        echo iso >"$out/silvermetal-canary.iso"
        for s in $(printf '%s\n' "$@" | sed '1,/\/home\/user\/recipe\/build/d'); do echo "@@stage $s"; done"#;
    let ran = run(&mut iso_with_stub(&checkout, script)).exits(0);
    let short = support::git(&checkout.root, &["rev-parse", "--short=7", "HEAD"]);
    let folder = checkout.output().join(format!("canary-{}", short.trim()));
    assert_eq!(checkout.output_names(), [format!("canary-{}", short.trim())]);
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let (hash, _) = sums.split_once("  silvermetal-canary.iso\n").unwrap();
    assert_eq!(
        ran.stdout,
        format!("{hash}  {}\n", folder.join("silvermetal-canary.iso").display())
    );
    let info = fs::read_to_string(folder.join("BUILD_INFO")).unwrap();
    for line in [
        "Recipe: canary",
        "Tree: clean",
        "Engine: docker",
        "Apt-Pinned: no",
        &format!("Source-Date-Epoch: {COMMIT_TIME}"),
        "InRelease:\n 000",
        "Packages: 1",
        &format!("Iso-Sha256: {hash}"),
    ] {
        assert!(info.contains(line), "{line} is not in\n{info}");
    }
    assert!(fs::read_to_string(folder.join("ledger")).unwrap().lines().count() > 5);
    assert!(fs::read_to_string(folder.join("logs/build.log")).unwrap().contains("@@stage rootfs"));
}

#[test]
fn a_failure_reports_stage_exit_code_last_lines_and_log() {
    let checkout = Checkout::new("failure");
    let ran = run(&mut iso_with_stub(
        &checkout,
        "printf '@@stage rootfs\\r\\nthe reason\\r\\n'; exit 42",
    ));
    let ran = ran.exits(4).says("stage rootfs failed (exit 42)").says("the reason").says("log: ");
    let log = ran.stderr.lines().find_map(|l| l.trim().strip_prefix("log: ")).unwrap();
    assert!(fs::read_to_string(log).unwrap().contains("the reason"));
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn a_failure_of_the_engine_is_distinguished_from_one_of_the_recipe() {
    let checkout = Checkout::new("engine");
    for (code, says) in [
        (125, "could not run the container"),
        (127, "could not start the recipe's entry"),
        (130, "shut down from outside"),
        (137, "was killed"),
    ] {
        run(&mut iso_with_stub(&checkout, &format!("exit {code}"))).exits(4).says(says);
    }
    run(&mut iso_with_stub(&checkout, "echo '@@stage iso'; exit 0"))
        .exits(4)
        .says("did not produce");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn success_without_an_iso_is_a_failure() {
    let checkout = Checkout::new("noiso");
    run(&mut iso_with_stub(&checkout, "exit 0")).exits(4).says("made no ISO");
    run(&mut iso_with_stub(&checkout, "ln -s /etc/passwd \"$out/silvermetal-canary.iso\""))
        .exits(4)
        .says("made no ISO");
    assert_eq!(checkout.output_names(), [""; 0]);
}

#[test]
fn a_folder_of_the_user_is_never_replaced_by_a_build() {
    let checkout = Checkout::new("data");
    let foreign = checkout.root.with_file_name("mine");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.odt"), "years of work").unwrap();
    let script = "echo iso >\"$out/silvermetal-canary.iso\"";
    for (output, says) in [
        (foreign.as_path(), "holds other files than a result: expected BUILD_INFO and build.json"),
        (&checkout.root, "would be replaced, and it holds"),
        (Path::new("."), "would be replaced, and it holds"),
        (Path::new("docs"), "would be replaced, and it is part of the checkout"),
        (Path::new("/"), "would be replaced, and it holds"),
    ] {
        let mut iso = iso_with_stub(&checkout, script);
        run(iso.arg("--output").arg(output)).exits(3).says(says);
    }
    assert_eq!(fs::read_to_string(foreign.join("thesis.odt")).unwrap(), "years of work");
    assert_eq!(support::git(&checkout.root, &["status", "--porcelain"]), "");
}

/// Makes two trees with a difference that no rule explains.
fn unexplained(checkout: &Checkout) -> [PathBuf; 2] {
    ["a", "b"].map(|side| {
        let tree = checkout.root.with_file_name(side);
        fs::create_dir_all(&tree).unwrap();
        let end = if side == "a" { "on a mat" } else { "in the sun" };
        fs::write(tree.join("poem"), format!("the cat sat\n{end}\n")).unwrap();
        tree
    })
}

#[test]
fn diagnose_works_without_diffoscope_unless_it_is_required() {
    let checkout = Checkout::new("diagnose");
    let pair = unexplained(&checkout);
    let diagnose = |words: &[&str], docker_host: &str| {
        let mut command = checkout.xtask(["diagnose"]);
        command.args(words).args(&pair).env("DOCKER_HOST", docker_host);
        run(command.env("PATH", checkout.path_with("docker", STUB)))
    };
    let remote = "tcp://192.0.2.1:2375";
    let note = "note: diffoscope cannot run in the builder image: ";
    let says = format!("{note}engine docker is remote ({remote})");
    let ran = diagnose(&[], remote).exits(1).says(&says);
    assert!(ran.stdout.contains("unexplained"), "{}", ran.stdout);
    diagnose(&["--diffoscope", "always"], remote).exits(3).says("is remote");
    checkout.edit("linux/build/scripts/build.sh", ":-unpublished", ":-Bad Name");
    diagnose(&[], "").exits(1).says(note).says("build.sh");
    diagnose(&["--diffoscope", "always"], "").exits(3).says("build.sh");
}

#[test]
fn diagnose_runs_diffoscope_in_the_builder_image_of_an_engine_that_has_it() {
    let checkout = Checkout::new("diagnose, with a comma");
    let [a, b] = unexplained(&checkout);
    let mut diagnose = checkout.xtask(["diagnose", "--json"]);
    let diagnose = diagnose.args([&a, &b]).env("PATH", checkout.path_with("docker", STUB));
    let ran = run(diagnose.env("RUN", "echo 'v diffoscope 1'; echo \"t $*\"; echo '= 1 1'"));
    let json: Value = serde_json::from_str(&ran.exits(1).stdout).unwrap();
    let said = &json["diffoscope"];
    assert_eq!(said["version"], "diffoscope 1, the builder image's", "{said:#}");
    let argv = said["files"][0]["text"].as_str().unwrap();
    for part in ["--network none", "--cap-drop ALL", "--entrypoint bash", " -c "] {
        assert!(argv.contains(part), "{part} is not in {argv}");
    }
}
