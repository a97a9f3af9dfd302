//! Selects the engine that a build runs on, and reports its problems.

use super::advice;
use super::podman;
use super::private::{self, EngineFolders};
use super::status::{self, EngineStatus, Unusable};
use super::vm;
use super::{Client, EngineChoice, EngineKind};
use xtask_core::exec::which;
use xtask_core::facts::host::Host;
use xtask_core::failure::Problem;

/// The selected engine, before anything is started.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) kind: EngineKind,
    /// True if `auto` took it because an earlier `--setup` prepared it.
    pub(crate) of_setup: bool,
    /// `None` for engines host and vm.
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
    let ask = |kind: EngineKind| status::ask(&Client::new(kind, None));
    let of_setup = places.engine_of_setup().filter(|_| choice == EngineChoice::Auto);
    let kind = match choice.exactly() {
        Some(kind) => kind,
        None => automatic(allowed, of_setup, host, &ask),
    };
    let mut selection = Selection {
        kind,
        of_setup: of_setup == Some(kind),
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
            selection.status = ask(kind);
            if kind == EngineKind::Podman {
                selection.packages = podman::packages(&host.codename);
            }
            selection.problems.extend(advice::unreached(kind, &selection.status, host));
        }
        EngineKind::Private => {
            selection.client = Some(places.client());
            selection.packages = private::packages(&host.codename);
            selection.problems.extend(advice::needs_root(kind, host));
            if Client::new(EngineKind::Docker, None).is_podman_in_disguise() {
                selection.problems.push(advice::no_client());
            }
        }
        EngineKind::Host => selection.problems.extend(advice::needs_root(kind, host)),
        EngineKind::Vm => {
            selection.packages = vm::packages();
            selection.problems.extend(advice::needs_root(kind, host));
        }
    }
    selection
}

/// The engine of an earlier `--setup` if it runs now, else the first one that can run. If none can, the one
/// whose problem a person can solve most easily.
fn automatic(
    allowed: &[EngineKind],
    of_setup: Option<EngineKind>,
    host: &Host,
    ask: &dyn Fn(EngineKind) -> EngineStatus,
) -> EngineKind {
    let may = |kind: &EngineKind| allowed.contains(kind);
    let private = may(&EngineKind::Private) && private_can_run(host);
    if of_setup == Some(EngineKind::Private) && private && host.is_root() {
        return EngineKind::Private;
    }
    let first = of_setup.filter(|kind| *kind == EngineKind::Podman);
    let shared = first.into_iter().chain([EngineKind::Docker, EngineKind::Podman]);
    let mut unusable = None;
    for kind in shared.filter(may) {
        match ask(kind) {
            EngineStatus::Running(_) => return kind,
            // podman itself has the problem that helps
            EngineStatus::Unusable(Unusable::PodmanInDisguise | Unusable::PodmanService(_))
            | EngineStatus::NotInstalled
            | EngineStatus::Unreachable { .. } => {}
            EngineStatus::Unusable(_) => unusable = unusable.or(Some(kind)),
        }
    }
    if host.is_root() && private {
        return EngineKind::Private;
    }
    if host.is_root() && may(&EngineKind::Host) {
        return EngineKind::Host;
    }
    if of_setup == Some(EngineKind::Private) && may(&EngineKind::Private) {
        return EngineKind::Private;
    }
    unusable.unwrap_or(EngineKind::Docker)
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
