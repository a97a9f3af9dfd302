//! Contents whose differences are proved to have a cause.

use crate::support::{EPOCH, Pair, Side, Tree, md5, private_key, pyc};

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
    casper_uuid: ["casper-uuid"], |tree, side| {
        let uuid = side.pick("11c8ad9c-9be1-4d60-91f4-2c0c0f4be6a2\n", "e80aa7f2-02ae-4c9a-8c55-4a79f96a1b7d\n");
        tree.write("iso/.disk/casper-uuid-generic", uuid);
        tree.write("conf/uuid.conf", uuid);
    }
    nix_store: ["nix-store"], |tree, side| {
        let hash = side.pick("0123456789abcdfghijklmnpqrsvwxyz", "zyxwvsrqpnmlkjihgfdcba9876543210");
        tree.write("usr/share/x/paths", &format!("/nix/store/{hash}-hello-2.12\n"));
    }
    commit: ["commit"], |tree, side| {
        let commit = side.pick("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98");
        tree.write("usr/lib/os-release", &format!("ID=x\nBUILD_ID={commit}\n"));
    }
    resolv_conf: ["resolv-conf"], |tree, side| {
        tree.write("etc/resolv.conf", side.pick("nameserver 10.0.0.1\n", "nameserver 192.168.1.1\nsearch lan\n"));
    }
    dracut_host_only: ["dracut-host-only"], |tree, side| {
        tree.write("usr/lib/dracut/hostonly-kernel-modules.txt", side.pick("virtio_rng\nacpi_cpufreq\n", "virtio_rng\n"));
    }
    ssh_host_keys: ["ssh-host-keys"], |tree, side| {
        let (key, public) = host_key(side);
        tree.write("etc/ssh/ssh_host_ed25519_key", key);
        tree.write("etc/ssh/ssh_host_ed25519_key.pub", public);
    }
    tls_keys: ["tls-keys"], |tree, side| {
        tree.write("etc/ssl/private/ssl-cert-snakeoil.key", &private_key(side.pick(3, 5)));
    }
    random_id_somewhere: ["random-id"], |tree, side| {
        tree.write("var/lib/some/state", side.pick(
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
        tree.write("usr/share/x.list", side.pick("B\nC\na\nd\n", "a\nB\nC\nd\n"));
    }
    order_of_lines: ["line-order"], |tree, side| {
        tree.write("usr/share/x.list", side.pick("m\na\nz\nb\n", "z\nm\nb\na\n"));
    }
    order_of_keys: ["line-order"], |tree, side| {
        tree.write("usr/share/x.dump", side.pick(
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
        tree.write("usr/share/a", &format!("flavour {word}\n"));
        tree.write("usr/share/b", &format!("x {word} y\n"));
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

/// A private host key as OpenSSH writes it, and its public key.
fn host_key(side: Side) -> (&'static str, &'static str) {
    side.pick(
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\n\
            b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n\
            QyNTUxOQAAACCBdAmWh6JmIfTizdfMA7Pazts/uWIlWxqv0DPKvoMVMAAAAICpaZ9+zd/t\n\
            RodNTNzNmrJXpJCZyKrnH0lhcztqTyklbN7eKM6P7r1bNiydzpqcyvZtHNcEdd0NvBOOxF\n\
            aGje+XqWmffs3f7UaHTUzczZqyV6SQmciq5x9JYXM7ak8pJWze3ijOj+69WzYsnc6anMr2\n\
            bRzXBHXdDbwTjsRWho3vlw==\n\
            -----END OPENSSH PRIVATE KEY-----\n",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIF0CZaHomYh9OLN18wDs9rO2z+5YiVbGq/QM8q+gxUw root@alpha\n",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\n\
            b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n\
            QyNTUxOQAAACCxAlN2TIsjP7N1QuI0Ace0UOWm+XUfO1oBT29n6LyZnQAAAIAZvIw8NmT6\n\
            +9Xn1bqeO+Vcv44YZBjslhlTlHpoMXbrfA2zYtDs3wFutSg0IFAoW7LStGDcwNSXJwAVqZ\n\
            CtBTFmGbyMPDZk+vvV59W6njvlXL+OGGQY7JYZU5R6aDF263wNs2LQ7N8BbrUoNCBQKFuy\n\
            0rRg3MDUlycAFamQrQUxZg==\n\
            -----END OPENSSH PRIVATE KEY-----\n",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILECU3ZMiyM/s3VC4jQBx7RQ5ab5dR87WgFPb2fovJmd root@beta\n",
        ),
    )
}
