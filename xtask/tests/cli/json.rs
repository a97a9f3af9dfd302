//! `--json`: one object after every run, whose keys docs/json.md has. `run` compares each with the page.

use crate::support::json::{leaves, page};
use crate::support::{Checkout, Ran, STUB, git, mirror_peer, run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use walkdir::WalkDir;

/// Commands without `--json`: their output is that of other programs, or a script.
const WITHOUT: [&str; 3] = ["test", "completions", "help"];

/// Lines below `Commands:` in a help text.
fn commands(help: &str) -> Vec<String> {
    let below = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = below.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_prints_an_object_after_a_usage_error() {
    let checkout = Checkout::new("json-usage");
    let help = |words: &[&str]| {
        run(checkout.xtask(words).arg("--help").env("COLUMNS", "200")).exits(0).stdout
    };
    let mut count = 0;
    for command in commands(&help(&[])) {
        if WITHOUT.contains(&command.as_str()) {
            continue;
        }
        let below = match command.as_str() {
            "image" | "release" => commands(&help(&[&command])),
            _ => vec![String::new()],
        };
        for sub in below {
            let words = [command.as_str(), &sub].map(str::to_owned);
            let words = words.into_iter().filter(|word| !word.is_empty());
            let ran = run(checkout.xtask(words).args(["--json", "--frobnicate"])).exits(2);
            let value: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!((&value["format"], &value["exit_code"]), (&FAILURE.into(), &2.into()));
            assert!(value["error"].as_str().unwrap().contains("--frobnicate"), "{value:#}");
            count += 1;
        }
    }
    assert!(count >= 17, "{count}");
}

const FAILURE: &str = "silvermetal-failure/1";

#[test]
fn every_command_prints_an_object_if_it_is_not_ready() {
    let checkout = Checkout::new("json-failure");
    let dead = checkout.path_with("docker", "#!/bin/sh\necho 'Cannot connect' >&2; exit 1\n");
    let nowhere = checkout.root.join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let on = ["--engine", "docker", "--mirror", "http://127.0.0.1:9/debian"];
    for (code, problems, words) in [
        (3, true, [&["iso", "canary"][..], &on].concat()),
        (3, true, [&["verify", "canary"][..], &on].concat()),
        (2, false, [&["verify", "canary", "--compare", nowhere, nowhere][..], &on].concat()),
        (3, true, [&["image", "build"][..], &on].concat()),
        (3, true, [&["image", "push", "--to", "127.0.0.1:9/x", "--dry-run"][..], &on].concat()),
        (3, false, ["image", "push", "--to", "127.0.0.1:9/x"].to_vec()),
        (2, false, ["boot", nowhere].to_vec()),
        (2, false, ["diagnose", nowhere, nowhere].to_vec()),
        (2, false, ["inspect", nowhere].to_vec()),
        (2, false, ["check", "--only", "nothing"].to_vec()),
        (2, false, ["check", "--root", nowhere].to_vec()),
        (2, false, ["doctor", "cannary"].to_vec()),
        (3, true, ["release", "build"].to_vec()),
        (3, false, ["release", "publish"].to_vec()),
        (2, false, ["reproduce", "not a tag"].to_vec()),
        (2, false, ["reproduce", "--collect", nowhere].to_vec()),
        (2, false, ["bump-image", "Bad Name"].to_vec()),
        (2, false, ["bump-snapshot", "yesterday"].to_vec()),
    ] {
        let mut command = checkout.xtask(&words);
        let ran = run(command.arg("--json").env("PATH", &dead)).exits(code);
        let value: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|e| panic!("{words:?}: {e}\n{}\n{}", ran.stdout, ran.stderr));
        let listed = value["problems"].as_array().unwrap();
        assert_eq!(!listed.is_empty(), problems, "{words:?}: {value:#}");
        assert!(listed.iter().all(|p| !p["fix"].as_str().unwrap().is_empty()), "{value:#}");
        if value["format"] == FAILURE {
            assert_eq!(value["exit_code"], code, "{words:?}: {value:#}");
        }
    }
    assert_eq!(checkout.output_names(), [""; 0]);
}

/// The keys that runs have printed, by format.
#[derive(Default)]
struct Printed(BTreeMap<String, BTreeSet<String>>);

impl Printed {
    #[track_caller]
    fn add(&mut self, ran: Ran, code: i32) -> Value {
        let ran = ran.exits(code);
        let value: Value = serde_json::from_str(&ran.stdout).unwrap();
        let format = value["format"].as_str().unwrap().to_owned();
        let keys = leaves(&value).into_iter().map(|(key, _)| key);
        self.0.entry(format).or_default().extend(keys);
        value
    }
}

/// Stands for the container of a build. `$EXTRA` makes a difference.
pub(crate) const BUILDS: &str = r#"
    mkdir -p "$out/records"; echo "hello 1 amd64" >"$out/records/packages.txt"
    echo "$(printf '%064d' 1)  debian/dists/trixie/InRelease" >"$out/records/inrelease.txt"
    echo "mksquashfs 4.6" >"$out/records/tools.txt"
    tar cf "$out/rootfs.tar" -T /dev/null
    for f in vmlinuz initrd.img filesystem.squashfs efi.img; do echo x >"$out/$f"; done
    echo iso >"$out/silvermetal-canary.iso"; eval "$EXTRA"
    for s in $(printf '%s\n' "$@" | sed '1,/recipe\/build$/d'); do echo "@@stage $s"; done"#;

#[test]
fn the_page_has_exactly_the_keys_that_commands_print() {
    let checkout = Checkout::new("json");
    let kept = checkout.own_inputs();
    let mirror = mirror_peer();
    let path = checkout.path_with("docker", STUB);
    let xtask = |words: &[&str], extra: &str| {
        let mut command = checkout.xtask(words);
        command.arg("--json").env("PATH", &path).env("RUN", BUILDS).env("EXTRA", extra);
        run(command.env("SILVERMETAL_RELEASE_TOKEN", "hunter2-json"))
    };
    let on = ["--engine", "docker", "--mirror", &mirror];
    let built = |words: &[&str], extra: &str| xtask(&[words, &on].concat(), extra);
    let at = |name: &str| checkout.root.with_file_name(name).to_str().unwrap().to_owned();
    let mut printed = Printed::default();

    let iso = printed.add(built(&["iso", "canary", "--output", &at("a")], ""), 0);
    printed.add(built(&["iso", "canary", "--dry-run"], ""), 0);
    printed.add(built(&["iso", "canary"], "exit 7"), 4);
    printed.add(built(&["iso", "canary", "--output", "docs"], ""), 3);
    let verify = ["verify", "canary", "--output", &at("v"), "--vary", "cpus,clock"];
    printed.add(built(&verify, ""), 0);
    let random = r#"cat /proc/sys/kernel/random/uuid >>"$out/silvermetal-canary.iso"
        cp /proc/sys/kernel/random/uuid "$out/id"; tar cf "$out/rootfs.tar" -C "$out" id
        cp "$out/id" "$out/records/packages.txt""#;
    let twice = ["verify", "canary", "--output", &at("w")];
    printed.add(built(&twice, random), 1);
    let compare = [at("w") + "/build-a", at("w") + "/build-b"];
    printed.add(built(&["verify", "--compare", &compare[0], &compare[1]], ""), 1);
    let sums = Path::new(iso["output"].as_str().unwrap()).join("SHA256SUMS");
    let against = ["verify", "canary", "--against", sums.to_str().unwrap(), "--output", &at("a")];
    printed.add(built(&against, ""), 0);
    printed.add(built(&["doctor", "canary"], "exit 1"), 3);
    printed.add(built(&["image", "build"], ""), 0);
    printed.add(xtask(&["image", "show", "--offline", "--engine", "docker"], ""), 0);
    printed.add(xtask(&["bump-image", "--check", "--offline"], ""), 0);
    let digest = format!("registry.example/x@sha256:{}", "a".repeat(64));
    printed.add(xtask(&["bump-image", "--offline", "--dry-run", &digest], ""), 0);
    printed.add(xtask(&["check"], ""), 0);
    printed.add(xtask(&["clean"], ""), 0);
    let release =
        ["release", "build", "test-1", "--test", "--from", &at("v"), "--output", &at("r")];
    git(&checkout.root, &["tag", "test-1"]);
    printed.add(xtask(&release, ""), 0);
    printed.add(xtask(&["release", "publish", &at("r"), "--dry-run"], ""), 0);
    let rebuild = ["reproduce", &at("r"), "--output", &at("p")];
    printed.add(built(&rebuild, ""), 0);
    printed.add(built(&["reproduce", &at("r"), "--output", &at("q")], "exit 7"), 4);
    let other = r#"echo x >>"$out/silvermetal-canary.iso""#;
    printed.add(built(&["reproduce", &at("r"), "--output", &at("s")], other), 1);
    printed.add(xtask(&["reproduce", "--collect", &at("p"), "--threshold", "1"], ""), 0);
    printed.add(xtask(&["diagnose", &at("v/build-a"), &at("v/build-b")], ""), 0);

    // each run was compared with the page already; now the page with the runs
    let page = page();
    for format in ["build", "verify", "verify-against", "release", "rebuild", "collect", "plan"] {
        let format = format!("silvermetal-{format}/1");
        let keys = &printed.0[&format];
        for key in page[&format].keys().filter(|key| !key.ends_with(".*")) {
            let seen = |seen: &String| {
                seen == key
                    || key.starts_with(&format!("{seen}["))
                    || key.starts_with(&format!("{seen}."))
            };
            assert!(keys.iter().any(seen), "{format}: no command has printed `{key}`:\n{keys:#?}");
        }
    }
    assert!(printed.0.len() >= 15, "{:?}", printed.0.keys());
    std::fs::remove_file(kept).unwrap();
}

/// The text of all sources that may print objects.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let walk =
        ["src", "core/src", "check/src", "diagnose/src"].map(|dir| WalkDir::new(root.join(dir)));
    let files = walk.into_iter().flatten().map(|entry| entry.unwrap().into_path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn the_page_has_no_format_and_no_key_that_the_code_lacks() {
    let sources = sources().concat();
    let page = page();
    for (format, keys) in &page {
        assert!(sources.contains(&format!("\"{format}\"")), "nothing prints {format}");
        for key in keys.keys() {
            let name = key.trim_end_matches(".*").trim_end_matches("[]");
            let name = name.rsplit(['.', ']']).next().unwrap();
            assert!(sources.contains(&format!("\"{name}\"")), "{format}: nothing prints `{key}`");
        }
    }
    let others = ["silvermetal-build-info/1", "silvermetal-inputs/1"];
    for found in sources.split("\"silvermetal-").skip(1) {
        let name = format!("silvermetal-{}", found.split('"').next().unwrap());
        let is_format = name.ends_with("/1") && !others.contains(&name.as_str());
        assert!(!is_format || page.contains_key(&name), "docs/json.md lacks {name}");
    }
}
