//! `reproduce --collect … --html`: the page that a project would publish: who rebuilt a release, with what,
//! and who got which image.

use super::collected::Collected;
use super::groups::{GroupFact, MismatchGroup};
use super::votes::{Counted, Vote, VoteStanding, counted};
use xtask_core::page::{END, escaped, head};

/// Line of every page. It shows that a file is an earlier page, which may be replaced.
pub(super) const MARK: &str = "<meta name=\"generator\" content=\"silvermetal-rebuilders\">";
/// Characters of a hash that the table shows.
const SHORT: usize = 12;

/// Columns of the table: heading, key of the environment.
const COLUMNS: [(&str, &str); 5] = [
    ("engine", "engine"),
    ("kernel", "kernel"),
    ("CPU", "cpu"),
    ("CPUs", "cpus"),
    ("file system", "file_system"),
];

pub(super) fn page(collected: &Collected) -> String {
    let release = collected.release.as_deref().unwrap_or("this image");
    let others = match collected.count.disagree.len() {
        0 => String::new(),
        n => format!("; {n} got another image"),
    };
    let title = format!("Who has rebuilt {}: {}{others}", escaped(release), collected.summary());
    let good = collected.enough() && collected.groups.is_empty();
    let mut out = head(&title, MARK, good);
    out += STYLE;
    if let Some(subject) = &collected.subject {
        out += "<dl>\n";
        for (name, value) in [
            ("image", subject.iso.as_str()),
            ("published SHA-256", subject.published.hex()),
            ("commit", &subject.commit),
        ] {
            out += &format!("<dt>{name}</dt><dd><code>{}</code></dd>\n", escaped(value));
        }
        out += "</dl>\n";
    }
    groups(&mut out, &collected.groups);
    table(&mut out, collected);
    not_counted(&mut out, collected);
    out += "<p class=\"source\">Statements are not signed: this page is as trustworthy as the person who \
            collected them. Rebuild it yourself: <code>cargo xtask reproduce</code></p>\n";
    out + END
}

/// The table may be wider than a small screen.
const STYLE: &str = "<style>.wide{overflow-x:auto}.wide table{min-width:64rem;overflow-wrap:normal}\
    .wide td,.wide th{text-align:left}.match{color:var(--yes)}.mismatch{color:var(--no)}\
    td.hash{white-space:nowrap}</style>\n";

fn groups(out: &mut String, groups: &[MismatchGroup]) {
    if groups.is_empty() {
        return;
    }
    let title = match groups.len() {
        1 => "One other image".to_owned(),
        n => format!("{n} other images"),
    };
    *out += &format!("<section id=\"mismatches\">\n<h2>{title}</h2>\n");
    for group in groups {
        let who: Vec<String> = group.names.iter().map(|who| escaped(who)).collect();
        *out += &format!(
            "<article><h3 class=\"mismatch\"><code>{}</code></h3>\n<p>{}</p>\n",
            group.rebuilt.hex(),
            who.join(", ")
        );
        if let Some((stage, paths)) = &group.stage {
            let paths: Vec<String> = paths.iter().map(|path| escaped(path)).collect();
            *out += &format!(
                "<p>first stage that differs: <b>{}</b> ({})</p>\n",
                escaped(stage),
                paths.join(", ")
            );
        }
        facts(out, "Only they have", &group.only_they);
        facts(out, "Others have it, too", &group.shared);
        *out += "</article>\n";
    }
    *out += "<p class=\"source\">What only they have is a hint where to look, and proves nothing.</p>\n";
    *out += "</section>\n";
}

fn facts(out: &mut String, title: &str, facts: &[GroupFact]) {
    if facts.is_empty() {
        return;
    }
    let list: Vec<String> = facts
        .iter()
        .map(|fact| {
            format!("{} <code>{}</code>{}", fact.what, escaped(&fact.value), fact.unknown())
        })
        .collect();
    *out += &format!("<p><b>{title}:</b> {}</p>\n", list.join(", "));
}

fn table(out: &mut String, collected: &Collected) {
    *out += "<section id=\"rebuilders\">\n<h2>Rebuilders</h2>\n<div class=\"wide\"><table>\n";
    *out += "<thead><tr><th>who</th><th>result</th><th>image</th>";
    for (heading, _) in COLUMNS {
        *out += &format!("<th>{heading}</th>");
    }
    *out += "<th>builder image</th></tr></thead>\n<tbody>\n";
    for one in counted(&collected.votes) {
        row(out, one);
    }
    *out += "</tbody></table></div>\n</section>\n";
}

fn row(out: &mut String, counted: &Counted) {
    let result = if counted.standing == VoteStanding::Agrees { "match" } else { "mismatch" };
    let short = |text: &str| text.chars().take(SHORT).collect::<String>();
    let rebuilt = counted.statement.rebuilt.as_ref().map_or(String::new(), |d| short(d.hex()));
    *out += &format!(
        "<tr><td>{}</td><td class=\"{result}\">{result}</td><td class=\"hash\"><code>{rebuilt}</code></td>",
        escaped(counted.statement.name())
    );
    for (_, key) in COLUMNS {
        *out +=
            &format!("<td>{}</td>", escaped(counted.statement.environment.get(key).unwrap_or("–")));
    }
    let image = counted.statement.image.as_deref().unwrap_or("–");
    let image = short(image.strip_prefix("sha256:").unwrap_or(image));
    *out += &format!("<td class=\"hash\"><code>{}</code></td></tr>\n", escaped(&image));
}

fn not_counted(out: &mut String, collected: &Collected) {
    let lines: Vec<String> = collected
        .votes
        .iter()
        .filter_map(|(place, vote)| match vote {
            Vote::NotCounted(why) => {
                Some(format!("<li><code>{}</code>: {}</li>", escaped(place), escaped(why)))
            }
            Vote::Counted(_) => None,
        })
        .collect();
    if !lines.is_empty() {
        *out += &format!(
            "<section>\n<h2>Not counted</h2>\n<ul>\n{}\n</ul>\n</section>\n",
            lines.join("\n")
        );
    }
}
