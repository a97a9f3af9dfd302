//! Simple commands of a shell script, with their lines.
//!
//! Reads quotes, comments, continuations, here-documents and command substitutions: enough to see
//! which programs a script starts with which words. Syntax is left to shellcheck.

/// A word without its quotes. Expansions stay as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShellWord {
    pub(crate) text: String,
    pub(crate) line: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShellCommand {
    pub(crate) line: usize,
    pub(crate) words: Vec<ShellWord>,
    /// Operator (`>`, `>>`, `<`, …) and target.
    pub(crate) redirects: Vec<(String, ShellWord)>,
    pub(crate) heredocs: Vec<String>,
    /// The operator after the command: `|`, `||`, `&&`, `&`, or empty.
    pub(crate) operator: &'static str,
}

/// Words before the program: keywords, and programs that run another one.
const WRAPPERS: [&str; 20] = [
    "!", "{", "if", "then", "else", "elif", "do", "while", "until", "time", "exec", "command",
    "sudo", "env", "nice", "nohup", "setsid", "timeout", "xargs", "eval",
];

impl ShellCommand {
    /// Program and arguments, without wrappers (`sudo -n env A=b PROGRAM …`).
    pub(crate) fn words_of_program(&self) -> &[ShellWord] {
        let mut rest = &self.words[..];
        let mut wrapped = false;
        while let Some(first) = rest.first() {
            let text = first.text.as_str();
            if WRAPPERS.contains(&text) {
                wrapped = true;
            } else {
                // options and numbers of the wrapper, assignments
                let of_wrapper = wrapped && (text.starts_with('-') || is_duration(text));
                if !of_wrapper && !is_assignment(text) {
                    break;
                }
            }
            rest = &rest[1..];
        }
        rest
    }

    /// The program's file name: `docker` for `/usr/bin/docker`.
    pub(crate) fn program(&self) -> &str {
        let word = self.words_of_program().first().map_or("", |word| word.text.as_str());
        word.rsplit('/').next().unwrap_or(word)
    }

    pub(crate) fn args(&self) -> Vec<&str> {
        self.words_of_program().iter().skip(1).map(|word| word.text.as_str()).collect()
    }

    /// All words in one string, for messages.
    pub(crate) fn shown(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        let text = words.join(" ");
        match text.char_indices().nth(100) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text,
        }
    }
}

fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn is_duration(word: &str) -> bool {
    let digits = word.trim_end_matches(['s', 'm', 'h', 'd']);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// The commands of `text`, whose first line is `first_line`. Commands in a substitution come before
/// the command that contains it.
pub(crate) fn commands(text: &str, first_line: usize) -> Vec<ShellCommand> {
    let mut lexer =
        Lexer { chars: text.chars().collect(), at: 0, line: first_line, ..Lexer::default() };
    lexer.run(0);
    lexer.commands
}

#[derive(Default)]
struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    current: ShellCommand,
    /// A redirection operator whose target comes next.
    redirect: Option<String>,
    /// Pending here-documents: delimiter, and true if leading tabs are removed.
    waiting: Vec<(String, bool)>,
    commands: Vec<ShellCommand>,
}

/// Depth of nested command substitutions. Deeper ones stay text.
const MAX_DEPTH: usize = 20;

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn run(&mut self, depth: usize) {
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\r' => drop(self.next()),
                '\\' if self.peek(1) == Some('\n') => {
                    self.next();
                    self.next();
                }
                '#' => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                '\n' => {
                    // the bodies belong to the command on this line
                    self.next();
                    self.read_heredocs();
                    self.end();
                }
                '&' if self.peek(1) == Some('>') => self.operator(2),
                '>' | '<' if self.peek(1) == Some('(') => {
                    self.next();
                }
                '>' | '<' => {
                    let length = match (c, self.peek(1), self.peek(2)) {
                        ('<', Some('<'), Some('<' | '-')) => 3,
                        (_, Some('>' | '<' | '&' | '|'), _) => 2,
                        _ => 1,
                    };
                    self.operator(length);
                }
                ';' | '&' | '|' | '(' | ')' => {
                    let operator = match (c, self.peek(1)) {
                        ('|', Some('|')) => "||",
                        ('&', Some('&')) => "&&",
                        ('|', _) => "|",
                        ('&', _) => "&",
                        _ => "",
                    };
                    for _ in 0..operator.len().max(1) {
                        self.next();
                    }
                    self.current.operator = operator;
                    self.end();
                }
                _ => self.word(depth),
            }
        }
        self.end();
    }

    fn operator(&mut self, length: usize) {
        let text: String =
            self.chars[self.at..(self.at + length).min(self.chars.len())].iter().collect();
        for _ in 0..length {
            self.next();
        }
        self.redirect = Some(text);
    }

    fn end(&mut self) {
        self.redirect = None;
        let command = std::mem::take(&mut self.current);
        if !command.words.is_empty() || !command.redirects.is_empty() {
            self.commands.push(command);
        }
    }

    fn read_heredocs(&mut self) {
        for (delimiter, tabs) in std::mem::take(&mut self.waiting) {
            let mut body = String::new();
            while self.at < self.chars.len() {
                let mut line = String::new();
                while let Some(c) = self.next() {
                    if c == '\n' {
                        break;
                    }
                    line.push(c);
                }
                let shown = if tabs { line.trim_start_matches('\t') } else { &line };
                if shown.trim_end_matches('\r') == delimiter {
                    break;
                }
                body += &line;
                body.push('\n');
            }
            self.current.heredocs.push(body);
        }
    }

    fn word(&mut self, depth: usize) {
        let line = self.line;
        let mut text = String::new();
        let mut nested: Vec<(String, usize)> = Vec::new();
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(c) => text.push(c),
                    }
                }
                '\'' => {
                    self.next();
                    while let Some(c) = self.next() {
                        if c == '\'' {
                            break;
                        }
                        text.push(c);
                    }
                }
                '"' => {
                    self.next();
                    self.double_quoted(&mut text, &mut nested);
                }
                '$' | '`' => self.expansion(&mut text, &mut nested),
                _ => {
                    text.push(c);
                    self.next();
                }
            }
        }
        // the number in `2>` belongs to the operator
        let numbered = matches!(self.peek(0), Some('>' | '<')) && !text.is_empty();
        if numbered && text.chars().all(|c| c.is_ascii_digit()) {
            return;
        }
        if self.current.words.is_empty() && self.current.redirects.is_empty() {
            self.current.line = line;
        }
        let word = ShellWord { text, line };
        match self.redirect.take() {
            Some(operator) if matches!(operator.as_str(), "<<" | "<<-") => {
                self.waiting.push((word.text, operator == "<<-"));
            }
            Some(operator) => self.current.redirects.push((operator, word)),
            None => self.current.words.push(word),
        }
        for (inner, line) in nested {
            if depth < MAX_DEPTH {
                let chars = inner.chars().collect();
                let mut lexer = Lexer { chars, line, ..Lexer::default() };
                lexer.run(depth + 1);
                self.commands.append(&mut lexer.commands);
            }
        }
    }

    fn double_quoted(&mut self, text: &mut String, nested: &mut Vec<(String, usize)>) {
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.next();
                    return;
                }
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') | None => {}
                        Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                        Some(c) => text.extend(['\\', c]),
                    }
                }
                '$' | '`' => self.expansion(text, nested),
                _ => {
                    text.push(c);
                    self.next();
                }
            }
        }
    }

    /// Reads `$x`, `${…}`, `${{ … }}`, `$(…)` or `` `…` `` as text. Commands in it go to `nested`.
    fn expansion(&mut self, text: &mut String, nested: &mut Vec<(String, usize)>) {
        let line = self.line;
        let start = self.at;
        let opening = self.next();
        let (open, close) = match (opening, self.peek(0)) {
            (Some('`'), _) => ('`', '`'),
            (_, Some('(')) => ('(', ')'),
            (_, Some('{')) => ('{', '}'),
            _ => {
                text.push('$');
                return;
            }
        };
        let mut depth = usize::from(open == '`');
        let mut quote = None;
        while let Some(c) = self.next() {
            match (c, quote) {
                ('\\', _) => drop(self.next()),
                (c, Some(q)) if c == q => quote = None,
                (_, Some('\'')) => {}
                ('\'' | '"', None) if open == '(' => quote = Some(c),
                (c, _) if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                (c, _) if c == open => depth += 1,
                _ => {}
            }
        }
        let whole: String = self.chars[start..self.at].iter().collect();
        if open != '{' && !whole.starts_with("$((") {
            let inner = whole.trim_start_matches(['$', '`']);
            let inner = if open == '(' { inner.strip_prefix('(').unwrap_or(inner) } else { inner };
            let inner = inner.strip_suffix(close).unwrap_or(inner);
            nested.push((inner.to_owned(), line));
        }
        text.push_str(&whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        commands(text, 1).iter().map(|c| format!("{}: {}", c.line, c.shown())).collect()
    }

    #[test]
    fn commands_with_their_lines() {
        let text = "# docker run\nset -e; a \\\n  b | c 'd e' && f\n\"x y\" # z\n";
        assert_eq!(shown(text), ["2: set -e", "2: a b", "3: c d e", "3: f", "4: x y"]);
    }

    #[test]
    fn here_documents_are_data() {
        let found = commands("cat >>\"$OUT\" <<'EOF'\ndocker run x\nEOF\nb <<-X\n\ty\n\tX\nc\n", 1);
        assert_eq!(shown("cat <<A <<B\n1\nA\n2\nB\nc")[1], "6: c");
        assert_eq!(found[0].heredocs, ["docker run x\n"]);
        assert_eq!(found[0].redirects[0].1.text, "$OUT");
        assert_eq!((found[1].shown().as_str(), found[2].line), ("b", 7));
    }

    #[test]
    fn what_a_substitution_runs_is_seen() {
        assert_eq!(
            shown("x=$(docker run \"$(a b)\" )\n"),
            ["1: a b", "1: docker run $(a b)", "1: x=$(docker run \"$(a b)\" )"]
        );
        assert_eq!(shown("echo `id -u` ${{ a.b }}")[1], "1: echo `id -u` ${{ a.b }}");
    }

    #[test]
    fn the_program_behind_its_wrappers() {
        let program = |text: &str| commands(text, 1)[0].program().to_owned();
        for text in
            ["docker run", "A=b sudo -n docker run", "timeout 10 /usr/bin/docker x", "! docker"]
        {
            assert_eq!(program(text), "docker", "{text}");
        }
    }

    #[test]
    fn nothing_makes_it_panic() {
        for text in
            ["'", "\"", "$(", "`", "${", "<<", "<<EOF", "\\", "a\\", "&>", "$((1)", ">", "2>"]
        {
            drop(commands(text, 1));
        }
        assert!(!commands(&"$(a ".repeat(5_000), 1).is_empty());
    }
}
