//! Every secret over every command that asks a server: one origin sees it, whatever that server answers.

use crate::records::release_folder;
use crate::support::peer::Peer;
use crate::support::{Checkout, STUB, run};
use serde_json::json;
use std::fs;

const TOKEN: &str = "hunter2-token-of-the-user";
/// `user:hunter2-pass` in base64.
const PAIR: &str = "dXNlcjpodW50ZXIyLXBhc3M=";
const IDENTITY: &str = "hunter2-identity";

/// Addresses that an answer may name. OWN is the server that the user named, OTHER another one; PORT is
/// that one's port.
const FORMS: [&str; 20] = [
    "http://OTHER/x",
    "//OTHER/x",
    "HTTP://OTHER/x",
    "http://OWN//OTHER/x",
    "http://OWN@OTHER/x",
    "http://OWN:80@OTHER/x",
    "http://OTHER\\@OWN/x",
    "http://OWN\\@OTHER/x",
    "/\\OTHER/x",
    "\\\\OTHER\\x",
    "http:OTHER/x",
    "http:///OTHER/x",
    "http://localhost:PORT/x",
    "http://LOCALHOST.:PORT/x",
    "http://127.1:PORT/x",
    "http://OWN#@OTHER/x",
    "http://OWN?@OTHER/x",
    "http://OWN%40OTHER/x",
    "https://OTHER/x",
    "//OTHER:80/x",
];

/// How a registry asks for credentials.
const WAYS: [&str; 3] = ["Basic realm=\"x\"", "Bearer realm=\"FORM\"", "bearer realm=FORM,scope=x"];

#[test]
fn each_secret_is_seen_by_one_origin_only() {
    let checkout = Checkout::new("origins");
    let folder = release_folder(&checkout);
    let sizes = ["BUILD_INFO", "x.iso", "SHA256SUMS"]
        .map(|name| (name, fs::metadata(folder.join(name)).unwrap().len()));
    let config = checkout.root.with_file_name("docker-config");
    fs::create_dir_all(&config).unwrap();
    let path = checkout.path_with("docker", STUB);
    let other = Peer::new(|_, _| (200, String::new(), r#"{"token": "hunter2-bearer"}"#.to_owned()));
    let port = other.host.rsplit(':').next().unwrap().to_owned();
    let (mut tokens, mut pairs) = (0, 0);
    for (n, form) in FORMS.iter().enumerate() {
        let (elsewhere, port) = (other.host.clone(), port.clone());
        let named = move |own: &str| {
            form.replace("OWN", own).replace("OTHER", &elsewhere).replace("PORT", &port)
        };
        let status = [301, 302, 303, 307, 308][n % 5];

        let address = named.clone();
        let gitea = Peer::new(move |asked, own| {
            let url = address(own);
            let headers = format!("Link: <{url}>; rel=\"next\"\r\nLocation: {url}\r\n");
            let asset = |(id, (name, size)): (usize, &(&str, u64))| {
                json!({ "id": id, "name": name, "size": size, "browser_download_url": url,
                    "url": url, "upload_url": url })
            };
            let body = if asked.line.contains("/assets?") {
                json!(sizes.iter().enumerate().map(asset).collect::<Vec<_>>())
            } else if asked.line.contains("/releases/tags/") {
                json!({ "id": 1, "tag_name": "test-1", "draft": true, "html_url": url,
                    "upload_url": url, "assets_url": url })
            } else if asked.line.contains("/tags/") {
                return (404, headers, String::new());
            } else {
                return (status, headers, String::new());
            };
            (200, headers, body.to_string())
        });
        let address = named.clone();
        let registry = Peer::new(move |asked, own| match &asked.authorization {
            Some(_) => (status, format!("Location: {}\r\n", address(own)), String::new()),
            None => {
                let way = WAYS[n % 3].replace("FORM", &address(own));
                (401, format!("WWW-Authenticate: {way}\r\n"), String::new())
            }
        });
        let auth = match n % 2 {
            0 => json!({ "auth": PAIR }),
            _ => json!({ "auth": PAIR, "identitytoken": IDENTITY }),
        };
        let auths = json!({ "auths": { registry.host.clone(): auth } });
        fs::write(config.join("config.json"), auths.to_string()).unwrap();

        let repository = format!("http://{}/o/r", gitea.host);
        let page = format!("{repository}/releases/tag/v1.1.0");
        let name = format!("{}/silvermetal-builder", registry.host);
        let tagged = format!("{name}:latest");
        let pinned = format!("{name}@sha256:{}", "a".repeat(64));
        let folder = folder.to_str().unwrap();
        for arguments in [
            vec!["release", "publish", "--repository", &repository, folder],
            vec!["reproduce", &page],
            vec!["bump-image", &tagged],
            vec!["image", "push", "--if-missing", "--engine", "docker", "--to", &name],
            vec!["image", "show"],
            vec!["doctor", "canary", "--engine", "docker"],
        ] {
            let mut command = checkout.xtask(&arguments);
            command.env("SILVERMETAL_RELEASE_TOKEN", TOKEN).env("DOCKER_CONFIG", &config);
            let ran = run(command.env("PATH", &path).env("BUILDER_IMAGE", &pinned));
            assert_ne!(ran.code, 101, "{form} {arguments:?}: {}", ran.stderr);
            let shown = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!shown.contains("hunter2") && !shown.contains(PAIR), "{form}: {shown}");
        }
        assert_eq!(gitea.authorizations(), [format!("token {TOKEN}")], "{form}");
        let registrys = registry.authorizations();
        let own = [format!("Basic {PAIR}"), "Bearer hunter2-bearer".to_owned()];
        assert!(registrys.iter().all(|value| own.contains(value)), "{form}: {registrys:?}");
        assert!(!registry.was_told(TOKEN) && !gitea.was_told(PAIR), "{form}");
        tokens += gitea.asked().len();
        pairs += registrys.len();
    }
    assert!(
        tokens > 60 && pairs > 3,
        "{tokens} requests to Gitea, {pairs} credentials to a registry"
    );
    assert!(
        other.asked().len() > 10,
        "redirects are followed, without the secrets: {:?}",
        other.asked()
    );
    assert_eq!(other.authorizations(), [""; 0], "{:?}", other.asked());
    for secret in [TOKEN, PAIR, IDENTITY] {
        assert!(!other.was_told(secret), "{secret}");
    }
}
