//! GRUB's script language (GRUB manual, 6): words with quotes and variables, and commands of them.

use super::lexer::{Lexer, Token};
use super::syntax::{Script, ScriptBlock, ScriptCommand, ScriptWord, WordPiece};
use std::rc::Rc;

/// Blocks in blocks. GRUB itself stops at 100 nested commands.
const DEPTH: usize = 60;

/// Reads a script. As GRUB does, it goes on in the next line after a fault.
pub(super) fn parse(text: &str) -> Script {
    let text = text.replace('\r', "");
    let mut lexer = Lexer::new(&text);
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
                [WordPiece::Text(text)] => Some(text.clone()),
                _ => None,
            },
            _ => None,
        })
    }

    /// Commands up to one of `ends`, a closing brace or the end of the script.
    fn commands(&mut self, into: &mut Vec<ScriptCommand>, ends: &[&str]) -> Result<(), String> {
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
    fn until(&mut self, ends: &[&str]) -> Result<(ScriptBlock, String), String> {
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
    fn block(&mut self) -> Result<ScriptBlock, String> {
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

    fn command(&mut self, keyword: Option<&str>) -> Result<ScriptCommand, String> {
        match keyword {
            Some("if") => {
                self.next()?;
                self.rest_of_if()
            }
            Some("while" | "until") => {
                self.next()?;
                let (condition, _) = self.until(&["do"])?;
                let (body, _) = self.until(&["done"])?;
                Ok(ScriptCommand::While { condition, body })
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
                Ok(ScriptCommand::For { variable, words, body })
            }
            Some("function") => {
                self.next()?;
                let name = self.keyword()?.ok_or("a function without a name")?;
                self.next()?;
                while *self.peek()? == Token::End {
                    self.next()?;
                }
                Ok(ScriptCommand::Function { name, body: self.block()? })
            }
            Some(
                word @ ("then" | "else" | "elif" | "fi" | "do" | "done" | "in" | "case" | "esac"),
            ) => Err(format!("`{word}` where a command should be")),
            _ => {
                let words = self.words()?;
                let block = if *self.peek()? == Token::Open { Some(self.block()?) } else { None };
                Ok(ScriptCommand::Simple { words, block })
            }
        }
    }

    fn rest_of_if(&mut self) -> Result<ScriptCommand, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("commands nested more than {DEPTH} deep"));
        }
        let (condition, _) = self.until(&["then"])?;
        let (yes, end) = self.until(&["else", "elif", "fi"])?;
        let no = match end.as_str() {
            "else" => self.until(&["fi"])?.0,
            "elif" => Rc::new(vec![self.rest_of_if()?]),
            _ => ScriptBlock::default(),
        };
        self.depth -= 1;
        Ok(ScriptCommand::If { condition, yes, no })
    }

    fn words(&mut self) -> Result<Vec<ScriptWord>, String> {
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
        let Some(ScriptCommand::Simple { words, .. }) = script.commands.first() else {
            return Vec::new();
        };
        let show = |piece: &WordPiece| match piece {
            WordPiece::Text(text) => text.clone(),
            WordPiece::Variable { name, quoted } => {
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
