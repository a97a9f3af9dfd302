//! A stand-in for Gitea's release API on loopback: drafts, 409, files with equal names, pages, tags, a
//! token. Its answers are those of Gitea 1.27. Tests can make it fail.

mod serve;
mod state;

use serde_json::{Value, json};
use state::{Fault, State};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Joined from parts, so that a search for the token does not find this file.
pub const TOKEN: &str = concat!("3f0c2d1e", "-a-token-", "of-the-tests");
pub const UPLOAD: &str = "POST /api/v1/repos/SilverLABS/SilverMetal/releases/";
pub const DOWNLOAD: &str = "GET /SilverLABS/SilverMetal/releases/download/";
const OWNER: &str = "/SilverLABS/SilverMetal";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How a request fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Answers with this status, and does nothing.
    Status(u16),
    /// Closes the connection after this many bytes of the body.
    CutAfter(usize),
    /// The same, but stores the bytes received.
    StoreAndCutAfter(usize),
    /// Does what was asked, but closes the connection without an answer.
    DoneButCut,
    /// Sends other bytes than are stored.
    Lie,
    /// Stores other bytes than were sent, of the same size.
    Corrupt,
    /// Sends the answer in small pieces with pauses.
    Slow,
    /// Sends nothing more.
    Stall,
    /// Archives the repository, and then does what was asked.
    Archive,
}

/// Names and contents.
pub type Files = Vec<(String, Vec<u8>)>;

pub struct Gitea {
    state: Arc<Mutex<State>>,
    /// URL of the repository's page.
    pub url: String,
    dir: PathBuf,
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
                // a client that closes the connection is no error
                thread::spawn(move || drop(serve::serve(stream, &state, &root)));
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

    /// Removes all faults. Fails if one of them was never used.
    #[track_caller]
    pub fn heals(&self) {
        let idle: Vec<Fault> = self.state().faults.drain(..).filter(|f| !f.fired).collect();
        assert!(idle.is_empty(), "never used: {idle:?}");
    }

    pub fn pages(&self, size: usize, of_files: bool) {
        let mut state = self.state();
        (state.page_size, state.pages_of_files) = (size, of_files);
    }

    pub fn hides_drafts_by_tag(&self) {
        self.state().hides_drafts_by_tag = true;
    }

    pub fn lacks_commit(&self, commit: &str) {
        self.state().lacks.push(commit.to_owned());
    }

    pub fn is_archived(&self, archived: bool) {
        self.state().archived = archived;
    }

    pub fn may_only_be_read(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// The token lacks the scope write:repository.
    pub fn token_may_only_read(&self, read_token: bool) {
        self.state().read_token = read_token;
    }

    pub fn protects_tags(&self, protects: bool) {
        self.state().protects_tags = protects;
    }

    /// Commit of a tag.
    pub fn tag(&self, tag: &str) -> Option<String> {
        self.state().tags.get(tag).cloned()
    }

    pub fn has_tag(&self, tag: &str, commit: &str) {
        self.state().tags.insert(tag.to_owned(), commit.to_owned());
    }

    /// Largest file, in bytes.
    pub fn takes_at_most(&self, size: u64) {
        self.state().max_size = size;
    }

    pub fn watches_for(&self, words: &[&str]) {
        self.state().watched = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Places where a watched word was found.
    pub fn leaks(&self) -> Vec<String> {
        self.state().leaks.clone()
    }

    pub fn peaks(&self) -> BTreeMap<String, u64> {
        self.state().peaks.clone()
    }

    /// Request lines received so far.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub fn asked(&self, what: &str) -> usize {
        self.state().log.iter().filter(|line| line.contains(what)).count()
    }

    pub fn forgets_the_log(&self) {
        self.state().log.clear();
    }

    /// Every release: its tag, `true` for a draft, and its files.
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

    /// Fields of the release with that tag.
    pub fn release(&self, tag: &str) -> Value {
        self.state().releases.iter().find(|r| r["tag_name"] == tag).unwrap().clone()
    }

    /// Adds a release that somebody else created, with the tip of main as its target.
    pub fn has_release(&self, tag: &str, draft: bool) -> u64 {
        let mut state = self.state();
        let root = self.url.clone();
        let body =
            json!({ "tag_name": tag, "draft": draft, "target_commitish": "main", "name": tag });
        state.create(&body, &root)["id"].as_u64().unwrap()
    }

    /// Adds a file that somebody else uploaded.
    pub fn has_asset(&self, release: u64, name: &str, content: &[u8]) {
        let mut state = self.state();
        let id = state.id();
        fs::write(state.dir.join(id.to_string()), content).unwrap();
        state.add_asset(release, id, name, content.len() as u64);
    }

    /// Removes all files of that name.
    pub fn loses_asset(&self, tag: &str, name: &str) {
        let mut state = self.state();
        let release = state.releases.iter_mut().find(|r| r["tag_name"] == tag).unwrap();
        release["assets"].as_array_mut().unwrap().retain(|asset| asset["name"] != name);
    }
}

impl Drop for Gitea {
    fn drop(&mut self) {
        // an error here must not hide the message of a failed test
        drop(fs::remove_dir_all(&self.dir));
        if !thread::panicking() {
            self.heals();
        }
    }
}
