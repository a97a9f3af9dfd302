//! A client of Gitea's API for releases (/api/v1/repos/OWNER/NAME).

use anyhow::{Context as _, Error, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use xtask_core::escape::Shown as _;
use xtask_core::failure::Code;
use xtask_core::http::{Http, Method, Request, Response, Sink, Url};
use xtask_core::pins::{Commit, Digest};
use xtask_core::secret::{RELEASE_TOKEN, Secret};
use xtask_core::ui::Ui;

/// Gitea's default limit for one file of a release in MiB (`FILE_MAX_SIZE` under
/// `[repository.release]` in app.example.ini).
pub(crate) const MAX_MIB: u64 = 2048;

pub(super) const MIB: u64 = 1 << 20;

/// Most bytes of an answer. A page of releases with their notes has far fewer.
const LONGEST_ANSWER: usize = 16 << 20;
/// Number of items to ask for per page. A server may return fewer (`[api] MAX_RESPONSE_ITEMS`).
const PAGE: &str = "50";
/// Most items and bytes of a list, and the longest time for it, so that a server whose list never ends does
/// not hang us.
const MOST_ITEMS: usize = 10_000;
const LARGEST_LIST: u64 = 64 << 20;
const LONGEST_LIST: Duration = Duration::from_secs(900);

/// The releases of a repository, as the owner of the token sees them.
pub(super) struct Gitea<'a> {
    http: Http,
    api: Url,
    token: Secret,
    ui: &'a Ui,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GiteaRelease {
    pub(super) id: u64,
    pub(super) tag: String,
    pub(super) draft: bool,
    /// URL of the release's page.
    pub(super) page: String,
}

/// A file on the server. Names may repeat (go-gitea/gitea#9534), and Gitea gives no hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asset {
    pub(super) id: u64,
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    url: String,
}

/// A release to create.
pub(super) struct Draft<'a> {
    pub(super) tag: &'a str,
    pub(super) commit: &'a Commit,
    pub(super) title: String,
    pub(super) notes: String,
    /// Gitea never shows a prerelease as the latest release.
    pub(super) prerelease: bool,
}

impl<'a> Gitea<'a> {
    /// `repository` is the URL of its page, `https://HOST/OWNER/NAME`. Gitea may be served under a path.
    pub(super) fn new(http: Http, repository: &Url, token: Secret, ui: &'a Ui) -> Result<Self> {
        let (root, owner, name) = api_of(repository)?;
        let api = root.child("repos").child(&owner).child(&name);
        Ok(Gitea { http, api, token, ui })
    }

    /// Fails unless the token's owner may write to the repository. What the token itself may do, only the
    /// first change shows: the creation of the draft.
    pub(super) fn may_write(&self) -> Result<()> {
        let repository = json(self.accepted(self.ask(&Request::get(&self.api))?, &[200])?)?;
        if repository["archived"] == true {
            return Err(Code::NotReady.error(format!(
                "{}: the repository is archived, and takes no release\n  fix: open it in the repository's settings",
                self.api
            )));
        }
        if repository["permissions"]["push"] == false {
            return Err(Code::NotReady.error(format!(
                "{}: the token's owner may only read the repository\n  fix: give a token of an account that \
                 may write to it",
                self.api
            )));
        }
        Ok(())
    }

    /// Finds the release of `tag`. Drafts are shown only to a token that may write.
    pub(super) fn find(&self, tag: &str) -> Result<Option<GiteaRelease>> {
        let url = self.api.child("releases").child("tags").child(tag);
        let answer = self.ask(&Request::get(&url))?;
        if answer.status != 404 {
            return release(&json(self.accepted(answer, &[200])?)?).map(Some);
        }
        // a draft may be shown only in the list; or the repository does not exist
        let mut of_tag = self.all(&self.api.child("releases"), release)?;
        of_tag.retain(|release| release.tag == tag);
        // prefer the published release, then the oldest draft
        of_tag.sort_by_key(|release| (release.draft, release.id));
        Ok(of_tag.into_iter().next())
    }

    /// Creates a draft. Returns `None` if the server says that the tag has a release already.
    pub(super) fn create(&self, draft: &Draft<'_>) -> Result<Option<GiteaRelease>> {
        let body = json!({
            "tag_name": draft.tag,
            // a missing tag is created by Gitea: at this commit, not at the default branch
            "target_commitish": draft.commit.to_string(),
            "name": draft.title,
            "body": draft.notes,
            "draft": true,
            "prerelease": draft.prerelease,
        });
        let request =
            Request::new(Method::Post, &self.api.child("releases")).json(&body.to_string());
        let answer = self.ask(&request)?;
        if answer.status == 409 {
            return Ok(None);
        }
        let answer = self.accepted(answer, &[200, 201]).map_err(|error| self.explained(error))?;
        release(&json(answer)?).map(Some)
    }

    /// The reason of an error, if the repository's state has one: Gitea says only 500 of an archived one.
    fn explained(&self, error: Error) -> Error {
        self.may_write().err().filter(|reason| Code::of(reason) == Code::NotReady).unwrap_or(error)
    }

    pub(super) fn assets(&self, release: &GiteaRelease) -> Result<Vec<Asset>> {
        self.all(&self.assets_of(release), asset)
    }

    pub(super) fn delete(&self, release: &GiteaRelease, asset: &Asset) -> Result<()> {
        let url = self.assets_of(release).child(&asset.id.to_string());
        // 404: an earlier attempt deleted it, and its answer was lost
        let answer = self.ask(&Request::new(Method::Delete, &url))?;
        self.accepted(answer, &[200, 204, 404]).map(drop)
    }

    pub(super) fn upload(&self, release: &GiteaRelease, name: &str, file: &Path) -> Result<Asset> {
        let url = self.assets_of(release).query(&[("name", name)]);
        let request = Request::new(Method::Post, &url).form_file("attachment", file, name);
        let answer = self.ask(&request)?;
        if let Some(fix) = refusal_of_a_file(answer.status) {
            let complaint = answer.complaint();
            return Err(Code::NotReady
                .error(format!("the server does not take {name}: {complaint}\n  fix: {fix}")));
        }
        asset(&json(self.accepted(answer, &[200, 201])?)?)
    }

    /// The commit that a tag names on the server; `None` if the server has no such tag.
    pub(super) fn commit_of(&self, tag: &str) -> Result<Option<String>> {
        let answer = self.ask(&Request::get(&self.api.child("tags").child(tag)))?;
        if answer.status == 404 {
            return Ok(None);
        }
        let tag = json(self.accepted(answer, &[200])?)?;
        let commit = tag["commit"]["sha"].as_str();
        commit
            .map(|commit| Some(commit.to_owned()))
            .context("the server's answer is not a tag: expected commit.sha")
    }

    /// True if the server has the commit.
    pub(super) fn has_commit(&self, commit: &Commit) -> Result<bool> {
        let url = self.api.child("git").child("commits").child(&commit.to_string());
        let answer = self.ask(&Request::get(&url))?;
        Ok(answer.status != 404 && self.accepted(answer, &[200]).map(|_| true)?)
    }

    /// Downloads a file, and returns its hash and its size in bytes.
    pub(super) fn hash(&self, asset: &Asset) -> Result<(Digest, u64)> {
        let named =
            self.api.join(&asset.url).with_context(|| format!("URL of {}", asset.name.shown()))?;
        // the server's ROOT_URL may differ from the URL under which we reach it
        let url =
            self.api.at(named.path()).with_context(|| format!("URL of {}", asset.name.shown()))?;
        // the files of a draft are shown only to a token that may write
        let request = Request::get(&url).authorization("token", &self.token, &self.api);
        let answer = self.http.send(&request, Sink::Hash(asset.size), self.ui)?;
        let answer = self.accepted(answer, &[200])?;
        Ok((answer.digest, answer.size))
    }

    /// Publishes a draft. If its tag is missing, Gitea creates it at the draft's target, which may be that of an
    /// earlier run: so the target is sent, too.
    pub(super) fn publish(&self, release: &GiteaRelease, commit: &Commit) -> Result<()> {
        let url = self.api.child("releases").child(&release.id.to_string());
        let body = json!({ "draft": false, "target_commitish": commit.to_string() });
        let answer = self.ask(&Request::new(Method::Patch, &url).json(&body.to_string()))?;
        // 500 in Gitea 1.27, 422 elsewhere
        let protected = answer.status != 200 && answer.complaint().contains("protected");
        self.accepted(answer, &[200]).map(drop).map_err(|error| {
            if !protected {
                return self.explained(error);
            }
            Code::NotReady.error(format!(
                "{error:#}\n  fix: push the tag {} first, from an account that the tag's protection permits",
                release.tag
            ))
        })
    }

    fn assets_of(&self, release: &GiteaRelease) -> Url {
        self.api.child("releases").child(&release.id.to_string()).child("assets")
    }

    fn ask(&self, request: &Request) -> Result<Response> {
        self.ask_with(&self.http, request)
    }

    fn ask_with(&self, http: &Http, request: &Request) -> Result<Response> {
        let request = request
            .clone()
            .authorization("token", &self.token, &self.api)
            .header("Accept", "application/json");
        http.send(&request, Sink::Memory(LONGEST_ANSWER), self.ui)
    }

    /// Reads pages until one has no new items, and keeps the `items` that `read` makes of them. A server
    /// may ignore the paging, or use another size.
    fn all<T>(&self, url: &Url, read: impl Fn(&Value) -> Result<T>) -> Result<Vec<T>> {
        let http = Http { deadline: Some(Instant::now() + LONGEST_LIST), ..self.http.clone() };
        let (mut seen, mut all, mut bytes) = (BTreeSet::new(), Vec::new(), 0);
        for page in 1.. {
            let url = url.query(&[("page", &page.to_string()), ("limit", PAGE)]);
            let answer = self.accepted(self.ask_with(&http, &Request::get(&url))?, &[200])?;
            bytes += answer.size;
            let answer = json(answer)?;
            let items = answer.as_array().with_context(|| format!("{url}: expected a list"))?;
            let before = seen.len();
            for item in items {
                if seen.insert(item["id"].as_u64()) {
                    all.push(read(item)?);
                }
            }
            if seen.len() == before {
                break;
            }
            if seen.len() > MOST_ITEMS || bytes > LARGEST_LIST {
                bail!("{url}: the list does not end: {} items in {bytes} bytes", seen.len());
            }
        }
        Ok(all)
    }

    /// Fails on any other status. A status with one usual cause gets a fix.
    fn accepted(&self, answer: Response, statuses: &[u16]) -> Result<Response> {
        let status = answer.status;
        answer.expect(statuses).map_err(|error| match status {
            401 | 403 => Code::NotReady.error(format!(
                "the server refuses the token: {error:#}\n  fix: create a personal access token with the \
                permission write:repository, and give it in {RELEASE_TOKEN} or --token-file"
            )),
            404 => Code::NotReady.error(format!(
                "not found, or not shown to this token: {error:#}\n  fix: check --repository, and \
                check that the token's owner may write there"
            )),
            _ => error,
        })
    }
}

/// Root of the API of the server that has the repository, and the repository's owner and name.
pub(crate) fn api_of(repository: &Url) -> Result<(Url, String, String)> {
    let path = repository.path().trim_end_matches('/').trim_end_matches(".git");
    let parts: Vec<&str> = path.rsplitn(3, '/').collect();
    let [name @ &[_, ..], owner @ &[_, ..], _] =
        parts.iter().map(|p| p.as_bytes()).collect::<Vec<_>>()[..]
    else {
        return Err(Code::Usage.error(format!(
            "{repository} is not a repository's page: expected https://HOST/OWNER/NAME"
        )));
    };
    let [owner, name] = [owner, name].map(|part| String::from_utf8_lossy(part).into_owned());
    Ok((repository.at(&format!("{}/api/v1", parts[2]))?, owner, name))
}

/// Advice for a refusal that another attempt does not change; `None` for any other answer.
fn refusal_of_a_file(status: u16) -> Option<&'static str> {
    Some(match status {
        413 => {
            "raise FILE_MAX_SIZE under [repository.release] in Gitea's app.ini (formerly MAX_SIZE under \
             [attachment]), and the limit of a proxy before it"
        }
        423 => "the repository is archived or locked: open it in the repository's settings",
        // of a forbidden type Gitea says 400
        400 | 405 | 406 | 411 | 415 | 422 => {
            "if the server names the file's type: empty ALLOWED_TYPES under [repository.release] in Gitea's \
             app.ini, which allows all types"
        }
        _ => return None,
    })
}

fn json(answer: Response) -> Result<Value> {
    let text = answer.text()?;
    serde_json::from_str(text).context("the server's answer is not JSON: expected Gitea's API")
}

fn release(value: &Value) -> Result<GiteaRelease> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let read = || {
        Some(GiteaRelease {
            id: value["id"].as_u64()?,
            tag: text("tag_name")?,
            draft: value["draft"].as_bool()?,
            page: text("html_url").unwrap_or_default(),
        })
    };
    read().context("the server's answer is not a release: expected id, tag_name, draft")
}

fn asset(value: &Value) -> Result<Asset> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let read = || {
        Some(Asset {
            id: value["id"].as_u64()?,
            name: text("name")?,
            size: value["size"].as_u64()?,
            url: text("browser_download_url")?,
        })
    };
    read()
        .context("the server's answer is not a file: expected id, name, size, browser_download_url")
}
