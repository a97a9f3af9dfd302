//! Images that hold the policy in another way than the sound one does.

use crate::make::{GRUB, append, cpio, entry, fat, good, grub_modules, kernel, pe, squashfs};
use crate::support::Tree;
use crate::{Case, check};
use std::fs;

fn holds(name: &'static str, make: fn(&Tree)) -> Case {
    Case { name, rule: "", says: "", make }
}

/// The menus that live-build and derivative-maker write: the same shape, with other contents.
fn live_build(tree: &Tree) {
    let linux = format!(
        "\tlinux\t/live/vmlinuz-6.12 rd.live.overlay.overlayfs=1 boot=live components splash \
         rd.live.image root=live:CDLABEL=TEST rd.live.dir=live rd.live.squashimg=filesystem.squashfs \
         {} iso-scan/filename=${{iso_path}}",
        good()
    );
    let body = |more: &str| format!("{linux}{more}\n\tinitrd\t/live/initrd.img-6.12");
    let menu = [
        "source /boot/grub/config.cfg\n\n# Live boot\n",
        &format!("menuentry \"LIVE Mode | USER Session\" --hotkey=l {{\n{}\n}}\n", body("")),
        &entry("LIVE Mode | SYSMAINT Session", &body(" boot-role=sysmaint")),
        "# Installer (if any)\nif false; then\n\nsubmenu 'Advanced install options ...' --hotkey=a {\n\n\
         \tsource /boot/grub/theme.cfg\n\n\tsource\t/boot/grub/install.cfg\n\n}\nfi\n",
        "submenu 'Utilities...' --hotkey=u {\n\n\tsource /boot/grub/theme.cfg\n\n\
         \t# Memtest (if any)\n\tif true; then\n\t\tsource /boot/grub/memtest.cfg\n\tfi\n\n\
         \t# Firmware setup (UEFI)\n\tif [ \"${grub_platform}\" = \"efi\" ]; then\n\
         \t\tmenuentry \"UEFI Firmware Settings\" {\n\t\t\tfwsetup\n\t\t}\n\tfi\n\n  if true; then\n    ",
        &entry("Verify integrity of the boot medium", &body(" rd.live.check")),
        "  fi\n}\nfunction load_kb_layout {\n  kb_layout_name=\"$1\"\n\n\
         \x20 if [ x$kb_layout_name = x ]; then\n    echo \"No layout! Press 'Enter'.\"\n    read\n\
         \x20   return 1\n  fi\n\n  if ! [ -f \"${prefix}/kb_layouts/${kb_layout_name}.gkb\" ]; then\n\
         \x20   read\n    return 1\n  fi\n\n  if ! terminal_input at_keyboard; then\n    return 1\n  fi\n\n\
         \x20 if ! keymap \"${prefix}/kb_layouts/${kb_layout_name}.gkb\"; then\n    return 1\n  fi\n\
         \x20 read\n  return 0\n}\n\n\
         submenu 'Keyboard layout options' $menuentry_id_option 'kb-layout-options' {\n\
         \x20 source /boot/grub/theme.cfg\n",
    ]
    .concat();
    let layouts: String = (0..60)
        .map(|n| {
            format!(
                "  menuentry \"SWITCH to layout 'l{n}'\" $menuentry_id_option 'switch-{n}' {{\n    \
                 load_kb_layout 'l{n}'\n  }}\n"
            )
        })
        .collect();
    tree.write(GRUB, &format!("{menu}{layouts}}}\n\n"));
    tree.write(
        "iso/boot/grub/config.cfg",
        "set default=0\nset timeout=30\n\n# Do not fix fonts here, you *will* break it.\n\
         if [ x$feature_default_font_path = xy ] ; then\n    font=unicode\nelse\n\
         \x20   font=$prefix/unicode.pf2\nfi\n\nif loadfont $font ; then\n    set gfxmode=800x600\n\
         \x20   set gfxpayload=keep\n    insmod efi_gop\nelse\n    set gfxmode=auto\n    insmod all_video\n\
         fi\n\ninsmod gfxterm\ninsmod png\n\nsource /boot/grub/theme.cfg\n\nterminal_output gfxterm\n\n\
         insmod play\nplay 960 440 1 0 4 440 1\n",
    );
    tree.write(
        "iso/boot/grub/theme.cfg",
        "set color_normal=light-gray/black\n\nif [ -e /boot/grub/splash.png ]; then\n\
         \x20   set theme=/boot/grub/live-theme/theme.txt\nelse\n    set menu_color_normal=cyan/blue\nfi\n",
    );
    tree.write(
        "iso/boot/grub/memtest.cfg",
        "if [ \"${grub_platform}\" = \"pc\" ] -a [ -e /live/memtest ]; then\n\
         \tmenuentry \"Memory Diagnostic Tool (memtest86+)\" --hotkey=m {\n\t\tlinux16 /live/memtest\n\t}\n\
         elif [ \"${grub_platform}\" = \"efi\" ] -a [ -e /live/memtest.efi ]; then\n\
         \tmenuentry \"Memory Diagnostic Tool (memtest86+)\" --hotkey=m {\n\t\tlinux /live/memtest.efi\n\t}\nfi\n",
    );
    tree.write("iso/boot/grub/loopback.cfg", "source /boot/grub/grub.cfg\n");
    tree.write("iso/boot/grub/i386-pc/command.lst", "*linux: linux\nmenuentry: normal\n");
    tree.bytes("iso/live/memtest.bin", &kernel("Memtest86+ v6.10", 150_000));
    tree.bytes("iso/live/memtest.efi", &kernel("Memtest86+ v6.10", 150_000));
    tree.bytes("iso/live/vmlinuz-6.12", &kernel("6.12.57+deb13-amd64 (x) ", 20_000));
    tree.bytes("iso/live/initrd.img-6.12", &cpio(&[("init", b"#!/bin/sh\n")]));
    tree.write("iso/.disk/info", "Kicksecure\n");
    let early = b"search --set=root --file /.disk/info\nset prefix=($root)/boot/grub\n\
                  configfile ($root)/boot/grub/grub.cfg\n";
    let modules = grub_modules(
        "if [ -z \"$prefix\" -o ! -e \"$prefix\" ]; then\n\tif ! search --file --set=root /.disk/info; \
         then\n\t\tsearch --file --set=root /.disk/mini-info\n\tfi\n\tset prefix=($root)/boot/grub\nfi\n\
         if [ -e $prefix/x86_64-efi/grub.cfg ]; then\n\tsource $prefix/x86_64-efi/grub.cfg\n\
         elif [ -e $prefix/grub.cfg ]; then\n\tsource $prefix/grub.cfg\nelse\n\
         \tsource $cmdpath/grub.cfg\nfi\n",
    );
    let files: [(&str, &[u8]); 3] = [
        ("EFI/boot/bootx64.efi", &pe(&[(".text", b"shim")])),
        ("EFI/boot/grubx64.efi", &pe(&[(".text", b"x"), ("mods", &modules)])),
        ("boot/grub/grub.cfg", early),
    ];
    fat(tree, "iso/boot/efi.img", &files);
}

#[test]
#[ignore = "needs mksquashfs, xorriso and mtools: cargo xtask test --full"]
fn other_shapes_hold_it_as_well() {
    check(&[
        holds("live-build", live_build),
        holds("parameters-in-a-variable", |t| {
            let (first, rest) =
                good().split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            let set = format!("set base=\"{first}\"\nset p=\"$base {rest}\"\nexport p\n");
            let body = entry("In", "linux ($root)/live/vmlinuz $p quiet");
            t.write(GRUB, &format!("{set}{body}submenu 'Advanced options' {{\n{body}}}\n"));
        }),
        holds("a-function-that-starts-it", |t| {
            let text = "function go {\n linux $1 $params $2\n initrd /live/initrd.img\n}\n";
            append(t, GRUB, &format!("{text}set params='{}'\n", good()));
            append(t, GRUB, &entry("F", "go /live/vmlinuz quiet"));
        }),
        holds("dashes-and-quotes", |t| {
            let line = good().replace("init_on_alloc=1", "'init-on-alloc=0' \"init-on-alloc=1\"");
            append(t, GRUB, &entry("D", &format!("linux /live/vmlinuz {line} -- single")));
        }),
        holds("parameters-after-three-dashes", |t| {
            append(
                t,
                GRUB,
                &entry("I", &format!("linux /live/vmlinuz vga=788 {} --- quiet", good())),
            );
        }),
        holds("isolinux", |t| {
            let main = "include menu.cfg\ndefault vesamenu.c32\nprompt 0\ntimeout 0\n";
            t.write("iso/isolinux/isolinux.cfg", main);
            t.write(
                "iso/isolinux/menu.cfg",
                "menu hshift 0\nmenu width 82\n\nmenu title Boot menu\ninclude stdmenu.cfg\n\
                 include live.cfg\nmenu begin utilities\n\tmenu title Utilities\n\tinclude utilities.cfg\n\
                 \tlabel mainmenu\n\t\tmenu label ^Back..\n\t\tmenu exit\nmenu end\nmenu clear\n",
            );
            t.write("iso/isolinux/stdmenu.cfg", "menu background splash.png\nmenu vshift 12\n");
            t.write(
                "iso/isolinux/live.cfg",
                &format!(
                    "label live-amd64\n\tmenu label ^Live system\n\tmenu default\n\tlinux /live/vmlinuz\n\
                     \tinitrd /live/initrd.img\n\tappend boot=live {}\n",
                    good()
                ),
            );
            t.write(
                "iso/isolinux/utilities.cfg",
                "label hdt\n\tmenu label ^Hardware Detection Tool (HDT)\n\tcom32 hdt.c32\n\
                 label memtest\n\tmenu label ^Memory Diagnostic Tool\n\tlinux /live/memtest\n",
            );
        }),
        holds("a-default-line-for-all-labels", |t| {
            let text = "DEFAULT x\nLABEL x\n KERNEL /live/vmlinuz initrd=/live/i\nLABEL y\n \
                        KERNEL /live/vmlinuz\n";
            t.write("iso/isolinux/isolinux.cfg", &format!("APPEND {}\n{text}", good()));
        }),
        holds("systemd-boot", |t| {
            let text =
                format!("title x\nlinux /live/vmlinuz\ninitrd /live/i\noptions {}\n", good());
            let files: [(&str, &[u8]); 2] = [
                ("loader/entries/x.conf", text.as_bytes()),
                ("loader/loader.conf", b"timeout 3\n"),
            ];
            fat(t, "iso/boot/efi.img", &files);
        }),
        holds("unified-kernel", |t| {
            let initrd = cpio(&[("init", b"x")]);
            let line = format!("{}\n\0", good());
            let sections: [(&str, &[u8]); 3] =
                [(".linux", b"x"), (".cmdline", line.as_bytes()), (".initrd", &initrd)];
            fat(t, "iso/boot/efi.img", &[("EFI/Linux/x.efi", &pe(&sections))]);
        }),
        holds("an-overlay-of-documents", |t| {
            squashfs(t, "iso/live/zz-docs.squashfs", &[("usr/share/doc/x/README", "x")]);
        }),
        holds("an-overlay-with-another-source", |t| {
            let text = crate::sources("trixie-fasttrack");
            squashfs(t, "iso/live/zz.squashfs", &[("etc/apt/sources.list.d/f.sources", &text)]);
        }),
        holds("links-as-systems-have-them", |t| {
            t.link("var/lib/dbus/machine-id", "/etc/machine-id");
            t.link("bin", "usr/bin");
            t.link("usr/bin/X11", ".");
            t.link("var/run", "/run");
            t.link("etc/mtab", "../proc/self/mounts");
            fs::rename(t.path("etc/apt/sources.list.d"), t.path("usr/lists")).unwrap();
            t.link("etc/apt/sources.list.d", "/usr/lists");
        }),
        holds("a-readme-about-booting", |t| {
            t.write(
                "iso/README.txt",
                "To boot by hand, type\n  linux /live/vmlinuz boot=live\nand don't forget the initrd.\n\
                 A label is a name; a kernel is a file.\n",
            );
        }),
        holds("local-disk-and-memory-test", |t| {
            append(t, GRUB, &entry("Local disk", "set root=(hd0)\nchainloader +1"));
            append(t, GRUB, &entry("Memory", "linux16 /boot/memtest86+.bin"));
            t.bytes("iso/boot/memtest86+.bin", &[0x90; 9000]);
        }),
        holds("initramfs-of-several-archives", |t| {
            let early = cpio(&[("kernel/x86/microcode/GenuineIntel.bin", b"m")]);
            t.gzip("part.gz", &cpio(&[("init", b"x"), ("etc/machine-id", b"")]), 0);
            let main = fs::read(t.path("part.gz")).unwrap();
            fs::remove_file(t.path("part.gz")).unwrap();
            t.bytes("iso/live/initrd.img", &[early, main].concat());
            append(
                t,
                GRUB,
                &entry("I", &format!("linux /live/vmlinuz {}\ninitrd /live/initrd.img", good())),
            );
        }),
    ]);
}
