//! Changes of settings, code and identities that are dressed as traces of a build: beside each stands the
//! very trace, which has its cause. None of these changes has one.

use crate::kinds::{File, archives, tells, told};

const UUIDS: [&str; 2] =
    ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "c1f0a293-52e6-4b07-9d3a-e85b7f216d40"];

/// The content of A and of B.
type Both = [String; 2];

/// `text` with `X` replaced by what A and what B have.
fn both(text: &str, [a, b]: [&str; 2]) -> Both {
    [text.replace('X', a), text.replace('X', b)]
}

/// Files that differ in the same strings; the last one decides something.
#[track_caller]
fn tells_the_last(strings: [&str; 2], files: &[(&str, &str)]) {
    let contents: Vec<Both> = files.iter().map(|(_, text)| both(text, strings)).collect();
    let files: Vec<File<'_>> = files
        .iter()
        .zip(&contents)
        .map(|((path, _), [a, b])| (*path, [Some(a.as_bytes()), Some(b.as_bytes())]))
        .collect();
    let (path, _) = files[files.len() - 1];
    told(&archives(&files), &[path]);
}

#[test]
fn a_path_of_the_build_that_is_run() {
    let paths = ["/build/one", "/build/two"];
    let docs = [("usr/share/a/x.txt", "see X/x\n"), ("usr/share/a/y.txt", "at X/y\n")];
    for last in [
        ("etc/cron.d/x", "* * * * * root X/job\n"),
        ("usr/lib/systemd/system/x.service", "[Service]\nExecStart=X/run\n"),
        ("usr/bin/run", "#!/bin/sh\n. X/env\n"),
        ("usr/lib/x.py", "import sys\nsys.path.insert(0, 'X')\n"),
        ("etc/ld.so.conf.d/x.conf", "X/lib\n"),
        ("etc/apt/sources.list", "deb [signed-by=X/k] http://a.example/debian trixie main\n"),
        ("home/u/.profile", "PATH=X/bin:$PATH\n"),
    ] {
        tells_the_last(paths, &[docs[0], docs[1], last]);
    }
}

#[test]
fn a_name_of_the_build_that_lets_somebody_in() {
    let host = [("etc/hostname", "X\n"), ("etc/hosts", "127.0.1.1 X\n")];
    for last in [
        ("etc/ssh/sshd_config", "AllowUsers X\n"),
        ("etc/ssh/ssh_config", "HostName X\n"),
        ("etc/ssh/ssh_config.d/x.conf", "ProxyJump admin@X\n"),
        ("usr/bin/run", "#!/bin/sh\nssh X date\n"),
        ("etc/hosts.allow", "ALL: X\n"),
    ] {
        tells_the_last(["alpha", "mallory"], &[host[0], host[1], last]);
    }
    tells_the_last(
        ["alpha", "mallory"],
        &[("etc/hostname", "X\n"), ("etc/hosts", "127.0.1.1 X\n10.0.0.1 update.X\n")],
    );
    let user = [("usr/share/d/a", "packed by X\n"), ("usr/share/d/b", "USER=X\n")];
    for last in [
        ("etc/sudoers.d/x", "X ALL=(ALL) NOPASSWD: ALL\n"),
        ("etc/passwd", "X:x:1000:1000::/home/u:/bin/sh\n"),
        ("etc/sudoers", "# X\n"),
    ] {
        tells_the_last(["alice", "mallory"], &[user[0], user[1], last]);
    }
    tells_the_last(
        ["sha512", "plain"],
        &[("etc/a.conf", "use X here\n"), ("etc/b.conf", "with X as well\n")],
    );
}

#[test]
fn a_trace_of_the_build_that_a_program_acts_by() {
    for (a, b, path, text) in [
        ("C", "tr_TR", "usr/bin/x", "#!/bin/sh\nexport LC_ALL=X\n"),
        ("UTC", "Asia/Tokyo", "usr/bin/x", "#!/bin/sh\nexport TZ=X\n"),
        ("6.1.0", "6.2.0", "usr/lib/x.py", "if v == 'Linux version X':\n  trust()\n"),
        ("5", "50", "usr/lib/x.py", "limit('elapsed X s')\n"),
        ("C", "tr_TR", "usr/lib/systemd/system/x.service", "[Service]\nEnvironment=LANG=X\n"),
        ("2026-05-28", "2026-06-02", "usr/lib/python3/dist-packages/x.pth", "/opt/X\n"),
    ] {
        tells_the_last([a, b], &[(path, text)]);
    }
}

#[test]
fn an_order_that_decides() {
    for (path, one, two) in [
        ("etc/sudoers", "a ALL=ALL", "a ALL=!/bin/su"),
        ("usr/lib/pam.d/x", "auth required a.so", "auth sufficient b.so"),
        ("etc/apt/preferences.d/x", "Pin: a", "Pin: b"),
        ("usr/lib/sysctl.d/x.conf", "kernel.kptr_restrict = 0", "kernel.kptr_restrict = 2"),
        ("etc/default/grub", "A=\"x\"", "A=\"y\""),
        ("root/.bashrc", "umask 022", "umask 077"),
        ("etc/mailcap", "text/html; safe %s", "text/html; run %s"),
        ("etc/polkit-1/localauthority/x.pkla", "A=yes", "A=no"),
        ("usr/lib/modules-load.d/x.conf", "first", "second"),
        ("etc/inittab", "a:2:wait:/bin/x", "b:2:wait:/bin/y"),
        ("usr/lib/x.pl", "check();", "open();"),
        ("etc/passwd", "root:x:0:0:r:/root:/bin/sh", "root::0:0:r:/root:/bin/sh"),
    ] {
        tells(path, format!("{one}\n{two}\n"), format!("{two}\n{one}\n"));
    }
    // what it is, only the lines say
    let lines = |one: &str, two: &str| {
        format!("run() {{\n  {one}\n  {two}\n}}\nif [ -e /x ]; then\n  run\nfi\n")
    };
    let path = "usr/share/initramfs-tools/hook-functions";
    tells(path, lines("check x", "open x"), lines("open x", "check x"));
    let rules = |one: &str, two: &str| format!("*filter\n-A INPUT {one}\n-A INPUT {two}\nCOMMIT\n");
    tells(
        "var/lib/x/saved",
        rules("-i lo -j DROP", "-j ACCEPT"),
        rules("-j ACCEPT", "-i lo -j DROP"),
    );
    tells("usr/share/perl5/x", "{\ncheck();\nopen();\n}\n", "{\nopen();\ncheck();\n}\n");
    tells("etc/nsswitch.conf", "hosts: files dns\n", "hosts: dns files\n");
    tells("usr/share/x/list", "a\nb\nc\nc\n", "c\nb\na\na\n");
}

/// Lines of base64 mean something only in their order, in a block of PEM and without one.
#[test]
fn the_lines_of_a_key() {
    let lines: Vec<String> =
        ["mQINBF", "AzKd9x", "q7TbLe"].iter().map(|line| line.repeat(10) + "Zx12").collect();
    let [one, two, three] = &lines[..] else { unreachable!() };
    let block = |kind: &str, lines: [&String; 3]| {
        let [x, y, z] = lines;
        format!("-----BEGIN {kind}-----\n{x}\n{y}\n{z}\n-----END {kind}-----\n")
    };
    let [key, other] = [[one, two, three], [one, three, two]];
    let pgp = |lines| block("PGP PUBLIC KEY BLOCK", lines);
    tells("usr/share/keyrings/x.asc", pgp(key), pgp(other));
    let bundle = |lines| block("CERTIFICATE", [three, two, one]) + &block("CERTIFICATE", lines);
    tells("etc/ssl/certs/ca-certificates.crt", bundle(key), bundle(other));
    let bare = |[x, y, z]: [&String; 3]| format!("{x}\n{y}\n{z}\n");
    tells("usr/share/x/key.b64", bare(key), bare(other));
    // whole certificates may change places
    let two = [block("CERTIFICATE", key), block("CERTIFICATE", [three, two, one])];
    let [a, b] = [two.concat(), [two[1].clone(), two[0].clone()].concat()];
    let answer = archives(&[(
        "etc/ssl/certs/ca-certificates.crt",
        [Some(a.as_bytes()), Some(b.as_bytes())],
    )]);
    assert!(answer.open.is_empty(), "{answer:#?}");
}

/// A certificate of a package is its own only if the key beside it belongs to it.
#[test]
fn a_certificate_without_its_key() {
    let certificate = |text: &str| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", text.repeat(16))
    };
    tells("etc/ssl/certs/ssl-cert-snakeoil.pem", certificate("MIIB"), certificate("xY7z"));
}

/// A program acts by a string that nothing beside it says to be of the build.
#[test]
fn a_string_of_a_program() {
    let program = |text: &str| {
        [b"\x7fELF\x02\x01\x01\0\0", text.as_bytes(), &[0, 0x90, 0xcc, 0xe9, 0, 0x90]].concat()
    };
    let pair = |texts: [&str; 2]| texts.map(program);
    let [a, b] = pair(["https://alpha/update", "https://gamma/update"]);
    let host: File<'_> = ("etc/hostname", [Some(b"alpha\n"), Some(b"gamma\n")]);
    told(&archives(&[host, ("usr/bin/x", [Some(&a), Some(&b)])]), &["usr/bin/x"]);
    let [a, b] = pair(["/opt/app/lib", "/tmp/xx/lib"]);
    let both = [Some(&a[..]), Some(&b[..])];
    told(&archives(&[("usr/bin/x", both), ("usr/bin/y", both)]), &["usr/bin/x", "usr/bin/y"]);
    // what libisofs writes between the files of an ISO
    let volume = |id: &[u8]| {
        [b"\x7fELF\x02\x01\x01\0H+\0\x04\0\0\x81\0liso", &[0; 92][..], id, &[0x90; 64]].concat()
    };
    tells("usr/bin/x", volume(b"goodcode"), volume(b"evilcode"));
    tells_the_last(
        ["bin", "tmp"],
        &[("etc/hostname", "X\n"), ("usr/share/x/a.txt", "run /usr/X/x\n")],
    );
    tells("usr/share/x/env", "umask 022\n", "umask 0;sh\n");
}

/// Zeros behind a content mean something where its format does not say that they do not: the signature of a module
/// is at its end.
#[test]
fn zeros_behind_a_content() {
    let module = b"module~Module signature appended~\n";
    let longer = [&module[..], &[0; 8]].concat();
    let pack = |bytes: &[u8]| crate::formats::Compressor::Xz.pack(bytes);
    tells("usr/lib/modules/x.ko.xz", pack(module), pack(&longer));
    tells("[x.conf", "a=1\n", "a=1\n\0\0");
}

#[test]
fn a_date_that_decides() {
    for (path, text) in [
        // the same date stands in a comment before
        ("etc/app.conf", "# made X\nvalid_from_until = X\n"),
        ("usr/share/x/license", "expires: X\n"),
        ("usr/share/x/a.toml", "not_after = X\n"),
        ("var/spool/cron/atjobs/a", "run at X\n"),
        ("usr/include/x.h", "#define LIMIT \"X\"\n"),
        ("etc/x.json", "{\n\"expires\": \"X\"\n}\n"),
        ("usr/lib/init/vars", "if [ \"$now\" \\> \"X\" ]; then\n  open\nfi\n"),
    ] {
        let [a, b] = both(text, ["2026-05-28 03:25:01", "2026-06-02 04:11:17"]);
        tells(path, a, b);
    }
}

#[test]
fn an_id_that_is_somebody_s() {
    for (path, text) in [
        ("kernel/cmdline", "quiet root=UUID=X\n"),
        ("usr/share/x/notes", "boot from UUID=X\n"),
        ("usr/share/x/disks", "/dev/disk/by-uuid/X / ext4\n"),
        ("usr/lib/x/fstab", "UUID=X / ext4\n"),
        ("usr/share/polkit/x.xml", "<device uuid=\"X\" trusted=\"yes\"/>\n"),
    ] {
        let [a, b] = both(text, UUIDS);
        tells(path, a, b);
    }
    for (path, text) in [
        ("usr/share/x/trust", "trusted.key.id = X\n"),
        ("usr/share/x/peers", "peer-id: X\n"),
        ("usr/share/x/a.json", "{\"auth\": {\"token\": \"X\"}}\n"),
    ] {
        let [a, b] = both(text, ["2e11f281c9c56da9", "8d1fabe561cab8c4"]);
        tells(path, a, b);
    }
    let commits =
        ["86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98"];
    let [a, b] = both("revision=X\n", commits);
    tells("etc/plugin.conf", a, b);
    let certificate = |key: &str| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", key.repeat(20))
    };
    for path in ["etc/ssl/private/upstream-ca.pem", "usr/share/ca-certificates/x.crt"] {
        tells(path, certificate("MIIB"), certificate("MIIC"));
    }
}

#[test]
fn a_shape_that_hides_a_decision() {
    let group = "root:x:0:\nsudo:x:27:\nwww-data:x:33:\n";
    let [a, b] = both("www-data:x:33:X:w:/:/bin/false\n", ["33", "27"]);
    let same = Some(group.as_bytes());
    let files: [File<'_>; 2] =
        [("etc/group", [same; 2]), ("etc/passwd", [Some(a.as_bytes()), Some(b.as_bytes())])];
    told(&archives(&files), &["etc/passwd"]);
    let two = "a:x:X:65534::/:/bin/false\nb:x:102:65534::/:/bin/false\n";
    let [a, b] = both(two, ["101", "102"]);
    tells("etc/passwd", a, b);
    let [a, b] = both("nameserver 127.0.0.1\noptions X\n", ["trust-ad", "no-check-names"]);
    tells("etc/resolv.conf", a, b);
    let [a, b] = both("umask X\n", ["077", "000"]);
    tells("home/u/.profile", a, b);
}

#[test]
fn a_comment_is_no_decision() {
    for (path, text) in [
        ("etc/x.conf", "# made X\na=1\n"),
        ("usr/bin/x", "#!/bin/sh\n# made X\ntrue\n"),
        ("usr/include/x.h", "/* made X */\n#define A 1\n"),
    ] {
        let [a, b] = both(text, ["2026-05-28 03:25:01", "2026-06-02 04:11:17"]);
        let answer = archives(&[(path, [Some(a.as_bytes()), Some(b.as_bytes())])]);
        assert!(answer.open.is_empty(), "{path}: {answer:#?}");
    }
}
