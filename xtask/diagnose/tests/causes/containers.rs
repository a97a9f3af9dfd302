//! Images of containers: OCI layouts, as a tar and as a folder, and archives of `docker save`. GNU tar makes the layers.

use crate::support::{EPOCH, Pair, Side, Tree, run};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;
use std::process::Command;

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Packs all of `from` in the order of its names, as `to`.
fn tar(from: &Path, to: &Path, more: &[&str]) {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{EPOCH}")).args(more).arg("-cf").arg(to).arg("-C").arg(from).arg(".");
    run(&mut tar);
}

/// The root file system as a layer.
fn layer(tree: &Tree, more: &[&str]) -> Vec<u8> {
    let file = tree.dir.join("layer");
    tar(&tree.dir.join("root"), &file, more);
    fs::read(file).unwrap()
}

/// Makes an OCI layout of the root file system, as the folder `oci` and as `oci.tar`.
fn oci(tree: &Tree, env: &str) {
    let unpacked = layer(tree, &[]);
    let packed = layer(tree, &["--use-compress-program=gzip -n"]);
    let blobs = tree.dir.join("oci/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| -> Value {
        fs::write(blobs.join(hash(bytes)), bytes).unwrap();
        json!({ "digest": format!("sha256:{}", hash(bytes)), "size": bytes.len() })
    };
    let diff_id = format!("sha256:{}", hash(&unpacked));
    let config = json!({ "config": { "Env": [env] }, "rootfs": { "diff_ids": [diff_id] } });
    let config = put(config.to_string().as_bytes());
    let manifest = json!({ "config": config, "layers": [put(&packed)] });
    let index = json!({ "manifests": [put(manifest.to_string().as_bytes())] });
    let oci = tree.dir.join("oci");
    fs::write(oci.join("index.json"), index.to_string()).unwrap();
    fs::write(oci.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    tar(&oci, &tree.dir.join("oci.tar"), &[]);
}

fn stamp(tree: &Tree, side: Side) {
    tree.write("etc/x", "x\n");
    tree.write("var/lib/x/stamp", side.pick("2026-05-08 10:00:00\n", "2026-05-09 17:00:00\n"));
}

fn places(json: &Value, cause: &str) -> Vec<String> {
    let causes = json["causes"].as_array().unwrap();
    let places = causes.iter().filter(|c| c["id"] == cause).map(|c| c["places"].to_string());
    places.collect()
}

#[test]
fn a_file_of_a_layer_differs_and_all_hashes_follow() {
    let pair = Pair::new("oci", |tree, side| {
        stamp(tree, side);
        oci(tree, "PATH=/bin");
    });
    for file in ["oci.tar", "oci"] {
        let json = pair.json(file);
        assert_eq!(json["unexplained"], json!([]), "{file}: {json:#}");
        assert_eq!(json["unreadable"], json!([]), "{file}: {json:#}");
        let places = places(&json, "build-time").join(" ");
        assert!(places.contains("var/lib/x/stamp") && places.contains("[layer 1]"), "{json:#}");
        assert!(json["follows"].to_string().contains("digests"), "{json:#}");
    }
}

#[test]
fn a_setting_of_the_configuration_is_named_alone() {
    let pair = Pair::new("oci-config", |tree, side| {
        tree.write("etc/x", "x\n");
        oci(tree, side.pick("PATH=/bin", "PATH=/evil"));
    });
    let json = pair.json("oci.tar");
    assert_eq!(json["causes"], json!([]), "{json:#}");
    let unexplained = json["unexplained"].as_array().unwrap();
    assert_eq!(unexplained.len(), 1, "{json:#}");
    let text = unexplained[0].to_string();
    assert!(text.contains("[config]") && text.contains("evil"), "{json:#}");
}

#[test]
fn a_blob_that_is_not_what_its_name_says_keeps_its_name() {
    let pair = Pair::new("oci-forged", |tree, side| {
        tree.write("etc/x", "x\n");
        oci(tree, "PATH=/bin");
        if side == Side::B {
            let blobs = tree.dir.join("oci/blobs/sha256");
            let config = fs::read_dir(&blobs).unwrap().flatten().map(|entry| entry.path());
            let is_config = |path: &std::path::PathBuf| {
                fs::read(path).unwrap().starts_with(b"{\"config\":{\"Env\"")
            };
            let config = config.into_iter().find(is_config).unwrap();
            let text = fs::read_to_string(&config).unwrap().replace("/bin", "/sin");
            fs::write(config, text).unwrap();
        }
    });
    let json = pair.json("oci");
    let unexplained = json["unexplained"].to_string();
    assert!(unexplained.contains("blobs/sha256/"), "{json:#}");
    assert_eq!(json["causes"], json!([]), "{json:#}");
}

#[test]
fn an_archive_of_docker_save_has_its_layers_compared_as_trees() {
    let pair = Pair::new("docker-save", |tree, side| {
        stamp(tree, side);
        let saved = tree.dir.join("saved");
        // an older docker names the folder of a layer by an id that is no hash of its content
        let id = side.pick("a", "b").repeat(64);
        fs::create_dir_all(saved.join(&id)).unwrap();
        let unpacked = layer(tree, &[]);
        fs::write(saved.join(&id).join("layer.tar"), &unpacked).unwrap();
        fs::write(saved.join(&id).join("VERSION"), "1.0").unwrap();
        let diff_id = format!("sha256:{}", hash(&unpacked));
        let config = json!({ "rootfs": { "diff_ids": [diff_id] } }).to_string();
        let name = format!("{}.json", hash(config.as_bytes()));
        fs::write(saved.join(&name), config).unwrap();
        let listed = json!([{ "Config": name, "Layers": [format!("{id}/layer.tar")] }]);
        fs::write(saved.join("manifest.json"), listed.to_string()).unwrap();
        tar(&saved, &tree.dir.join("saved.tar"), &[]);
    });
    let json = pair.json("saved.tar");
    let stamp = places(&json, "build-time").join(" ");
    assert!(stamp.contains("[layer 1]") && stamp.contains("var/lib/x/stamp"), "{json:#}");
    let unexplained: Vec<String> = json["unexplained"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["place"].to_string())
        .collect();
    assert_eq!(unexplained, ["\"manifest.json\""], "{json:#}");
}
