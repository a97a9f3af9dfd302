//! Debian's docker-registry, run on this machine for one test, and images to put into it.

#![allow(dead_code, reason = "each test crate uses its part of it")]

use crate::support::{executable, run};
use serde_json::{Value, json};
use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xtask_core::hash;
use xtask_core::pins::Digest;

pub const USER: &str = "builder";
pub const PASSWORD: &str = "hunter2-registry";
/// `USER:PASSWORD` in base64.
pub const PAIR: &str = "YnVpbGRlcjpodW50ZXIyLXJlZ2lzdHJ5";
/// `htpasswd -nbB`'s line for them.
const HTPASSWD: &str = "builder:$2y$04$WtjFW8stz76aJ0DwjlIg/u9g0fFz/0UWM3vDS07ZiVlr1tRwh4tAa\n";

/// Two blocks of zeros, as `gzip -n` packs them: skopeo would pack a bare layer, and so change it.
const EMPTY_TAR_GZ: [u8; 29] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 24, 5, 163, 96, 20, 140, 84, 0, 0, 46, 175, 181, 239,
    0, 4, 0, 0,
];

/// A registry process and its folder; both are gone when this is dropped.
pub struct Registry {
    process: Child,
    dir: PathBuf,
    /// `ADDRESS:PORT`, as image references spell it.
    pub host: String,
}

/// How it is to be reached.
#[derive(Clone, Copy, Default)]
pub struct How {
    pub tls: bool,
    pub login: bool,
    /// On this machine's own address in its network, which nobody takes for loopback.
    pub public: bool,
}

impl Registry {
    pub fn start(beside: &Path, how: How) -> Registry {
        let address = if how.public { own_address() } else { IpAddr::from([127, 0, 0, 1]) };
        // nobody else takes it between the two: ports are given out in turn
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let dir = beside.with_file_name(format!("registry-{port}"));
        fs::create_dir_all(&dir).unwrap();
        let file = |name: &str| dir.join(name).display().to_string();
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": file("data")}, "delete": {"enabled": true}},
            "http": {"addr": format!("{address}:{port}")},
        });
        if how.tls {
            certificate(&dir, address);
            config["http"]["tls"] = json!({"certificate": file("ca.crt"), "key": file("key.pem")});
        }
        if how.login {
            fs::write(dir.join("htpasswd"), HTPASSWD).unwrap();
            config["auth"] = json!({"htpasswd": {"realm": "test", "path": file("htpasswd")}});
        }
        // JSON is YAML, too
        fs::write(dir.join("config.yml"), config.to_string()).unwrap();
        let log = fs::File::create(dir.join("log")).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(dir.join("config.yml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("docker-registry starts");
        let mut registry = Registry { process, dir, host: format!("{address}:{port}") };
        let patience = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((address, port)).is_err() {
            let log = || fs::read_to_string(registry.dir.join("log")).unwrap_or_default();
            assert!(matches!(registry.process.try_wait(), Ok(None)), "it ended: {}", log());
            assert!(Instant::now() < patience, "it does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
        registry
    }

    /// The certificate that it shows: its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Puts an image there; `latest` is a tag.
    pub fn put(&self, image: &Image, name: &str) -> Digest {
        let layout = self.dir.join("layout");
        let digest = image.write(&layout);
        let mut copy = Command::new("skopeo");
        copy.args(["copy", "--quiet", "--all", "--insecure-policy", "--dest-tls-verify=false"]);
        copy.arg("--dest-creds").arg(format!("{USER}:{PASSWORD}"));
        copy.arg(format!("oci:{}", layout.display())).arg(format!("docker://{}/{name}", self.host));
        run(&mut copy).exits(0);
        fs::remove_dir_all(&layout).unwrap();
        digest
    }

    /// What skopeo says that a name's digest is.
    pub fn digest(&self, name: &str) -> String {
        let mut inspect = Command::new("skopeo");
        inspect.args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"]);
        inspect.arg("--creds").arg(format!("{USER}:{PASSWORD}"));
        inspect.arg(format!("docker://{}/{name}", self.host));
        run(&mut inspect).exits(0).stdout.trim().to_owned()
    }

    pub fn delete(&self, name: &str) {
        let mut delete = Command::new("skopeo");
        delete.args(["delete", "--tls-verify=false"]);
        delete.arg("--creds").arg(format!("{USER}:{PASSWORD}"));
        run(delete.arg(format!("docker://{}/{name}", self.host))).exits(0);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// The address that this machine would send from; nothing is sent.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    socket.connect(("192.0.2.1", 9)).expect("a route, and so an address of one's own");
    socket.local_addr().unwrap().ip()
}

fn certificate(dir: &Path, address: IpAddr) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "36500"]);
    openssl.args(["-subj", "/CN=a test's registry", "-addext"]);
    openssl.arg(format!("subjectAltName=IP:{address}"));
    openssl.arg("-keyout").arg(dir.join("key.pem")).arg("-out").arg(dir.join("ca.crt"));
    run(&mut openssl).exits(0);
}

/// A folder with a docker client's config.json.
pub fn docker_config(beside: &Path, config: &Value) -> PathBuf {
    let dir = beside.with_file_name("docker-config");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    dir
}

/// A credential helper `docker-credential-NAME` that knows one registry.
pub fn helper(bin: &Path, name: &str, host: &str, user: &str, secret: &str) {
    fs::create_dir_all(bin).unwrap();
    let answer = json!({"ServerURL": host, "Username": user, "Secret": secret});
    executable(
        &bin.join(format!("docker-credential-{name}")),
        &format!(
            "#!/bin/sh\n[ \"$1\" = get ] || exit 2\nread -r host\n\
             [ \"$host\" = '{host}' ] || {{ echo 'credentials not found in native keychain'; exit 1; }}\n\
             echo '{answer}'\n"
        ),
    );
}

/// An image without files: only what it says of itself.
#[derive(Clone)]
pub struct Image {
    pub labels: Value,
    /// As an index of two machines' images, of which only amd64's carries the labels.
    pub index: bool,
}

impl Image {
    /// Labelled as `image build` labels the image of `inputs`.
    pub fn of_inputs(inputs: &str) -> Image {
        let labels = json!({
            "uk.silverlabs.silvermetal.inputs": inputs,
            "uk.silverlabs.silvermetal.base": "debian:test",
            "uk.silverlabs.silvermetal.snapshot": "20260508T000000Z",
            "uk.silverlabs.silvermetal.apt-pinned": "yes",
            "org.opencontainers.image.revision": "c".repeat(40),
        });
        Image { labels, index: false }
    }

    /// An OCI image layout (the specification of that name); returns the manifest's digest.
    fn write(&self, layout: &Path) -> Digest {
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let blob = |media_type: &str, bytes: &[u8]| {
            let digest = hash::bytes(bytes);
            fs::write(blobs.join(digest.hex()), bytes).unwrap();
            json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
        };
        let layer = blob("application/vnd.oci.image.layer.v1.tar+gzip", &EMPTY_TAR_GZ);
        let image = |architecture: &str, labels: &Value| {
            let config = json!({
                "architecture": architecture, "os": "linux", "config": {"Labels": labels},
                "rootfs": {"type": "layers", "diff_ids": [hash::bytes(&[0; 1024]).to_string()]},
            });
            let config =
                blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
            let kind = "application/vnd.oci.image.manifest.v1+json";
            let manifest =
                json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]});
            let mut entry = blob(kind, manifest.to_string().as_bytes());
            entry["platform"] = json!({"architecture": architecture, "os": "linux"});
            entry
        };
        let mut top = image("amd64", &self.labels);
        if self.index {
            let kind = "application/vnd.oci.image.index.v1+json";
            let images = [image("arm64", &json!({})), top];
            let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": images});
            top = blob(kind, index.to_string().as_bytes());
        }
        let index = json!({"schemaVersion": 2, "manifests": [top]});
        fs::write(layout.join("index.json"), index.to_string()).unwrap();
        fs::write(layout.join("oci-layout"), "{\"imageLayoutVersion\": \"1.0.0\"}").unwrap();
        top["digest"].as_str().unwrap().parse().unwrap()
    }
}
