//! Dates in the notations that builds write: where one begins in a text, and which moment it means.

use xtask_core::calendar;

/// A moment as some text gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Seconds since 1970-01-01 UTC, the zone taken into account where the text names one that is
    /// known; of a time without a day, seconds since midnight.
    pub(crate) seconds: i64,
    /// Offset from UTC in minutes, if the text gives it as a number or as the name of a known zone.
    pub(crate) offset: Option<i32>,
    /// True if a zone is written at all, known or not.
    pub(crate) zoned: bool,
    pub(crate) precision: Precision,
    /// True if a name in it is not English.
    pub(crate) foreign: bool,
    /// Which notation it is written in.
    pub(crate) notation: usize,
    /// A day without its year, as syslog writes it.
    pub(crate) without_year: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Day,
    Second,
    /// A time of an unnamed day.
    TimeOnly,
}

/// Longest first where one is the beginning of another. `%Y %m %d %H %M %S` are numbers of fixed
/// width, `%e` a day of one or two digits, `%b` and `%a` names, `%f` an optional fraction, `%z` an
/// optional zone, a blank any number of blanks.
const NOTATIONS: [&str; 24] = [
    "%Y-%m-%dT%H:%M:%S%f%z",
    "%Y-%m-%d %H:%M:%S%f%z",
    "%Y/%m/%d %H:%M:%S%f%z",
    "%Y-%m-%d-%H-%M-%S",
    "%Y-%m-%d %H:%M%z",
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%a, %e %b %Y %H:%M:%S%f%z",
    "%a %b %e %H:%M:%S%z %Y",
    "%a %e. %b %H:%M:%S%z %Y",
    "%a %e %b %H:%M:%S%z %Y",
    "%a %e %b %Y %H:%M:%S%f%z",
    "%a. %e %b %Y %H:%M:%S%f%z",
    "%e %b %Y %H:%M:%S%f%z",
    "%e. %b %Y",
    "%e %b %Y",
    "%b %e %Y %H:%M:%S%z",
    "%b %e, %Y",
    "%b %e %Y",
    "%b %e %H:%M:%S%z",
    "%Y%m%dT%H%M%S%z",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%H:%M:%S%f%z",
];

/// Months in English, German, French, Spanish and Italian, as far as they must be told apart.
const MONTHS: [&[&str]; 12] = [
    &["jan", "janv", "ene", "gen"],
    &["feb", "févr", "febbr"],
    &["mar", "mär", "mars", "mrz"],
    &["apr", "avr", "abr"],
    &["may", "mai", "mayo", "mag"],
    &["jun", "juin", "giu"],
    &["jul", "juil", "lug"],
    &["aug", "août", "ago"],
    &["sep", "sept", "set"],
    &["oct", "okt", "ott"],
    &["nov"],
    &["dec", "dez", "déc", "dic"],
];

/// Names of zones and their offsets in minutes. `IST` and `CST` mean several, and stand for none.
const ZONES: [(&str, i32); 20] = [
    ("Z", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("JST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("EST", -300),
    ("EDT", -240),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const FOREIGN_WEEKDAYS: [&str; 26] = [
    "mo", "di", "mi", "do", "fr", "sa", "so", "lun", "mar", "mer", "jeu", "ven", "sam", "dim",
    "mié", "jue", "vie", "sáb", "dom", "gio", "sab", "mié", "mit", "don", "die", "son",
];

/// The date that `text` begins with, and its length in bytes.
pub(crate) fn at(text: &str) -> Option<(usize, Moment)> {
    let first = text.chars().next()?;
    if !first.is_alphanumeric() {
        return None;
    }
    let found = NOTATIONS
        .iter()
        .enumerate()
        .find_map(|(which, notation)| Reading::new(text).follow(which, notation));
    found.or_else(|| since_1970(text))
}

/// Ten digits alone, of this century's first half or so: seconds since 1970; thirteen: milliseconds.
fn since_1970(text: &str) -> Option<(usize, Moment)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let seconds = match digits {
        10 => text[..10].parse().ok()?,
        13 => text[..10].parse().ok()?,
        _ => return None,
    };
    plausible(seconds).then_some((
        digits,
        Moment {
            seconds,
            offset: Some(0),
            zoned: false,
            precision: Precision::Second,
            foreign: false,
            notation: NOTATIONS.len(),
            without_year: false,
        },
    ))
}

/// Returns true if a number of seconds since 1970 can be the time of a build or of its sources: 2001 to 2064.
pub(crate) fn plausible(seconds: i64) -> bool {
    (1_000_000_000..3_000_000_000).contains(&seconds)
}

/// A text that is being read by a notation.
struct Reading<'a> {
    text: &'a str,
    at: usize,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    clock: Option<i64>,
    offset: Option<i32>,
    zoned: bool,
    foreign: bool,
}

impl<'a> Reading<'a> {
    fn new(text: &'a str) -> Reading<'a> {
        Reading {
            text,
            at: 0,
            year: None,
            month: None,
            day: None,
            clock: None,
            offset: None,
            zoned: false,
            foreign: false,
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn follow(mut self, which: usize, notation: &str) -> Option<(usize, Moment)> {
        let mut signs = notation.chars();
        while let Some(sign) = signs.next() {
            match sign {
                '%' => self.field(signs.next()?)?,
                ' ' => {
                    let blanks = self.rest().bytes().take_while(|b| *b == b' ').count();
                    if blanks == 0 || blanks > 2 {
                        return None;
                    }
                    self.at += blanks;
                }
                sign => {
                    if !self.rest().starts_with(sign) {
                        return None;
                    }
                    self.at += sign.len_utf8();
                }
            }
        }
        // a longer number or word is no date
        let last = self.text[..self.at].bytes().last()?;
        let next = self.rest().bytes().next().unwrap_or(b' ');
        if last.is_ascii_alphanumeric() && next.is_ascii_alphanumeric() {
            return None;
        }
        Some((self.at, Moment { notation: which, ..self.moment()? }))
    }

    fn moment(&self) -> Option<Moment> {
        let clock = self.clock.unwrap_or(0);
        let offset = i64::from(self.offset.unwrap_or(0)) * 60;
        let (seconds, precision) = match (self.month, self.day) {
            (Some(month), Some(day)) => {
                // syslog leaves the year out; any leap year will do to hold two of them against each other
                let year = self.year.unwrap_or(2000);
                let days = calendar::days(year, month, day);
                // no clock writes the 31st of February
                if !calendar::exists(year, month, day) {
                    return None;
                }
                let precision =
                    if self.clock.is_some() { Precision::Second } else { Precision::Day };
                (days * 86_400 + clock - offset, precision)
            }
            _ => (clock, Precision::TimeOnly),
        };
        Some(Moment {
            seconds,
            offset: self.offset,
            zoned: self.zoned,
            precision,
            foreign: self.foreign,
            notation: 0,
            without_year: self.month.is_some() && self.year.is_none(),
        })
    }

    fn field(&mut self, name: char) -> Option<()> {
        match name {
            'Y' => self.year = Some(self.number(4, 1970, 2100)?),
            'm' => self.month = Some(self.number(2, 1, 12)?),
            'd' => self.day = Some(self.number(2, 1, 31)?),
            'e' => {
                let digits = self.rest().bytes().take(2).take_while(u8::is_ascii_digit).count();
                self.day = Some(self.number(digits, 1, 31)?);
            }
            'H' => self.clock = Some(self.number(2, 0, 23)? * 3600),
            'M' => self.clock = Some(self.clock? + self.number(2, 0, 59)? * 60),
            'S' => self.clock = Some(self.clock? + self.number(2, 0, 59)?),
            'b' => {
                let name = self.name()?;
                let known = |names: &&[&str]| names.iter().position(|n| begins(&name, n));
                let (month, which) =
                    MONTHS.iter().enumerate().find_map(|(i, n)| Some((i, known(n)?)))?;
                self.foreign |= which > 0;
                self.month = Some(month as i64 + 1);
            }
            'a' => {
                let name = self.name()?;
                if !WEEKDAYS.iter().any(|day| begins(&name, day)) {
                    self.foreign = FOREIGN_WEEKDAYS.iter().any(|day| begins(&name, day));
                    if !self.foreign {
                        return None;
                    }
                }
            }
            'f' => {
                let rest = self.rest();
                if let Some(fraction) = rest.strip_prefix(['.', ',']) {
                    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
                    self.at += if digits > 0 { digits + 1 } else { 0 };
                }
            }
            _ => self.zone(),
        }
        Some(())
    }

    fn number(&mut self, digits: usize, least: i64, most: i64) -> Option<i64> {
        let text = self.rest().get(..digits)?;
        if digits == 0 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        self.at += digits;
        text.parse().ok().filter(|n| (least..=most).contains(n))
    }

    fn name(&mut self) -> Option<String> {
        let name: String = self.rest().chars().take_while(|c| c.is_alphabetic()).collect();
        self.at += name.len();
        (2..=9).contains(&name.chars().count()).then(|| name.to_lowercase())
    }

    /// ` UTC`, ` CEST`, `Z`, ` +0100`, `+01:00`; nothing is fine, too.
    fn zone(&mut self) {
        let rest = self.rest();
        let inner = rest.trim_start_matches(' ');
        let blanks = rest.len() - inner.len();
        if blanks > 1 {
            return;
        }
        let letters = inner.bytes().take_while(u8::is_ascii_uppercase).count();
        let after = inner.as_bytes().get(letters);
        if (2..=5).contains(&letters) || (letters == 1 && inner.starts_with('Z')) {
            if after.is_some_and(u8::is_ascii_alphanumeric) {
                return;
            }
            self.zoned = true;
            self.offset =
                ZONES.iter().find(|(name, _)| *name == &inner[..letters]).map(|zone| zone.1);
            self.at += blanks + letters;
            return;
        }
        let Some(sign) = inner.chars().next().filter(|c| "+-".contains(*c)) else { return };
        let colon = usize::from(inner.as_bytes().get(3) == Some(&b':'));
        let hours = inner.get(1..3).and_then(|h| h.parse::<u8>().ok());
        let minutes = inner.get(3 + colon..5 + colon).and_then(|m| m.parse::<u8>().ok());
        if let (Some(hours @ 0..=14), Some(minutes @ 0..=59)) = (hours, minutes) {
            let offset = i32::from(hours) * 60 + i32::from(minutes);
            self.offset = Some(if sign == '-' { -offset } else { offset });
            self.zoned = true;
            self.at += blanks + 5 + colon;
        }
    }
}

/// Returns true if a name is `short`, or a longer form of it (`sept` for `sep`, `January` for `jan`).
fn begins(name: &str, short: &str) -> bool {
    name.starts_with(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 03:25:01 UTC
    const MOMENT: i64 = 1_795_317_901;

    #[test]
    fn every_usual_notation_means_the_same_moment() {
        for text in [
            "2026-11-22T03:25:01Z",
            "2026-11-22 03:25:01.123456 UTC",
            "2026-11-22T04:25:01+01:00",
            "Sun, 22 Nov 2026 03:25:01 +0000",
            "Sun Nov 22 03:25:01 UTC 2026",
            "Sun Nov 22 03:25:01 2026",
            "So 22. Nov 03:25:01 UTC 2026",
            "Nov 22 2026 03:25:01",
            "20261122T032501Z",
            "20261122032501",
            "1795317901",
            "2026/11/22 03:25:01",
            "2026-11-22-03-25-01",
        ] {
            let (length, moment) = at(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((moment.seconds, length), (MOMENT, text.len()), "{text}");
        }
        assert_eq!(calendar::utc(MOMENT), "2026-11-22 03:25:01");
        assert_eq!(calendar::utc(951_782_400), "2000-02-29 00:00:00");
    }

    #[test]
    fn a_day_a_time_and_a_foreign_name_are_told() {
        assert_eq!(at("2026-11-22, x").unwrap().1.precision, Precision::Day);
        assert_eq!(at("03:25:01").unwrap().1.precision, Precision::TimeOnly);
        assert!(at("So 22. Nov 03:25:01 CET 2026").unwrap().1.foreign);
        assert!(!at("Sun Nov 22 03:25:01 CET 2026").unwrap().1.foreign);
    }

    #[test]
    fn what_only_looks_like_a_date_is_none() {
        for text in ["2026-13-22", "123456789012345", "20269922", "May be", "march on", "é", ""] {
            assert!(at(text).is_none(), "{text}: {:?}", at(text));
        }
    }
}
