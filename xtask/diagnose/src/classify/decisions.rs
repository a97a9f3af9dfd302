//! Files in which a value is somebody's decision: settings, and code. Nothing in them stands for a trace of
//! the build, unless it is in a comment or the rule knows the very file.

use super::rule::At;
use crate::edits::{Edit, Reordered};

/// Files that programs take settings from.
const SETTINGS: &[&str] = &[
    "etc/**",
    "**/boot/**",
    "loader/**",
    "**/bash-completion/**",
    "**/site-functions/**",
    "**/vendor-completions/**",
    "**/binfmts/**",
    "**/gconv/**",
    "**/grub/**",
    "**/inputrc",
    "**/keymaps/**",
    "**/ldscripts/**",
    "**/mime/packages/**",
    "usr/share/base-passwd/**",
    "usr/share/dpkg/**",
    "usr/share/iproute2/**",
    "usr/share/menu/**",
    "usr/share/pam/**",
    "var/lib/dpkg/alternatives/**",
    "var/lib/dpkg/diversions",
    "var/lib/dpkg/statoverride",
    "var/lib/dpkg/triggers/**",
    "var/lib/pam/**",
    "**/entry_points.txt",
    "isolinux/**",
    "syslinux/**",
    "**/systemd/**",
    "var/lib/iptables/**",
    "var/spool/**",
    "**/*torrc*",
    "**/apparmor.d/**",
    "**/cron.*/**",
    "**/dbus-1/**",
    "**/modprobe.d/**",
    "**/pam.d/**",
    "**/polkit-1/**",
    "**/preferences.d/**",
    "**/sudoers.d/**",
    "**/sysctl.d/**",
    "**/tmpfiles.d/**",
    "**/.config/**",
    "**/.ssh/**",
    "**/.bash_aliases",
    "**/.bash_login",
    "**/.bash_profile",
    "**/.bashrc",
    "**/.cmdline",
    "**/.gitconfig",
    "**/.netrc",
    "**/.profile",
    "**/.xprofile",
    "**/.xsession*",
    "**/.zprofile",
    "**/.zshrc",
    "**/.htaccess",
    "**/.htpasswd",
    "**/authorized_keys",
    "**/cmdline*",
    "**/crontab",
    "**/crypttab",
    "**/fstab",
    "**/grubenv",
    "**/known_hosts*",
    "**/menu.lst",
    "**/meta-data",
    "**/pxelinux.cfg/**",
    "**/sudoers",
    "**/user-data",
    "**/vendor-data",
    "**/hosts",
    "**/modules.order",
    "**/ssh_config",
    "**/sshd_config",
    "**/*.d/**",
    "**/*.acl",
    "**/*.cf",
    "**/*.cfg",
    "**/*.cil",
    "**/*.cnf",
    "**/*.conf",
    "**/*.config",
    "**/*.desktop",
    "**/*.hwdb",
    "**/*.ign",
    "**/*.inf",
    "**/*.ini",
    "**/*.json",
    "**/*.json5",
    "**/*.jsonc",
    "**/*.kdl",
    "**/*.ldif",
    "**/*.link",
    "**/*.mount",
    "**/*.netdev",
    "**/*.network",
    "**/*.nft",
    "**/*.nmconnection",
    "**/*.override",
    "**/*.ovpn",
    "**/*.path",
    "**/*.pcrlock",
    "**/*.plist",
    "**/*.preset",
    "**/*.so",
    "**/*.spec",
    "**/*.policy",
    "**/*.pol",
    "**/*.pref",
    "**/*.pkla",
    "**/*.prefs",
    "**/*.properties",
    "**/*.reg",
    "**/*.repo",
    "**/*.ron",
    "**/*.rules",
    "**/*.service",
    "**/*.slice",
    "**/*.socket",
    "**/*.sources",
    "**/*.target",
    "**/*.te",
    "**/*.timer",
    "**/*.toml",
    "**/*.vcl",
    "**/*.xml",
    "**/*.yaml",
    "**/*.yml",
    "**/*.zone",
];

/// Words in a file's name that say that somebody is let in by it, or kept out.
const NAMES: [&str; 26] = [
    "acl",
    "admins",
    "allow",
    "allowed",
    "allowlist",
    "authorized",
    "blacklist",
    "blocklist",
    "credentials",
    "denied",
    "deny",
    "denylist",
    "firewall",
    "passwd",
    "password",
    "passwords",
    "permissions",
    "policies",
    "policy",
    "revoked",
    "rules",
    "secret",
    "secrets",
    "trust",
    "trusted",
    "whitelist",
];

/// Words of rules, of which the first that fits may decide.
const CHOICES: [&str; 12] = [
    "accept",
    "allow",
    "deny",
    "drop",
    "forbid",
    "optional",
    "permit",
    "refuse",
    "reject",
    "required",
    "requisite",
    "sufficient",
];

/// Lists below etc/ whose order means nothing: each line stands for itself.
const UNORDERED: [&str; 2] = ["etc/ssl/certs/**", "etc/ca-certificates.conf"];

/// Files of acts whose names have no ending that says so.
const ACTS: [&str; 5] = ["var/spool/**", "**/crontab", "**/Makefile", "**/Makefile.*", "**/*.pth"];

/// Endings of scripts and of sources, and the signs that comments in them begin with.
const LANGUAGES: &[(&[&str], &[&str])] = &[
    (
        &[
            "c", "cc", "cjs", "cpp", "cs", "css", "dart", "go", "gradle", "groovy", "h", "hh",
            "hpp", "java", "js", "jsx", "kt", "kts", "mjs", "mm", "php", "proto", "rs", "scala",
            "scss", "swift", "ts", "tsx", "vala", "zig",
        ],
        &["//", "/*"],
    ),
    (&["adb", "ads", "hs", "lua", "sql", "vhd"], &["--"]),
    (&["asm", "clj", "el", "lisp", "lsp", "rkt", "scm", "vim"], &[";", "\""]),
    (
        &[
            "ac", "am", "awk", "bash", "bat", "bazel", "bzl", "cmake", "cmd", "coffee", "csh",
            "ex", "exp", "exs", "fish", "gdb", "gn", "gni", "hcl", "ipxe", "jl", "jq", "ksh", "mk",
            "nim", "nix", "nsh", "ph", "pl", "pm", "ps1", "pxd", "py", "pyi", "pyx", "r", "rake",
            "raku", "rb", "sed", "sh", "tcl", "tf", "zsh",
        ],
        &["#"],
    ),
    (&["erl", "hrl", "ml", "mli", "pas", "s", "vb", "vbs"], &[]),
];

impl At<'_> {
    /// Returns true if the order of lines means something: of a script's acts, of settings of which the
    /// last one counts, or of rules of which the first that fits decides.
    pub(crate) fn is_ordered(&self) -> bool {
        self.is_code()
            || self.content.is_some_and(|changes| changes.sections)
            || (self.is_setting() && !self.path_is(&UNORDERED))
            || self.content.and_then(|changes| changes.reordered.as_ref()).is_some_and(decides)
    }

    /// Returns true if this is a script or a program's source, in which each line is an act.
    pub(crate) fn is_code(&self) -> bool {
        self.language().is_some() || self.is_script() || self.path_is(&ACTS)
    }

    /// Returns true if this is a script, or a setting's file, in which a value is somebody's decision.
    pub(crate) fn is_setting(&self) -> bool {
        self.is_script() || self.path_is(SETTINGS) || self.is_named_decision()
    }

    /// Returns true if the file's name says that somebody is let in by it, or kept out.
    fn is_named_decision(&self) -> bool {
        let name = self.path().rsplit('/').next().unwrap_or_default().to_lowercase();
        name.split(|c: char| !c.is_alphanumeric()).any(|word| NAMES.contains(&word))
    }

    /// Returns true if the edit stands in a setting or in code, and in no comment.
    pub(crate) fn is_decision(&self, edit: &Edit) -> bool {
        (self.is_setting() || self.is_code()) && !self.is_comment(edit)
    }

    /// Returns true if the edit stands in code, and in no comment: something is done by it. The same holds of a
    /// variable that another setting hands to a program: `Environment=LANG=C`.
    pub(crate) fn is_act(&self, edit: &Edit) -> bool {
        let handed = || self.is_setting() && edit.before.matches('=').count() > 1;
        (self.is_code() || handed()) && !self.is_comment(edit)
    }

    /// Returns true if the line of the edit is a comment, as the file's language has them.
    pub(crate) fn is_comment(&self, edit: &Edit) -> bool {
        // `#include` and `#1000` mean something to sudo
        if self.path_is(&["**/sudoers", "**/sudoers.d/**"]) {
            return false;
        }
        let signs = match self.language() {
            Some(signs) => signs,
            None if self.is_script() => &["#"],
            None => &["#", ";", "//", "/*", "REM "],
        };
        let line = edit.before.trim_start();
        signs.iter().filter_map(|sign| Some((*sign, line.strip_prefix(sign)?))).any(
            |(sign, rest)| {
                match sign {
                    // `#include`, `#!` and `#clear` are no comments
                    "#" => rest.starts_with([' ', '\t', '#', '-', '=', '*']),
                    "/*" => !rest.contains("*/"),
                    // Lua: `--[[ a comment ]] code`
                    "--" => !rest.starts_with('['),
                    _ => true,
                }
            },
        )
    }

    fn is_script(&self) -> bool {
        self.content.is_some_and(|changes| changes.script)
    }

    /// The signs of comments in the language that the path names.
    fn language(&self) -> Option<&'static [&'static str]> {
        let end = self.path().rsplit_once('.').map_or("", |(_, end)| end);
        LANGUAGES.iter().find(|(ends, _)| ends.contains(&end)).map(|(_, signs)| *signs)
    }
}

/// Returns true if the first that changed places has in it what somebody decided, so that whichever comes first may
/// count, or if both are rows of a table of numbers.
fn decides(order: &Reordered) -> bool {
    let is_decision = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphanumeric());
        words.any(|word| CHOICES.contains(&word.to_lowercase().as_str()))
    };
    let is_row = |text: &str| {
        let mut words = text.split_whitespace();
        words.clone().count() > 1 && words.all(|word| word.parse::<f64>().is_ok())
    };
    let both = [&order.a, &order.b];
    both.iter().any(|text| is_decision(text)) || both.iter().all(|text| is_row(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Context;
    use crate::difference::Place;
    use crate::edits::lines;

    #[test]
    fn a_comment_is_one_in_the_language_of_its_file() {
        let is = |path: &str, line: &str| {
            let place = Place(vec![path.to_owned()]);
            let context = Context::default();
            let at = At { place: &place, layer: "tar", context: &context, content: None };
            let changes = lines::compare(&line.replace('X', "one"), &line.replace('X', "two"));
            at.is_comment(&changes.edits[0])
        };
        for (path, line) in [
            ("etc/x.conf", "# made X\n"),
            ("etc/x.conf", "// made X\n"),
            ("usr/include/x.h", "/* made X */\n"),
            ("usr/lib/x.py", "    # made X\n"),
        ] {
            assert!(is(path, line), "{path}: {line}");
        }
        for (path, line) in [
            ("etc/sudoers", "# X\n"),
            ("etc/x.conf", "#include X\n"),
            ("usr/include/x.h", "#define VERSION X\n"),
            ("usr/include/x.h", "/* a */ int X;\n"),
            ("etc/x.json", "\"X\": 1\n"),
            ("usr/lib/x.py", "// X\n"),
        ] {
            assert!(!is(path, line), "{path}: {line}");
        }
    }
}
