//! Paths in archives and images.

/// A path without `.`, `..`, doubled slashes, and slashes at its ends. Links on the way are not followed.
pub fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_plain_path() {
        for path in ["etc/x", "/etc//x", "./etc/./x", "usr/../etc/x", "../../etc/x", "etc/x/"] {
            assert_eq!(plain(path), "etc/x", "{path}");
        }
        assert_eq!(plain("/.."), "");
    }
}
