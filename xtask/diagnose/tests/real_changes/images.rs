//! The images that are mutated: every format that a live image holds, in each other.

use crate::contents::{self, Build};
use crate::formats::Compressor::{Bzip2, Gzip, Lz4, Lz4Blocks, Lzma, Xz, Zstd};
use crate::node::{Kind, Node};
use crate::tools::installed;
use std::path::Path;

/// A kind of image, and the programs that make it.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    pub(crate) programs: &'static [&'static str],
    make: fn(&Path, Build) -> Node,
}

/// Every kind of image.
pub(crate) const IMAGES: [Image; 25] = [
    Image { name: "archives", programs: &[], make: archives },
    Image { name: "initramfs", programs: &[], make: initramfs },
    Image { name: "package", programs: &[], make: package },
    Image { name: "disk", programs: &[], make: disk },
    Image { name: "fat", programs: &[], make: efi },
    Image { name: "gpt", programs: &[], make: gpt },
    Image { name: "uki", programs: &[], make: uki },
    Image { name: "jar", programs: &[], make: jar },
    Image { name: "not-read", programs: &[], make: not_read },
    Image { name: "fat16", programs: &[], make: fat16 },
    Image { name: "extended", programs: &[], make: extended },
    Image { name: "old-initramfs", programs: &[], make: old_initramfs },
    Image { name: "tar-gnu", programs: &["tar"], make: |d, b| long_names(d, b, "gnu") },
    Image { name: "tar-posix", programs: &["tar"], make: |d, b| long_names(d, b, "posix") },
    Image { name: "fat32", programs: &["mkfs.fat", "mcopy"], make: fat32 },
    Image { name: "gpt-ext4", programs: &["mke2fs"], make: gpt_ext4 },
    Image { name: "appimage", programs: &["mksquashfs"], make: appimage },
    Image { name: "ext4", programs: &["mke2fs"], make: ext4 },
    Image {
        name: "squashfs-gzip",
        programs: &["mksquashfs"],
        make: |d, b| root(d, b, &["-comp", "gzip"]),
    },
    Image {
        name: "squashfs-xz",
        programs: &["mksquashfs"],
        make: |d, b| root(d, b, &["-comp", "xz"]),
    },
    Image {
        name: "squashfs-zstd",
        programs: &["mksquashfs"],
        make: |d, b| root(d, b, &["-comp", "zstd"]),
    },
    Image {
        name: "squashfs-lz4",
        programs: &["mksquashfs"],
        make: |d, b| root(d, b, &["-comp", "lz4"]),
    },
    Image {
        name: "squashfs-lzo",
        programs: &["mksquashfs"],
        make: |d, b| root(d, b, &["-comp", "lzo"]),
    },
    Image {
        name: "squashfs-lzma",
        programs: &["mksquashfs"],
        make: |d, b| root(d, b, &["-comp", "lzma"]),
    },
    Image { name: "live-iso", programs: &["mksquashfs", "xorriso"], make: live },
];

impl Image {
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        self.programs.iter().copied().filter(|program| !installed(&[program])).collect()
    }

    pub(crate) fn node(&self, dir: &Path, build: Build) -> Node {
        (self.make)(dir, build)
    }
}

fn packed(dir: &Path, name: &'static str, by: crate::formats::Compressor, inner: Node) -> Node {
    Node::layer(dir, name, Kind::Packed(by), vec![inner])
}

/// A tar of compressed files of each kind, one of them twice compressed, and of a zip.
fn archives(dir: &Path, build: Build) -> Node {
    let text = || Node::leaf("", contents::manual());
    let twice = packed(dir, "", Gzip, Node::leaf("", contents::script()));
    let zip = vec![
        Node::leaf("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: org.x.Main\n"),
        Node::leaf("org/x/Main.class", contents::program()),
    ];
    let files = vec![
        Node::leaf("stamp", build.stamp()),
        packed(dir, "a.gz", Gzip, text()),
        packed(dir, "b.xz", Xz, text()),
        packed(dir, "c.zst", Zstd, text()),
        packed(dir, "d.bz2", Bzip2, text()),
        packed(dir, "e.lz4", Lz4, text()),
        packed(dir, "f.gz.xz", Xz, twice),
        Node::layer(dir, "g.jar", Kind::Zip, zip),
        Node::leaf("key.pem", contents::pem("PRIVATE KEY", 7)),
    ];
    Node::layer(dir, "", Kind::Tar, files)
}

/// Microcode that is not compressed, then an archive by each compressor.
fn initramfs(dir: &Path, build: Build) -> Node {
    let archive =
        |name, content: Vec<u8>| Node::layer(dir, "", Kind::Cpio, vec![Node::leaf(name, content)]);
    let microcode = archive("kernel/x86/microcode/GenuineIntel.bin", vec![0x5a; 700]);
    let main = vec![
        Node::leaf("init", contents::script()),
        Node::leaf("etc/stamp", build.stamp()),
        Node::leaf(
            "etc/modprobe.d/deny.conf",
            "install cramfs /bin/false\nblacklist firewire_core\n",
        ),
        Node::leaf("usr/bin/busybox", contents::program()),
        packed(dir, "usr/lib/modules/x.ko.xz", Xz, Node::leaf("", contents::program())),
    ];
    let rows = vec![
        microcode,
        packed(dir, "", Gzip, Node::layer(dir, "", Kind::Cpio, main)),
        packed(dir, "", Zstd, archive("etc/second.conf", contents::unit().into())),
        packed(dir, "", Xz, archive("etc/third.conf", contents::unit().into())),
        packed(dir, "", Lz4, archive("etc/fourth.conf", contents::unit().into())),
    ];
    Node::layer(dir, "", Kind::Row, rows)
}

/// A Debian package.
fn package(dir: &Path, build: Build) -> Node {
    let control = vec![
        Node::leaf(
            "./control",
            "Package: x\nVersion: 1.2-3\nArchitecture: amd64\nDepends: libc6\n",
        ),
        Node::leaf("./postinst", contents::script()),
        Node::leaf("./md5sums", contents::sums()),
    ];
    let data = vec![
        Node::leaf("./usr/bin/x", contents::program()),
        Node::leaf("./etc/x.conf", build.sshd_config()),
        packed(dir, "./usr/share/doc/x/changelog.gz", Gzip, Node::leaf("", contents::manual())),
    ];
    let members = vec![
        Node::leaf("debian-binary", "2.0\n"),
        packed(dir, "control.tar.xz", Xz, Node::layer(dir, "", Kind::Tar, control)),
        packed(dir, "data.tar.zst", Zstd, Node::layer(dir, "", Kind::Tar, data)),
    ];
    Node::layer(dir, "", Kind::Ar, members)
}

/// The boot image for EFI.
fn efi(dir: &Path, build: Build) -> Node {
    let files = vec![
        Node::leaf("BOOTX64.EFI", [b"MZ".to_vec(), contents::program()].concat()),
        Node::leaf("GRUB.CFG", contents::grub_cfg()),
        Node::leaf("STAMP.TXT", build.stamp()),
        packed(dir, "FONT.GZ", Gzip, Node::leaf("", contents::manual())),
    ];
    Node::layer(dir, "", Kind::Fat, files)
}

fn fat16(dir: &Path, build: Build) -> Node {
    Node::layer(dir, "", Kind::Fat16, efi(dir, build).children)
}

fn fat32(dir: &Path, build: Build) -> Node {
    Node::layer(dir, "", Kind::Fat32, efi(dir, build).children)
}

/// A disk with a partition table as before GPT, that has more partitions than it has room for.
fn extended(dir: &Path, build: Build) -> Node {
    let data = |stamp: String| {
        let files =
            vec![Node::leaf("etc/stamp", stamp), Node::leaf("usr/bin/x", contents::program())];
        Node::layer(dir, "", Kind::Tar, files)
    };
    let partitions = vec![
        Node { name: "partition-1", ..efi(dir, build) },
        Node { name: "partition-2", ..data(build.stamp()) },
        Node { name: "partition-3", ..data("no date\n".to_owned()) },
    ];
    Node::layer(dir, "", Kind::Extended, partitions)
}

/// An initramfs by the compressors of older kernels.
fn old_initramfs(dir: &Path, build: Build) -> Node {
    let main = vec![
        Node::leaf("init", contents::script()),
        Node::leaf("etc/stamp", build.stamp()),
        Node::leaf("usr/bin/busybox", contents::program()),
    ];
    let more = vec![Node::leaf("etc/more.conf", contents::unit())];
    let rows = vec![
        packed(dir, "", Lzma, Node::layer(dir, "", Kind::Cpio, main)),
        // its end is that of the file
        packed(dir, "", Lz4Blocks, Node::layer(dir, "", Kind::Cpio, more)),
    ];
    Node::layer(dir, "", Kind::Row, rows)
}

/// A tar with a name that its header has no room for.
fn long_names(dir: &Path, build: Build, format: &'static str) -> Node {
    const LONG: &str = "usr/share/a-folder-with-a-name-that-is-long/another-folder-with-a-name-that-is-long/\
                        a-file-with-a-name-that-is-longer-than-the-header-of-a-tar-has-room-for.sh";
    let files = vec![
        Node::leaf("etc/stamp", build.stamp()),
        Node::leaf(LONG, contents::script()),
        Node::leaf("usr/bin/x", contents::program()),
    ];
    Node::layer(dir, "", Kind::TarOf(format), files)
}

/// A disk that boots by its EFI partition.
fn disk(dir: &Path, build: Build) -> Node {
    Node::layer(dir, "", Kind::Disk, vec![efi(dir, build)])
}

/// A disk with a GPT: the EFI partition, and one that holds an archive.
fn gpt(dir: &Path, build: Build) -> Node {
    let data = vec![
        Node::leaf("etc/stamp", build.stamp()),
        packed(dir, "usr/share/doc/x.gz", Gzip, Node::leaf("", contents::manual())),
        Node::leaf("usr/bin/x", contents::program()),
    ];
    let partitions = vec![
        Node { name: "partition-1", ..efi(dir, build) },
        Node::layer(dir, "partition-2", Kind::Tar, data),
    ];
    Node::layer(dir, "", Kind::Gpt, partitions)
}

/// A disk whose root file system is an ext4.
fn gpt_ext4(dir: &Path, build: Build) -> Node {
    let partitions = vec![
        Node { name: "partition-1", ..efi(dir, build) },
        Node { name: "partition-2", ..ext4(dir, build) },
    ];
    Node::layer(dir, "", Kind::Gpt, partitions)
}

/// A unified kernel image.
fn uki(dir: &Path, build: Build) -> Node {
    let init = vec![
        Node::leaf("init", contents::script()),
        Node::leaf("etc/stamp", build.stamp()),
        Node::leaf("usr/bin/busybox", contents::program()),
    ];
    let sections = vec![
        Node::leaf(".osrel", "ID=x\nVERSION_ID=1\n"),
        Node::leaf(".cmdline", "root=/dev/sda2 ro quiet init_on_alloc=1\n"),
        Node::leaf(".linux", contents::program()),
        Node { name: ".initrd", ..packed(dir, "", Zstd, Node::layer(dir, "", Kind::Cpio, init)) },
    ];
    Node::layer(dir, "", Kind::Pe, sections)
}

/// A jar with another one in it.
fn jar(dir: &Path, build: Build) -> Node {
    let inner = vec![
        Node::leaf("x/Inner.class", contents::program()),
        Node::leaf("x/inner.properties", "allow=no\n"),
    ];
    let files = vec![
        Node::leaf("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: org.x.Main\n"),
        Node::leaf("built", build.stamp()),
        Node::leaf("org/x/Main.class", contents::program()),
        Node::layer(dir, "lib/inner.jar", Kind::Zip, inner),
    ];
    Node::layer(dir, "", Kind::Zip, files)
}

/// Formats that are named, but not read.
fn not_read(dir: &Path, build: Build) -> Node {
    let files = vec![
        Node::leaf("etc/stamp", build.stamp()),
        Node::unread("live/root.erofs", contents::unread("erofs")),
        Node::unread("live/initrd.lzo", contents::unread("lzop")),
        Node::unread("pool/x.rpm", contents::unread("rpm")),
        Node::unread("usr/lib/sysimage/rpm/rpmdb.sqlite", contents::unread("sqlite")),
    ];
    Node::layer(dir, "", Kind::Tar, files)
}

/// A root file system that is no squashfs.
fn ext4(dir: &Path, build: Build) -> Node {
    let files = vec![
        Node::leaf("etc/machine-id", build.machine_id()),
        Node::leaf("etc/build-stamp", build.stamp()),
        Node::leaf("etc/ssh/sshd_config", build.sshd_config()),
        Node::leaf("usr/bin/login", contents::program()),
        packed(dir, "usr/share/doc/x.gz", Gzip, Node::leaf("", contents::manual())),
    ];
    Node::layer(dir, "", Kind::Ext4, files)
}

/// A program with a squashfs behind it.
fn appimage(dir: &Path, build: Build) -> Node {
    let files = vec![
        Node::leaf("AppRun", contents::script()),
        Node::leaf("usr/share/stamp", build.stamp()),
        Node::leaf("usr/bin/x", contents::program()),
    ];
    let options = &["-comp", "gzip"];
    let squashfs = Node::layer(dir, "", Kind::Squashfs(options, build.offset()), files);
    Node::layer(dir, "", Kind::Row, vec![Node::leaf("", contents::program()), squashfs])
}

/// A root file system.
fn root(dir: &Path, build: Build, options: &'static [&'static str]) -> Node {
    let files = vec![
        Node::leaf("etc/machine-id", build.machine_id()),
        Node::leaf("etc/build-stamp", build.stamp()),
        Node::leaf("etc/ssh/sshd_config", build.sshd_config()),
        Node::leaf("etc/ssh/ssh_host_ed25519_key", contents::pem("OPENSSH PRIVATE KEY", 8)),
        Node::leaf("root/.ssh/authorized_keys", contents::public_key()),
        Node::leaf("etc/ssl/certs/ca-certificates.crt", contents::pem("CERTIFICATE", 9)),
        Node::leaf("etc/ssl/private/server.key", contents::pem("PRIVATE KEY", 10)),
        Node::leaf("etc/passwd", contents::passwd()),
        Node::leaf("etc/shadow", contents::shadow()),
        Node::leaf("etc/SHA256SUMS", contents::sums()),
        Node::leaf("usr/lib/systemd/system/initrd.target", contents::unit()),
        Node::leaf("usr/bin/login", contents::program()),
        Node::leaf("usr/sbin/update", contents::script()),
        Node::leaf("var/lib/dpkg/status", contents::dpkg_status()),
        Node::leaf("var/lib/dpkg/info/sudo.list", "/.\n/usr\n/usr/bin\n/usr/bin/sudo\n"),
        Node::leaf("var/log/run.sh", contents::script()),
        packed(dir, "usr/share/man/man1/x.1.gz", Gzip, Node::leaf("", contents::manual())),
        packed(dir, "usr/lib/modules/6.12/x.ko.zst", Zstd, Node::leaf("", contents::program())),
        Node { name: "usr/share/x/archives.tar", ..archives(dir, build) },
        Node { name: "usr/share/x/x_1.2-3_amd64.deb", ..package(dir, build) },
    ];
    Node::layer(dir, "", Kind::Squashfs(options, build.offset()), files)
}

/// A live image that boots.
fn live(dir: &Path, build: Build) -> Node {
    let files = vec![
        Node { name: "live/filesystem.squashfs", ..root(dir, build, &["-comp", "gzip"]) },
        Node { name: "live/initrd.img", ..initramfs(dir, build) },
        Node::leaf("live/vmlinuz", contents::program()),
        Node { name: "boot/efi.img", ..efi(dir, build) },
        Node::leaf("boot/grub/grub.cfg", contents::grub_cfg()),
        Node::leaf("SHA256SUMS", contents::sums()),
    ];
    Node::layer(dir, "", Kind::Iso, files)
}
