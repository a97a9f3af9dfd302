//! For every known cause a pair of real images that has just that difference, and the cause that is
//! named. The images are made with mksquashfs, xorriso and mtools; without them a test is skipped and
//! says so, but in a full run (`--include-ignored`) it fails.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start diagnose and the tools that make images"
)]

#[macro_use]
mod support;

use support::{EPOCH, Pair, Side, Tree, md5, private_key, pyc};

/// One line a case: what differs, and the ids of the causes that are to be named, no others.
macro_rules! cases {
    ($($name:ident: $expected:expr, |$tree:ident, $side:ident| $make:block)*) => {$(
        #[test]
        fn $name() {
            needs_tools!();
            let make = |$tree: &Tree, $side: Side| $make;
            Pair::of_images(stringify!($name), make).names(&$expected);
        }
    )*};
}

/// The same for contents that prove nothing: unexplained, with the causes that they usually have.
macro_rules! hints {
    ($($name:ident: $causes:expr, $usually:expr, |$tree:ident, $side:ident| $make:block)*) => {$(
        #[test]
        fn $name() {
            needs_tools!();
            let make = |$tree: &Tree, $side: Side| $make;
            Pair::of_images(stringify!($name), make).hints(&$causes, &$usually);
        }
    )*};
}

cases! {
    nvme_hostid: ["nvme-hostid"], |tree, side| {
        tree.write("etc/nvme/hostid", side.pick(
            "11c8ad9c-9be1-4d60-91f4-2c0c0f4be6a2\n", "e80aa7f2-02ae-4c9a-8c55-4a79f96a1b7d\n"));
        tree.write("etc/nvme/hostnqn", side.pick(
            "nqn.2014-08.org.nvmexpress:uuid:11c8ad9c-9be1-4d60-91f4-2c0c0f4be6a2\n",
            "nqn.2014-08.org.nvmexpress:uuid:e80aa7f2-02ae-4c9a-8c55-4a79f96a1b7d\n"));
    }
    machine_id: ["machine-id"], |tree, side| {
        tree.write("etc/machine-id", side.pick(
            "5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n", "9a31d0e24a1146cda1c6a5f3ce8d7b20\n"));
    }
    ssh_host_keys: ["ssh-host-keys"], |tree, side| {
        tree.write("etc/ssh/ssh_host_ed25519_key.pub", side.pick(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHb1root root@alpha\n",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKc9sbin root@beta\n"));
    }
    tls_keys: ["tls-keys"], |tree, side| {
        tree.write("etc/ssl/private/ssl-cert-snakeoil.key", &private_key(side.pick(3, 5)));
    }
    random_id_somewhere: ["random-id"], |tree, side| {
        tree.write("etc/some.conf", side.pick(
            "id = 6ba7b810-9dad-11d1-80b4-00c04fd430c8\n", "id = c1f0a293-52e6-4b07-9d3a-e85b7f216d40\n"));
    }
    random_hex_somewhere: ["random-id"], |tree, side| {
        tree.write("var/lib/x/state", side.pick(
            "token: 2e11f281c9c56da9\n", "token: 8d1fabe561cab8c4\n"));
    }
    dkms_logs: ["dkms-logs"], |tree, side| {
        tree.write("var/lib/dkms/tirdad/0.1/6.12/x86_64/log/make.log", side.pick(
            "DKMS make.log\nSun Nov 22 01:02:03 UTC 2026\n", "DKMS make.log\nMon Nov 23 04:05:06 UTC 2026\n"));
    }
    logs: ["logs"], |tree, side| {
        tree.write("var/log/dpkg.log", side.pick(
            "2026-11-22 01:02:03 startup packages configure\n", "2026-11-23 04:05:06 startup packages configure\n"));
    }
    compiled_python: ["pyc"], |tree, side| {
        tree.bytes("usr/lib/python3/__pycache__/x.cpython-313.pyc",
            &pyc(side.pick(1_780_000_100, 1_780_000_222), b"\0code"));
    }
    fontconfig: ["fontconfig"], |tree, side| {
        tree.write("usr/share/fonts/truetype/.uuid", side.pick(
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "c1f0a293-52e6-4b07-9d3a-e85b7f216d40"));
    }
    apt_lists: ["apt-lists"], |tree, side| {
        tree.write("var/lib/apt/lists/h_debian_dists_trixie_InRelease", side.pick(
            "Date: Sun, 22 Nov 2026 01:02:03 UTC\n", "Date: Mon, 23 Nov 2026 01:02:03 UTC\n"));
    }
    mdadm_conf: ["mdadm-conf"], |tree, side| {
        tree.write("etc/mdadm/mdadm.conf", side.pick(
            "# This configuration was auto-generated on Sun, 22 Nov 2026 01:02:03 +0000 by mkconf\n",
            "# This configuration was auto-generated on Mon, 23 Nov 2026 04:05:06 +0000 by mkconf\n"));
    }
    info_dir: ["info-dir"], |tree, side| {
        tree.write("usr/share/info/dir", side.pick("* A\n* B\n", "* B\n* A\n"));
    }
    shadow_days: ["shadow-days"], |tree, side| {
        tree.write("etc/shadow", side.pick(
            "root:*:20560:0:99999:7:::\nuser:!:20560:0:99999:7:::\n",
            "root:*:20561:0:99999:7:::\nuser:!:20561:0:99999:7:::\n"));
    }
    date_in_a_content: ["build-time"], |tree, side| {
        tree.write("usr/share/doc/x/buildinfo", side.pick(
            "built: Sun Nov 22 01:02:03 UTC 2026\n", "built: Mon Nov 23 04:05:06 UTC 2026\n"));
        tree.write("etc/stamp", side.pick("1795317901\n", "1795403542\n"));
    }
    duration_in_a_content: ["measured-time"], |tree, side| {
        tree.write("usr/share/x/result", side.pick("done, took 12.5 seconds\n", "done, took 13.1 seconds\n"));
    }
    time_zone: ["time-zone"], |tree, side| {
        tree.write("usr/share/x/made", side.pick(
            "made Sun Nov 22 01:02:03 UTC 2026\n", "made Sun Nov 22 02:02:03 CET 2026\n"));
    }
    time_zone_files: ["time-zone-files"], |tree, side| {
        tree.write("etc/timezone", side.pick("Etc/UTC\n", "Europe/Berlin\n"));
        tree.link("etc/localtime", side.pick("/usr/share/zoneinfo/Etc/UTC", "/usr/share/zoneinfo/Europe/Berlin"));
    }
    locale_of_a_content: ["locale"], |tree, side| {
        tree.write("etc/x.conf", side.pick("LANG=C.UTF-8\n", "LANG=de_DE.UTF-8\n"));
    }
    locale_of_a_date: ["locale"], |tree, side| {
        tree.write("etc/x.conf", side.pick(
            "# Sun Dec 20 01:02:03 UTC 2026\n", "# So 20. Dez 01:02:03 UTC 2026\n"));
    }
    order_by_locale: ["locale-order"], |tree, side| {
        tree.write("etc/x.list", side.pick("B\nC\na\nd\n", "a\nB\nC\nd\n"));
    }
    order_of_lines: ["line-order"], |tree, side| {
        tree.write("etc/x.list", side.pick("m\na\nz\nb\n", "z\nm\nb\na\n"));
    }
    order_of_keys: ["line-order"], |tree, side| {
        tree.write("etc/x.pl", side.pick(
            "$VAR = { 'b' => 1, 'a' => 2 };\n", "$VAR = { 'a' => 2, 'b' => 1 };\n"));
    }
    host_name: ["host-name"], |tree, side| {
        let host = side.pick("alpha", "beta-7");
        tree.write("etc/hostname", &format!("{host}\n"));
        tree.write("etc/hosts", &format!("127.0.0.1 localhost\n127.0.1.1 {host}\n"));
        tree.write("usr/share/x/by", &format!("compiled by root@{host} with gcc\n"));
        tree.write("usr/share/x/uname", &format!("Linux {host} 6.1.0-13-amd64 #1 SMP x86_64\n"));
    }
    build_path: ["build-path"], |tree, side| {
        let path = side.pick("/build/one", "/srv/two/deep");
        tree.write("usr/lib/x/config.status", &format!("srcdir={path}/src\nabs_builddir={path}\n"));
        tree.write("usr/lib/x/y.la", &format!("libdir='{path}/lib'\n"));
    }
    build_path_in_a_binary: ["build-path"], |tree, side| {
        let path = side.pick("/build/one", "/build/two");
        for name in ["usr/lib/x.o", "usr/lib/y.o"] {
            tree.write(name, &format!("\u{7f}OBJ\u{0}\u{1}{path}/src/main.c\u{0}\u{2}\u{0}GCC 14\u{0}"));
        }
    }
    user_name: ["user-name"], |tree, side| {
        let user = side.pick("carol", "dave");
        tree.write("usr/share/x/by", &format!("packaged by {user} today\n"));
        tree.write("usr/share/x/env", &format!("USER={user}\nHOME=/home/{user}\n"));
    }
    temporary_name: ["temporary-name"], |tree, side| {
        let name = side.pick("tmp.aB3xYz9Q", "tmp.Qw9eRt1z");
        tree.write("usr/share/x/log.txt", &format!("in /tmp/{name}/x\n"));
    }
    number_of_cpus: ["cpus"], |tree, side| {
        let n = side.pick("2", "16");
        tree.write("usr/share/x/make", &format!("make -j{n}\nnproc: {n}\n"));
    }
    kernel_of_the_host: ["host-kernel"], |tree, side| {
        tree.write("usr/share/x/uname", side.pick(
            "Linux version 6.1.0-13-amd64 (gcc)\n", "Linux version 6.18.44-fc (gcc)\n"));
    }
    some_string_in_two_files: ["environment-string"], |tree, side| {
        let word = side.pick("quux", "frob");
        tree.write("etc/a.conf", &format!("flavour {word}\n"));
        tree.write("etc/b.conf", &format!("x {word} y\n"));
    }
    umask: ["umask"], |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.mode("etc/x.conf", side.pick(0o644, 0o600));
        tree.dir("etc/x.d");
        tree.mode("etc/x.d", side.pick(0o755, 0o700));
    }
    packages: ["packages"], |tree, side| {
        let version = side.pick("5.2.37-2", "5.2.37-3");
        tree.write("var/lib/dpkg/status", &format!(
            "Package: bash\nStatus: install ok installed\nVersion: {version}\n\nPackage: dash\nStatus: install ok installed\nVersion: 1\n"));
        tree.write("var/lib/dpkg/info/bash.list", "/.\n/bin\n/bin/bash\n/usr\n/usr/share\n/usr/share/doc\n/usr/share/doc/bash\n");
        let program = format!("\u{7f}OBJ\u{0}{version}\u{0}");
        let text = format!("bash {version}, {}\n", side.pick("old words", "new ones"));
        tree.write("usr/bin/bash", &program);
        tree.write("usr/share/doc/bash", &text);
        tree.write("var/lib/dpkg/info/bash.md5sums",
            &format!("{}  bin/bash\n{}  usr/share/doc/bash\n", md5(&program), md5(&text)));
    }
    links_of_the_host: ["efi-theme"], |tree, side| {
        tree.link("etc/default/grub.d/30_theme.cfg", side.pick("/usr/share/efi", "/usr/share/bios"));
    }
    private_key_somewhere: ["random-id"], |tree, side| {
        tree.write("opt/app/server.key", side.pick(
            "-----BEGIN PRIVATE KEY-----\nMIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC72foozNrK8p9h\n\
             +AO6ycHnlwKBgE8cqwKl8fidiaos+/4EM7JXMvERtCfVC7NV0vses43lSqB77MeU\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDXamtZ3LWs13G1\n\
             /70n8i1rgAl89JHHHjp6uTXAPziB2yCWG4geLxmLgZ9eTgNF9/EW4k2aBlXz1Nf1\ngvYXddYwjAap5gH3qLC5Gg==\n\
             -----END PRIVATE KEY-----\n"));
    }
    host_ids: ["host-ids"], |tree, side| {
        tree.write("etc/iscsi/initiatorname.iscsi", side.pick(
            "InitiatorName=iqn.1993-08.org.debian:01:2e11f281c9c5\n", "InitiatorName=iqn.1993-08.org.debian:01:8d1fabe561ca\n"));
    }
    umask_in_a_content: ["umask-content"], |tree, side| {
        tree.write("usr/share/x/env", side.pick("umask 0022\n", "umask 0077\n"));
    }
    recompressed_members: ["recompressed"], |tree, side| {
        let text: String = (0..3000).map(|n| format!("line {}\n", n * 7919 % 1013)).collect();
        tree.packed("usr/share/x.txt.xz", "xz", side.pick("-0", "-9"), text.as_bytes());
    }
    level_in_a_gzip_header: ["compression-header"], |tree, side| {
        let text: String = (0..3000).map(|n| format!("line {}\n", n * 7919 % 1013)).collect();
        tree.packed("usr/share/x.txt.gz", "gzip", side.pick("-n1", "-n9"), text.as_bytes());
    }
    times_and_order_in_an_archive: ["archive-order", "mtime-archive"], |tree, side| {
        tree.tar("usr/src/x.tar", &side.pick(["a", "b"], ["b", "a"]), EPOCH + side.pick(0, 9));
    }
    checksums_follow: ["build-time"], |tree, side| {
        let made = side.pick("2026-11-22 01:02:03\n", "2026-11-23 04:05:06\n");
        tree.write("usr/share/x/made", made);
        tree.write("usr/share/x/md5sums", &format!("{}  usr/share/x/made\n", md5(made)));
    }
}

hints! {
    backups: [], ["backups"], |tree, side| {
        tree.write("etc/passwd-", side.pick("root:x:0:0\n", "root:x:0:0\na:x:1:1\n"));
        tree.write("var/lib/ucf/hashfile", side.pick("a\n", "b\n"));
    }
    ldconfig_aux_cache: [], ["ldconfig-aux-cache"], |tree, side| {
        tree.write("var/cache/ldconfig/aux-cache", side.pick("glibc-ld.so\u{0}1", "glibc-ld.so\u{0}2"));
    }
    systemd_catalog: [], ["systemd-catalog"], |tree, side| {
        tree.write("var/lib/systemd/catalog/database", side.pick("RHHHKSLP\u{0}1", "RHHHKSLP\u{0}2"));
    }
    apt_cache: [], ["apt-cache"], |tree, side| {
        tree.write("var/cache/apt/pkgcache.bin", side.pick("a\u{0}", "b\u{0}"));
    }
    appstream_cache: [], ["appstream-cache"], |tree, side| {
        tree.write("var/cache/swcatalog/cache/C-os-catalog.xb", side.pick("a\u{0}1", "b\u{0}2"));
    }
    vlc_plugins: [], ["vlc-plugins"], |tree, side| {
        tree.write("usr/lib/x86_64-linux-gnu/vlc/plugins/plugins.dat", side.pick("ab\u{0}", "ba\u{0}"));
    }
    temporary_files: [], ["temporary-files"], |tree, side| {
        tree.write(side.pick("tmp/one", "tmp/two"), "x");
        tree.write("root/.cache/x", side.pick("1", "2"));
    }
    other_caches: [], ["icon-cache", "man-cache", "tex-formats"], |tree, side| {
        tree.write("usr/share/icons/hicolor/icon-theme.cache", side.pick("a\u{0}1", "b\u{0}2"));
        tree.write("var/cache/man/index.db", side.pick("a\u{0}1", "b\u{0}2"));
        tree.write("var/lib/texmf/web2c/tex.fmt", side.pick("a\u{0}1", "b\u{0}2"));
    }
    random_seed: [], ["random-seed"], |tree, side| {
        tree.write("var/lib/systemd/random-seed", side.pick("\u{1}abc\u{0}", "\u{2}xyz\u{0}"));
    }
    mirror: ["mirror"], ["apt-lists"], |tree, side| {
        let host = side.pick("one.example", "two.example");
        tree.write("etc/apt/sources.list", &format!("deb http://{host}/debian trixie main\n"));
        tree.write(&format!("var/lib/apt/lists/{host}_debian_dists_trixie_InRelease"), "x\n");
    }
    a_mirror_that_nobody_built_from: [], ["-"], |tree, side| {
        tree.write("etc/apt/sources.list", side.pick(
            "deb http://one.example/debian trixie main\n", "deb http://evil.example/debian trixie main\n"));
    }
    what_only_looks_like_a_cause: [], ["-"], |tree, side| {
        tree.write("usr/lib/auth.py", &format!("def ok(p):\n    if p[{}]:\n        return True\n", side.pick(0, 1)));
        tree.write("etc/cron.daily/x", &format!("[ \"$(date)\" = \"{}\" ]\n", side.pick("May 28 03:25:01", "Dec 24 23:59:59")));
        tree.write("etc/cron.d/x", &format!("0 3 * * * root {}/backup.sh\n", side.pick("/home/admin", "/tmp/evil")));
        tree.write("etc/x.ini", side.pick("[safe]\nopen=no\n[public]\nopen=yes\n", "[safe]\nopen=yes\n[public]\nopen=no\n"));
        tree.bytes("etc/conf", side.pick(b"PermitRootLogin no\n", b"PermitRootLogin no\n\0\0\0\0"));
        tree.write("boot/grub/x.cfg", &format!("search --fs-uuid --set=root {}\n", side.pick("2026-05-28-20-26-40-00", "2026-06-02-04-11-17-00")));
        tree.link("etc/default/grub.d/x.cfg", side.pick("/usr/share/grub/theme.cfg", "/tmp/evil.cfg"));
    }
    one_digit_of_an_id: [], ["machine-id"], |tree, side| {
        tree.write("etc/machine-id", side.pick(
            "5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n", "5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a2\n"));
    }
    permissions_of_one_file: [], ["mode"], |tree, side| {
        tree.write("usr/bin/x", "x\n");
        tree.mode("usr/bin/x", side.pick(0o644, 0o755));
    }
    one_file_that_others_may_read: [], ["mode"], |tree, side| {
        tree.write("etc/keys", "x\n");
        tree.mode("etc/keys", side.pick(0o640, 0o644));
    }
    lists_of_passwords_that_others_may_read: [], ["mode"], |tree, side| {
        for name in ["etc/shadow", "etc/gshadow"] {
            tree.write(name, "x\n");
            tree.mode(name, side.pick(0o640, 0o644));
        }
    }
    a_umask_beside_a_program_that_runs_as_root: [], ["mode"], |tree, side| {
        for name in ["etc/x", "etc/y"] {
            tree.write(name, "x\n");
            tree.mode(name, side.pick(0o644, 0o600));
        }
        tree.write("usr/bin/x", "x\n");
        tree.mode("usr/bin/x", side.pick(0o4755, 0o4700));
    }
    a_path_of_a_build_in_one_file_alone: [], ["-"], |tree, side| {
        tree.write("etc/environment", side.pick("PWD=/build/a\n", "PWD=/build/b\n"));
    }
    checksums_of_a_file_in_another_folder: ["build-time"], ["-"], |tree, side| {
        let made = side.pick("2026-11-22 01:02:03\n", "2026-11-23 04:05:06\n");
        tree.write("usr/share/x/made", made);
        tree.write("etc/md5sums", &format!("{}  made\n", md5(made)));
    }
    one_file_that_others_may_write: [], ["mode"], |tree, side| {
        tree.write("etc/passwd", "x\n");
        tree.mode("etc/passwd", side.pick(0o644, 0o666));
    }
    checksums_of_another_file: ["build-time"], ["-"], |tree, side| {
        let made = side.pick("2026-11-22 01:02:03\n", "2026-11-23 04:05:06\n");
        tree.write("usr/share/x/made", made);
        tree.write("etc/passwd", "x\n");
        tree.write("etc/md5sums", &format!("{}  passwd\n", md5(made)));
    }
    a_package_that_stands_there_twice: [], ["-"], |tree, side| {
        let sudo = "Package: sudo\nStatus: deinstall ok config-files\nVersion: 1\n\n";
        let bash = side.pick("Package: bash\nVersion: 1\n\n", "Package: bash\nVersion: 2\n\nPackage: sudo\nVersion: 1\n\n");
        tree.write("var/lib/dpkg/status", &format!("{bash}{sudo}"));
    }
    time_in_a_binary: [], ["build-time"], |tree, side| {
        let mut bytes = b"\x7fBIN\0\0\0\0".to_vec();
        bytes.extend(side.pick(1_795_317_901_u32, 1_795_403_542).to_le_bytes());
        bytes.extend([0, 200, 1, 3]);
        tree.bytes("usr/lib/x.db", &bytes);
    }
    locale_files: ["locale"], ["locale-files"], |tree, side| {
        tree.write("etc/default/locale", side.pick("LANG=C.UTF-8\n", "LANG=de_DE.UTF-8\n"));
        if side == Side::B { tree.write("usr/lib/locale/de_DE.utf8/LC_TIME", "x"); }
    }
    fontconfig_caches: [], ["fontconfig"], |tree, side| {
        tree.write(side.pick("var/cache/fontconfig/a1.cache-9", "var/cache/fontconfig/b2.cache-9"), "x");
    }
    logs_with_other_words: [], ["logs"], |tree, side| {
        tree.write("var/log/dpkg.log", side.pick("2026-11-22 01:02:03 configure a\n", "2026-11-23 04:05:06 configure b\n"));
        if side == Side::A { tree.write("var/log/alternatives.log", "x\n"); }
    }
    compiled_python_with_other_code: [], ["pyc"], |tree, side| {
        tree.bytes("usr/lib/x.pyc", &pyc(1_780_000_100, side.pick(b"\0code", b"\0evil")));
        if side == Side::B { tree.write("usr/lib/y.pyc", "y"); }
    }
    keys_that_are_none: [], ["keystore", "machine-id", "tls-keys"], |tree, side| {
        tree.write("etc/ssl/private/ssl-cert-snakeoil.key", side.pick("key one", "another key"));
        tree.write("etc/ssl/certs/java/cacerts", side.pick("\u{1}\u{2}x", "\u{1}\u{3}yz"));
        tree.write("etc/machine-id", side.pick("", "uninitialized\n"));
    }
    a_file_that_is_not_as_its_package_says: ["packages"], ["-"], |tree, side| {
        tree.write("var/lib/dpkg/status", &format!(
            "Package: bash\nStatus: install ok installed\nVersion: {}\n", side.pick(1, 2)));
        tree.write("var/lib/dpkg/info/bash.md5sums", &format!("{}  bin/bash\n", md5("good")));
        tree.write("usr/bin/bash", side.pick("good", "evil"));
    }
    a_checksum_that_is_none: ["build-time"], ["-"], |tree, side| {
        tree.write("usr/share/x/made", side.pick("2026-11-22 01:02:03\n", "2026-11-23 04:05:06\n"));
        tree.write("usr/share/x/md5sums", side.pick(
            "0123456789abcdef0123456789abcdef  usr/share/x/made\n",
            "fedcba9876543210fedcba9876543210  usr/share/x/made\n"));
    }
    a_program_that_runs_as_root: [], ["mode"], |tree, side| {
        tree.write("usr/bin/x", "x\n");
        tree.mode("usr/bin/x", side.pick(0o755, 0o4755));
    }
    orders_that_decide: [], ["-", "build-time"], |tree, side| {
        let lines = side.pick("auth required a.so\nauth sufficient b.so", "auth sufficient b.so\nauth required a.so");
        tree.write("etc/pam.d/login", &format!("{lines}\n"));
        tree.write("usr/share/x/run", &format!("#!/bin/sh\n# {}\n{lines}\n", side.pick("2026-05-28", "2026-05-29")));
    }
    dates_that_changed_places: [], ["-"], |tree, side| {
        let (x, y) = side.pick(("2026-05-28", "2026-06-02"), ("2026-06-02", "2026-05-28"));
        tree.write("usr/share/x/policy", &format!("not before {x}\nnot after {y}\n"));
    }
    settings_are_no_ids_times_or_strings_of_the_environment: [], ["-"], |tree, side| {
        tree.write("etc/a.conf", &format!("User={}\nTimeout={}s\n", side.pick("nobody", "root"), side.pick(90, 15)));
        tree.write("etc/b.conf", &format!("PermitRootLogin {}\n", side.pick("no", "yes")));
        tree.write("etc/c.conf", &format!("PasswordAuthentication {}\n", side.pick("no", "yes")));
        tree.write("etc/hosts", &format!("{} example.org\n", side.pick("10.0.0.1", "10.6.6.6")));
        tree.write("etc/x.service", &format!("ExecStart=/opt/{}/run\n", side.pick("good", "evil")));
        tree.write("etc/x.timer", &format!("OnCalendar=*-*-* {}\n", side.pick("03:00:00", "06:00:00")));
        tree.write("etc/profile", &format!("umask {}\n", side.pick("0022", "0000")));
        tree.write("etc/fingerprint", &format!("sha256: {}\n", side.pick("83c0aef1d2b4c6e8", "1a2b3c4d5e6f7a8b")));
        tree.write("usr/bin/start", &format!("#!/bin/sh\n{}\n", side.pick("first\nsecond", "second\nfirst")));
    }
}

/// Times of entries, which the tree of a case has clamped.
#[test]
fn times_in_a_squashfs() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("etc/x.conf", "x\n");
        tree.time("etc/x.conf", side.pick(EPOCH, EPOCH + 86_421));
    };
    Pair::of_images("mtime", make).names(&["mtime-squashfs"]);
}

#[test]
fn owner_who_built() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("etc/x.conf", "x\n");
        tree.pseudo(&format!("etc/x.conf m 644 {0} {0}", side.pick(0, 1000)));
    };
    Pair::of_images("owner", make).names(&["builder-owner"]);
}

#[test]
fn system_user_by_order() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        let number = side.pick(101, 102);
        tree.write("etc/x.conf", "x\n");
        tree.write("etc/passwd", &format!("sshd:x:{number}:65534::/:/bin/false\n"));
        tree.write("etc/group", &format!("sshd:x:{number}:\n"));
        tree.pseudo(&format!("etc/x.conf m 644 {number} {number}"));
    };
    Pair::of_images("system-owner", make).names(&["account-numbers", "system-owner"]);
    let make = |tree: &Tree, side: Side| {
        tree.write("etc/x.conf", "x\n");
        tree.write("etc/group", "shadow:x:42:\nusers:x:100:\n");
        tree.pseudo(&format!("etc/x.conf m 640 0 {}", side.pick(42, 100)));
    };
    Pair::of_images("other-group", make).hints(&[], &["-"]);
}

#[test]
fn extended_attributes() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("usr/bin/x", "x\n");
        tree.attribute("usr/bin/x", "user.origin", side.pick("one", "two"));
    };
    let pair = Pair::of_images("xattr", make);
    pair.hints(&[], &["xattrs"]);
    assert_eq!(pair.json("image.iso")["contents_differ"], true);
}

#[test]
fn hard_links() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write("usr/bin/x", "the same\n");
        match side {
            Side::A => tree.hard_link("usr/bin/x", "usr/bin/y"),
            Side::B => tree.write("usr/bin/y", "the same\n"),
        }
    };
    Pair::of_images("links", make).names(&["hard-links"]);
}

#[test]
fn superblock_time() {
    needs_tools!();
    let pair = Pair::new("mkfs-time", |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.squashfs(&[], EPOCH + side.pick(0, 77));
    });
    pair.names_in("filesystem.squashfs", &["mkfs-time"]);
}

#[test]
fn compressors() {
    needs_tools!();
    for (a, b) in [("xz", "zstd"), ("gzip", "lz4"), ("xz", "lzo")] {
        let pair = Pair::new("compressor", |tree, side| {
            tree.write("etc/x.conf", &"some text\n".repeat(500));
            tree.squashfs(&["-comp", side.pick(a, b)], EPOCH);
        });
        pair.names_in("filesystem.squashfs", &["compressor"]);
    }
}

#[test]
fn block_size() {
    needs_tools!();
    let pair = Pair::new("block-size", |tree, side| {
        tree.write("etc/x.conf", &"some text\n".repeat(50_000));
        tree.squashfs(&["-b", side.pick("131072", "1048576")], EPOCH);
    });
    pair.names_in("filesystem.squashfs", &["compressor"]);
}

/// The blocks are equal; their compressed forms are not.
#[test]
fn other_level_of_a_compressor() {
    needs_tools!();
    let pair = Pair::new("repacked", |tree, side| {
        let text: String =
            (0..20_000).map(|n| format!("{} some text {}\n", n * 7919 % 10_007, n)).collect();
        tree.write("usr/share/x.txt", &text);
        tree.squashfs(side.pick(&["-noD"], &["-no-fragments"]), EPOCH);
    });
    pair.names_in("filesystem.squashfs", &["compressor"]);
}

#[test]
fn volume_dates() {
    needs_tools!();
    let pair = Pair::new("volume-dates", |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.squashfs(&[], EPOCH);
        tree.iso(&["--modification-date", side.pick("2026112203250100", "2026112303250100")]);
    });
    pair.names_in("image.iso", &["volume-dates"]);
}

#[test]
fn what_says_where_the_boot_image_lies_follows() {
    needs_tools!();
    let pair = Pair::new("boot-info", |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.squashfs(&[], EPOCH);
        // each folder takes a sector before the files
        tree.dir(side.pick("iso/boot", "iso/folder"));
        tree.bytes("iso/boot/eltorito.img", &[0x90; 4096]);
        let boot = ["-b", "boot/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"];
        tree.iso(&[&boot[..], &["-boot-info-table", "--grub2-boot-info"]].concat());
    });
    let json = pair.json("image.iso");
    let follows: Vec<_> = json["follows"].as_array().unwrap().iter().map(|x| &x["place"]).collect();
    assert!(follows.contains(&&"boot/eltorito.img".into()), "{json:#}");
    assert!(follows.contains(&&"boot.catalog".into()), "{json:#}");
    let unexplained = json["unexplained"].as_array().unwrap();
    let folder = |item: &serde_json::Value| item["place"].as_str().unwrap().ends_with("folder");
    assert!(!unexplained.is_empty() && unexplained.iter().all(folder), "{json:#}");
}

#[test]
fn volume_label() {
    needs_tools!();
    let pair = Pair::new("volume-label", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.iso(&["-V", side.pick("ONE", "TWO")]);
    });
    pair.names_in("image.iso", &["volume-names"]);
}

#[test]
fn disk_guid() {
    needs_tools!();
    let guid = ["6ba7b8109dad11d180b400c04fd430c8", "7ba7b8119dad41d180b410c04fd430c8"];
    let pair = Pair::new("disk-guid", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.fat("efi.img", "12345678");
        let efi = tree.path("efi.img").display().to_string();
        tree.iso(&[
            "-append_partition",
            "2",
            "0xef",
            &efi,
            "-appended_part_as_gpt",
            "--gpt_disk_guid",
            side.pick(guid[0], guid[1]),
        ]);
    });
    pair.names_in("image.iso", &["disk-guid"]);
}

#[test]
fn fat_serial() {
    needs_tools!();
    let pair = Pair::new("fat-serial", |tree, side| {
        tree.fat("iso/boot/efi.img", side.pick("12345678", "87654321"));
        tree.squashfs(&[], EPOCH);
        tree.iso(&[]);
    });
    pair.names_in("image.iso", &["fat-serial"]);
}

#[test]
fn times_of_files_in_the_iso() {
    needs_tools!();
    let pair = Pair::new("iso-times", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.write("iso/README.txt", "x\n");
        tree.iso_at("README.txt", side.pick(EPOCH, EPOCH + 3_601));
    });
    pair.names_in("image.iso", &["mtime-iso"]);
}

#[test]
fn gzip_header() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.gzip("usr/share/man/x.1.gz", b"some text\n", side.pick(0, 1_795_317_901));
    };
    Pair::of_images("gzip", make).names(&["gzip-time"]);
}

#[test]
fn initramfs_times_and_order() {
    needs_tools!();
    let files = |side: Side| if side == Side::A { ["a", "b", "c"] } else { ["b", "c", "a"] };
    let pair = Pair::new("initramfs-order", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.initrd("iso/live/initrd.img", &files(side), EPOCH);
        tree.iso(&[]);
    });
    pair.names_in("image.iso", &["initramfs-order"]);
    let pair = Pair::new("initramfs-times", |tree, side| {
        tree.squashfs(&[], EPOCH);
        tree.initrd("iso/live/initrd.img", &["a", "b"], EPOCH + side.pick(0, 99));
        tree.iso(&[]);
    });
    pair.names_in("image.iso", &["mtime-initramfs"]);
}

/// The tree is equal, and so are all options: only where the blocks lie is not.
#[test]
fn order_of_blocks() {
    needs_tools!();
    let pair = Pair::new("block-order", |tree, side| {
        for n in 0..20 {
            tree.write(&format!("usr/share/{n}"), &format!("text {n}\n").repeat(999));
        }
        let order = |n: i32| format!("usr/share/{n} {}\n", side.pick(n, -n));
        let sort = tree.dir.join("sort");
        std::fs::write(&sort, (0..20).map(order).collect::<String>()).unwrap();
        tree.squashfs(&["-no-fragments", "-sort", &sort.display().to_string()], EPOCH);
    });
    pair.names_in("filesystem.squashfs", &["squashfs-repacked"]);
}

#[test]
fn a_folder_that_only_one_side_has_is_one_line_that_names_what_is_in_it() {
    needs_tools!();
    let pair = Pair::of_images("only-in", |tree, side| {
        tree.write("etc/x", "x\n");
        if side == Side::B {
            tree.write("opt/tool/bin/run", "x\n");
            tree.write("opt/tool/__pycache__/run.pyc", "x\n");
        }
    });
    let json = pair.json("image.iso");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    let items = json["unexplained"].as_array().unwrap();
    let folder = items.iter().find(|item| item["place"] == "live/filesystem.squashfs!opt").unwrap();
    assert_eq!(folder["what"], "only in B (dir, and 5 entries in it)", "{json:#}");
    let named = folder["excerpt"].as_array().unwrap();
    assert!(named.contains(&"+ opt/tool/bin/run".into()), "{json:#}");
}

#[test]
fn ten_causes_at_once() {
    needs_tools!();
    let pair = Pair::new("ten", |tree, side| {
        tree.write(
            "etc/nvme/hostid",
            side.pick(
                "11c8ad9c-9be1-4d60-91f4-2c0c0f4be6a2\n",
                "e80aa7f2-02ae-4c9a-8c55-4a79f96a1b7d\n",
            ),
        );
        tree.write(
            "etc/machine-id",
            side.pick("5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n", "9a31d0e24a1146cda1c6a5f3ce8d7b20\n"),
        );
        tree.write(
            "var/log/dpkg.log",
            side.pick("2026-11-22 03:25:01 x\n", "2026-11-23 04:11:17 x\n"),
        );
        tree.bytes("usr/lib/x.pyc", &pyc(side.pick(1_780_000_100, 1_780_000_222), b"\0code"));
        tree.write("etc/shadow", side.pick("root:*:20560:0:::::\n", "root:*:20561:0:::::\n"));
        tree.write("etc/hostname", side.pick("alpha\n", "beta\n"));
        tree.write("etc/x.list", side.pick("m\na\nz\n", "z\nm\na\n"));
        tree.write("etc/made", side.pick("on 2026-11-22 03:25:01\n", "on 2026-11-23 04:11:17\n"));
        for name in ["etc/build.env", "etc/build.txt"] {
            tree.write(name, side.pick("PWD=/build/a\n", "PWD=/build/b\n"));
        }
        tree.write("etc/late", "x\n");
        tree.time("etc/late", side.pick(EPOCH, EPOCH + 5));
        for name in ["etc/mode", "etc/mode.too"] {
            tree.write(name, "x\n");
            tree.mode(name, side.pick(0o644, 0o600));
        }
        tree.squashfs(&["-comp", "xz"], EPOCH + side.pick(0, 3));
        tree.iso(&["--modification-date", side.pick("2026112203250100", "2026112303250100")]);
    });
    pair.names_in(
        "image.iso",
        &[
            "nvme-hostid",
            "machine-id",
            "logs",
            "pyc",
            "shadow-days",
            "host-name",
            "line-order",
            "build-time",
            "build-path",
            "mtime-squashfs",
            "umask",
            "mkfs-time",
            "volume-dates",
        ],
    );
}

#[test]
fn what_nothing_explains_is_listed_with_an_excerpt() {
    needs_tools!();
    let pair = Pair::of_images("unexplained", |tree, side| {
        tree.write(
            "usr/share/poem",
            side.pick("the cat sat\non a mat\n", "the cat sat\nin the sun\n"),
        );
    });
    let json = pair.json("image.iso");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
    let item = &json["unexplained"][0];
    assert_eq!(item["place"], "live/filesystem.squashfs!usr/share/poem");
    assert_eq!(item["excerpt"], serde_json::json!(["- on a mat", "+ in the sun"]));
}

#[test]
fn equal_images_are_identical_and_trees_are_compared_too() {
    needs_tools!();
    let pair = Pair::of_images("equal", |tree, _| tree.write("etc/x", "x\n"));
    let json = pair.json("image.iso");
    assert_eq!(json["verdict"], "identical", "{json:#}");
    let pair = Pair::new("trees", |tree, side| {
        tree.write(
            "etc/machine-id",
            side.pick("5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n", "9a31d0e24a1146cda1c6a5f3ce8d7b20\n"),
        );
    });
    pair.names_in("root", &["machine-id"]);
}
