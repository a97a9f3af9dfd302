//! Differences that follow another SOURCE_DATE_EPOCH.

use super::Context;
use super::fact::{Fact, Facts, Seen};
use crate::dates;
use crate::difference::{FieldKind, MetadataField};
use crate::edits::declared::Declared;
use crate::edits::{Edit, Edited};

/// Seconds between two builds that somebody starts one after the other.
const SOON: i64 = 600;

/// Two SOURCE_DATE_EPOCHs, where the volume's date and the times of files tell the same two.
pub(super) fn of(facts: &Facts) -> Option<[i64; 2]> {
    let volume = facts.list.iter().find_map(|fact| match &fact.what {
        Seen::Field { kind: FieldKind::VolumeDate, name, a, b }
            if name.contains("modification") =>
        {
            Some([dates::at(a)?.1.seconds, dates::at(b)?.1.seconds])
        }
        _ => None,
    })?;
    let of_files = facts.list.iter().filter(|fact| match &fact.what {
        Seen::Metadata { field: MetadataField::Mtime, a, b } => {
            fact.layer == "squashfs" && a.parse() == Ok(volume[0]) && b.parse() == Ok(volume[1])
        }
        _ => false,
    });
    // two builds that take the clock may have a few files of one second, if they are soon over
    let apart = (volume[0] - volume[1]).abs() >= SOON;
    (apart && of_files.take(3).count() == 3).then_some(volume)
}

/// Returns true if a time is SOURCE_DATE_EPOCH on both sides, or an id that our recipes derive from it.
pub(super) fn follows(fact: &Fact, context: &Context) -> bool {
    let Some([x, y]) = context.epochs else { return false };
    match &fact.what {
        Seen::Metadata { field: MetadataField::Mtime, a, b } => {
            // FAT counts in steps of two seconds
            let is = |text: &str, epoch: i64| {
                text.parse::<i64>().is_ok_and(|time| (0..2).contains(&(epoch - time)))
            };
            is(a, x) && is(b, y)
        }
        Seen::Metadata { field: MetadataField::More(_), a, b }
        | Seen::Field {
            kind: FieldKind::VolumeDate | FieldKind::MkfsTime | FieldKind::GzipTime,
            a,
            b,
            ..
        } => {
            let is = |text: &str, epoch: i64| {
                dates::at(text)
                    .is_some_and(|(_, moment)| (0..2).contains(&(epoch - moment.seconds)))
            };
            is(a, x) && is(b, y)
        }
        // mformat -N of the recipe; xorriso's GUIDs are made from the volume's date
        Seen::Field { kind: FieldKind::FatSerial, a, b, .. } => {
            let is = |text: &str, epoch: i64| {
                let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
                digits.eq_ignore_ascii_case(&format!("{:08x}", epoch & 0xffff_ffff))
            };
            is(a, x) && is(b, y)
        }
        Seen::Field { kind: FieldKind::DiskId, name, .. } => name.starts_with("GPT"),
        _ => false,
    }
}

/// Returns true if an edit is one SOURCE_DATE_EPOCH for the other.
pub(super) fn edit_follows(edit: &Edit, context: &Context) -> bool {
    let Some([x, y]) = context.epochs else { return false };
    match edit.what {
        Edited::Dates(a, b) => context.are_epochs(a.seconds, b.seconds),
        Edited::Declared(Declared::PycTime(a, b) | Declared::KeystoreTime(a, b)) => {
            context.are_epochs(a, b)
        }
        // nanoseconds, as systemd's .updated has them
        Edited::Number => {
            let is =
                |text: &str, epoch: i64| text.strip_suffix("000000000") == Some(&epoch.to_string());
            is(&edit.a, x) && is(&edit.b, y)
        }
        _ => false,
    }
}
