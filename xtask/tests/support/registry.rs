//! Debian's docker-registry, started for one test, and images to push to it.

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
/// The line of `htpasswd -nbB` for them.
const HTPASSWD: &str = "builder:$2y$04$WtjFW8stz76aJ0DwjlIg/u9g0fFz/0UWM3vDS07ZiVlr1tRwh4tAa\n";

/// A compressed empty layer: two blocks of zeros, packed by `gzip -n`. skopeo would compress a plain
/// one, and so change its digest.
const EMPTY_TAR_GZ: [u8; 29] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 24, 5, 163, 96, 20, 140, 84, 0, 0, 46, 175, 181, 239,
    0, 4, 0, 0,
];

/// A registry process and its folder. Dropping it ends the process and removes the folder.
pub struct Registry {
    process: Child,
    dir: PathBuf,
    /// `ADDRESS:PORT`, as image references spell it.
    pub host: String,
}

/// How clients reach the registry.
#[derive(Clone, Copy, Default)]
pub struct How {
    pub tls: bool,
    pub login: bool,
    /// On this machine's network address, which is not loopback.
    pub public: bool,
}

impl Registry {
    pub fn start(beside: &Path, how: How) -> Registry {
        let address = if how.public { own_address() } else { IpAddr::from([127, 0, 0, 1]) };
        // the kernel hands out ports in turn, so nobody else takes this one meanwhile
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
        // JSON is valid YAML
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

    /// Its self-signed certificate.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Pushes an image under `name`, e.g. `silvermetal-builder:latest`.
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

    /// Digest of `name`, as skopeo reports it.
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

/// This machine's address in its network. Nothing is sent to find it.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    socket.connect(("192.0.2.1", 9)).expect("a default route");
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

/// Makes a folder with a config.json of the docker client.
pub fn docker_config(beside: &Path, config: &Value) -> PathBuf {
    let dir = beside.with_file_name("docker-config");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    dir
}

/// Makes a credential helper `docker-credential-NAME` that knows one registry.
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

/// An image with labels, but without files.
#[derive(Clone)]
pub struct Image {
    pub labels: Value,
    /// Push an index of two architectures, of which only amd64 has the labels.
    pub index: bool,
}

impl Image {
    /// An image with the labels that `image build` sets for `inputs`.
    pub fn of_inputs(inputs: &str) -> Image {
        let labels = json!({
            "uk.silverlabs.silvermetal.inputs": inputs,
            "uk.silverlabs.silvermetal.base": "debian:test",
            "uk.silverlabs.silvermetal.snapshot": "20260508T000000Z",
            "uk.silverlabs.silvermetal.apt-pinned": "yes",
        });
        Image { labels, index: false }
    }

    /// Writes an OCI image layout. Returns the digest of the manifest.
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
