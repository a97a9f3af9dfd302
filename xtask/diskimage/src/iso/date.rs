//! The two encodings of a time in ISO 9660 and Rock Ridge (ECMA-119, 8.4.26.1 and 9.1.5).

use xtask_core::calendar;

/// Seconds since 1970 UTC of seven bytes: year since 1900, month, day, hour, minute, second, and the
/// zone in quarters of an hour east of UTC.
pub(super) fn short(bytes: &[u8]) -> Option<i64> {
    let [year, month, day, hour, minute, second, zone] = bytes.try_into().ok()?;
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(i64::from);
    let local = calendar_seconds([1900 + i64::from(year), month, day], [hour, minute, second])?;
    Some(local - i64::from(zone as i8) * 900)
}

/// Seconds since 1970, hundredths, and the zone in quarters of an hour, of sixteen digits and a byte.
pub(super) fn long(bytes: &[u8]) -> Option<(i64, u8, i8)> {
    let digits = bytes.get(..16)?;
    if bytes.len() != 17 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        digits[from..to].iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'))
    };
    let local = calendar_seconds(
        [number(0, 4), number(4, 6), number(6, 8)],
        [number(8, 10), number(10, 12), number(12, 14)],
    )?;
    let zone = bytes[16] as i8;
    Some((local - i64::from(zone) * 900, number(14, 16) as u8, zone))
}

/// Seconds of a date and a time; `None` for what no clock shows, such as a second 75, which would be
/// another way to write some other time.
fn calendar_seconds([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let is_time = hour < 24 && minute < 60 && second < 60;
    (is_time && calendar::exists(year, month, day))
        .then(|| calendar::days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Text of a date of a volume descriptor, in UTC. A zone other than UTC stands behind it.
pub(super) fn of_volume(bytes: &[u8]) -> String {
    let Some((seconds, hundredths, zone)) = long(bytes) else {
        let none = bytes == b"0000000000000000\0";
        return if none { "none".into() } else { crate::record::printable(bytes) };
    };
    let mut text = calendar::utc(seconds);
    if hundredths != 0 {
        text.push_str(&format!(".{hundredths:02}"));
    }
    if zone != 0 {
        let (sign, quarters) = if zone < 0 { ('-', -i32::from(zone)) } else { ('+', zone.into()) };
        text.push_str(&format!(" (zone {sign}{:02}:{:02})", quarters / 4, quarters % 4 * 15));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_taken_out() {
        assert_eq!(short(&[125, 7, 25, 16, 2, 13, 8]), Some(1_753_452_133));
        assert_eq!(short(&[0; 7]), None);
        // no other way to write 14:03:15 on the first of July
        assert_eq!(short(&[125, 7, 1, 14, 2, 75, 0]), None);
        assert_eq!(short(&[125, 6, 31, 14, 3, 15, 0]), None);
        assert_eq!(of_volume(b"2025072514021300\0"), "2025-07-25 14:02:13");
        assert_eq!(of_volume(b"2025072516021350\x08"), "2025-07-25 14:02:13.50 (zone +02:00)");
        assert_eq!(of_volume(b"0000000000000000\0"), "none");
    }
}
