//! GRUB's script language (GRUB manual, 6): words with quotes and variables, and commands of them.

use std::rc::Rc;

/// Blocks in blocks. GRUB itself stops at 100 nested commands.
const DEPTH: usize = 60;

/// One piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text. A quoted one may be empty and still make a word.
    Text(String),
    Variable {
        name: String,
        /// In double quotes; outside of them the value may become several words.
        quoted: bool,
    },
}

/// Pieces without a blank between them.
pub(super) type Word = Vec<Piece>;

/// Commands in their order.
pub(super) type Block = Rc<Vec<Command>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `words…`, and the block in braces behind them.
    Simple {
        words: Vec<Word>,
        block: Option<Block>,
    },
    /// `if condition; then yes; else no; fi`. An `elif` is an `if` in `no`.
    If {
        condition: Block,
        yes: Block,
        no: Block,
    },
    /// `while` or `until`.
    While {
        condition: Block,
        body: Block,
    },
    For {
        variable: String,
        words: Vec<Word>,
        body: Block,
    },
    Function {
        name: String,
        body: Block,
    },
}

/// A script, and every place at which it is none.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) commands: Block,
    /// Number of the line, and why.
    pub(super) faults: Vec<(usize, String)>,
}

/// Reads a script. As GRUB does, it goes on in the next line after a fault.
pub(super) fn parse(text: &str) -> Script {
    let text = text.replace('\r', "");
    let mut lexer = Lexer { rest: &text, line: 1, column: 0 };
    let mut commands = Vec::new();
    let mut faults = Vec::new();
    loop {
        let mut parser = Parser { lexer, ahead: None, depth: 0 };
        let end = parser.commands(&mut commands, &[]);
        lexer = parser.lexer;
        match end {
            Ok(()) if parser.ahead == Some(Token::Eof) => break,
            Ok(()) => faults.push((lexer.line, "a word that ends nothing".to_owned())),
            Err(why) => faults.push((lexer.line, why)),
        }
        lexer.skip_line();
    }
    Script { commands: Rc::new(commands), faults }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(Word),
    /// `;` or the end of a line.
    End,
    Open,
    Close,
    Eof,
}

#[derive(Clone, Copy)]
struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    /// Bytes of the line before `rest`.
    column: usize,
}

impl Lexer<'_> {
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

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    fn token(&mut self) -> Result<Token, String> {
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

    fn word(&mut self) -> Result<Word, String> {
        let mut word = Word::new();
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
                    word.push(Piece::Variable { name, quoted: false });
                }
                c => {
                    self.next();
                    text.push(c);
                }
            }
        }
        if keep || !text.is_empty() {
            word.push(Piece::Text(text));
        }
        Ok(word)
    }

    fn double_quoted(&mut self, word: &mut Word, text: &mut String) -> Result<(), String> {
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
                    word.push(Piece::Variable { name, quoted: true });
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

fn flush(word: &mut Word, text: &mut String) {
    if !text.is_empty() {
        word.push(Piece::Text(std::mem::take(text)));
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    ahead: Option<Token>,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Result<&Token, String> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lexer.token()?);
        }
        Ok(self.ahead.get_or_insert(Token::Eof))
    }

    fn next(&mut self) -> Result<Token, String> {
        self.peek()?;
        Ok(self.ahead.take().unwrap_or(Token::Eof))
    }

    /// The word that comes next, if it is one without quotes and variables.
    fn keyword(&mut self) -> Result<Option<String>, String> {
        Ok(match self.peek()? {
            Token::Word(word) => match &word[..] {
                [Piece::Text(text)] => Some(text.clone()),
                _ => None,
            },
            _ => None,
        })
    }

    /// Commands up to one of `ends`, a closing brace or the end of the script.
    fn commands(&mut self, into: &mut Vec<Command>, ends: &[&str]) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("commands nested more than {DEPTH} deep"));
        }
        loop {
            match self.peek()? {
                Token::End => drop(self.next()?),
                Token::Close | Token::Eof => break,
                Token::Open => return Err("`{` where a command should be".to_owned()),
                Token::Word(_) => {
                    let word = self.keyword()?;
                    if word.as_deref().is_some_and(|word| ends.contains(&word)) {
                        break;
                    }
                    into.push(self.command(word.as_deref())?);
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Commands up to one of `ends`, which is taken, too.
    fn until(&mut self, ends: &[&str]) -> Result<(Block, String), String> {
        let mut commands = Vec::new();
        self.commands(&mut commands, ends)?;
        match self.keyword()? {
            Some(end) => {
                self.next()?;
                Ok((Rc::new(commands), end))
            }
            None => Err(format!("`{}` is missing", ends.join("` or `"))),
        }
    }

    /// `{ commands }`
    fn block(&mut self) -> Result<Block, String> {
        let mut commands = Vec::new();
        if self.next()? != Token::Open {
            return Err("`{` is missing".to_owned());
        }
        self.commands(&mut commands, &[])?;
        if self.next()? != Token::Close {
            return Err("`}` is missing".to_owned());
        }
        Ok(Rc::new(commands))
    }

    fn command(&mut self, keyword: Option<&str>) -> Result<Command, String> {
        match keyword {
            Some("if") => {
                self.next()?;
                self.rest_of_if()
            }
            Some("while" | "until") => {
                self.next()?;
                let (condition, _) = self.until(&["do"])?;
                let (body, _) = self.until(&["done"])?;
                Ok(Command::While { condition, body })
            }
            Some("for") => {
                self.next()?;
                let variable = self.keyword()?.ok_or("`for` without a variable")?;
                self.next()?;
                if self.keyword()?.as_deref() != Some("in") {
                    return Err("`in` is missing".to_owned());
                }
                self.next()?;
                let words = self.words()?;
                while *self.peek()? == Token::End {
                    self.next()?;
                }
                if self.keyword()?.as_deref() != Some("do") {
                    return Err("`do` is missing".to_owned());
                }
                self.next()?;
                let (body, _) = self.until(&["done"])?;
                Ok(Command::For { variable, words, body })
            }
            Some("function") => {
                self.next()?;
                let name = self.keyword()?.ok_or("a function without a name")?;
                self.next()?;
                while *self.peek()? == Token::End {
                    self.next()?;
                }
                Ok(Command::Function { name, body: self.block()? })
            }
            Some(
                word @ ("then" | "else" | "elif" | "fi" | "do" | "done" | "in" | "case" | "esac"),
            ) => Err(format!("`{word}` where a command should be")),
            _ => {
                let words = self.words()?;
                let block = if *self.peek()? == Token::Open { Some(self.block()?) } else { None };
                Ok(Command::Simple { words, block })
            }
        }
    }

    fn rest_of_if(&mut self) -> Result<Command, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("commands nested more than {DEPTH} deep"));
        }
        let (condition, _) = self.until(&["then"])?;
        let (yes, end) = self.until(&["else", "elif", "fi"])?;
        let no = match end.as_str() {
            "else" => self.until(&["fi"])?.0,
            "elif" => Rc::new(vec![self.rest_of_if()?]),
            _ => Block::default(),
        };
        self.depth -= 1;
        Ok(Command::If { condition, yes, no })
    }

    fn words(&mut self) -> Result<Vec<Word>, String> {
        let mut words = Vec::new();
        while let Token::Word(_) = self.peek()? {
            if let Token::Word(word) = self.next()? {
                words.push(word);
            }
        }
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let script = parse(text);
        assert_eq!(script.faults, [], "{text}");
        let Some(Command::Simple { words, .. }) = script.commands.first() else {
            return Vec::new();
        };
        let show = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable { name, quoted } => {
                format!("<{name}{}>", if *quoted { "\"" } else { "" })
            }
        };
        words.iter().map(|word| word.iter().map(show).collect()).collect()
    }

    #[test]
    fn words_are_taken_apart_as_grub_does() {
        assert_eq!(
            words("linux\t/a 'b c' \"d \\$ \\x $e\" ${f}g # h"),
            ["linux", "/a", "b c", "d $ \\x <e\">", "<f>g"]
        );
        assert_eq!(words("a\\ b c#d \\\n e\\\nf ''"), ["a b", "c#d", "ef", ""]);
        assert_eq!(words("  # only a comment\n"), [""; 0]);
        assert_eq!(words("x$1 $? \"$@\""), ["x<1>", "<?>", "<@\">"]);
    }

    #[test]
    fn blocks_in_one_line_and_over_several_are_the_same() {
        let long = parse("menuentry \"a\" {\n linux /k p\n initrd /i\n}\n");
        let short = parse("menuentry \"a\" { linux /k p ; initrd /i ; }");
        assert_eq!(long.commands, short.commands);
        assert_eq!((long.faults.len(), short.faults.len()), (0, 0));
        let script = parse("if a; then b; elif c; then d; else e; fi\nfor x in 1 2; do f; done\n");
        assert_eq!((script.commands.len(), script.faults.len()), (2, 0));
    }

    #[test]
    fn faults_are_told_with_their_line_and_reading_goes_on() {
        let script = parse("a\nb | c\nmenuentry x { linux /k\n}\n}\nd 'e");
        let lines: Vec<usize> = script.faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 5, 6], "{:?}", script.faults);
        assert_eq!(script.commands.len(), 2);
        let deep = parse(&"if a; then ".repeat(1000));
        assert!(deep.faults.iter().any(|(_, why)| why.contains("deep")), "{:?}", deep.faults);
    }
}
