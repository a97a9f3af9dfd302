//! The CI service that runs us, if one does: Gitea Actions and GitHub Actions.
//!
//! Format of its commands: "Workflow commands" in GitHub Actions' reference.

use crate::escape::printable;

/// Returns true in a job of a CI service, by the variable that all of them set.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| says_yes(&value))
}

fn says_yes(value: &str) -> bool {
    !["", "0", "false", "no"].contains(&value.to_ascii_lowercase().as_str())
}

/// A command that shows an error on the run's page.
pub fn error(message: &str) -> String {
    format!("::error::{}", data(message))
}

/// Escapes the message of a command.
pub fn data(text: &str) -> String {
    printable(text).replace('%', "%25").replace('\n', "%0A")
}

/// Escapes the value of a command's property.
pub fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_counts_but_those_that_mean_no() {
        assert_eq!(["true", "1", "yes", "woodpecker"].map(says_yes), [true; 4]);
        assert_eq!(["", "0", "false", "False", "no"].map(says_yes), [false; 5]);
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(error("50 %\nx"), "::error::50 %25%0Ax");
    }
}
