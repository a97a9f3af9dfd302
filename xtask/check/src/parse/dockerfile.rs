//! Dockerfiles: directives, continuations, here-documents, stages, build arguments.
//!
//! Grammar: the Dockerfile reference of Docker's documentation.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(crate) struct Dockerfile {
    /// The `# syntax=…` directive and its line.
    pub(crate) syntax: Option<(usize, String)>,
    pub(crate) instructions: Vec<Instruction>,
    /// Syntax errors: line and reason.
    pub(crate) errors: Vec<(usize, String)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) line: usize,
    /// Upper case.
    pub(crate) keyword: String,
    /// Flags such as `--from=x`: name without dashes, and value.
    pub(crate) flags: Vec<(String, String)>,
    /// The text after the flags. A newline joins continuations, so that lines can be counted.
    pub(crate) args: String,
    /// The line that `args` begins on.
    pub(crate) args_line: usize,
    pub(crate) heredocs: Vec<Heredoc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heredoc {
    pub(crate) name: String,
    /// The first line of its text.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// One `FROM` and what follows it.
#[derive(Debug)]
pub(crate) struct BuildStage<'a> {
    pub(crate) from: &'a Instruction,
    /// As written, with the defaults of build arguments filled in.
    pub(crate) image: String,
    pub(crate) name: Option<String>,
    pub(crate) instructions: Vec<&'a Instruction>,
}

impl<'a> BuildStage<'a> {
    /// Returns the last instruction with this keyword, which is the one that counts.
    pub(crate) fn last(&self, keyword: &str) -> Option<&'a Instruction> {
        self.instructions.iter().rfind(|instruction| instruction.keyword == keyword).copied()
    }
}

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Instruction {
    pub(crate) fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The arguments as words, from the JSON form or split at blanks.
    pub(crate) fn words(&self) -> Vec<String> {
        if let Ok(serde_json::Value::Array(items)) = serde_json::from_str(&self.args) {
            return items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect();
        }
        let command = crate::parse::shell::commands(&self.args.replace('\n', " "), self.args_line);
        command.into_iter().flat_map(|c| c.words).map(|word| word.text).collect()
    }

    /// The shell text of a RUN, and its first line.
    pub(crate) fn scripts(&self) -> Vec<(usize, String)> {
        let mut scripts = Vec::new();
        if let Ok(serde_json::Value::Array(_)) = serde_json::from_str(&self.args) {
            scripts.push((self.args_line, self.words().join(" ")));
        } else {
            scripts.push((self.args_line, self.args.replace('\n', "\\\n")));
        }
        scripts.extend(self.heredocs.iter().map(|h| (h.line, h.text.clone())));
        scripts
    }
}

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Dockerfile {
        let lines: Vec<&str> = text.lines().collect();
        let mut file = Dockerfile::default();
        let mut escape = '\\';
        let mut at = 0;
        // directives are comments `# key=value` at the very top
        while let Some((key, value)) = lines.get(at).and_then(|line| directive(line)) {
            match key.as_str() {
                "syntax" => file.syntax = Some((at + 1, value)),
                "escape" if matches!(value.as_str(), "\\" | "`") => {
                    escape = if value == "`" { '`' } else { '\\' };
                }
                "escape" => file.errors.push((at + 1, format!("escape directive `{value}`"))),
                _ => {}
            }
            at += 1;
        }
        while at < lines.len() {
            let line = lines[at].trim();
            if line.is_empty() || line.starts_with('#') {
                at += 1;
                continue;
            }
            at = file.instruction(&lines, at, escape);
        }
        file
    }

    /// Reads the instruction that begins on line `start`; returns the line after it.
    fn instruction(&mut self, lines: &[&str], start: usize, escape: char) -> usize {
        let mut text = String::new();
        let mut at = start;
        while at < lines.len() {
            let line = lines[at].trim_end();
            at += 1;
            // skips comments and blank lines inside an instruction, but counts their lines
            let skipped =
                at > start + 1 && (line.trim().is_empty() || line.trim_start().starts_with('#'));
            if skipped {
                text.push('\n');
                continue;
            }
            match line.strip_suffix(escape) {
                Some(more) => {
                    text += more;
                    text.push('\n');
                    if at == lines.len() {
                        self.errors.push((at, "the last line ends in a continuation".into()));
                    }
                }
                None => {
                    text += line;
                    break;
                }
            }
        }
        let (keyword, rest) = split_word(&text);
        let mut found = Instruction {
            line: start + 1,
            keyword: keyword.to_ascii_uppercase(),
            ..Instruction::default()
        };
        if !KEYWORDS.contains(&found.keyword.as_str()) {
            self.errors.push((start + 1, format!("`{keyword}` is no instruction")));
        }
        let mut rest = rest;
        while let Some(flag) = rest.strip_prefix("--") {
            let (word, after) = split_word(flag);
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            found.flags.push((key.to_owned(), value.to_owned()));
            rest = after;
        }
        let consumed = text.len() - rest.len();
        found.args_line = start + 1 + text[..consumed].matches('\n').count();
        found.args = rest.trim_end().to_owned();
        if matches!(found.keyword.as_str(), "RUN" | "COPY" | "ADD") {
            for (name, tabs) in heredoc_names(&found.args) {
                let first = at;
                let mut body = String::new();
                loop {
                    let Some(line) = lines.get(at) else {
                        self.errors
                            .push((start + 1, format!("the here-document {name} has no end")));
                        break;
                    };
                    at += 1;
                    let line = if tabs { line.trim_start_matches('\t') } else { line };
                    if line.trim_end_matches('\r') == name {
                        break;
                    }
                    body += line;
                    body.push('\n');
                }
                found.heredocs.push(Heredoc { name, line: first + 1, text: body });
            }
        }
        self.instructions.push(found);
        at
    }

    /// Default values of the arguments before the first FROM.
    fn defaults(&self) -> BTreeMap<String, String> {
        let before = self.instructions.iter().take_while(|i| i.keyword != "FROM");
        let args = before.filter(|i| i.keyword == "ARG");
        let mut defaults = BTreeMap::new();
        for arg in args {
            for word in arg.words() {
                if let Some((name, value)) = word.split_once('=') {
                    let value = expand(value, &defaults);
                    defaults.insert(name.to_owned(), value);
                }
            }
        }
        defaults
    }

    /// The instruction that declares a build argument before the first FROM.
    pub(crate) fn argument(&self, name: &str) -> Option<&Instruction> {
        let mut before = self.instructions.iter().take_while(|i| i.keyword != "FROM");
        before.find(|i| {
            let declares = |word: &String| word.split('=').next() == Some(name);
            i.keyword == "ARG" && i.words().iter().any(declares)
        })
    }

    pub(crate) fn stages(&self) -> Vec<BuildStage<'_>> {
        let defaults = self.defaults();
        let mut stages: Vec<BuildStage<'_>> = Vec::new();
        for instruction in &self.instructions {
            if instruction.keyword == "FROM" {
                let words: Vec<&str> = instruction.args.split_whitespace().collect();
                let named = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("as"));
                stages.push(BuildStage {
                    from: instruction,
                    image: expand(words.first().copied().unwrap_or_default(), &defaults),
                    name: words.get(2).filter(|_| named).map(|name| name.to_ascii_lowercase()),
                    instructions: Vec::new(),
                });
            } else if let Some(stage) = stages.last_mut() {
                stage.instructions.push(instruction);
            }
        }
        stages
    }
}

/// Bytes. Arguments that contain each other twice would fill the memory without this limit.
const LONGEST: usize = 4096;

/// Expands `$NAME`, `${NAME}` and `${NAME:-default}`. A name without a value, or a result beyond
/// [`LONGEST`], stays as written.
pub(crate) fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out += &rest[..dollar];
        let after = &rest[dollar + 1..];
        let (name, default, length) = if let Some(braced) = after.strip_prefix('{') {
            let Some(end) = braced.find('}') else {
                return out + &rest[dollar..];
            };
            let (name, default) = braced[..end]
                .split_once(":-")
                .map_or((&braced[..end], None), |(n, d)| (n, Some(d)));
            (name, default, end + 2)
        } else {
            let end =
                after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            (&after[..end], None, end)
        };
        match values.get(name).map(String::as_str).filter(|v| !v.is_empty()).or(default) {
            Some(value) => out += value,
            None => out += &rest[dollar..dollar + 1 + length],
        }
        if out.len() > LONGEST {
            return text.to_owned();
        }
        rest = &after[length..];
    }
    out + rest
}

fn directive(line: &str) -> Option<(String, String)> {
    let (key, value) = line.trim().strip_prefix('#')?.split_once('=')?;
    let key = key.trim().to_ascii_lowercase();
    let known = matches!(key.as_str(), "syntax" | "escape" | "check");
    known.then(|| (key, value.trim().to_owned()))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Here-document delimiters in a line: `<<EOF`, `<<-EOF`, `<<"EOF"`.
fn heredoc_names(args: &str) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    for (at, _) in args.match_indices("<<") {
        let before = args[..at].chars().next_back();
        let after = &args[at + 2..];
        if after.starts_with('<') || before == Some('<') {
            continue;
        }
        let tabs = after.starts_with('-');
        let after = after.trim_start_matches('-');
        let name: String = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                after[1..].split(quote).next().unwrap_or_default().to_owned()
            }
            _ => after.chars().take_while(|c| c.is_alphanumeric() || "_.-".contains(*c)).collect(),
        };
        if !name.is_empty() {
            names.push((name, tabs));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuations_comments_and_heredocs() {
        let text = "# syntax=docker/dockerfile:1\n# escape=`\nARG B=x:1\nFROM --platform=linux/amd64 ${B} AS one\nRUN a `\n# no\n\n  && b\nRUN <<EOF bash\ndocker \\\nEOF\nCOPY <<-'X' /y\n\tz\n\tX\nFROM one\n";
        let file = Dockerfile::parse(text);
        assert_eq!(file.errors, []);
        assert_eq!(file.syntax, Some((1, "docker/dockerfile:1".into())));
        let stages = file.stages();
        assert_eq!((stages[0].image.as_str(), stages[0].name.as_deref()), ("x:1", Some("one")));
        assert_eq!(stages[1].from.line, 15);
        let run = stages[0].instructions[0];
        assert_eq!((run.line, run.args.as_str()), (5, "a \n\n\n  && b"));
        let heredoc = &stages[0].instructions[1].heredocs[0];
        assert_eq!((heredoc.line, heredoc.text.as_str()), (10, "docker \\\n"));
        assert_eq!(stages[0].instructions[2].heredocs[0].text, "z\n");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let lines =
            |text: &str| Dockerfile::parse(text).errors.iter().map(|f| f.0).collect::<Vec<_>>();
        assert_eq!(lines("FORM x\n"), [1]);
        assert_eq!(lines("RUN <<EOF\nx\n"), [1]);
        assert_eq!(lines("FROM x\nRUN a \\\n"), [2]);
        assert_eq!(lines(""), Vec::<usize>::new());
    }

    #[test]
    fn json_and_shell_words() {
        let words = |text: &str| Dockerfile::parse(text).instructions[0].words();
        assert_eq!(words("COPY [\"a b\", \"c\"]"), ["a b", "c"]);
        assert_eq!(words("COPY --chmod=755 a \\\n b"), ["a", "b"]);
    }

    #[test]
    fn arguments_are_put_in() {
        let values = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        assert_eq!(expand("$A-${A}-${B:-2}-$B-${", &values), "1-1-2-$B-${");
        let mut bomb = "ARG A0=xxxxxxxx\n".to_owned();
        (0..60).for_each(|n| bomb += &format!("ARG A{}=${{A{n}}}${{A{n}}}\n", n + 1));
        let file = Dockerfile::parse(&(bomb + "FROM $A60\n"));
        assert!(file.stages()[0].image.len() <= 2 * LONGEST);
    }
}
