//! Images that bring something forbidden in another place than the squashfs that is looked at first.

use crate::make::{EVIL, GRUB, append, cpio, entry, evil, fat, good, pe, squashfs, squashfs_with};
use crate::support::Tree;
use crate::{Case, check, installed, sources, wanted};
use std::fs;

const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\r\nx\r\n";

fn case(name: &'static str, rule: &'static str, says: &'static str, make: fn(&Tree)) -> Case {
    Case { name, rule, says, make }
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn every_root_is_judged() {
    check(&[
        case("overlay", "host-keys", "live/zz.squashfs: etc/ssh", |t| {
            squashfs(t, "iso/live/zz.squashfs", &[("etc/ssh/ssh_host_rsa_key", "k")]);
        }),
        case("another-name", "machine-id", "LiveOS/squashfs.img: etc/machine-id", |t| {
            squashfs(t, "iso/LiveOS/squashfs.img", &[("etc/machine-id", "0123456789\n")]);
        }),
        case("no-name", "credentials", "boot/x: root/.netrc", |t| {
            squashfs(t, "iso/boot/x", &[("root/.netrc", "password")]);
        }),
        case("in-the-efi-image", "random-seed", "random-seed", |t| {
            squashfs(t, "x.sb", &[("var/lib/systemd/random-seed", "r")]);
            let image = fs::read(t.path("x.sb")).unwrap();
            fs::remove_file(t.path("x.sb")).unwrap();
            fat(t, "iso/boot/efi.img", &[("modloop", &image)]);
        }),
        case("decoy", "package-sources", "live/filesystem.squashfs: no package source", |t| {
            // the good one is a decoy; the entry mounts the other one
            let good = sources(&wanted("suites").join(" "));
            fs::remove_file(t.path("etc/apt/sources.list.d/debian.sources")).unwrap();
            fs::remove_file(t.path("var/lib/dpkg/status")).unwrap();
            let status = installed(&wanted("kicksecure-cli"));
            squashfs(
                t,
                "iso/live/aa.squashfs",
                &[
                    ("etc/apt/sources.list.d/debian.sources", &good),
                    ("var/lib/dpkg/status", &status),
                ],
            );
            evil(t, &dracut("live", "filesystem.squashfs"));
        }),
        case(
            "layer-with-fewer-suites",
            "package-sources",
            "zz.squashfs: no enabled package",
            |t| {
                let text = sources("trixie trixie-updates");
                squashfs(
                    t,
                    "iso/live/zz.squashfs",
                    &[("etc/apt/sources.list.d/debian.sources", &text)],
                );
            },
        ),
        case("layer-that-hides", "package-sources", "zz.squashfs: no package source", |t| {
            squashfs_with(
                t,
                "iso/live/zz.squashfs",
                &[("usr/x", "")],
                &["-p", "etc d 755 0 0", "-p", "etc/apt c 644 0 0 0 0"],
            );
        }),
        case("apt-reads-elsewhere", "cannot-tell", "apt.conf.d/x", |t| {
            t.write("etc/apt/apt.conf.d/x", "Dir::Etc::sourceparts \"/opt/lists\";\n");
        }),
        case("source-packages-only", "package-sources", "suite trixie-security", |t| {
            let all = wanted("suites").join(" ");
            let text = sources(&all.replace(" trixie-security", ""));
            let only = sources("trixie-security").replace("Types: deb\n", "Types: deb-src\n");
            t.write("etc/apt/sources.list.d/debian.sources", &format!("{text}\n{only}"));
        }),
        case("name-that-apt-passes-over", "package-sources", "no package source", |t| {
            let from = t.path("etc/apt/sources.list.d/debian.sources");
            fs::rename(from, t.path("etc/apt/sources.list.d/debian sources.sources")).unwrap();
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn links_are_followed_inside_the_root() {
    check(&[
        case("list-is-a-link", "package-sources", "evil.example", |t| {
            t.link("etc/apt/sources.list.d/e.list", "/usr/share/e.list");
            t.write("usr/share/e.list", "deb http://evil.example/ x main\n");
        }),
        case("folder-of-lists-is-a-link", "package-sources", "evil.example", |t| {
            fs::rename(t.path("etc/apt/sources.list.d"), t.path("etc/lists")).unwrap();
            t.link("etc/apt/sources.list.d", "../lists");
            t.write("etc/lists/e.list", "deb http://evil.example/ x main\n");
        }),
        case("keys-behind-a-link", "host-keys", "etc/ssh/ssh_host_rsa_key", |t| {
            t.link("etc/ssh", "/opt/ssh");
            t.write("opt/ssh/ssh_host_rsa_key", "k");
        }),
        case("home-behind-a-link", "credentials", "home/user/.netrc", |t| {
            t.link("home/user", "../srv/u");
            t.write("srv/u/.netrc", "password");
        }),
        case("machine-id-behind-links", "machine-id", "etc/machine-id", |t| {
            fs::remove_file(t.path("etc/machine-id")).unwrap();
            t.link("etc/machine-id", "../../../a");
            t.link("a", "b");
            t.write("b", "0123456789\n");
        }),
        case("kernel-behind-a-link", "kernel-parameters", "lacks", |t| {
            t.bytes("iso/live/vmlinuz", &crate::make::kernel("6.12.57-amd64 ", 8192));
            t.link("iso/live/memtest", "vmlinuz");
            evil(t, &format!("linux /live/memtest {EVIL}"));
        }),
        case("configuration-behind-a-link", "kernel-parameters", "lacks", |t| {
            t.write("iso/x/y", &entry("Evil", &format!("linux /live/vmlinuz {EVIL}")));
            t.link("iso/boot/menu", "../x/y");
            append(t, GRUB, "source /boot/menu\n");
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso and gzip: cargo xtask test --full"]
fn every_initramfs_is_judged() {
    check(&[
        case("key", "secrets", "live/initrd.img: usr/lib/x.pem", |t| {
            t.bytes("iso/live/initrd.img", &cpio(&[("usr/lib/x.pem", KEY)]));
        }),
        case("key-in-the-second-archive", "secrets", "x.pem", |t| {
            t.gzip("part.gz", &cpio(&[("etc/x.pem", KEY)]), 0);
            let second = fs::read(t.path("part.gz")).unwrap();
            fs::remove_file(t.path("part.gz")).unwrap();
            t.bytes("iso/boot/y", &[cpio(&[("kernel/x", b"microcode")]), second].concat());
        }),
        case("twice-the-same-name", "machine-id", "initrd.img: etc/machine-id", |t| {
            let members: [(&str, &[u8]); 2] =
                [("etc/machine-id", b""), ("./usr/../etc//machine-id", b"0123456789")];
            t.bytes("iso/live/initrd.img", &cpio(&members));
        }),
        case("key-of-a-disk", "credentials", "cryptroot/keyfiles/a.key", |t| {
            t.bytes("iso/live/initrd.img", &cpio(&[("cryptroot/keyfiles/a.key", b"k")]));
        }),
        case("in-a-unified-kernel", "secrets", "[initrd 1]: x.pem", |t| {
            let initrd = cpio(&[("x.pem", KEY)]);
            let image =
                pe(&[(".linux", b"x"), (".cmdline", good().as_bytes()), (".initrd", &initrd)]);
            t.bytes("iso/EFI/Linux/x.efi", &image);
        }),
        case("a-root-in-it", "host-keys", "root.img: etc/ssh", |t| {
            squashfs(t, "x.sb", &[("etc/ssh/ssh_host_rsa_key", "k")]);
            let image = fs::read(t.path("x.sb")).unwrap();
            fs::remove_file(t.path("x.sb")).unwrap();
            t.bytes("iso/live/initrd.img", &cpio(&[("root.img", &image)]));
        }),
        case("of-an-unknown-format", "cannot-tell", "live/initrd.img", |t| {
            t.bytes("iso/live/initrd.img", b"\x89LZO\0\r\n\x1a\nnot read");
            evil(t, &format!("linux /live/vmlinuz {}\ninitrd /live/initrd.img", good()));
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn roots_that_cannot_be_read_are_told() {
    check(&[
        case("erofs", "cannot-tell", "live/filesystem.erofs: erofs file system", |t| {
            let mut image = vec![0; 8192];
            image[1024..1028].copy_from_slice(b"\xe2\xe1\xf5\xe0");
            t.bytes("iso/live/filesystem.erofs", &image);
        }),
        case("disk-in-a-file", "cannot-tell", "partition-1", |t| {
            let mut image = vec![0; 16384];
            image[446..462].copy_from_slice(b"\0\0\0\0\x83\0\0\0\x02\0\0\0\x10\0\0\0");
            image[510..512].copy_from_slice(b"\x55\xaa");
            image[1024 + 1024..1024 + 1028].copy_from_slice(b"\xe2\xe1\xf5\xe0");
            t.bytes("iso/live/disk.img", &image);
        }),
        case("folder", "cannot-tell", "filesystem.dir: a root file system as a folder", |t| {
            t.write("iso/live/filesystem.dir/etc/x", "x");
        }),
        case("broken", "cannot-tell", "live/zz.squashfs", |t| {
            t.bytes("iso/live/zz.squashfs", &[b"hsqs".as_slice(), &[0x41; 400]].concat());
        }),
        case("network", "cannot-tell", "fetch=http://x/y takes the root from elsewhere", |t| {
            evil(t, &format!("linux /live/vmlinuz {} boot=live fetch=http://x/y", good()));
        }),
        case("other-iso", "cannot-tell", "iso_scan/filename=/other.iso", |t| {
            evil(t, &format!("linux /live/vmlinuz {} iso-scan/filename=/other.iso", good()));
        }),
        case("missing-root", "cannot-tell", "live/other.img, is no squashfs", |t| {
            evil(t, &dracut("live", "other.img"));
        }),
    ]);
}

fn dracut(folder: &str, image: &str) -> String {
    let live = format!("rd.live.image root=live:CDLABEL=TEST rd.live.dir={folder}");
    format!("linux /live/vmlinuz {} {live} rd.live.squashimg={image}", good())
}
