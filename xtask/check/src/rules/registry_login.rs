//! The registry's password is a secret of its own.

use crate::finding::{Location, Severity};
use crate::model::workflow::{WorkflowJob, WorkflowStep};
use crate::model::{container, workflow};
use crate::parse::expression::{self, Reference};
use crate::parse::shell::ShellCommand;
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "registry-login",
        what: "a login to a registry uses a secret made for it, not the job's own token and not a password in the file",
        why: "the job's token cannot push packages: Gitea refuses the push after the image was built",
        source: "go-gitea/gitea#23642",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "${{ secrets.REGISTRY_TOKEN }}",
            "${{ secrets.GITHUB_TOKEN }}",
            "secrets.GITHUB_TOKEN",
        ),
        replace(WORKFLOW, "${{ secrets.REGISTRY_TOKEN }}", "${{ github.token }}", "github.token"),
        replace(WORKFLOW, "${{ secrets.REGISTRY_TOKEN }}", "hunter2", "hunter2"),
        replace(
            WORKFLOW,
            "        run: cargo xtask doctor\n",
            "        run: |\n          docker login -u builder -p hunter2 registry.example.org\n          cargo xtask doctor\n",
            "docker login",
        ),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            for step in job.steps().into_iter().filter(logs_in) {
                let mut told = false;
                let mut nodes = vec![step.node];
                // variables of the job that the step uses
                nodes.extend(names_used(&step, &job));
                for node in nodes {
                    node.walk(&mut Vec::new(), &mut |_, node| {
                        let Some(text) = node.unfolded() else { return };
                        for (line, inner) in expression::embedded(text) {
                            let expr = expression::parse(&inner);
                            let own = expr.references().into_iter().find(|r| is_job_token(r));
                            if let Some(reference) = own.filter(|_| !told) {
                                told = true;
                                let at = if line == 0 { node.at() } else { (node.line + line, 1) };
                                found.add(
                                    Location::at(workflow.path(), at),
                                    format!("`{}`, the job's own token, is used for a registry", reference.join(".")),
                                    "a secret that holds a personal access token, e.g. `secrets.REGISTRY_TOKEN`",
                                    "make one in Gitea (Settings, Applications) and add it to the repository's secrets",
                                );
                            }
                        }
                    });
                }
                for command in step.commands().iter().filter(|c| is_login(c)) {
                    if let Some(password) = password_of(command).filter(|text| !text.contains('$'))
                    {
                        let place = Location::line(workflow.path(), command.line);
                        let hidden = format!(
                            "a password of {} characters in the file",
                            password.chars().count()
                        );
                        found.add(
                            place,
                            hidden,
                            "`--password-stdin`, from `${{ secrets.REGISTRY_TOKEN }}`",
                            "revoke it, and store the new one as a secret",
                        );
                    }
                }
                let password =
                    step.with("password").or_else(|| step.node.path(&["env", "REGISTRY_TOKEN"]));
                let password = password.or_else(|| step.node.path(&["env", "REGISTRY_PASSWORD"]));
                if let Some(node) = password
                    .filter(|node| node.text().is_some_and(|t| !t.is_empty() && !t.contains("${{")))
                {
                    let place = Location::at(workflow.path(), node.at());
                    found.add(
                        place,
                        "a password in the file",
                        "`${{ secrets.REGISTRY_TOKEN }}`",
                        "revoke it, and store the new one as a secret",
                    );
                }
            }
        }
    }
}

fn is_login(command: &ShellCommand) -> bool {
    let by_engine = container::verb(command).is_some_and(|(_, verb, _)| verb == "login");
    by_engine
        || matches!(command.program(), "skopeo" | "crane" | "oras" | "regctl")
            && command.args().contains(&"login")
}

/// The value of `-p`, `--password` or `--password=`.
fn password_of(command: &ShellCommand) -> Option<&str> {
    let mut args = command.args().into_iter();
    while let Some(arg) = args.next() {
        if matches!(arg, "-p" | "--password") {
            return args.next();
        }
        if let Some(password) = arg.strip_prefix("--password=") {
            return Some(password);
        }
    }
    None
}

fn logs_in(step: &WorkflowStep<'_>) -> bool {
    let by_command = step.commands().iter().any(|command| {
        is_login(command) || container::verb(command).is_some_and(|(_, verb, _)| verb == "push")
    });
    by_command
        || step.is_action("docker/login-action")
        || step.xtask().iter().any(|(_, x)| x.command == "image push")
}

/// Values of the job's variables that the step's script uses.
fn names_used<'w>(
    step: &WorkflowStep<'w>,
    job: &WorkflowJob<'w>,
) -> Vec<&'w crate::parse::yaml::YamlNode> {
    let script = step.node.get("run").and_then(|run| run.text()).unwrap_or_default();
    let variables = job.node.get("env").map(|env| env.entries()).unwrap_or_default();
    let used =
        variables.iter().filter(|(key, _)| key.text().is_some_and(|name| script.contains(name)));
    used.map(|(_, value)| value).collect()
}

fn is_job_token(reference: &Reference) -> bool {
    let words: Vec<String> = reference.iter().map(|word| word.to_ascii_lowercase()).collect();
    matches!(
        words.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
        ["github" | "gitea", "token"] | ["secrets", "github_token" | "gitea_token"]
    )
}
