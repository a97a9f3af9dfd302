//! Requests to a server on loopback.

use super::peer::{Peer, SeenRequest, answer};
use super::*;
use crate::hash;
use crate::secret::Secret;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

fn http() -> Http {
    Http { pause: Duration::ZERO, ..Http::default() }
}

fn ui() -> Ui {
    Ui::new(false)
}

fn get(url: &Url) -> Result<Response> {
    http().send(&Request::get(url), Sink::Memory(1000), &ui())
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("xtask-http-{name}-{}", std::process::id()))
}

#[test]
fn status_headers_and_body_come_back() {
    let peer = Peer::new(&[
        "HTTP/1.1 103 Early Hints\r\nX: no\r\n\r\nHTTP/1.1 200 OK\r\nx-Y: z\r\nContent-Length: 17\r\n\r\nHTTP/1.1 500 No\n\n",
    ]);
    let response = get(&peer.url.child("a b")).unwrap();
    assert_eq!((response.status, response.header("X-y")), (200, Some("z")));
    assert_eq!(response.text().unwrap(), "HTTP/1.1 500 No\n\n", "a body is not taken for a head");
    assert_eq!(response.digest, hash::text("HTTP/1.1 500 No\n\n"));
    assert!(peer.seen()[0].head.starts_with("GET /a%20b HTTP/1.1\r\n"), "{:?}", peer.seen());
}

#[test]
fn a_head_has_headers_only() {
    let peer = Peer::new(&["HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nDigest: d\r\n\r\n"]);
    let request = Request::new(Method::Head, &peer.url);
    let response = http().send(&request, Sink::Memory(10), &ui()).unwrap();
    assert_eq!((response.header("digest"), response.size), (Some("d"), 0));
}

#[test]
fn a_file_goes_up_whole_and_comes_down_with_its_hash() {
    let content: String = (0..200_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let peer = Peer::new(&[&answer("201 Created", "", "{}"), &answer("200 OK", "", &content)]);
    let file = scratch("up, \"quoted\"; \\");
    fs::write(&file, &content).unwrap();
    let request =
        Request::new(Method::Post, &peer.url).form_file("attachment", &file, "a \"b\".iso");
    assert_eq!(http().send(&request, Sink::Memory(10), &ui()).unwrap().status, 201);
    let body = String::from_utf8(peer.seen()[0].body.clone()).unwrap();
    assert!(body.contains(&content), "the file is in the form");
    assert!(
        body.contains("name=\"attachment\"; filename=\"a \\\"b\\\".iso\"")
            || body.contains("filename=\"a %22b%22.iso\""),
        "{}",
        &body[..300]
    );

    let down = scratch("down");
    let response =
        http().send(&Request::get(&peer.url), Sink::File(&down, 200_000), &ui()).unwrap();
    assert_eq!(fs::read_to_string(&down).unwrap(), content);
    assert_eq!((response.digest, response.size), (hash::text(&content), 200_000));
    for path in [file, down] {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_secret_goes_to_the_server_and_nowhere_else() {
    let secret = format!("hunter2-http-{}", std::process::id());
    let peer = Peer::new(&[&answer("401 Unauthorized", "", &format!("no such token: {secret}"))]);
    let secret_value = Secret::new(&secret, "test").unwrap();
    let request = Request::new(Method::Post, &peer.url)
        .authorization("token", &secret_value, &peer.url)
        .json(&format!("{{\"also\": \"{secret}\"}}"));
    let response = http().send(&request, Sink::Memory(1000), &ui()).unwrap();
    let seen = &peer.seen()[0];
    assert!(seen.head.contains(&format!("Authorization: token {secret}\r\n")), "{}", seen.head);
    assert!(seen.argvs.contains("curl\0--disable\0"), "curl was seen at work");
    assert!(!seen.argvs.contains(&secret), "{}", seen.argvs);
    let error = format!("{:#} {request} {request:?}", response.expect(&[200]).unwrap_err());
    assert!(error.contains("401 Unauthorized: no such token: ***"), "{error}");

    let open = Request::get(&"http://gitea.example/".parse().unwrap());
    let error = http().send(
        &open.clone().authorization(
            "token",
            &secret_value,
            &"http://gitea.example".parse().unwrap(),
        ),
        Sink::Hash(1000),
        &ui(),
    );
    assert!(error.unwrap_err().to_string().contains("refusing to send a secret over plain http"));
}

#[test]
fn a_secret_does_not_follow_to_another_origin() {
    let secret = Secret::new("hunter2-redirect", "test").unwrap();
    let other = Peer::new(&[&answer("200 OK", "", "here")]);
    let away = answer("302 Found", &format!("Location: {}/x\r\n", other.url), "");
    let peer = Peer::new(&[&answer("301 Moved", "Location: /again\r\n", ""), &away]);
    let request = Request::get(&peer.url).authorization("token", &secret, &peer.url);
    let response = http().send(&request, Sink::Memory(10), &ui()).unwrap();
    assert_eq!(response.text().unwrap(), "here");
    let has = |seen: &SeenRequest| seen.head.contains("hunter2-redirect");
    assert_eq!(peer.seen().iter().map(has).collect::<Vec<_>>(), [true, true]);
    assert_eq!(other.seen().iter().map(has).collect::<Vec<_>>(), [false]);
}

#[test]
fn redirects_end() {
    let peer = Peer::new(&[&answer("302 Found", "Location: /again\r\n", "")]);
    assert!(get(&peer.url).unwrap_err().to_string().contains("more than 5 redirects"));
}

#[test]
fn transient_failures_are_tried_again() {
    let busy = answer("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
    let peer = Peer::new(&[&busy, cut, "", &answer("200 OK", "", "good")]);
    assert_eq!(get(&peer.url).unwrap().text().unwrap(), "good");
    assert_eq!(peer.seen().len(), 4);

    let peer = Peer::new(&[cut]);
    let error = get(&peer.url).unwrap_err().to_string();
    assert!(error.contains("the connection was cut"), "{error}");
    assert_eq!(peer.seen().len(), 4);
}

#[test]
fn a_post_is_not_sent_twice() {
    let post = |peer: &Peer| {
        http().send(&Request::new(Method::Post, &peer.url).json("{}"), Sink::Memory(10), &ui())
    };
    let failing = Peer::new(&[&answer("500 Internal Server Error", "", "why")]);
    assert_eq!(post(&failing).unwrap().status, 500);
    let cutting = Peer::new(&["HTTP/1.1 201"]);
    post(&cutting).unwrap_err();
    assert_eq!((failing.seen().len(), cutting.seen().len()), (1, 1));
}

#[test]
fn a_missing_connection_and_an_endless_answer_are_errors() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let error = get(&format!("http://127.0.0.1:{port}/").parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("no connection"), "{error}");
    let peer = Peer::new(&[&answer("200 OK", "", &"x".repeat(100_000))]);
    assert!(get(&peer.url).unwrap_err().to_string().contains("expected at most 1000 bytes"));
}

#[test]
fn a_server_that_sends_nothing_times_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let http = Http { stall_timeout: 1, attempts: 1, ..http() };
    let error = http.send(&Request::get(&url), Sink::Hash(1000), &ui()).unwrap_err().to_string();
    assert!(error.contains("it stood still for too long"), "{error}");
}

#[test]
fn a_secret_is_not_sent_to_an_origin_that_it_does_not_belong_to() {
    let secret = Secret::new("hunter2-foreign", "test").unwrap();
    let peer = Peer::new(&[&answer("200 OK", "", "")]);
    let owner = "http://127.0.0.1:9".parse().unwrap();
    let request = Request::get(&peer.url).authorization("token", &secret, &owner);
    let error = http().send(&request, Sink::Memory(10), &ui()).unwrap_err().to_string();
    assert!(error.contains("a secret that belongs to http://127.0.0.1:9"), "{error}");
    assert!(peer.seen().is_empty());
}

#[test]
fn a_request_has_an_end_however_slow_or_long_the_answer_is() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                use std::io::Write as _;
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
                let mut alive = stream.write_all(head).is_ok();
                while alive {
                    std::thread::sleep(Duration::from_millis(300));
                    alive = stream.write_all(b"xx").is_ok();
                }
            });
        }
    });
    // it never stands still: two bytes come every 0.3 s
    let http = Http { connect_timeout: 1, stall_timeout: 2, attempts: 1, ..http() };
    let error = http.send(&Request::get(&url), Sink::Hash(1000), &ui()).unwrap_err().to_string();
    assert!(error.contains("it took too long"), "{error}");
    let long = Peer::new(&[&answer("200 OK", "", &"x".repeat(100_000))]);
    let file = scratch("long");
    for sink in [Sink::Hash(99_999), Sink::File(&file, 99_999)] {
        let error = http.send(&Request::get(&long.url), sink, &ui()).unwrap_err().to_string();
        assert!(error.contains("expected at most 99999 bytes"), "{error}");
    }
    fs::remove_file(file).unwrap();
}
