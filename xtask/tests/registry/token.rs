//! A proxy in front of a registry that requires a token, and the token server (distribution's token
//! authentication specification).

use crate::registry::PAIR;
use crate::support::http::HttpRequest;
use std::io::Write as _;
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
    let request = HttpRequest::read(&mut client)?;
    let body = String::from_utf8_lossy(&request.body);
    let (line, header) = (request.line(), |name| request.header(name));
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
    let lines = request.head.trim_end().lines().filter(|line| !line.starts_with("Connection: "));
    for line in lines {
        write!(registry, "{line}\r\n")?;
    }
    write!(registry, "Connection: close\r\n\r\n{body}")?;
    std::io::copy(&mut registry, &mut client).map(drop)
}
