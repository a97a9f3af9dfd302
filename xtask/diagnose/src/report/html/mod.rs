//! The report as one page: nothing is loaded from elsewhere, nothing in it runs.

mod compared;
mod folders;
mod markup;

use super::Report;
use crate::classify::Cause;
use crate::difference::Place;
use crate::diffoscope::Outcome;
use crate::text::counted;
use folders::PageSection;
use markup::{escaped, excerpt, page_attribute, shown};
use xtask_core::page;

/// Rows of the list of explained places; --json has them all.
const ROWS: usize = 2_000;
/// Places that are named below a cause.
const PLACES: usize = 5;

/// Line of every page. It shows that a file is an earlier page, which may be replaced.
pub(crate) const PAGE_MARK: &str = "<meta name=\"generator\" content=\"silvermetal-diagnosis\">";

pub(crate) fn page(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, report);
    compared::subjects(&mut out, report);
    if !report.identical {
        differences(&mut out, report);
    }
    out.push_str(page::END);
    out
}

fn head(out: &mut String, report: &Report) {
    out.push_str(&page::head(&escaped(&report.headline()), PAGE_MARK, report.identical));
}

fn differences(out: &mut String, report: &Report) {
    let diagnosis = &report.diagnosis;
    let unexplained = PageSection::new("unexplained", "Unexplained", &diagnosis.unexplained);
    let not_read = PageSection::new("not-read", "Not read", &diagnosis.unreadable);
    let follows = PageSection::new("follows", "Follows from the rest", &diagnosis.follows);
    let explained = explained(report);

    say!(out, "<nav>\n<h2>Contents</h2>\n<ul>");
    cause_list(out, &diagnosis.causes);
    unexplained.contents(out);
    not_read.contents(out);
    if let Some(outcome) = &report.diffoscope {
        say!(out, "<li><a href=\"#diffoscope\">{}</a></li>", escaped(&outcome.headline()));
    }
    if !explained.is_empty() {
        let places = counted(explained.len(), "place", "places");
        say!(out, "<li><a href=\"#explained\">Explained: {places}</a></li>");
    }
    follows.contents(out);
    say!(out, "</ul>\n</nav>");
    out.push_str(include_str!("legend.html"));

    causes(out, report);
    let diffoscopes_page = |place: &Place| {
        let files = &report.diffoscope.as_ref()?.files;
        Some(files.iter().position(|file| file.place == *place)? + 1)
    };
    unexplained.write(out, report, diffoscopes_page);
    not_read.write(out, report, diffoscopes_page);
    if let Some(outcome) = &report.diffoscope {
        diffoscope(out, outcome);
    }
    explained_places(out, &explained);
    follows.write(out, report, |_| None);
}

fn cause_list(out: &mut String, causes: &[Cause]) {
    if causes.is_empty() {
        return;
    }
    say!(out, "<li><a href=\"#causes\">{}</a>", counted(causes.len(), "cause", "causes"));
    say!(out, "<ol>");
    for (n, cause) in causes.iter().enumerate() {
        say!(out, "<li><a href=\"#cause-{}\">{}</a></li>", n + 1, line(cause));
    }
    say!(out, "</ol>\n</li>");
}

fn causes(out: &mut String, report: &Report) {
    let causes = &report.diagnosis.causes;
    if causes.is_empty() {
        return;
    }
    say!(out, "<section id=\"causes\">\n<h2>{}</h2>", counted(causes.len(), "cause", "causes"));
    for (n, cause) in causes.iter().enumerate() {
        say!(out, "<article id=\"cause-{}\">\n<h3>{}. {}</h3>", n + 1, n + 1, line(cause));
        say!(out, "<p class=\"fix\"><b>Fix</b> <code>{}</code></p>", escaped(cause.rule.fix));
        let stages = report.stages(cause);
        if !stages.is_empty() {
            say!(out, "<p>Written by stage <b>{}</b></p>", escaped(&stages.join(", ")));
        }
        out.push_str(&excerpt(&cause.excerpt));
        say!(out, "<ul class=\"places\">");
        for place in cause.places.iter().take(PLACES) {
            say!(out, "<li>{}</li>", shown(place));
        }
        if cause.places.len() > PLACES {
            let more = cause.places.len() - PLACES;
            say!(out, "<li class=\"more\"><a href=\"#explained\">… and {more} more</a></li>");
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

/// Every place that a cause explains, each with the cause's number.
fn explained(report: &Report) -> Vec<(&Place, usize)> {
    let mut rows = Vec::new();
    for (n, cause) in report.diagnosis.causes.iter().enumerate() {
        rows.extend(cause.places.iter().map(|place| (place, n + 1)));
    }
    rows.sort();
    rows
}

fn explained_places(out: &mut String, rows: &[(&Place, usize)]) {
    if rows.is_empty() {
        return;
    }
    say!(out, "<section>\n<h2>Explained</h2>\n<details>");
    say!(out, "<summary>{}</summary>", counted(rows.len(), "place", "places"));
    say!(
        out,
        "<table id=\"explained\">\n<thead><tr><th>place</th><th>cause</th></tr></thead>\n<tbody>"
    );
    for (place, n) in rows.iter().take(ROWS) {
        say!(out, "<tr><td>{}</td><td><a href=\"#cause-{n}\">{n}</a></td></tr>", shown(place));
    }
    say!(out, "</tbody></table>");
    if rows.len() > ROWS {
        say!(out, "<p>… and {} more: all of them with --json</p>", rows.len() - ROWS);
    }
    say!(out, "</details>\n</section>");
}

/// Its own pages stand in ours, each in a frame in which nothing runs.
fn diffoscope(out: &mut String, outcome: &Outcome) {
    say!(out, "<section id=\"diffoscope\">\n<h2>{}</h2>", escaped(&outcome.headline()));
    for why in &outcome.cut {
        say!(out, "<p class=\"cut\"><b>Cut</b> {}</p>", escaped(why));
    }
    for (n, file) in outcome.files.iter().enumerate() {
        say!(out, "<details open><summary>{}</summary>", shown(&file.place));
        let page = page_attribute(&file.html);
        let id = format!("diffoscope-{}", n + 1);
        say!(out, "<iframe id=\"{id}\" sandbox=\"\" srcdoc=\"{page}\"></iframe></details>");
    }
    say!(out, "</section>");
}

/// A cause in one line.
fn line(cause: &Cause) -> String {
    let detail =
        if cause.detail.is_empty() { String::new() } else { format!(": {}", cause.detail) };
    escaped(&format!(
        "{}: {}{detail}",
        counted(cause.places.len(), "place", "places"),
        cause.rule.name
    ))
}
