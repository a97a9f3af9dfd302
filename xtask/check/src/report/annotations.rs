//! Workflow commands that Gitea's and GitHub's run pages show beside the file.
//!
//! Format: "Workflow commands", GitHub Actions' reference.

use crate::finding::Finding;
use crate::run::Outcome;

pub fn text(outcome: &Outcome) -> String {
    outcome.findings.iter().map(one).collect()
}

fn one(finding: &Finding) -> String {
    let Finding { rule, severity, place, what, expected, fix } = finding;
    let mut properties = vec![format!("file={}", property(&place.path))];
    if place.line > 0 {
        properties.push(format!("line={}", place.line));
        properties.push(format!("col={}", place.column.max(1)));
    }
    properties.push(format!("title={}", property(rule)));
    let message = data(&format!("{what}\nexpected: {expected}\nfix: {fix}"));
    format!("::{} {}::{message}\n", severity.word(), properties.join(","))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Place, Severity};

    #[test]
    fn nothing_in_a_finding_ends_the_command() {
        let finding = Finding {
            rule: "files",
            severity: Severity::Error,
            place: Place::at("a,b:c", (3, 0)),
            what: "50 %\nx".into(),
            expected: "e".into(),
            fix: "f".into(),
        };
        assert_eq!(
            one(&finding),
            "::error file=a%2Cb%3Ac,line=3,col=1,title=files::50 %25%0Ax%0Aexpected: e%0Afix: f\n"
        );
    }
}
