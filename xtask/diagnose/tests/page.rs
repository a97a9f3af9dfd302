//! The page of `diagnose --html`: every unexplained file is in it once, every link has a target, and
//! nothing of an image becomes markup.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start diagnose")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

/// Names that would be markup or hide a part of themselves, and how the page shows them.
const NAMES: [(&str, &str); 12] = [
    ("plain", "plain"),
    ("etc/<img src=x onerror=alert(1)>", "etc/&lt;img src=x onerror=alert(1)&gt;"),
    ("etc/\"'><script>alert(1)<", "etc/&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;"),
    ("etc/&lt;b&gt;", "etc/&amp;lt;b&amp;gt;"),
    ("etc/\u{202e}txt.exe", r"etc/\u{202e}txt.exe"),
    ("etc/\u{2066}isolated", r"etc/\u{2066}isolated"),
    ("etc/zero\u{200b}width", r"etc/zero\u{200b}width"),
    ("etc/no\u{a0}break", r"etc/no\u{a0}break"),
    ("etc/ä日本", "etc/ä日本"),
    ("etc/esc\u{1b}[31m", r"etc/esc\x1b[31m"),
    ("<details>/one", "&lt;details&gt;/one"),
    ("<details>/two", "&lt;details&gt;/two"),
];

/// Two folders; removed when dropped.
struct Pair(PathBuf);

impl Pair {
    fn new(name: &str, content: impl Fn(&str) -> String) -> Pair {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("page-{name}-{}", std::process::id()));
        for side in ["a", "b"] {
            for (name, _) in NAMES {
                let path = dir.join(side).join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content(side)).unwrap();
            }
            for folder in ["", "etc", "<details>"] {
                set_time(&dir.join(side).join(folder));
            }
            for (name, _) in NAMES {
                set_time(&dir.join(side).join(name));
            }
        }
        Pair(dir)
    }

    /// The page about A and B, after it was checked for what holds of every page.
    fn page(&self, a: &str, b: &str) -> String {
        let page = self.0.join("page.html");
        let ran = Command::new(env!("CARGO_BIN_EXE_diagnose"))
            .args(["diagnose", "--diffoscope", "never", "--html"])
            .args([&page, &self.0.join(a), &self.0.join(b)])
            .output()
            .unwrap();
        let code = ran.status.code().unwrap();
        assert_eq!(code, i32::from(a != b), "{}", String::from_utf8_lossy(&ran.stderr));
        let page = fs::read_to_string(page).unwrap();
        is_whole(&page);
        page
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // a failed test's folder is no reason to hide its message
        drop(fs::remove_dir_all(&self.0));
    }
}

fn set_time(path: &Path) {
    fs::File::open(path).unwrap().set_modified(UNIX_EPOCH).unwrap();
}

/// Values of an attribute in the page's own markup.
fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).map(|part| part.split('"').next().unwrap()).collect()
}

/// Tags nest and are known ones, links have one target each, nothing is loaded, nothing is hidden.
#[track_caller]
fn is_whole(page: &str) {
    const KNOWN: [&str; 38] = [
        "html", "head", "title", "style", "body", "main", "nav", "section", "article", "details",
        "summary", "h1", "h2", "h3", "dl", "dt", "dd", "ul", "ol", "li", "p", "a", "b", "i",
        "code", "pre", "span", "div", "table", "thead", "tbody", "tr", "th", "td", "iframe",
        "meta", "br", "!doctype",
    ];
    let body = page.split_once("<style>").unwrap().0.to_owned()
        + "<style>"
        + page
            .split_once("</style>")
            .map(|(_, rest)| "</style>".to_owned() + rest)
            .unwrap()
            .as_str();
    let mut open: Vec<&str> = Vec::new();
    for part in body.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "<{part}"),
            None => {
                assert!(KNOWN.contains(&name), "<{part}");
                if !["meta", "br", "!doctype"].contains(&name) {
                    open.push(name);
                }
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());

    let ids = values(page, "id");
    for id in &ids {
        assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "#{id}");
    }
    for link in values(page, "href") {
        let target = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads elsewhere"));
        assert!(ids.contains(&target), "{link} has no target");
    }
    assert_eq!(values(page, "src"), Vec::<&str>::new());
    assert!(!page.contains("url(") && !page.contains("@import"));
    assert!(page.contains("prefers-color-scheme: dark"));

    let hidden = |c: char| {
        c.is_control() && c != '\n' || ['\u{202e}', '\u{2066}', '\u{200b}', '\u{a0}'].contains(&c)
    };
    assert_eq!(page.find(hidden), None);
}

#[test]
fn every_unexplained_file_is_in_the_page_once() {
    let pair = Pair::new("unexplained", |side| {
        format!("</pre><script>alert('{side}')</script>\u{202e}\u{7}{side}\n")
    });
    let page = pair.page("a", "b");
    for (_, shown) in NAMES {
        assert_eq!(page.matches(&format!("<code>{shown}</code>")).count(), 1, "{shown}");
    }
    assert!(page.contains(&format!("Unexplained: {} places", NAMES.len())), "{page}");
    assert!(page.contains("- &lt;/pre&gt;&lt;script&gt;alert(&#39;a&#39;)"), "{page}");
}

#[test]
fn unexplained_files_are_folded_by_folder_and_linked_from_the_contents() {
    let pair = Pair::new("folders", |side| format!("side {side}\n"));
    let page = pair.page("a", "b");
    let folders = page.matches("<details class=\"folder\"><summary>").count();
    assert_eq!(folders, 3, "the top folder, etc, <details>: all of them closed");
    let contents = page.split_once("<nav>").unwrap().1.split_once("</nav>").unwrap().0;
    let links = values(contents, "href");
    assert_eq!(links, ["#unexplained", "#unexplained-1", "#unexplained-2", "#unexplained-3"]);
    assert!(page.contains("<code>&lt;details&gt;/</code>: 2 places"), "{page}");
    for word in ["cause", "follows", "unexplained", "not read"] {
        assert!(page.contains(&format!("<dt>{word}</dt>")), "the legend explains `{word}`");
    }
}

#[test]
fn both_images_have_their_size_and_hash() {
    let pair = Pair::new("hash", |_| "abc".to_owned());
    fs::write(pair.0.join("b/plain"), "abcd").unwrap();
    let page = pair.page("a/plain", "b/plain");
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let abcd = "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589";
    let a = page.find(&format!("3 bytes<br>SHA-256 <code class=\"hash\">{abc}")).unwrap();
    let b = page.find(&format!("4 bytes<br>SHA-256 <code class=\"hash\">{abcd}")).unwrap();
    assert!(a < b);
}

#[test]
fn the_page_of_identical_images_says_what_was_compared() {
    let pair = Pair::new("identical", |_| "abc".to_owned());
    let page = pair.page("a/plain", "a/plain");
    assert!(page.contains("<h1 class=\"yes\">identical</h1>"), "{page}");
    assert!(page.contains("Every byte of A is the byte of B at the same offset"), "{page}");
    assert_eq!(page.matches("ba7816bf8f01cfea").count(), 2, "A and B");

    let page = pair.page("a", "a");
    assert!(page.contains("<h1 class=\"yes\">identical</h1>"), "{page}");
    assert!(page.contains("Both folders were read to their end"), "{page}");
    assert!(page.contains("contents. Entries of A and B: tree 14 and 14."), "{page}");
}
