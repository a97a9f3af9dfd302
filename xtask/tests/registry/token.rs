//! A proxy in front of a registry that requires a token, and the token server (distribution's token
//! authentication specification).

use crate::registry::PAIR;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

pub const TOKEN: &str = "hunter2-bearer-token";
/// An OAuth 2 refresh token.
pub const IDENTITY: &str = "hunter2-identity-token";

pub struct Door {
    pub host: String,
}

impl Door {
    /// Starts the proxy in front of the registry at `behind`. It runs until the test process ends.
    pub fn before(behind: &str) -> Door {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (own, behind) = (host.clone(), behind.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, behind) = (own.clone(), behind.clone());
                // a client that closes the connection is no error
                thread::spawn(move || drop(serve(stream, &own, &behind)));
            }
        });
        Door { host }
    }
}

fn serve(mut client: TcpStream, own: &str, behind: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    };
    let length = header("Content-Length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    let line = head.lines().next().unwrap_or_default();
    let scope = "scope=repository%3Asilvermetal-builder%3Apull";
    if line.contains(" /token") {
        let by_name = line.starts_with("GET ")
            && line.contains(scope)
            && line.contains("service=the%20door")
            && header("Authorization") == Some(&format!("Basic {PAIR}"));
        let by_token = line.starts_with("POST ")
            && body.contains(scope)
            && body.contains("grant_type=refresh_token")
            && body.contains(&format!("refresh_token={IDENTITY}"));
        let (status, answer) = if by_name {
            ("200 OK", format!("{{\"token\": \"{TOKEN}\"}}"))
        } else if by_token {
            ("200 OK", format!("{{\"access_token\": \"{TOKEN}\"}}"))
        } else {
            ("401 Unauthorized", "{}".to_owned())
        };
        let length = answer.len();
        return write!(
            client,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
        );
    }
    if header("Authorization") != Some(&format!("Bearer {TOKEN}")) {
        return write!(
            client,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{own}/token\",\
             service=\"the door\",scope=\"repository:silvermetal-builder:pull\"\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let mut registry = TcpStream::connect(behind)?;
    let lines = head.trim_end().lines().filter(|line| !line.starts_with("Connection: "));
    for line in lines {
        write!(registry, "{line}\r\n")?;
    }
    write!(registry, "Connection: close\r\n\r\n{body}")?;
    std::io::copy(&mut registry, &mut client).map(drop)
}
