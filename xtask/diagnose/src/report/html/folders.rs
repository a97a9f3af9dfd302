//! Places grouped by their folder, each folder folded.

use super::markup::{escaped, excerpt, in_layers, shown};
use crate::classify::Item;
use crate::difference::Place;
use crate::report::Report;
use crate::text::counted;
use std::collections::BTreeMap;

/// Excerpts of a section. Every place is named, but a page with a hundred thousand excerpts opens in
/// no browser, and --json has them all.
const EXCERPTS: usize = 2_000;

/// A section of the page: places with what differs there.
pub(super) struct PageSection<'a> {
    /// The target of links to it.
    id: &'static str,
    title: &'static str,
    folders: BTreeMap<LayerFolder<'a>, BTreeMap<&'a Place, Vec<&'a Item>>>,
}

/// A folder of a layer. The layers' own fields are in none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct LayerFolder<'a> {
    layers: &'a [String],
    path: Option<&'a str>,
}

impl<'a> PageSection<'a> {
    pub(super) fn new(id: &'static str, title: &'static str, items: &'a [Item]) -> PageSection<'a> {
        let mut folders: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
        for item in items {
            let places = folders.entry(LayerFolder::of(&item.place)).or_default();
            places.entry(&item.place).or_default().push(item);
        }
        PageSection { id, title, folders }
    }

    fn heading(&self) -> String {
        let places = self.folders.values().map(BTreeMap::len).sum();
        format!("{}: {}", self.title, counted(places, "place", "places"))
    }

    /// Its lines in the contents: one, and one for each folder.
    pub(super) fn contents(&self, out: &mut String) {
        if self.folders.is_empty() {
            return;
        }
        say!(out, "<li><a href=\"#{}\">{}</a>", self.id, self.heading());
        if self.folders.len() > 1 {
            say!(out, "<ul>");
            for (n, (folder, places)) in self.folders.iter().enumerate() {
                let shown = folder.shown();
                say!(
                    out,
                    "<li><a href=\"#{}-{}\">{shown}</a>: {}</li>",
                    self.id,
                    n + 1,
                    places.len()
                );
            }
            say!(out, "</ul>");
        }
        say!(out, "</li>");
    }

    /// The section itself. `diffoscopes_page` is the number of diffoscope's page about a place.
    pub(super) fn write(
        &self,
        out: &mut String,
        report: &Report,
        diffoscopes_page: impl Fn(&Place) -> Option<usize>,
    ) {
        if self.folders.is_empty() {
            return;
        }
        say!(out, "<section id=\"{}\">\n<h2>{}</h2>", self.id, self.heading());
        let mut shown = 0;
        for (n, (folder, places)) in self.folders.iter().enumerate() {
            // a browser that follows a link to something folded opens it
            let open = if self.folders.len() == 1 { " open" } else { "" };
            let count = counted(places.len(), "place", "places");
            say!(
                out,
                "<details class=\"folder\"{open}><summary>{}: {count}</summary>",
                folder.shown()
            );
            say!(out, "<div id=\"{}-{}\">", self.id, n + 1);
            for (place, items) in places {
                say!(out, "<article>\n<h3>{}</h3>", folder.name_of(place));
                for item in items {
                    say!(out, "<p>{}</p>", about(report, item));
                    shown += 1;
                    if shown <= EXCERPTS {
                        out.push_str(&excerpt(&item.excerpt));
                    }
                }
                if let Some(page) = diffoscopes_page(place) {
                    say!(out, "<p><a href=\"#diffoscope-{page}\">diffoscope’s page</a></p>");
                }
                say!(out, "</article>");
            }
            say!(out, "</div></details>");
        }
        if shown > EXCERPTS {
            say!(
                out,
                "<p>Excerpts only of the first {EXCERPTS} differences; --json prints all.</p>"
            );
        }
        say!(out, "</section>");
    }
}

/// The difference, the stage that wrote it, and the cause that such a difference usually has.
fn about(report: &Report, item: &Item) -> String {
    let mut about = escaped(&item.what);
    if let Some(stage) = report.stage_of(&item.place) {
        about.push_str(&format!(" (stage {})", escaped(stage)));
    }
    if let Some(rule) = item.usually {
        let (name, fix) = (escaped(rule.name), escaped(rule.fix));
        about.push_str(&format!(
            "<br><b>Not proved; usually</b> {name}<br><b>Fix for that</b> <code>{fix}</code>"
        ));
    }
    about
}

impl<'a> LayerFolder<'a> {
    fn of(place: &'a Place) -> LayerFolder<'a> {
        match place.0.split_last() {
            None => LayerFolder { layers: &[], path: None },
            Some((path, layers)) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                LayerFolder { layers, path: Some(folder) }
            }
        }
    }

    fn shown(&self) -> String {
        let layers = in_layers(self.layers);
        match self.path {
            None => "the image itself".to_owned(),
            Some("") => format!("{layers}top folder"),
            Some(path) => format!("{layers}<code>{}/</code>", escaped(path)),
        }
    }

    /// A place in this folder; its layers stand above it.
    fn name_of(&self, at: &Place) -> String {
        match self.path {
            None => shown(at),
            Some(_) => format!("<code>{}</code>", escaped(at.path())),
        }
    }
}
