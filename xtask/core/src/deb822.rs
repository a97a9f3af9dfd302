//! Paragraphs of fields (deb822(5)): dpkg's status, apt's .sources files, BUILD_INFO.

/// A paragraph: fields, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paragraph<'a> {
    fields: Vec<ControlField<'a>>,
}

/// A field. A value that stands in one line has one entry in `lines`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlField<'a> {
    pub name: &'a str,
    /// Number of its first line in the text, from 1.
    pub line: usize,
    /// Lines of the value, without the blank that begins a continuation. The first is what follows
    /// the colon, without blanks at its ends; it may be empty.
    pub lines: Vec<&'a str>,
}

impl<'a> Paragraph<'a> {
    pub fn fields(&self) -> &[ControlField<'a>] {
        &self.fields
    }

    /// The first line of a field's value. Case does not count in names.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.field(name)?.lines.first().copied()
    }

    /// The words of a field's value, all its lines together; none if there is no such field.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.field(name).into_iter().flat_map(|field| &field.lines);
        lines.flat_map(|line| line.split_whitespace())
    }

    fn field(&self, name: &str) -> Option<&ControlField<'a>> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// The paragraphs of a text, in order. Lines that begin with `#` are comments; a line that is neither
/// a field nor the continuation of one is left out.
pub fn paragraphs(text: &str) -> Vec<Paragraph<'_>> {
    let mut found = Vec::new();
    let mut current = Paragraph::default();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        if line.trim().is_empty() {
            found.push(std::mem::take(&mut current));
        } else if let Some(more) = line.strip_prefix([' ', '\t']) {
            if let Some(field) = current.fields.last_mut() {
                field.lines.push(more);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            current.fields.push(ControlField {
                name: name.trim(),
                line: n + 1,
                lines: vec![value.trim()],
            });
        }
    }
    found.push(current);
    found.retain(|paragraph| !paragraph.fields.is_empty());
    found
}

/// Appends a field to the text of a paragraph. What follows the first line of `value` becomes
/// continuations; no blank follows the colon if the first line is empty.
pub fn push_field(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push(':');
    for (n, line) in value.split('\n').enumerate() {
        text.push_str(match (n, line) {
            (0, "") => "",
            (0, _) => " ",
            _ => "\n ",
        });
        text.push_str(line);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_have_fields_of_one_and_of_many_lines() {
        let text = "\n# a comment\nPackage: bash\nDescription: shell\n the GNU shell\n .\n  indented\n\
                    # another\n and more\nnothing\n\n \nTypes: deb\nSUITES:  a\n\tb  c\n";
        let found = paragraphs(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].get("package"), Some("bash"));
        let description = &found[0].fields()[1];
        assert_eq!(description.name, "Description");
        assert_eq!(description.lines, ["shell", "the GNU shell", ".", " indented", "and more"]);
        assert_eq!(found[1].words("Suites").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((found[1].get("URIs"), found[1].words("URIs").count()), (None, 0));
        assert_eq!(paragraphs("\n# nothing\n"), []);
    }

    #[test]
    fn a_field_that_is_written_is_read_again() {
        let mut text = String::new();
        push_field(&mut text, "Iso", "a.iso");
        push_field(&mut text, "Tools", "\nbash 5\ncurl 8");
        push_field(&mut text, "Empty", "");
        assert_eq!(text, "Iso: a.iso\nTools:\n bash 5\n curl 8\nEmpty:\n");
        let found = paragraphs(&text);
        let lines: Vec<_> = found[0].fields().iter().map(|field| field.lines.clone()).collect();
        assert_eq!(lines, [vec!["a.iso"], vec!["", "bash 5", "curl 8"], vec![""]]);
    }
}
