//! approx's stand-in for curl, against a server that throttles.

use crate::support::executable;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A package with bytes that a shell could lose.
const PACKAGE: &[u8] = b"\0!<arch>\n\n\0\xff two\r\n\r\nHTTP/1.1 429 in the package\n\0";

/// Refuses the first two requests, then serves [`PACKAGE`]. Returns the address.
fn throttling(status: &'static str, header: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/x.deb", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (n, mut stream) in listener.incoming().flatten().enumerate() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            let mut head = false;
            while lines.read_line(&mut line).is_ok_and(|n| n > 2) {
                head |= line.starts_with("HEAD ");
                line.clear();
            }
            let (status, header, body) =
                if n < 2 { (status, header, &b"slow"[..]) } else { ("200 OK", "", PACKAGE) };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).unwrap();
            if !head {
                stream.write_all(body).unwrap();
            }
        }
    });
    url
}

/// A new folder.
fn folder() -> PathBuf {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let n = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("xtask-throttled-{}-{n}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Makes stubs of `logger` and `sleep` that note how they were called. Returns the notes' file.
fn noting(dir: &Path) -> PathBuf {
    let notes = dir.join("notes");
    for name in ["logger", "sleep"] {
        let text = format!("#!/bin/sh\necho {name} \"$@\" >>'{}'\n", notes.display());
        executable(&dir.join(name), &text);
    }
    notes
}

/// approx's stand-in for curl.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../linux/build/docker/approx/patient-curl")
}

/// Exit code, stdout, and the lines that `logger` and `sleep` were called with.
fn fetch(url: &str, more: &[&str]) -> (i32, Vec<u8>, String) {
    let dir = folder();
    let notes = noting(&dir);
    let path = format!("{}:/usr/bin:/bin", dir.display());
    let mut command = Command::new("bash");
    command.arg(script()).args(["--fail", "--silent"]).args(more).arg(url).env("PATH", path);
    let output = command.output().unwrap();
    let notes = fs::read_to_string(notes).unwrap_or_default();
    fs::remove_dir_all(&dir).unwrap();
    (output.status.code().unwrap(), output.stdout, notes)
}

#[test]
fn a_package_from_a_server_that_throttles_arrives_whole() {
    let url = throttling("429 Too Many Requests", "Retry-After: 7\r\n");
    let (code, stdout, notes) = fetch(&url, &["--include"]);
    assert_eq!(code, 0, "{notes}");
    let text = String::from_utf8_lossy(&stdout);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(stdout.ends_with(&[b"\r\n\r\n", PACKAGE].concat()), "{text}");
    let once = "logger --tag packages --priority user.alert the package archive throttles (429): waiting 7 s\nsleep 7\n";
    assert_eq!(notes, once.repeat(2));
}

#[test]
fn without_headers_the_wait_grows() {
    let url = throttling("503 Service Unavailable", "");
    let dir = folder();
    let file = dir.join("x.deb");
    let (code, stdout, notes) = fetch(&url, &["--output", file.to_str().unwrap()]);
    assert_eq!((code, stdout.len()), (0, 0), "{notes}");
    assert_eq!(fs::read(&file).unwrap(), PACKAGE);
    fs::remove_dir_all(&dir).unwrap();
    assert!(notes.contains("sleep 5\n") && notes.ends_with("sleep 10\n"), "{notes}");
    // neither headers nor a file
    let url = throttling("429 Too Many Requests", "Retry-After: 999999\r\n");
    let (code, stdout, notes) = fetch(&url, &[]);
    assert_eq!((code, stdout.as_slice()), (0, PACKAGE), "{notes}");
}

#[test]
fn every_other_refusal_is_passed_on() {
    let url = throttling("404 Not Found", "");
    let (code, stdout, notes) = fetch(&url, &["--head"]);
    assert_eq!((code, notes.as_str()), (22, ""));
    assert!(stdout.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
}

/// The exit code, and the notes of [`fetch`], if `curl` fails `times` times with `exit` before it succeeds.
fn unreached(exit: u8, times: u8, arguments: &[&str]) -> (i32, String, String) {
    let dir = folder();
    let curl = dir.join("curl");
    let count = dir.join("count");
    let text = format!(
        "#!/bin/sh\necho x >>'{0}'\nif [ \"$(wc -l <'{0}')\" -le {times} ]; then echo \"curl: ({exit}) no\" >&2; exit {exit}; fi\n\
         printf 'HTTP/1.1 200 OK\\r\\n\\r\\nbody'\n",
        count.display()
    );
    executable(&curl, &text);
    let notes = noting(&dir);
    let script = fs::read_to_string(script()).unwrap();
    assert!(script.contains("curl=/usr/bin/curl "));
    let ours = script.replace("curl=/usr/bin/curl ", &format!("curl='{}' ", curl.display()));
    let path = format!("{}:/usr/bin:/bin", dir.display());
    let mut command = Command::new("bash");
    let output =
        command.args(["-c", &ours, "x"]).args(arguments).env("PATH", path).output().unwrap();
    let notes = fs::read_to_string(notes).unwrap_or_default();
    fs::remove_dir_all(&dir).unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), notes)
}

#[test]
fn a_server_that_is_not_reached_is_asked_again_and_told_in_the_end() {
    for arguments in [&["--include", "http://x"][..], &["http://x"]] {
        let (code, stdout, notes) = unreached(6, 2, arguments);
        assert_eq!((code, stdout.as_str()), (0, "HTTP/1.1 200 OK\r\n\r\nbody"), "{notes}");
        assert!(notes.contains("the package archive is not reached (curl: exit 6)"), "{notes}");
        assert!(notes.ends_with("sleep 8\n"), "{notes}");
        let (code, stdout, notes) = unreached(7, 9, arguments);
        assert_eq!((code, stdout.as_str()), (7, ""), "{notes}");
        assert_eq!(notes.matches("sleep").count(), 3, "{notes}");
        // a certificate that is not trusted, or a file that is not there, is told at once
        for exit in [60, 22] {
            let (code, _, notes) = unreached(exit, 9, arguments);
            assert_eq!((code, notes.as_str()), (i32::from(exit), ""));
        }
    }
}
