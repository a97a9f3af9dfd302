//! MKSQUASHFS_OPTIONS has nothing that fails an hour later.

use crate::finding::{Location, Severity};
use crate::rule::{Findings, Rule, replace};
use crate::tree::SourceTree;
use xtask_core::pins::conf;
use xtask_core::rules::Described;

const PATH: &str = "linux/build/config/silvermetal-base.conf";

pub(crate) const RULE: Rule = Rule {
    described: Described {
        name: "mksquashfs-options",
        what: "silvermetal-base.conf sets MKSQUASHFS_OPTIONS once, as a plain value, without -comp and without an option that sets a time",
        why: "live-build already passes `-comp xz`, and a second -comp is an error; a -*-time option fails beside SOURCE_DATE_EPOCH: both after the chroot was built",
        source: "plougher/squashfs-tools issue 51",
    },
    severity: Severity::Error,
    check,
    fixtures: &[
        replace(PATH, "-b 1M -no-progress", "-b 1M -comp xz -comp zstd", "-comp zstd"),
        replace(PATH, "-b 1M -no-progress", "-b 1M -all-time 0", "-all-time"),
        replace(PATH, "-b 1M -no-progress", "-b 1M -inode-time 0", "-inode-time"),
        replace(
            PATH,
            "export MKSQUASHFS_OPTIONS=\"-b 1M -no-progress\"\n",
            "export MKSQUASHFS_OPTIONS=\"-b 1M -no-progress\"\nMKSQUASHFS_OPTIONS+=\" -comp xz\"\n",
            "+=",
        ),
        replace(PATH, "export MKSQUASHFS_OPTIONS=", "export MKSQUASHFS_OPTION=", ""),
    ],
};

fn check(tree: &SourceTree, found: &mut Findings) {
    let Some(source) = tree.source(PATH) else { return };
    if let Err((line, why)) = conf::parse(&source.text) {
        found.add(
            Location::at(PATH, (line, usize::from(line > 0))),
            why,
            "one line MKSQUASHFS_OPTIONS=\"…\" without -comp and -*-time",
            "remove the option; the comment above the line explains which are allowed",
        );
    }
    // a file without a flavor builds the recipe's own
    if source.text.contains("SILVERMETAL_FLAVOR")
        && let Err((line, why)) = conf::parse_flavor(&source.text)
    {
        found.add(
            Location::at(PATH, (line, usize::from(line > 0))),
            why,
            "one line SILVERMETAL_FLAVOR=\"…\" with a plain value",
            "write the value itself",
        );
    }
    let more = source.lines().filter(|(_, line)| {
        line.trim_start().trim_start_matches("export ").starts_with("MKSQUASHFS_OPTIONS+=")
    });
    for (line, _) in more {
        found.add(
            Location::line(PATH, line),
            "`+=` adds options, but only the first assignment is read",
            "all options in one assignment",
            "move them there",
        );
    }
}
