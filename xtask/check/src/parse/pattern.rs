//! File name patterns: `*`, `?`, `[a-z]`, `{a,b}`.

/// Whether a star crosses `/`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Star {
    /// As in gobwas/glob without separators, which the runner uses: `*` takes everything.
    AcrossSlashes,
    /// As in file names; `**` crosses.
    WithinFolder,
}

/// Whether all of `text` matches.
pub fn matches(pattern: &str, text: &str, star: Star) -> bool {
    if !pattern.contains(['*', '?', '[', '{', '\\']) {
        return pattern == text;
    }
    let text: Vec<char> = text.chars().collect();
    alternatives(pattern, 0).iter().any(|p| {
        let pattern: Vec<char> = p.chars().collect();
        one(&pattern, &text, star)
    })
}

/// Braces unfolded; beyond a sane number the rest stays literal.
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

/// Reachable positions of the pattern after each character: linear in both, whatever the stars.
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

/// Length of the class at the pattern's start, and whether it holds `c`.
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
    fn many_stars_stay_cheap() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499), Star::AcrossSlashes));
    }
}
