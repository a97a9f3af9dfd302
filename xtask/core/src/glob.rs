//! Patterns of file names: `*`, `**`, `?`, `[a-z]`, `[!a-z]`, `{a,b}` and `\` before a character that
//! stands for itself.

/// The characters that `*` and `?` match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Star {
    /// Any characters, as in gobwas/glob without separators, which Gitea's runner uses.
    AcrossSlashes,
    /// Any characters but `/`, as in a shell; `**` matches slashes, too. `**/` at the start of a name
    /// also matches nothing, as in .gitignore and .dockerignore. A class never matches `/`.
    WithinFolder,
}

/// Returns true if the pattern matches the whole text. Never takes exponential time.
pub fn matches(pattern: &str, text: &str, star: Star) -> bool {
    if !pattern.contains(['*', '?', '[', '{', '\\']) {
        return pattern == text;
    }
    alternatives(pattern, MOST_BRACES, &|one| whole(one, text, star))
}

/// Returns true if the pattern matches the path, with [`Star::WithinFolder`]. A leading `./` and
/// slashes at both ends of the path do not count.
pub fn matches_path(pattern: &str, path: &str) -> bool {
    matches(pattern, path.trim_start_matches("./").trim_matches('/'), Star::WithinFolder)
}

/// Length in bytes of the class (`[a-z]`) that the pattern begins with, and true if it contains `c`;
/// `None` if the pattern does not begin with a complete class.
pub fn class(pattern: &str, c: char) -> Option<(usize, bool)> {
    let rest = pattern.strip_prefix('[')?;
    let (members, negated) = match rest.strip_prefix(['!', '^']) {
        Some(members) => (members, true),
        None => (rest, false),
    };
    // a `]` that comes first is a member
    let first = members.chars().next()?.len_utf8();
    let end = first + members[first..].find(']')?;
    let length = pattern.len() - members.len() + end + 1;
    let mut members = members[..end].chars().peekable();
    let mut contains = false;
    while let Some(low) = members.next() {
        let mut ahead = members.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                contains |= (low..=high).contains(&c);
                members = ahead;
            }
            _ => contains |= low == c,
        }
    }
    Some((length, contains != negated))
}

/// Braces that are unfolded; further ones are literal.
const MOST_BRACES: usize = 4;

/// Tries each alternative of the braces until `matches` returns true.
fn alternatives(pattern: &str, most: usize, matches: &dyn Fn(&str) -> bool) -> bool {
    let braces = pattern.find('{').and_then(|open| {
        let close = pattern[open..].find('}')? + open;
        (most > 0).then_some((open, close))
    });
    let Some((open, close)) = braces else { return matches(pattern) };
    pattern[open + 1..close].split(',').any(|choice| {
        let one = format!("{}{choice}{}", &pattern[..open], &pattern[close + 1..]);
        alternatives(&one, most - 1, matches)
    })
}

/// The place to continue after a mismatch: the pattern behind a star, and the place in the text where
/// to try it next.
#[derive(Clone, Copy)]
struct Retry {
    pattern: usize,
    text: usize,
    /// The star is `**/`: what follows begins at the start of a name.
    at_names: bool,
}

/// Matches a pattern without braces. After a mismatch the last star takes one more character; one
/// that must not take it gives way to the last star that crosses slashes. Earlier stars never need
/// another try: whatever they could take, the later one can.
fn whole(pattern: &str, text: &str, star: Star) -> bool {
    let (mut p, mut t) = (0, 0);
    let (mut within, mut across): (Option<Retry>, Option<Retry>) = (None, None);
    loop {
        let rest = &pattern[p..];
        if rest.starts_with('*') {
            let stars = rest.len() - rest.trim_start_matches('*').len();
            p += stars;
            if star == Star::WithinFolder && stars == 1 {
                within = Some(Retry { pattern: p, text: t, at_names: false });
            } else {
                let starts_name = matches!(pattern[..p - stars].bytes().last(), None | Some(b'/'));
                let at_names =
                    star == Star::WithinFolder && starts_name && pattern[p..].starts_with('/');
                p += usize::from(at_names);
                within = None;
                across = Some(Retry { pattern: p, text: t, at_names });
            }
            continue;
        }
        let next = text[t..].chars().next();
        if rest.is_empty() && next.is_none() {
            return true;
        }
        if let Some(c) = next
            && let Some(length) = one(rest, c, star)
        {
            p += length;
            t += c.len_utf8();
            continue;
        }
        // one more character for the last star
        let taken = |retry: Retry| {
            let rest = &text[retry.text..];
            let c = rest.chars().next()?;
            Some(match retry.at_names {
                true => retry.text + rest.find('/')? + 1,
                false => retry.text + c.len_utf8(),
            })
        };
        let in_name = within.filter(|retry| !text[retry.text..].starts_with('/'));
        within = in_name.and_then(|retry| Some(Retry { text: taken(retry)?, ..retry }));
        if within.is_none() {
            across = across.and_then(|retry| Some(Retry { text: taken(retry)?, ..retry }));
        }
        let Some(retry) = within.or(across) else { return false };
        (p, t) = (retry.pattern, retry.text);
    }
}

/// Length in bytes of the pattern's first element if it matches the character; it is no star.
fn one(pattern: &str, c: char, star: Star) -> Option<usize> {
    let mut signs = pattern.chars();
    let first = signs.next()?;
    match first {
        '?' => (star == Star::AcrossSlashes || c != '/').then_some(1),
        '[' => match class(pattern, c) {
            Some((length, contains)) => {
                (contains && (star == Star::AcrossSlashes || c != '/')).then_some(length)
            }
            None => (c == '[').then_some(1),
        },
        '\\' => match signs.next() {
            Some(literal) => (c == literal).then_some(1 + literal.len_utf8()),
            None => (c == '\\').then_some(1),
        },
        literal => (c == literal).then_some(literal.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Star::*;

    #[test]
    fn patterns() {
        for (pattern, text, star, expected) in [
            ("*.json", "a/b.json", AcrossSlashes, true),
            ("*.json", "a/b.json", WithinFolder, false),
            ("**/x", "a/b/x", WithinFolder, true),
            ("**/x", "x", WithinFolder, true),
            ("**/x", "x", AcrossSlashes, false),
            ("v[0-9]*", "v1.2", WithinFolder, true),
            ("v[!0-9]*", "v1.2", WithinFolder, false),
            ("v[0-9a-c-]", "v-", WithinFolder, true),
            ("[]]", "]", WithinFolder, true),
            ("[ä-ü]", "ö", WithinFolder, true),
            ("{a,b}c", "bc", WithinFolder, true),
            ("{a,b}{c,d}", "bd", WithinFolder, true),
            ("a?c", "a/c", WithinFolder, false),
            ("a?c", "a/c", AcrossSlashes, true),
            ("a?c", "aéc", WithinFolder, true),
            (r"\*", "*", WithinFolder, true),
            (r"\*", "x", WithinFolder, false),
            (r"a\", r"a\", WithinFolder, true),
            ("/root/.docker/config.json", "/root/.docker", AcrossSlashes, false),
            ("**", "/x/y", AcrossSlashes, true),
            ("[", "[", WithinFolder, true),
            ("", "", WithinFolder, true),
            ("*", "", WithinFolder, true),
            ("*", "é", WithinFolder, true),
        ] {
            assert_eq!(matches(pattern, text, star), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_of_paths() {
        for (pattern, path, expected) in [
            ("etc/nvme/host*", "etc/nvme/hostid", true),
            ("**/*.pyc", "x.pyc", true),
            ("**/*.pyc", "usr/lib/a/b.pyc", true),
            ("var/log/**", "var/log/apt/x.log", true),
            ("var/lib/dkms/**/log/**", "var/lib/dkms/tirdad/1/log/make.log", true),
            ("etc/*-", "/etc/passwd-", true),
            ("etc/*", "./etc/x/", true),
            ("etc/*", "etc/a/b", false),
            ("**/*.pyc", "x.py", false),
            ("etc/passwd", "etc/passwd-", false),
        ] {
            assert_eq!(matches_path(pattern, path), expected, "{pattern} {path}");
        }
    }

    /// The definition of a match, by trying everything: slow, but plainly right.
    fn by_trying(before: u8, pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', b'/', rest @ ..] if before == b'/' => {
                let mut names = (0..text.len()).filter(|i| text[*i] == b'/');
                by_trying(b'/', rest, text) || names.any(|i| by_trying(b'/', rest, &text[i + 1..]))
            }
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|i| by_trying(b'*', rest, &text[i..])),
            [b'*', rest @ ..] => {
                let name = text.iter().position(|b| *b == b'/').unwrap_or(text.len());
                (0..=name).any(|i| by_trying(b'*', rest, &text[i..]))
            }
            [b'?', rest @ ..] => {
                text.first().is_some_and(|b| *b != b'/') && by_trying(b'?', rest, &text[1..])
            }
            [sign, rest @ ..] => text.first() == Some(sign) && by_trying(*sign, rest, &text[1..]),
        }
    }

    /// All strings of these signs up to a length.
    fn strings(signs: &str, most: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..most {
            let longest = all.len();
            for i in from..longest {
                all.extend(
                    signs.chars().map(|sign| format!("{}{sign}", all[i])).collect::<Vec<_>>(),
                );
            }
            from = longest;
        }
        all
    }

    #[test]
    fn every_short_pattern_matches_what_trying_everything_matches() {
        let texts = strings("ab/", 5);
        for pattern in strings("a/*?", 6).iter().filter(|pattern| !pattern.contains("***")) {
            for text in &texts {
                let expected = by_trying(b'/', pattern.as_bytes(), text.as_bytes());
                assert_eq!(matches(pattern, text, WithinFolder), expected, "{pattern} {text}");
            }
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499), AcrossSlashes));
        assert!(!matches(&"**/*a".repeat(500), &"a/".repeat(499), WithinFolder));
    }
}
