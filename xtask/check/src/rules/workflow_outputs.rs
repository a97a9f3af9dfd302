//! Outputs that are read are declared and written.

use crate::finding::{Location, Severity};
use crate::model::script::Xtask;
use crate::model::workflow::{self, Workflow, WorkflowJob, WorkflowStep};
use crate::parse::shell::{ShellCommand, commands};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::rules::Described;

const WORKFLOW: &str = ".gitea/workflows/build-iso-linux.yaml";

/// Outputs of `cargo xtask image push --github-output`.
const XTASK_OUTPUTS: [&str; 2] = ["digest", "image"];

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "workflow-outputs",
        what: "every output that is read (`needs.JOB.outputs.X`, `steps.ID.outputs.X`) is declared by a needed job and written to $GITHUB_OUTPUT by an earlier step",
        why: "a misspelt output is an empty string: the build silently uses another image than the one just pushed, and no linter notices",
        source: "GitHub's contexts reference",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(
            WORKFLOW,
            "needs.builder-image.outputs.image",
            "needs.builder-image.outputs.digest",
            "outputs.digest",
        ),
        replace(
            WORKFLOW,
            "image: ${{ steps.push.outputs.image }}",
            "image: ${{ steps.push.outputs.imge }}",
            "outputs.imge",
        ),
        replace(
            WORKFLOW,
            "image: ${{ steps.push.outputs.image }}",
            "image: ${{ steps.pusch.outputs.image }}",
            "steps.pusch",
        ),
        replace(WORKFLOW, " --github-output", "", "steps.push.outputs.image"),
        replace(WORKFLOW, "echo \"short=", "echo \"shrt=", "steps.version.outputs.short"),
        replace(WORKFLOW, "needs: [check, builder-image]", "needs: [check]", "needs.builder-image"),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    for workflow in workflow::all(tree) {
        for job in workflow.jobs() {
            let mut ids: Vec<&str> = Vec::new();
            for (key, value) in job.node.entries() {
                if key.text() == Some("steps") {
                    continue;
                }
                let key = key.text().unwrap_or_default();
                references(&workflow, &job, key, value, None, tree, found);
            }
            for (n, step) in job.steps().iter().enumerate() {
                references(&workflow, &job, "", step.node, Some(n), tree, found);
                if let Some(id) = step.id() {
                    if ids.contains(&id) {
                        found.add(
                            Location::at(workflow.path(), step.at()),
                            format!("a second step with the id `{id}` in job `{}`", job.id),
                            "unique ids",
                            "give it another id",
                        );
                    }
                    ids.push(id);
                }
            }
        }
    }
}

/// Checks each reference below `node`; `step` is the number of the step it stands in.
fn references(
    workflow: &Workflow<'_>,
    job: &WorkflowJob<'_>,
    key: &str,
    node: &crate::parse::yaml::YamlNode,
    step: Option<usize>,
    tree: &SourceTree,
    found: &mut Findings,
) {
    let mut places = Vec::new();
    node.walk(&mut vec![key], &mut |keys, node| {
        places.extend(workflow::expressions_of(keys, node))
    });
    for (_, at, expression) in places {
        for reference in expression.references() {
            let words: Vec<&str> = reference.iter().map(String::as_str).collect();
            let told = match words.as_slice() {
                ["needs", "*", ..] => None,
                ["needs", from, rest @ ..] => needed(workflow, job, from, rest),
                ["steps", id, rest @ ..] => stepped(job, id, rest, step, tree),
                _ => None,
            };
            if let Some((what, expected)) = told {
                found.add(
                    Location::at(workflow.path(), at),
                    what,
                    expected,
                    "correct the name, or write the output",
                );
            }
        }
    }
}

fn needed(
    workflow: &Workflow<'_>,
    job: &WorkflowJob<'_>,
    from: &str,
    rest: &[&str],
) -> Option<(String, String)> {
    let needs: Vec<&str> = job.needs().iter().filter_map(|need| need.text()).collect();
    if !needs.contains(&from) {
        return Some((
            format!("`needs.{from}` is empty here: job `{}` does not need `{from}`", job.id),
            format!("`{from}` in the job's needs ({})", needs.join(", ")),
        ));
    }
    let (outputs, name) = match rest {
        [property, name, ..] => (*property, *name),
        ["result" | "outputs"] => return None,
        [other] => {
            return Some((
                format!("`needs.{from}.{other}` does not exist"),
                "`outputs.NAME` or `result`".into(),
            ));
        }
        [] => return None,
    };
    if outputs != "outputs" {
        return Some((
            format!("`needs.{from}.{outputs}` does not exist"),
            "`outputs.NAME` or `result`".into(),
        ));
    }
    let other = workflow.job(from)?;
    let declared = other.node.get("outputs").map(|node| node.entries()).unwrap_or_default();
    let names: Vec<&str> = declared.iter().filter_map(|(key, _)| key.text()).collect();
    (!names.contains(&name) && name != "*").then(|| {
        let expected =
            if names.is_empty() { "it declares none".to_owned() } else { names.join(", ") };
        (
            format!("job `{from}` declares no output `{name}`"),
            format!("one of its outputs: {expected}"),
        )
    })
}

fn stepped(
    job: &WorkflowJob<'_>,
    id: &str,
    rest: &[&str],
    before: Option<usize>,
    tree: &SourceTree,
) -> Option<(String, String)> {
    let steps = job.steps();
    let Some(index) = steps.iter().position(|step| step.id() == Some(id)) else {
        let ids: Vec<&str> = steps.iter().filter_map(WorkflowStep::id).collect();
        return Some((
            format!("no step of job `{}` has the id `{id}`", job.id),
            format!("one of its ids: {}", ids.join(", ")),
        ));
    };
    if before.is_some_and(|before| index >= before) {
        return Some((format!("step `{id}` runs only later"), "an earlier step".into()));
    }
    let name = match rest {
        ["outputs", name, ..] => *name,
        [] | ["outputs" | "outcome" | "conclusion"] => return None,
        [other, ..] => {
            return Some((
                format!("`steps.{id}.{other}` does not exist"),
                "outputs, outcome or conclusion".into(),
            ));
        }
    };
    let written = written(&steps[index], tree)?;
    (!written.iter().any(|w| w == name) && name != "*").then(|| {
        let seen = if written.is_empty() { "nothing".to_owned() } else { written.join(", ") };
        (
            format!("step `{id}` writes no output `{name}`"),
            format!("a name that it writes to $GITHUB_OUTPUT: {seen}"),
        )
    })
}

/// The outputs that a step writes. `None` if the text does not tell.
fn written(step: &WorkflowStep<'_>, tree: &SourceTree) -> Option<Vec<String>> {
    if step.uses().is_some() {
        return None;
    }
    let mut names = Vec::new();
    for command in step.commands() {
        let words = command.words.iter().map(|word| word.text.trim_start_matches("./"));
        for source in words.filter_map(|word| tree.source(word)).filter(|s| s.is_shell_script()) {
            names.extend(names_in(&commands(&source.text, 1)));
        }
        if let Some(xtask) = Xtask::of(&command)
            && xtask
                .args
                .iter()
                .any(|arg| arg == "--github-output" || arg.starts_with("--github-output="))
        {
            names.extend(XTASK_OUTPUTS.map(str::to_owned));
        }
    }
    let commands = step.commands();
    if is_opaque(&commands)
        || step.node.get("shell").is_some_and(|shell| shell.text() != Some("bash"))
    {
        return None;
    }
    names.extend(names_in(&commands));
    Some(names)
}

/// True if outputs are written that the text does not name: another program's output, a name from a
/// variable, or a path that is passed to a program.
fn is_opaque(commands: &[ShellCommand]) -> bool {
    let says = |text: &str| text.contains("GITHUB_OUTPUT") || text.contains("GITEA_OUTPUT");
    commands.iter().any(|command| {
        let tee = command.program() == "tee";
        let passed_on =
            !tee && command.words.iter().any(|word| says(&word.text) && !word.text.contains("$("));
        let other_text = command.heredocs.iter().any(|text| says(text));
        let prints = matches!(
            command.program(),
            "echo" | "printf" | "cat" | "tee" | "}" | "done" | "fi" | ""
        );
        let by_name = command.args().iter().any(|arg| {
            let end = arg.find('=').unwrap_or(0);
            arg[..end].contains('$') && !arg[..end].contains(char::is_whitespace)
        });
        let piped = tee && names_in(commands).is_empty();
        passed_on || other_text || (is_output_file(command) && (!prints || by_name || piped))
    })
}

fn is_output_file(command: &ShellCommand) -> bool {
    let redirected = command
        .redirects
        .iter()
        .any(|(operator, target)| operator.starts_with('>') && is_variable(&target.text));
    redirected || (command.program() == "tee" && command.args().iter().any(|arg| is_variable(arg)))
}

fn is_variable(word: &str) -> bool {
    matches!(word.trim_matches(['$', '{', '}']), "GITHUB_OUTPUT" | "GITEA_OUTPUT")
}

fn names_in(commands: &[ShellCommand]) -> Vec<String> {
    // after a group or a pipe into the file, commands without a redirection write there too
    let grouped = commands.iter().any(|c| {
        is_output_file(c)
            && matches!(
                c.words.first().map_or("", |w| w.text.as_str()),
                "}" | "" | "done" | "fi" | "tee"
            )
    });
    let to_output = |c: &&ShellCommand| is_output_file(c) || (grouped && c.redirects.is_empty());
    let mut names = Vec::new();
    for command in commands.iter().filter(to_output) {
        let texts = command.words.iter().map(|word| word.text.as_str());
        let strings = command.redirects.iter().filter(|(operator, _)| operator == "<<<");
        let texts = texts.chain(strings.map(|(_, word)| word.text.as_str()));
        for text in texts.chain(command.heredocs.iter().map(String::as_str)) {
            for line in text.split('\n').flat_map(|line| line.split("\\n")) {
                let end = line
                    .find(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c))
                    .unwrap_or(line.len());
                if end > 0 && (line[end..].starts_with('=') || line[end..].starts_with("<<")) {
                    names.push(line[..end].to_owned());
                }
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        names_in(&commands(text, 1))
    }

    #[test]
    fn what_the_text_does_not_say_is_not_judged() {
        for text in [
            "for k in a b; do echo \"$k=1\" >>$GITHUB_OUTPUT; done",
            "jq -r '\"image=\" + .x' f >>\"$GITHUB_OUTPUT\"",
            "tool --out \"$GITHUB_OUTPUT\"",
            "out=$GITHUB_OUTPUT\necho image=1 >>\"$out\"",
            "python3 - <<'E'\nopen(os.environ['GITHUB_OUTPUT'])\nE",
        ] {
            assert!(is_opaque(&commands(text, 1)), "{text}");
        }
        assert!(!is_opaque(&commands("x=$(date)\necho \"a=$x=$y\" >>$GITHUB_OUTPUT", 1)));
    }

    #[test]
    fn every_way_to_write_an_output() {
        for text in [
            "echo \"image=$x\" >>\"$GITHUB_OUTPUT\"",
            "printf 'image=%s\\n' x >> $GITHUB_OUTPUT",
            "echo image=x | tee -a \"$GITHUB_OUTPUT\"",
            "{ echo image=1\n} >> ${GITHUB_OUTPUT}",
            "cat >>\"$GITHUB_OUTPUT\" <<EOF\nimage=$x\nEOF",
            "echo 'image<<E' >> $GITHUB_OUTPUT",
            "tee -a \"$GITHUB_OUTPUT\" <<<image=x",
        ] {
            assert_eq!(names(text), ["image"], "{text}");
        }
        assert!(names("echo image=x >>$GITHUB_ENV; echo a >>$GITHUB_OUTPUT").is_empty());
    }
}
