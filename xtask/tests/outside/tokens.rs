//! A token or password goes to the origin that the user named, and nowhere else.

use crate::records::release_folder;
use crate::support::peer::Peer;
use crate::support::{Checkout, STUB, run};
use serde_json::json;
use std::fs;
use std::process::Command;

const TOKEN: &str = "hunter2-token-of-the-user";
/// `user:hunter2` in base64.
const PAIR: &str = "dXNlcjpodW50ZXIy";

/// A server that is asked by whoever believes the other one. It answers as a token server does.
fn other() -> Peer {
    Peer::new(|_, _| (200, String::new(), r#"{"token": "hunter2-bearer"}"#.to_owned()))
}

#[test]
fn the_release_token_does_not_follow_the_url_of_a_file() {
    let checkout = Checkout::new("token");
    let folder = release_folder(&checkout);
    let sizes: Vec<(String, u64)> = ["BUILD_INFO", "x.iso", "SHA256SUMS"]
        .map(|name| (name.to_owned(), fs::metadata(folder.join(name)).unwrap().len()))
        .into();
    let other = other();
    for form in
        ["http://OWN//OTHER/x", "http://OTHER/x", "//OTHER/x", "http://OWN/\\OTHER/x", "/y?//OTHER"]
    {
        let (elsewhere, sizes) = (other.host.clone(), sizes.clone());
        let gitea = Peer::new(move |asked, own| {
            let file = |(n, (name, size)): (usize, &(String, u64))| {
                let url = form.replace("OWN", own).replace("OTHER", &elsewhere);
                json!({ "id": n + 1, "name": name, "size": size, "browser_download_url": url })
            };
            let body = if asked.line.contains("/assets?") {
                json!(sizes.iter().enumerate().map(file).collect::<Vec<_>>())
            } else if asked.line.contains("/releases/tags/") {
                json!({ "id": 1, "tag_name": "test-1", "draft": true, "html_url": "http://x/" })
            } else if asked.line.contains("/tags/") {
                return (404, String::new(), String::new());
            } else {
                return (
                    302,
                    format!("Location: http://{elsewhere}/redirected\r\n"),
                    String::new(),
                );
            };
            (200, String::new(), body.to_string())
        });
        let url = format!("http://{}/o/r", gitea.host);
        let mut publish = checkout.xtask(["release", "publish", "--repository", &url]);
        let ran = run(publish.arg(&folder).env("SILVERMETAL_RELEASE_TOKEN", TOKEN));
        assert_ne!(ran.code, 0, "{form}: {}", ran.stdout);
        assert_eq!(gitea.authorizations(), [format!("token {TOKEN}")], "{form}: {}", ran.stderr);
    }
    assert_eq!(other.authorizations(), [""; 0], "{:?}", other.asked());
    assert!(!other.asked().is_empty(), "the redirect itself is followed");
}

#[test]
fn reproduce_sends_no_token() {
    let checkout = Checkout::new("token");
    let other = other();
    let elsewhere = other.host.clone();
    let page =
        Peer::new(move |_, _| (302, format!("Location: http://{elsewhere}/x\r\n"), String::new()));
    let url = format!("http://{}/o/r/releases/tag/v1.1.0", page.host);
    run(checkout.xtask(["reproduce", &url]).env("SILVERMETAL_RELEASE_TOKEN", TOKEN)).exits(3);
    assert!(!page.asked().is_empty() && !other.asked().is_empty());
    assert_eq!([page.authorizations(), other.authorizations()].concat(), [""; 0]);
}

/// A registry that wants a token from `server`, and knows no image.
fn registry(server: &str) -> Peer {
    let server = server.to_owned();
    Peer::new(move |asked, _| match &asked.authorization {
        Some(_) => (404, String::new(), String::new()),
        None => {
            let challenge = format!(
                "WWW-Authenticate: Bearer realm=\"http://{server}/token\",service=\"x\"\r\n"
            );
            (401, challenge, String::new())
        }
    })
}

fn commands(checkout: &Checkout, registry: &str) -> Vec<Command> {
    let config = checkout.root.with_file_name("docker-config");
    fs::create_dir_all(&config).unwrap();
    let auths = json!({ "auths": { registry: { "auth": PAIR } } });
    fs::write(config.join("config.json"), auths.to_string()).unwrap();
    let path = checkout.path_with("docker", STUB);
    let name = format!("{registry}/silvermetal-builder");
    let tagged = format!("{name}:latest");
    let mut commands = vec![
        checkout.xtask(["bump-image", &tagged]),
        checkout.xtask(["bump-image", &tagged, "--dry-run"]),
        checkout.xtask(["image", "push", "--if-missing", "--engine", "docker", "--to", &name]),
    ];
    for command in &mut commands {
        command.env("DOCKER_CONFIG", &config).env("PATH", &path);
    }
    commands
}

#[test]
fn a_registrys_password_goes_to_another_host_only_by_the_users_word() {
    let checkout = Checkout::new("token");
    for n in 0..3 {
        let other = other();
        let own = registry(&other.host);
        let mut command = commands(&checkout, &own.host).remove(n);
        run(&mut command).says("wants its credentials sent to another address").says("ROOT_URL");
        assert_eq!(other.asked().len(), 0, "{:?}", other.asked());
        assert_eq!(own.authorizations(), [""; 0], "{:?}", own.asked());

        let ran = run(command.env("SILVERMETAL_TOKEN_SERVERS", format!("a:1 {}", other.host)));
        assert_eq!(other.authorizations(), [format!("Basic {PAIR}")], "{}", ran.stderr);
        assert_eq!(own.authorizations(), ["Bearer hunter2-bearer"], "{}", ran.stderr);
        ran.says("its credentials go to its token server");
    }
}

#[test]
fn an_index_that_holds_itself_or_a_path_ends() {
    let checkout = Checkout::new("index");
    for digest in ["loop", "../../../v2/x/manifests/loop", "latest", "sha256:ab", "sha512:00"] {
        let index = json!({ "schemaVersion": 2, "manifests": [
            { "digest": digest, "platform": { "architecture": "amd64", "os": "linux" } }
        ]});
        let kind = "Content-Type: application/vnd.oci.image.index.v1+json\r\n";
        let peer = Peer::new(move |_, _| (200, kind.to_owned(), index.to_string()));
        let mut show = commands(&checkout, &peer.host).remove(1);
        run(&mut show).exits(4).says("expected `sha256:`");
        assert!(peer.asked().len() < 5, "{:?}", peer.asked());
    }
}
