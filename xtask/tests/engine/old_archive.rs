//! Recipe `base` with an archive past its Valid-Until, as every pinned snapshot is after a week. The
//! tools that upstream runs refuse it, unless the recipe has configured them.

use crate::machine::Machine;
use crate::support::{Checkout, run};
use std::fs;

/// Makes an outdated archive of one package, and tries mmdebstrap and pbuilder on it.
const TRY: &str = r#"#!/bin/bash
set -euo pipefail
echo '@@stage one'
cd "$(mktemp -d)"
mkdir -p archive package/DEBIAN
printf '%s\n' 'Package: nothing' 'Version: 1' 'Architecture: all' 'Maintainer: nobody <nobody@invalid>' \
    'Description: nothing' >package/DEBIAN/control
dpkg-deb --root-owner-group --build package archive/nothing.deb >/dev/null
(
    cd archive
    dpkg-scanpackages . >Packages 2>/dev/null
    printf '%s\n' 'Codename: trixie' 'Date: Wed, 01 Jan 2020 00:00:00 UTC' \
        'Valid-Until: Wed, 08 Jan 2020 00:00:00 UTC' 'SHA256:' \
        " $(sha256sum <Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages" >Release
)
make() { # ROOT
    sudo -n mmdebstrap --mode=root --variant=extract --include=nothing --format=directory \
        --skip=check/signed-by trixie "$PWD/$1" "deb [trusted=yes] copy:$PWD/archive ./" 2>&1
}
settings() {
    sudo -n bash -c '. /usr/share/pbuilder/pbuilderrc; . /etc/pbuilderrc; echo "${APTGETOPT[*]}"'
}

if make refused; then echo 'BAD: it is not refused'; fi
case $(settings) in *Valid-Until*) echo 'BAD: pbuilder is told already' ;; esac
"$SILVERMETAL_HOME/recipe/accept-old-archive"
make accepted || echo 'BAD: mmdebstrap refuses it'
case $(settings) in *' Acquire::Check-Valid-Until=false') ;; *) echo "BAD: pbuilder has $(settings)" ;; esac
echo x >"$SILVERMETAL_HOME/out/$SILVERMETAL_ISO"
"#;

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn an_outdated_archive_is_accepted_only_with_the_recipes_configuration() {
    let machine = Machine::get();
    let checkout = Checkout::new("an old archive");
    checkout.add_recipe("old", &["one"], TRY);
    let (script, recipes) = ("accept-old-archive", checkout.root.join("linux/build/recipes"));
    fs::copy(recipes.join("base").join(script), recipes.join("old").join(script)).unwrap();
    checkout.commit();
    let ran = run(&mut checkout.xtask(["iso", "old", "-v", "--engine", "private"])).exits(0);
    let bad: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("BAD: ")).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    ran.says("is expired");
    machine.has_no_traces();
}
