//! What leaks from the machine and the user that built.

use super::super::rule::{At, Evidence, Rule};
use crate::edits::{Edit, Edited};

/// Found by what many files say together.
pub(crate) static HOST_NAME: Rule = Rule {
    id: "host-name",
    name: "name of the build host in contents",
    fix: "a constant host name in the builder (--hostname), or write the file in a chroot hook",
    source: "reproducible-builds.org, build environment",
    evidence: Evidence::Together,
};
pub(crate) static USER: Rule = Rule {
    id: "user-name",
    name: "name of the user who built in contents",
    fix: "build as the same user everywhere: in the builder that is `user`, uid 1000",
    source: "reproducible-builds.org, build environment",
    evidence: Evidence::Together,
};
pub(crate) static BUILD_PATH: Rule = Rule {
    id: "build-path",
    name: "path of the build in contents",
    fix: "a constant path inside the builder; -ffile-prefix-map for compilers",
    source: "reproducible-builds.org, build path",
    evidence: Evidence::Together,
};
pub(crate) static TEMPORARY: Rule = Rule {
    id: "temporary-name",
    name: "random name of a temporary file or folder",
    fix: "a constant name, or keep it out of the result",
    source: "reproducible-builds.org, randomness",
    evidence: Evidence::Together,
};
pub(crate) static REPLACED: Rule = Rule {
    id: "environment-string",
    name: "one string stands for another in several files: something of the environment leaks",
    fix: "find where it comes from: host, user, path, a variable; make it constant",
    source: "reproducible-builds.org, build environment",
    evidence: Evidence::Together,
};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "locale",
        name: "another locale: language, names of months, or its own files",
        fix: "LC_ALL=C.UTF-8 for the whole build",
        source: "reproducible-builds.org, locales",
        evidence: Evidence::AlsoEdit(is_locale),
    },
    Rule {
        id: "locale-files",
        name: "files of a locale that only one build made",
        fix: "LC_ALL=C.UTF-8 for the whole build; no locale-gen by the builder's settings",
        source: "reproducible-builds.org, locales",
        evidence: Evidence::Paths(&[
            "usr/lib/locale/**",
            "etc/locale.gen",
            "etc/locale.conf",
            "etc/default/locale",
        ]),
    },
    Rule {
        id: "time-zone-files",
        name: "time zone of the build host",
        fix: "TZ=UTC, and write etc/timezone and etc/localtime in a chroot hook",
        source: "reproducible-builds.org, timezones",
        evidence: Evidence::Paths(&["etc/timezone", "etc/localtime"]),
    },
    Rule {
        id: "cpus",
        name: "number of CPUs in a content",
        fix: "a fixed number of jobs, or keep it out of the result",
        source: "reproducible-builds.org, build environment",
        evidence: Evidence::Edit(is_cpus),
    },
    Rule {
        id: "umask-content",
        name: "the builder's umask in a content",
        fix: "umask 022 at the start of the build",
        source: "umask(2)",
        evidence: Evidence::Edit(|edit, _| said_before(edit, &["umask"])),
    },
    Rule {
        id: "host-kernel",
        name: "kernel of the build host in a content",
        fix: "setarch --uname-2.6 is no help; delete it, or build on one kernel",
        source: "reproducible-builds.org, build environment",
        evidence: Evidence::Edit(is_kernel),
    },
    Rule {
        id: "mirror",
        name: "address of the mirror that was built from",
        fix: "write the image's package sources in a chroot hook, the same everywhere",
        source: "the builder's apt sources",
        evidence: Evidence::Edit(is_mirror),
    },
];

/// Whether one of `names` stands shortly before the edit.
fn said_before(edit: &Edit, names: &[&str]) -> bool {
    let before = edit.before.to_lowercase();
    let near = before.char_indices().rev().nth(23).map_or(before.as_str(), |(i, _)| &before[i..]);
    names.iter().any(|name| near.contains(name))
}

fn is_locale(edit: &Edit, _: &At<'_>) -> bool {
    if let Edited::Dates(a, b) = edit.what {
        // the same moment in another notation is one language's against another's
        return a.foreign != b.foreign || (a.seconds == b.seconds && a.offset == b.offset);
    }
    let by_name = said_before(edit, &["lang=", "lc_all=", "lc_", "language=", "locale"]);
    let named = |text: &str| {
        let bare = text.split(['.', '@']).next().unwrap_or_default();
        let bytes = bare.as_bytes();
        let region = bytes.len() == 5
            && bytes[2] == b'_'
            && bytes[..2].iter().all(u8::is_ascii_lowercase)
            && bytes[3..].iter().all(u8::is_ascii_uppercase);
        region || matches!(bare, "C" | "POSIX") || (by_name && bare.len() == 2)
    };
    matches!(edit.what, Edited::Name | Edited::Text)
        && (named(&edit.a) || named(&edit.b))
        && (by_name || (named(&edit.a) && named(&edit.b)))
}

fn is_cpus(edit: &Edit, at: &At<'_>) -> bool {
    let number = |text: &str| {
        let digits = text.trim_start_matches('j');
        digits.parse::<u64>().ok().filter(|n| (1..=1024).contains(n))
    };
    let (Some(a), Some(b)) = (number(&edit.a), number(&edit.b)) else { return false };
    let names = ["cpu", "core", "job", "thread", "nproc", "parallel", "processor", "workers"];
    let flag = edit.before.ends_with(" -j") || edit.before.ends_with("-j") || edit.before == "j";
    let as_flag = edit.a.starts_with('j') && edit.before.ends_with('-');
    let after = edit.after.trim_start().to_lowercase();
    let counted = ["cpu", "core", "processor", "job", "thread", "workers"];
    said_before(edit, &names)
        || flag
        || as_flag
        || counted.iter().any(|unit| after.starts_with(unit))
        || (a > 1
            && at.context.both_were(|build| build.cpus.map(|n| n.to_string()), &edit.a, &edit.b)
            && b > 1)
}

fn is_kernel(edit: &Edit, at: &At<'_>) -> bool {
    if at.context.both_were(|build| build.kernel.clone(), &edit.a, &edit.b) {
        return true;
    }
    let version = |text: &str| {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next().is_some_and(|p| p.parse::<u16>().is_ok());
        number() && number()
    };
    matches!(edit.what, Edited::Name | Edited::Text)
        && version(&edit.a)
        && version(&edit.b)
        && said_before(edit, &["linux", "kernel", "uname"])
}

fn is_mirror(edit: &Edit, at: &At<'_>) -> bool {
    let url = edit.before.ends_with("http:")
        || edit.before.ends_with("https:")
        || edit.before.ends_with("://");
    url && (at.path_is(&["etc/apt/**"]) || said_before(edit, &["deb ", "uris", "mirror"]))
}
