//! The files that sshd's settings name (sshd_config(5)).

/// Files in which sshd looks for its settings.
pub(super) const SETTINGS: [&str; 2] = ["etc/ssh/sshd_config", "etc/ssh/sshd_config.d/*"];

/// Paths that stand in sshd's settings.
#[derive(Default)]
pub(super) struct NamedFiles {
    /// Host keys. Those that have the usual names are left out: they are forbidden anyway.
    pub(super) host_keys: Vec<String>,
    /// Settings that none of [`SETTINGS`] is.
    pub(super) includes: Vec<String>,
}

/// All paths in one file of settings.
pub(super) fn named(text: &str) -> NamedFiles {
    let mut files = NamedFiles::default();
    for line in text.lines() {
        let words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        let mut words = words.map(|word| word.trim_matches('"').to_owned());
        let (paths, usual) = match words.next().unwrap_or_default().to_lowercase().as_str() {
            "hostkey" => (&mut files.host_keys, "/etc/ssh/ssh_host_"),
            "include" => (&mut files.includes, "/etc/ssh/sshd_config.d/"),
            _ => continue,
        };
        // `/etc/ssh/sshd_config.d/../x` is somewhere else
        let is_usual = |path: &str| path.strip_prefix(usual).is_some_and(|end| !end.contains('/'));
        paths.extend(words.filter(|path| !is_usual(path)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_beside_the_usual_ones() {
        let named = named(
            "HostKey /etc/ssh/ssh_host_rsa_key\nhostkey=\"/opt/key\"\n\
             Include /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config.d/../x /etc/ssh/ssh_host_x\n\
             # HostKey /srv/key\n",
        );
        assert_eq!(named.host_keys, ["/opt/key"]);
        assert_eq!(named.includes, ["/etc/ssh/sshd_config.d/../x", "/etc/ssh/ssh_host_x"]);
    }
}
