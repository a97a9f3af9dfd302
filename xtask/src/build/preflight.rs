//! Finds everything that would make a build fail, and reports all of it before the build begins.

use super::inputs::BuildFacts;
use crate::build::{records, workdir};
use crate::builder_image::{self, BuilderImage};
use crate::engine::advice;
use crate::engine::container::Network;
use crate::engine::{EngineKind, EngineStatus};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use xtask_core::apt;
use xtask_core::escape::Shown as _;
use xtask_core::exec::quoted;
use xtask_core::facts::host::DiskSpace;
use xtask_core::facts::mirror;
use xtask_core::facts::upstream::Upstream;
use xtask_core::failure::Problem;
use xtask_core::http;
use xtask_core::in_place::replaced;
use xtask_core::replace::{BUILD_RECORDS, Protected};

const GIB: u64 = 1 << 30;
/// Space for the builder image (0.9 GiB) and the container's layer (up to 1.7 GiB), with a reserve.
pub(crate) const ENGINE_GIB: u64 = 4;
/// Space for saved inputs: the builder image's archive (0.9 GiB) and the packages.
const INPUTS_GIB: u64 = 2;

/// Device that allocates loop devices (loop(4)).
const LOOP_CONTROL: &str = "/dev/loop-control";

/// All problems of a build. With `setup`, the problems that `--setup` solves are left out.
pub(crate) fn problems(facts: &BuildFacts, setup: bool) -> Vec<Problem> {
    let mut found = facts.engine.problems.clone();
    let BuildFacts { recipe, host, .. } = facts;
    found.extend(apt::problem(&facts.missing, setup));
    if let Some(problem) = image_problem(facts, setup) {
        found.push(problem);
    }
    // without curl, nobody asked the mirror: the missing package is reported above, and after --setup
    // the mirror is asked again
    let asked = !facts.missing.iter().any(|package| package == http::PACKAGE);
    if let Some(why) = facts.mirror.unreachable.as_ref().filter(|_| asked) {
        found.push(mirror::problem(&facts.mirror.mirror, why));
    }
    if let Some(saved) = &facts.inputs {
        let revisions = facts.upstream.as_ref().map(|upstream| &upstream.revisions[..]);
        found.extend(saved.problems(&records::known_before(facts), revisions.unwrap_or_default()));
    }
    if facts.has_own_cache() && facts.engine.kind == EngineKind::Host {
        found.push(Problem::new(
            "engine host has no package cache of its own, so inputs can neither be saved nor used",
            "pass --engine private or --engine docker with --save-inputs and --from-inputs",
        ));
    }
    if let Some(vm) = &facts.vm {
        found.extend(vm.problem(setup));
        if facts.save_inputs.is_some() {
            found.push(Problem::new(
                "engine vm saves no inputs",
                "save them in a container, and build from them: --engine private --save-inputs DIR, then \
                 --engine vm --from-inputs DIR",
            ));
        }
    }
    if recipe.needs.submodule {
        found.extend(facts.upstream.iter().flat_map(Upstream::problems));
        found.extend(facts.levers.problems.iter().cloned());
        // derivative-maker takes the hardening kernel parameters from grub-mkconfig, and no error of it (step 3600)
        if !facts.output_disk.has_device_for_grub() {
            let DiskSpace { kind, source, .. } = &facts.output_disk;
            found.push(Problem::new(
                format!("the output is on {kind} ({source}): the ISO would silently lose its kernel parameters there"),
                "pass --output DIR on a disk's own file system (ext4, xfs, btrfs)",
            ).of("output-on-disk"));
        }
    }
    // the host of another engine cannot be seen from here; doctor asks inside a container
    if recipe.needs.submodule
        && facts.engine.kind == EngineKind::Private
        && !Path::new(LOOP_CONTROL).exists()
    {
        found.push(
            Problem::new(format!("no loop devices: {LOOP_CONTROL} is missing"), "modprobe loop")
                .of("loop-devices"),
        );
    }
    found.extend(places(facts));
    let entry = recipe.dir.join(&recipe.entry);
    if !entry.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    {
        found.push(Problem::new(
            format!("the recipe's entry is not an executable file: {}", entry.shown()),
            format!("chmod +x {}, or correct `entry` in recipe.toml", quoted(&entry)),
        ));
    }
    let mut seen_by_the_engine: Vec<&Path> = facts.output.parent().into_iter().collect();
    if let Some(upstream) = &facts.upstream {
        seen_by_the_engine.push(&upstream.dir);
        seen_by_the_engine.extend(upstream.git_dir.as_deref());
    }
    if facts.engine.kind != EngineKind::Host {
        for path in seen_by_the_engine {
            if let Err(error) = facts.paths.translate(path) {
                let fix = match path.to_str() {
                    Some(_) => "mount it, or pass --engine host",
                    None => "name it with UTF-8 alone, or pass --engine host",
                };
                found.push(Problem::new(format!("{error:#}"), fix));
            }
        }
    }
    let lacks = |disk: &DiskSpace, gib: u64| {
        (disk.free < gib * GIB).then_some(disk.free as f64 / GIB as f64)
    };
    if let Some(free) = lacks(&facts.output_disk, recipe.needs.disk_gib) {
        found.push(
            Problem::new(
                format!(
                    "not enough disk: recipe {} needs {} GiB, and {} has {free:.1} GiB free",
                    recipe.name,
                    recipe.needs.disk_gib,
                    facts.output.shown(),
                ),
                "free some space, or pass --output DIR on a larger disk",
            )
            .of("disk"),
        );
    }
    if let Some(free) = facts.engine_disk.as_ref().and_then(|disk| lacks(disk, ENGINE_GIB)) {
        found.push(Problem::new(
            format!("not enough disk: the engine needs {ENGINE_GIB} GiB for image and container, and has {free:.1} GiB free"),
            format!("remove unused images and containers: {}", advice::prune(facts.engine.kind)),
        ).of("disk"));
    }
    if let Some(dir) = &facts.save_inputs
        && let Ok(disk) = DiskSpace::holding(dir)
        && let Some(free) = lacks(&disk, INPUTS_GIB)
    {
        let what = format!(
            "not enough disk: saved inputs need {INPUTS_GIB} GiB, and {} has {free:.1} GiB free",
            dir.shown()
        );
        let fix = "free some space, or pass --save-inputs DIR on a larger disk";
        found.push(Problem::new(what, fix).of("disk"));
    }
    // 5 % less is enough: a machine with 8 GiB reports a little less
    if host.memory < recipe.needs.ram_gib * GIB / 20 * 19 {
        found.push(
            Problem::new(
                format!(
                    "not enough memory: recipe {} needs {} GiB, and this machine has {:.1} GiB",
                    recipe.name,
                    recipe.needs.ram_gib,
                    host.memory as f64 / GIB as f64
                ),
                "build on a larger machine",
            )
            .of("memory"),
        );
    }
    if facts.now < facts.epoch.seconds {
        found.push(
            Problem::new(
                format!(
                    "the clock ({}) is before SOURCE_DATE_EPOCH ({})",
                    facts.now, facts.epoch.seconds
                ),
                "set the clock, or correct linux/build/config/source-date-epoch.env",
            )
            .of("clock"),
        );
    }
    let shares_network = facts.engine.client.is_some() && facts.network() == Network::Host;
    if shares_network && port_taken() {
        found.push(Problem::new(
            "port 9977 on this host's loopback is taken, and the builder's package cache needs it \
             (it shares this host's network, because the mirror is on loopback)",
            "stop the program that listens there, or serve the mirror on another address than loopback",
        ).of("package-cache"));
    }
    found
}

/// Folders that the build would replace, and must not.
fn places(facts: &BuildFacts) -> Vec<Problem> {
    let protected = Protected::here(&facts.repo.root);
    let output = &facts.output;
    let mut found: Vec<Problem> = protected.problem(output, &BUILD_RECORDS).into_iter().collect();
    if found.is_empty() {
        // the older result while the new one takes its place, and an image that violates its policy
        let beside = [replaced(output), workdir::rejected(output)];
        found.extend(beside.iter().filter_map(|dir| protected.problem(dir, &BUILD_RECORDS)));
    }
    if let Some(dir) = &facts.save_inputs {
        found.extend(protected.problem(dir, &[]));
        if dir.starts_with(output) || output.starts_with(dir) {
            let what = format!("{} and {} would replace each other", dir.shown(), output.shown());
            found.push(Problem::new(what, "pass --save-inputs a folder beside the result"));
        }
    }
    found
}

/// The problem that engine vm has no builder image to boot.
pub(super) fn no_tree(facts: &BuildFacts) -> Problem {
    let (what, fix) = match &facts.image {
        BuilderImage::Local(inputs) => (
            format!("no builder image: {} is not built", inputs.tag()),
            "build it here: cargo xtask image build --setup".to_owned(),
        ),
        BuilderImage::Named(reference) => (
            format!("engine vm cannot pull {reference}: it boots an image from a file"),
            format!("pass --image {}, or --from-inputs DIR", builder_image::LOCAL),
        ),
        BuilderImage::Saved { archive, .. } => (
            format!("the saved builder image has no normal form: {}", archive.shown()),
            "save the inputs again, with an image that this xtask built".to_owned(),
        ),
    };
    Problem::new(what, fix).of("builder-image")
}

fn image_problem(facts: &BuildFacts, setup: bool) -> Option<Problem> {
    if facts.vm.is_some() {
        return facts.kept_image.is_none().then(|| no_tree(facts));
    }
    if facts.image_present || facts.engine.kind == EngineKind::Host {
        return None;
    }
    let missing = match &facts.image {
        BuilderImage::Local(inputs) => {
            // an engine that cannot be asked may have the image; that is a problem of its own
            let silent = match facts.engine.kind {
                EngineKind::Private => !facts.host.is_root(),
                _ => !matches!(facts.engine.status, EngineStatus::Running(_)),
            };
            if setup || silent || facts.kept_image.is_some() {
                return None;
            }
            format!("no builder image: {} is not built", inputs.tag())
        }
        // an image with a digest is pulled when the build starts
        BuilderImage::Named(reference) if reference.digest.is_some() => return None,
        BuilderImage::Saved { archive, .. } => {
            return (!archive.is_file()).then(|| {
                Problem::new(
                    format!(
                        "the saved inputs have no builder image: {} is missing",
                        archive.shown()
                    ),
                    "restore the folder from a good copy",
                )
            });
        }
        BuilderImage::Named(reference) => format!(
            "no builder image: the engine has no {reference}, and without a digest it is not pulled"
        ),
    };
    Some(
        Problem::new(missing, builder_image::fix_hint(facts.engine.kind, &facts.repo.build_sh()))
            .of("builder-image"),
    )
}

/// Returns true if a program listens on port 9977 of 127.0.0.1 or of all addresses.
///
/// It reads the kernel's table. A trial `bind` would take the port for a moment, and a second
/// xtask that looks in that moment would refuse its build.
fn port_taken() -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .any(|table| std::fs::read_to_string(table).is_ok_and(|table| listens(&table, 9977)))
}

/// Returns true if `table`, in the form of `/proc/net/tcp` (proc_net_tcp.txt of the kernel's
/// documentation), has a socket that listens on `port` of 127.0.0.1 or of all addresses.
fn listens(table: &str, port: u16) -> bool {
    const LISTEN: &str = "0A";
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(_remote), Some(state)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let Some((address, hex)) = local.split_once(':') else { return false };
        let of_us = address.ends_with("0100007F") || address.bytes().all(|digit| digit == b'0');
        state == LISTEN && of_us && u16::from_str_radix(hex, 16) == Ok(port)
    })
}

#[cfg(test)]
mod tests {
    use super::listens;
    use std::net::TcpListener;

    #[test]
    fn a_port_is_taken_while_a_program_listens_on_it() {
        let table = || std::fs::read_to_string("/proc/net/tcp").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listens(&table(), port));
        drop(listener);
        assert!(!listens(&table(), port));
        let elsewhere = TcpListener::bind("127.0.0.53:0").unwrap();
        assert!(!listens(&table(), elsewhere.local_addr().unwrap().port()));
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        assert!(listens(&table(), everywhere.local_addr().unwrap().port()));
    }
}
