//! Pairs with known differences. The images are those of `xtask/diskimage/tests/fixtures`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests; they make images")]

#[path = "../../../diskimage/tests/support/squash.rs"]
#[allow(dead_code, unreachable_pub, reason = "made for the tests of diskimage")]
mod squash;

use super::images;
use crate::difference::{Difference, DifferenceKind, FieldKind, MetadataField, Side};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A folder that is removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let name = format!("compare-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    /// Runs a script in it.
    fn sh(&self, script: &str) {
        let script = format!("set -euo pipefail; export LC_ALL=C TZ=UTC; {script}");
        let out = Command::new("bash").args(["-c", &script]).current_dir(&self.0).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn pair(&self, a: &str, b: &str) -> Vec<Difference> {
        let mut found = Vec::new();
        let summary = images(&self.0.join(a), &self.0.join(b), &mut |d| found.push(d)).unwrap();
        assert_eq!(summary.differences, found.len() as u64);
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../diskimage/tests/fixtures");
    fs::read(folder.join(name)).unwrap()
}

/// Differences of two images.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Vec<Difference> {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("a"), a).unwrap();
    fs::write(scratch.0.join("b"), b).unwrap();
    scratch.pair("a", "b")
}

/// Place and kind of each difference, in a line.
pub(super) fn lines(differences: &[Difference]) -> Vec<String> {
    let line = |d: &Difference| {
        let what = match &d.what {
            DifferenceKind::OnlyIn { side, .. } => format!("only in {side:?}"),
            DifferenceKind::Field { name, .. } => format!("field {name}"),
            DifferenceKind::Metadata { field, .. } => field.name().to_string(),
            DifferenceKind::Order { .. } => "order".into(),
            DifferenceKind::Content { .. } => "content".into(),
            DifferenceKind::Repacked { format, .. } => format!("repacked {format}"),
            DifferenceKind::Unreadable { side, .. } => format!("unreadable in {side:?}"),
            DifferenceKind::NotJudged(_) => "not judged".into(),
        };
        format!("{} [{}]: {what}", d.place, d.layer)
    };
    differences.iter().map(line).collect()
}

fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

#[test]
fn an_image_and_itself() {
    for name in ["hybrid.iso", "xz.squashfs", "initramfs.img", "make.sh"] {
        let image = fixture(name);
        assert_eq!(compare(&image, &image), []);
    }
}

#[test]
fn equal_blocks_are_never_unpacked() {
    // nobody can unpack the first block; both have it, and nobody has to
    let mut a = fixture("xz.squashfs");
    a[96 + 20..96 + 60].fill(0xaa);
    let mut b = a.clone();
    b[8] ^= 1;
    assert_eq!(lines(&compare(&a, &b)), ["the image [squashfs]: field time of creation"]);

    // when it differs, it has to be
    b[96 + 30] ^= 1;
    let found = lines(&compare(&a, &b));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1], "usr/bin/numbers [squashfs]: unreadable in A");
}

#[test]
fn a_byte_of_a_file_in_a_squashfs() {
    let a = fixture("plain.squashfs");
    let mut b = a.clone();
    let at = find(&a, b"\n1500\n") + 1;
    b[at] = b'9';
    let found = compare(&a, &b);
    assert_eq!(lines(&found), ["usr/bin/numbers [squashfs]: content"]);
    let DifferenceKind::Content(changes) = &found[0].what else { panic!("{found:?}") };
    let edits: Vec<_> = changes.edits.iter().map(|edit| (&*edit.a, &*edit.b)).collect();
    assert_eq!(edits, [("1500", "9500")]);
    assert_eq!((changes.sizes, &changes.rest), ([18_893, 18_893], &None));
}

#[test]
fn a_byte_of_a_name_in_a_squashfs() {
    let a = fixture("plain.squashfs");
    let mut b = a.clone();
    let at = find(&a, b"\x07\0hostname") + 2;
    b[at] = b'g';
    let found = lines(&compare(&a, &b));
    let expected = ["etc/gostname [squashfs]: only in B", "etc/hostname [squashfs]: only in A"];
    assert_eq!(found, expected);
}

#[test]
fn a_file_in_an_iso_and_the_second_name_of_its_bytes() {
    let a = fixture("hybrid.iso");
    let mut b = a.clone();
    let at = find(&a, b"silvermetal");
    b[at] = b'S';
    // etc/same lies at the same place; Joliet names both in the same way; and the FAT image has a copy
    let found = lines(&compare(&a, &b));
    assert_eq!(found, ["etc/hostname [ISO 9660]: content", "etc/same [ISO 9660]: content"]);
    let at = a.len()
        - a.iter()
            .rev()
            .collect::<Vec<_>>()
            .windows(11)
            .position(|w| w.iter().rev().map(|byte| **byte).eq(*b"silvermetal"))
            .unwrap()
        - 11;
    let mut b = a.clone();
    b[at] = b'S';
    assert_eq!(lines(&compare(&a, &b)), ["[partition Appended2]!EFI/loop/HOST.TXT [FAT]: content"]);
}

#[test]
fn folders_and_layers_together_never_reach_the_end_of_the_stack() {
    let image = |text: &str| {
        (0..15).fold(text.as_bytes().to_vec(), |inner, _| {
            let mut squash = squash::Squash::default();
            let file = squash.file(&inner, 2, 1);
            let mut folder = squash.folder(&[("inner".into(), file, 2)]);
            for _ in 0..96 {
                folder = squash.folder(&[("d".into(), folder, 1)]);
            }
            squash.finish(folder)
        })
    };
    let found = compare(&image("a"), &image("b"));
    let deep = |difference: &Difference| matches!(&difference.what, DifferenceKind::Unreadable { why, .. } if why.contains("deep: what is below"));
    assert!(found.iter().any(deep), "{:?}", lines(&found));
}

#[test]
fn dates_and_identifiers_of_an_iso() {
    let a = fixture("hybrid.iso");
    let mut b = a.clone();
    b[16 * 2048 + 813 + 15] = b'7';
    b[440] = 1;
    b[512 + 56] ^= 1;
    let mut found = compare(&a, &b);
    // the checksum of the GPT's header is that of another GUID
    let rest = found.pop().map(|difference| lines(&[difference]));
    assert_eq!(rest.unwrap(), ["[rest of the partition tables] [ISO 9660]: only in B"]);
    let kinds: Vec<_> = found
        .iter()
        .map(|d| match &d.what {
            DifferenceKind::Field { kind, a, b, .. } => (*kind, a.as_str(), b.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (FieldKind::VolumeDate, "2026-05-28 20:26:40", "2026-05-28 20:26:40.07"),
            (FieldKind::DiskId, "00000000", "00000001"),
            (
                FieldKind::DiskId,
                "36323032-3530-4832-b230-303032363430",
                "36323033-3530-4832-b230-303032363430"
            ),
        ]
    );
}

#[test]
fn bytes_that_no_file_has_are_compared_as_well() {
    let a = fixture("hybrid.iso");
    let mut b = a.clone();
    b[100] = 1;
    // behind the end of a file, in its last sector
    let at = find(&a, b"silvermetal\n");
    b[at + 100] = 1;
    let found = compare(&a, &b);
    let mut found = lines(&found);
    found.sort();
    // A has neither boot code nor anything else that no file has
    assert_eq!(
        found,
        ["[between the files] [ISO 9660]: only in B", "[boot code] [ISO 9660]: only in B"]
    );
}

#[test]
fn what_follows_a_squashfs() {
    let whole = fixture("xz.squashfs");
    let with = |more: &[u8]| [&whole, more].concat();
    let found = lines(&compare(&with(b"\0\0one"), &with(b"\0\0two\0")));
    assert_eq!(found, ["[behind the file system] [squashfs]: content"]);
    let found = lines(&compare(&with(b""), &with(b"\0\0two")));
    assert_eq!(found, ["[behind the file system] [squashfs]: only in B"]);
    // zeros alone are what mksquashfs pads with; but they are a difference
    let found = lines(&compare(&with(b""), &with(&[0; 100])));
    assert_eq!(found, ["the image [file]: content"]);
}

#[test]
fn an_iso_with_a_broken_partition_table() {
    let a = fixture("hybrid.iso");
    let mut b = a.clone();
    b[512 + 84] = 0xff;
    let at = find(&b, b"silvermetal");
    b[at] = b'S';
    let found = lines(&compare(&a, &b));
    assert!(found.contains(&"etc/hostname [ISO 9660]: content".to_string()), "{found:?}");
    assert!(found.contains(&"the image [file]: unreadable in B".to_string()), "{found:?}");
}

#[test]
fn the_time_in_a_gzip() {
    let a = fixture("text.gz");
    let mut b = a.clone();
    b[4] ^= 1;
    assert_eq!(lines(&compare(&a, &b)), ["the image [gzip]: field gzip mtime"]);
}

#[test]
fn members_of_an_initramfs() {
    let a = fixture("initramfs.img");
    let mut b = a.clone();
    // of the plain part, the time of etc/hostname
    let at = find(&b, b"etc/hostname") - 110 + 6 + 5 * 8;
    b[at + 7] = if b[at + 7] == b'1' { b'2' } else { b'1' };
    let found = compare(&a, &b);
    assert_eq!(lines(&found), ["etc/hostname [cpio]: mtime"]);
    assert!(
        matches!(&found[0].what, DifferenceKind::Metadata { field: MetadataField::Mtime, a, .. } if a == "1780000000")
    );
}

#[test]
fn an_image_that_is_cut_off() {
    for name in ["hybrid.iso", "gzip.squashfs", "cpio.gz", "pax.tar"] {
        let a = fixture(name);
        let b = &a[..a.len() / 2];
        let found = compare(&a, b);
        let unreadable = |d: &Difference| {
            matches!(&d.what, DifferenceKind::Unreadable { side: Side::B, offset, why }
                if *offset <= a.len() as u64 && !why.is_empty())
        };
        assert!(found.iter().any(unreadable), "{name}: {:?}", lines(&found));
        assert!(lines(&found).iter().any(|line| line.ends_with(": content")), "{name}");
    }
}

#[test]
fn folders_of_this_machine() {
    let scratch = Scratch::new();
    scratch.sh("mkdir -p a/x b/x; echo 1 >a/x/y; echo 2 >b/x/y; touch -d @0 {a,b}/x/y {a,b}/x; ln -s u a/l; ln -s v b/l; touch -hd @0 a/l b/l");
    let found = lines(&scratch.pair("a", "b"));
    assert_eq!(found, ["l [tree]: link target", "x/y [tree]: content"]);
}

/// Each file of a folder begins at offset 0, so an offset says nothing of which file was compared.
#[test]
fn files_of_a_folder_are_all_compared() {
    let scratch = Scratch::new();
    scratch.sh("mkdir a b
        for s in a b; do echo same >$s/1; echo s$s.1 >$s/2; echo s$s.1 >$s/3; echo s$s.2 >$s/4; echo $s >$s/5; done
        find a b -exec touch -hd @0 {} +");
    let found = lines(&scratch.pair("a", "b"));
    let expected = ["2", "3", "4", "5"].map(|file| format!("{file} [tree]: content"));
    assert_eq!(found, expected);
}

/// The same of stored blocks.
#[test]
#[ignore = "needs squashfs-tools: cargo xtask test --full"]
fn images_in_a_folder_are_all_compared() {
    let scratch = Scratch::new();
    scratch.sh("mkdir a b
        for s in a b; do for n in 1 2 3; do
            mkdir t; if [ $n = 1 ]; then echo same; else echo s$s.$n; fi >t/f; touch -d @0 t/f t
            mksquashfs t $s/$n -comp gzip -noI -noD -noF -no-fragments -noappend -quiet -no-progress -all-root -mkfs-time 0 >/dev/null
            rm -r t
        done; done
        find a b -exec touch -hd @0 {} +");
    let found = lines(&scratch.pair("a", "b"));
    assert_eq!(found, ["2!f [squashfs]: content", "3!f [squashfs]: content"]);
}

/// A tree with one of everything, and images of it in which all that can differ does.
const PAIR: &str = r#"
make() { # SIDE
    mkdir -p $1/{etc,usr/bin,usr/share/doc/p,lib/modules,var/cache}
    echo "host $1" >$1/etc/hostname
    seq 1 200000 >$1/usr/bin/large; echo $1 >>$1/usr/bin/large
    echo same >$1/etc/same
    echo "log $1" | gzip -c >$1/usr/share/doc/p/changelog.gz
    echo only >$1/etc/only-$1
    mkdir -p early/kernel pkg-$1/DEBIAN pkg-$1/usr/lib
    echo microcode >early/kernel/ucode
    printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example.org>\nDescription: p\n' >pkg-$1/DEBIAN/control
    echo "lib $1" >pkg-$1/usr/lib/lib.txt
    dpkg-deb --root-owner-group -Zzstd -b pkg-$1 $1/var/cache/p.deb >/dev/null
    mkdir -p initrd-$1/conf
    echo "uuid $1" >initrd-$1/conf/uuid; echo arch >initrd-$1/conf/arch
    { (cd early; find . | cpio --quiet -o -H newc); (cd initrd-$1; find . | sort | cpio --quiet -o -H newc | zstd -q); } >$1/lib/initrd.img
    [ $1 = a ] || chmod 600 $1/etc/same
    find $1 -exec touch -hd @1780000000 {} +
    mksquashfs $1 $1.squashfs -comp xz -b 1M -noappend -quiet -no-progress -all-root -mkfs-time 1780000000 >/dev/null
    mkdir -p iso-$1/live
    cp $1.squashfs iso-$1/live/filesystem.squashfs
    cp $1/lib/initrd.img iso-$1/live/
    echo "menu $1" >iso-$1/grub.cfg
    find iso-$1 -exec touch -hd @1780000000 {} +
    xorriso -as mkisofs -quiet -R -J -V LABEL --modification-date=2026052820264000 --set_all_file_dates 2026052820264000 -o $1.iso iso-$1 2>/dev/null
}
make a; make b
"#;

/// The differences of the pair above. The layers in between are opened, and so not told.
const EXPECTED: [&str; 10] = [
    "grub.cfg [ISO 9660]: content",
    "live/filesystem.squashfs!etc/hostname [squashfs]: content",
    "live/filesystem.squashfs!etc/only-a [squashfs]: only in A",
    "live/filesystem.squashfs!etc/only-b [squashfs]: only in B",
    "live/filesystem.squashfs!etc/same [squashfs]: mode",
    "live/filesystem.squashfs!lib/initrd.img!conf/uuid [cpio]: content",
    "live/filesystem.squashfs!usr/bin/large [squashfs]: content",
    "live/filesystem.squashfs!usr/share/doc/p/changelog.gz![unpacked] [gzip]: content",
    "live/filesystem.squashfs!var/cache/p.deb!data.tar.zst![unpacked]!usr/lib/lib.txt [tar]: content",
    "live/initrd.img!conf/uuid [cpio]: content",
];

/// Without what follows from the rest, and without times, which differ by when a package was built.
fn primary(differences: &[Difference]) -> Vec<String> {
    let follows = |d: &&Difference| {
        !matches!(
            &d.what,
            DifferenceKind::Field { .. }
                | DifferenceKind::Metadata { field: MetadataField::Mtime, .. }
        )
    };
    let primary: Vec<_> = differences.iter().filter(follows).cloned().collect();
    let mut lines = lines(&primary);
    lines.retain(|line| !line.contains("exact mtime") && !line.contains("hard link"));
    lines.sort();
    lines
}

#[test]
#[ignore = "needs squashfs-tools, xorriso, cpio, zstd: cargo xtask test --full"]
fn everything_at_once_in_a_real_iso() {
    let scratch = Scratch::new();
    scratch.sh(PAIR);
    assert_eq!(primary(&scratch.pair("a.iso", "b.iso")), EXPECTED);
}

/// Paths of files in which diffoscope sees a difference that it did not open further.
fn leaves(json: &serde_json::Value, within: &str, found: &mut BTreeSet<String>) {
    let source = json["source1"].as_str().unwrap_or_default();
    let own = json["unified_diff"].is_string();
    let details = json["details"].as_array().map_or(&[][..], Vec::as_slice);
    let name = source.trim_start_matches("./").trim_start_matches('/');
    if own && details.is_empty() && !source.contains(' ') {
        found.insert(format!("{within}{name}"));
    }
    for detail in details {
        leaves(detail, within, found);
    }
}

#[test]
#[ignore = "needs diffoscope, squashfs-tools, xorriso, genisoimage, cpio, zstd: cargo xtask test --full"]
fn nothing_is_missed_that_diffoscope_finds() {
    let scratch = Scratch::new();
    scratch.sh(PAIR);
    scratch.sh("diffoscope --json d.json a.iso b.iso || test $? = 1");
    let json = fs::read_to_string(scratch.0.join("d.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut theirs = BTreeSet::new();
    leaves(&json, "", &mut theirs);
    assert!(theirs.len() >= 5, "{theirs:?}");
    let ours = lines(&scratch.pair("a.iso", "b.iso"));
    for path in &theirs {
        let last = path.rsplit('/').next().unwrap();
        assert!(ours.iter().any(|line| line.contains(last)), "{path} is missing in {ours:#?}");
    }
}
