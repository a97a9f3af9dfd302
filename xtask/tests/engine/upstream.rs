//! Recipe `base`'s copy of derivative-maker is always a git tree of real files that belongs to the
//! building user, whether it comes from a submodule under any umask or from another checkout.

use crate::machine::Machine;
use crate::stand_in::SIGNED;
use crate::support::{Checkout, executable, git, run};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Script that reports faults of the copy. A good copy gives only the last line.
const LOOK: &str = r#"#!/bin/bash
set -euo pipefail
cd -- "$(dirname -- "$0")"
. ./lib.sh
echo '@@stage one'
mkdir "$source"
./copy-upstream
cd "$source"
for repository in . packages/kicksecure/one packages/kicksecure/two; do
    [ -d "$repository/.git" ] || echo "BAD $repository has no real .git"
    git -C "$repository" status --porcelain | sed "s|^|BAD $repository: |"
done
find . \! -user user -printf 'BAD owner of %p\n'
find . -path '*/.git' -prune -o -type f \! -perm 644 \! -perm 755 -printf 'BAD mode of %p: %m\n'
find . -type d \! -perm 755 -printf 'BAD mode of %p: %m\n'
[ "$(stat -c %a derivative-maker)" = 755 ] || echo 'BAD derivative-maker is not executable'
echo "version $(git describe) packages $(cd "$SILVERMETAL_HOME/recipe" && ./copy-upstream --packages)"
echo x >"$out/$SILVERMETAL_ISO"
"#;

/// Makes a derivative-maker with two packages and a tag.
fn upstream(dir: &Path) {
    for name in ["one", "two"] {
        let package = dir.join(name);
        fs::create_dir_all(package.join("debian")).unwrap();
        fs::write(package.join("debian/control"), format!("Source: {name}\n")).unwrap();
        git(&package, &["init", "--quiet"]);
        git(&package, &["add", "--all"]);
        git(&package, &["commit", "--quiet", "-m", name]);
    }
    let top = dir.join("derivative-maker");
    fs::create_dir_all(&top).unwrap();
    executable(&top.join("derivative-maker"), "#!/bin/sh\n");
    git(&top, &["init", "--quiet"]);
    for name in ["one", "two"] {
        let path = format!("packages/kicksecure/{name}");
        let url = dir.join(name).display().to_string();
        let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, &path];
        git(&top, &add);
    }
    git(&top, &["add", "--all"]);
    git(&top, &["commit", "--quiet", "-m", "upstream"]);
    git(&top, &["tag", "-a", "--cleanup=verbatim", "-m", SIGNED, "1.0"]);
}

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn upstream_is_copied_with_its_git_folders() {
    let machine = Machine::get();
    let checkout = Checkout::new("a copy, ünder test");
    let outer = checkout.root.parent().unwrap();
    upstream(outer);
    let (top, copies) = (outer.join("derivative-maker"), "linux/build/recipes/copies");
    checkout.add_recipe("copies", &["one"], LOOK);
    for script in ["copy-upstream", "lib.sh"] {
        let from = checkout.root.join("linux/build/recipes/base").join(script);
        fs::copy(from, checkout.root.join(copies).join(script)).unwrap();
    }
    checkout.edit(&format!("{copies}/recipe.toml"), "submodule = false", "submodule = true");
    let iso = |flags: &[&str]| {
        let mut iso = checkout.xtask(["iso", "copies", "-v", "--engine", "private"]);
        iso.args(flags);
        let ran = run(&mut iso).exits(0);
        let bad: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("BAD ")).collect();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
        ran.says("version 1.0 packages one two")
    };

    // the submodule, cloned under a umask that denies all access to others
    let path = "linux/build/derivative-maker";
    fs::remove_dir(checkout.root.join(path)).unwrap();
    let mut add = Command::new("sh");
    add.current_dir(&checkout.root).args([
        "-c",
        "umask 077; git -c protocol.file.allow=always \
        submodule --quiet add --force \"$1\" \"$2\" && git -c protocol.file.allow=always \
        submodule --quiet update --init --recursive",
        "sh",
    ]);
    run(add.arg(&top).arg(path)).exits(0);
    git(&checkout.root, &["commit", "--quiet", "--all", "-m", "another upstream"]);
    assert!(checkout.root.join(path).join(".git").is_file());
    iso(&[]);

    // all differences from the pins are reported before the build
    let nested = checkout.root.join(path).join("packages/kicksecure/one");
    git(&nested, &["commit", "--quiet", "--allow-empty", "-m", "elsewhere"]);
    git(&checkout.root.join(path), &["submodule", "--quiet", "deinit", "packages/kicksecure/two"]);
    git(&checkout.root.join(path), &["tag", "-d", "1.0"]);
    run(&mut checkout.xtask(["iso", "copies", "--engine", "private"]))
        .exits(3)
        .says("1 submodules of linux/build/derivative-maker are not initialised: packages/kicksecure/two")
        .says("1 submodules of linux/build/derivative-maker are not at their pins: packages/kicksecure/one")
        .says("want exactly one tag at the commit of linux/build/derivative-maker, and there are 0");

    // another checkout, with all its differences
    let other = top.display().to_string();
    let ran = iso(&["--upstream", &other]).says("this ISO is never released");
    assert!(ran.stderr.contains("2 are at their pins, 0 elsewhere, 0 missing"), "{}", ran.stderr);
    machine.has_no_traces();
}
