//! Selects the engine that a build runs on, and reports its problems.

use super::private::{self, EngineFolders};
use super::{Client, EngineChoice, EngineKind};
use xtask_core::exec::which;
use xtask_core::facts::host::Host;
use xtask_core::failure::Problem;

/// State of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EngineStatus {
    /// It answers with this version.
    Running(String),
    NotInstalled,
    /// It does not answer, for this reason.
    Unreachable(String),
}

/// The selected engine, before anything is started.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) kind: EngineKind,
    /// `None` for engine host.
    pub(crate) client: Option<Client>,
    pub(crate) status: EngineStatus,
    /// Debian packages that this engine needs on this machine.
    pub(crate) packages: Vec<String>,
    pub(crate) notices: Vec<String>,
    pub(crate) problems: Vec<Problem>,
}

/// Selects one of the engines `allowed`. For `auto`, asks which of them run.
pub(crate) fn detect(
    choice: EngineChoice,
    allowed: &[EngineKind],
    host: &Host,
    places: &EngineFolders,
) -> Selection {
    let status = |kind: EngineKind| {
        let client = Client::new(kind, None);
        if which(client.program()).is_none() {
            return EngineStatus::NotInstalled;
        }
        match client.version() {
            Ok(version) => EngineStatus::Running(version),
            Err(error) => EngineStatus::Unreachable(format!("{error:#}")),
        }
    };
    let answers = |kind| matches!(status(kind), EngineStatus::Running(_));
    let kind = choice.exactly().unwrap_or_else(|| automatic(allowed, host, &answers));

    let mut selection = Selection {
        kind,
        client: None,
        status: EngineStatus::NotInstalled,
        packages: Vec::new(),
        notices: Vec::new(),
        problems: Vec::new(),
    };
    if choice == EngineChoice::Auto && kind == EngineKind::Host {
        selection.notices.push(super::HOST_NOTICE.to_owned());
    }
    if !allowed.contains(&kind) {
        let names: Vec<&str> = allowed.iter().map(|k| k.name()).collect();
        selection.problems.push(Problem::new(
            format!("this recipe does not build on engine {kind}"),
            format!("pass --engine {}", names.join(" or --engine ")),
        ));
    }
    match kind {
        EngineKind::Docker | EngineKind::Podman => {
            selection.client = Some(Client::new(kind, None));
            selection.status = status(kind);
            selection.problems.extend(unreached(kind, &selection.status, host));
        }
        EngineKind::Private => {
            selection.client = Some(places.client());
            selection.packages = private::packages(&host.codename);
            selection.problems.extend(needs_root(kind, host));
        }
        EngineKind::Host => selection.problems.extend(needs_root(kind, host)),
    }
    selection
}

fn automatic(
    allowed: &[EngineKind],
    host: &Host,
    answers: &dyn Fn(EngineKind) -> bool,
) -> EngineKind {
    let may = |kind: &EngineKind| allowed.contains(kind);
    let shared = [EngineKind::Docker, EngineKind::Podman];
    if let Some(kind) = shared.into_iter().filter(may).find(|kind| answers(*kind)) {
        return kind;
    }
    if may(&EngineKind::Private) && host.is_root() && private_can_run(host) {
        return EngineKind::Private;
    }
    if may(&EngineKind::Host) && host.is_root() { EngineKind::Host } else { EngineKind::Docker }
}

/// Returns true if a private dockerd can probably run: the kernel has cgroup2, and dockerd is installed or
/// can be.
fn private_can_run(host: &Host) -> bool {
    let file_systems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let has =
        |name: &str| file_systems.lines().any(|line| line.split_whitespace().last() == Some(name));
    let installed = which("dockerd").is_some();
    (installed || host.has_apt) && has("cgroup2")
}

fn unreached(kind: EngineKind, status: &EngineStatus, host: &Host) -> Option<Problem> {
    let start = match kind {
        EngineKind::Podman => "install podman",
        _ if host.is_root() => "start it (systemctl start docker), or pass --engine private",
        _ => {
            "start it and add yourself to the group docker, or run this as root with --engine private"
        }
    };
    match status {
        EngineStatus::Running(_) => None,
        EngineStatus::NotInstalled => {
            let what = format!("no container engine: {kind} is not installed");
            Some(Problem::new(what, start).of("engine-answers"))
        }
        EngineStatus::Unreachable(why) => {
            let what = format!("engine {kind} does not answer: {why}");
            Some(Problem::new(what, start).of(if is_api_mismatch(why) {
                "engine-api"
            } else {
                "engine-answers"
            }))
        }
    }
}

/// Returns true if the engine answered, but refused the client's API version.
fn is_api_mismatch(why: &str) -> bool {
    why.contains("client version") && (why.contains("too old") || why.contains("too new"))
}

fn needs_root(kind: EngineKind, host: &Host) -> Option<Problem> {
    (!host.is_root()).then(|| {
        Problem::new(
            format!("engine {kind} needs root, and this is uid {}", host.uid),
            "run it through sudo, or start a Docker Engine and pass --engine docker",
        )
        .of("engine-answers")
    })
}
