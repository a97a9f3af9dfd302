//! The page of `--html`: its head, its style, and its file, which is refused before the work if it cannot be
//! written, and replaced whole or not at all. Nothing on a page is loaded from elsewhere, nothing runs.

use crate::escape::Shown as _;
use crate::failure::{Code, OrExit as _, refuse};
use crate::replace::file_problem;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The page up to its heading. `mark` is the line that shows that a file is an earlier page of the same
/// kind, `good` the answer that the heading's colour gives. The title is escaped already.
pub fn head(title: &str, mark: &str, good: bool) -> String {
    // even if something slipped through the escaping, nothing would run or load
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    let class = if good { "yes" } else { "no" };
    let style = include_str!("page.css");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{mark}\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n\
         <h1 class=\"{class}\">{title}</h1>\n"
    )
}

/// The end of a page.
pub const END: &str = "</main>\n</body>\n</html>\n";

/// A word from outside as text, or as an attribute in double quotes.
pub fn escaped(word: &str) -> String {
    html(&word.shown().to_string())
}

/// Replaces the signs that are markup.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            sign => out.push(sign),
        }
    }
    out
}

/// A new file beside the page. It is removed when this is dropped, unless it became the page.
#[derive(Debug)]
pub struct PageFile {
    page: PathBuf,
    beside: PathBuf,
}

impl PageFile {
    /// Refuses a file that is no earlier page with `mark`.
    pub fn create(page: &Path, mark: &str) -> Result<PageFile> {
        refuse(file_problem(page, mark).as_slice())?;
        let beside = page.with_extension(format!("tmp-{}", std::process::id()));
        fs::File::create_new(&beside)
            .with_context(|| format!("cannot write {}", page.shown()))
            .or_exit(Code::NotReady)?;
        Ok(PageFile { page: page.to_owned(), beside })
    }

    /// Puts the page in its place.
    pub fn publish(self, content: &str) -> Result<()> {
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

    const PAGE_MARK: &str = "<meta name=\"generator\" content=\"test\">";

    #[test]
    fn no_word_becomes_markup() {
        assert_eq!(escaped("<b>\"&'\n\u{1b}"), r"&lt;b&gt;&quot;&amp;&#39;\n\x1b");
    }

    #[test]
    fn only_a_page_is_replaced_and_nothing_else_is_left() {
        let dir = std::env::temp_dir().join(format!("diagnose-page-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let page = dir.join("why.html");
        for content in ["first", "second"] {
            let content = format!("{PAGE_MARK}{content}");
            PageFile::create(&page, PAGE_MARK).unwrap().publish(&content).unwrap();
            assert_eq!(fs::read_to_string(&page).unwrap(), content);
        }
        drop(PageFile::create(&page, PAGE_MARK).unwrap());
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
            let error = PageFile::create(&dir.join(name), PAGE_MARK).unwrap_err();
            assert_eq!(Code::of(&error), Code::NotReady);
            assert!(error.to_string().contains(says), "{name}: {error}");
        }
        assert_eq!(fs::read_to_string(&page).unwrap(), "<p>mine</p>");
        fs::remove_dir_all(dir).unwrap();
    }
}
