//! Facts about the two builds beside their images.

use super::fact::{Facts, Seen};
use crate::dates;
use crate::difference::FieldKind;
use std::ops::Range;

/// Two builds that are compared, and the files in them, are not further apart: two years.
const APART: i64 = 2 * 366 * 86_400;

/// Seconds.
const MONTH: i64 = 31 * 86_400;
const YEAR: i64 = 31_556_952;

/// Two builds; of images without records nearly nothing is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// SOURCE_DATE_EPOCH of A and B in seconds since 1970, where they differ.
    pub(crate) epochs: Option<[i64; 2]>,
    /// Times at which something was built, in seconds since 1970, as far as records or images say.
    pub(crate) around: Option<Range<i64>>,
    pub(crate) a: Build,
    pub(crate) b: Build,
}

/// The machine of one build.
#[derive(Clone, Debug, Default)]
pub(crate) struct Build {
    pub(crate) host: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) cpus: Option<u64>,
}

impl Context {
    /// Returns true if two times are the two SOURCE_DATE_EPOCHs.
    pub(crate) fn are_epochs(&self, a: i64, b: i64) -> bool {
        self.epochs == Some([a, b])
    }

    /// Returns true if two times can be those of these builds.
    pub(crate) fn are_near(&self, a: i64, b: i64) -> bool {
        let known = |time: i64| match &self.around {
            Some(around) => (around.start - APART..around.end + APART).contains(&time),
            None => dates::plausible(time),
        };
        (a - b).abs() < APART && known(a) && known(b)
    }

    /// Returns true if two days without a year can be those of these builds: within a month of each other, and
    /// of a build where its time is known.
    pub(crate) fn are_near_in_the_year(&self, a: i64, b: i64) -> bool {
        let apart = |x: i64, y: i64| {
            let apart = (x - y).rem_euclid(YEAR);
            apart.min(YEAR - apart)
        };
        let known = |time: i64| match &self.around {
            Some(around) => [around.start, around.end].iter().any(|x| apart(*x, time) <= MONTH),
            None => true,
        };
        apart(a, b) <= MONTH && known(a) && known(b)
    }

    /// Returns true if a property of the builds was `a` in the one and `b` in the other.
    pub(crate) fn both_were(
        &self,
        property: impl Fn(&Build) -> Option<String>,
        a: &str,
        b: &str,
    ) -> bool {
        property(&self.a).as_deref() == Some(a) && property(&self.b).as_deref() == Some(b)
    }

    /// The same, with the times that headers of the images tell.
    pub(super) fn with_times_of(&self, facts: &Facts) -> Context {
        let times = facts.list.iter().flat_map(|fact| match &fact.what {
            Seen::Field { kind: FieldKind::VolumeDate | FieldKind::MkfsTime, name, a, b }
                if !name.contains("expiration") =>
            {
                vec![dates::at(a), dates::at(b)]
            }
            _ => Vec::new(),
        });
        let times = times.flatten().map(|(_, moment)| moment.seconds);
        let times: Vec<i64> = times.chain(self.epochs.iter().flatten().copied()).collect();
        let around = times.iter().min().zip(times.iter().max()).map(|(a, b)| *a..*b + 1);
        Context { around: self.around.clone().or(around), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_a_year_is_near_a_build_or_it_is_not() {
        let day = |text: &str| dates::at(text).unwrap().1.seconds;
        let build = dates::at("2026-05-28").unwrap().1.seconds;
        let known = Context { around: Some(build..build + 1), ..Context::default() };
        let [may, june, december] =
            ["May 28 03:25:01", "Jun 02 04:11:17", "Dec 24 23:59:59"].map(day);
        for context in [&known, &Context::default()] {
            assert!(context.are_near_in_the_year(may, june));
            assert!(!context.are_near_in_the_year(may, december));
        }
        assert!(!known.are_near_in_the_year(december, december + 86_400));
    }
}
