//! Exceptions: `# check: allow RULE reason`, on the excused line or above it.

use crate::finding::{Finding, Location};
use crate::tree::{SourceFile, SourceTree};

const MARK: &str = "check: allow";
/// Comment marks of the file types here.
const COMMENTS: [&str; 3] = ["#", "//", "<!--"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) location: Location,
    pub(crate) rule: String,
    pub(crate) reason: String,
    /// The excused line: the comment's own line, or the next one that is no comment.
    pub(crate) line: usize,
}

impl Exception {
    /// Returns `true` if it names a rule and gives a reason; `is_rule` knows the names of all rules.
    pub(crate) fn is_valid(&self, is_rule: impl Fn(&str) -> bool) -> bool {
        is_rule(&self.rule) && !self.reason.is_empty()
    }

    pub(crate) fn excuses(&self, finding: &Finding) -> bool {
        let Location { path, line, .. } = &finding.location;
        // findings about the whole file are excused on its first lines
        let here = *line == self.line || (*line == 0 && self.location.line <= 5);
        finding.rule == self.rule && *path == self.location.path && here
    }
}

pub(crate) fn all(tree: &SourceTree) -> Vec<Exception> {
    tree.sources().flat_map(of).collect()
}

fn of(source: &SourceFile) -> Vec<Exception> {
    if !source.text.contains(MARK) {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Some((before, comment)) = comment_of(line) else { continue };
        let Some(said) = comment.trim_start().strip_prefix(MARK) else { continue };
        let said = said.trim().trim_end_matches("-->").trim();
        let (rule, reason) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
        let next = |from: usize| {
            let is_code = |line: &&str| {
                let line = line.trim();
                !line.is_empty() && !COMMENTS.iter().any(|mark| line.starts_with(mark))
            };
            lines[from..].iter().position(is_code).map_or(from, |ahead| from + ahead)
        };
        let target = if before.trim().is_empty() { next(n + 1) } else { n };
        found.push(Exception {
            location: Location::at(&source.path, (n + 1, before.chars().count() + 1)),
            rule: rule.to_owned(),
            reason: reason.trim().to_owned(),
            line: target + 1,
        });
    }
    found
}

/// Splits a line into the text before the marked comment and the comment's text.
fn comment_of(line: &str) -> Option<(&str, &str)> {
    let mark = line.find(MARK)?;
    let before = line[..mark].trim_end();
    let opening = COMMENTS.iter().find(|opening| before.ends_with(**opening))?;
    let start = before.len() - opening.len();
    let alone = line[..start].is_empty() || line[..start].ends_with(char::is_whitespace);
    alone.then(|| (&line[..start], &line[mark..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_rule(name: &str) -> bool {
        name == "terminal"
    }

    fn of_text(text: &str) -> Vec<Exception> {
        of(&SourceFile::new("f", text.to_owned()))
    }

    #[test]
    fn beside_the_line_or_above_it() {
        let found = of_text(
            "a  # check: allow terminal because of x\n# check: allow terminal y\n# more\nb\n",
        );
        let lines: Vec<_> = found.iter().map(|e| (e.line, e.reason.as_str())).collect();
        assert_eq!(lines, [(1, "because of x"), (4, "y")]);
        assert!(found[0].is_valid(is_rule));
    }

    #[test]
    fn a_reason_and_a_known_rule_are_needed() {
        assert!(!of_text("a # check: allow terminal\n")[0].is_valid(is_rule));
        assert!(!of_text("a # check: allow no-such-rule why\n")[0].is_valid(is_rule));
        assert!(of_text("text check: allow terminal x\n`# check: allow terminal x`\n").is_empty());
        assert!(of_text("<!-- check: allow terminal why -->\nx\n")[0].reason == "why");
    }
}
