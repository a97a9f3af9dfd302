//! Header fields of a layer.

/// What a header field is about; its name says which one it is. Dates are given as
/// `YYYY-MM-DD HH:MM:SS`, numbers in decimal, identifiers in hexadecimal as their format shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldKind {
    /// ISO 9660 volume creation, modification, expiration, effective date.
    VolumeDate,
    /// ISO 9660 volume label, publisher, application and the like.
    VolumeName,
    /// ISO 9660 application-use area; implantisomd5 writes a hash of everything else there.
    ApplicationUse,
    /// Where a file lies in the image, or how many sectors there are.
    Extent,
    /// GPT disk or partition GUID, MBR disk signature.
    DiskId,
    /// Boot record: El Torito catalogue, MBR code.
    BootRecord,
    /// FAT volume serial number.
    FatSerial,
    /// FAT volume label.
    FatLabel,
    /// squashfs superblock: time of creation, seconds since 1970.
    MkfsTime,
    /// squashfs: compressor, its options, block size, flags.
    Compressor,
    /// squashfs: sizes, offsets and counts of tables.
    Layout,
    /// gzip header: mtime.
    GzipTime,
    /// gzip, xz, zstd: file name, operating system, level, checks.
    CompressionHeader,
    /// ELF build id.
    BuildId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub kind: FieldKind,
    pub name: &'static str,
    pub value: String,
}

impl Field {
    pub(crate) fn new(kind: FieldKind, name: &'static str, value: impl ToString) -> Field {
        Field { kind, name, value: value.to_string() }
    }
}

/// `YYYY-MM-DD HH:MM:SS` of seconds since 1970-01-01 UTC.
pub fn date(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of days since 1970-01-01, by the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Days since 1970-01-01 of a date, the reverse of [`civil`].
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(date(1_753_452_133), "2025-07-25 14:02:13");
        assert_eq!(date(-1), "1969-12-31 23:59:59");
        for (year, month, day) in [(1970, 1, 1), (2000, 2, 29), (2100, 3, 1), (1969, 12, 31)] {
            assert_eq!(civil(days(year, month, day)), (year, month, day));
        }
    }
}
