//! The tokens of a script: words with quotes and variables, and the signs between them.

use super::syntax::{ScriptWord, WordPiece};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(ScriptWord),
    /// `;` or the end of a line.
    End,
    Open,
    Close,
    Eof,
}

#[derive(Clone, Copy)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
    pub(super) line: usize,
    /// Bytes of the line before `rest`.
    column: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { rest: text, line: 1, column: 0 }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.column += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 0;
        }
        Some(c)
    }

    pub(super) fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    pub(super) fn token(&mut self) -> Result<Token, String> {
        while self.rest.starts_with([' ', '\t']) || self.rest.starts_with("\\\n") {
            if self.next() == Some('\\') {
                self.next();
            }
        }
        match self.peek() {
            None => Ok(Token::Eof),
            Some('#') => {
                let line = self.rest.lines().next().unwrap_or_default();
                let word = line.split([' ', '\t']).next().unwrap_or_default();
                if self.column > 0 && word.contains(['"', '\'']) {
                    // GRUB takes the quote for the start of a string over several lines
                    return Err("a comment that begins with a quote".to_owned());
                }
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next();
                }
                self.token()
            }
            Some(c @ ('\n' | ';' | '{' | '}')) => {
                self.next();
                if c == ';' && self.peek() == Some(';') {
                    return Err("`;;` where a command should be".to_owned());
                }
                Ok(match c {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::End,
                })
            }
            Some(c @ ('|' | '&' | '<' | '>')) => Err(format!("`{c}`, which GRUB does not know")),
            Some(_) => Ok(Token::Word(self.word()?)),
        }
    }

    fn word(&mut self) -> Result<ScriptWord, String> {
        let mut word = ScriptWord::new();
        let mut text = String::new();
        // a word of nothing but empty quotes is a word
        let mut keep = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '{' | '}' | '|' | '&' | '<' | '>' => break,
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') => {}
                        Some(c) => text.push(c),
                        None => return Err("a backslash at the end".to_owned()),
                    }
                }
                '\'' => {
                    self.next();
                    keep = true;
                    loop {
                        match self.next() {
                            Some('\'') => break,
                            Some(c) => text.push(c),
                            None => return Err("a quote without an end".to_owned()),
                        }
                    }
                }
                '"' => {
                    self.next();
                    keep = true;
                    self.double_quoted(&mut word, &mut text)?;
                }
                '$' if self.rest.starts_with("$\"") => {
                    return Err("a text that GRUB would translate".to_owned());
                }
                '$' => {
                    self.next();
                    flush(&mut word, &mut text);
                    let name = self.variable()?;
                    word.push(WordPiece::Variable { name, quoted: false });
                }
                c => {
                    self.next();
                    text.push(c);
                }
            }
        }
        if keep || !text.is_empty() {
            word.push(WordPiece::Text(text));
        }
        Ok(word)
    }

    fn double_quoted(&mut self, word: &mut ScriptWord, text: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                None => return Err("a quote without an end".to_owned()),
                Some('"') => return Ok(()),
                Some('\\') => match self.peek() {
                    Some('\n') => drop(self.next()),
                    Some(c @ ('$' | '\\' | '"')) => {
                        self.next();
                        text.push(c);
                    }
                    _ => text.push('\\'),
                },
                Some('$') => {
                    flush(word, text);
                    let name = self.variable()?;
                    word.push(WordPiece::Variable { name, quoted: true });
                }
                Some(c) => text.push(c),
            }
        }
    }

    /// The name behind a `$`.
    fn variable(&mut self) -> Result<String, String> {
        let fault = || Err("a `$` without a variable".to_owned());
        let braces = self.peek() == Some('{');
        if braces {
            self.next();
        }
        let mut name = String::new();
        match self.peek() {
            Some(c @ ('?' | '#' | '*' | '@')) => {
                self.next();
                name.push(c);
            }
            Some(first) if first.is_ascii_alphanumeric() || first == '_' => {
                let digits = first.is_ascii_digit();
                while let Some(c) = self.peek()
                    && if digits {
                        c.is_ascii_digit()
                    } else {
                        c.is_ascii_alphanumeric() || c == '_'
                    }
                {
                    self.next();
                    name.push(c);
                }
            }
            _ => return fault(),
        }
        if braces && self.next() != Some('}') {
            return fault();
        }
        Ok(name)
    }
}

fn flush(word: &mut ScriptWord, text: &mut String) {
    if !text.is_empty() {
        word.push(WordPiece::Text(std::mem::take(text)));
    }
}
