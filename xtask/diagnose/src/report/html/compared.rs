//! The head of the page: which two images were compared, and how.

use super::markup::escaped;
use crate::report::Report;
use crate::text::bytes;

/// Paths, sizes and hashes; the inputs that moved; and how far both were read.
pub(super) fn subjects(out: &mut String, report: &Report) {
    say!(out, "<dl class=\"subjects\">");
    for (n, (name, path)) in [("A", &report.a), ("B", &report.b)].into_iter().enumerate() {
        say!(out, "<dt>{name}</dt><dd><code>{}</code>", escaped(&path.to_string_lossy()));
        match &report.hashes {
            Some(hashes) => {
                let (hash, size) = &hashes[n];
                say!(
                    out,
                    "<br>{}<br>SHA-256 <code class=\"hash\">{}</code></dd>",
                    sized(*size),
                    hash.hex()
                );
            }
            None => say!(out, "<br>a folder</dd>"),
        }
    }
    if let Some(records) = &report.records {
        if !records.inputs.is_empty() {
            let inputs: Vec<String> = records.inputs.iter().map(|input| escaped(input)).collect();
            say!(out, "<dt>inputs moved</dt><dd>{}</dd>", inputs.join("<br>\n"));
        }
        if let Some(stage) = &records.stage {
            say!(
                out,
                "<dt>first stage</dt><dd>{} is the first whose results differ</dd>",
                escaped(stage)
            );
        }
    }
    say!(out, "<dt>compared</dt><dd>{}</dd>\n</dl>", compared(report));
}

/// One sentence or two.
fn compared(report: &Report) -> String {
    let seconds = format!("in {:.1} s", report.seconds);
    if report.identical && report.hashes.is_some() {
        return format!(
            "Both files were read to their end {seconds}. Every byte of A is the byte of B at the \
             same offset, so everything inside is the same too, and nothing had to be opened."
        );
    }
    let entries: Vec<String> = report
        .compared
        .entries
        .iter()
        .map(|(layer, [a, b])| format!("{} {a} and {b}", escaped(layer)))
        .collect();
    let entries = if entries.is_empty() { "none".to_owned() } else { entries.join("; ") };
    if report.identical {
        return format!(
            "Both folders were read to their end {seconds}: names, types, permissions, owners, \
             times, links, extended attributes and contents. Entries of A and B: {entries}."
        );
    }
    let read =
        if report.hashes.is_some() { bytes(report.read()) } else { "both folders".to_owned() };
    format!("Entries of A and B in all layers that were opened: {entries}. Read {read} {seconds}.")
}

/// `204.0 MB (204025856 bytes)`
fn sized(size: u64) -> String {
    let short = bytes(size);
    let exact = format!("{size} bytes");
    if short == exact { exact } else { format!("{short} ({exact})") }
}
