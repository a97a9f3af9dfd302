//! `bump-submodule --rehearse` on a real engine, with stand-ins of derivative-maker and of both recipes.

use crate::machine::Machine;
use crate::stand_in::{self, IMAGE, LOCAL_SUBMODULES};
use crate::support::{Checkout, git, run};
use std::fs;

/// Makes the image from the copy that recipe `base` makes of the mounted tree.
const ENTRY: &str = r#"#!/bin/bash
set -euo pipefail
cd -- "$(dirname -- "$0")"
. ./lib.sh
echo '@@stage one'
mkdir "$source"
./copy-upstream
for repository in . packages/kicksecure/one packages/kicksecure/two; do
    [ -z "$(git -C "$source/$repository" status --porcelain)" ] || die "$repository is not clean"
done
echo "built from $SILVERMETAL_UPSTREAM, version $(git -C "$source" describe)"
tree=$source iso=$SILVERMETAL_ISO epoch=$SOURCE_DATE_EPOCH
"#;

#[test]
#[ignore = "needs the real engine: cargo xtask test --full"]
fn a_candidate_is_built_from_a_copy_and_compared_with_the_pin() {
    let machine = Machine::get();
    let checkout = Checkout::new("a rehearsal, ünder test");
    let top = checkout.root.with_file_name("derivative-maker");
    fs::create_dir_all(&top).unwrap();
    git(&top, &["init", "--quiet", "--initial-branch=master"]);
    stand_in::derivative_maker(&top);
    git(&top, &["tag", "-a", "--cleanup=verbatim", "-m", stand_in::SIGNED, "1.0"]);
    stand_in::recipes(&checkout, &format!("{ENTRY}{IMAGE}"));

    // the pin, and its image
    let submodule = "linux/build/derivative-maker";
    let config = checkout.root.with_file_name("gitconfig");
    fs::write(&config, LOCAL_SUBMODULES).unwrap();
    let url = git(&checkout.root, &["config", "--file", ".gitmodules", "--get-regexp", "url$"]);
    let url = url.split_whitespace().nth(1).unwrap().to_owned();
    // in quotes: `;` begins a comment
    checkout.edit(".gitmodules", &url, &format!("{:?}", top.to_str().unwrap()));
    let pin = git(&top, &["rev-parse", "HEAD"]).trim().to_owned();
    let entry = format!("160000,{pin},{submodule}");
    git(&checkout.root, &["update-index", "--cacheinfo", &entry]);
    checkout.commit();
    let allow = ["-c", "protocol.file.allow=always"];
    let update = ["submodule", "--quiet", "update", "--init", "--recursive"];
    git(&checkout.root, &[&allow[..], &update].concat());
    run(&mut checkout.xtask(["iso", "base", "--engine", "private"])).exits(0);

    stand_in::next_version(&top, "2.0");
    let mut rehearse =
        checkout.xtask(["bump-submodule", "--rehearse", "-v", "--engine", "private"]);
    let ran = run(rehearse.env("GIT_CONFIG_GLOBAL", &config)).exits(0);
    let ran = ran.says("built from submodule, version 2.0");
    for line in [
        "holds the content policy of recipe base\n",
        "1 of 2 packages changed\n  one 1 → 2\n",
        "  +debug=1\n    in `Live` (boot/grub/grub.cfg)\n",
        "  came: /usr (4 entries)\n",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    let dir = checkout.root.join(submodule);
    assert_eq!(git(&dir, &["rev-parse", "HEAD"]).trim(), pin);
    assert_eq!(git(&checkout.root, &["status", "--porcelain"]), "");
    machine.has_no_traces();
}
