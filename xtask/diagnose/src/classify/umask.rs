//! A builder's umask, which takes the same bits away from all that it makes.

use super::fact::{Facts, Seen};
use super::rule::At;
use crate::difference::MetadataField;

/// Bits that one usual umask takes away and another one does not.
const TAKEN: [u32; 7] = [0o020, 0o005, 0o025, 0o055, 0o050, 0o070, 0o075];

/// Files that a umask must show in before it explains any.
const SEVERAL: usize = 2;

/// Paths whose mode the program that writes them sets: no umask has a say.
const SET: [&str; 12] = [
    "etc/shadow*",
    "etc/gshadow*",
    "etc/passwd*",
    "etc/group*",
    "etc/sudoers*",
    "etc/sudoers.d/**",
    "etc/security/**",
    "etc/ssh/**",
    "etc/ssl/private/**",
    "etc/cron*",
    "**/.ssh/**",
    "var/spool/cron/**",
];

/// The bits that one side's umask took away from every mode that differs; `None` if no umask fits all.
pub(super) struct Umask {
    taken: Option<u32>,
}

impl Umask {
    pub(super) fn of(facts: &Facts) -> Umask {
        Umask::from_modes(facts.list.iter().filter_map(|fact| match &fact.what {
            Seen::Metadata { field: MetadataField::Mode, a, b } => Some((mode(a)?, mode(b)?)),
            _ => None,
        }))
    }

    fn from_modes(modes: impl Iterator<Item = (u32, u32)>) -> Umask {
        let modes: Vec<(u32, u32)> = modes.collect();
        let all = |side: usize, taken: u32| {
            modes.iter().all(|(a, b)| {
                let (more, less) = if side == 0 { (*a, *b) } else { (*b, *a) };
                is_usual(more) && less == more & !taken
            })
        };
        // a program that makes secrets takes the same bits away, but not from folders and programs
        let runs = modes.iter().any(|(a, _)| a & 0o111 != 0);
        let rests = modes.iter().any(|(a, _)| a & 0o111 == 0);
        let fits = |taken: &u32| {
            modes.len() >= SEVERAL && runs && rests && (all(0, *taken) || all(1, *taken))
        };
        Umask { taken: TAKEN.into_iter().find(fits) }
    }

    /// Returns true if all modes that differ bear a umask out, and this is a file whose mode may come of one.
    pub(super) fn is_borne_out(&self, at: &At<'_>) -> bool {
        self.taken.is_some() && !is_set(at)
    }
}

/// Returns true if the program that writes a file sets its mode and owner.
pub(super) fn is_set(at: &At<'_>) -> bool {
    at.path_is(&SET)
}

/// Returns true for a mode that a program gives to what it makes, under a usual umask: nobody else may write
/// there, and nothing runs as another user.
fn is_usual(mode: u32) -> bool {
    mode & 0o7000 == 0 && mode & 0o002 == 0 && mode & 0o600 == 0o600
}

fn mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umask_takes_the_same_bits_from_several() {
        let fits = |modes: &[(u32, u32)]| Umask::from_modes(modes.iter().copied()).taken.is_some();
        for modes in [
            &[(0o644, 0o600), (0o755, 0o700)][..],
            &[(0o644, 0o664), (0o755, 0o775)],
            &[(0o640, 0o644), (0o750, 0o755)],
        ] {
            assert!(fits(modes), "{modes:?}");
        }
        for modes in [
            // files alone, which a program may have made so
            &[(0o644, 0o600), (0o644, 0o600)][..],
            // one file alone
            &[(0o640, 0o644)],
            // another bit, the other side, a bit that stayed
            &[(0o644, 0o600), (0o644, 0o755)],
            &[(0o644, 0o600), (0o700, 0o755)],
            &[(0o644, 0o600), (0o755, 0o750)],
            // others may write, or a program runs as another user
            &[(0o666, 0o644), (0o777, 0o755)],
            &[(0o755, 0o4755), (0o755, 0o4755)],
            &[(0o4755, 0o4700), (0o644, 0o600)],
            &[(0o1777, 0o1700), (0o777, 0o700)],
        ] {
            assert!(!fits(modes), "{modes:?}");
        }
    }
}
