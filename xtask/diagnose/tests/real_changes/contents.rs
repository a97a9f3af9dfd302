//! Files as a live image has them. `Later` is the second build: dates and ids that a diagnosis knows
//! are others there, so that a mutation stands beside differences that are explained.

use crate::random::Random;

const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Which build a content is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    First,
    Later,
}

impl Build {
    pub(crate) fn date(self) -> &'static str {
        match self {
            Build::First => "2026-05-28 20:26:40",
            Build::Later => "2026-06-02 04:11:17",
        }
    }

    /// Seconds after the first.
    pub(crate) fn offset(self) -> u32 {
        if self == Build::First { 0 } else { 373_477 }
    }

    pub(crate) fn machine_id(self) -> String {
        format!("{}\n", Random::new(self.offset().into()).text(32, HEX))
    }

    pub(crate) fn stamp(self) -> String {
        format!("built {}\n", self.date())
    }

    pub(crate) fn sshd_config(self) -> String {
        let comments: String = (0..40).map(|n| format!("#Option{n} default\n")).collect();
        format!(
            "# written {}\nPort 22\n{comments}PermitRootLogin no\nPasswordAuthentication no\n\
             AllowUsers admin deploy\n",
            self.date()
        )
    }
}

pub(crate) fn script() -> String {
    "#!/bin/sh\nset -eu\nPATH=/usr/sbin:/usr/bin\nif [ \"$(id -u)\" -eq 0 ]; then\n  mount -o ro,nosuid \
     /dev/sda1 /mnt\n  exec /sbin/init \"$@\"\nfi\nexit 1\n"
        .to_owned()
}

pub(crate) fn unit() -> String {
    "[Unit]\nDescription=Getty on tty1\nAfter=systemd-user-sessions.service\n\n[Service]\n\
     ExecStart=-/sbin/agetty -o '-p -- \\\\u' --noclear tty1\nTimeoutStopSec=90\nUser=root\n\
     NoNewPrivileges=yes\n\n[Install]\nWantedBy=getty.target\n"
        .to_owned()
}

pub(crate) fn grub_cfg() -> String {
    "set default=0\nset timeout=5\nsearch --no-floppy --file --set=root /live/vmlinuz\nmenuentry \
     \"Live\" {\n  linux /live/vmlinuz boot=live quiet init_on_alloc=1\n  initrd /live/initrd.img\n}\n"
        .to_owned()
}

pub(crate) fn shadow() -> String {
    let mut random = Random::new(1);
    let hash = random.text(86, BASE64);
    format!(
        "root:!:20600:0:99999:7:::\nuser:$6${}${hash}:20600:0:99999:7:::\n",
        random.text(16, BASE64)
    )
}

pub(crate) fn passwd() -> String {
    "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
     user:x:1000:1000::/home/user:/bin/bash\n"
        .to_owned()
}

pub(crate) fn dpkg_status() -> String {
    let package = |name: &str, version: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n\
             Version: {version}\nDescription: {name} itself\n\n"
        )
    };
    package("bash", "5.2.37-2")
        + &package("sudo", "1.9.16p2-3")
        + &package("linux-image", "6.12.48-1")
}

pub(crate) fn pem(label: &str, seed: u64) -> String {
    let mut random = Random::new(seed);
    let lines: String = (0..12).map(|_| random.text(64, BASE64) + "\n").collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

pub(crate) fn public_key() -> String {
    format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} admin\n", Random::new(4).text(43, BASE64))
}

pub(crate) fn sums() -> String {
    let mut random = Random::new(5);
    let names = ["usr/bin/one", "usr/lib/two.so", "etc/three.conf"];
    names.map(|name| format!("{}  {name}\n", random.text(64, HEX))).concat()
}

pub(crate) fn manual() -> String {
    (0..120)
        .map(|n| format!("{n}. The option is read from the file, and then from {n} others.\n"))
        .collect()
}

/// Files in formats that are named, but not read, with a date in each.
pub(crate) fn unread(name: &str) -> Vec<u8> {
    let text = |seed: u64| {
        let letters = Random::new(seed).text(600, HEX);
        format!("{letters} built 2026-05-28 20:26:40, by {letters}").into_bytes()
    };
    match name {
        "erofs" => [&[0; 1024][..], b"\xe2\xe1\xf5\xe0", &text(21), &text(22)].concat(),
        "lzop" => [&b"\x89LZO\0\r\n\x1a\n"[..], &text(23)].concat(),
        "rpm" => [&b"\xed\xab\xee\xdb"[..], &text(24)].concat(),
        _ => [&b"SQLite format 3\0"[..], &text(25)].concat(),
    }
}

/// Offsets of the machine code in [`program`].
pub(crate) const CODE: std::ops::Range<usize> = 0x1000..0x4000;

/// A program for x86-64: headers, machine code, strings, section headers.
pub(crate) fn program() -> Vec<u8> {
    let mut random = Random::new(6);
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    for number in [0x1000_u64, 64, 0x5000] {
        out.extend(number.to_le_bytes());
    }
    out.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 4, 0, 3, 0]);
    // one segment: all of it, read and executed
    out.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for number in [0_u64, 0, 0, 0x5000, 0x5000, 0x1000] {
        out.extend(number.to_le_bytes());
    }
    out.resize(CODE.start, 0);
    while out.len() < CODE.end {
        out.extend(instruction(&mut random));
    }
    out.truncate(CODE.end);
    for n in 0..60 {
        out.extend(format!("cannot open file number {n}: %s\n\0").bytes());
    }
    out.resize(0x4f00, 0);
    out.extend(b"\0.text\0.rodata\0.shstrtab\0");
    out.resize(0x5000, 0);
    out.extend([0; 64]);
    for (name, kind, flags, at, size) in [
        (1_u32, 1_u32, 6_u64, CODE.start as u64, CODE.len() as u64),
        (7, 1, 2, CODE.end as u64, 0xf00),
        (15, 3, 0, 0x4f00, 25),
    ] {
        out.extend([name.to_le_bytes(), kind.to_le_bytes()].concat());
        for number in [flags, at, at, size, 0, 16, 0] {
            out.extend(number.to_le_bytes());
        }
    }
    out
}

/// One instruction, or the usual begin and end of a function.
fn instruction(random: &mut Random) -> Vec<u8> {
    let byte = random.next() as u8;
    let number = (random.next() as i32 >> random.below(24)).to_le_bytes();
    match random.below(10) {
        0 => b"\x41\x57\x41\x56\x41\x55\x41\x54\x55\x53\x48\x83\xec\x18".to_vec(),
        1 => b"\x48\x83\xc4\x18\x5b\x5d\x41\x5c\x41\x5d\x41\x5e\x41\x5f\xc3\x66\x90".to_vec(),
        2 => vec![0x48, 0x89, 0xc0 | byte & 0x3f],
        3 => [&[0xe8][..], &number].concat(),
        4 => [&[0x48, 0x8d, 0x05 | byte & 0x38][..], &number].concat(),
        5 => vec![0x74 | byte & 1, byte],
        6 => vec![0x48, 0x8b, 0x44, 0x24, byte & 0x78],
        7 => [&[0xb8 | byte & 7][..], &number].concat(),
        8 => vec![0x85, 0xc0 | byte & 0x3f],
        _ => vec![0x0f, 0xb6, 0x40 | byte & 0x3f, byte],
    }
}

/// Offsets of the machine code of a program: of its segment that is executed; `None` if it is not for 64 bits.
pub(crate) fn code_of(program: &[u8]) -> Option<std::ops::Range<usize>> {
    let number = |at: usize, len: usize| -> Option<usize> {
        let bytes = program.get(at..at + len)?;
        Some(bytes.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    };
    program.starts_with(b"\x7fELF\x02\x01").then_some(())?;
    let (table, count) = (number(32, 8)?, number(56, 2)?);
    let headers = (0..count).map(|i| table + i * 56);
    let mut code = headers.filter(|at| number(*at, 4) == Some(1) && number(at + 4, 4) == Some(5));
    let at = code.next()?;
    let (start, len) = (number(at + 8, 8)?, number(at + 32, 8)?);
    program.get(start..start + len).map(|_| start..start + len)
}
