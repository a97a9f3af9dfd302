//! A server on loopback that records what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request: its first line, and the value of its Authorization.
#[derive(Clone, Debug)]
pub struct Asked {
    pub line: String,
    pub authorization: Option<String>,
}

pub struct Peer {
    /// `127.0.0.1:PORT`.
    pub host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    /// `answer` gets the request and the peer's own host, and returns status, headers and body.
    pub fn new(
        answer: impl Fn(&Asked, &str) -> (u16, String, String) + Send + Sync + 'static,
    ) -> Peer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (own, seen, answer) = (host.clone(), Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, seen, answer) = (own.clone(), Arc::clone(&seen), Arc::clone(&answer));
                // a client that closes the connection is no error
                thread::spawn(move || {
                    drop(serve(stream, |asked| {
                        seen.lock().unwrap().push(asked.clone());
                        answer(asked, &own)
                    }))
                });
            }
        });
        Peer { host, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The values of all Authorization headers.
    pub fn authorizations(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.asked().into_iter().filter_map(|asked| asked.authorization).collect();
        all.sort();
        all.dedup();
        all
    }
}

fn serve(
    mut client: TcpStream,
    answer: impl Fn(&Asked) -> (u16, String, String),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    if header("Expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = header("Content-Length").and_then(|n| n.parse().ok()).unwrap_or(0);
    reader.read_exact(&mut vec![0; length])?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    let (status, headers, body) = answer(&Asked { line, authorization: header("Authorization") });
    write!(
        client,
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
