//! Text from an image as HTML. None of it becomes markup.

use crate::difference::Place;
use crate::text::printable;
use xtask_core::page;

/// For text and for attributes in double quotes.
pub(super) fn escaped(text: &str) -> String {
    page::html(&printable(text))
}

/// A whole page as an attribute in double quotes.
pub(super) fn page_attribute(page: &str) -> String {
    page.replace('&', "&amp;").replace('"', "&quot;")
}

/// Lines of both sides, each in its colour; empty if there are none.
pub(super) fn excerpt(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let line = |line: &String| {
        let class = match line.as_bytes().first() {
            Some(b'-') => "a",
            Some(b'+') => "b",
            _ => "both",
        };
        format!("<span class=\"{class}\">{}</span>", escaped(line))
    };
    format!("<pre>{}</pre>\n", lines.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The layers dim, the path plain.
pub(super) fn shown(place: &Place) -> String {
    match place.0.split_last() {
        None => "the image".to_owned(),
        Some((path, layers)) => format!("{}<code>{}</code>", in_layers(layers), escaped(path)),
    }
}

/// Layers from the outermost, dim, each with an arrow behind it.
pub(super) fn in_layers(layers: &[String]) -> String {
    layers.iter().map(|layer| format!("<i>{} ▸ </i>", escaped(layer))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_image_becomes_markup() {
        assert_eq!(
            escaped("<script>alert(\"1\")&'\u{202e}\u{1b}[0m"),
            r"&lt;script&gt;alert(&quot;1&quot;)&amp;&#39;\u{202e}\u{1b}[0m"
        );
    }
}
