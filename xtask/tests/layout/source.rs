//! The Rust files of our crates, as tokens: comments and strings name nothing.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::fs;
use std::path::{Path, PathBuf};

/// Our packages, by folder.
pub(crate) const PACKAGES: [&str; 7] = [
    "xtask",
    "xtask/args",
    "xtask/check",
    "xtask/core",
    "xtask/diagnose",
    "xtask/diskimage",
    "xtask/start",
];

pub(crate) struct File {
    /// Relative to the repository.
    pub(crate) path: String,
    /// Path of the module below the crate; empty for `lib.rs` and `main.rs`.
    pub(crate) module: Vec<String>,
    /// Identifiers, `::`, delimiters and other signs; a literal is an empty word.
    pub(crate) tokens: Vec<String>,
}

impl File {
    fn read(package: &str, path: &Path) -> File {
        let inside = path.strip_prefix(root().join(package).join("src")).unwrap();
        let mut module: Vec<String> = inside
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if ["mod", "lib", "main"].contains(&module.last().unwrap().as_str()) {
            module.pop();
        }
        File {
            path: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
            module,
            tokens: tokens(&fs::read_to_string(path).unwrap()),
        }
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files of `package`'s `src`, in order.
pub(crate) fn files(package: &str) -> Vec<File> {
    let mut paths = Vec::new();
    find(&root().join(package).join("src"), &mut paths);
    assert!(!paths.is_empty(), "{package} has no Rust files");
    paths.sort();
    paths.iter().map(|path| File::read(package, path)).collect()
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    flatten(text.parse().unwrap(), &mut found);
    found
}

fn flatten(stream: TokenStream, found: &mut Vec<String>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Ident(name) => found.push(name.to_string()),
            TokenTree::Literal(_) => found.push(String::new()),
            TokenTree::Punct(sign) if sign.as_char() == ':' && sign.spacing() == Spacing::Joint => {
                trees.next();
                found.push("::".to_owned());
            }
            TokenTree::Punct(sign) => found.push(sign.to_string()),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                found.push(open.to_owned());
                flatten(group.stream(), found);
                found.push(close.to_owned());
            }
        }
    }
}
