//! Releases, files and faults of the stand-in, and its search for leaks.

use super::{How, OWNER};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A failure of the next `times` requests whose line (`POST /api/…`) contains `when`.
#[derive(Clone, Debug)]
pub struct Fault {
    pub when: &'static str,
    pub times: usize,
    pub how: How,
    pub fired: bool,
}

#[derive(Default)]
pub struct State {
    pub releases: Vec<Value>,
    pub faults: Vec<Fault>,
    pub next_id: u64,
    pub page_size: usize,
    pub max_size: u64,
    /// The files of a release are listed in pages too.
    pub pages_of_files: bool,
    /// GET …/releases/tags/TAG returns no drafts, not even with a token that may write.
    pub hides_drafts_by_tag: bool,
    /// Commits of tags.
    pub tags: BTreeMap<String, String>,
    /// Commits that nobody pushed.
    pub lacks: Vec<String>,
    /// The repository is archived. Gitea takes and deletes files nevertheless.
    pub archived: bool,
    /// The token's owner may only read the repository.
    pub read_only: bool,
    /// The token has no scope for changes, whatever its owner may do.
    pub read_token: bool,
    /// No new tag is allowed.
    pub protects_tags: bool,
    pub log: Vec<String>,
    pub dir: PathBuf,
    /// Words to look for in every argv and environment while requests are served.
    pub watched: Vec<String>,
    pub leaks: Vec<String>,
    /// Peak resident memory of curl and xtask in KiB, by program.
    pub peaks: BTreeMap<String, u64>,
}

impl State {
    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn create(&mut self, body: &Value, root: &str) -> Value {
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

    pub fn add_asset(&mut self, release: u64, id: u64, name: &str, size: u64) -> Value {
        let release = self.releases.iter_mut().find(|r| r["id"] == release).unwrap();
        let asset = json!({ "id": id, "name": name, "size": size, "uuid": format!("uuid-{id}") });
        release["assets"].as_array_mut().unwrap().push(asset.clone());
        by_uuid(&asset)
    }

    /// A release as the server returns it: files in the order of their names. If two have the same name, no URL has
    /// the name.
    pub fn shown(&self, release: &Value) -> Value {
        let tag = release["tag_name"].as_str().unwrap();
        let mut assets = release["assets"].as_array().unwrap().clone();
        assets.sort_by_key(|asset| asset["name"].as_str().unwrap().to_owned());
        let unique = assets.windows(2).all(|pair| pair[0]["name"] != pair[1]["name"]);
        let show = |asset: &Value| match asset["name"].as_str().filter(|_| unique) {
            Some(name) => with_url(&format!("{OWNER}/releases/download/{tag}/{name}"), asset),
            None => by_uuid(asset),
        };
        let mut shown = release.clone();
        shown["assets"] = assets.iter().map(show).collect();
        shown
    }

    /// Makes the tag of a release that is published, unless it exists.
    pub fn make_tag(&mut self, release: &Value) -> Result<(), String> {
        let tag = release["tag_name"].as_str().unwrap().to_owned();
        let target = release["target_commitish"].as_str().unwrap().to_owned();
        if self.tags.contains_key(&tag) {
            return Ok(());
        }
        if self.protects_tags {
            return Err(format!("release tag name is protected [tag_name: {tag}]"));
        }
        if self.lacks.contains(&target) {
            return Err(format!("object does not exist [id: {target}, rel_path: ]"));
        }
        self.tags.insert(tag, target);
        Ok(())
    }

    pub fn fault(&mut self, line: &str) -> Option<How> {
        let fault = self.faults.iter_mut().find(|f| f.times > 0 && line.contains(f.when))?;
        fault.times -= 1;
        fault.fired = true;
        Some(fault.how.clone())
    }

    pub fn page(&self, all: &[Value], query: &BTreeMap<String, String>) -> Value {
        let number =
            |key: &str, default: usize| query.get(key).map_or(default, |v| v.parse().unwrap());
        let size = number("limit", self.page_size).min(self.page_size);
        all.chunks(size).nth(number("page", 1) - 1).unwrap_or_default().into()
    }

    /// Searches all processes of this machine for the watched words, and records their peak memory.
    pub fn look(&mut self) {
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
            // xtask and its caller may have the token in their environment
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

/// Adds the file's URL, which is built from ROOT_URL. That is not the address that the test uses.
fn with_url(path: &str, asset: &Value) -> Value {
    let mut shown = asset.clone();
    shown["browser_download_url"] = format!("https://gitea.example{path}").into();
    shown
}

fn by_uuid(asset: &Value) -> Value {
    with_url(&format!("/attachments/{}", asset["uuid"].as_str().unwrap()), asset)
}
