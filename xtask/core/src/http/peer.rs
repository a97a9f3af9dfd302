//! A server on loopback for tests: it sends the answers it is told to, and keeps what it was asked.

use super::Url;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request as the peer saw it: the head in lower-case lines, the body, and every argv of this
/// machine at that moment.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequest {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) argvs: String,
}

pub(crate) struct Peer {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<SeenRequest>>>,
}

impl Peer {
    /// Sends the answers in turn, the last one for ever; each connection serves one request.
    pub(crate) fn new(answers: &[&str]) -> Peer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (note, answers) = (Arc::clone(&seen), answers.iter().map(|a| a.to_string()).collect());
        std::thread::spawn(move || serve(&listener, &note, answers));
        Peer { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(listener: &TcpListener, seen: &Mutex<Vec<SeenRequest>>, answers: Vec<String>) {
    for (n, stream) in listener.incoming().enumerate() {
        let mut stream = stream.unwrap();
        let request = read(&mut stream);
        seen.lock().unwrap().push(request);
        let answer = answers.get(n).or(answers.last()).unwrap();
        // the client may have enough already
        drop(stream.write_all(answer.as_bytes()));
    }
}

fn read(stream: &mut TcpStream) -> SeenRequest {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "the request ends in its head");
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    if lower.contains("expect: 100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let argv = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let argvs: Vec<u8> =
        fs::read_dir("/proc").unwrap().flatten().filter_map(argv).flatten().collect();
    SeenRequest { head, body, argvs: String::from_utf8_lossy(&argvs).into_owned() }
}

/// A complete answer, with its length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
