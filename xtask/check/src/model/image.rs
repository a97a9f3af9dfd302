//! Dockerfiles, their build contexts, and the scripts that their RUNs start.

use crate::parse::dockerfile::{BuildStage, Dockerfile, Instruction};
use crate::parse::pattern::{self, Star};
use crate::tree::{SourceFile, SourceTree};

pub(crate) struct ContainerImage<'a> {
    pub(crate) source: &'a SourceFile,
    pub(crate) file: &'a Dockerfile,
    /// Shell scripts that are copied into the image.
    pub(crate) scripts: Vec<&'a SourceFile>,
}

/// Shell text that an instruction runs, and its location.
pub(crate) struct RunText<'a> {
    pub(crate) path: &'a str,
    pub(crate) line: usize,
    pub(crate) text: String,
}

pub(crate) fn all(tree: &SourceTree) -> Vec<ContainerImage<'_>> {
    let dockerfiles = tree.sources().filter(|source| is_dockerfile(&source.path));
    dockerfiles.map(|source| ContainerImage::of(source, tree)).collect()
}

fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let stem = |word: &str| {
        name == word || name.starts_with(&format!("{word}.")) || name.ends_with(&format!(".{word}"))
    };
    (stem("dockerfile") || stem("containerfile"))
        && !name.ends_with(".dockerignore")
        && !name.ends_with(".md")
}

impl<'a> ContainerImage<'a> {
    fn of(source: &'a SourceFile, tree: &'a SourceTree) -> ContainerImage<'a> {
        let mut image = ContainerImage { source, file: source.dockerfile(), scripts: Vec::new() };
        let copied: Vec<String> = image.copied().iter().map(|(_, path)| plain(path)).collect();
        let taken = |path: &str| {
            path.strip_prefix(image.context())
                .is_some_and(|file| copied.iter().any(|c| takes(c, file)))
        };
        image.scripts = tree
            .sources()
            .filter(|source| source.is_shell_script() && taken(&source.path))
            .collect();
        image
    }

    pub(crate) fn path(&self) -> &'a str {
        &self.source.path
    }

    /// The build context: the Dockerfile's own folder, with a slash at the end.
    pub(crate) fn context(&self) -> &'a str {
        self.source.path.rfind('/').map_or("", |slash| &self.source.path[..=slash])
    }

    /// Sources of COPY and ADD in the context, with their instruction.
    pub(crate) fn copied(&self) -> Vec<(&Instruction, String)> {
        let copies =
            self.file.instructions.iter().filter(|i| matches!(i.keyword.as_str(), "COPY" | "ADD"));
        let mut found = Vec::new();
        for copy in copies.filter(|copy| copy.flag("from").is_none()) {
            let mut words = copy.words();
            words.pop();
            let local = |word: &String| {
                !word.starts_with("<<") && !word.contains("://") && !word.starts_with("git@")
            };
            found.extend(words.into_iter().filter(local).map(|word| (copy, word)));
        }
        found
    }

    /// The instruction that starts the container, if it starts systemd: itself, or by a script of the image.
    pub(crate) fn systemd_entry<'i>(&self, stage: &BuildStage<'i>) -> Option<&'i Instruction> {
        let entry = stage.last("ENTRYPOINT").or_else(|| stage.last("CMD"))?;
        let words = entry.words();
        let systemd = |word: &String| {
            word.ends_with("systemd")
                || word.ends_with("/init")
                || self.named_script(word).is_some()
        };
        words.iter().any(systemd).then_some(entry)
    }

    /// File name of the image's script that `path` names, if that script starts systemd.
    pub(crate) fn named_script<'p>(&self, path: &'p str) -> Option<&'p str> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let starts_it = |script: &&SourceFile| {
            script.path.ends_with(&format!("/{name}")) && script.text.contains("/systemd")
        };
        self.scripts.iter().any(starts_it).then_some(name)
    }

    /// All shell text of a RUN: its own, its here-documents, and the copied scripts that it names.
    pub(crate) fn ran(&self, run: &Instruction) -> Vec<RunText<'a>> {
        let mut found: Vec<RunText<'a>> = run
            .scripts()
            .into_iter()
            .map(|(line, text)| RunText { path: self.path(), line, text })
            .collect();
        let own: String = found.iter().map(|ran| ran.text.clone() + "\n").collect();
        for source in &self.scripts {
            let name = source.path.rsplit('/').next().unwrap_or(&source.path);
            if own.contains(name) {
                found.push(RunText { path: &source.path, line: 1, text: source.text.clone() });
            }
        }
        found
    }
}

/// Normalizes a path: `./a//b/` becomes `a/b`.
pub(crate) fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

/// `a/b/c` → `a`, `a/b`, `a/b/c`.
pub(crate) fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain(std::iter::once(path))
}

/// True if a normalized source of COPY includes the file: by name, by pattern, or by a folder above.
pub(crate) fn takes(source: &str, file: &str) -> bool {
    source.is_empty()
        || prefixes(file).any(|part| pattern::matches(source, part, Star::WithinFolder))
}
