//! Places that a user may name for a result: each command with a path argument on each kind of place.
//! The snapshot has a line for each command. In no case anything of the user's is lost.

use crate::json::BUILDS;
use crate::support::disk::Disk;
use crate::support::{Checkout, Ran, STUB, git, mirror_peer, run};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that commands would write, with content of the user's.
const FOREIGN: [&str; 10] = [
    "thesis.odt",
    "BUILD_INFO",
    "build.json",
    "release.json",
    "verify.json",
    "verify.txt",
    "rebuild.json",
    "boot.json",
    "bios.png",
    "page.html",
];
/// Results of earlier runs of all commands, in one folder. Each list names all files.
const OWN: [(&str, &str); 7] = [
    ("BUILD_INFO", "Format: silvermetal-build-info/1\n"),
    ("build.json", FILES),
    ("release.json", FILES),
    ("verify.json", "{ \"format\": \"silvermetal-verify/1\" }"),
    ("rebuild.json", "{ \"format\": \"silvermetal-rebuild/1\" }"),
    ("boot.json", "{ \"format\": \"silvermetal-boot/1\" }"),
    ("page.html", "<meta name=\"generator\" content=\"silvermetal-diagnosis\">"),
];
const FILES: &str = r#"{ "format": "silvermetal-release/1", "files": [
    "BUILD_INFO", "build.json", { "name": "release.json" }, "verify.json", "verify.txt", "rebuild.json", "boot.json",
    "page.html"
] }"#;

/// Writes the results of earlier runs into a new folder.
fn write_own(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for (name, text) in OWN {
        fs::write(dir.join(name), text).unwrap();
    }
}

/// A checkout with a verified build and a release, and a user with a home and files.
struct World {
    checkout: Checkout,
    mirror: String,
    path: String,
}

impl World {
    fn new(name: &str) -> World {
        let checkout = Checkout::new(&format!("work/{name}"));
        git(&checkout.root, &["tag", "test-1"]);
        let path = checkout.path_with("docker", STUB);
        let world = World { checkout, mirror: mirror_peer(), path };
        for (name, files) in [("home", "diary"), ("work", "beside the checkout")] {
            fs::create_dir_all(world.at(name)).unwrap();
            fs::write(world.at(name).join(files), "precious").unwrap();
        }
        fs::write(world.at("disc.iso"), {
            let mut bytes = vec![0; 40_000];
            bytes[32_769..32_774].copy_from_slice(b"CD001");
            bytes
        })
        .unwrap();
        let at = |name: &str| world.at(name).to_str().unwrap().to_owned();
        world.xtask(&["verify", "canary", "--output", &at("v")]).exits(0);
        let release = ["--test", "--from", &at("v"), "--output", &at("r")];
        world.xtask(&[&["release", "build", "test-1"][..], &release].concat()).exits(0);
        world
    }

    /// Path in the folder that holds everything.
    fn at(&self, name: &str) -> PathBuf {
        self.checkout.root.parent().unwrap().parent().unwrap().join(name)
    }

    fn xtask(&self, words: &[&str]) -> Ran {
        let builds = ["iso", "verify", "reproduce"].contains(&words[0]);
        let on = ["--engine", "docker", "--mirror", &self.mirror];
        let mut command = self.checkout.xtask(words);
        command.args(if builds { &on[..] } else { &[] });
        command.env("PATH", &self.path).env("RUN", BUILDS).env("EXTRA", "");
        run(command.env("HOME", self.at("home")))
    }

    /// Runs a command of [`COMMANDS`] with a place as its result.
    fn answer(&self, command: &str, place: &Path) -> Ran {
        let at = |name: &str| self.at(name).to_str().unwrap().to_owned();
        let (a, b, page) = (at("v/build-a"), at("v/build-b"), place.join("page.html"));
        let (r, disc, place) = (at("r"), at("disc.iso"), place.to_str().unwrap());
        let words: Vec<&str> = match command {
            "iso --output" => vec!["iso", "canary", "--dry-run", "--output", place],
            "iso --save-inputs" => vec!["iso", "canary", "--dry-run", "--save-inputs", place],
            "verify --output" => vec!["verify", "canary", "--dry-run", "--output", place],
            "verify --compare --output" => vec!["verify", "--output", place, "--compare", &a, &b],
            "reproduce --output" => vec!["reproduce", &r, "--dry-run", "--output", place],
            "release build --output" => {
                let from = ["release", "build", "test-1", "--test", "--from"];
                return self.xtask(&[&from[..], &[&at("v"), "--output", place]].concat());
            }
            "boot --output" => {
                // whether QEMU is installed must not matter
                vec!["boot", &disc, "--dry-run", "--setup", "--output", place]
            }
            "diagnose --html" => {
                let page = page.to_str().unwrap();
                return self.xtask(&["diagnose", &a, &b, "--diffoscope=never", "--html", page]);
            }
            other => panic!("{other}"),
        };
        self.xtask(&words)
    }

    /// Fails if something of the user's is missing or changed.
    #[track_caller]
    fn nothing_is_lost(&self, foreign: &Path) {
        for name in FOREIGN {
            assert_eq!(fs::read_to_string(foreign.join(name)).unwrap(), "precious", "{name}");
        }
        for name in ["home/diary", "work/beside the checkout"] {
            assert_eq!(fs::read_to_string(self.at(name)).unwrap(), "precious", "{name}");
        }
        // reports may lie beside somebody's files
        let other = self.at("other");
        for place in [&self.checkout.root, &self.at("home"), &self.at("work"), &other] {
            for name in ["verify.txt", "verify.json", "page.html"] {
                drop(fs::remove_file(place.join(name)));
            }
        }
        for checkout in [&self.checkout.root, &other] {
            assert_eq!(git(checkout, &["status", "--porcelain"]), "");
        }
    }
}

const COMMANDS: [&str; 8] = [
    "iso --output",
    "iso --save-inputs",
    "verify --output",
    "verify --compare --output",
    "reproduce --output",
    "release build --output",
    "boot --output",
    "diagnose --html",
];

#[test]
fn every_command_spares_what_it_did_not_make() {
    let world = World::new("checkout");
    let root = world.checkout.root.clone();
    let other = world.at("other");
    git(&root, &["clone", "--quiet", ".", other.to_str().unwrap()]);
    let mut table = String::new();
    for (n, command) in COMMANDS.into_iter().enumerate() {
        let top = world.at(&format!("places-{n}"));
        let at = |name: &str| top.join(name);
        for name in ["empty", "empty too", "foreign", "half"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in FOREIGN {
            fs::write(at("foreign").join(name), "precious").unwrap();
        }
        for name in ["own", "own too", "own and more", "around"] {
            write_own(&at(name));
        }
        for file in ["file", "half/BUILD_INFO", "own and more/diary"] {
            fs::write(at(file), "precious").unwrap();
        }
        symlink(at("foreign"), at("link")).unwrap();
        symlink(at("own"), at("link to own")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        let mut answers = [const { Vec::new() }; 2];
        for (name, place) in [
            ("missing", at("missing")),
            ("missing below missing", at("deep/er")),
            ("empty", at("empty")),
            ("empty, by ..", at("foreign/../empty too")),
            ("foreign", at("foreign")),
            ("foreign, relative", Path::new("../..").join(format!("places-{n}/foreign"))),
            ("foreign, by ..", at("foreign/..")),
            ("foreign BUILD_INFO", at("half")),
            ("own", at("own")),
            ("own, with a slash", at("own too/")),
            ("own and a foreign file", at("own and more")),
            ("new in own", at("around/new")),
            ("blank, umlaut, line end", at("a\u{fc} b\n")),
            ("checkout", root.clone()),
            ("docs", root.join("docs")),
            (".git", root.join(".git")),
            ("another checkout", other.clone()),
            ("parent", world.at("work")),
            ("home", world.at("home")),
            ("link to foreign", at("link")),
            ("link to own", at("link to own")),
            ("link to own, with a slash", at("link to own/")),
            ("link to nowhere", at("dangling")),
            ("file", at("file")),
        ] {
            match world.answer(command, &place).code {
                0 => answers[0].push(name),
                3 => answers[1].push(name),
                code => panic!("{command} on {name}: exit code {code}"),
            }
            for report in ["verify.txt", "verify.json", "page.html"] {
                drop(fs::remove_file(root.join("docs").join(report)));
            }
            world.nothing_is_lost(&at("foreign"));
            for file in ["file", "half/BUILD_INFO", "own and more/diary"] {
                assert_eq!(fs::read_to_string(at(file)).unwrap(), "precious", "{file}");
            }
            assert!(at("around/BUILD_INFO").exists() && at("link").is_symlink());
        }
        let [yes, no] = answers.map(|names| names.join("; "));
        writeln!(table, "{command}\n  yes: {yes}\n  no:  {no}").unwrap();
    }
    crate::snapshots().eq(table, snapbox::file!["../snapshots/places.txt"]);
}

#[test]
#[ignore = "needs root to mount file systems: cargo xtask test --full"]
fn a_full_or_read_only_file_system_is_told_and_loses_nothing() {
    let world = World::new("checkout");
    let [full, read_only] = ["full", "read-only"].map(|name| {
        let disk = Disk::new(&world.at(name).join("x"), 8);
        fs::write(disk.dir.join("mine"), "precious").unwrap();
        disk
    });
    fs::write(full.dir.join("much"), vec![1; 16 << 20]).unwrap_err();
    // the last blocks
    let more = |n: &u32| fs::write(full.dir.join(format!("more-{n}")), [1; 1000]).is_ok();
    assert!((0..).take_while(more).count() < 10_000);
    read_only.make_read_only();
    for (n, command) in COMMANDS.into_iter().enumerate() {
        let place = |disk: &Disk| match command {
            "diagnose --html" => disk.dir.clone(),
            _ => disk.dir.join(format!("new-{n}")),
        };
        let told = world.answer(command, &place(&full));
        match command {
            // a report that does not fit is told when it is written; a dry run does not try to write
            "verify --compare --output" => told.exits(4).says("cannot"),
            // or before that, where the folder has no room for one more name
            "diagnose --html" => {
                assert!(matches!(told.code, 3 | 4), "{}", told.stderr);
                told.says("cannot")
            }
            "boot --output" => told.exits(0),
            "release build --output" => told.exits(3).says("are free"),
            _ => told.exits(3).says("not enough disk"),
        };
        world.answer(command, &place(&read_only)).exits(3).says("nothing can be created in");
        for disk in [&full, &read_only] {
            assert_eq!(fs::read_to_string(disk.dir.join("mine")).unwrap(), "precious");
        }
    }
}

#[test]
#[ignore = "needs root to mount folders: cargo xtask test --full"]
fn a_folder_that_is_mounted_from_the_same_file_system_is_not_replaced() {
    let world = World::new("checkout");
    let [own, place] = ["own", "place"].map(|name| world.at(name));
    write_own(&own);
    fs::create_dir(&place).unwrap();
    let mount = |words: &[&str]| run(Command::new(words[0]).args(&words[1..])).exits(0);
    let [from, to] = [&own, &place].map(|dir| dir.to_str().unwrap());
    mount(&["mount", "--bind", from, to]);
    let told = ["iso --output", "release build --output"].map(|it| world.answer(it, &place));
    mount(&["umount", to]);
    for ran in told {
        ran.exits(3).says("is a mount point: expected a folder in it");
    }
    assert!(own.join("BUILD_INFO").exists());
}
