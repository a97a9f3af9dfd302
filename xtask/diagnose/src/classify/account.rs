//! The one account of all differences: each ends as a cause, a proved consequence, unexplained or not
//! read, exactly once.

/// How a difference ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Cause,
    Consequence,
    Unexplained,
    NotRead,
}

/// How many differences ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) explained: usize,
    pub(crate) follow: usize,
    pub(crate) unexplained: usize,
    pub(crate) not_read: usize,
}

/// One entry for each difference, by its index.
pub(super) struct Account {
    entries: Vec<Option<Settled>>,
}

impl Account {
    pub(super) fn new(differences: usize) -> Account {
        Account { entries: vec![None; differences] }
    }

    /// Settles a difference. What was once unexplained or not read stays so.
    pub(super) fn settle(&mut self, index: usize, how: Settled) {
        let entry = &mut self.entries[index];
        debug_assert!(entry.is_none(), "difference {index} is settled twice: {entry:?}, {how:?}");
        if !matches!(entry, Some(Settled::Unexplained | Settled::NotRead)) {
            *entry = Some(how);
        }
    }

    /// Settles a difference anew, once all others are known.
    pub(super) fn reconsider(&mut self, index: usize, how: Settled) {
        self.entries[index] = Some(how);
    }

    pub(super) fn settled(&self, index: usize) -> Option<Settled> {
        self.entries[index]
    }

    /// Differences that nobody settled, which is a defect of this program.
    pub(super) fn open(&self) -> Vec<usize> {
        let open: Vec<usize> =
            (0..self.entries.len()).filter(|index| self.entries[*index].is_none()).collect();
        debug_assert!(open.is_empty(), "differences that nobody accounts for: {open:?}");
        open
    }

    pub(super) fn counts(&self) -> Counts {
        let count = |how| self.entries.iter().filter(|entry| **entry == Some(how)).count();
        Counts {
            explained: count(Settled::Cause),
            follow: count(Settled::Consequence),
            unexplained: count(Settled::Unexplained),
            not_read: count(Settled::NotRead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_counted_once() {
        let mut account = Account::new(4);
        let all = [Settled::Cause, Settled::Consequence, Settled::Unexplained, Settled::NotRead];
        for (index, how) in all.into_iter().enumerate() {
            account.settle(index, how);
        }
        assert!(account.open().is_empty());
        let counts = Counts { explained: 1, follow: 1, unexplained: 1, not_read: 1 };
        assert_eq!(account.counts(), counts);
    }

    #[test]
    #[should_panic(expected = "nobody accounts for")]
    #[cfg(debug_assertions)]
    fn a_difference_that_nobody_settles_is_a_defect() {
        Account::new(1).open();
    }
}
