//! The line around a date, as far as it says what the date is of: of a making, of an end, or of a comparison.

use super::changes::Edit;

/// Words before a date that are looked at for an end: `valid until`, `expires on the`.
const WORDS: usize = 3;

/// Signs of a shell's lines that compare values, or run one command for the sake of another.
const COMPARISONS: [&str; 9] =
    ["$(", " && ", " || ", " -eq ", " -ne ", " -gt ", " -ge ", " -lt ", " -le "];

/// Words that say that something was made then.
const MADE: [&str; 18] = [
    "compiled",
    "date",
    "dated",
    "id",
    "installed",
    "made",
    "modified",
    "packaged",
    "packed",
    "release",
    "released",
    "stamp",
    "time",
    "timestamp",
    "update",
    "updated",
    "version",
    "written",
];

impl Edit {
    /// Returns true if the line is one of a shell that compares values, or runs one command for the sake of
    /// another: something is done by what stands there, whatever the file is.
    pub(crate) fn is_compared(&self) -> bool {
        COMPARISONS.iter().any(|sign| self.before.contains(sign) || self.after.contains(sign))
    }

    /// Returns true if a value is given to a name: `timeout=5`, `Port: 22`.
    pub(crate) fn is_named(&self) -> bool {
        self.before.trim_end_matches(['"', '\'', ' ', '\t']).ends_with(['=', ':'])
    }

    /// Returns true if the name that a date is given to, or the line before it, says that something was made then.
    pub(crate) fn is_of_making(&self) -> bool {
        let name = self.key().unwrap_or_default().to_lowercase();
        let limits = ["expir", "valid", "until", "after", "before", "start", "end", "since"];
        if self.is_named() {
            return words(&name).any(is_made) && !limits.iter().any(|word| name.contains(word));
        }
        // `pam_time.so` is one word of a line
        let before = self.before.to_lowercase();
        before.split(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).any(is_made)
    }

    /// Returns true if the name that a date is given to, or the words around it, call it the end or the begin of
    /// something that is valid.
    pub(crate) fn is_end(&self) -> bool {
        let name = self.key().unwrap_or_default().to_lowercase();
        let before = self.before.to_lowercase();
        let after = self.after.to_lowercase();
        let said = words(&before).rev().take(WORDS).any(|word| ends(word) || bounds(word));
        let told = words(&after).next().is_some_and(|word| word == "revoked" || ends(word));
        said || told || (self.is_named() && words(&name).any(ends))
    }

    /// Returns true if nothing else stands in the line: `2026-11-22`, `on 2026-11-22`.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.before.trim(), "" | "on" | "at" | "\"" | "'")
            && matches!(self.after.trim(), "" | "\"" | "'" | ".")
    }

    /// All that counts of the line around a date; lines that agree in it need not be told apart.
    pub(super) fn around_date(&self) -> String {
        let sign: String = self.before.trim_start().chars().take(3).collect();
        let says = [self.is_compared(), self.is_of_making(), self.is_end(), self.is_alone()];
        format!("{sign}{says:?}{}", self.before.contains("*/"))
    }
}

/// The words of a name or a line in lower case.
fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn is_made(word: &str) -> bool {
    MADE.contains(&word)
        || ["build", "built", "created", "creation", "generat"]
            .iter()
            .any(|start| word.starts_with(start))
        || ["date", "stamp"].iter().any(|end| word.ends_with(end))
}

fn ends(word: &str) -> bool {
    word.starts_with("expir")
        || matches!(word, "valid" | "until" | "after" | "notafter" | "deadline")
}

/// Words of a sentence before a day on which something begins, or that is asked for.
fn bounds(word: &str) -> bool {
    matches!(word, "before" | "notbefore" | "require" | "requires" | "since" | "starts")
}

#[cfg(test)]
mod tests {
    use crate::edits::{Edit, lines};

    fn edit(line: &str) -> Edit {
        let sides = ["2026-05-28", "2026-06-02"].map(|date| line.replace('X', date));
        lines::compare(&sides[0], &sides[1]).edits.remove(0)
    }

    #[test]
    fn a_line_says_what_its_date_is_of() {
        for line in
            ["built X", "BUILD_ID=X", "builddate = \"X\"", "made by me on X", "<date>X</date>"]
        {
            assert!(edit(line).is_of_making(), "{line}");
        }
        for line in ["create 644 root X", "provider = X", "ExecStart=/bin/run X", "valid_date = X"]
        {
            assert!(!edit(line).is_of_making(), "{line}");
        }
        assert!(edit("valid until X").is_end() && edit("expires: X").is_end());
        assert!(edit("on X").is_alone() && edit("X").is_alone() && !edit("on X run").is_alone());
        assert!(edit("[ $n -gt X ]").is_compared());
    }
}
