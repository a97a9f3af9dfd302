//! Packages with other versions, by the databases of several package managers.

use crate::support::{Pair, Side, Tree, md5, sha1_base64, sha256};

/// A program that a package brings, on each side.
fn program(side: Side) -> String {
    format!("\u{7f}OBJ\u{0}{}\u{0}", side.pick("one", "two"))
}

/// Alpine's database of busybox and sudo, and their programs; `sum`: of which content the database has the sum.
fn alpine(tree: &Tree, side: Side, sum: &str, sudo: &str) {
    let paragraph = |name: &str, version: &str, content: &str| {
        let sum = sha1_base64(content);
        format!("C:Q1{0}\nP:{name}\nV:{version}\nA:x86_64\nF:bin\nR:{name}\nZ:Q1{0}\n\n", sum)
    };
    let busybox = paragraph("busybox", side.pick("1.37.0-r1", "1.37.0-r2"), sum);
    tree.write("lib/apk/db/installed", &(busybox + &paragraph("sudo", "1.9-r0", sudo)));
    tree.write("bin/busybox", &program(side));
    tree.write("bin/sudo", sudo);
}

/// Arch's folders of bash and sudo, and their programs.
fn arch(tree: &Tree, side: Side, sum: &str, sudo: &str) {
    for (name, version, sum) in
        [("bash", side.pick("5.2.37-1", "5.3.0-2"), sum), ("sudo", "1.9-1", sudo)]
    {
        let folder = format!("var/lib/pacman/local/{name}-{version}");
        tree.write(&format!("{folder}/desc"), &format!("%NAME%\n{name}\n\n%VERSION%\n{version}\n"));
        tree.write(
            &format!("{folder}/files"),
            &format!("%FILES%\nusr/\nusr/bin/\nusr/bin/{name}\n"),
        );
        let mtree = format!(
            "#mtree\n/set type=file uid=0 gid=0 mode=644\n./usr time=1.0 mode=755 type=dir\n\
             ./usr/bin/{name} time=1.0 size=9 sha256digest={}\n",
            sha256(sum)
        );
        tree.gzip(&format!("{folder}/mtree"), mtree.as_bytes(), 0);
    }
    tree.write("usr/bin/bash", &program(side));
    tree.write("usr/bin/sudo", sudo);
}

#[test]
fn packages_of_alpine() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| alpine(tree, side, &program(side), "sudo");
    Pair::of_images("apk", make).names(&["packages"]);
    // the program of a package that did not move, with a database that says so, or not
    let make =
        |tree: &Tree, side: Side| alpine(tree, side, &program(side), side.pick("ask", "do not"));
    Pair::of_images("apk-other", make).hints(&["packages"], &["-"]);
    let make = |tree: &Tree, side: Side| alpine(tree, side, "what it was", "sudo");
    Pair::of_images("apk-altered", make).hints(&["packages"], &["packages"]);
}

#[test]
fn packages_of_arch() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| arch(tree, side, &program(side), "sudo");
    Pair::of_images("pacman", make).names(&["packages"]);
    let make =
        |tree: &Tree, side: Side| arch(tree, side, &program(side), side.pick("ask", "do not"));
    Pair::of_images("pacman-other", make).hints(&["packages"], &["-"]);
    let make = |tree: &Tree, side: Side| {
        arch(tree, side, "what it was", "sudo");
        if side == Side::B {
            tree.write("var/lib/pacman/local/bash-5.3.0-2/install", "post_upgrade() { evil; }\n");
        }
    };
    Pair::of_images("pacman-altered", make).hints(&["packages"], &["-", "packages"]);
}

/// dpkg's list names the file, but nothing says what is in it.
#[test]
fn a_file_without_a_checksum_is_only_perhaps_its_packages() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        let version = side.pick(1, 2);
        tree.write("var/lib/dpkg/status", &format!(
            "Package: bash\nStatus: install ok installed\nVersion: {version}\n\nPackage: sudo\nStatus: install ok installed\nVersion: 1\n"));
        tree.write("var/lib/dpkg/info/bash.list", "/usr\n/usr/bin\n/usr/bin/bash\n");
        tree.write("var/lib/dpkg/info/sudo.list", "/usr\n/usr/bin\n/usr/bin/sudo\n");
        tree.write("var/lib/dpkg/info/sudo.md5sums", &format!("{}  usr/bin/sudo\n", md5("x")));
        tree.write("usr/bin/bash", &program(side));
        tree.write("usr/bin/sudo", &program(side));
    };
    Pair::of_images("dpkg-unsummed", make).hints(&["packages"], &["-", "packages"]);
}

#[test]
fn the_database_of_rpm_is_named_and_not_read() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        tree.write(
            "usr/lib/sysimage/rpm/rpmdb.sqlite",
            side.pick("SQLite format 3\u{0}one", "SQLite format 3\u{0}two"),
        );
    };
    let json = Pair::of_images("rpm", make).json("image.iso");
    let item = &json["unreadable"][0];
    assert_eq!(item["usually"]["id"], "rpm-database", "{json:#}");
    assert_eq!(json["causes"], serde_json::json!([]), "{json:#}");
}

#[test]
fn a_list_of_a_package_that_is_not_there_is_nobodys() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        let bash = "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\n\n";
        let sudo = "Package: sudo\nStatus: install ok installed\nVersion: 1.9-1\n\n";
        tree.write("var/lib/dpkg/status", &format!("{bash}{}", side.pick(sudo, "")));
        let list = side.pick("/usr/bin/sudo\n", "/usr/bin/other\n");
        tree.write("var/lib/dpkg/info/sudo.list", list);
    };
    Pair::of_images("list-of-nobody", make).hints(&["packages"], &["-"]);
}

/// The database of foo and sudo, and the files that foo says to have.
fn debian(tree: &Tree, side: Side, files: &[(&str, &str)]) {
    let paragraph = |name: &str, version: &str| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
    };
    let status = paragraph("foo", side.pick("1-1", "1-2")) + &paragraph("sudo", "1.9-1");
    tree.write("var/lib/dpkg/status", &status);
    tree.write("var/lib/dpkg/info/sudo.list", "/usr\n/usr/bin\n/usr/bin/sudo\n");
    let sum = |path: &str, content: &str| format!("{}  {path}\n", md5(content));
    tree.write("var/lib/dpkg/info/sudo.md5sums", &sum("usr/bin/sudo", "sudo"));
    let sums: String = files.iter().map(|(path, content)| sum(path, content)).collect();
    let list: String = files.iter().map(|(path, _)| format!("/{path}\n")).collect();
    tree.write("var/lib/dpkg/info/foo.list", &list);
    tree.write("var/lib/dpkg/info/foo.md5sums", &sums);
    for (path, content) in files {
        tree.write(path, content);
    }
}

/// A package that moved says that a file of another one is its own.
#[test]
fn a_file_of_a_package_that_did_not_move_is_not_explained() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        debian(tree, side, &[("usr/bin/sudo", side.pick("sudo", "evil"))]);
    };
    Pair::of_images("dpkg-claims", make).hints(&["packages"], &["packages"]);
}

/// The database has no modes.
#[test]
fn a_program_that_runs_as_root_is_no_consequence_of_a_version() {
    needs_tools!();
    let make = |tree: &Tree, side: Side| {
        let files = [("usr/bin/foo", side.pick("one", "two")), ("usr/bin/new", "new")];
        debian(tree, side, &files[..side.pick(1, 2)]);
        if side == Side::B {
            tree.mode("usr/bin/new", 0o4755);
        }
    };
    Pair::of_images("dpkg-setuid", make).hints(&["packages"], &["packages"]);
}
