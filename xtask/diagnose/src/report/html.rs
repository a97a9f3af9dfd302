//! The report as one page: nothing is loaded from elsewhere, nothing in it runs.

use super::Report;
use crate::classify::{Cause, Item};
use crate::difference::Place;
use crate::diffoscope::Outcome;
use crate::text::{bytes, counted, printable};

/// Rows of a list; a page with a hundred thousand helps nobody, and --json has them all.
const ROWS: usize = 2_000;

pub(crate) fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = escaped(&report.headline());
    say!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
    say!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    // even if something slipped through the escaping, nothing would run or load
    say!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    );
    say!(
        out,
        "<title>{title}</title>\n<style>{}</style>\n</head>\n<body>",
        include_str!("page.css")
    );
    say!(out, "<main>\n<h1 class=\"{}\">{title}</h1>", if report.identical { "yes" } else { "no" });
    say!(out, "<dl>");
    for (name, path) in [("A", &report.a), ("B", &report.b)] {
        say!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(&path.to_string_lossy()));
    }
    if let Some(records) = &report.records {
        for input in &records.inputs {
            say!(out, "<dt>inputs moved</dt><dd>{}</dd>", escaped(input));
        }
        if let Some(stage) = &records.stage {
            say!(out, "<dt>first stage</dt><dd>{}</dd>", escaped(stage));
        }
    }
    say!(out, "<dt>read</dt><dd>{} in {:.1} s</dd>\n</dl>", bytes(report.read), report.seconds);
    let diagnosis = &report.diagnosis;
    causes(&mut out, report);
    items(&mut out, report, "unexplained", "Unexplained", &diagnosis.unexplained);
    items(&mut out, report, "unreadable", "Cannot be read", &diagnosis.unreadable);
    if let Some(outcome) = &report.diffoscope {
        diffoscope(&mut out, outcome);
    }
    files(&mut out, report);
    items(&mut out, report, "follows", "Follows from the rest", &diagnosis.follows);
    say!(out, "</main>\n</body>\n</html>");
    out
}

fn causes(out: &mut String, report: &Report) {
    let causes = &report.diagnosis.causes;
    if causes.is_empty() {
        return;
    }
    say!(out, "<section>\n<h2>{}</h2>", counted(causes.len(), "cause", "causes"));
    say!(out, "<ol class=\"summary\">");
    for (n, cause) in causes.iter().enumerate() {
        say!(out, "<li><a href=\"#cause-{}\">{}</a></li>", n + 1, line(cause));
    }
    say!(out, "</ol>");
    for (n, cause) in causes.iter().enumerate() {
        say!(out, "<article id=\"cause-{}\">\n<h3>{}. {}</h3>", n + 1, n + 1, line(cause));
        say!(out, "<p class=\"fix\"><b>Fix</b> {}</p>", escaped(cause.rule.fix));
        let stages = report.stages(cause);
        if !stages.is_empty() {
            say!(out, "<p>Written by stage <b>{}</b></p>", escaped(&stages.join(", ")));
        }
        excerpt(out, &cause.excerpt);
        say!(out, "<ul class=\"places\">");
        for place in cause.places.iter().take(5) {
            say!(out, "<li>{}</li>", shown(place));
        }
        if cause.places.len() > 5 {
            say!(out, "<li class=\"more\">… and {} more, below</li>", cause.places.len() - 5);
        }
        say!(out, "</ul>");
        say!(
            out,
            "<p class=\"source\">known from: {} <code>{}</code></p>\n</article>",
            escaped(cause.rule.source),
            cause.rule.id
        );
    }
    say!(out, "</section>");
}

/// Every place, each with its causes.
fn files(out: &mut String, report: &Report) {
    let mut rows: Vec<(&Place, usize)> = Vec::new();
    for (n, cause) in report.diagnosis.causes.iter().enumerate() {
        rows.extend(cause.places.iter().map(|place| (place, n + 1)));
    }
    if rows.is_empty() {
        return;
    }
    rows.sort();
    let total = rows.len();
    say!(out, "<section>\n<h2>Files</h2>\n<details{}>", if total <= 200 { " open" } else { "" });
    say!(out, "<summary>{}</summary>\n<table>", counted(total, "place", "places"));
    say!(out, "<thead><tr><th>place</th><th>cause</th></tr></thead>\n<tbody>");
    for (place, n) in rows.iter().take(ROWS) {
        say!(out, "<tr><td>{}</td><td><a href=\"#cause-{n}\">{n}</a></td></tr>", shown(place));
    }
    say!(out, "</tbody></table>");
    if total > ROWS {
        say!(out, "<p>… and {} more: all of them with --json</p>", total - ROWS);
    }
    say!(out, "</details>\n</section>");
}

fn items(out: &mut String, report: &Report, id: &str, title: &str, items: &[Item]) {
    if items.is_empty() {
        return;
    }
    say!(out, "<section id=\"{id}\">\n<h2>{title}: {}</h2>", items.len());
    for item in items.iter().take(ROWS) {
        say!(out, "<article>\n<p>{}: {}", shown(&item.place), escaped(&item.what));
        if let Some(stage) = report.stage_of(&item.place) {
            say!(out, " (stage {})", escaped(stage));
        }
        say!(out, "</p>");
        excerpt(out, &item.excerpt);
        say!(out, "</article>");
    }
    if items.len() > ROWS {
        say!(out, "<p>… and {} more: all of them with --json</p>", items.len() - ROWS);
    }
    say!(out, "</section>");
}

/// Its own pages stand in ours, each in a frame in which nothing runs.
fn diffoscope(out: &mut String, outcome: &Outcome) {
    say!(out, "<section id=\"diffoscope\">\n<h2>{}</h2>", escaped(&outcome.headline()));
    for why in &outcome.cut {
        say!(out, "<p class=\"cut\"><b>Cut</b> {}</p>", escaped(why));
    }
    for file in &outcome.files {
        say!(out, "<details open><summary>{}</summary>", shown(&file.place));
        say!(out, "<iframe sandbox=\"\" srcdoc=\"{}\"></iframe></details>", attribute(&file.html));
    }
    say!(out, "</section>");
}

/// A page in an attribute in double quotes.
fn attribute(page: &str) -> String {
    page.replace('&', "&amp;").replace('"', "&quot;")
}

fn excerpt(out: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let line = |line: &String| {
        let class = match line.as_bytes().first() {
            Some(b'-') => "a",
            Some(b'+') => "b",
            _ => "both",
        };
        format!("<span class=\"{class}\">{}</span>", escaped(line))
    };
    say!(out, "<pre>{}</pre>", lines.iter().map(line).collect::<Vec<_>>().join("\n"));
}

fn line(cause: &Cause) -> String {
    let detail =
        if cause.detail.is_empty() { String::new() } else { format!(": {}", cause.detail) };
    escaped(&format!(
        "{}: {}{detail}",
        counted(cause.places.len(), "place", "places"),
        cause.rule.name
    ))
}

/// The layers dim, the path plain.
fn shown(place: &Place) -> String {
    match place.0.split_last() {
        None => "the image".to_owned(),
        Some((path, layers)) => {
            let layers: String =
                layers.iter().map(|layer| format!("<i>{} ▸ </i>", escaped(layer))).collect();
            format!("{layers}<code>{}</code>", escaped(path))
        }
    }
}

/// For text and for attributes in double quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in printable(text).chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // a name that reads backwards would show another name
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            sign => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_image_becomes_markup() {
        assert_eq!(
            escaped("<script>alert(\"1\")&'\u{202e}\u{1b}[0m"),
            "&lt;script&gt;alert(&quot;1&quot;)&amp;&#39;\u{fffd}\u{fffd}[0m"
        );
    }
}
