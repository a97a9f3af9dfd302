//! Patterns of paths: `*` is anything within a name, `**` anything at all.

/// Whether the whole of `path` is as `pattern` says; `**/` matches nothing as well.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let path = path.trim_start_matches("./").trim_matches('/');
    walk(pattern.as_bytes(), path.as_bytes())
}

fn walk(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            walk(rest, path)
                || path.iter().enumerate().any(|(i, b)| *b == b'/' && walk(rest, &path[i + 1..]))
        }
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|i| walk(rest, &path[i..])),
        [b'*', rest @ ..] => {
            let name = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=name).any(|i| walk(rest, &path[i..]))
        }
        [sign, rest @ ..] => path.first() == Some(sign) && walk(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_match_as_in_a_shell() {
        for (pattern, path) in [
            ("etc/nvme/host*", "etc/nvme/hostid"),
            ("**/*.pyc", "x.pyc"),
            ("**/*.pyc", "usr/lib/a/b.pyc"),
            ("var/log/**", "var/log/apt/x.log"),
            ("var/lib/dkms/**/log/**", "var/lib/dkms/tirdad/1/log/make.log"),
            ("etc/*-", "/etc/passwd-"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("etc/*", "etc/a/b"), ("**/*.pyc", "x.py"), ("etc/passwd", "etc/passwd-")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
