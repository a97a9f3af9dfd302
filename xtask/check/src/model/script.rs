//! Shell scripts of the repository, and calls of xtask in them.

use crate::parse::shell::ShellCommand;
use crate::tree::{SourceFile, SourceTree};

/// A call of xtask, through cargo or through one of the documented scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Xtask {
    /// `iso`, `verify`, `image push`, …
    pub(crate) command: String,
    /// The arguments after the command.
    pub(crate) args: Vec<String>,
}

/// The documented scripts and the command that each of them runs.
const SCRIPTS: [(&str, &str); 3] = [
    ("build.sh", "iso"),
    ("verify-reproducibility.sh", "verify"),
    ("diagnose-divergence.sh", "diagnose"),
];

/// Commands that build something in a container.
const IN_A_CONTAINER: [&str; 8] =
    ["iso", "verify", "reproduce", "doctor", "test", "image build", "image push", "release build"];

impl Xtask {
    pub(crate) fn of(command: &ShellCommand) -> Option<Xtask> {
        let words = command.words_of_program();
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let mut rest: Vec<String> = match texts.as_slice() {
            [cargo, rest @ ..] if cargo.rsplit('/').next() == Some("cargo") => {
                let rest: Vec<&str> =
                    rest.iter().copied().filter(|w| !w.starts_with('+')).collect();
                let at = rest.iter().position(|word| ["xtask", "xtask-start"].contains(word))?;
                let after = &rest[at + 1..];
                let after = after.strip_prefix(&["--"]).unwrap_or(after);
                after.iter().map(|w| (*w).to_owned()).collect()
            }
            [shell, script, rest @ ..] if matches!(*shell, "bash" | "sh") => {
                Self::script(script, rest)?
            }
            [program, rest @ ..] => match Self::script(program, rest) {
                Some(rest) => rest,
                None if program.ends_with("/xtask") => {
                    rest.iter().map(|w| (*w).to_owned()).collect()
                }
                None => return None,
            },
            [] => return None,
        };
        if rest.is_empty() {
            return None;
        }
        let mut command = rest.remove(0);
        if matches!(command.as_str(), "image" | "release")
            && rest.first().is_some_and(|w| !w.starts_with('-'))
        {
            command = format!("{command} {}", rest.remove(0));
        }
        Some(Xtask { command, args: rest })
    }

    fn script(program: &str, rest: &[&str]) -> Option<Vec<String>> {
        let name = program.rsplit('/').next()?;
        let (_, command) = SCRIPTS.iter().find(|(script, _)| *script == name)?;
        let rest = rest.iter().map(|w| (*w).to_owned());
        Some(std::iter::once((*command).to_owned()).chain(rest).collect())
    }

    pub(crate) fn starts_containers(&self) -> bool {
        let engine_host = self.value("--engine") == Some("host");
        IN_A_CONTAINER.contains(&self.command.as_str()) && !engine_host && !self.builds_nothing()
    }

    /// True if the call builds the product, which needs the submodule and takes hours.
    pub(crate) fn builds_product(&self) -> bool {
        let builds =
            matches!(self.command.as_str(), "iso" | "verify" | "reproduce" | "release build");
        let recipe = self.args.first().filter(|arg| !arg.starts_with('-'));
        let product = recipe.is_none_or(|recipe| recipe == "base" || recipe.contains('$'));
        builds && product && !self.builds_nothing()
    }

    /// True if the call only works on existing results.
    fn builds_nothing(&self) -> bool {
        ["--dry-run", "--compare", "--from"].iter().any(|name| {
            self.args.iter().any(|arg| arg == name || arg.starts_with(&format!("{name}=")))
        })
    }

    /// The value of `--name value` or `--name=value`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            if arg == name {
                return args.next().map(String::as_str);
            }
            if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                return Some(value);
            }
        }
        None
    }
}

/// The repository's shell scripts.
pub(crate) fn scripts(tree: &SourceTree) -> impl Iterator<Item = &SourceFile> {
    tree.sources().filter(|source| source.is_shell_script() && !source.path.ends_with(".md"))
}

/// The repository's shell scripts, and files that scripts source.
pub(crate) fn shell(tree: &SourceTree) -> impl Iterator<Item = &SourceFile> {
    tree.sources().filter(|source| source.is_shell_script() || source.is_sourced())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::shell::commands;

    fn xtask(text: &str) -> Option<Xtask> {
        Xtask::of(&commands(text, 1)[0])
    }

    #[test]
    fn every_way_to_call_it() {
        for text in [
            "cargo xtask verify canary --jobs 2",
            "sudo -E cargo +stable xtask verify canary --jobs 2",
            "./linux/build/scripts/verify-reproducibility.sh canary --jobs 2",
            "bash linux/build/scripts/verify-reproducibility.sh canary --jobs=2",
            "cargo run --package xtask -- verify canary --jobs 2",
            "cargo run --quiet --package xtask-start -- verify canary --jobs 2",
        ] {
            let found = xtask(text).unwrap();
            assert_eq!(
                (found.command.as_str(), found.value("--jobs")),
                ("verify", Some("2")),
                "{text}"
            );
            assert!(found.starts_containers() && !found.builds_product(), "{text}");
        }
        assert_eq!(xtask("cargo xtask image push --to x").unwrap().command, "image push");
        assert!(xtask("cargo xtask iso").unwrap().builds_product());
        assert!(xtask("cargo test").is_none() && xtask("echo xtask").is_none());
    }
}
