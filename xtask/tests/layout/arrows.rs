//! The names that a file uses from other files of its crate.

use super::source::File;
use std::collections::{BTreeMap, BTreeSet};

/// A name that a file uses, as a path from the root of the crate.
#[derive(Debug, PartialEq)]
struct Use {
    path: Vec<String>,
    kind: UseKind,
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum UseKind {
    /// A path in the code, or a `use` line of the file's own.
    Own,
    /// A `pub use` that the file itself makes no use of.
    ReExport,
}

/// A file's `use` lines and paths.
struct Names {
    /// Names that `use` lines bring into a module → their paths.
    imported: BTreeMap<(Vec<String>, String), Vec<String>>,
    /// Modules of which a `use` line takes everything.
    globs: Vec<Vec<String>>,
    uses: Vec<Use>,
}

/// For each file the files that it uses, with the names that it uses from there.
pub(crate) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The arrows between the files of one crate.
pub(crate) fn arrows(files: &[File]) -> Arrows {
    let modules: BTreeMap<&[String], &File> =
        files.iter().map(|file| (file.module.as_slice(), file)).collect();
    let graph = Crate { modules };
    let names: BTreeMap<&str, Names> =
        files.iter().map(|file| (file.path.as_str(), graph.names(file))).collect();
    let mut arrows = Arrows::new();
    for file in files {
        let own = arrows.entry(file.path.clone()).or_default();
        for used in &names[file.path.as_str()].uses {
            if used.kind == UseKind::ReExport {
                continue;
            }
            let Some(target) = graph.defining_file(&used.path, &names, 0) else { continue };
            if target != file.path {
                let name = used.path.last().unwrap().clone();
                own.entry(target.to_owned()).or_default().insert(name);
            }
        }
    }
    arrows
}

struct Crate<'a> {
    modules: BTreeMap<&'a [String], &'a File>,
}

impl Crate<'_> {
    /// The file that defines what `path` names; `None` for a module, which is no use of what is in it.
    fn defining_file(
        &self,
        path: &[String],
        names: &BTreeMap<&str, Names>,
        depth: usize,
    ) -> Option<&str> {
        assert!(depth < 20, "{path:?} is re-exported in a circle");
        let known = (0..=path.len()).rev().find(|&n| self.modules.contains_key(&path[..n]))?;
        let file = self.modules[&path[..known]];
        let name = path.get(known)?;
        let own = &names[file.path.as_str()];
        if let Some(target) = own.imported.get(&(file.module.clone(), name.clone())) {
            let target: Vec<String> = target.iter().chain(&path[known + 1..]).cloned().collect();
            return self.defining_file(&target, names, depth + 1);
        }
        if !defines(file, name) {
            for glob in &own.globs {
                let inside = self.modules.get(glob.as_slice());
                if inside.is_some_and(|inside| defines(inside, name)) {
                    return inside.map(|file| file.path.as_str());
                }
            }
        }
        Some(&file.path)
    }

    fn names(&self, file: &File) -> Names {
        let mut found = Names { imported: BTreeMap::new(), globs: Vec::new(), uses: Vec::new() };
        let mut re_exported = Vec::new();
        for (module, line) in use_lines(&file.module, &file.tokens) {
            for (path, name) in &line.leaves {
                // a path that begins with another crate's name leads to no module of ours
                let Some(path) = self.absolute(&module, path) else { continue };
                if name == "*" {
                    found.globs.push(path.clone());
                    if !line.public {
                        found.uses.push(Use {
                            path: [path, vec!["*".into()]].concat(),
                            kind: UseKind::Own,
                        });
                    }
                } else {
                    found.imported.insert((module.clone(), name.clone()), path.clone());
                    re_exported.push((line.public, name.clone(), path));
                }
            }
        }
        let code = code(&file.tokens);
        for (public, name, path) in re_exported {
            let used = !public || code.contains(&name);
            let kind = if used { UseKind::Own } else { UseKind::ReExport };
            found.uses.push(Use { path, kind });
        }
        for (module, path) in paths(&file.module, &code) {
            // the inline module that the path stands in, then those around it, may have imported it
            let imported = (file.module.len()..=module.len())
                .rev()
                .find_map(|n| found.imported.get(&(module[..n].to_vec(), path[0].clone())));
            let path = match imported {
                Some(start) => [start, &path[1..]].concat(),
                None => match self.absolute(&module, &path) {
                    Some(path) => path,
                    None => continue,
                },
            };
            found.uses.push(Use { path, kind: UseKind::Own });
        }
        found
    }

    /// The path from the crate's root; `None` if it leads out of the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut at = module.to_vec();
        let mut rest = path;
        match rest[0].as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {}
            child => {
                at.push(child.to_owned());
                let inside = self.modules.contains_key(at.as_slice());
                return inside.then(|| [module, path].concat());
            }
        }
        while rest.first().is_some_and(|part| part == "super") {
            at.pop();
            rest = &rest[1..];
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }
}

fn defines(file: &File, name: &str) -> bool {
    const ITEMS: [&str; 9] =
        ["const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union"];
    file.tokens.windows(2).any(|pair| ITEMS.contains(&pair[0].as_str()) && pair[1] == name)
}

struct UseLine {
    public: bool,
    /// Path, and the name that the line gives to it.
    leaves: Vec<(Vec<String>, String)>,
}

/// Each `use` line, with the module that it stands in.
fn use_lines(module: &[String], tokens: &[String]) -> Vec<(Vec<String>, UseLine)> {
    let mut found = Vec::new();
    let inline = inline_modules(module, tokens);
    for at in (0..tokens.len()).filter(|&at| tokens[at] == "use") {
        // not the `use<'a>` of an `impl Trait`
        if tokens.get(at + 1).is_some_and(|next| next == "<") {
            continue;
        }
        let before = at.checked_sub(1).map(|at| tokens[at].as_str());
        let public = matches!(before, Some("pub" | ")"));
        let mut leaves = Vec::new();
        use_tree(tokens, at + 1, &[], &mut leaves);
        found.push((inline[at].clone(), UseLine { public, leaves }));
    }
    found
}

/// Reads the tree that begins at `at`, and returns the index after it.
fn use_tree(
    tokens: &[String],
    mut at: usize,
    before: &[String],
    leaves: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens[at].as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at = use_tree(tokens, at, &path, leaves);
                    if tokens[at] == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "*" => {
                leaves.push((path, "*".to_owned()));
                return at + 1;
            }
            "as" => {
                leaves.push((path, tokens[at + 1].clone()));
                return at + 2;
            }
            "," | "}" | ";" => {
                leaves.push((path.clone(), path.last().unwrap().clone()));
                return at;
            }
            // the last part of `a::{self}`
            "self" if !path.is_empty() => at += 1,
            part => {
                path.push(part.to_owned());
                at += 1;
            }
        }
    }
}

/// Without `use …;` and `mod …;`.
fn code(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let next = |n: usize| tokens.get(at + n).map(String::as_str);
        match tokens[at].as_str() {
            "use" if next(1) != Some("<") => {
                while tokens[at] != ";" {
                    at += 1;
                }
            }
            "mod" if next(2) == Some(";") => at += 2,
            token => kept.push(token.to_owned()),
        }
        at += 1;
    }
    kept
}

/// Each path of two parts or more, with the module that it stands in.
fn paths(module: &[String], tokens: &[String]) -> Vec<(Vec<String>, Vec<String>)> {
    let name = |at: usize| {
        let token: &String = tokens.get(at)?;
        token.starts_with(|c: char| c.is_alphabetic() || c == '_').then(|| token.clone())
    };
    let is_colons = |at: usize| tokens.get(at).is_some_and(|token| token == "::");
    let inline = inline_modules(module, tokens);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(first) = name(at).filter(|_| at == 0 || !is_colons(at - 1)) else {
            at += 1;
            continue;
        };
        let start = at;
        let mut path = vec![first];
        at += 1;
        while is_colons(at) {
            let Some(part) = name(at + 1) else { break };
            path.push(part);
            at += 2;
        }
        if path.len() > 1 && path[0] != "Self" {
            found.push((inline[start].clone(), path));
        }
    }
    found
}

/// The module that each token stands in: the file's own, or a `mod name { … }` in it.
fn inline_modules(module: &[String], tokens: &[String]) -> Vec<Vec<String>> {
    let mut depth = 0;
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2] == "mod" {
                    open.push((depth, tokens[at - 1].clone()));
                }
            }
            "}" => {
                open.pop_if(|(at, _)| *at == depth);
                depth -= 1;
            }
            _ => {}
        }
        let inside = open.iter().map(|(_, name)| name.clone());
        found.push(module.iter().cloned().chain(inside).collect());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tokens;

    fn file(path: &str, text: &str) -> File {
        let module = path.trim_end_matches("mod.rs").trim_end_matches(".rs");
        let module = module.split('/').filter(|part| !part.is_empty() && *part != "main");
        File {
            path: path.to_owned(),
            module: module.map(str::to_owned).collect(),
            tokens: tokens(text),
        }
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], from: &str, expected: &[(&str, &str)]) {
        let files: Vec<File> = files.iter().map(|(path, text)| file(path, text)).collect();
        let found: Vec<(String, String)> = arrows(&files)[from]
            .iter()
            .map(|(to, names)| (to.clone(), names.iter().cloned().collect::<Vec<_>>().join(" ")))
            .collect();
        let found: Vec<_> = found.iter().map(|(to, names)| (to.as_str(), names.as_str())).collect();
        assert_eq!(found, expected);
    }

    const LEAVES: [(&str, &str); 4] = [
        ("b/d.rs", "pub fn d() {}"),
        ("main.rs", "mod a; mod b; mod user;"),
        ("a.rs", "pub struct A; pub fn f() {}"),
        (
            "b/mod.rs",
            "mod c; pub mod d; pub use c::C; pub use d::d; pub use crate::a::A as Other; pub fn b() {}",
        ),
    ];

    #[track_caller]
    fn check_user(text: &str, expected: &[(&str, &str)]) {
        let mut files = LEAVES.to_vec();
        files.push(("b/c.rs", "pub struct C;"));
        files.push(("user.rs", text));
        check(&files, "user.rs", expected);
    }

    #[test]
    fn use_lines_and_paths_name_files() {
        check_user("use crate::a::{self, A}; fn x(_: A) { a::f() }", &[("a.rs", "A f")]);
        check_user("fn x() { crate::b::b(); super::a::f(); }", &[("a.rs", "f"), ("b/mod.rs", "b")]);
        check_user("macro_rules! m { () => { $crate::a::f() } }", &[("a.rs", "f")]);
        check_user("use crate::{a, b::*};", &[("b/mod.rs", "*")]);
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_name() {
        check_user("use crate::b::{C, Other};", &[("a.rs", "Other"), ("b/c.rs", "C")]);
    }

    #[test]
    fn comments_strings_other_crates_and_the_file_itself_are_no_arrows() {
        check_user("// crate::a::f\n/// `crate::a::f`\nconst X: &str = \"crate::a::f\";", &[]);
        check_user("use std::a::A; use crate::a; fn x() { std::b::b(); Self::a(); }", &[]);
        check_user("fn y() {} mod tests { use super::*; use super::y; fn x() { y() } }", &[]);
    }

    #[test]
    fn a_parent_uses_a_child_only_if_its_own_code_names_it() {
        let child = ("b/c.rs", "pub struct C;");
        check(&[LEAVES[0], LEAVES[1], LEAVES[2], LEAVES[3], child], "b/mod.rs", &[]);
        let named = ("b/mod.rs", "mod c; pub use c::C; fn f(_: C) {}");
        check(&[LEAVES[0], LEAVES[1], LEAVES[2], named, child], "b/mod.rs", &[("b/c.rs", "C")]);
        let path = ("b/mod.rs", "mod c; fn f(_: c::C) {}");
        check(&[LEAVES[0], LEAVES[1], LEAVES[2], path, child], "b/mod.rs", &[("b/c.rs", "C")]);
    }
}
