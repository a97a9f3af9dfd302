//! A builder's umask, which takes the same bits away from all that it makes.

use super::fact::{Facts, Seen};
use super::rules::others_write;
use crate::difference::MetadataField;

/// Numbers of entries whose mode has more bits in A, and in B.
pub(super) struct Umask {
    more: [usize; 2],
}

impl Umask {
    pub(super) fn of(facts: &Facts) -> Umask {
        let mut more = [0, 0];
        for fact in &facts.list {
            if let Seen::Metadata { field: MetadataField::Mode, a, b } = &fact.what
                && let Some(side) = side_with_more(a, b)
            {
                more[side] += 1;
            }
        }
        Umask { more }
    }

    /// Returns true if several entries lack bits on the side on which this one does. One entry alone
    /// shows a umask only if it lets the same others write on both sides.
    pub(super) fn is_borne_out(&self, a: &str, b: &str) -> bool {
        others_write(a) == others_write(b)
            || side_with_more(a, b)
                .is_some_and(|side| self.more[side] > 1 && self.more[1 - side] == 0)
    }
}

/// The side whose mode has all bits of the other one, and more.
fn side_with_more(a: &str, b: &str) -> Option<usize> {
    let mode = |text: &str| u32::from_str_radix(text, 8).ok();
    let (a, b) = (mode(a)?, mode(b)?);
    match (a & !b, b & !a) {
        (0, 0) => None,
        (_, 0) => Some(0),
        (0, _) => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umask_takes_from_several_on_one_side() {
        let umask = |more| Umask { more };
        assert!(umask([1, 0]).is_borne_out("0644", "0600"));
        assert!(umask([2, 0]).is_borne_out("0666", "0644"));
        assert!(!umask([1, 0]).is_borne_out("0666", "0644"));
        assert!(!umask([2, 1]).is_borne_out("0666", "0644"));
        assert!(!umask([0, 2]).is_borne_out("0666", "0644"));
    }
}
