//! Edits between two contents: which words, numbers, dates or lines stand for which.
//!
//! Both contents are read whole. The edits, applied to A, give B's bytes to the end; where they do
//! not (too large, too many), [`Changes::rest`] says so, and nobody may call the content explained.

mod align;
pub(crate) mod binary;
mod changes;
mod dated;
pub(crate) mod declared;
mod keys;
pub(crate) mod lines;
mod shape;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub(crate) use changes::{Changes, Edit, Edited, Reordered};
pub(crate) use declared::Placed;
pub(crate) use keys::{are_other_ids, are_other_keys};

/// Two whole contents, which are not equal.
pub(crate) fn between(a: &[u8], b: &[u8], places: [Placed; 2]) -> Changes {
    let mut changes = Changes::new();
    let masked = declared::substituted(a, b, places, &mut changes);
    compared(changes, a, masked.as_deref().unwrap_or(a), b)
}

/// Two stretches from the middle of contents, in which no format's first bytes stand.
pub(crate) fn within(a: &[u8], b: &[u8]) -> Changes {
    compared(Changes::new(), a, a, b)
}

/// The edits from `a_now`, A with its declared fields replaced, to B.
fn compared(mut changes: Changes, a: &[u8], a_now: &[u8], b: &[u8]) -> Changes {
    match (text(a_now), text(b)) {
        _ if a_now == b => {}
        (Some(x), Some(y)) => {
            changes.script = shape::is_script(x) || shape::is_script(y);
            changes.sections = shape::has_sections(x) || shape::has_sections(y);
            changes.secret = are_other_keys(x, y);
            lines::compare_whole(&mut changes, x, y);
            changes.sections |= shape::are_other_blocks(x, y)
                || (changes.reordered.is_some() && shape::are_other_paragraphs(x, y))
                || shape::has_statements(x)
                || shape::has_statements(y)
                || (changes.moves_base64()
                    && (shape::has_bare_base64(x) || shape::has_bare_base64(y)));
        }
        _ => {
            changes.script = [a_now, b].iter().any(|bytes| is_script(bytes));
            binary::compare(&mut changes, a_now, b);
        }
    }
    changes.sizes = [a.len() as u64, b.len() as u64];
    if matches!(changes.edits[..], [Edit { what: Edited::Bytes, .. }]) {
        changes.perhaps = binary::time(a, b);
    }
    if changes.excerpt.is_empty() {
        changes.excerpt = binary::excerpt(a, b);
    }
    changes.finish();
    changes
}

/// Returns true for a script that is no UTF-8, or that bytes follow which are no text.
fn is_script(bytes: &[u8]) -> bool {
    bytes.starts_with(b"#!")
        || (!bytes.contains(&0) && shape::is_script(&String::from_utf8_lossy(bytes)))
}

/// The content as text; `None` if it is something else.
fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.contains(&0) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}
