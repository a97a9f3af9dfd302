//! The command line of docker, and podman's differences as data.

use super::{EngineKind, podman};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use xtask_core::exec::Cmd;
use xtask_core::failure::Code;

/// Label of every container and image that xtask makes. Its value is the checkout's id.
pub(crate) const LABEL: &str = "uk.silverlabs.silvermetal";

/// Label of a container that xtask started while it ran in a CI job's container. Its value is the id of
/// the job's container.
pub(crate) const JOB_LABEL: &str = "uk.silverlabs.silvermetal.job";

/// End of the version that docker's client gets from podman's service.
pub(super) const PODMAN_ANSWERS: &str = " (podman)";

/// Runs the command line of one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) kind: EngineKind,
    /// `unix://…` of the private engine; `None` for the others, which use their own configuration.
    pub(crate) socket: Option<String>,
    dialect: &'static Dialect,
}

/// Differences between the two programs.
#[derive(Debug, PartialEq, Eq)]
struct Dialect {
    program: &'static str,
    /// Template for the engine's version. It fails if no engine answers. With [`PODMAN_ANSWERS`] at its end,
    /// docker's client asks podman's service.
    version: &'static str,
    cgroup_version: &'static str,
    root_dir: &'static str,
    /// Function that gets a label of a container in the template of `ps`.
    label_of: &'static str,
    /// Template for [`Client::limits`].
    limits: &'static str,
    /// Options of `run` that make it as docker's.
    run: &'static [&'static str],
    /// Prefix of the names of images that were built locally.
    local: &'static str,
}

static DOCKER: Dialect = Dialect {
    program: "docker",
    version: "{{.Server.Version}}{{range .Server.Components}}{{if eq .Name \"Podman Engine\"}} (podman){{end}}{{end}}",
    cgroup_version: "{{.CgroupVersion}}",
    root_dir: "{{.DockerRootDir}}",
    label_of: ".Label",
    limits: "{{range .SecurityOptions}}{{if eq . \"name=rootless\"}}rootless{{end}}{{end}}",
    run: &[],
    local: "",
};

static PODMAN: Dialect = Dialect {
    program: "podman",
    version: "{{.Client.Version}}",
    cgroup_version: "{{.Host.CgroupsVersion}}",
    root_dir: "{{.Store.GraphRoot}}",
    label_of: "index .Labels", // 4.3 has no .Label
    limits: "{{if .Host.Security.Rootless}}rootless{{end}}{{if .Host.ServiceIsRemote}} remote{{end}}",
    // its own limit is 2048 processes, and needs a controller that a cgroup v1 host lacks
    run: &["--pids-limit=0"],
    local: "localhost/",
};

impl Client {
    pub(crate) fn new(kind: EngineKind, socket: Option<String>) -> Client {
        let dialect = if kind == EngineKind::Podman { &PODMAN } else { &DOCKER };
        Client { kind, socket, dialect }
    }

    pub(crate) fn program(&self) -> &'static str {
        self.dialect.program
    }

    pub(crate) fn cmd(&self) -> Cmd {
        let cmd = self.in_its_environment(Cmd::new(self.dialect.program));
        match &self.socket {
            Some(socket) => cmd.args(["--host", socket]),
            None => cmd,
        }
    }

    /// Removes the caller's variables that would mislead the client if `cmd` runs it.
    pub(crate) fn in_its_environment(&self, cmd: Cmd) -> Cmd {
        // the builder image is for amd64, even if the caller's default differs
        let cmd = cmd.env_remove("DOCKER_DEFAULT_PLATFORM");
        if self.socket.is_none() {
            return cmd;
        }
        // the private engine has a current API, and no TLS
        let ours = ["DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION"];
        ours.into_iter().fold(cmd, Cmd::env_remove)
    }

    /// The engine's version; an error if it does not answer within ten seconds.
    pub(crate) fn version(&self) -> Result<String> {
        self.version_within(10)
    }

    pub(crate) fn version_within(&self, seconds: u32) -> Result<String> {
        let answer = self.cmd().args(["version", "--format", self.dialect.version]);
        let version = answer.within_seconds(seconds).read()?;
        if version.is_empty() {
            bail!("`{}` names no engine version", self.program());
        }
        Ok(version)
    }

    /// The cgroup version of the engine's containers: `1` or `2`.
    pub(crate) fn cgroup_version(&self) -> Result<String> {
        let template = self.dialect.cgroup_version;
        // podman says v2 where docker says 2
        Ok(self
            .cmd()
            .args(["info", "--format", template])
            .read()?
            .trim_start_matches('v')
            .to_owned())
    }

    /// The engine's data root, as a path on the engine's host.
    pub(crate) fn root_dir(&self) -> Result<String> {
        self.cmd().args(["info", "--format", self.dialect.root_dir]).read()
    }

    /// The name that this engine gives an image that was built locally.
    pub(crate) fn local_name(&self, tag: &str) -> String {
        format!("{}{tag}", self.dialect.local)
    }

    /// The id of an image; `None` if the engine does not have it.
    pub(crate) fn image_id(&self, reference: &str) -> Result<Option<String>> {
        let probe =
            self.cmd().args(["image", "inspect", "--format", "{{.Id}}", reference]).output()?;
        Ok(probe.exit.ok().then(|| probe.stdout.trim().to_owned()))
    }

    /// Words for what an engine that answers cannot do: `rootless` if its containers have no privileges on
    /// its host, `remote` if a podman client asks a service.
    pub(crate) fn limits(&self) -> Result<String> {
        self.cmd().args(["info", "--format", self.dialect.limits]).within_seconds(10).read()
    }

    /// Returns true if this docker is podman under another name: Debian's package podman-docker, or a link.
    pub(crate) fn is_podman_in_disguise(&self) -> bool {
        let version = self.cmd().arg("--version").within_seconds(10).output();
        // a script that runs podman; podman under the name docker, whose own answer begins with a capital
        let podmans = |answer: &str| {
            answer.starts_with("podman version") || answer.starts_with("docker version")
        };
        self.kind != EngineKind::Podman && version.is_ok_and(|answer| podmans(&answer.stdout))
    }

    /// Address of the engine that docker asks (its context, or DOCKER_HOST), if that engine is not on this
    /// machine.
    pub(crate) fn remote_address(&self) -> Option<String> {
        self.address().filter(|address| !address.starts_with("unix://"))
    }

    /// Address of the engine that docker asks, by its context or DOCKER_HOST.
    pub(super) fn address(&self) -> Option<String> {
        if self.socket.is_some() || self.kind == EngineKind::Podman {
            return None;
        }
        let template = "{{.Endpoints.docker.Host}}";
        let asked = self.cmd().args(["context", "inspect", "--format", template]).read();
        // clients older than 19.03 have no contexts
        let asked = asked.ok().filter(|address| !address.is_empty());
        let address = asked.or_else(|| std::env::var("DOCKER_HOST").ok());
        address.filter(|address| !address.is_empty())
    }

    /// `docker run`, with the limits that docker's containers have.
    pub(crate) fn run(&self) -> Cmd {
        self.cmd().args(["run", "--rm"]).args(self.dialect.run).args(self.limits_to_keep())
    }

    /// `docker build`, with these limits.
    pub(crate) fn build(&self) -> Cmd {
        self.cmd().args(["build", "--pull=false"]).args(self.limits_to_keep())
    }

    fn limits_to_keep(&self) -> Vec<String> {
        if self.kind == EngineKind::Podman { podman::limits_to_keep() } else { Vec::new() }
    }

    /// Names of the containers that `checkout` started.
    pub(crate) fn containers_of(&self, checkout: &str) -> Result<Vec<String>> {
        self.containers(&format!("{LABEL}={checkout}"), "{{.Names}}")
    }

    /// Names of containers whose CI job has ended. A runner that cancels a job removes only the job's own
    /// container. `own` is the job that xtask runs in; this engine may not know it.
    pub(crate) fn containers_of_dead_jobs(&self, own: Option<&str>) -> Result<Vec<String>> {
        let format = format!("{{{{.Names}}}}\t{{{{{} \"{JOB_LABEL}\"}}}}", self.dialect.label_of);
        let mut names = Vec::new();
        for line in self.containers(JOB_LABEL, &format)? {
            let Some((name, job)) = line.split_once('\t') else { continue };
            if own != Some(job) && !self.runs(job)? {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// A line for each container that has `label`.
    fn containers(&self, label: &str, format: &str) -> Result<Vec<String>> {
        let filter = format!("label={label}");
        let lines =
            self.cmd().args(["ps", "--all", "--filter", &filter, "--format", format]).read()?;
        Ok(lines.lines().map(str::to_owned).collect())
    }

    /// Returns true if the container is running, and false if the engine does not know it.
    fn runs(&self, id: &str) -> Result<bool> {
        let filter = format!("id={id}");
        let found = self.cmd().args(["ps", "--quiet", "--no-trunc", "--filter", &filter]).read()?;
        Ok(found.lines().any(|line| line == id))
    }

    /// Kills and removes a container. It may be gone already.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let probe = self.cmd().args(["rm", "--force", "--volumes", name]).output()?;
        let gone = probe.stderr.contains("No such container")
            || probe.stderr.contains("no container with")
            || probe.stderr.contains("is already in progress");
        if !probe.exit.ok() && !gone {
            return Err(Code::Failed
                .error(format!("cannot remove container {name}: {}", probe.stderr.trim())));
        }
        Ok(())
    }

    /// Stops a container with its STOPSIGNAL, which systemd needs. The engine then removes it.
    pub(crate) fn stop(&self, name: &str) -> Cmd {
        // docker 28 deprecates the long name, --time
        self.cmd().args(["stop", "-t", "5", name])
    }

    pub(crate) fn tag(&self, image: &str, name: &str) -> Cmd {
        self.cmd().args(["tag", image, name])
    }

    /// Hashes of an image's unpacked layers. They are the same on every kind of image store.
    pub(crate) fn layers(&self, reference: &str) -> Result<Vec<String>> {
        let template = "{{range .RootFS.Layers}}{{println .}}{{end}}";
        let text = self.cmd().args(["image", "inspect", "--format", template, reference]).read()?;
        Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// Writes an image to a tar.
    pub(crate) fn save(&self, image: &str, archive: &Path) -> Cmd {
        self.cmd().args(["save", "--output"]).arg(archive).arg(image)
    }

    /// Reads an image from a tar of [`Client::save`].
    pub(crate) fn load(&self, archive: &Path) -> Cmd {
        self.cmd().args(["load", "--quiet", "--input"]).arg(archive)
    }

    pub(crate) fn pull(&self, reference: &str) -> Cmd {
        self.cmd().args(["pull", reference])
    }

    /// Output of `inspect --format TEMPLATE OBJECT`.
    pub(crate) fn inspect(&self, object: &str, template: &str) -> Result<String> {
        let cmd = self.cmd().args(["inspect", "--format", template, object]);
        cmd.read().with_context(|| format!("{} does not know {object}", self.program()))
    }
}
