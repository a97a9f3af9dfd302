//! The pinned image, compared with the one that was built here.

use super::kept::KeptImage;
use super::provenance::Provenance;
use super::{Inputs, labels};

/// The pinned image, compared with one that was built here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rebuilt {
    /// Nothing of today's inputs was built here.
    No,
    /// Nothing is pinned that it could be compared with.
    Unpinned,
    Equal,
    /// The pin or the image here is of other inputs or packages.
    Incomparable,
    Differs,
}

impl Rebuilt {
    pub(crate) fn of(
        kept: Option<&KeptImage>,
        pin: Option<&str>,
        record: &Provenance,
        today: &Inputs,
    ) -> Rebuilt {
        let (Some(kept), Some(pin)) = (kept, pin) else {
            return if kept.is_some() { Rebuilt::Unpinned } else { Rebuilt::No };
        };
        let labels = kept.labels().unwrap_or_default();
        let pinned = |value: Option<&str>| value == Some("yes");
        let same_packages = pinned(Some(&record.apt_pinned))
            && pinned(labels.get(labels::APT_PINNED).map(String::as_str))
            && labels.get(labels::BASE) == Some(&record.base);
        match (kept.digest.to_string() == pin, record.inputs == today.digest.to_string()) {
            (true, _) => Rebuilt::Equal,
            (false, true) if same_packages => Rebuilt::Differs,
            (false, _) => Rebuilt::Incomparable,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Rebuilt::No | Rebuilt::Unpinned => "no",
            Rebuilt::Equal => "equal",
            Rebuilt::Incomparable => "not comparable",
            Rebuilt::Differs => "differs",
        }
    }

    pub(crate) fn text(self, kept: Option<&KeptImage>) -> String {
        let here = kept.map(|kept| kept.digest.to_string()).unwrap_or_default();
        match self {
            Rebuilt::No => "not rebuilt here: cargo xtask image build".to_owned(),
            Rebuilt::Unpinned => format!("built here: {here}"),
            Rebuilt::Equal => "rebuilt here, and equal to the pin".to_owned(),
            Rebuilt::Incomparable => format!(
                "built here: {here}; it cannot be compared, because inputs, base or packages are not those of the pin"
            ),
            Rebuilt::Differs => {
                format!(
                    "rebuilt here, and NOT equal to the pin, from the same inputs and snapshot: {here}"
                )
            }
        }
    }
}
