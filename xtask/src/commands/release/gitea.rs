//! Gitea's releases (API under /api/v1/repos/OWNER/NAME), as far as publishing needs them.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use xtask_core::failure::Code;
use xtask_core::http::{Http, Method, Request, Response, Sink, Url};
use xtask_core::pins::{Commit, Digest};
use xtask_core::secret::{RELEASE_TOKEN, Secret};
use xtask_core::ui::Ui;

/// A list of releases, with their notes, stays far below this; bytes.
const LONGEST_ANSWER: usize = 16 << 20;
/// A server may give fewer a page than are asked for (`[api] MAX_RESPONSE_ITEMS`).
const PAGE: &str = "50";
/// More pages than any repository of ours will have: a server that never ends is given up.
const MOST_PAGES: u32 = 1000;

/// One repository's releases, as the owner of the token sees them.
pub(super) struct Gitea<'a> {
    http: Http,
    api: Url,
    token: Secret,
    ui: &'a Ui,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) id: u64,
    pub(super) tag: String,
    pub(super) draft: bool,
    /// The page of the release, for people.
    pub(super) page: String,
}

/// A stored file. Names may repeat (go-gitea/gitea#9534), and there is no hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asset {
    pub(super) id: u64,
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    url: String,
}

/// What a new release says of itself.
pub(super) struct Draft<'a> {
    pub(super) tag: &'a str,
    pub(super) commit: &'a Commit,
    pub(super) title: String,
    pub(super) notes: String,
    /// Never shown as the latest release.
    pub(super) prerelease: bool,
}

impl<'a> Gitea<'a> {
    /// `repository` is its page: `https://HOST/OWNER/NAME`, where Gitea may live below a path.
    pub(super) fn new(http: Http, repository: &Url, token: Secret, ui: &'a Ui) -> Result<Self> {
        let path = repository.path().trim_end_matches('/').trim_end_matches(".git");
        let mut parts = path.rsplitn(3, '/');
        let (name, owner, below) = (parts.next(), parts.next(), parts.next());
        let (Some(name @ [_, ..]), Some(owner @ [_, ..]), Some(below)) =
            (name.map(str::as_bytes), owner.map(str::as_bytes), below)
        else {
            return Err(Code::Usage.error(format!(
                "{repository} is not a repository's page: expected https://HOST/OWNER/NAME"
            )));
        };
        let [owner, name] = [owner, name].map(String::from_utf8_lossy);
        let api = repository.join(&format!("{below}/api/v1/repos/{owner}/{name}"))?;
        Ok(Gitea { http, api, token, ui })
    }

    /// Fails unless the token lets us read the repository.
    pub(super) fn read(&self) -> Result<()> {
        let answer = self.ask(&Request::get(&self.api))?;
        self.accepted(answer, &[200]).map(drop)
    }

    /// The release of `tag`, published or (to whoever may write) a draft.
    pub(super) fn find(&self, tag: &str) -> Result<Option<Published>> {
        let url = self.api.child("releases").child("tags").child(tag);
        let answer = self.ask(&Request::get(&url))?;
        if answer.status != 404 {
            return release(&json(self.accepted(answer, &[200])?)?).map(Some);
        }
        // a draft may be shown in the list alone, or the whole repository not be there
        let found = self.all(&self.api.child("releases"))?;
        let releases: Vec<Published> = found.iter().map(release).collect::<Result<_>>()?;
        let mut of_tag: Vec<Published> = releases.into_iter().filter(|r| r.tag == tag).collect();
        // the one that people see, else the one that was there first
        of_tag.sort_by_key(|release| (release.draft, release.id));
        Ok(of_tag.into_iter().next())
    }

    /// A new draft; `None` where the server says that the tag has a release already.
    pub(super) fn create(&self, draft: &Draft<'_>) -> Result<Option<Published>> {
        let body = json!({
            "tag_name": draft.tag,
            // where there is no such tag, Gitea makes one: here, not at the default branch's end
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
        release(&json(self.accepted(answer, &[200, 201])?)?).map(Some)
    }

    pub(super) fn assets(&self, release: &Published) -> Result<Vec<Asset>> {
        self.all(&self.assets_of(release))?.iter().map(asset).collect()
    }

    pub(super) fn delete(&self, release: &Published, asset: &Asset) -> Result<()> {
        let url = self.assets_of(release).child(&asset.id.to_string());
        // 404: an earlier attempt did it, and its answer was lost
        let answer = self.ask(&Request::new(Method::Delete, &url))?;
        self.accepted(answer, &[200, 204, 404]).map(drop)
    }

    pub(super) fn upload(&self, release: &Published, name: &str, file: &Path) -> Result<Asset> {
        let url = self.assets_of(release).query(&[("name", name)]);
        let request = Request::new(Method::Post, &url).form_file("attachment", file, name);
        let answer = self.ask(&request)?;
        if answer.status == 413 {
            let complaint = answer.complaint();
            return Err(Code::NotReady.error(format!(
                "{name} is too large for the server, {complaint}\n  \
                 fix: raise FILE_MAX_SIZE under [repository.release] in Gitea's app.ini \
                 (formerly MAX_SIZE under [attachment]), and the limit of a proxy before it"
            )));
        }
        asset(&json(self.accepted(answer, &[200, 201])?)?)
    }

    /// Hash and size in bytes of what the server gives back.
    pub(super) fn hash(&self, asset: &Asset) -> Result<(Digest, u64)> {
        let named =
            self.api.join(&asset.url).with_context(|| format!("address of {}", asset.name))?;
        // where we reach it, which may not be where it thinks that it is (ROOT_URL)
        let url = self.api.join(named.path())?;
        // a draft's files are shown to who may write
        let request = Request::get(&url).authorization("token", &self.token);
        let answer = self.http.send(&request, Sink::Hash, self.ui)?;
        let answer = self.accepted(answer, &[200])?;
        Ok((answer.digest, answer.size))
    }

    pub(super) fn publish(&self, release: &Published) -> Result<Published> {
        let url = self.api.child("releases").child(&release.id.to_string());
        let request =
            Request::new(Method::Patch, &url).json(&json!({ "draft": false }).to_string());
        self::release(&json(self.accepted(self.ask(&request)?, &[200])?)?)
    }

    fn assets_of(&self, release: &Published) -> Url {
        self.api.child("releases").child(&release.id.to_string()).child("assets")
    }

    fn ask(&self, request: &Request) -> Result<Response> {
        let request = request
            .clone()
            .authorization("token", &self.token)
            .header("Accept", "application/json");
        self.http.send(&request, Sink::Memory(LONGEST_ANSWER), self.ui)
    }

    /// Every page: until one brings nothing new. A server may page or not, and in its own size.
    fn all(&self, url: &Url) -> Result<Vec<Value>> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let url = url.query(&[("page", &page.to_string()), ("limit", PAGE)]);
            let answer = json(self.accepted(self.ask(&Request::get(&url))?, &[200])?)?;
            let items = answer.as_array().with_context(|| format!("{url}: expected a list"))?;
            let before = all.len();
            all.extend(items.iter().filter(|item| seen.insert(item["id"].as_u64())).cloned());
            if all.len() == before {
                return Ok(all);
            }
        }
        bail!("{url}: the list does not end: more than {MOST_PAGES} pages")
    }

    /// Refuses any other status, with what to do about those that have one cause.
    fn accepted(&self, answer: Response, statuses: &[u16]) -> Result<Response> {
        let status = answer.status;
        answer.expect(statuses).map_err(|error| match status {
            401 | 403 => Code::NotReady.error(format!(
                "the token is not accepted: {error:#}\n  fix: make a personal access token with the \
                 permission write:repository, and give it in {RELEASE_TOKEN} or --token-file"
            )),
            404 => Code::NotReady.error(format!(
                "not there, or not shown to this token: {error:#}\n  fix: check --repository, and \
                 that the token's owner may write there"
            )),
            _ => error,
        })
    }
}

fn json(answer: Response) -> Result<Value> {
    let text = answer.text()?;
    serde_json::from_str(text).context("the server's answer is not JSON: is that Gitea's API?")
}

fn release(value: &Value) -> Result<Published> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let read = || {
        Some(Published {
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
