//! Protects the user's data: decides if a result may take the place of a folder.

use crate::exec::quoted;
use crate::failure::Problem;
use std::fs;
use std::path::{Path, PathBuf};

/// Records that show that a folder is the result of a build.
pub const BUILD_RECORDS: [&str; 2] = ["BUILD_INFO", "build.json"];

/// Folders that no result may replace.
#[derive(Clone, Debug)]
pub struct Protected {
    checkout: PathBuf,
    /// The current folder and homes.
    others: Vec<PathBuf>,
}

impl Protected {
    /// The checkout, the current folder, and the homes of this machine.
    pub fn here(checkout: &Path) -> Protected {
        let homes = fs::read_dir("/home").into_iter().flatten().flatten().map(|home| home.path());
        let others = [std::env::current_dir().ok(), std::env::var_os("HOME").map(Into::into)];
        let root_home = Some(PathBuf::from("/root"));
        let others = others.into_iter().chain([root_home]).flatten().chain(homes);
        Protected { checkout: checkout.to_owned(), others: others.map(|dir| real(&dir)).collect() }
    }

    /// The reason why a result may not replace `dir`. A missing or an empty folder may be replaced,
    /// and one that holds all of `records`, which earlier results have.
    pub fn problem(&self, dir: &Path, records: &[&str]) -> Option<Problem> {
        let meta = fs::symlink_metadata(dir).ok()?;
        let shown = dir.display();
        let refused = |what: String| {
            Some(Problem::new(what, "name a folder that does not exist yet: --output DIR"))
        };
        if !meta.is_dir() {
            return refused(format!("{shown} is in the way: expected a folder, or nothing"));
        }
        let place = real(dir);
        if let Some(held) =
            self.others.iter().chain([&self.checkout]).find(|p| p.starts_with(&place))
        {
            return refused(format!("{shown} would be replaced, and it holds {}", held.display()));
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries.count(),
            Err(error) => return refused(format!("{shown} cannot be read: {error}")),
        };
        if entries == 0 {
            return None;
        }
        let for_results = ["linux/build/output", "target"].map(|name| self.checkout.join(name));
        if place.starts_with(&self.checkout)
            && !for_results.iter().any(|dir| place.starts_with(dir) && place != *dir)
        {
            return refused(format!("{shown} would be replaced, and it is part of the checkout"));
        }
        if records.iter().all(|name| dir.join(name).is_file()) {
            return None;
        }
        refused(format!(
            "{shown} holds other files than a result: expected {} (look at it: ls -A {})",
            records.join(" and "),
            quoted(&shown.to_string())
        ))
    }
}

/// The path without symbolic links, if it exists.
fn real(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_folders_and_own_results_are_replaced() {
        let top = std::env::temp_dir().join(format!("xtask-replace-{}", std::process::id()));
        let make = |name: &str, files: &[&str]| {
            fs::create_dir_all(top.join(name)).unwrap();
            for file in files {
                fs::write(top.join(name).join(file), "x").unwrap();
            }
        };
        make("empty", &[]);
        make("foreign", &["thesis.odt"]);
        make("half", &["BUILD_INFO"]);
        make("own", &BUILD_RECORDS);
        make("work/checkout/docs", &["page.md"]);
        make("work/checkout/own", &BUILD_RECORDS);
        make("work/checkout/linux/build/output/own", &BUILD_RECORDS);
        make("work/checkout/linux/build/output/foreign", &["x"]);
        make("work/checkout/target/own", &BUILD_RECORDS);
        make("people/somebody/own", &BUILD_RECORDS);
        make("read-only", &["x"]);
        let mut mode = fs::metadata(top.join("read-only")).unwrap().permissions();
        mode.set_readonly(true);
        fs::set_permissions(top.join("read-only"), mode).unwrap();
        fs::write(top.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(top.join("own"), top.join("link")).unwrap();
        let top = top.canonicalize().unwrap();
        let protected = Protected {
            checkout: top.join("work/checkout"),
            others: vec![top.join("people/somebody")],
        };
        for (place, refused) in [
            ("nowhere", None),
            ("empty", None),
            ("own", None),
            ("work/checkout/linux/build/output/own", None),
            ("work/checkout/target/own", None),
            ("people/somebody/own", None),
            ("foreign", Some("holds other files than a result")),
            ("half", Some("holds other files than a result")),
            ("read-only", Some("holds other files than a result")),
            ("work/checkout/linux/build/output/foreign", Some("holds other files than a result")),
            ("work/checkout/linux/build/output", Some("is part of the checkout")),
            ("work/checkout/docs", Some("is part of the checkout")),
            ("work/checkout/own", Some("is part of the checkout")),
            ("work/checkout", Some("and it holds")),
            ("work/checkout/docs/../../..", Some("and it holds")),
            ("people/somebody", Some("and it holds")),
            ("people", Some("and it holds")),
            ("file", Some("expected a folder")),
            ("link", Some("expected a folder")),
        ] {
            let problem = protected.problem(&top.join(place), &BUILD_RECORDS);
            match (&problem, refused) {
                (None, None) => {}
                (Some(problem), Some(words)) if problem.what.contains(words) => {}
                _ => panic!("{place}: expected {refused:?}, found {problem:?}"),
            }
        }
        let root = Path::new("/");
        assert!(protected.problem(root, &BUILD_RECORDS).is_some(), "the root of the file system");
        fs::remove_dir_all(top).unwrap();
    }
}
