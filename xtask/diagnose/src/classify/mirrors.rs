//! Package mirrors that the builds used, as apt's own lists name them.

use crate::difference::{Place, Side};
use crate::edits::Edit;
use crate::images::Images;

const LISTS: &str = "var/lib/apt/lists";

/// Returns true if apt fetched from A's address in A, and from B's in B.
pub(super) fn are_known(images: &Images, place: &Place, edit: &Edit) -> bool {
    let Some((_, layers)) = place.0.split_last() else { return false };
    let known = |side, address: &str| {
        let Some(name) = list_of(address) else { return false };
        images.names(side, layers, LISTS).iter().any(|list| list.starts_with(&name))
    };
    known(Side::A, &edit.a) && known(Side::B, &edit.b)
}

/// The start of the names of an address' lists: `//host/debian` is `host_debian_`.
fn list_of(address: &str) -> Option<String> {
    let address = address.trim_matches('/');
    (!address.is_empty()).then(|| format!("{}_", address.replace('/', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_begin_with_the_whole_address() {
        assert_eq!(list_of("//deb.debian.org/debian/").as_deref(), Some("deb.debian.org_debian_"));
        assert_eq!(list_of("//"), None);
    }
}
