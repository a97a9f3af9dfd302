//! Expressions of a workflow: parsing, and the names in them.
//!
//! Grammar: "Evaluate expressions in workflows and actions", GitHub Actions' reference.

/// `needs.build.outputs.image` as its words. A string in brackets is a word too.
pub(crate) type Reference = Vec<String>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Reference(Reference),
    /// Name in lower case, because functions may be written in any case.
    Call(String, Vec<Expr>),
    Not(Box<Expr>),
    /// `&&`, `||`, `==`, `!=`, `<`, `<=`, `>`, `>=`.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// Text that does not parse. It has the expressions that were read before the error.
    Broken(Vec<Expr>),
}

/// Text of a value that may contain expressions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TextPart {
    Literal(String),
    /// The line, from 0, and the text between `${{` and `}}`.
    Expression(usize, String),
}

/// Depth of nested parentheses, calls and negations.
const MAX_DEPTH: usize = 50;

impl Expr {
    pub(crate) fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        match self {
            Expr::Call(_, items) | Expr::Broken(items) => {
                items.iter().for_each(|item| item.walk(visit));
            }
            Expr::Not(inner) => inner.walk(visit),
            Expr::Binary(_, a, b) => {
                a.walk(visit);
                b.walk(visit);
            }
            _ => {}
        }
    }

    pub(crate) fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        self.walk(&mut |expr| {
            if let Expr::Reference(reference) = expr {
                found.push(reference);
            }
        });
        found
    }

    pub(crate) fn functions(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.walk(&mut |expr| {
            if let Expr::Call(name, _) = expr {
                found.push(name.as_str());
            }
        });
        found
    }

    /// Comparisons of a reference with a text, in either order.
    pub(crate) fn comparisons(&self) -> Vec<(&Reference, &str)> {
        let mut found = Vec::new();
        self.walk(&mut |expr| {
            if let Expr::Binary("==" | "!=", a, b) = expr {
                match (&**a, &**b) {
                    (Expr::Reference(r), Expr::Text(t)) | (Expr::Text(t), Expr::Reference(r)) => {
                        found.push((r, t.as_str()));
                    }
                    _ => {}
                }
            }
        });
        found
    }
}

/// Splits a value into literal text and expressions.
pub(crate) fn parts(text: &str) -> Vec<TextPart> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("${{").map(|i| at + i) {
        if start > at {
            found.push(TextPart::Literal(text[at..start].to_owned()));
        }
        let inner = start + 3;
        let end = text[inner..].find("}}").map_or(text.len(), |i| inner + i);
        let line = text[..inner].matches('\n').count();
        found.push(TextPart::Expression(line, text[inner..end].to_owned()));
        at = (end + 2).min(text.len());
    }
    if at < text.len() {
        found.push(TextPart::Literal(text[at..].to_owned()));
    }
    found
}

/// The expressions in a value, with the line of each, from 0.
pub(crate) fn embedded(text: &str) -> Vec<(usize, String)> {
    let expressions = parts(text).into_iter().filter_map(|part| match part {
        TextPart::Expression(line, text) => Some((line, text)),
        TextPart::Literal(_) => None,
    });
    expressions.collect()
}

/// The condition of an `if:`, with or without `${{ }}`, and as it was meant if text is around them.
pub(crate) fn condition(text: &str) -> Expr {
    parse(&text.replace("${{", "(").replace("}}", ")"))
}

/// True if text around `${{ }}` turns a condition into a string, which is always true.
pub(crate) fn is_string(condition: &str) -> bool {
    let parts = parts(condition);
    parts.len() > 1 && parts.iter().any(|part| matches!(part, TextPart::Expression(..)))
}

pub(crate) fn parse(text: &str) -> Expr {
    let mut parser = Parser { tokens: tokens(text), at: 0, depth: 0 };
    let mut read = Vec::new();
    loop {
        match parser.or() {
            Some(expr) => read.push(expr),
            None => parser.at += 1,
        }
        match (parser.tokens.get(parser.at), read.len()) {
            (None, 1) if parser.at == parser.tokens.len() => return read.remove(0),
            (None, _) => return Expr::Broken(read),
            _ => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Number(f64),
    Text(String),
    /// An operator or punctuation.
    Mark(&'static str),
    Unknown,
}

const MARKS: [&str; 15] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", "*"];

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    while let Some(&c) = chars.get(at) {
        let rest = &chars[at..];
        if c.is_whitespace() {
            at += 1;
        } else if c == '\'' {
            let (value, length) = string(rest);
            found.push(Token::Text(value));
            at += length;
        } else if c.is_ascii_alphabetic() || c == '_' {
            let length = rest.iter().take_while(|c| is_name(c)).count();
            found.push(Token::Name(rest[..length].iter().collect()));
            at += length;
        } else if c.is_ascii_digit() || (c == '-' && rest.get(1).is_some_and(char::is_ascii_digit))
        {
            let more = |c: &&char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
            let length = 1 + rest[1..].iter().take_while(more).count();
            let word: String = rest[..length].iter().collect();
            let hexadecimal = word.strip_prefix("0x").and_then(|w| i64::from_str_radix(w, 16).ok());
            let number = hexadecimal.map(|n| n as f64).or_else(|| word.parse().ok());
            found.push(number.map_or(Token::Unknown, Token::Number));
            at += length;
        } else if c == '.' {
            found.push(Token::Mark("."));
            at += 1;
        } else {
            let mark = MARKS.iter().find(|mark| {
                mark.chars().enumerate().all(|(n, expected)| rest.get(n) == Some(&expected))
            });
            found.push(mark.map_or(Token::Unknown, |mark| Token::Mark(mark)));
            at += mark.map_or(1, |mark| mark.len());
        }
    }
    found
}

/// A quoted string and its length. Two quotes in a row are one in the string.
fn string(chars: &[char]) -> (String, usize) {
    let mut value = String::new();
    let mut at = 1;
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c == '\'' {
            if chars.get(at) != Some(&'\'') {
                break;
            }
            at += 1;
        }
        value.push(c);
    }
    (value, at)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn accept(&mut self, mark: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Mark(m)) if *m == mark);
        self.at += usize::from(found);
        found
    }

    /// A chain of operands between operators of one precedence.
    fn chain(
        &mut self,
        operators: &[&'static str],
        operand: fn(&mut Parser) -> Option<Expr>,
    ) -> Option<Expr> {
        let mut left = operand(self)?;
        while let Some(operator) = operators.iter().find(|operator| self.accept(operator)) {
            left = Expr::Binary(operator, Box::new(left), Box::new(operand(self)?));
        }
        Some(left)
    }

    fn or(&mut self) -> Option<Expr> {
        self.chain(&["||"], Parser::and)
    }

    fn and(&mut self) -> Option<Expr> {
        self.chain(&["&&"], Parser::equality)
    }

    fn equality(&mut self) -> Option<Expr> {
        self.chain(&["==", "!="], Parser::order)
    }

    fn order(&mut self) -> Option<Expr> {
        self.chain(&["<=", ">=", "<", ">"], Parser::unary)
    }

    fn unary(&mut self) -> Option<Expr> {
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let expr = if self.accept("!") {
            self.unary().map(|inner| Expr::Not(Box::new(inner)))
        } else {
            self.primary()
        };
        self.depth -= 1;
        expr
    }

    fn primary(&mut self) -> Option<Expr> {
        if self.accept("(") {
            let inner = self.or()?;
            return self.accept(")").then_some(inner);
        }
        let token = self.tokens.get(self.at)?.clone();
        let expr = match token {
            Token::Number(number) => Expr::Number(number),
            Token::Text(text) => Expr::Text(text),
            Token::Name(name) => {
                self.at += 1;
                return self.name(name);
            }
            Token::Mark(_) | Token::Unknown => return None,
        };
        self.at += 1;
        Some(expr)
    }

    fn name(&mut self, name: String) -> Option<Expr> {
        if self.accept("(") {
            let mut arguments = Vec::new();
            while !self.accept(")") {
                arguments.push(self.or()?);
                if !self.accept(",") {
                    if self.accept(")") {
                        break;
                    }
                    return None;
                }
            }
            // `fromJSON(…).key`: the key is unknown
            self.words(&mut Vec::new())?;
            return Some(Expr::Call(name.to_ascii_lowercase(), arguments));
        }
        match name.as_str() {
            "true" => return Some(Expr::Bool(true)),
            "false" => return Some(Expr::Bool(false)),
            "null" => return Some(Expr::Null),
            _ => {}
        }
        let mut reference = vec![name];
        self.words(&mut reference)?;
        Some(Expr::Reference(reference))
    }

    /// Reads `.name`, `.*`, `['name']` and `[0]`.
    fn words(&mut self, reference: &mut Reference) -> Option<()> {
        loop {
            if self.accept(".") {
                match self.tokens.get(self.at)?.clone() {
                    Token::Name(name) => reference.push(name),
                    Token::Mark("*") => reference.push("*".into()),
                    _ => return None,
                }
                self.at += 1;
            } else if self.accept("[") {
                match self.or()? {
                    Expr::Text(text) => reference.push(text),
                    _ => reference.push("*".into()),
                }
                if !self.accept("]") {
                    return None;
                }
            } else {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_functions() {
        let found =
            parse("needs.a-b.outputs['c d'] == 'it''s github.x' && !Contains(github.ref, 'x')");
        assert_eq!(
            found.references(),
            [&["needs", "a-b", "outputs", "c d"][..], &["github", "ref"]]
        );
        assert_eq!(found.functions(), ["contains"]);
        assert_eq!(found.comparisons()[0].1, "it's github.x");
        assert_eq!(parse("toJSON(matrix).x[0] || 0xff").functions(), ["tojson"]);
    }

    #[test]
    fn operators_bind_in_order() {
        let parsed = parse("a || b && !c == d");
        let Expr::Binary("||", _, right) = parsed else { panic!("{parsed:?}") };
        let Expr::Binary("&&", _, right) = *right else { panic!("{right:?}") };
        assert!(matches!(*right, Expr::Binary("==", _, _)), "{right:?}");
    }

    #[test]
    fn text_around_braces_makes_a_condition_a_string() {
        for text in ["${{ a }} && b", "${{ a }}\n", "${{ a }} || ${{ b }}", "!${{ a }}"] {
            assert!(is_string(text), "{text}");
        }
        for text in ["${{ a }}", "a", "a\n", " a && b"] {
            assert!(!is_string(text), "{text}");
        }
        assert_eq!(condition("${{ a }} && b"), parse("a && b"));
    }

    #[test]
    fn expressions_in_text() {
        let text = "a ${{ x }}\n${{ y }} ${{ open";
        let expected = [(0, " x ".to_owned()), (1, " y ".to_owned()), (1, " open".to_owned())];
        assert_eq!(embedded(text), expected);
    }

    #[test]
    fn broken_text_keeps_what_was_read() {
        for text in
            ["'", "a['", "a[", "a.", "a['b", "(", "a b", "a ||", "a & b", "é", "1x", "f(a b"]
        {
            assert!(matches!(parse(text), Expr::Broken(_) | Expr::Text(_)), "{text}");
        }
        assert_eq!(parse("gitea.ref foo").references()[0], &["gitea", "ref"]);
        drop(parse(&"!".repeat(100_000)));
        drop(parse(&"(".repeat(100_000)));
    }
}
