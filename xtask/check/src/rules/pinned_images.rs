//! Everything that an image is built from is pinned by digest.

use crate::finding::{Location, Severity};
use crate::model::image::{self, ContainerImage};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::pins::ImageRef;
use xtask_core::rules::Described;

const FILE: &str = "linux/build/docker/Dockerfile.builder";
const RECORD: &str = "linux/build/docker/builder-image.toml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "pinned-images",
        what: "every FROM, `# syntax=`, COPY --from and RUN --mount=from names a digest, directly or through an argument's default; builder-image.toml records the same base",
        why: "tomorrow a tag names another image: two builds of one commit start from different files",
        source: "docs/trust-model.md",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            FILE,
            "@sha256:cedb1ef40439206b673ee8b33a46a03a0c9fa90bf3732f54704f99cb061d2c5a",
            "",
            "FROM ${BASE_IMAGE}",
        ),
        replace(
            FILE,
            "FROM ${BASE_IMAGE}",
            "FROM --platform=linux/amd64 debian:trixie AS tools\nFROM ${BASE_IMAGE}",
            "debian:trixie",
        ),
        replace(FILE, "FROM ${BASE_IMAGE}", "FROM ${BASE_IMAG}", "FROM"),
        replace(
            FILE,
            "# The builder image",
            "# syntax=docker/dockerfile:1\n# The builder image",
            "syntax=",
        ),
        replace(
            FILE,
            "STOPSIGNAL",
            "COPY --from=busybox:1 /bin/busybox /bin/\nSTOPSIGNAL",
            "--from=busybox",
        ),
        replace(
            RECORD,
            "reference = \"debian:trixie-slim@sha256:cedb",
            "reference = \"debian:trixie-slim@sha256:0000",
            "reference",
        ),
    ],
};

const FIX: &str = "skopeo inspect --format '{{.Digest}}' docker://IMAGE, and write IMAGE@sha256:…";

fn check(tree: &SourceTree, found: &mut Findings) {
    for image in image::all(tree) {
        if let Some((line, syntax)) = &image.file.syntax
            && !pinned(syntax)
        {
            found.add(
                Location::line(image.path(), *line),
                format!("the syntax image `{syntax}` has no digest"),
                "IMAGE@sha256:…",
                "remove the line: nothing here needs BuildKit",
            );
        }
        let stages = image.file.stages();
        let mut names: Vec<String> = Vec::new();
        for stage in &stages {
            let reference = stage.image.to_ascii_lowercase();
            if stage.image != "scratch" && !names.contains(&reference) && !pinned(&stage.image) {
                let what = if stage.image.contains('$') {
                    format!("`{}` has no default that names a digest", stage.image)
                } else {
                    format!("`{}` has no digest", stage.image)
                };
                found.add(
                    Location::line(image.path(), stage.from.line),
                    what,
                    "NAME:TAG@sha256:<64 hex digits>",
                    FIX,
                );
            }
            for instruction in &stage.instructions {
                let froms =
                    instruction.flags.iter().filter_map(|(key, value)| match key.as_str() {
                        "from" => Some(value.as_str()),
                        "mount" => value.split(',').find_map(|field| field.strip_prefix("from=")),
                        _ => None,
                    });
                for from in froms {
                    let is_stage =
                        names.contains(&from.to_ascii_lowercase()) || from.parse::<usize>().is_ok();
                    if !is_stage && !pinned(from) {
                        let what = format!("`--from={from}` names no earlier stage and no digest");
                        found.add(
                            Location::line(image.path(), instruction.line),
                            what,
                            "a stage, or NAME@sha256:…",
                            FIX,
                        );
                    }
                }
                let remote = instruction.words().into_iter().find(|word| word.contains("://"));
                if let Some(url) = remote.filter(|_| {
                    instruction.keyword == "ADD" && instruction.flag("checksum").is_none()
                }) {
                    found.add(
                        Location::line(image.path(), instruction.line),
                        format!("ADD {url} without a checksum"),
                        "--checksum=sha256:…",
                        "add it",
                    );
                }
            }
            names.extend(stage.name.clone());
        }
        same_base(tree, &image, found);
    }
}

fn pinned(reference: &str) -> bool {
    reference.parse::<ImageRef>().is_ok_and(|image| image.digest.is_some())
}

/// The Dockerfile and builder-image.toml must name the same base.
fn same_base(tree: &SourceTree, image: &ContainerImage<'_>, found: &mut Findings) {
    let Some(source) = tree.source(RECORD).filter(|_| image.path() == FILE) else { return };
    let Ok(record) = toml_edit::Document::parse(source.text.as_str()) else { return };
    let recorded =
        record.get("base").and_then(|base| base.get("reference")).and_then(|item| item.as_str());
    let Some(argument) = image.file.argument("BASE_IMAGE") else { return };
    let default =
        argument.words().first().and_then(|word| Some(word.split_once('=')?.1.to_owned()));
    // a FROM without a digest is reported above
    let (Some(recorded), Some(default)) = (recorded, default.filter(|d| pinned(d))) else { return };
    if recorded != default {
        let line = source.lines().find(|(_, line)| line.trim_start().starts_with("reference"));
        found.add(
            Location::line(RECORD, line.map_or(1, |(n, _)| n)),
            format!("records the base `{recorded}`, and {FILE}:{} has `{default}`", argument.line),
            "the same reference in both",
            "write the one that was reviewed into both files",
        );
    }
}
