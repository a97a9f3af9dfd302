//! An image that breaks its recipe's content policy is not a result, but is kept.

use crate::support::{mirror_peer, run};
use std::fs;

#[test]
#[ignore = "needs root and xorriso: cargo xtask test --full"]
fn an_image_that_breaks_an_enforced_policy_is_kept_but_fails_the_build() {
    let checkout =
        crate::checkout("", "xorriso -as mkisofs -quiet -o \"$iso\" \"$tree\" 2>/dev/null");
    let toml = "linux/build/recipes/tiny/recipe.toml";
    let policy = "[policy]\nenforced = true\npackage_hosts = []\nsuites = []\n\
                  kernel_parameters = []\nfirmware = [\"BIOS\"]\n[[stage]]\nname = \"rootfs\"";
    checkout.edit(toml, "[[stage]]\nname = \"rootfs\"", policy);
    checkout.commit();
    let iso = || {
        let mut iso = checkout.xtask(["iso", "tiny", "--engine", "host", "--mirror"]);
        iso.arg(mirror_peer());
        iso
    };
    let ran = run(&mut iso())
        .exits(4)
        .says("must not ship: 2 violations")
        .says("does not boot under BIOS: it has no boot entry [boot-path]")
        .says("no squashfs with a root file system was found [root]")
        .says("kept for inspection");
    assert_eq!(ran.stdout, "", "no result");
    let names = checkout.output_names();
    assert!(names.len() == 1 && names[0].starts_with("rejected-tiny-"), "{names:?}");
    let image = checkout.output().join(&names[0]).join("tiny.iso");
    assert!(fs::metadata(&image).unwrap().len() > 0);

    // reported, but no failure, if the recipe does not enforce it
    checkout.edit(toml, "enforced = true", "enforced = false");
    checkout.commit();
    let ran = run(&mut iso()).exits(0).says("does not boot under BIOS");
    assert!(ran.stdout.contains("tiny.iso"), "{}", ran.stdout);
}
