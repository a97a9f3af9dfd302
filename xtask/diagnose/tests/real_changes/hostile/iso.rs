//! What the tables of an ISO hide.

use super::{find, have, stamps, tells};
use crate::kinds::Scratch;
use crate::tools;

#[test]
fn what_an_iso_does_not_show() {
    if !have("xorriso") {
        return;
    }
    let scratch = Scratch::new();
    let [a, b] = stamps().map(|stamp| {
        let grub = b"set timeout=5\n";
        let files = [("etc/stamp", stamp.as_bytes()), ("boot/grub/grub.cfg", &grub[..])];
        tools::iso(&scratch.0.join("iso"), &files)
    });
    let word = |at: usize| u32::from_le_bytes(b[at..at + 4].try_into().unwrap()) as usize;
    let primary = 16 * 2048;
    // the tables of paths for either order of bytes
    let [little, big] = [word(primary + 140) * 2048, {
        let at = primary + 148;
        u32::from_be_bytes(b[at..at + 4].try_into().unwrap()) as usize * 2048
    }];
    let changed = |name: &str, at: usize, bit: u8| {
        let mut b = b.clone();
        b[at] ^= bit;
        tells(name, &a, &b);
    };
    changed("a path table", little + 5, 1);
    changed("a path table of the other order", big + 5, 1);
    changed("the length of a path table", primary + 132, 0x40);
    changed("the length of a path table in the other order", primary + 139, 0x40);
    changed("a set of volumes", primary + 120, 2);
    let record = find(&b, b"GRUB.CFG;1") - 33;
    changed("flags of a record", record + 25, 1);
    changed("interleaving of a record", record + 26, 4);
    changed("a volume of a record", record + 28, 2);
    changed("a size in one order of bytes", record + 17, 1);
    changed("an extent in one order of bytes", record + 9, 1);
}
