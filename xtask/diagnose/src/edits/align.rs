//! Aligns two sequences of tokens (E. W. Myers, "An O(ND) Difference Algorithm and Its Variations").

use std::ops::Range;

/// Tokens that may be inserted and removed; beyond, the rest is one stretch.
const MOST: usize = 600;

/// The stretches of `a` and `b` that differ, in order; what lies between them is equal, token by token.
pub(super) fn stretches<T: PartialEq>(a: &[T], b: &[T]) -> Vec<(Range<usize>, Range<usize>)> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let most = a.len().min(b.len()) - head;
    let foot = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let (x, y) = (&a[head..a.len() - foot], &b[head..b.len() - foot]);
    if x.is_empty() && y.is_empty() {
        return Vec::new();
    }
    let Some(path) = path(x, y) else {
        return vec![(head..a.len() - foot, head..b.len() - foot)];
    };
    // equal pairs, in order, cut both sequences into stretches
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (p, q) in path.into_iter().chain([(x.len(), y.len())]) {
        if i < p || j < q {
            found.push((head + i..head + p, head + j..head + q));
        }
        (i, j) = (p + 1, q + 1);
    }
    found
}

/// Pairs of equal tokens on a shortest path; `None`: it is longer than [`MOST`].
fn path<T: PartialEq>(a: &[T], b: &[T]) -> Option<Vec<(usize, usize)>> {
    let (n, m) = (a.len() as isize, b.len() as isize);
    let most = (n + m).min(MOST as isize);
    let offset = most + 1;
    let mut furthest = vec![0_isize; 2 * offset as usize + 1];
    let mut trace = Vec::new();
    for d in 0..=most {
        trace.push(furthest[(offset - d) as usize..=(offset + d) as usize].to_vec());
        for k in (-d..=d).step_by(2) {
            let at = (offset + k) as usize;
            let down = k == -d || (k != d && furthest[at - 1] < furthest[at + 1]);
            let mut x = if down { furthest[at + 1] } else { furthest[at - 1] + 1 };
            let mut y = x - k;
            while x < n && y < m && a[x as usize] == b[y as usize] {
                (x, y) = (x + 1, y + 1);
            }
            furthest[at] = x;
            if x >= n && y >= m {
                return Some(back(&trace, d, n, m));
            }
        }
    }
    None
}

/// Walks the path back; `trace[d]` is what was furthest before step `d`.
fn back(trace: &[Vec<isize>], last: isize, n: isize, m: isize) -> Vec<(usize, usize)> {
    let (mut x, mut y) = (n, m);
    let mut pairs = Vec::new();
    for d in (0..=last).rev() {
        let before = &trace[d as usize];
        let value = |k: isize| before.get((k + d) as usize).copied().unwrap_or(0);
        let k = x - y;
        let down = k == -d || (k != d && value(k - 1) < value(k + 1));
        let from = if down { k + 1 } else { k - 1 };
        let (px, py) = if d == 0 { (0, 0) } else { (value(from), value(from) - from) };
        while x > px && y > py && x > 0 && y > 0 {
            (x, y) = (x - 1, y - 1);
            pairs.push((x as usize, y as usize));
        }
        (x, y) = (px, py);
    }
    pairs.reverse();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies the stretches to `a`.
    fn turned(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        for (i, j) in stretches(a, b) {
            out.extend(&a[at..i.start]);
            out.extend(&b[j]);
            at = i.end;
        }
        out.extend(&a[at..]);
        out
    }

    #[test]
    fn the_stretches_turn_one_sequence_into_the_other() {
        let mut state = 7_u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % n
        };
        for _ in 0..2_000 {
            let mut make = || -> Vec<u8> { (0..next(30)).map(|_| next(3) as u8).collect() };
            let (a, b) = (make(), make());
            assert_eq!(turned(&a, &b), b, "{a:?} {b:?}");
        }
        assert_eq!(stretches(b"abcdef", b"abXdef"), [(2..3, 2..3)]);
        assert_eq!(stretches(b"abc", b"abc"), []);
        assert_eq!(stretches(b"abc", b"axbc"), [(1..1, 1..2)]);
    }
}
