//! The calendar: dates and times of day from and to seconds since 1970-01-01 UTC.
//!
//! Years, months and days are those of the proleptic Gregorian calendar; leap seconds do not count,
//! as in POSIX. The arithmetic is Howard Hinnant's ("chrono-Compatible Low-Level Date Algorithms").

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// Days from 1970-01-01 to a date. A month outside 1 to 12 gives a meaningless number; a day that the
/// month does not have counts on into the next one.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    // a year begins in March here, so that the leap day is its last
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month (1 to 12) and day (1 to 31) of a number of days since 1970-01-01: the reverse of
/// [`days`].
pub fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
}

/// Returns true if the calendar has this date: 2024-02-29 but not 2023-02-29.
pub fn exists(year: i64, month: i64, day: i64) -> bool {
    (1..=12).contains(&month) && date(days(year, month, day)) == (year, month, day)
}

/// `YYYY-MM-DD HH:MM:SS` in UTC of seconds since 1970.
pub fn utc(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The current time of this machine's clock, in seconds since 1970; 0 if the clock is before that.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(utc(1_753_452_133), "2025-07-25 14:02:13");
        assert_eq!(utc(-1), "1969-12-31 23:59:59");
    }

    #[test]
    fn days_and_dates_are_each_others_reverse() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        for day in (-1_000_000..1_000_000).step_by(97) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn a_date_exists_or_not() {
        assert!(exists(2024, 2, 29) && exists(2000, 2, 29) && exists(2026, 12, 31));
        for (year, month, day) in
            [(2023, 2, 29), (2100, 2, 29), (2026, 5, 32), (2026, 13, 1), (2026, 0, 1), (2026, 4, 0)]
        {
            assert!(!exists(year, month, day), "{year}-{month}-{day}");
        }
    }
}
