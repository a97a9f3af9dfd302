//! The expressions of a workflow: which contexts and functions they name.

/// `needs.build.outputs.image` as its words; an index in brackets that is a string is a word too.
pub(crate) type Reference = Vec<String>;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) references: Vec<Reference>,
    /// Lower case: they are called in any case.
    pub(crate) functions: Vec<String>,
}

impl Expression {
    pub(crate) fn calls(&self, function: &str) -> bool {
        self.functions.iter().any(|name| name == function)
    }
}

/// The texts between `${{` and `}}`, with the line each begins on (the first being 0).
pub(crate) fn embedded(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("${{").map(|i| at + i + 3) {
        let end = text[start..].find("}}").map_or(text.len(), |i| start + i);
        found.push((text[..start].matches('\n').count(), &text[start..end]));
        at = end;
    }
    found
}

/// What an `if:` says: an expression, with or without `${{ }}` around it.
pub(crate) fn condition(text: &str) -> Expression {
    let embedded = embedded(text);
    if embedded.is_empty() {
        return parse(text);
    }
    let mut all = Expression::default();
    for (_, text) in embedded {
        let Expression { references, functions } = parse(text);
        all.references.extend(references);
        all.functions.extend(functions);
    }
    all
}

pub(crate) fn parse(text: &str) -> Expression {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Expression::default();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c == '\'' {
            at = skip_string(&chars, at);
        } else if c.is_ascii_alphabetic() || c == '_' {
            let (name, next) = name(&chars, at);
            at = next;
            if chars[at..].iter().find(|c| !c.is_whitespace()) == Some(&'(') {
                found.functions.push(name.to_ascii_lowercase());
                continue;
            }
            let mut reference = vec![name];
            loop {
                match (chars.get(at), chars.get(at + 1)) {
                    (Some('.'), Some('*')) => {
                        reference.push("*".into());
                        at += 2;
                    }
                    (Some('.'), Some(c)) if c.is_ascii_alphabetic() || *c == '_' => {
                        let (word, next) = self::name(&chars, at + 1);
                        reference.push(word);
                        at = next;
                    }
                    (Some('['), Some('\'')) => {
                        let end = skip_string(&chars, at + 1);
                        let inner = chars.get(at + 2..end.saturating_sub(1)).unwrap_or_default();
                        reference.push(inner.iter().collect());
                        at = end + usize::from(chars.get(end) == Some(&']'));
                    }
                    _ => break,
                }
            }
            if !matches!(reference[0].as_str(), "true" | "false" | "null") {
                found.references.push(reference);
            }
        } else if c.is_ascii_digit() {
            // 0xff and 1e3 are numbers, not names
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '.') {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    found
}

fn name(chars: &[char], start: usize) -> (String, usize) {
    let mut end = start;
    while chars.get(end).is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        end += 1;
    }
    (chars[start..end].iter().collect(), end)
}

/// Past the closing quote; two quotes in a row are one in the string.
fn skip_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        if chars[at] == '\'' {
            if chars.get(at + 1) != Some(&'\'') {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    chars.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_functions() {
        let found =
            parse("needs.a-b.outputs['c d'] == 'it''s github.x' && !contains(github.ref, 'x')");
        assert_eq!(
            found.references,
            [vec!["needs", "a-b", "outputs", "c d"], vec!["github", "ref"]]
        );
        assert_eq!(found.functions, ["contains"]);
        assert!(condition("always() && ${{ failure() }}").calls("failure"));
        assert!(condition("always()").calls("always"));
    }

    #[test]
    fn expressions_in_text() {
        let text = "a ${{ x }}\n${{ y }} ${{ open";
        assert_eq!(embedded(text), [(0, " x "), (1, " y "), (1, " open")]);
        for text in ["'", "a['", "a[", "a.", "0x1", "a['b"] {
            drop(parse(text));
        }
    }
}
