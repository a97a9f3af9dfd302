//! A server on loopback that records what it was asked.

use super::http::HttpRequest;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request: its first line, the value of its Authorization, and all of it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub line: String,
    pub authorization: Option<String>,
    pub whole: String,
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

    /// True if any request has these words in it.
    pub fn was_told(&self, words: &str) -> bool {
        self.asked().iter().any(|asked| asked.whole.contains(words))
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
    let request = HttpRequest::read(&mut client)?;
    let line = request.line().to_owned();
    let authorization = request.header("Authorization").map(str::to_owned);
    let whole = format!("{}{}", request.head, String::from_utf8_lossy(&request.body));
    let (status, headers, body) = answer(&Asked { line, authorization, whole });
    write!(
        client,
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
