//! String literals of a Rust file, in order.

/// Line (from 1) and value of each ordinary string literal outside comments.
pub(crate) fn strings(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            // a character literal with a quote in it
            ('\'', Some('"')) if chars.get(at + 2) == Some(&'\'') => at += 3,
            ('\'', Some('\\')) => at += 3,
            ('"', _) => {
                let start = line;
                let mut value = String::new();
                at += 1;
                while at < chars.len() && chars[at] != '"' {
                    if chars[at] == '\\' {
                        at += 1;
                    }
                    if let Some(&c) = chars.get(at) {
                        line += usize::from(c == '\n');
                        value.push(c);
                    }
                    at += 1;
                }
                at += 1;
                found.push((start, value));
            }
            (c, _) => {
                line += usize::from(c == '\n');
                at += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_but_no_comments() {
        let text = "// \"no\"\nf(\"a b\", '\"', '\\'', \"c\\\"d\"); \"";
        let expected = [(2, "a b".to_owned()), (2, "c\"d".to_owned()), (2, String::new())];
        assert_eq!(strings(text), expected);
    }
}
