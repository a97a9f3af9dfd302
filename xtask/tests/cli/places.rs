//! Places that a user may name for a result: each command with a path argument on each kind of place.
//! The snapshot has a line for each command. In no case anything of the user's is lost.

use crate::json::BUILDS;
use crate::support::disk::Disk;
use crate::support::{Checkout, Ran, STUB, git, mirror_peer, run};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

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
/// Results of earlier runs of all commands.
const OWN: [(&str, &str); 7] = [
    ("BUILD_INFO", "Format: silvermetal-build-info/1\n"),
    ("build.json", "{}"),
    ("release.json", "{ \"format\": \"silvermetal-release/1\" }"),
    ("verify.json", "{ \"format\": \"silvermetal-verify/1\" }"),
    ("rebuild.json", "{ \"format\": \"silvermetal-rebuild/1\" }"),
    ("boot.json", "{ \"format\": \"silvermetal-boot/1\" }"),
    ("page.html", "<meta name=\"generator\" content=\"silvermetal-diagnosis\">"),
];

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
        for place in [&self.checkout.root, &self.at("home"), &self.at("work")] {
            for name in ["verify.txt", "verify.json", "page.html"] {
                drop(fs::remove_file(place.join(name)));
            }
        }
        assert_eq!(git(&self.checkout.root, &["status", "--porcelain"]), "");
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
    let mut table = String::new();
    for (n, command) in COMMANDS.into_iter().enumerate() {
        let top = world.at(&format!("places-{n}"));
        for name in ["empty", "foreign", "own"] {
            fs::create_dir_all(top.join(name)).unwrap();
        }
        for name in FOREIGN {
            fs::write(top.join("foreign").join(name), "precious").unwrap();
        }
        for (name, text) in OWN {
            fs::write(top.join("own").join(name), text).unwrap();
        }
        symlink(top.join("foreign"), top.join("link")).unwrap();
        fs::write(top.join("file"), "precious").unwrap();
        let root = world.checkout.root.clone();
        write!(table, "{command:<26}").unwrap();
        for (name, place) in [
            ("missing", top.join("missing")),
            ("empty", top.join("empty")),
            ("foreign", top.join("foreign")),
            ("own", top.join("own")),
            ("checkout", root.clone()),
            ("docs", root.join("docs")),
            ("parent", world.at("work")),
            ("home", world.at("home")),
            ("link", top.join("link")),
            ("file", top.join("file")),
        ] {
            let answer = match world.answer(command, &place).code {
                0 => "yes",
                3 => "no",
                code => panic!("{command} on {name}: exit code {code}"),
            };
            write!(table, " {name}: {answer:<3}").unwrap();
            if name == "docs" && answer == "yes" {
                git(&root, &["clean", "--quiet", "--force", "docs"]);
            }
            world.nothing_is_lost(&top.join("foreign"));
            assert_eq!(fs::read_to_string(top.join("file")).unwrap(), "precious");
        }
        table = format!("{}\n", table.trim_end());
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
            // a report that does not fit is told when it is written, a dry run does not try to write
            "verify --compare --output" | "diagnose --html" => told.exits(4).says("cannot"),
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
