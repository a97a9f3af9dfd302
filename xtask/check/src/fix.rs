//! Fixes: commands and edits that people paste.

use std::fmt;
use xtask_core::exec::quoted;

/// The command or the edit that fixes a finding. Its text is our own: a word from outside gets into it only
/// through [`Fix::with`], which quotes it for a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fix(String);

impl From<&'static str> for Fix {
    fn from(text: &'static str) -> Fix {
        Fix(text.to_owned())
    }
}

impl Fix {
    /// Replaces each `{}` of `text` with the next word, quoted.
    pub(crate) fn with<W: AsRef<str>>(text: &'static str, words: &[W]) -> Fix {
        debug_assert_eq!(text.matches("{}").count(), words.len(), "{text}");
        let mut parts = text.split("{}");
        let mut fix = parts.next().unwrap_or_default().to_owned();
        for (word, part) in words.iter().zip(parts) {
            fix += &quoted(word.as_ref());
            fix += part;
        }
        Fix(fix)
    }

    /// Appends words of our own to `text`, as they are: they may be patterns for a shell.
    pub(crate) fn listing(text: &'static str, own: &[&'static str]) -> Fix {
        Fix(format!("{text} {}", own.join(" ")))
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_outside_are_quoted() {
        let fix = Fix::with("chmod +x -- {} && git add -- {}", &["a/b.sh", "$(touch x);'y\n.sh"]);
        assert_eq!(fix.to_string(), r"chmod +x -- a/b.sh && git add -- $'$(touch x);\'y\012.sh'");
        assert_eq!(Fix::listing("rm -rf", &["/x/*", "/y"]).to_string(), "rm -rf /x/* /y");
        assert_eq!(Fix::from("add it").to_string(), "add it");
    }
}
