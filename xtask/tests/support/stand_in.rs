//! A stand-in of derivative-maker, and of the recipes that a rehearsal builds. The image of the stand-in
//! shows what is in the tree that it was built from: packages, files and the kernel's command line.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start xtask and its peers"
)]
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its part of it")]

use crate::support::{Checkout, executable, git};
use std::fs;
use std::path::Path;

/// Message of a tag that looks signed. Only upstream's own keys tell if it is.
pub const SIGNED: &str = "1\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";

/// Shell: makes `$out/$iso` from the tree in `$tree`, with all times `$epoch`.
pub const IMAGE: &str = r#"
    parameters=$(cat "$tree/parameters")
    work=$(mktemp -d)
    mkdir -p "$work/root/var/lib/dpkg" "$work/root/etc" "$work/iso/live" "$work/iso/boot/grub"
    for package in "$tree"/packages/kicksecure/*; do
        printf 'Package: %s\nStatus: install ok installed\nVersion: %s\n\n' "${package##*/}" "$(cat "$package/version")"
    done >"$work/root/var/lib/dpkg/status"
    : >"$work/root/etc/machine-id"
    [ ! -d "$tree/files" ] || cp -r "$tree/files/." "$work/root/"
    printf "menuentry 'Live' {\n linux /live/vmlinuz %s\n}\n" "$parameters" >"$work/iso/boot/grub/grub.cfg"
    find "$work" -exec touch -h -d "@$epoch" {} +
    env -u SOURCE_DATE_EPOCH mksquashfs "$work/root" "$work/iso/live/filesystem.squashfs" -quiet -no-progress \
        -all-root -all-time "$epoch" -mkfs-time "$epoch" -processors 1 >/dev/null
    touch -d "@$epoch" "$work/iso/live" "$work/iso/live/filesystem.squashfs"
    SOURCE_DATE_EPOCH=$epoch xorriso -as mkisofs -quiet -r -o "$out/$iso" "$work/iso" 2>/dev/null
    rm -r "$work"
"#;

/// Shell that [`crate::support::STUB`] runs for a container: the canary's image is a word, the other one
/// is made from the tree that is mounted.
pub fn in_a_stub() -> String {
    format!(
        r#"
        given() {{ printf '%s\n' "$args" | sed -n "s/^$1=//p"; }}
        args=$(printf '%s\n' "$@") iso=$(given SILVERMETAL_ISO) epoch=$(given SOURCE_DATE_EPOCH)
        tree=$(printf '%s\n' "$args" | sed -n 's#^type=bind,"*source=\(.*\)"*,target=/home/user/derivative-maker,readonly$#\1#p')
        echo "@@stage one"
        if [ -z "$tree" ]; then
            echo "$CANARY" >"$out/$iso"; [ -z "$CANARY_FAILS" ]
        else
            echo "built from $(given SILVERMETAL_UPSTREAM)"
            (
                set -e
                {IMAGE}
            )
        fi
        "#
    )
}

/// Commits stand-ins of recipe `base`, whose entry is `entry`, and of recipe `canary`.
pub fn recipes(checkout: &Checkout, entry: &str) {
    let canary =
        "#!/bin/sh\necho '@@stage one'\necho x >\"$SILVERMETAL_HOME/out/$SILVERMETAL_ISO\"\n";
    checkout.add_recipe("canary", &["one"], canary);
    let dir = checkout.root.join("linux/build/recipes/base");
    let toml = "description = \"a stand-in\"\nentry = \"build\"\niso = \"base.iso\"\nreleased = false\n\
        flavors = [\"kicksecure-lxqt\", \"kicksecure-cli\"]\n\
        [needs]\nsubmodule = true\nengines = [\"docker\", \"podman\", \"private\"]\ndisk_gib = 0\nram_gib = 1\n\
        host_packages = []\n\
        [policy]\nenforced = true\npackage_hosts = []\nsuites = []\nkernel_parameters = [\"slab_nomerge\"]\nfirmware = []\n\
        [[stage]]\nname = \"one\"\nproduces = []\n";
    fs::write(dir.join("recipe.toml"), toml).unwrap();
    let levers = "[[lever]]\nname = \"entry\"\nwhat = \"it starts\"\n[[lever.anchor]]\npath = \"derivative-maker\"\n\
        lines = [\"echo a stand-in\"]\nheld_at = [\"1.0\"]\n";
    fs::write(dir.join("levers.toml"), levers).unwrap();
    executable(&dir.join("build"), entry);
    checkout.commit();
}

/// Makes the tree at `top`, a git repository, a derivative-maker with the packages `one` and `two`, whose
/// repositories lie beside it, and commits it.
pub fn derivative_maker(top: &Path) {
    executable(&top.join("derivative-maker"), "#!/bin/sh\necho a stand-in\n");
    fs::write(top.join("parameters"), "slab_nomerge quiet\n").unwrap();
    for name in ["one", "two"] {
        let package = top.with_file_name(name);
        fs::create_dir_all(package.join("debian")).unwrap();
        fs::write(package.join("debian/control"), format!("Source: {name}\n")).unwrap();
        fs::write(package.join("version"), "1\n").unwrap();
        git(&package, &["init", "--quiet"]);
        commit(&package);
        let (url, path) = (package.display().to_string(), format!("packages/kicksecure/{name}"));
        let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, &path];
        git(top, &add);
    }
    commit(top);
}

/// Moves package `one` to version 2, adds a file to the image and a word to the kernel's command line,
/// commits that, and tags it.
pub fn next_version(top: &Path, tag: &str) {
    let package = top.with_file_name("one");
    fs::write(package.join("version"), "2\n").unwrap();
    commit(&package);
    let nested = top.join("packages/kicksecure/one");
    git(&nested, &["fetch", "--quiet", "origin", "HEAD"]);
    git(&nested, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    fs::create_dir_all(top.join("files/usr/share/new")).unwrap();
    fs::write(top.join("files/usr/share/new/file"), "x\n").unwrap();
    fs::write(top.join("parameters"), "slab_nomerge quiet debug=1\n").unwrap();
    commit(top);
    git(top, &["tag", "-a", "--cleanup=verbatim", "-m", SIGNED, tag]);
}

pub fn commit(dir: &Path) {
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--allow-empty", "-m", "t"]);
}

/// Git settings of a caller whose git clones submodules from this machine.
pub const LOCAL_SUBMODULES: &str = "[protocol \"file\"]\n\tallow = always\n";
