//! The release jobs of the CI workflow: their commands run as written, with the artifact handed from
//! job to job.

use crate::factory::{Factory, TAG};
use crate::gitea::{Gitea, TOKEN};
use crate::support::run;
use std::process::Command;

const WORKFLOW: &str = include_str!("../../../.gitea/workflows/build-iso-linux.yaml");

/// The lines of a job.
fn job(name: &str) -> Vec<&'static str> {
    let start = format!("  {name}:");
    let lines = WORKFLOW.lines().skip_while(|line| *line != start).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with("    ")).collect()
}

/// Commands of the job's steps.
fn commands(job: &[&'static str]) -> Vec<&'static str> {
    job.iter().filter_map(|line| line.split_once("run: ")).map(|(_, command)| command).collect()
}

#[test]
fn the_release_job_publishes_the_artifact_of_the_verify_job() {
    let factory = Factory::new();
    let gitea = Gitea::new();
    let in_ci = |command: &str, workspace: &std::path::Path| {
        let mut shell = factory.shell(command, workspace, &gitea.url);
        shell.env("RECIPE", "base").env("IMAGE", &factory.image);
        shell.env("GITHUB_WORKSPACE", workspace).env("GITHUB_REF_NAME", TAG);
        run(shell.env("GITHUB_ACTIONS", "true").env("SILVERMETAL_RELEASE_TOKEN", TOKEN)).exits(0)
    };
    let verifying = job("build-and-verify");
    let verify = commands(&verifying).into_iter().find(|c| c.contains("verify \"$RECIPE\""));
    in_ci(verify.unwrap(), &factory.checkout.root);

    // as upload-artifact and download-artifact do with paths below the workspace
    let releasing = factory.checkout.clone_under("022", "another job");
    let kept = verifying.iter().skip_while(|line| !line.contains("name: keep the ISO"));
    let kept = kept.skip_while(|line| !line.contains("path: |")).skip(1);
    let kept: Vec<&str> =
        kept.map(|line| line.trim()).take_while(|line| !line.starts_with('-')).collect();
    assert_eq!(kept, ["build-a", "verify.json", "verify.txt"]);
    let mut copy = Command::new("cp");
    copy.arg("-r").args(kept).arg(&releasing.root).current_dir(&factory.checkout.root);
    run(&mut copy).exits(0);

    let [build, publish] = <[&str; 2]>::try_from(commands(&job("release"))).unwrap();
    let limit = |command: &'static str| command.split_once(" --max-size ").map(|(_, mib)| mib);
    assert_eq!(limit(build), limit(publish), "what one of them takes, the other must not refuse");
    in_ci(build, &releasing.root);
    let folder = releasing.output().join(format!("release-{TAG}"));
    for _ in 0..2 {
        in_ci(publish, &releasing.root);
        crate::publish::has_one_release(&gitea, &folder, TAG);
    }
}
