//! A peer that answers as Gitea's release API does, on loopback: drafts, 409, files whose names
//! repeat, pages, a token; and that fails on request.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek as _, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// In pieces, so that whoever looks for it does not find it here.
pub const TOKEN: &str = concat!("3f0c2d1e", "-a-token-", "of-the-tests");
pub const UPLOAD: &str = "POST /api/v1/repos/SilverLABS/SilverMetal/releases/";
pub const DOWNLOAD: &str = "GET /SilverLABS/SilverMetal/releases/download/";
const OWNER: &str = "/SilverLABS/SilverMetal";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// What goes wrong, for requests whose line (`POST /api/…`) holds `when`, so many times.
#[derive(Clone, Debug)]
struct Fault {
    when: &'static str,
    times: usize,
    how: How,
    fired: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Answers so, and does nothing.
    Status(u16),
    /// Reads so many bytes of the body, and hangs up.
    CutAfter(usize),
    /// As the last, but stores what came.
    StoreAndCutAfter(usize),
    /// Does it, and hangs up instead of answering.
    DoneButCut,
    /// Sends other bytes than were stored.
    Lie,
    /// Stores other bytes than were sent, of the same size.
    Corrupt,
    /// Sends the answer in small pieces with pauses.
    Slow,
    /// Says nothing more.
    Stall,
}

/// Names and contents.
pub type Files = Vec<(String, Vec<u8>)>;

pub struct Gitea {
    state: Arc<Mutex<State>>,
    /// The repository's page.
    pub url: String,
    dir: PathBuf,
}

#[derive(Default)]
struct State {
    releases: Vec<Value>,
    faults: Vec<Fault>,
    next_id: u64,
    page_size: usize,
    max_size: u64,
    /// Files of a release are paged as well.
    pages_of_files: bool,
    /// GET …/tags/TAG shows drafts, as some versions do.
    drafts_by_tag: bool,
    log: Vec<String>,
    dir: PathBuf,
    /// Words to look for in every argv and environment while requests are served.
    watched: Vec<String>,
    leaks: Vec<String>,
    /// Peak resident memory of any curl or xtask seen at work, in KiB, by program.
    peaks: BTreeMap<String, u64>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    length: u64,
}

impl Gitea {
    pub fn new() -> Gitea {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}{OWNER}", listener.local_addr().unwrap());
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "gitea-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::SeqCst)
        ));
        fs::create_dir_all(&dir).unwrap();
        let state = Arc::new(Mutex::new(State {
            page_size: 50,
            max_size: 2048 << 20,
            next_id: 1,
            dir: dir.clone(),
            ..State::default()
        }));
        let (shared, root) = (Arc::clone(&state), url.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, root) = (Arc::clone(&shared), root.clone());
                // a client that hangs up is no reason to fail a test
                thread::spawn(move || drop(serve(stream, &state, &root)));
            }
        });
        Gitea { state, url, dir }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fails(&self, when: &'static str, times: usize, how: How) {
        self.state().faults.push(Fault { when, times, how, fired: false });
    }

    /// No more faults; each of them was met.
    #[track_caller]
    pub fn heals(&self) {
        let idle: Vec<Fault> = self.state().faults.drain(..).filter(|f| !f.fired).collect();
        assert!(idle.is_empty(), "never met: {idle:?}");
    }

    pub fn pages(&self, size: usize, of_files: bool) {
        let mut state = self.state();
        (state.page_size, state.pages_of_files) = (size, of_files);
    }

    pub fn shows_drafts_by_tag(&self) {
        self.state().drafts_by_tag = true;
    }

    /// Largest file, in bytes.
    pub fn takes_at_most(&self, size: u64) {
        self.state().max_size = size;
    }

    pub fn watches_for(&self, words: &[&str]) {
        self.state().watched = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Where a watched word was seen.
    pub fn leaks(&self) -> Vec<String> {
        self.state().leaks.clone()
    }

    pub fn peaks(&self) -> BTreeMap<String, u64> {
        self.state().peaks.clone()
    }

    /// Request lines so far.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub fn asked(&self, what: &str) -> usize {
        self.state().log.iter().filter(|line| line.contains(what)).count()
    }

    pub fn forgets_the_log(&self) {
        self.state().log.clear();
    }

    /// Tag, whether it is a draft, and its files, of every release.
    pub fn releases(&self) -> Vec<(String, bool, Files)> {
        let state = self.state();
        let content = |asset: &Value| {
            let path = state.dir.join(asset["id"].to_string());
            (asset["name"].as_str().unwrap().to_owned(), fs::read(path).unwrap())
        };
        let release = |release: &Value| {
            (
                release["tag_name"].as_str().unwrap().to_owned(),
                release["draft"].as_bool().unwrap(),
                release["assets"].as_array().unwrap().iter().map(content).collect(),
            )
        };
        state.releases.iter().map(release).collect()
    }

    /// Fields of the release of that tag.
    pub fn release(&self, tag: &str) -> Value {
        self.state().releases.iter().find(|r| r["tag_name"] == tag).unwrap().clone()
    }

    /// A release that somebody else made.
    pub fn has_release(&self, tag: &str, draft: bool) -> u64 {
        let mut state = self.state();
        let root = self.url.clone();
        let body =
            json!({ "tag_name": tag, "draft": draft, "target_commitish": "main", "name": tag });
        state.create(&body, &root)["id"].as_u64().unwrap()
    }

    /// A file that somebody else put there.
    pub fn has_asset(&self, release: u64, name: &str, content: &[u8]) {
        let mut state = self.state();
        let id = state.id();
        fs::write(state.dir.join(id.to_string()), content).unwrap();
        state.add_asset(release, id, name, content.len() as u64);
    }

    /// Keeps the first file of that name only.
    pub fn loses_asset(&self, tag: &str, name: &str) {
        let mut state = self.state();
        let release = state.releases.iter_mut().find(|r| r["tag_name"] == tag).unwrap();
        release["assets"].as_array_mut().unwrap().retain(|asset| asset["name"] != name);
    }
}

impl Drop for Gitea {
    fn drop(&mut self) {
        // a failed test's folder is no reason to hide its message
        drop(fs::remove_dir_all(&self.dir));
        if !thread::panicking() {
            self.heals();
        }
    }
}

impl State {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn create(&mut self, body: &Value, root: &str) -> Value {
        let id = self.id();
        let tag = body["tag_name"].as_str().unwrap();
        let release = json!({
            "id": id, "tag_name": tag, "draft": body["draft"], "prerelease": body["prerelease"],
            "name": body["name"], "body": body["body"], "target_commitish": body["target_commitish"],
            "html_url": format!("{root}/releases/tag/{tag}"), "assets": [],
        });
        self.releases.push(release.clone());
        release
    }

    fn add_asset(&mut self, release: u64, id: u64, name: &str, size: u64) -> Value {
        let release = self.releases.iter_mut().find(|r| r["id"] == release).unwrap();
        let tag = release["tag_name"].as_str().unwrap();
        let asset = json!({
            "id": id, "name": name, "size": size, "uuid": format!("uuid-{id}"),
            // as its ROOT_URL says, which is not how everybody reaches it
            "browser_download_url": format!("https://gitea.example{OWNER}/releases/download/{tag}/{name}"),
        });
        release["assets"].as_array_mut().unwrap().push(asset.clone());
        asset
    }

    fn fault(&mut self, line: &str) -> Option<How> {
        let fault = self.faults.iter_mut().find(|f| f.times > 0 && line.contains(f.when))?;
        fault.times -= 1;
        fault.fired = true;
        Some(fault.how.clone())
    }

    fn page(&self, all: &[Value], query: &BTreeMap<String, String>) -> Value {
        let number =
            |key: &str, default: usize| query.get(key).map_or(default, |v| v.parse().unwrap());
        let size = number("limit", self.page_size).min(self.page_size);
        all.chunks(size).nth(number("page", 1) - 1).unwrap_or_default().into()
    }

    /// What anybody on this machine can see of the processes that talk to us.
    fn look(&mut self) {
        let own = std::process::id().to_string();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().into_string().unwrap();
            let text = |file: &str| {
                let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (argv, name) = (text("cmdline"), text("comm").trim().to_owned());
            if pid == own || !pid.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            // the caller of xtask, and so xtask itself, may hold it in the environment
            let environment = if name == "curl" { text("environ") } else { String::new() };
            for word in &self.watched {
                for (place, text) in [("argv", &argv), ("environment", &environment)] {
                    if text.contains(word.as_str()) {
                        self.leaks.push(format!("{place} of {name}: {}", text.replace('\0', " ")));
                    }
                }
            }
            let status = text("status");
            let peak =
                status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
            if let (Some(peak), "curl" | "xtask") = (peak, name.as_str()) {
                let known = self.peaks.entry(name).or_default();
                *known = (*known).max(peak.trim().parse().unwrap());
            }
        }
    }
}

/// One connection, one request after the other.
fn serve(stream: TcpStream, state: &Mutex<State>, root: &str) -> std::io::Result<()> {
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
            // with what a careless server repeats
            let said = request.headers.get("authorization").cloned().unwrap_or_default();
            return answer(
                &mut stream,
                status,
                &json!({ "message": format!("told to fail: {said}") }),
                true,
            );
        }
        if fault == Some(How::Stall) {
            thread::sleep(Duration::from_secs(20));
            return Ok(());
        }
        if !request.path.starts_with("/api/v1/repos/SilverLABS/SilverMetal/") {
            download(&mut stream, state, &request, fault.as_ref())?;
            continue;
        }
        let (status, value) = match (request.method.as_str(), api(&request.path).as_slice()) {
            (_, _) if !allowed(&request) && (request.method != "GET" || knocks(&request)) => (
                401,
                json!({ "message": format!("token is wrong: {:?}", request.headers.get("authorization")) }),
            ),
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
                plain(method, path, &request, &body, &mut state.lock().unwrap(), root)
            }
        };
        if fault == Some(How::DoneButCut) {
            return Ok(());
        }
        // what is left of the body is not read: the connection is of no more use
        let early = status == 401 || status == 413;
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

/// A token that is not known is refused, even where none is needed.
fn knocks(request: &Request) -> bool {
    request.headers.contains_key("authorization")
}

/// The path below the repository.
fn api(path: &str) -> Vec<&str> {
    path.split('/').skip(6).collect()
}

fn plain(
    method: &str,
    path: &[&str],
    request: &Request,
    body: &Value,
    state: &mut State,
    root: &str,
) -> (u16, Value) {
    let may_write = allowed(request);
    let not_found = (404, json!({ "message": "The target couldn't be found." }));
    let has_id = |value: &Value, id: &str| value["id"].as_u64() == id.parse().ok();
    let by_id = |state: &State, id: &str| state.releases.iter().position(|r| has_id(r, id));
    match (method, path) {
        ("GET", ["releases", "tags", tag]) => {
            let drafts = state.drafts_by_tag;
            let found = state
                .releases
                .iter()
                .find(|r| r["tag_name"] == **tag && (drafts || r["draft"] == false));
            found.map_or(not_found, |release| (200, release.clone()))
        }
        ("GET", ["releases"]) => {
            let shown: Vec<Value> = state
                .releases
                .iter()
                .filter(|r| may_write || r["draft"] == false)
                .cloned()
                .collect();
            (200, state.page(&shown, &request.query))
        }
        ("POST", ["releases"]) => {
            if state.releases.iter().any(|r| r["tag_name"] == body["tag_name"]) {
                return (409, json!({ "message": "Release is has no Tag" }));
            }
            (201, state.create(body, root))
        }
        ("PATCH", ["releases", id]) => {
            let Some(at) = by_id(state, id) else { return not_found };
            for (key, value) in body.as_object().unwrap() {
                state.releases[at][key] = value.clone();
            }
            (200, state.releases[at].clone())
        }
        ("GET", ["releases", id, "assets"]) => {
            let Some(at) = by_id(state, id) else { return not_found };
            let assets = state.releases[at]["assets"].clone();
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

/// The one file of a multipart/form-data; `None` where the connection is to be cut.
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
    if request.length > most + 1024 {
        return Ok(Some((413, json!({ "message": "http: request body too large" }))));
    }
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
        return Ok(Some((413, json!({ "message": "http: request body too large" }))));
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

/// Zeros become holes: a big sparse file takes no disk here either.
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

/// GET /OWNER/NAME/releases/download/TAG/NAME: a draft's only with the token; of files that share
/// a name the first.
fn download(
    stream: &mut TcpStream,
    state: &Mutex<State>,
    request: &Request,
    fault: Option<&How>,
) -> std::io::Result<()> {
    let parts: Vec<&str> = request.path.rsplitn(3, '/').collect();
    let asset = {
        let state = state.lock().unwrap();
        let release = state
            .releases
            .iter()
            .find(|r| r["tag_name"] == parts[1] && (r["draft"] == false || allowed(request)));
        let assets = release.and_then(|release| release["assets"].as_array());
        assets.and_then(|all| all.iter().find(|asset| asset["name"] == parts[0])).cloned()
    };
    let Some(asset) = asset else {
        return answer(stream, 404, &json!({ "message": "Not found." }), false);
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
