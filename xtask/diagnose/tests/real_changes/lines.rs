//! Lines whose change decides something, although they look like a trace of the build: by a zone, a language, a
//! comment that ends, an order, or a text that is no UTF-8.

use crate::kinds::{archives, tells, told};

#[test]
fn another_zone_or_language_is_no_other_day() {
    for (path, a, b) in [
        (
            "usr/share/x/licence",
            "expires: 2026-11-20 10:00 UTC\n",
            "expires: 2027-11-20 10:00 EST\n",
        ),
        ("usr/share/x/licence", "expires: 1 Dec 2026\n", "expires: 1 Dez 2036\n"),
        ("usr/share/x/made", "at 1 Dec 2026\n", "at 1 Dez 2036\n"),
        (
            "usr/bin/x",
            "#!/bin/sh\n[ \"$d\" = \"2026-11-20 10:00:00 UTC\" ] && run\n",
            "#!/bin/sh\n[ \"$d\" = \"2026-11-20 11:00:00 CET\" ] && run\n",
        ),
        (
            "usr/bin/x",
            "#!/bin/sh\n[ \"$d\" = \"1 Dec 2026\" ] && run\n",
            "#!/bin/sh\n[ \"$d\" = \"1 Dez 2026\" ] && run\n",
        ),
    ] {
        tells(path, a, b);
    }
}

#[test]
fn a_date_that_no_clock_writes() {
    tells("usr/share/x/made", "made 2026-02-20\n", "made 2026-02-31\n");
}

#[test]
fn a_date_that_a_sentence_calls_an_end() {
    for text in [
        "valid until X\n",
        "It expires on X.\n",
        "not valid after X\n",
        "Deadline of all: X\n",
        "not before X\n",
        "it requires X\n",
        "X revoked\n",
        "starts X\n",
    ] {
        let [a, b] = ["2026-11-20", "2027-11-20"].map(|date| text.replace('X', date));
        tells("usr/share/x/note", a, b);
    }
}

/// A date in a setting is the time of a making only where something says so.
#[test]
fn a_date_within_a_setting() {
    for (path, text) in [
        ("usr/lib/systemd/system/x.service", "[Service]\nExecStart=/usr/bin/run X %i\n"),
        ("etc/logrotate.d/x", "create 644 root X\n"),
        ("etc/pam.d/su", "session optional pam_time.so X\n"),
        ("etc/ssl/openssl.cnf", "provider = X # from then on\n"),
        ("var/lib/dpkg/statoverride", "root root X /usr/bin/x\n"),
        // the same date stands in a line that is the time of a making
        ("etc/x", "built-on X\nbuffer X 1\n"),
    ] {
        let [a, b] = ["2026-05-28", "2026-06-02"].map(|date| text.replace('X', date));
        tells(path, a, b);
    }
    for text in ["X\n", "on X\n", "built by me, X\n", "BUILD_ID=X\n", "<!-- <date>X</date> -->\n"] {
        let [a, b] = ["2026-05-28", "2026-06-02"].map(|date| text.replace('X', date));
        let answer = archives(&[("etc/x", [Some(a.as_bytes()), Some(b.as_bytes())])]);
        assert!(answer.open.is_empty(), "{text}: {answer:#?}");
    }
}

#[test]
fn a_comment_that_ends_or_is_none() {
    // the last 60, and the last 300, bytes before the date look like a comment
    let long = |before: usize| {
        format!("#!/bin/sh\nrun {} \"# {} X\n", "x".repeat(400), "y".repeat(before))
    };
    let lines = [
        ("usr/bin/x", long(57)),
        ("usr/bin/x", long(297)),
        ("usr/share/x.lua", "--[[ x ]] limit = \"X\"\n".to_owned()),
        ("usr/include/x.h", "/** made X */\n/**/ int end = day(\"X\");\n".to_owned()),
    ];
    for (path, text) in lines {
        let [a, b] = ["2026-05-28", "2026-06-02"].map(|date| text.replace('X', date));
        tells(path, a, b);
    }
}

#[test]
fn a_line_of_a_shell_in_a_file_that_nothing_tells() {
    for (path, text) in [
        ("usr/share/bash-completion/completions/x", "[ $(date +%s) -gt X ] && run\n"),
        ("usr/bin/x", "\u{7f}ELF\u{2}\u{1}\u{1}\0\0[ $(date +%s) -gt X ] && run\0\0"),
        // the same date stands in a line before
        ("usr/share/x/vars", "[ at X ]\n[ $(date +%s) -gt X ] && run\n"),
    ] {
        let [a, b] = ["1795352774", "1797352774"].map(|time| text.replace('X', time));
        tells(path, a, b);
    }
}

#[test]
fn a_script_that_is_no_utf_8() {
    for text in [&b"#!/bin/sh\n# gr\xfc\xdfe\nend=X\n"[..], b"#!/bin/sh\nend=X\nexit 0\n\0\0"] {
        let with = |date: &[u8]| {
            let at = text.iter().position(|byte| *byte == b'X').unwrap();
            [&text[..at], date, &text[at + 1..]].concat()
        };
        tells("usr/bin/x", with(b"2026-05-28"), with(b"2026-06-02"));
    }
}

#[test]
fn an_order_of_lines_or_items_that_decides() {
    for (path, one, two) in [
        ("usr/share/x/rules.nft", "add rule x accept", "add rule y drop"),
        ("usr/share/x.scm", "(set! a 1)", "(set! a 2)"),
        ("lib/modules/6.1/modules.order", "a.ko", "b.ko"),
        ("usr/lib/x/hooks.d/10-x", "first", "second"),
        ("usr/share/x/hosts", "10.0.0.1 update", "10.0.0.2 update"),
        ("EFI/BOOT/startup.nsh", "vmlinuz a", "vmlinuz b"),
        ("user-data", "users: alice", "run: a"),
        ("usr/share/x/list", "allow all", "deny some"),
        ("usr/lib/tc/normal.dist", "-32768 -28307 -26871", "-25967 -25298 -24765"),
    ] {
        tells(path, format!("{one}\n{two}\nlast\n"), format!("{two}\n{one}\nlast\n"));
    }
    tells("usr/share/x/list", "allow deny zed\n", "deny allow zed\n");
}

/// An order accounts for every blank, too.
#[test]
fn items_in_another_order_with_other_blanks() {
    tells("usr/share/x/list", "k: b,  a\n", "k: a, b\n");
    tells("usr/share/x/list", "    b, a\n", "a, b\n");
}

/// Words that say that an id lets somebody in: in the line before it, and in the file's name.
#[test]
fn an_id_that_is_trusted() {
    for (path, text) in [
        ("usr/share/x/list", "allow device X\n"),
        ("usr/share/x/list", "- trusted: id X\n"),
        ("usr/share/x/authorized-devices", "X\n"),
        ("var/lib/x/whitelist", "X\n"),
    ] {
        let ids = ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "c1f0a293-52e6-4b07-9d3a-e85b7f216d40"];
        let [a, b] = ids.map(|id| text.replace('X', id));
        tells(path, a, b);
    }
    let members = |name: &str| format!("admin {name}\n");
    let doc = |name: &str| format!("see {name} there\n");
    let [a, b] = ["alice", "mallory"].map(members);
    let [x, y] = ["alice", "mallory"].map(doc);
    let files = [
        ("usr/share/x/trusted.txt", [Some(a.as_bytes()), Some(b.as_bytes())]),
        ("usr/share/doc/x", [Some(x.as_bytes()), Some(y.as_bytes())]),
    ];
    told(&archives(&files), &["usr/share/x/trusted.txt"]);
}

#[test]
fn a_number_that_is_no_count_of_cpus() {
    tells("usr/share/x/limits", "nproc = 64\n", "nproc = 1\n");
}

#[test]
fn a_name_that_says_when_a_setting_is_read() {
    let names = ["etc/x.d/10-20260528", "etc/x.d/10-20260602"];
    let same = Some(&b"a = 1\n"[..]);
    told(&archives(&[(names[0], [same, None]), (names[1], [None, same])]), &names);
}

/// No build makes for one file the key that another file had in the other build.
#[test]
fn keys_that_changed_places() {
    let key = |letters: &str| {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", letters.repeat(12))
    };
    let [one, two] = [key("aBcD1"), key("Zy9xW")];
    let (x, y) = (Some(one.as_bytes()), Some(two.as_bytes()));
    let paths = ["etc/ssh/ssh_host_rsa_key", "etc/ssl/private/server.key"];
    told(&archives(&[(paths[0], [x, y]), (paths[1], [y, x])]), &paths);
    let answer = archives(&[(paths[0], [x, y])]);
    assert!(answer.open.is_empty(), "{answer:#?}");
}

/// A kernel module with a signature, as `scripts/sign-file` appends it.
fn module(signer: u8, signature: u8) -> Vec<u8> {
    let about = [&[signer; 20][..], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]].concat();
    let message = [&about, &[4, 0x82, 1, 0][..], &[signature; 256]].concat();
    let len = u16::try_from(message.len()).unwrap().to_be_bytes();
    let message = [&[0x30, 0x82], &len[..], &message].concat();
    let size = u32::try_from(message.len()).unwrap().to_be_bytes();
    let code = [b"\x7fELF\x02\x01\x01\0", &[0; 120][..]].concat();
    [&code, &message, &[0, 0, 2, 0, 0, 0, 0, 0][..], &size, b"~Module signature appended~\n"]
        .concat()
}

/// One key signs one module alike each time: RSA with PKCS#1 v1.5 has no random part.
#[test]
fn another_signature_by_the_same_key() {
    let path = "lib/modules/6.1/x.ko";
    tells(path, module(1, 1), module(1, 2));
    let [a, b] = [module(1, 1), module(2, 2)];
    let answer = archives(&[(path, [Some(&a), Some(&b)])]);
    assert!(answer.open.is_empty(), "{answer:#?}");
}
