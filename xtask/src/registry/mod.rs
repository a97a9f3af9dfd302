//! A client of a registry's API (OCI distribution specification): reads manifests and labels.
//!
//! Credentials, trusted certificates and plain http follow the rules of docker's client, so that the
//! result is that of a pull by an engine.

mod address;
mod challenge;
mod credentials;
mod upload;

pub(crate) use credentials::{config_dir, read_config};

use address::Address;

use anyhow::{Context as _, Result, anyhow, bail};
use challenge::Challenge;
use credentials::Credentials;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::failure::Code;
use xtask_core::hash;
use xtask_core::http::{Http, Method, Request, Response, Sink, Url};
use xtask_core::pins::{Digest, ImageRef};
use xtask_core::secret::Secret;
use xtask_core::ui::Ui;

/// All four types of manifest. If a request accepts fewer, a registry may convert the manifest or
/// return another one.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Most bytes of a manifest or of an image's configuration: the specification's limit, 4 MiB.
const LARGEST: usize = 4 << 20;

/// Most indexes inside each other. Docker makes one.
const DEEPEST: u32 = 3;
/// Variable with the hosts, separated by blanks, that may get a registry's credentials although they are
/// not the registry: its token servers.
const TOKEN_SERVERS: &str = "SILVERMETAL_TOKEN_SERVERS";
/// Docker Hub, and its token server.
const OF_DOCKER_HUB: [&str; 2] = ["https://registry-1.docker.io", "https://auth.docker.io"];

/// A repository of a registry.
pub(crate) struct Registry<'a> {
    address: Address,
    /// `https://HOST/v2`, or with plain http if docker would use that.
    api: Url,
    http: Http,
    /// Scheme and secret for requests, once the registry has asked for them.
    authorization: RefCell<Option<(&'static str, Secret)>>,
    /// The token server's refusal, for errors.
    refused_by: RefCell<String>,
    ui: &'a Ui,
}

/// A manifest, as the registry serves it.
#[derive(Clone, Debug)]
pub(crate) struct ImageManifest {
    /// Digest of the bytes received.
    pub(crate) digest: Digest,
    media_type: String,
    text: String,
}

/// The reason why a registry returns no manifest.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It has no manifest of that name.
    Gone(String),
    /// It requires a login, or refuses the credentials.
    Login(String),
    /// It cannot be reached, or its answer is invalid.
    Silent(anyhow::Error),
}

impl From<Refusal> for anyhow::Error {
    fn from(refusal: Refusal) -> anyhow::Error {
        match refusal {
            Refusal::Gone(what) => Code::No.error(what),
            Refusal::Login(what) => Code::NotReady.error(what),
            Refusal::Silent(error) => Code::NotReady.wrap(error),
        }
    }
}

/// The trust that docker has in `host`.
fn http_for(host: &str) -> Http {
    let insecure = address::is_insecure(host);
    Http {
        ca_file: address::ca_file(host),
        secrets_in_clear: insecure,
        any_certificate: insecure,
        ..Http::default()
    }
}

impl<'a> Registry<'a> {
    /// Connects to the registry of `image`, with TLS or without.
    pub(crate) fn open(image: &ImageRef, ui: &'a Ui) -> Result<Registry<'a>> {
        let address = Address::of(image);
        let host = address.api_host().to_owned();
        let api = |scheme: &str| format!("{scheme}://{host}/v2").parse::<Url>();
        let http = http_for(&host);
        let mut url = api("https")?;
        if http.any_certificate {
            // like docker: TLS without verification, else plain http
            let once = Http { attempts: 1, ..http.clone() };
            let ping =
                |url: &Url| once.send(&Request::get(&url.child("")), Sink::Memory(LARGEST), ui);
            if let Err(with_tls) = ping(&url) {
                url = api("http")?;
                ping(&url).map_err(|error| {
                    Code::NotReady.wrap(
                        error.context(format!("registry {host} does not answer ({with_tls:#})")),
                    )
                })?;
            }
        }
        Ok(Registry {
            address,
            api: url,
            http,
            authorization: RefCell::new(None),
            refused_by: RefCell::default(),
            ui,
        })
    }

    /// Limits the attempts and the wait, for a caller who only asks if the registry answers.
    pub(crate) fn impatient(mut self) -> Registry<'a> {
        self.http.attempts = 1;
        self.http.connect_timeout = 10;
        self.http.stall_timeout = 20;
        self
    }

    /// Gets the manifest of a tag or a digest.
    pub(crate) fn manifest(&self, reference: &str) -> Result<ImageManifest, Refusal> {
        let mut request = Request::get(&self.url("manifests", reference));
        request = request.header("Accept", &MANIFESTS.join(", "));
        let response = self.send(&request, "pull").map_err(Refusal::Silent)?;
        let name = format!("{}/{}:{reference}", self.address.host, self.address.name)
            .replace(":sha256:", "@sha256:");
        match response.status {
            200 => self.understood(response, reference).map_err(Refusal::Silent),
            404 => Err(Refusal::Gone(format!("the registry has no {name}"))),
            401 | 403 => Err(Refusal::Login(self.refusal(&format!("to serve {name}"), &response))),
            _ => Err(Refusal::Silent(anyhow!("{name}: {}", response.complaint()))),
        }
    }

    /// The reason why a registry does not do `what`, and the way to log in.
    fn refusal(&self, what: &str, response: &Response) -> String {
        let host = &self.address.host;
        let (complaint, by) = (response.complaint(), self.refused_by.borrow());
        format!("{host} refuses {what} ({complaint}){by}: docker login {}", quoted(host))
    }

    fn understood(&self, response: Response, reference: &str) -> Result<ImageManifest> {
        let media_type = response.header("Content-Type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_owned();
        if !MANIFESTS.contains(&media_type.as_str()) {
            bail!(
                "{}: {reference} is of type `{}`: expected an image's manifest",
                self.address.host,
                media_type.shown()
            );
        }
        let digest = hash::bytes(&response.body);
        for said in response.header("Docker-Content-Digest").into_iter().chain(Some(reference)) {
            if said.starts_with("sha256:") && said != digest.to_string() {
                bail!(
                    "{}: expected a manifest with digest {said}, received {digest}",
                    self.address.host
                );
            }
        }
        Ok(ImageManifest { digest, media_type, text: response.text()?.to_owned() })
    }

    /// Gives an existing manifest another tag. A manifest without a tag may be collected as garbage.
    pub(crate) fn tag(&self, manifest: &ImageManifest, tag: &str) -> Result<()> {
        self.put_manifest(&manifest.media_type, &manifest.text, tag).map(drop)
    }

    /// Returns the labels of the image. For an index, those of its image for amd64.
    pub(crate) fn labels(&self, manifest: &ImageManifest) -> Result<BTreeMap<String, String>> {
        self.labels_within(manifest, DEEPEST)
    }

    fn labels_within(
        &self,
        manifest: &ImageManifest,
        depth: u32,
    ) -> Result<BTreeMap<String, String>> {
        let parsed: Value =
            serde_json::from_str(&manifest.text).context("the manifest is not JSON")?;
        if let Some(images) = parsed["manifests"].as_array() {
            let amd64 = |image: &&Value| {
                image["platform"]["architecture"] == "amd64" && image["platform"]["os"] == "linux"
            };
            let digest = images.iter().find(amd64).and_then(|image| image["digest"].as_str());
            let digest = digest.context("the index has no image for linux/amd64")?;
            // a digest, because the registry could answer a tag with the same index again
            let digest: Digest = digest.parse().context("the index")?;
            let Some(depth) = depth.checked_sub(1) else {
                bail!("more than {DEEPEST} indexes inside each other: expected an image");
            };
            return self.labels_within(&self.manifest(&digest.to_string())?, depth);
        }
        let digest =
            parsed["config"]["digest"].as_str().context("the manifest has no `config.digest`")?;
        let digest: Digest = digest.parse()?;
        let request = Request::get(&self.url("blobs", &digest.to_string()));
        let response = self.send(&request, "pull")?.expect(&[200])?;
        if response.digest != digest {
            bail!(
                "{}: expected a configuration with digest {digest}, received {}",
                self.address.host,
                response.digest
            );
        }
        let config: Value = serde_json::from_slice(&response.body)
            .context("the image's configuration is not JSON")?;
        let labels = config["config"]["Labels"].as_object().into_iter().flatten();
        Ok(labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
    }

    fn url(&self, what: &str, reference: &str) -> Url {
        let parts = self.address.name.split('/').chain([what]);
        let url = parts.fold(self.api.clone(), |url, part| url.child(part));
        // the colon of a digest is not escaped in a path
        format!("{url}/{reference}").parse().unwrap_or(url)
    }

    /// Sends a request. If the registry asks for credentials, sends it again with them.
    fn send(&self, request: &Request, actions: &str) -> Result<Response> {
        let with = |authorization: &Option<(&'static str, Secret)>| match authorization {
            Some((scheme, secret)) => request.clone().authorization(scheme, secret, &self.api),
            None => request.clone(),
        };
        if !request.is_to(&self.api) {
            // a place for an upload may be another server, which gets no secret
            return self.http.send(request, Sink::Memory(LARGEST), self.ui);
        }
        let known = self.authorization.borrow().clone();
        let response = self.http.send(&with(&known), Sink::Memory(LARGEST), self.ui)?;
        if response.status != 401 {
            return Ok(response);
        }
        let Some(challenge) = response.headers("WWW-Authenticate").find_map(challenge::parse)
        else {
            return Ok(response);
        };
        let Some(authorization) = self.authorize(challenge, actions)? else { return Ok(response) };
        *self.authorization.borrow_mut() = Some(authorization.clone());
        self.http.send(&with(&Some(authorization)), Sink::Memory(LARGEST), self.ui)
    }

    fn authorize(
        &self,
        challenge: Challenge,
        actions: &str,
    ) -> Result<Option<(&'static str, Secret)>> {
        let credentials = Credentials::of(self.address.key())?;
        match (challenge, credentials) {
            (Challenge::Basic, Credentials::Basic(pair)) => Ok(Some(("Basic", pair))),
            // no credentials for this registry
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service, scope }, credentials) => {
                let scope =
                    scope.unwrap_or_else(|| format!("repository:{}:{actions}", self.address.name));
                self.token(&realm, service.as_deref(), &scope, &credentials)
            }
        }
    }

    /// Fails if the registry's credentials must not go to its token server. Docker sends them to whatever
    /// server the registry names; here that is another host only for Docker Hub, or by the user's word.
    fn may_have_credentials(&self, realm: &Url) -> Result<()> {
        if realm.same_origin(&self.api) {
            return Ok(());
        }
        let (origin, host) = (realm.origin(), &self.address.host);
        let server = origin.split_once("://").map_or("", |(_, server)| server);
        let named = std::env::var(TOKEN_SERVERS).unwrap_or_default();
        let of_the_hub = [self.api.origin(), origin.clone()] == OF_DOCKER_HUB;
        if !of_the_hub && !named.split_whitespace().any(|named| named == server) {
            return Err(Code::NotReady.error(format!(
                "{host} wants its credentials sent to another address, {origin} (the realm of its 401): not sent\n  \
                 fix: if {server} is the token server of {host}: {TOKEN_SERVERS}={}; if it is not, {host} has a \
                 wrong address for itself: ROOT_URL under [server] in Gitea's app.ini",
                quoted(server)
            )));
        }
        self.ui.notice(&format!("{host}: its credentials go to its token server, {origin}"));
        Ok(())
    }

    /// Says which address the registry named for its tokens, and who decides that, for errors.
    fn named_realm(&self, realm: &Url) -> String {
        let host = &self.address.host;
        let origin = realm.origin();
        let elsewhere = match realm.same_origin(&self.api) {
            true => String::new(),
            false => format!(
                "; if that is not where {host} is reached, its own address is configured wrongly: ROOT_URL under \
                 [server] in Gitea's app.ini, `realm` under auth.token in the registry's config.yml"
            ),
        };
        format!("{host} names {origin} as its token server (the realm of its 401){elsewhere}")
    }

    /// Gets a token from the registry's token server, with or without credentials.
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        credentials: &Credentials,
    ) -> Result<Option<(&'static str, Secret)>> {
        let realm: Url =
            realm.parse().with_context(|| format!("{}: its token server", self.address.host))?;
        if *credentials != Credentials::Anonymous {
            self.may_have_credentials(&realm)?;
        }
        let mut query = vec![("scope", scope)];
        query.extend(service.map(|service| ("service", service)));
        let request = match credentials {
            Credentials::Anonymous => Request::get(&realm.query(&query)),
            Credentials::Basic(pair) => {
                Request::get(&realm.query(&query)).authorization("Basic", pair, &realm)
            }
            Credentials::Identity(token) => {
                query.extend([("grant_type", "refresh_token"), ("client_id", "silvermetal-xtask")]);
                Request::new(Method::Post, &realm).fields(&query, ("refresh_token", token))
            }
        };
        let origin = realm.origin();
        let http = http_for(origin.split_once("://").map_or("", |(_, host)| host));
        let response = http.send(&request, Sink::Memory(LARGEST), self.ui);
        let response = response.with_context(|| self.named_realm(&realm))?;
        if matches!(response.status, 401 | 403) {
            let why =
                format!("; {}, which refuses: {}", self.named_realm(&realm), response.complaint());
            *self.refused_by.borrow_mut() = why;
            return Ok(None); // the registry's own refusal follows
        }
        let response = response.expect(&[200]).with_context(|| self.named_realm(&realm))?;
        let answer: Value = serde_json::from_slice(&response.body)
            .with_context(|| format!("{}: the answer is not JSON", self.named_realm(&realm)))?;
        let token = answer["token"].as_str().or(answer["access_token"].as_str());
        let token = token.context("the token server's answer has no token")?;
        Ok(Some(("Bearer", Secret::new(token, "the token server's answer")?)))
    }
}
