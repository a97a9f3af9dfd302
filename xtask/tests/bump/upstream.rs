//! An upstream repository that each test makes, and the pin of it in a checkout.

use crate::signer::Signer;
use crate::support::{Checkout, Ran, git, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const SUBMODULE: &str = "linux/build/derivative-maker";
pub const RECORD: &str = "linux/build/docker/builder-image.toml";
pub const README: &str = "linux/build/docker/systemd-entrypoint/README.md";

/// An upstream repository. Our entrypoint was reviewed against its tag 1.0.
pub struct Upstream {
    pub dir: PathBuf,
    signer: Option<Signer>,
    /// The caller's git settings, which decide whose signatures are trusted.
    pub config: PathBuf,
}

impl Upstream {
    /// Makes the upstream with the reviewed files, and pins it in `checkout`.
    pub fn of(checkout: &Checkout) -> Upstream {
        let dir = checkout.root.with_file_name("upstream");
        fs::create_dir_all(&dir).unwrap();
        let config = checkout.root.with_file_name("gitconfig");
        fs::write(&config, "").unwrap();
        let upstream = Upstream { dir, signer: None, config };
        upstream.git(&["init", "--quiet", "--initial-branch=master"]);
        let record = fs::read_to_string(checkout.root.join(RECORD)).unwrap();
        let value = |line: &str| Some(line.split_once(" = \"")?.1.trim_end_matches('"').to_owned());
        let field =
            |name: &str| record.lines().filter(|l| l.starts_with(name)).find_map(value).unwrap();
        let blobs: Vec<(String, String)> = record
            .lines()
            .skip_while(|line| !line.starts_with("[reviewed.blobs]"))
            .filter_map(|line| {
                Some((line.strip_prefix('"')?.split_once('"')?.0.to_owned(), value(line)?))
            })
            .collect();
        for (path, _) in &blobs {
            upstream.write(path, &format!("this is {path}\n"));
        }
        let first = upstream.commit("first");
        upstream.git(&["tag", "1.0"]);
        let url = upstream.git(&[
            "config",
            "--file",
            checkout.root.join(".gitmodules").to_str().unwrap(),
            "--get",
            &format!("submodule.{SUBMODULE}.url"),
        ]);
        // in quotes: `;` begins a comment
        checkout.edit(".gitmodules", url.trim(), &format!("{:?}", upstream.dir.to_str().unwrap()));
        for file in [RECORD, README] {
            let mut text = fs::read_to_string(checkout.root.join(file)).unwrap();
            for (path, old) in &blobs {
                let new = upstream.git(&["rev-parse", &format!("HEAD:{path}")]);
                text = text.replace(old, new.trim());
            }
            text = text.replace(&format!("(tag {})", field("tag = ")), "(tag 1.0)");
            text = text.replace(&format!("tag = \"{}\"", field("tag = ")), "tag = \"1.0\"");
            fs::write(checkout.root.join(file), text.replace(&field("commit = "), &first)).unwrap();
        }
        git(
            &checkout.root,
            &["update-index", "--cacheinfo", &format!("160000,{first},{SUBMODULE}")],
        );
        checkout.commit();
        upstream
    }

    /// The same, with a key to sign tags with. Needs gnupg.
    pub fn with_signer(checkout: &Checkout) -> Upstream {
        Upstream { signer: Some(Signer::new()), ..Upstream::of(checkout) }
    }

    pub fn git(&self, args: &[&str]) -> String {
        let Some(signer) = &self.signer else { return git(&self.dir, args) };
        let home = signer.home.display().to_string();
        let gpg = format!("gpg.program={home}/gpg");
        crate::support::executable(
            &signer.home.join("gpg"),
            &format!("#!/bin/sh\nGNUPGHOME='{home}' exec gpg \"$@\"\n"),
        );
        git(&self.dir, &[&["-c", &gpg][..], args].concat())
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub fn bump(&self, checkout: &Checkout, args: &[&str]) -> Ran {
        let mut bump = checkout.xtask([&["bump-submodule"], args].concat());
        bump.env("GIT_CONFIG_GLOBAL", &self.config);
        if let Some(signer) = &self.signer {
            bump.env("GNUPGHOME", &signer.home);
        }
        run(&mut bump)
    }
}

pub fn status(dir: &Path) -> String {
    git(dir, &["status", "--porcelain", "--ignore-submodules=dirty"])
}

pub fn pinned(checkout: &Checkout) -> String {
    let entry = git(&checkout.root, &["ls-files", "--stage", SUBMODULE]);
    entry.split_whitespace().nth(1).unwrap().to_owned()
}

/// Makes `checkout` hold an initialised submodule, and returns its folder.
pub fn initialise(checkout: &Checkout, upstream: &Upstream) -> PathBuf {
    let dir = checkout.root.join(SUBMODULE);
    run(Command::new("git").args(["clone", "--quiet"]).args([&upstream.dir, &dir])).exits(0);
    dir
}
