//! `cargo xtask image build --verify`: builds the builder image twice from nothing, and compares.

use crate::builder_image::builder_env::BuilderEnv;
use crate::builder_image::conditions::ImageConditions;
use crate::builder_image::twice::TwoImages;
use crate::commands::diagnose::diagnosis_of;
use crate::engine::BuildArgs;
use anyhow::Result;
use std::fmt::Write as _;
use xtask_core::escape::Shown as _;
use xtask_core::facts::repo::Repo;
use xtask_core::failure::Code;
use xtask_core::json;
use xtask_core::ui::{Ui, answer};

pub(super) fn command(repo: &Repo, build: &BuildArgs) -> Result<()> {
    let ui = Ui::new(build.verbose);
    let env = BuilderEnv::for_two_builds(repo, build)?;
    let other = env.other_conditions()?;
    if build.dry_run {
        return env.describe_two(&other).show("image build", &env.problems, build.shown());
    }
    let open = env.open(&ui)?;
    for line in conditions(&other).lines() {
        ui.notice(line);
    }
    let images = env.plan.make_twice(&other, &open.client, open.network, &ui)?;
    drop(open);
    let [a, b] = [&images.a.kept, &images.b.kept];
    let identical = a.digest == b.digest;
    let (mut text, mut diagnosis, mut kept) = (String::new(), None, None);
    if identical {
        let _ = writeln!(text, "identical: two builds from nothing have the digest {}", a.digest);
        let one = env.plan.keep_one(&images)?;
        if one.digest != a.digest {
            let _ = writeln!(
                text,
                "note: builds here run on {}, which was made before, of other packages: {}",
                one.digest,
                one.archive.shown()
            );
        }
        kept = Some(one);
    } else {
        let report = diagnosis_of(repo, &a.archive, &b.archive, None, &ui)?;
        let lines = report.lines().filter(|line| !line.starts_with("error: "));
        let report: String = lines.map(|line| format!("{line}\n")).collect();
        let _ = writeln!(text, "differs: A {}, B {}", a.digest, b.digest);
        text += &report;
        diagnosis = Some(report);
    }
    text += &conditions(&other);
    if !env.plan.mirror.pinned() {
        text += "note: packages came from a mirror that may have moved between the builds, and not from the pinned snapshot\n";
    }
    if build.json {
        let archive = |own: &std::path::Path| kept.is_none().then(|| own.to_owned());
        json::print(&serde_json::json!({
            "format": "silvermetal-image-verify/1",
            "verdict": if identical { "identical" } else { "differs" },
            "a": a.digest.to_string(), "b": b.digest.to_string(),
            "archives": [archive(&a.archive), archive(&b.archive)],
            "inputs": env.plan.inputs.digest.to_string(),
            "apt_pinned": env.plan.mirror.pinned(),
            "varied": other.names(), "not_varied": other.left_out(),
            "diagnosis": diagnosis, "seconds": seconds(&images),
        }));
    } else {
        answer(format_args!("{}", text.trim_end()));
    }
    if identical {
        return Ok(());
    }
    Err(Code::No.error(format!(
        "the two images differ: cargo xtask diagnose {} {}",
        a.archive.shown(),
        b.archive.shown()
    )))
}

fn conditions(other: &ImageConditions) -> String {
    let mut text = format!("build B varied: {}\n", other.names().join(", "));
    for line in other.left_out() {
        let _ = writeln!(text, "not varied here: {line}");
    }
    text
}

fn seconds(images: &TwoImages) -> [f64; 2] {
    [&images.a, &images.b].map(|image| image.took.as_secs_f64())
}
