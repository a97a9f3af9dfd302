//! Two texts, line by line and then word by word.

use super::words::{self, Kind, Word};
use super::{Changes, Edit, Edited, Reading, Reordered, cut};
use crate::text::{shortened, tail};
use std::collections::HashMap;

/// Lines of an excerpt, for each side.
const SHOWN: usize = 3;
/// Cells of an alignment's table; beyond, a line is one edit.
const CELLS: usize = 250_000;

pub(crate) fn compare(a: &str, b: &str) -> Changes {
    let mut changes = Changes::new(Reading::Text);
    let a: Vec<&str> = a.split('\n').collect();
    let b: Vec<&str> = b.split('\n').collect();
    into(&mut changes, &a, &b);
    changes
}

/// Adds what differs between two lists of lines (or of strings in a binary).
pub(super) fn into(changes: &mut Changes, a: &[&str], b: &[&str]) {
    let (a, b) = trimmed(a, b);
    changes.excerpt = excerpt(a, b);
    let (left_a, left_b, common) = without_common(a, b);
    if let Some((x, y)) = &common {
        changes.reordered = reordered(x, y);
    }
    for (x, y) in pairs(&left_a, &left_b) {
        match (x, y) {
            (Some(x), Some(y)) => within_line(changes, x, y),
            (x, y) => {
                let (a, b) = (x.unwrap_or_default(), y.unwrap_or_default());
                changes.add(Edit {
                    what: Edited::Line,
                    a: cut(a),
                    b: cut(b),
                    before: String::new(),
                    after: String::new(),
                });
            }
        }
    }
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

/// The lines that only one side has, and those that both have, in either's order, if that differs.
#[allow(clippy::type_complexity, reason = "three lists of lines")]
fn without_common<'x>(
    a: &[&'x str],
    b: &[&'x str],
) -> (Vec<&'x str>, Vec<&'x str>, Option<(Vec<&'x str>, Vec<&'x str>)>) {
    let split = |lines: &[&'x str], others: &[&'x str]| {
        let mut stock: HashMap<&str, usize> = HashMap::new();
        for line in others {
            *stock.entry(line).or_default() += 1;
        }
        lines.iter().copied().partition::<Vec<&str>, _>(|line| match stock.get_mut(line) {
            Some(n) if *n > 0 => {
                *n -= 1;
                true
            }
            _ => false,
        })
    };
    let (common_a, left_a) = split(a, b);
    let (common_b, left_b) = split(b, a);
    let moved = common_a != common_b;
    (left_a, left_b, moved.then_some((common_a, common_b)))
}

fn reordered(a: &[&str], b: &[&str]) -> Option<Reordered> {
    let (x, y) = a.iter().zip(b).find(|(x, y)| x != y)?;
    Some(Reordered { a: cut(x), b: cut(y), by_locale: sorted_by_locale(a, b) })
}

/// Whether one list is in the order of its bytes and the other in a language's, which leaves case and
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

/// Which line stands for which: the same but for dates, ids and numbers; else alike and in order.
fn pairs<'x>(a: &[&'x str], b: &[&'x str]) -> Vec<(Option<&'x str>, Option<&'x str>)> {
    let mut by_shape: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, line) in b.iter().enumerate().rev() {
        by_shape.entry(shape(line)).or_default().push(i);
    }
    let mut partner: Vec<Option<usize>> =
        a.iter().map(|line| by_shape.get_mut(&shape(line)).and_then(Vec::pop)).collect();
    let mut taken = vec![false; b.len()];
    for i in partner.iter().flatten() {
        taken[*i] = true;
    }
    let mut from = 0;
    for (i, line) in a.iter().enumerate() {
        match partner[i] {
            Some(j) => from = j + 1,
            None => {
                let near = (from..b.len()).filter(|j| !taken[*j]).take(8);
                if let Some(j) = near.into_iter().find(|j| alike(line, b[*j])) {
                    partner[i] = Some(j);
                    taken[j] = true;
                    from = j + 1;
                }
            }
        }
    }
    let mut found: Vec<_> =
        a.iter().zip(&partner).map(|(x, j)| (Some(*x), j.map(|j| b[j]))).collect();
    found.extend(b.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(y, _)| (None, Some(*y))));
    found
}

/// The line with its dates, ids and numbers blotted out.
fn shape(line: &str) -> String {
    let blot = |word: Word<'_>| match word.kind {
        Kind::Date(_) => "\u{1}".to_owned(),
        Kind::Uuid => "\u{2}".to_owned(),
        Kind::Hex | Kind::Blob | Kind::Number => "\u{3}".to_owned(),
        _ => word.text.to_owned(),
    };
    words::of(line).into_iter().map(blot).collect()
}

/// Whether two lines have enough in common to be one line that was edited.
fn alike(a: &str, b: &str) -> bool {
    let names = |line| -> Vec<String> {
        let words = words::of(line);
        let telling = words.into_iter().filter(|w| !matches!(w.kind, Kind::Blank | Kind::Mark));
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
fn within_line(changes: &mut Changes, a: &str, b: &str) {
    let (x, y) = (words::of(a), words::of(b));
    if let Some(order) = words_reordered(&x, &y) {
        changes.reordered.get_or_insert(order);
        return;
    }
    let head = x.iter().zip(&y).take_while(|(p, q)| p.text == q.text).count();
    let (mid_x, mid_y) = trimmed(&x, &y);
    if mid_x.len() * mid_y.len() > CELLS {
        let edit = edit(&x, &y, head..head + mid_x.len(), head..head + mid_y.len());
        changes.add(edit);
        return;
    }
    for (i, j) in aligned(mid_x, mid_y) {
        let shift = |r: std::ops::Range<usize>| r.start + head..r.end + head;
        changes.add(edit(&x, &y, shift(i), shift(j)));
    }
}

/// The same words in another order: the keys of a hash, a list that was not sorted.
fn words_reordered(x: &[Word<'_>], y: &[Word<'_>]) -> Option<Reordered> {
    let telling = |words: &[Word<'_>]| -> Vec<String> {
        let words = words.iter().filter(|w| !matches!(w.kind, Kind::Blank | Kind::Mark));
        words.map(|w| w.text.to_owned()).collect()
    };
    let (x, y) = (telling(x), telling(y));
    let sorted = |words: &[String]| {
        let mut words = words.to_vec();
        words.sort();
        words
    };
    if x.len() < 2 || x == y || sorted(&x) != sorted(&y) {
        return None;
    }
    let (a, b) = x.iter().zip(&y).find(|(p, q)| p != q)?;
    Some(Reordered { a: cut(a), b: cut(b), by_locale: sorted_by_locale(&x, &y) })
}

type Span = std::ops::Range<usize>;

/// The stretches of `x` and `y` that stand for each other and differ.
fn aligned(x: &[Word<'_>], y: &[Word<'_>]) -> Vec<(Span, Span)> {
    let width = y.len() + 1;
    let mut score = vec![0_u32; (x.len() + 1) * width];
    let worth = |i: usize, j: usize| -> Option<u32> {
        let (p, q): (&Word<'_>, &Word<'_>) = (&x[i], &y[j]);
        if p.text == q.text {
            Some(if matches!(p.kind, Kind::Blank | Kind::Mark) { 3 } else { 6 })
        } else if p.kind.like(q.kind) && !matches!(p.kind, Kind::Mark) {
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
        a: cut(&text(&x[i.clone()])),
        b: cut(&text(&y[j])),
        before: tail(&text(&x[..i.start]), 60),
        after: shortened(&text(&x[i.end..]), 60),
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
    fn an_order_does_not_hide_an_edit() {
        let changes = compare("k = 1\nb\nhost = alpha\n", "b\nk = 1\nhost = beta\n");
        assert!(changes.reordered.is_some());
        assert_eq!((changes.edits[0].a.as_str(), changes.edits[0].b.as_str()), ("alpha", "beta"));
    }
}
