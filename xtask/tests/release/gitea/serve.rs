//! The HTTP side of the stand-in.

use super::state::State;
use super::{How, TOKEN};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek as _, SeekFrom, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    length: u64,
}

/// Serves the requests of one connection.
pub fn serve(stream: TcpStream, state: &Mutex<State>, root: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let Some(request) = read_head(&mut reader)? else { return Ok(()) };
        let line = format!("{} {}", request.method, request.path);
        let fault = {
            let mut state = state.lock().unwrap();
            state.log.push(line.clone());
            state.look();
            state.fault(&line)
        };
        if let Some(How::Status(status)) = fault {
            // a careless server repeats the token in its message
            let said = request.headers.get("authorization").cloned().unwrap_or_default();
            return answer(
                &mut stream,
                status,
                &json!({ "message": format!("told to fail: {said}") }),
                true,
            );
        }
        if fault == Some(How::Archive) {
            state.lock().unwrap().archived = true;
        }
        let read_token = state.lock().unwrap().read_token;
        if fault == Some(How::Stall) {
            thread::sleep(Duration::from_secs(20));
            return Ok(());
        }
        if !format!("{}/", request.path).starts_with("/api/v1/repos/SilverLABS/SilverMetal/") {
            download(&mut stream, state, &request, fault.as_ref())?;
            continue;
        }
        let (status, value) = match (request.method.as_str(), api_path(&request.path).as_slice()) {
            (_, _) if !allowed(&request) && (request.method != "GET" || has_token(&request)) => {
                (401, json!({ "message": "invalid username, password or token" }))
            }
            (method, _) if method != "GET" && read_token => {
                let scope = "required=[write:repository], token scope=read:repository";
                let said =
                    format!("token does not have at least one of required scope(s), {scope}");
                (403, json!({ "message": said }))
            }
            ("POST", ["releases", id, "assets"]) => {
                let id = id.parse().unwrap();
                match upload(&mut reader, &mut stream, state, &request, id, fault.as_ref())? {
                    Some(answer) => answer,
                    None => return Ok(()),
                }
            }
            (method, path) => {
                let mut body = vec![0; request.length as usize];
                reader.read_exact(&mut body)?;
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                api(method, path, &request, &body, &mut state.lock().unwrap(), root)
            }
        };
        if fault == Some(How::DoneButCut) {
            return Ok(());
        }
        // the rest of the body is not read, so the connection cannot be used again
        let early = status == 401 || status == 403;
        answer(&mut stream, status, &value, early)?;
        if early {
            return Ok(());
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    Ok(Some(Request {
        method,
        path: path.to_owned(),
        query: query.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        length: headers.get("content-length").map_or(0, |length| length.parse().unwrap()),
        headers,
    }))
}

fn allowed(request: &Request) -> bool {
    request.headers.get("authorization").is_some_and(|value| value == &format!("token {TOKEN}"))
}

/// Returns `true` if the request has a token. A wrong one is refused, even if none is needed.
fn has_token(request: &Request) -> bool {
    request.headers.contains_key("authorization")
}

/// Parts of the path below the repository.
fn api_path(path: &str) -> Vec<&str> {
    path.split('/').skip(6).collect()
}

fn api(
    method: &str,
    path: &[&str],
    request: &Request,
    body: &Value,
    state: &mut State,
    root: &str,
) -> (u16, Value) {
    let may_write = allowed(request);
    let not_found = (404, json!({ "message": "not found" }));
    let has_id = |value: &Value, id: &str| value["id"].as_u64() == id.parse().ok();
    let by_id = |state: &State, id: &str| state.releases.iter().position(|r| has_id(r, id));
    match (method, path) {
        ("GET", []) => {
            let archived = state.archived;
            (200, json!({ "archived": archived, "permissions": { "push": !state.read_only } }))
        }
        ("GET", ["git", "commits", commit]) => {
            let known = !state.lacks.iter().any(|lacking| lacking == commit);
            if known { (200, json!({ "sha": commit })) } else { not_found }
        }
        ("GET", ["releases", "tags", tag]) => {
            let drafts = may_write && !state.hides_drafts_by_tag;
            let found = state
                .releases
                .iter()
                .find(|r| r["tag_name"] == **tag && (drafts || r["draft"] == false));
            found.map_or(not_found, |release| (200, state.shown(release)))
        }
        ("GET", ["tags", tag]) => {
            let commit = state.tags.get(*tag);
            commit.map_or(not_found, |sha| (200, json!({ "name": tag, "commit": { "sha": sha } })))
        }
        ("GET", ["releases"]) => {
            let shown: Vec<Value> = state
                .releases
                .iter()
                .filter(|r| may_write || r["draft"] == false)
                .map(|release| state.shown(release))
                .collect();
            (200, state.page(&shown, &request.query))
        }
        ("POST", ["releases"]) | ("PATCH", ["releases", _]) if state.archived => {
            (500, json!({ "message": "" }))
        }
        ("POST", ["releases"]) => {
            if state.releases.iter().any(|r| r["tag_name"] == body["tag_name"]) {
                return (409, json!({ "message": "Release is has no Tag" }));
            }
            (201, state.create(body, root))
        }
        ("PATCH", ["releases", id]) => {
            let Some(at) = by_id(state, id) else { return not_found };
            let mut changed = state.releases[at].clone();
            for (key, value) in body.as_object().unwrap() {
                changed[key] = value.clone();
            }
            if changed["draft"] == false
                && let Err(message) = state.make_tag(&changed)
            {
                return (500, json!({ "message": message }));
            }
            state.releases[at] = changed;
            (200, state.shown(&state.releases[at]))
        }
        ("GET", ["releases", id, "assets"]) => {
            let Some(at) = by_id(state, id) else { return not_found };
            let assets = state.shown(&state.releases[at])["assets"].clone();
            let paged = state.pages_of_files;
            (
                200,
                if paged { state.page(assets.as_array().unwrap(), &request.query) } else { assets },
            )
        }
        ("DELETE", ["releases", id, "assets", asset]) => {
            let Some(at) = by_id(state, id) else { return not_found };
            let assets = state.releases[at]["assets"].as_array_mut().unwrap();
            let before = assets.len();
            assets.retain(|a| !has_id(a, asset));
            if assets.len() == before { not_found } else { (204, Value::Null) }
        }
        _ => not_found,
    }
}

/// Receives the file of a multipart/form-data. Returns `None` to close the connection.
fn upload(
    reader: &mut impl BufRead,
    stream: &mut TcpStream,
    state: &Mutex<State>,
    request: &Request,
    release: u64,
    fault: Option<&How>,
) -> std::io::Result<Option<(u16, Value)>> {
    let (id, path, most) = {
        let mut state = state.lock().unwrap();
        let id = state.id();
        (id, state.dir.join(id.to_string()), state.max_size)
    };
    let kind = &request.headers["content-type"];
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
    let end = format!("\r\n--{boundary}--\r\n");
    if request.headers.contains_key("expect") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head)?;
    }
    assert!(head.contains("name=\"attachment\""), "{head}");
    let size = request.length - head.len() as u64 - end.len() as u64;
    if size > most {
        // Gitea answers after the whole body
        std::io::copy(&mut reader.take(size + end.len() as u64), &mut std::io::sink())?;
        return Ok(Some((413, json!({ "message": "attachment exceeds limit" }))));
    }
    let cut = match fault {
        Some(How::CutAfter(n) | How::StoreAndCutAfter(n)) => Some(*n as u64),
        _ => None,
    };
    store(reader, &path, cut.unwrap_or(size).min(size))?;
    if let Some(n) = cut {
        if let Some(How::StoreAndCutAfter(_)) = fault {
            state.lock().unwrap().add_asset(release, id, &request.query["name"], n.min(size));
        }
        return Ok(None);
    }
    let mut tail = vec![0; end.len()];
    reader.read_exact(&mut tail)?;
    assert_eq!(String::from_utf8_lossy(&tail), end);
    if fault == Some(&How::Corrupt) {
        let mut file = File::options().write(true).open(&path)?;
        file.write_all(b"?")?;
    }
    let mut state = state.lock().unwrap();
    state.look();
    Ok(Some((201, state.add_asset(release, id, &request.query["name"], size))))
}

/// Stores zeros as holes, so that a large sparse file takes no disk.
fn store(reader: &mut impl Read, path: &PathBuf, size: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut block = vec![0; 1 << 16];
    let mut left = size;
    while left > 0 {
        let n = block.len().min(usize::try_from(left).unwrap());
        reader.read_exact(&mut block[..n])?;
        if block[..n].iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(n as i64))?;
        } else {
            file.write_all(&block[..n])?;
        }
        left -= n as u64;
    }
    file.set_len(size)
}

/// GET /OWNER/NAME/releases/download/TAG/NAME, or /attachments/UUID. The files of a draft need the token. Of several
/// files with one name, the first is sent.
fn download(
    stream: &mut TcpStream,
    state: &Mutex<State>,
    request: &Request,
    fault: Option<&How>,
) -> std::io::Result<()> {
    let parts: Vec<&str> = request.path.rsplitn(3, '/').collect();
    let asset = {
        let state = state.lock().unwrap();
        let (of, name) = (parts[1], parts[0]);
        let mut shown =
            state.releases.iter().filter(|r| r["draft"] == false || allowed(request)).flat_map(
                |r| {
                    let assets = r["assets"].as_array().into_iter().flatten();
                    assets.map(move |asset| (&r["tag_name"], asset))
                },
            );
        let asked = shown.find(|(tag, asset)| match of {
            "attachments" => asset["uuid"] == name,
            tag_asked => **tag == *tag_asked && asset["name"] == name,
        });
        asked.map(|(_, asset)| asset.clone())
    };
    let Some(asset) = asset else {
        return answer(stream, 404, &json!("Not Found"), false);
    };
    let dir = state.lock().unwrap().dir.clone();
    let mut file = File::open(dir.join(asset["id"].to_string()))?;
    let size = file.metadata()?.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")?;
    let mut block = vec![0; 1 << 16];
    let mut first = true;
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(());
        }
        match fault {
            Some(How::Lie) if first => block[0] ^= 1,
            Some(How::CutAfter(n)) => {
                stream.write_all(&block[..*n])?;
                return stream.shutdown(std::net::Shutdown::Both);
            }
            _ => {}
        }
        if fault == Some(&How::Slow) {
            for piece in block[..n].chunks(n.div_ceil(4)) {
                thread::sleep(Duration::from_millis(50));
                stream.write_all(piece)?;
            }
        } else {
            stream.write_all(&block[..n])?;
        }
        first = false;
    }
}

fn answer(stream: &mut TcpStream, status: u16, value: &Value, last: bool) -> std::io::Result<()> {
    let body = if value.is_null() { String::new() } else { value.to_string() };
    let close = if last { "Connection: close\r\n" } else { "" };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nRetry-After: 0\r\n{close}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
