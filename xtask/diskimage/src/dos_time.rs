//! Dates and times as MS-DOS has them, in FAT and zip: two seconds is the smallest step.

use xtask_core::calendar;

/// Seconds since 1970 of a date and a time, as if they were UTC; `None` for what no clock shows, such as a
/// month 0, which would be another way to write some other time.
pub(crate) fn seconds(date: u16, time: u16) -> Option<i64> {
    let (date, time) = (i64::from(date), i64::from(time));
    let (year, month, day) = (1980 + (date >> 9), date >> 5 & 15, date & 31);
    let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
    let is_time = hour < 24 && minute < 60 && second < 60;
    (is_time && calendar::exists(year, month, day)).then(|| {
        calendar::days(year, month, day) * calendar::DAY + hour * 3600 + minute * 60 + second
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_to_write_a_time() {
        assert_eq!(seconds(0x5cbc, 0xa354), Some(1_780_000_000));
        for (date, time) in [(0, 0), (0x5c1c, 0), (0x5ca0, 0), (0x5cbc, 0xc000), (0x5cbc, 0x001e)] {
            assert_eq!(seconds(date, time), None, "{date:x} {time:x}");
        }
    }
}
