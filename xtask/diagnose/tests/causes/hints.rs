//! Contents that only look like a cause: unexplained, with the cause that such files usually have.

use crate::support::{Pair, Side, Tree, md5, pyc};

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
    a_container: [], ["host-name"], |tree, side| {
        tree.write("var/lib/builder", &format!("{}\n", side.pick("3f9a12c04b7e", "b81d0c55e2a9")));
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
        tree.link("etc/default/grub.d/y.cfg", side.pick("/usr/share/a/y.cfg", "/usr/share/b/y.cfg"));
    }
    a_list_of_packages_that_is_no_text: [], ["-"], |tree, side| {
        let package = |name: &str, version: i32| format!("Package: {name}\nVersion: {version}\nDescription: ");
        let mut list = package("bash", side.pick(1, 2)).into_bytes();
        list.extend([b"x\n\n", package("sudo", 1).as_bytes(), &[side.pick(0xff, 0xfe)], b"\n"].concat());
        tree.bytes("var/lib/dpkg/status", &list);
    }
    passwords_and_keys: [], ["key-rings", "password-salt"], |tree, side| {
        let hash = side.pick("a", "b").repeat(86);
        tree.write("etc/shadow", &format!("root:$6$saltsalt${hash}:20600:0:99999:7:::\n"));
        tree.write("etc/pacman.d/gnupg/pubring.gpg", side.pick("\u{1}one\u{0}", "\u{1}two\u{0}"));
    }
    shapes_that_do_not_hold: [], ["dracut-host-only", "loader-cache", "resolv-conf", "setting"], |tree, side| {
        tree.write("etc/resolv.conf", side.pick("nameserver 10.0.0.1\n", "nameserver $(id)\n"));
        tree.write("usr/lib/dracut/hostonly-kernel-modules.txt", side.pick("virtio_rng\n", "virtio_rng $(id)\n"));
        tree.write("usr/lib/dracut/hostonly-files.txt", side.pick("virtio_rng\n", "/etc/shadow\n"));
        tree.write("etc/ld.so.cache", side.pick("ld.so-1.7.0\u{0}a", "ld.so-1.7.0\u{0}b"));
        // no whole commit, and another path below one store hash
        tree.write("usr/lib/os-release", &format!("BUILD_ID={}\n", side.pick("86f7e43", "e9d71f5")));
        let hash = "0123456789abcdfghijklmnpqrsvwxyz";
        tree.write("etc/x.service", &format!("ExecStart=/nix/store/{hash}-x/bin/{}\n", side.pick("good", "evil")));
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
    an_owner_of_one_file_alone: [], ["builder-owner"], |tree, side| {
        tree.write("etc/x.conf", "x\n");
        tree.pseudo(&format!("etc/x.conf m 644 {0} {0}", side.pick(0, 1000)));
    }
    two_owners_in_place_of_one: [], ["builder-owner"], |tree, side| {
        for (file, owner) in [("usr/bin/x", 1000), ("usr/bin/y", 1000), ("usr/bin/z", 1001)] {
            tree.write(file, "x\n");
            tree.pseudo(&format!("{file} m 755 {0} {0}", side.pick(0, owner)));
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
    a_path_of_a_build_in_one_file_alone: [], ["setting"], |tree, side| {
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
    a_package_that_stands_there_twice: [], ["setting"], |tree, side| {
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
    settings_are_no_ids_times_or_strings_of_the_environment: [], ["-", "setting"], |tree, side| {
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
    ids_dates_and_orders_that_somebody_decided: [], ["-", "setting"], |tree, side| {
        let uuid = side.pick("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "c1f0a293-52e6-4b07-9d3a-e85b7f216d40");
        tree.write("etc/xray/config.json", &format!("{{ \"clients\": [ {{ \"id\": \"{uuid}\" }} ] }}\n"));
        tree.write("boot/grub/x.cfg", &format!("linux /vmlinuz root=UUID={uuid} ro\n"));
        tree.write("etc/crypttab", &format!("root UUID={uuid} none luks\n"));
        let day = side.pick("2026-12-31", "2027-06-30");
        tree.write("usr/bin/check", &format!("#!/bin/sh\n[ \"$(date +%F)\" \\< {day} ] || exit 1\n"));
        tree.write("etc/policy.conf", &format!("valid_until={day}\n"));
        let (one, two) = side.pick(("/usr/lib/a", "/opt/b"), ("/opt/b", "/usr/lib/a"));
        tree.write("etc/ld.so.conf.d/x.conf", &format!("{one}\n{two}\n"));
        tree.write("etc/security/access.conf", &format!("+:{one}:ALL\n-:{two}:ALL\n"));
    }
    code_and_links_that_only_look_like_traces_of_a_build: [], ["-", "time-zone-files"], |tree, side| {
        tree.link("etc/localtime", side.pick("/usr/share/zoneinfo/Etc/UTC", "/tmp/zoneinfo/Etc/UTC"));
        let day = side.pick("2026-12-31", "2027-06-30");
        tree.write("usr/lib/x.py", &format!("if date.today() > date.fromisoformat(\"{day}\"): lock()\n"));
        let id = side.pick("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "c1f0a293-52e6-4b07-9d3a-e85b7f216d40");
        tree.write("usr/share/x.js", &format!("if (user.id === \"{id}\") grantRoot();\n"));
        tree.write("usr/share/x.lua", side.pick("check()\nopen()\n", "open()\ncheck()\n"));
        tree.write("usr/share/x", side.pick("grant(admin, guest, root, nobody)\n", "grant(guest, admin, root, nobody)\n"));
        let commit = side.pick("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98");
        tree.write("usr/share/install.sh", &format!("commit={commit}\ncurl https://example.org/$commit | sh\n"));
    }
}
