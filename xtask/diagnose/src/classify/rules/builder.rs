//! Traces of the machine and the user that built.

use super::super::rule::{At, CauseRule, Evidence};
use super::{shapes, times};
use crate::classify::Build;
use crate::edits::{Edit, Edited};

/// Found by what many files say together.
pub(crate) static HOST_NAME: CauseRule = CauseRule {
    id: "host-name",
    name: "name of the build host in contents",
    fix: "a constant host name in the builder (--hostname), or write the file in a chroot hook",
    source: "reproducible-builds.org, build environment",
    evidence: Evidence::Together,
};
pub(crate) static USER: CauseRule = CauseRule {
    id: "user-name",
    name: "name of the user who built in contents",
    fix: "build as the same user everywhere: in the builder that is `user`, uid 1000",
    source: "reproducible-builds.org, build environment",
    evidence: Evidence::Together,
};
pub(crate) static BUILD_PATH: CauseRule = CauseRule {
    id: "build-path",
    name: "path of the build in contents",
    fix: "a constant path inside the builder; -ffile-prefix-map for compilers",
    source: "reproducible-builds.org, build path",
    evidence: Evidence::Together,
};
pub(crate) static TEMPORARY: CauseRule = CauseRule {
    id: "temporary-name",
    name: "random name of a temporary file or folder",
    fix: "a constant name, or keep it out of the result",
    source: "reproducible-builds.org, randomness",
    evidence: Evidence::Together,
};
pub(crate) static REPLACED: CauseRule = CauseRule {
    id: "environment-string",
    name: "one word stands for another in several files: something of the environment may leak",
    fix: "find where it comes from: host, user, path, a variable; make it constant",
    source: "reproducible-builds.org, build environment",
    evidence: Evidence::Together,
};

pub(super) static RULES: &[CauseRule] = &[
    CauseRule {
        id: "locale",
        name: "another locale: language, names of months, or its own files",
        fix: "LC_ALL=C.UTF-8 for the whole build",
        source: "reproducible-builds.org, locales",
        evidence: Evidence::AlsoEdit(is_locale),
    },
    CauseRule {
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
    CauseRule {
        id: "time-zone-files",
        name: "time zone of the build host",
        fix: "TZ=UTC, and write etc/timezone and etc/localtime in a chroot hook",
        source: "reproducible-builds.org, timezones",
        evidence: Evidence::Paths(&["etc/timezone", "etc/localtime"]),
    },
    CauseRule {
        id: "resolv-conf",
        name: "name servers of the build host",
        fix: "write etc/resolv.conf in a chroot hook, or leave it out",
        source: "resolv.conf(5); engines mount the host's",
        evidence: Evidence::Whole(&["etc/resolv.conf"], shapes::resolvers),
    },
    CauseRule {
        id: "dracut-host-only",
        name: "dracut wrote down the modules of the machine that built",
        fix: "dracut --no-hostonly (hostonly=no in dracut.conf.d)",
        source: "dracut(8)",
        evidence: Evidence::Whole(&["**/dracut/hostonly-*.txt"], shapes::host_only),
    },
    CauseRule {
        id: "locale-archive",
        name: "locale archive: the locales that were added, in the order in which they were",
        fix: "add them one by one in a fixed order (localedef --add-to-archive), or ship no archive",
        source: "localedef(1)",
        evidence: Evidence::Paths(&["usr/lib/locale/locale-archive"]),
    },
    CauseRule {
        id: "cpus",
        name: "number of CPUs in a content",
        fix: "a fixed number of jobs, or keep it out of the result",
        source: "reproducible-builds.org, build environment",
        evidence: Evidence::Edit(is_cpus),
    },
    CauseRule {
        id: "umask-content",
        name: "the builder's umask in a content",
        fix: "umask 022 at the start of the build",
        source: "umask(2)",
        evidence: Evidence::Edit(|edit, at| {
            let is_mask = |text: &str| {
                (1..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b))
            };
            said_before(edit, &["umask"])
                && is_mask(&edit.a)
                && is_mask(&edit.b)
                && !at.is_setting()
                && !at.is_code()
        }),
    },
    CauseRule {
        id: "host-kernel",
        name: "kernel of the build host in a content",
        fix: "setarch --uname-2.6 is no help; delete it, or build on one kernel",
        source: "reproducible-builds.org, build environment",
        evidence: Evidence::Edit(is_kernel),
    },
    CauseRule {
        id: "mirror",
        name: "address of a package mirror: of the one that was built from, or as somebody set it",
        fix: "write the image's package sources in a chroot hook, the same everywhere",
        source: "the builder's apt sources",
        evidence: Evidence::Edit(is_mirror),
    },
];

/// Returns true if one of `names` stands shortly before the edit.
fn said_before(edit: &Edit, names: &[&str]) -> bool {
    let before = edit.before.to_lowercase();
    let near = before.char_indices().rev().nth(23).map_or(before.as_str(), |(i, _)| &before[i..]);
    names.iter().any(|name| near.contains(name))
}

fn is_locale(edit: &Edit, at: &At<'_>) -> bool {
    if let Edited::Dates(a, b) = edit.what {
        // the same moment in another notation is one language's against another's
        let same = a.seconds == b.seconds;
        let notation = a.notation != b.notation && same && a.offset == b.offset;
        let language = a.foreign != b.foreign && (same || times::is_time(edit, at));
        return (language || notation) && !times::decides(edit, at);
    }
    let key = edit.key().unwrap_or_default();
    let by_name = matches!(key, "LANG" | "LANGUAGE" | "locale") || key.starts_with("LC_");
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
        && named(&edit.a)
        && named(&edit.b)
        && by_name
        && !at.is_act(edit)
}

fn is_cpus(edit: &Edit, at: &At<'_>) -> bool {
    let number = |text: &str| {
        let digits = text.trim_start_matches('j');
        digits.parse::<u64>().ok().filter(|n| (1..=1024).contains(n))
    };
    if number(&edit.a).is_none() || number(&edit.b).is_none() {
        return false;
    }
    let cpus = |build: &Build| build.cpus.map(|n| n.to_string());
    let both_were = at.context.both_were(cpus, &edit.a, &edit.b);
    let known = at.context.a.cpus.is_some() && at.context.b.cpus.is_some();
    let decides = at.is_setting() || at.is_code() || edit.is_compared();
    let are_jobs = |edit: &Edit| {
        let before = &edit.before;
        before.ends_with(" -j") || (before.ends_with(" -") && edit.a.starts_with('j'))
    };
    // nothing but a number of jobs beside it shows that it is no limit that somebody set
    let beside = || {
        let edits = at.content.map_or(&[][..], |changes| &changes.edits);
        edits.iter().any(|other| are_jobs(other) && number(&other.a) == number(&edit.a))
    };
    let counted = matches!(edit.key(), Some("nproc" | "NPROC" | "cpus" | "parallel"));
    !decides
        && (are_jobs(edit)
            || (counted && (both_were || (!known && beside())))
            || (both_were && edit.key().is_none() && edit.a.len() > 1))
}

fn is_kernel(edit: &Edit, at: &At<'_>) -> bool {
    let decides = at.is_decision(edit) || edit.is_compared();
    if let (Some(a), Some(b)) = (&at.context.a.kernel, &at.context.b.kernel) {
        return *a == edit.a && *b == edit.b && !decides;
    }
    let version = |text: &str| {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next().is_some_and(|p| p.parse::<u16>().is_ok());
        number() && number()
    };
    let line = format!("{}{}", edit.before, edit.after);
    matches!(edit.what, Edited::Name | Edited::Text)
        && version(&edit.a)
        && version(&edit.b)
        && !decides
        && (line.contains("Linux version ")
            || (line.starts_with("Linux ") && line.contains(" #1 ")))
}

fn is_mirror(edit: &Edit, at: &At<'_>) -> bool {
    let url = edit.before.ends_with("http:")
        || edit.before.ends_with("https:")
        || edit.before.ends_with("://");
    // the host alone: what is fetched from it, and how it is trusted, is the same
    url && at.path_is(&["etc/apt/sources.list", "etc/apt/sources.list.d/*"])
        && (edit.before.starts_with("deb ")
            || edit.before.starts_with("deb-src ")
            || edit.before.starts_with("URIs:"))
}
