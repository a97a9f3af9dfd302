//! The file of `--html`: refused before the work if it cannot be written, and replaced whole or not at all.

use crate::report::PAGE_MARK;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_core::escape::Shown as _;
use xtask_core::failure::{Code, OrExit as _, refuse};
use xtask_core::replace::file_problem;

/// A new file beside the page. It is removed when this is dropped, unless it became the page.
#[derive(Debug)]
pub(crate) struct PageFile {
    page: PathBuf,
    beside: PathBuf,
}

impl PageFile {
    pub(crate) fn create(page: &Path) -> Result<PageFile> {
        refuse(file_problem(page, PAGE_MARK).as_slice())?;
        let beside = page.with_extension(format!("tmp-{}", std::process::id()));
        fs::File::create_new(&beside)
            .with_context(|| format!("cannot write {}", page.shown()))
            .or_exit(Code::NotReady)?;
        Ok(PageFile { page: page.to_owned(), beside })
    }

    pub(crate) fn publish(self, content: &str) -> Result<()> {
        fs::write(&self.beside, content)
            .and_then(|()| fs::rename(&self.beside, &self.page))
            .with_context(|| format!("cannot write {}", self.page.shown()))
    }
}

impl Drop for PageFile {
    fn drop(&mut self) {
        // it is the page now, unless something failed
        drop(fs::remove_file(&self.beside));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_is_replaced_and_nothing_else_is_left() {
        let dir = std::env::temp_dir().join(format!("diagnose-page-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let page = dir.join("why.html");
        for content in ["first", "second"] {
            let content = format!("{PAGE_MARK}{content}");
            PageFile::create(&page).unwrap().publish(&content).unwrap();
            assert_eq!(fs::read_to_string(&page).unwrap(), content);
        }
        drop(PageFile::create(&page).unwrap());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::write(&page, "<p>mine</p>").unwrap();
        std::os::unix::fs::symlink(&page, dir.join("link.html")).unwrap();
        for (name, says) in [
            ("why.html", "it is not an earlier report"),
            ("link.html", "it is not an earlier report"),
            ("", "is a folder"),
            ("nowhere/why.html", "is no folder"),
            ("why.html/why.html", "is no folder"),
        ] {
            let error = PageFile::create(&dir.join(name)).unwrap_err();
            assert_eq!(Code::of(&error), Code::NotReady);
            assert!(error.to_string().contains(says), "{name}: {error}");
        }
        assert_eq!(fs::read_to_string(&page).unwrap(), "<p>mine</p>");
        fs::remove_dir_all(dir).unwrap();
    }
}
