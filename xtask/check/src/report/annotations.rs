//! Workflow commands, which Gitea and GitHub show on the run's page.

use crate::finding::Finding;
use crate::report::catalog;
use crate::run::CheckReport;
use xtask_core::ci::{data, property};

/// The findings as workflow commands (`::error file=…`), which Gitea shows on the run's page.
pub fn annotations(report: &CheckReport) -> String {
    report.findings.iter().map(one).collect()
}

fn one(finding: &Finding) -> String {
    let Finding { rule, severity, location, what, expected, fix } = finding;
    let mut properties = vec![format!("file={}", property(&location.path))];
    if location.line > 0 {
        properties.push(format!("line={}", location.line));
        properties.push(format!("col={}", location.column.max(1)));
    }
    properties.push(format!("title={}", property(rule)));
    let link = catalog::link(rule);
    let message = data(&format!("{what}\nexpected: {expected}\nfix: {fix}\nsee: {link}"));
    format!("::{} {}::{message}\n", severity.word(), properties.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Location, Severity};

    #[test]
    fn special_characters_are_escaped() {
        let finding = Finding {
            rule: "files",
            severity: Severity::Error,
            location: Location::at("a,b:c", (3, 0)),
            what: "50 %\nx".into(),
            expected: "e".into(),
            fix: "f".into(),
        };
        assert_eq!(
            one(&finding),
            "::error file=a%2Cb%3Ac,line=3,col=1,title=files::50 %25%0Ax%0Aexpected: e%0Afix: f\
             %0Asee: docs/rules.md#check-files\n"
        );
    }
}
