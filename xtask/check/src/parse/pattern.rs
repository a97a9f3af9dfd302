//! Patterns: those of file names, and the filters of a workflow.

pub(crate) use xtask_core::glob::{Star, matches};

use xtask_core::glob::class;

/// True if a workflow's filter (`on.push.tags`) matches a name. In filters, `?` and `+` repeat the
/// character before them: see GitHub's "Filter pattern cheat sheet", which Gitea follows.
pub(crate) fn selects(filter: &str, name: &str) -> bool {
    let mut ends = vec![true];
    ends.resize(name.chars().count() + 1, false);
    let mut rest = filter;
    while let Some(first) = rest.chars().next() {
        let part = rest;
        let second = part[first.len_utf8()..].chars().next();
        let (length, takes): (usize, Box<dyn Fn(char) -> bool>) = match (first, second) {
            ('*', Some('*')) => (2, Box::new(|_| true)),
            ('*', _) => (1, Box::new(|c| c != '/')),
            ('\\', Some(literal)) => (1 + literal.len_utf8(), Box::new(move |c| c == literal)),
            (literal, _) => match class(part, ' ') {
                Some((length, _)) => {
                    (length, Box::new(|c| class(part, c).is_some_and(|(_, contains)| contains)))
                }
                None => (literal.len_utf8(), Box::new(move |c| c == literal)),
            },
        };
        let star = first == '*';
        rest = &part[length..];
        let often = rest.chars().next().filter(|c| !star && matches!(c, '?' | '+'));
        rest = &rest[usize::from(often.is_some())..];
        // where this part may begin is known; where may it end?
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
