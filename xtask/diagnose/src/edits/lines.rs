//! Two texts, line by line and then word by word.

use super::changes::{Changes, Edit, Edited, Reordered, cut};
use super::words::{self, Word, WordKind};
use crate::text::{shortened, tail};
use std::collections::HashMap;

/// Lines of an excerpt, for each side.
const SHOWN: usize = 3;
/// Bytes of a line that are kept on each side of an edit: a password's hash, or a long path behind a checksum.
const AROUND: usize = 300;
/// Cells of an alignment's table; beyond, a line is one edit.
const CELLS: usize = 250_000;

/// The edits between two texts that are no contents, such as names or the targets of links.
pub(crate) fn compare(a: &str, b: &str) -> Changes {
    let mut changes = Changes::new();
    compare_whole(&mut changes, a, b);
    changes.finish();
    changes
}

/// Adds the edits that turn the lines of `a` into those of `b`, to the last one.
pub(super) fn compare_whole(changes: &mut Changes, a: &str, b: &str) {
    let a: Vec<&str> = a.split('\n').collect();
    let b: Vec<&str> = b.split('\n').collect();
    let (a, b) = trimmed(&a, &b);
    changes.excerpt = excerpt(a, b);
    // A's line, and the line of B that stands for it
    let (partner, added) = partners(a, b);
    let turned: Vec<&str> = partner.iter().filter_map(|j| j.map(|j| b[j])).collect();
    let mut kept: Vec<bool> = vec![true; b.len()];
    added.iter().for_each(|j| kept[*j] = false);
    let wanted: Vec<&str> =
        b.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(y, _)| *y).collect();
    changes.reordered = reordered(&turned, &wanted);
    for (i, x) in a.iter().enumerate() {
        match partner[i] {
            Some(j) if *x != b[j] => within_line(changes, x, b[j], true),
            Some(_) => {}
            None => changes.add(line(x, "")),
        }
    }
    for j in added {
        changes.add(line("", b[j]));
    }
}

fn line(a: &str, b: &str) -> Edit {
    Edit {
        what: Edited::Line,
        a: a.to_owned(),
        b: b.to_owned(),
        before: String::new(),
        after: String::new(),
        in_text: true,
    }
}

/// For each line of A the line of B that stands for it, if any, and the lines that only B has. No line
/// of B stands for two.
fn partners(a: &[&str], b: &[&str]) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut partner: Vec<Option<usize>> = vec![None; a.len()];
    let mut free: Vec<bool> = vec![true; b.len()];
    // equal lines first, in their order
    let mut equal: HashMap<&str, Vec<usize>> = HashMap::new();
    for (j, y) in b.iter().enumerate().rev() {
        equal.entry(y).or_default().push(j);
    }
    for (i, x) in a.iter().enumerate() {
        partner[i] = equal.get_mut(x).and_then(Vec::pop);
        if let Some(j) = partner[i] {
            free[j] = false;
        }
    }
    let left_a: Vec<usize> = (0..a.len()).filter(|i| partner[*i].is_none()).collect();
    let left_b: Vec<usize> = (0..b.len()).filter(|j| free[*j]).collect();
    let lines = |which: &[usize], list: &[&str]| -> Vec<String> {
        which.iter().map(|i| list[*i].to_owned()).collect()
    };
    let (x, y) = (lines(&left_a, a), lines(&left_b, b));
    for (p, q) in pairs(&x, &y) {
        partner[left_a[p]] = Some(left_b[q]);
        free[left_b[q]] = false;
    }
    (partner, (0..b.len()).filter(|j| free[*j]).collect())
}

/// Without the equal lines at both ends.
fn trimmed<'x, T: PartialEq>(a: &'x [T], b: &'x [T]) -> (&'x [T], &'x [T]) {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[head..], &b[head..]);
    let foot = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (&a[..a.len() - foot], &b[..b.len() - foot])
}

fn excerpt(a: &[&str], b: &[&str]) -> Vec<String> {
    let side = |sign: &'static str, lines: &[&str]| {
        lines
            .iter()
            .take(SHOWN)
            .map(|line| format!("{sign} {}", shortened(line, 160)))
            .collect::<Vec<_>>()
    };
    let mut lines = side("-", a);
    lines.extend(side("+", b));
    lines
}

/// The first two elements that changed places, if any did.
fn reordered<T: AsRef<str> + PartialEq>(a: &[T], b: &[T]) -> Option<Reordered> {
    let (x, y) = a.iter().zip(b).find(|(x, y)| x != y)?;
    Some(Reordered { a: cut(x.as_ref()), b: cut(y.as_ref()), by_locale: sorted_by_locale(a, b) })
}

/// Returns true if one list is in the order of its bytes and the other in a language's, which leaves case and
/// punctuation out.
pub(crate) fn sorted_by_locale<T: AsRef<str>>(a: &[T], b: &[T]) -> bool {
    let by_bytes = |list: &[T]| list.windows(2).all(|w| w[0].as_ref() <= w[1].as_ref());
    let folded = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let by_language =
        |list: &[T]| list.windows(2).all(|w| folded(w[0].as_ref()) <= folded(w[1].as_ref()));
    (by_bytes(a) && by_language(b)) || (by_bytes(b) && by_language(a))
}

/// Pairs of lines that are the same but for dates, ids and numbers; else alike and in order.
fn pairs(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    if a.len() == 1 && b.len() == 1 {
        return vec![(0, 0)];
    }
    let mut by_shape: HashMap<String, Vec<usize>> = HashMap::new();
    for (j, line) in b.iter().enumerate().rev() {
        by_shape.entry(shape(line)).or_default().push(j);
    }
    let mut partner: Vec<Option<usize>> =
        a.iter().map(|line| by_shape.get_mut(&shape(line)).and_then(Vec::pop)).collect();
    let mut taken = vec![false; b.len()];
    for j in partner.iter().flatten() {
        taken[*j] = true;
    }
    let mut from = 0;
    for (i, line) in a.iter().enumerate() {
        match partner[i] {
            Some(j) => from = j + 1,
            None => {
                let near = (from..b.len()).filter(|j| !taken[*j]).take(8);
                if let Some(j) = near.into_iter().find(|j| alike(line, &b[*j])) {
                    partner[i] = Some(j);
                    taken[j] = true;
                    from = j + 1;
                }
            }
        }
    }
    partner.into_iter().enumerate().filter_map(|(i, j)| Some((i, j?))).collect()
}

/// The line with its dates, ids and numbers blotted out.
fn shape(line: &str) -> String {
    let blot = |word: Word<'_>| match word.kind {
        WordKind::Date(_) => "\u{1}".to_owned(),
        WordKind::Uuid => "\u{2}".to_owned(),
        WordKind::Hex | WordKind::Blob | WordKind::Number => "\u{3}".to_owned(),
        _ => word.text.to_owned(),
    };
    words::of(line).into_iter().map(blot).collect()
}

/// Returns true if two lines have enough in common to be one line that was edited.
fn alike(a: &str, b: &str) -> bool {
    let names = |line| -> Vec<String> {
        let words = words::of(line);
        let telling =
            words.into_iter().filter(|w| !matches!(w.kind, WordKind::Blank | WordKind::Mark));
        telling.map(|w| w.text.to_owned()).collect()
    };
    let (x, y) = (names(a), names(b));
    if x.len() == 1 && y.len() == 1 {
        return true; // a line of one word: the word was replaced
    }
    let same = x.iter().filter(|word| y.contains(word)).count();
    same * 2 >= x.len().max(y.len()).saturating_sub(1)
}

/// Adds what differs within a line.
pub(super) fn within_line(changes: &mut Changes, a: &str, b: &str, in_text: bool) {
    if in_text && let Some(order) = items_reordered(a, b) {
        changes.reordered.get_or_insert(order);
        return;
    }
    let (x, y) = (words::of(a), words::of(b));
    let head = x.iter().zip(&y).take_while(|(p, q)| p.text == q.text).count();
    let (mid_x, mid_y) = trimmed(&x, &y);
    let spans = if mid_x.len() * mid_y.len() > CELLS {
        vec![(0..mid_x.len(), 0..mid_y.len())]
    } else {
        aligned(mid_x, mid_y)
    };
    for (i, j) in spans {
        let shift = |r: std::ops::Range<usize>| r.start + head..r.end + head;
        changes.add(Edit { in_text, ..edit(&x, &y, shift(i), shift(j)) });
    }
}

/// The same items of a list in another order: the keys of a hash, words that were not sorted. Each item
/// is whole, `'b' => 1`: nothing moves from one to another, and the blanks between them stay where they are.
fn items_reordered(a: &str, b: &str) -> Option<Reordered> {
    let head = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    // the arguments of a call mean something by their place
    let mut open = Vec::new();
    for sign in a[..floor(a, head)].chars() {
        match sign {
            '(' | '[' | '{' => open.push(sign),
            ')' | ']' | '}' => drop(open.pop()),
            _ => {}
        }
    }
    if open.last() == Some(&'(') {
        return None;
    }
    let most = a.len().min(b.len()) - head;
    let foot = a.bytes().rev().zip(b.bytes().rev()).take_while(|(x, y)| x == y).take(most).count();
    let starts = a[..floor(a, head)]
        .match_indices(['{', '[', '(', '=', ':'])
        .map(|(i, sign)| i + sign.len());
    let starts: Vec<usize> = std::iter::once(0).chain(starts).take(8).collect();
    let tail = &a[ceiling(a, a.len() - foot)..];
    let ends = tail.match_indices(['}', ']', ')', ';']).map(|(i, _)| tail.len() - i);
    let ends: Vec<usize> = std::iter::once(0).chain(ends).take(8).collect();
    for (start, end) in starts.iter().flat_map(|start| ends.iter().map(move |end| (*start, *end))) {
        let list = |text: &'_ str, separator: char| -> Option<Vec<String>> {
            let list = text.get(start..text.len() - end)?;
            Some(list.split(separator).map(|item| item.trim().to_owned()).collect())
        };
        for (separator, least) in [(',', 2), (';', 2), (' ', 3)] {
            let (Some(x), Some(y)) = (list(a, separator), list(b, separator)) else { continue };
            // among words only an order that one side has for a reason is one
            let sorted = |items: &[String]| items.is_sorted();
            if x.len() < least || (separator == ' ' && !sorted(&x) && !sorted(&y)) {
                continue;
            }
            let mut both = [x.clone(), y.clone()];
            both.iter_mut().for_each(|items| items.sort());
            let blanks = |text: &str| -> Option<Vec<(usize, usize)>> {
                let list = text.get(start..text.len() - end)?;
                let around = |item: &str| {
                    (item.len() - item.trim_start().len(), item.len() - item.trim_end().len())
                };
                Some(list.split(separator).map(around).collect())
            };
            if both[0] == both[1] && blanks(a) == blanks(b) {
                return reordered(&x, &y);
            }
        }
    }
    None
}

/// The last character boundary up to `i`, and the first from `i` on.
fn floor(text: &str, i: usize) -> usize {
    (0..=i).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}
fn ceiling(text: &str, i: usize) -> usize {
    (i..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}

type Span = std::ops::Range<usize>;

/// The stretches of `x` and `y` that stand for each other and differ.
fn aligned(x: &[Word<'_>], y: &[Word<'_>]) -> Vec<(Span, Span)> {
    let width = y.len() + 1;
    let mut score = vec![0_u32; (x.len() + 1) * width];
    let worth = |i: usize, j: usize| -> Option<u32> {
        let (p, q): (&Word<'_>, &Word<'_>) = (&x[i], &y[j]);
        if p.text == q.text {
            Some(if matches!(p.kind, WordKind::Blank | WordKind::Mark) { 3 } else { 6 })
        } else if p.kind.like(q.kind) && !matches!(p.kind, WordKind::Mark) {
            Some(2)
        } else {
            None
        }
    };
    for i in (0..x.len()).rev() {
        for j in (0..y.len()).rev() {
            let skip = score[(i + 1) * width + j].max(score[i * width + j + 1]);
            let both = worth(i, j).map_or(0, |w| w + score[(i + 1) * width + j + 1]);
            score[i * width + j] = skip.max(both);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found: Vec<(Span, Span)> = Vec::new();
    // words without a partner, gathered until one with a partner comes
    let (mut loose_x, mut loose_y) = (0..0, 0..0);
    let flush = |found: &mut Vec<(Span, Span)>, x: &mut Span, y: &mut Span, i, j| {
        if x.start < x.end || y.start < y.end {
            found.push((x.clone(), y.clone()));
        }
        *x = i..i;
        *y = j..j;
    };
    while i < x.len() && j < y.len() {
        let here = score[i * width + j];
        match worth(i, j) {
            Some(w) if here == w + score[(i + 1) * width + j + 1] => {
                flush(&mut found, &mut loose_x, &mut loose_y, i, j);
                if x[i].text != y[j].text {
                    found.push((i..i + 1, j..j + 1));
                }
                i += 1;
                j += 1;
                (loose_x, loose_y) = (i..i, j..j);
            }
            _ if here == score[(i + 1) * width + j] => {
                i += 1;
                loose_x.end = i;
            }
            _ => {
                j += 1;
                loose_y.end = j;
            }
        }
    }
    loose_x.end = x.len();
    loose_y.end = y.len();
    flush(&mut found, &mut loose_x, &mut loose_y, x.len(), y.len());
    found
}

fn edit(x: &[Word<'_>], y: &[Word<'_>], i: Span, j: Span) -> Edit {
    let text = |words: &[Word<'_>]| words.iter().map(|w| w.text).collect::<String>();
    let what = match (&x[i.clone()], &y[j.clone()]) {
        ([p], [q]) => Edited::of(p.kind, q.kind),
        _ => Edited::Text,
    };
    Edit {
        what,
        a: text(&x[i.clone()]),
        b: text(&y[j]),
        before: tail(&text(&x[..i.start]), AROUND),
        after: shortened(&text(&x[i.end..]), AROUND),
        in_text: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(a: &str, b: &str) -> Vec<String> {
        let changes = compare(a, b);
        changes.edits.iter().map(|e| format!("{} → {}", e.a, e.b)).collect()
    }

    #[test]
    fn each_word_that_was_replaced_is_told_apart() {
        assert_eq!(
            edits(
                "same\nbuilt on alpha at 2026-11-22 by carol\n",
                "same\nbuilt on beta at 2026-11-23 by dave\n"
            ),
            ["alpha → beta", "2026-11-22 → 2026-11-23", "carol → dave"]
        );
        assert_eq!(edits("x = 1\n", "x = 1\ny = 2\n"), [" → y = 2"]);
    }

    #[test]
    fn moved_lines_are_an_order_and_no_edits() {
        let changes = compare("a\nb\nc\nd\n", "c\na\nd\nb\n");
        assert!(changes.edits.is_empty());
        assert!(changes.reordered.is_some_and(|r| !r.by_locale));
        let changes = compare("B\nC\na\n", "a\nB\nC\n");
        assert!(changes.reordered.is_some_and(|r| r.by_locale));
    }

    #[test]
    fn moved_words_are_an_order() {
        let changes = compare("{'b': 1, 'a': 2}", "{'a': 2, 'b': 1}");
        assert!(changes.edits.is_empty() && changes.reordered.is_some());
    }

    #[test]
    fn items_keep_what_belongs_to_them() {
        let changes = compare("allow a, deny b", "allow b, deny a");
        assert!(changes.reordered.is_none() && !changes.edits.is_empty());
        let changes = compare("allow a deny b", "allow b deny a");
        assert!(changes.reordered.is_none() && !changes.edits.is_empty());
    }

    #[test]
    fn an_order_does_not_hide_an_edit() {
        let changes = compare("k = 1\nb\nhost = alpha\n", "b\nk = 1\nhost = beta\n");
        assert!(changes.reordered.is_some());
        assert_eq!((changes.edits[0].a.as_str(), changes.edits[0].b.as_str()), ("alpha", "beta"));
    }
}
