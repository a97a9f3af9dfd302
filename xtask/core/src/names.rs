//! Suggestions for misspelt names.

use crate::escape::Shown as _;

/// The names in the order of their likeness to `name`.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_by_key(|other| distance(name, other));
    names
}

/// "did you mean …", if a name is close enough to be meant.
pub fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, names).first() {
        Some(best) if distance(name, best) <= 1 + name.len() / 3 => {
            format!("; did you mean `{}`?", best.shown())
        }
        _ => String::new(),
    }
}

/// Number of letters and digits that only one of the two names has, whatever their order.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
    };
    let (a, mut rest) = (letters(a), letters(b));
    let before = rest.len();
    for letter in &a {
        if let Some(at) = rest.iter().position(|other| other == letter) {
            rest.swap_remove(at);
        }
    }
    a.len() + 2 * rest.len() - before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_name_comes_first() {
        let names = ["steps", "timeout-minutes", "runs-on"];
        assert_eq!(nearest("timeout_minute", names.into_iter())[0], "timeout-minutes");
        assert_eq!(did_you_mean("step", names.into_iter()), "; did you mean `steps`?");
        assert_eq!(did_you_mean("frobnicate", names.into_iter()), "");
    }
}
