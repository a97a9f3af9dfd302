//! A container as data, and its `docker run` command line.

use super::client::{Client, JOB_LABEL, LABEL};
use super::variations::BuildConditions;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use xtask_core::exec::Cmd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    ReadOnly,
    ReadWrite,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mount {
    /// A path on the engine's host.
    Bind {
        host: PathBuf,
        guest: String,
        mode: Mode,
    },
    Volume {
        name: String,
        guest: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// The engine's default bridge.
    Bridge,
    /// The network of the engine's host. It is needed if there is no bridge, or if the mirror is on the
    /// host's loopback.
    Host,
    /// No network except its own loopback.
    None,
}

/// A container with systemd as PID 1 that runs one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    /// Value of our label: the checkout that started the container. No other checkout sweeps it.
    pub(crate) checkout: String,
    /// The CI job's container that xtask runs in. Once that is gone, nobody waits for this container.
    pub(crate) job: Option<String>,
    pub(crate) conditions: BuildConditions,
    pub(crate) image: String,
    pub(crate) network: Network,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) command: Vec<String>,
}

impl Mount {
    /// The value of `--mount`. Unlike `-v`, it refuses a source that does not exist.
    fn argument(&self) -> OsString {
        match self {
            Mount::Bind { host, guest, mode } => {
                let source = csv_field(&[b"source=", host.as_os_str().as_bytes()].concat());
                let mode = if *mode == Mode::ReadOnly { ",readonly" } else { "" };
                let rest = format!(",target={guest}{mode}");
                OsString::from_vec([b"type=bind,", &*source, rest.as_bytes()].concat())
            }
            Mount::Volume { name, guest } => {
                format!("type=volume,source={name},target={guest}").into()
            }
        }
    }
}

/// One field of the value of `--mount`, which is CSV (quoted by RFC 4180).
fn csv_field(field: &[u8]) -> Vec<u8> {
    if !field.iter().any(|byte| b",\"\r\n".contains(byte)) {
        return field.to_owned();
    }
    let mut quoted = vec![b'"'];
    for byte in field {
        quoted.push(*byte);
        if *byte == b'"' {
            quoted.push(b'"');
        }
    }
    quoted.push(b'"');
    quoted
}

impl Container {
    /// `docker run` of a build, with all flags that systemd needs as PID 1.
    pub(crate) fn run(&self, client: &Client) -> Cmd {
        let host_name = self.conditions.host_name();
        let mut cmd = client
            .run()
            .args(["--name", &self.name])
            .arg("--label")
            .arg(format!("{LABEL}={}", self.checkout))
            .args(["--hostname", host_name, "--add-host", &format!("{host_name}:127.0.0.1")])
            .args(["--privileged", "--cgroupns=host", "--tmpfs", "/run", "--tmpfs", "/run/lock"])
            .args(["-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "-t", "--stop-signal", "SIGRTMIN+3"]);
        if let Some(job) = &self.job {
            cmd = cmd.arg("--label").arg(format!("{JOB_LABEL}={job}"));
        }
        match self.network {
            Network::Bridge => {}
            Network::Host => cmd = cmd.args(["--network", "host"]),
            Network::None => cmd = cmd.args(["--network", "none"]),
        }
        for (key, value) in &self.env {
            cmd = cmd.arg("--env").arg(format!("{key}={value}"));
        }
        for mount in &self.mounts {
            cmd = cmd.arg("--mount").arg(mount.argument());
        }
        for (key, value) in self.conditions.outside() {
            cmd = cmd.env(key, value);
        }
        cmd.arg(&self.image).args(&self.command)
    }
}

/// A container that runs one program of the image, without systemd, network or privileges. It has no
/// label, because the program ends by itself, so no sweep has to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) image: String,
    /// Path on the engine's host of the folder that is mounted at [`Tool::GUEST`], read-only.
    pub(crate) read: PathBuf,
    pub(crate) program: String,
}

impl Tool {
    /// Path of the mounted folder in the container.
    pub(crate) const GUEST: &str = "/in";

    /// `docker run`, without the arguments of the program.
    pub(crate) fn run(&self, client: &Client) -> Cmd {
        let (host, guest) = (self.read.clone(), Self::GUEST.to_owned());
        let mount = Mount::Bind { host, guest, mode: Mode::ReadOnly };
        let cmd = client.run().args(["--name", &self.name, "--network", "none"]);
        // a shell as PID 1 ignores the other signals
        cmd.args(["--stop-signal", "SIGKILL", "--cap-drop", "ALL"])
            .args(["--security-opt", "no-new-privileges"])
            .args(["--env", "LC_ALL=C.UTF-8", "--workdir", Self::GUEST, "--mount"])
            .arg(mount.argument())
            .args(["--entrypoint", &self.program, &self.image])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_path_does_not_split_the_mount() {
        let mount = |host: &str| {
            Mount::Bind { host: host.into(), guest: "/g".into(), mode: Mode::ReadOnly }.argument()
        };
        assert_eq!(mount("/a b"), "type=bind,source=/a b,target=/g,readonly");
        assert_eq!(mount("/a,b\"c"), "type=bind,\"source=/a,b\"\"c\",target=/g,readonly");
    }
}
