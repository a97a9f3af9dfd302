//! Gets statements: from folders, from git repositories, from the web. None of it is believed.

use crate::commands::reproduce::statement::SentStatement;
use anyhow::{Context as _, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;
use xtask_core::escape::Shown as _;
use xtask_core::exec::{Cmd, which};
use xtask_core::facts::repo::Repo;
use xtask_core::failure::{Code, OrExit as _};
use xtask_core::http::{Http, Request, Sink, Url};
use xtask_core::interrupt;
use xtask_core::record_file;
use xtask_core::ui::Ui;

/// Most bytes of a statement. It usually has a few KiB.
const LONGEST: u64 = 1 << 20;
/// Most statements, and most bytes of all of a repository.
const MOST: usize = 10_000;
const LARGEST: usize = 256 << 20;
/// Most bytes of a file that git may write, and most seconds that it may take, for a repository from the web.
const LARGEST_CLONE: u64 = 512 << 20;
const LONGEST_CLONE: u32 = 600;

/// Statements with their places. One that cannot be read is an error in the list.
pub(super) type Sent = Vec<(String, Result<SentStatement>)>;

/// Reads all statements of all sources, in order.
pub(super) fn read(repo: &Repo, sources: &[String], http: &Http, ui: &Ui) -> Result<Sent> {
    let mut sent = Sent::new();
    for source in sources {
        sent.extend(match source.contains("://") {
            true => of_url(repo, &source.parse().or_exit(Code::Usage)?, http, ui)?,
            false if is_bare(Path::new(source)) => {
                of_repository(Path::new(source), &Path::new(source).shown().to_string())
                    .or_exit(Code::Usage)?
            }
            false => of_folder(Path::new(source)).or_exit(Code::Usage)?,
        });
        if sent.len() > MOST {
            return Err(Code::Usage
                .error(format!("expected at most {MOST} statements, found {}", sent.len())));
        }
    }
    Ok(sent)
}

/// Reads all `*.json` below a folder, in the order of their paths. That may be a checkout of git.
fn of_folder(dir: &Path) -> Result<Sent> {
    fs::metadata(dir).with_context(|| format!("cannot list {}", dir.shown()))?;
    let walk = WalkDir::new(dir).sort_by_file_name().into_iter();
    let mut found = Sent::new();
    for entry in walk.filter_entry(|entry| entry.file_name() != ".git") {
        let entry = entry.with_context(|| format!("cannot list {}", dir.shown()))?;
        let path = entry.path();
        if entry.file_type().is_dir() || path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let long = entry.metadata().is_ok_and(|meta| meta.len() > LONGEST);
        let text = if long { Err(too_long()) } else { record_file::text(path) };
        found.push((path.shown().to_string(), text.and_then(|text| SentStatement::parse(&text))));
    }
    Ok(found)
}

fn too_long() -> anyhow::Error {
    anyhow!("larger than {LONGEST} bytes")
}

/// One statement (`….json`), or a git repository of them.
fn of_url(repo: &Repo, url: &Url, http: &Http, ui: &Ui) -> Result<Sent> {
    let path = url.as_str().split(['?', '#']).next().unwrap_or_default();
    if path.ends_with(".json") {
        let most = Sink::Memory(usize::try_from(LONGEST)?);
        let answer =
            http.send(&Request::get(url), most, ui).and_then(|answer| answer.expect(&[200]));
        let body = answer.or_exit(Code::NotReady)?.body;
        let text = String::from_utf8(body).map_err(|_| anyhow!("expected UTF-8"));
        return Ok(vec![(url.to_string(), text.and_then(|text| SentStatement::parse(&text)))]);
    }
    let clone = Clone::of(repo, url, http, ui)?;
    of_repository(&clone.0, url.as_str()).or_exit(Code::NotReady)
}

/// A repository without a work tree, from the web. It is removed with its value.
struct Clone(PathBuf);

impl Clone {
    fn of(repo: &Repo, url: &Url, http: &Http, ui: &Ui) -> Result<Clone> {
        let dir = repo.state().join(format!("collect-{}", std::process::id()));
        fs::create_dir_all(repo.state()).context("cannot make the state folder")?;
        let clone = Clone(dir);
        drop(fs::remove_dir_all(&clone.0)); // left by a killed run that had this number
        let git = Cmd::new("git")
            .args(["-c", "protocol.allow=never", "-c", "protocol.https.allow=always"])
            .args(["-c", "protocol.http.allow=always", "-c", "http.followRedirects=initial"])
            .args(["-c", "fetch.fsckObjects=true", "-c", "credential.helper="])
            .args(["clone", "--quiet", "--bare", "--depth=1", "--single-branch", "--no-tags"])
            .args(["--template=", "--"])
            .arg(url.as_str())
            .arg(&clone.0)
            .env("GIT_TERMINAL_PROMPT", "0");
        let git = match &http.ca_file {
            Some(file) => git.env("GIT_SSL_CAINFO", file),
            None => git,
        };
        let git = match which("prlimit") {
            Some(prlimit) => {
                git.wrapped_by(Cmd::new(prlimit).arg(format!("--fsize={LARGEST_CLONE}")).arg("--"))
            }
            None => git,
        };
        let stage = ui.stage(format!("fetch {url}").as_str());
        let cloned = git.within_seconds(LONGEST_CLONE).read();
        stage.end(cloned.is_ok());
        interrupt::check()?;
        cloned
            .with_context(|| {
                format!("{url}: expected a statement (….json) or a git repository with statements")
            })
            .or_exit(Code::NotReady)?;
        Ok(clone)
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0)); // there is none if git did not begin
    }
}

/// Returns true for the folder of a git repository without a work tree.
fn is_bare(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

/// Reads all `*.json` of the commit that HEAD names. Nothing is checked out.
fn of_repository(git_dir: &Path, name: &str) -> Result<Sent> {
    let git = || Cmd::new("git").arg("--git-dir").arg(git_dir);
    let listed = git().args(["ls-tree", "-r", "-z", "--long", "HEAD"]).read_bytes()?;
    let mut found = Sent::new();
    let mut wanted = Vec::new();
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        let (about, path) = line.split_once('\t').context("unexpected output of git ls-tree")?;
        let words: Vec<&str> = about.split_whitespace().collect();
        let [_, "blob", object, size] = words[..] else { continue };
        if !path.ends_with(".json") {
            continue;
        }
        let place = format!("{name}: {}", path.shown());
        match size.parse::<u64>() {
            Ok(size) if size <= LONGEST => wanted.push((place, object.to_owned())),
            _ => found.push((place, Err(too_long()))),
        }
    }
    if wanted.len() > MOST {
        bail!("{name}: expected at most {MOST} statements, found {}", wanted.len());
    }
    let objects: String = wanted.iter().map(|(_, object)| format!("{object}\n")).collect();
    let mut bytes = Vec::new();
    let (exit, stderr) = git().args(["cat-file", "--batch"]).input(objects).feed(|piece| {
        if bytes.len() + piece.len() > LARGEST {
            bail!("{name}: the statements have more than {LARGEST} bytes");
        }
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    if !exit.ok() {
        bail!("{name}: git cat-file failed ({exit}): {}", stderr.trim());
    }
    let mut rest = bytes.as_slice();
    for (place, _) in wanted {
        let text = next_object(&mut rest).context("unexpected output of git cat-file")?;
        let text = std::str::from_utf8(text).map_err(|_| anyhow!("expected UTF-8"));
        found.push((place, text.and_then(SentStatement::parse)));
    }
    Ok(found)
}

/// The content of the next object: `NAME TYPE SIZE`, a line end, the content, a line end.
fn next_object<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&rest[..end]).ok()?;
    let size: usize = head.rsplit(' ').next()?.parse().ok()?;
    let content = rest.get(end + 1..end + 1 + size)?;
    *rest = rest.get(end + 2 + size..)?;
    Some(content)
}
