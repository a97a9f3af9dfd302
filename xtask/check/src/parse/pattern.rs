//! File name patterns: `*`, `?`, `[a-z]`, `{a,b}`.

/// Meaning of `*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Star {
    /// `*` matches everything, as in the runner's gobwas/glob without separators.
    AcrossSlashes,
    /// `*` stops at `/`, and `**` does not.
    WithinFolder,
}

/// True if all of `text` matches.
pub(crate) fn matches(pattern: &str, text: &str, star: Star) -> bool {
    if !pattern.contains(['*', '?', '[', '{', '\\']) {
        return pattern == text;
    }
    let text: Vec<char> = text.chars().collect();
    alternatives(pattern, 0).iter().any(|p| {
        let pattern: Vec<char> = p.chars().collect();
        one(&pattern, &text, star)
    })
}

/// True if a workflow's filter (`on.push.tags`) matches a name. In filters, `?` and `+` repeat the
/// character before them: see GitHub's "Filter pattern cheat sheet", which Gitea follows.
pub(crate) fn selects(filter: &str, name: &str) -> bool {
    let letters: Vec<char> = filter.chars().collect();
    let filter = &letters[..];
    let mut ends = vec![true];
    ends.resize(name.chars().count() + 1, false);
    let mut at = 0;
    while at < filter.len() {
        let (length, takes): (usize, Box<dyn Fn(char) -> bool>) = match filter[at] {
            '*' if filter.get(at + 1) == Some(&'*') => (2, Box::new(|_| true)),
            '*' => (1, Box::new(|c| c != '/')),
            '\\' if at + 1 < filter.len() => (2, Box::new(move |c| c == filter[at + 1])),
            '[' if class(&filter[at..], ' ').is_some() => {
                let set = &filter[at..];
                let length = class(set, ' ').map_or(1, |(length, _)| length);
                (length, Box::new(move |c| class(set, c).is_some_and(|(_, hit)| hit)))
            }
            other => (1, Box::new(move |c| c == other)),
        };
        let star = filter[at] == '*';
        at += length;
        let often = filter.get(at).copied().filter(|c| !star && matches!(c, '?' | '+'));
        at += usize::from(often.is_some());
        // `ends` holds where the parts so far may end; `next`, where this part may
        let mut next =
            if star || often == Some('?') { ends.clone() } else { vec![false; ends.len()] };
        for (n, c) in name.chars().enumerate() {
            let begins = ends[n] || ((star || often == Some('+')) && next[n]);
            next[n + 1] |= begins && takes(c);
        }
        ends = next;
    }
    ends.last() == Some(&true)
}

/// Expands braces. More than four stay literal.
fn alternatives(pattern: &str, depth: usize) -> Vec<String> {
    let braces = pattern.find('{').and_then(|open| {
        let close = pattern[open..].find('}')? + open;
        Some((open, close))
    });
    match braces {
        Some((open, close)) if depth < 4 => pattern[open + 1..close]
            .split(',')
            .flat_map(|choice| {
                let unfolded = format!("{}{choice}{}", &pattern[..open], &pattern[close + 1..]);
                alternatives(&unfolded, depth + 1)
            })
            .collect(),
        _ => vec![pattern.to_owned()],
    }
}

/// Matches without backtracking: tracks all reachable positions, so many stars stay cheap.
fn one(pattern: &[char], text: &[char], star: Star) -> bool {
    let mut states = vec![false; pattern.len() + 1];
    states[0] = true;
    skip_stars(pattern, &mut states);
    for &c in text {
        let mut next = vec![false; pattern.len() + 1];
        for at in (0..pattern.len()).filter(|&at| states[at]) {
            match pattern[at] {
                '*' => {
                    let double =
                        pattern.get(at + 1) == Some(&'*') || (at > 0 && pattern[at - 1] == '*');
                    next[at] |= star == Star::AcrossSlashes || double || c != '/';
                }
                '?' => next[at + 1] |= star == Star::AcrossSlashes || c != '/',
                '[' => {
                    if let Some((end, hit)) = class(&pattern[at..], c) {
                        next[at + end] |= hit;
                    } else {
                        next[at + 1] |= c == '[';
                    }
                }
                '\\' if at + 1 < pattern.len() => next[at + 2] |= pattern[at + 1] == c,
                p => next[at + 1] |= p == c,
            }
        }
        skip_stars(pattern, &mut next);
        states = next;
    }
    states[pattern.len()]
}

fn skip_stars(pattern: &[char], states: &mut [bool]) {
    for at in 0..pattern.len() {
        if states[at] && pattern[at] == '*' {
            states[at + 1] = true;
        }
    }
}

/// Length of the class at the pattern's start, and true if it contains `c`.
fn class(pattern: &[char], c: char) -> Option<(usize, bool)> {
    let end = pattern.iter().skip(2).position(|&p| p == ']')? + 2;
    let negated = matches!(pattern[1], '!' | '^');
    let members = &pattern[1 + usize::from(negated)..end];
    let mut hit = false;
    let mut at = 0;
    while at < members.len() {
        if members.get(at + 1) == Some(&'-') && at + 2 < members.len() {
            hit |= (members[at]..=members[at + 2]).contains(&c);
            at += 3;
        } else {
            hit |= members[at] == c;
            at += 1;
        }
    }
    Some((end + 1, hit != negated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        use Star::*;
        for (pattern, text, star, expected) in [
            ("*.json", "a/b.json", AcrossSlashes, true),
            ("*.json", "a/b.json", WithinFolder, false),
            ("**/x", "a/b/x", WithinFolder, true),
            ("v[0-9]*", "v1.2", WithinFolder, true),
            ("v[!0-9]*", "v1.2", WithinFolder, false),
            ("{a,b}c", "bc", WithinFolder, true),
            ("a?c", "a/c", WithinFolder, false),
            ("/root/.docker/config.json", "/root/.docker", AcrossSlashes, false),
            ("**", "/x/y", AcrossSlashes, true),
            ("[", "[", WithinFolder, true),
        ] {
            assert_eq!(matches(pattern, text, star), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn filters_of_workflows() {
        for (filter, name, expected) in [
            ("v*", "v1.1.0", true),
            ("v*", "v1/1", false),
            ("**", "v1/1", true),
            ("v[0-9]+.[0-9]+.[0-9]+", "v1.10.0", true),
            ("v[0-9]+.[0-9]+.[0-9]+", "v1.1.0-rc1", false),
            ("v[0-9]+", "v", false),
            ("v?1", "1", true),
            ("v1?", "v", true),
            ("v1.?.0", "v1.1.0", false),
            ("v1.\\*", "v1.*", true),
            ("[", "[", true),
            ("", "", true),
        ] {
            assert_eq!(selects(filter, name), expected, "{filter} {name}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499), Star::AcrossSlashes));
    }
}
