//! A request as a server of the tests reads it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

pub struct HttpRequest {
    /// The request line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// Reads one request, and asks for the body if the client waits for that.
    pub fn read(client: &mut TcpStream) -> std::io::Result<HttpRequest> {
        let mut reader = BufReader::new(client.try_clone()?);
        let mut request = HttpRequest { head: String::new(), body: Vec::new() };
        while !request.head.ends_with("\r\n\r\n") && reader.read_line(&mut request.head)? > 0 {}
        if request.header("Expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let length = request.header("Content-Length").and_then(|n| n.parse().ok()).unwrap_or(0);
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body)?;
        Ok(request)
    }

    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}
