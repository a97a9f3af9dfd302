//! Images that start Linux without what the policy asks for, in a place where it is easily missed.

use crate::make::{
    EVIL, GRUB, append, cpio, entry, evil, fat, good, grub_for_bios, grub_modules, kernel, pe,
};
use crate::support::Tree;
use crate::{Case, check};
use std::fs;

const LACKS: &str = "lacks slab_nomerge";

fn lacks(name: &'static str, make: fn(&Tree)) -> Case {
    Case { name, rule: "kernel-parameters", says: LACKS, make }
}

fn unclear(name: &'static str, says: &'static str, make: fn(&Tree)) -> Case {
    Case { name, rule: "cannot-tell", says, make }
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn every_entry_of_grub_is_found() {
    check(&[
        lacks("one-line", |t| {
            append(
                t,
                GRUB,
                &format!("menuentry \"x\" {{ linux /live/vmlinuz {EVIL} ; boot ; }}\n"),
            );
        }),
        lacks("variable", |t| evil(t, "set p=mitigations=off\nlinux /live/vmlinuz $p")),
        lacks("variable-in-braces", |t| {
            append(t, GRUB, "set p=\"a b\"\n");
            evil(t, "linux /live/vmlinuz ${p}");
        }),
        lacks("variable-not-exported", |t| {
            let body = entry("In", "linux /live/vmlinuz $p");
            append(t, GRUB, &format!("set p=\"{}\"\nsubmenu more {{\n{body}}}\n", good()));
        }),
        lacks("variable-of-another-way", |t| {
            let good = good();
            append(t, GRUB, &format!("set p=\"{good}\"\nif cpuid -l; then set p=quiet; fi\n"));
            evil(t, "linux /live/vmlinuz $p");
        }),
        lacks("variable-of-another-entry", |t| {
            append(t, GRUB, &format!("set p=\"{}\"\n", good()));
            append(t, GRUB, &entry("Expert options", "set p=quiet"));
            evil(t, "linux /live/vmlinuz $p");
        }),
        lacks("after-return", |t| {
            append(t, GRUB, "set p=quiet\nif true; then return; fi\n");
            append(t, GRUB, &format!("set p=\"{}\"\n", good()));
            evil(t, "linux /live/vmlinuz $p");
        }),
        lacks("command-in-a-variable", |t| {
            append(t, GRUB, "set l=linux\n");
            evil(t, &format!("$l /live/vmlinuz {EVIL}"));
        }),
        lacks("function", |t| {
            append(t, GRUB, "function go {\n linux /live/vmlinuz $1\n}\n");
            evil(t, "go quiet");
        }),
        lacks("eval", |t| evil(t, &format!("eval \"linux /live/vmlinuz {EVIL}\""))),
        lacks("behind-time", |t| evil(t, &format!("time linux /live/vmlinuz {EVIL}"))),
        lacks("without-an-entry", |t| {
            append(t, GRUB, &format!("linux /live/vmlinuz {EVIL}\nboot\n"));
        }),
        lacks("condition", |t| {
            append(t, GRUB, &format!("if linux /live/vmlinuz {EVIL}; then boot; fi\n"));
        }),
        lacks("continued-line", |t| evil(t, &format!("lin\\\nux /live/vmlinuz \\\n{EVIL}"))),
        lacks("nested-submenus", |t| {
            let inner = entry("x", &format!("linux16 /live/vmlinuz {EVIL}"));
            append(t, GRUB, &format!("submenu a {{\nsubmenu b {{\n{inner}}}\n}}\n"));
        }),
        lacks("source-of-an-entry", |t| {
            append(t, GRUB, &format!("menuentry x --source \"linux /live/vmlinuz {EVIL}\"\n"));
        }),
        lacks("after-two-dashes", |t| {
            let good = good();
            let good = good.split_once(' ').unwrap().0;
            evil(t, &format!("linux /live/vmlinuz quiet -- {good} {}", crate::make::good()));
        }),
        lacks("one-quoted-word", |t| evil(t, &format!("linux /live/vmlinuz 'x={}'", good()))),
        lacks("a-folder-called-memtest", |t| {
            evil(t, &format!("linux /live/memtest/vmlinuz {EVIL}"));
        }),
        lacks("a-kernel-called-memtest", |t| {
            t.bytes("iso/live/memtest", &kernel("6.12.57-amd64 ", 8192));
            evil(t, &format!("linux /live/memtest {EVIL}"));
        }),
        lacks("chain-of-files", |t| {
            append(t, GRUB, "source /boot/a.txt\n");
            t.write("iso/boot/a.txt", "configfile ($root)/boot/b.txt\n");
            t.write("iso/boot/b.txt", &entry("Evil", &format!("linux /live/vmlinuz {EVIL}")));
        }),
        lacks("path-in-a-variable", |t| {
            append(t, GRUB, "search --set=here --file /x\nsource ($here)$prefix/../m.txt\n");
            append(t, GRUB, "for f in m n; do source /boot/$f.txt; done\n");
            t.write("iso/boot/n.txt", &format!("linux /live/vmlinuz {EVIL}\n"));
        }),
        lacks("environment-block", |t| {
            t.write("iso/boot/grub/grubenv", "# GRUB Environment Block\nopts=quiet\n");
            append(t, GRUB, &format!("set opts=\"{}\"\nload_env\n", good()));
            evil(t, "linux /live/vmlinuz $opts");
        }),
        lacks("loopback", |t| {
            let body = entry("Evil", &format!("linux /live/vmlinuz {EVIL}"));
            t.write("iso/boot/grub/loopback.cfg", &body);
        }),
        lacks("a-menu-that-nothing-names", |t| {
            let body = entry("Evil", &format!("linux /live/vmlinuz {EVIL}"));
            t.write("iso/live/notes.txt", &body);
        }),
        lacks("chainloader", |t| {
            t.bytes("iso/live/k.efi", &kernel("6.12.57-amd64 ", 8192));
            evil(t, &format!("chainloader /live/k.efi {EVIL}"));
        }),
        Case {
            name: "dash-for-underscore",
            rule: "kernel-parameters",
            says: "lacks init_on_alloc=1 on",
            make: |t| evil(t, &format!("linux /live/vmlinuz {} init-on-alloc=0", good())),
        },
        Case {
            name: "taken-back",
            rule: "kernel-parameters",
            says: "mitigations=auto,nosmt (which nopti takes back)",
            make: |t| evil(t, &format!("linux /live/vmlinuz nopti {}", good())),
        },
    ]);
}

#[test]
#[ignore = "needs mksquashfs and xorriso: cargo xtask test --full"]
fn what_grub_may_do_is_not_guessed() {
    check(&[
        unclear("typed-by-the-user", "is not known", |t| {
            evil(t, &format!("read p\nlinux /live/vmlinuz {} $p", good()));
        }),
        unclear("set-by-a-command", "is not known", |t| {
            evil(t, &format!("smbios --type 1 --set p\nlinux /live/vmlinuz {} $p", good()));
        }),
        unclear("set-by-a-search", "is not known", |t| {
            append(t, GRUB, "set p=quiet\nsearch.fs_label x p\n");
            evil(t, &format!("linux /live/vmlinuz {} $p", good()));
        }),
        unclear("syntax", "grub.cfg", |t| append(t, GRUB, "linux /live/vmlinuz | x\n")),
        unclear("block-list", "list of blocks", |t| append(t, GRUB, "configfile (hd0)64+2\n")),
        unclear("unknown-command", "`magic`", |t| append(t, GRUB, "magic /live/vmlinuz\n")),
        unclear("old-menu", "old version", |t| {
            append(t, GRUB, "legacy_configfile /boot/menu.txt\n");
            t.write("iso/boot/menu.txt", "title x\nkernel /live/vmlinuz\n");
        }),
        unclear("too-long", "cuts it off", |t| {
            let line = format!("a={} {}", "x".repeat(2000), good());
            t.write(
                "iso/isolinux/isolinux.cfg",
                &format!("LABEL x\n KERNEL /live/vmlinuz\n APPEND {line}\n"),
            );
        }),
        unclear("binary-configuration", "no text", |t| {
            t.bytes("iso/boot/grub/custom.cfg", b"\0menuentry x { linux /live/vmlinuz\n}\n");
        }),
        unclear("endless-calls", "deep", |t| append(t, GRUB, "function f {\n f\n f\n}\nf\n")),
        unclear("doubling", "is not known", |t| {
            let double = "set p=\"$p$p\"\n".repeat(64);
            append(t, GRUB, &format!("set p=xx\n{double}"));
            evil(t, &format!("linux /live/vmlinuz {} $p", good()));
        }),
        unclear("many-ways", "is not known", |t| {
            let ways: String =
                (0..40).map(|n| format!("if cpuid -l; then set p=\"$p {n}\"; fi\n")).collect();
            append(t, GRUB, &ways);
            evil(t, &format!("linux /live/vmlinuz {} $p", good()));
        }),
        unclear("many-variables", "steps to read", |t| {
            let all = (0..2000).map(|n| format!("if cpuid -l; then set v{n}=1; fi\n"));
            append(t, GRUB, &all.collect::<String>());
            let line: String = (0..2000).map(|n| format!(" $v{n}")).collect();
            evil(t, &format!("linux /live/vmlinuz {}{line}", good()));
        }),
        unclear("many-entries-and-variables", "steps to read", |t| {
            let body = |n: u32| entry(&n.to_string(), &format!("set z{n}=1"));
            append(t, GRUB, &(0..9000).map(body).collect::<String>());
        }),
        unclear("refind", "does not read", |t| {
            t.write("iso/EFI/BOOT/refind.conf", "menuentry x { loader /live/vmlinuz }\n");
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso and mtools: cargo xtask test --full"]
fn other_loaders_and_places_are_read() {
    check(&[
        lacks("grub-in-the-efi-image", |t| {
            let text = entry("Evil", &format!("linux /live/vmlinuz {EVIL}"));
            fat(t, "iso/boot/efi.img", &[("EFI/debian/grub.cfg", text.as_bytes())]);
        }),
        lacks("configuration-in-grub", |t| {
            let modules = grub_modules(&format!("linux /live/vmlinuz {EVIL}\nboot\n"));
            fat(t, "iso/boot/efi.img", &[("EFI/BOOT/BOOTX64.EFI", &pe(&[("mods", &modules)]))]);
        }),
        lacks("configuration-in-grub-for-bios", |t| {
            let grub = grub_for_bios(t, &format!("linux /live/vmlinuz {EVIL}\nboot\n"));
            t.bytes("iso/boot/bios.img", &grub);
        }),
        lacks("variable-from-grubs-own-configuration", |t| {
            let modules = grub_modules("set p=quiet\n");
            fat(t, "iso/boot/efi.img", &[("EFI/BOOT/BOOTX64.EFI", &pe(&[("mods", &modules)]))]);
            let good = good();
            append(t, GRUB, &format!("if [ -z \"$p\" ]; then set p=\"{good}\"; fi\n"));
            evil(t, "linux /live/vmlinuz $p");
        }),
        lacks("isolinux", |t| {
            let text = format!("LABEL x\n  KERNEL /live/vmlinuz\n  APPEND {EVIL}\n");
            t.write("iso/isolinux/isolinux.cfg", &text);
        }),
        lacks("isolinux-include", |t| {
            t.write("iso/isolinux/isolinux.cfg", "include a.txt\ndefault vesamenu.c32\n");
            t.write("iso/isolinux/a.txt", "menu include sub/b.txt\n");
            let text = format!("label x\n menu label ^X\n linux /live/vmlinuz\n append {EVIL}\n");
            t.write("iso/isolinux/sub/b.txt", &text);
            t.write("iso/isolinux/a.txt", "MENU INCLUDE /isolinux/sub/b.txt\n");
        }),
        lacks("isolinux-default", |t| {
            let text = format!("DEFAULT /live/vmlinuz {EVIL}\nPROMPT 0\n");
            t.write("iso/isolinux/isolinux.cfg", &text);
        }),
        lacks("isolinux-menu-of-its-own", |t| {
            let first = "label more\n kernel menu.c32\n append /isolinux/more.txt\n";
            t.write("iso/isolinux/isolinux.cfg", first);
            let text = format!("append {EVIL}\nlabel x\n kernel /live/vmlinuz\n");
            t.write("iso/isolinux/more.txt", &text);
        }),
        lacks("isolinux-options-of-the-default", |t| {
            let good = good();
            let text = "DEFAULT x -- quiet\nLABEL x\n KERNEL /live/vmlinuz\n APPEND -\n";
            t.write("iso/isolinux/isolinux.cfg", &format!("APPEND {good}\n{text}"));
        }),
        lacks("syslinux-in-a-floppy-image", |t| {
            let text = format!("label x\n kernel vmlinuz\n append {EVIL}\n");
            fat(t, "iso/boot/bios.img", &[("syslinux.cfg", text.as_bytes())]);
        }),
        lacks("systemd-boot", |t| {
            let text = format!("title x\nlinux /live/vmlinuz\noptions quiet\noptions {EVIL}\n");
            fat(t, "iso/boot/efi.img", &[("loader/entries/x.conf", text.as_bytes())]);
        }),
        lacks("unified-kernel", |t| {
            let image = pe(&[(".linux", b"x"), (".cmdline", b"quiet")]);
            fat(t, "iso/boot/efi.img", &[("EFI/Linux/x.efi", &image)]);
        }),
        lacks("unified-kernel-without-a-line", |t| {
            t.bytes("iso/EFI/BOOT/BOOTX64.EFI", &pe(&[(".linux", b"x")]));
        }),
        lacks("kernel-as-efi-program", |t| {
            let mut image = kernel("6.12.57-amd64 ", 8192);
            image[..2].copy_from_slice(b"MZ");
            image[0x3c] = 0x40;
            image[0x40..0x44].copy_from_slice(b"PE\0\0");
            t.bytes("iso/EFI/BOOT/BOOTX64.EFI", &image);
        }),
        unclear("add-on", "add-on", |t| {
            t.bytes("iso/loader/addons/x.addon.efi", &pe(&[(".cmdline", b"quiet")]));
        }),
        unclear("entry-with-a-variable", "with a variable", |t| {
            let text = format!("linux /live/vmlinuz\noptions {} $opts\n", good());
            t.write("iso/loader/entries/x.conf", &text);
        }),
        unclear("module", "mboot.c32", |t| {
            let text = "label x\n kernel mboot.c32\n append xen.gz --- /live/vmlinuz\n";
            t.write("iso/isolinux/isolinux.cfg", text);
        }),
        unclear("broken-efi-image", "FAT", |t| {
            fat(t, "iso/boot/efi.img", &[("EFI/BOOT/BOOTX64.EFI", b"MZ")]);
            let mut image = fs::read(t.path("iso/boot/efi.img")).unwrap();
            image[0x16] = 0xff;
            image[0x17] = 0xff;
            t.bytes("iso/boot/efi.img", &image);
        }),
        unclear("boot-settings-behind-the-initramfs", "live/initrd.img", |t| {
            let mut initrd = cpio(&[("init", b"x")]);
            initrd.extend(b"kernel.mitigations=off\n\x17\0\0\0\0\0\0\0#BOOTCONFIG\n");
            t.bytes("iso/live/initrd.img", &initrd);
        }),
    ]);
}
