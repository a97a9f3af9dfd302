//! `inspect --rebuilt`, against a rebuilder on loopback that answers as rebuilderd does.

use crate::support::{EPOCH, Pair, Side};
use crate::{DATE, UEFI, sound};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

/// Serves `list` to every request. Returns the rebuilder's address.
fn rebuilder(status: &'static str, list: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/amd64/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            lines.read_line(&mut first).unwrap();
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let found = first.starts_with("GET /amd64/api/v0/pkgs/list ");
            let status = if found { status } else { "404 Not Found" };
            let length = list.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(format!("{head}{list}").as_bytes()).unwrap();
        }
    });
    url
}

/// A package as rebuilderd lists it.
fn package(name: &str, version: &str, status: &str) -> String {
    format!(
        r#"{{"name":"{name}","version":"{version}","status":"{status}","distro":"debian","suite":"trixie","architecture":"amd64","artifact_url":"https://example.org/{name}_{version}_amd64.deb","build_id":null,"built_at":null,"has_diffoscope":false,"has_attestation":false}}"#
    )
}

/// An image with the packages good, bad, new, unheard, each in version 1-2+b1.
fn image(name: &str) -> (Pair, PathBuf) {
    let pair = Pair::new(name, |tree, side| {
        if side == Side::A {
            sound(tree);
            let one = |name: &str| {
                format!("Package: {name}\nStatus: install ok installed\nVersion: 1-2+b1\n\n")
            };
            tree.write("var/lib/dpkg/status", &["good", "bad", "new", "unheard"].map(one).concat());
            tree.squashfs(&[], EPOCH);
            tree.iso(&[&DATE[..], &UEFI[1..]].concat());
        }
    });
    let iso = pair.both("image.iso")[0].clone();
    (pair, iso)
}

fn inspect(iso: &Path, more: &[&str]) -> Output {
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_diagnose"));
    inspect.args(["inspect", "--recipe", "base"]).arg(iso).args(more);
    inspect.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

#[test]
fn rebuilt_names_the_packages_that_differ_and_those_that_nobody_knows() {
    let (_pair, iso) = image("rebuilt");
    let list = [
        package("good", "1-2+b1", "BAD"), // another build of the same version
        package("good", "1-2+b1", "GOOD"),
        package("bad", "1-2+b1", "BAD"),
        package("bad", "1-2", "GOOD"), // another version
        package("new", "1-2+b1", "UNKWN"),
    ];
    let url = rebuilder("200 OK", format!("[{}]", list.join(",")));
    let said = inspect(&iso, &["--rebuilt", "--rebuilder", &url]);
    let text = String::from_utf8(said.stdout).unwrap();
    let wanted = format!(
        "others have reproduced 1 of 4 packages ({})\n  1 package rebuilt with another result:\n    bad 1-2+b1\n  \
         2 packages of which no rebuild is known:\n    new 1-2+b1\n    unheard 1-2+b1\n",
        url.trim_end_matches('/')
    );
    assert!(text.ends_with(&wanted), "{text}");
    let said = inspect(&iso, &["--rebuilt", "--rebuilder", &url, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(json["rebuilt"]["reproduced"], 1);
    assert_eq!(json["rebuilt"]["differs"][0]["package"], "bad");
    assert_eq!(json["rebuilt"]["unknown"].as_array().unwrap().len(), 2);
    let said = inspect(&iso, &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(json["rebuilt"].is_null());
}

#[test]
fn a_rebuilder_that_cannot_be_asked_is_an_error_and_no_answer() {
    let (_pair, iso) = image("not-rebuilt");
    for (status, list, says) in [
        ("404 Not Found", String::new(), "404 Not Found"),
        ("200 OK", "<html>".to_owned(), "expected a list of packages in JSON"),
        ("200 OK", "{}".to_owned(), "expected a list of packages, as rebuilderd gives it"),
        ("200 OK", r#"[{"name":"a","version":1}]"#.to_owned(), "package 1 has no text `status`"),
    ] {
        let url = rebuilder(status, list);
        let said = inspect(&iso, &["--rebuilt", "--rebuilder", &url]);
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert_eq!((said.status.code(), said.stdout.len()), (Some(3), 0), "{stderr}");
        assert!(stderr.contains(says) && stderr.contains("fix: check the network"), "{stderr}");
    }
    let said = inspect(&iso, &["--rebuilt", iso.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(2));
}
