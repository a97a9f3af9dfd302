//! The two encodings of a time in ISO 9660 and Rock Ridge (ECMA-119, 8.4.26.1 and 9.1.5).

use xtask_core::calendar;

/// Seconds since 1970 UTC of seven bytes: year since 1900, month, day, hour, minute, second, and the
/// zone in quarters of an hour east of UTC.
pub(super) fn short(bytes: &[u8]) -> Option<i64> {
    let [year, month, day, hour, minute, second, zone] = bytes.try_into().ok()?;
    if month == 0 || month > 12 || day == 0 || day > 31 {
        return None;
    }
    let days = calendar::days(1900 + i64::from(year), i64::from(month), i64::from(day));
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(days * 86_400 + seconds - i64::from(zone as i8) * 900)
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
    let (month, day) = (number(4, 6), number(6, 8));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = calendar::days(number(0, 4), month, day);
    let seconds = number(8, 10) * 3600 + number(10, 12) * 60 + number(12, 14);
    let zone = bytes[16] as i8;
    Some((days * 86_400 + seconds - i64::from(zone) * 900, number(14, 16) as u8, zone))
}

/// Text of a date of a volume descriptor, in UTC. A zone other than UTC stands behind it.
pub(super) fn of_volume(bytes: &[u8]) -> String {
    let Some((seconds, hundredths, zone)) = long(bytes) else {
        let empty = bytes.iter().all(|byte| *byte == b'0' || *byte == 0 || *byte == b' ');
        return if empty { "none".into() } else { crate::record::printable(bytes) };
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
        assert_eq!(of_volume(b"2025072514021300\0"), "2025-07-25 14:02:13");
        assert_eq!(of_volume(b"2025072516021350\x08"), "2025-07-25 14:02:13.50 (zone +02:00)");
        assert_eq!(of_volume(b"0000000000000000\0"), "none");
    }
}
