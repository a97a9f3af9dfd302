//! Differences of two entries of folders: metadata, fields of headers, order.

use super::spot::Spot;
use crate::difference::{Difference, DifferenceKind, MetadataField, OneSidedEntry};
use diskimage::{Kind, Metadata, Named, hex, printable};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Names of an order that are told.
const ORDER: usize = 64;

/// Extended attributes of an entry on one side that are named.
const SHOWN: usize = 8;

/// Metadata of an entry that only one side has.
pub(super) fn one_sided(metadata: &Metadata) -> OneSidedEntry {
    OneSidedEntry {
        kind: metadata.kind.name(),
        mode: metadata.mode.unwrap_or(0),
        uid: metadata.uid.unwrap_or(0),
        gid: metadata.gid.unwrap_or(0),
        mtime: metadata.mtime.unwrap_or(0),
        size: metadata.size,
        xattrs: xattrs(metadata),
        more: more(metadata),
    }
}

/// Names of the extended attributes, and a hash of all.
fn xattrs(metadata: &Metadata) -> String {
    if metadata.xattrs.is_empty() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for part in metadata.xattrs.iter().flat_map(|(name, value)| [name, value]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let names = metadata.xattrs.iter().take(SHOWN).map(|(name, _)| printable(name));
    format!("{} ({})", names.collect::<Vec<_>>().join(", "), hex(&hash.finalize()[..8]))
}

/// The other facts that a format knows, but for times, and for names, which are those of the entry or of its owner.
fn more(metadata: &Metadata) -> String {
    let is_told = |name: &str| {
        ["time", "date", "name", "name prefix", "generation"].iter().any(|end| name.ends_with(end))
    };
    let others = metadata.more.iter().filter(|(name, _)| !is_told(name));
    others.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// Header fields that differ, or that one lacks.
pub(super) fn fields(
    spot: &Spot,
    a: &[diskimage::Field],
    b: &[diskimage::Field],
) -> Vec<Difference> {
    let mut names = Vec::new();
    for field in a.iter().chain(b) {
        if !names.contains(&(field.kind, field.name)) {
            names.push((field.kind, field.name));
        }
    }
    // several layers in one, as the archives of an initramfs, may have the same field
    let value = |fields: &[diskimage::Field], name| {
        let fields = fields.iter().filter(|field| (field.kind, field.name) == name);
        let values: Vec<&str> = fields.map(|field| field.value.as_str()).collect();
        if values.is_empty() { "-".to_owned() } else { values.join(", ") }
    };
    names
        .into_iter()
        .map(|name| (name, value(a, name), value(b, name)))
        .filter(|(_, a, b)| a != b)
        .map(|((kind, name), a, b)| spot.difference(DifferenceKind::Field { kind, name, a, b }))
        .collect()
}

/// Metadata that differs; what only one of the formats holds is no difference.
pub(super) fn metadata(spot: &Spot, a: &Metadata, b: &Metadata) -> Vec<Difference> {
    use MetadataField as F;
    let mut differences = Vec::new();
    let mut add = |field: F, a: String, b: String| {
        if a != b {
            let what = DifferenceKind::Metadata { field, a, b };
            differences.push(spot.difference(what));
        }
    };
    add(F::Kind, a.kind.name().into(), b.kind.name().into());
    let mut number = |field: F, a: Option<String>, b: Option<String>| {
        if a != b {
            let none = || "-".to_string();
            add(field, a.unwrap_or_else(none), b.unwrap_or_else(none));
        }
    };
    let octal = |mode: Option<u32>| mode.map(|mode| format!("{mode:04o}"));
    let text = |n: Option<u32>| n.map(|n| n.to_string());
    number(F::Mode, octal(a.mode), octal(b.mode));
    number(F::Uid, text(a.uid), text(b.uid));
    number(F::Gid, text(a.gid), text(b.gid));
    number(F::Mtime, a.mtime.map(|t| t.to_string()), b.mtime.map(|t| t.to_string()));
    let device = |d: Option<(u32, u32)>| d.map(|(major, minor)| format!("{major},{minor}"));
    number(F::Device, device(a.device), device(b.device));
    if a.kind != Kind::Folder {
        // those of a folder: folder_links.rs
        number(F::LinkCount, text(a.links), text(b.links));
    }
    let target = |t: &Option<Vec<u8>>| t.as_deref().map(printable);
    number(F::LinkTarget, target(&a.target), target(&b.target));
    for (name, a, b) in both(&a.xattrs, &b.xattrs) {
        number(F::Xattr(printable(name)), joined(a, |v| hex(v)), joined(b, |v| hex(v)));
    }
    for (name, a, b) in both(&a.more, &b.more) {
        number(F::More(name), joined(a, Clone::clone), joined(b, Clone::clone));
    }
    differences
}

/// Values by their name, of A and of B. An image may give one name several values, and the first of them counts.
fn both<'t, N: Ord, V>(
    a: &'t [(N, V)],
    b: &'t [(N, V)],
) -> impl Iterator<Item = (&'t N, Vec<&'t V>, Vec<&'t V>)> {
    let mut names: BTreeMap<&N, [Vec<&V>; 2]> = BTreeMap::new();
    for (side, list) in [a, b].into_iter().enumerate() {
        for (name, value) in list {
            names.entry(name).or_default()[side].push(value);
        }
    }
    names.into_iter().map(|(name, [a, b])| (name, a, b))
}

/// All values of one name as a text; `None` if there is none.
fn joined<V>(values: Vec<&V>, text: impl Fn(&V) -> String) -> Option<String> {
    let texts: Vec<String> = values.into_iter().map(text).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// A difference if the entries that both have come in another order, with the names from where it begins.
pub(super) fn order(spot: &Spot, lists: &[Vec<Named>; 2]) -> Vec<Difference> {
    let [a, b] = lists.each_ref().map(|list| list.iter().map(|(name, _)| name));
    if a.clone().eq(b.clone()) {
        return Vec::new();
    }
    let names: [HashSet<&Vec<u8>>; 2] = [a.clone().collect(), b.clone().collect()];
    let a: Vec<_> = a.filter(|name| names[1].contains(name)).collect();
    let b: Vec<_> = b.filter(|name| names[0].contains(name)).collect();
    let Some(first) = a.iter().zip(&b).position(|(a, b)| a != b) else { return Vec::new() };
    let chosen = other_choice(spot, &a, &b);
    let told = |list: &[&Vec<u8>]| {
        list[first..].iter().take(ORDER).map(|name| printable(name)).collect::<Vec<_>>()
    };
    let what = DifferenceKind::Order { a: told(&a), b: told(&b) };
    std::iter::once(spot.difference(what)).chain(chosen).collect()
}

/// A difference if two names are one to whoever does not mind their case, or the version behind a name, and the
/// order says which of them is found.
fn other_choice(spot: &Spot, a: &[&Vec<u8>], b: &[&Vec<u8>]) -> Option<Difference> {
    if !["FAT", "ISO 9660", "Joliet"].iter().any(|layer| spot.layer.starts_with(layer)) {
        return None;
    }
    let folded = |name: &[u8]| {
        let name = String::from_utf8_lossy(name).to_lowercase();
        name.rsplit_once(';')
            .map_or(name.as_str(), |(name, _)| name)
            .trim_end_matches('.')
            .to_owned()
    };
    let first = |list: &[&Vec<u8>]| {
        let mut found = HashMap::new();
        for name in list {
            found.entry(folded(name)).or_insert_with(|| printable(name));
        }
        found
    };
    let (a, b) = (first(a), first(b));
    let mut others: Vec<_> =
        a.iter().filter(|(folded, name)| b.get(*folded) != Some(name)).collect();
    others.sort();
    let (folded, name) = others.first()?;
    let (a, b) = ((*name).clone(), b.get(*folded).cloned().unwrap_or_default());
    let field = MetadataField::More("first of several names that differ in case");
    Some(spot.difference(DifferenceKind::Metadata { field, a, b }))
}
