//! The words that a command's variables may turn into.

use super::frame::Frame;
use super::state::{GrubState, unknown};
use super::syntax::{ScriptWord, WordPiece};
use std::collections::{BTreeMap, BTreeSet};

/// Ways to expand one command's variables.
const WAYS: usize = 64;

/// All ways in which the variables of a command may turn into words.
pub(super) fn expand(
    words: &[ScriptWord],
    state: &GrubState,
    frame: &Frame,
) -> BTreeSet<Vec<String>> {
    let mut variables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for piece in words.iter().flatten() {
        if let WordPiece::Variable { name, .. } = piece {
            variables.entry(name).or_insert_with(|| values(name, state, frame));
        }
    }
    // too many ways: the variables with the most values count as unknown
    let ways = |variables: &BTreeMap<&str, Vec<String>>| {
        variables.values().fold(1_usize, |ways, values| ways.saturating_mul(values.len()))
    };
    while ways(&variables) > WAYS {
        if let Some(most) = variables.values_mut().max_by_key(|values| values.len()) {
            *most = unknown().into_iter().collect();
        }
    }
    let mut ways: Vec<BTreeMap<&str, &str>> = vec![BTreeMap::new()];
    for (name, values) in &variables {
        ways = values
            .iter()
            .flat_map(|value| {
                ways.iter().map(|way| {
                    let mut way = way.clone();
                    way.insert(name, value);
                    way
                })
            })
            .collect();
    }
    ways.iter().map(|way| expanded(words, way)).collect()
}

/// Possible values of a variable: a parameter of the function or entry, or a variable of the state.
fn values(name: &str, state: &GrubState, frame: &Frame) -> Vec<String> {
    match name.parse::<usize>() {
        Ok(0) => vec![String::new()],
        Ok(n) => vec![frame.arguments.get(n - 1).cloned().unwrap_or_default()],
        Err(_) if name == "@" || name == "*" => vec![frame.arguments.join(" ")],
        Err(_) if name == "#" => vec![frame.arguments.len().to_string()],
        Err(_) => state.get(name).into_iter().collect(),
    }
}

/// The words with the variables as one way has them.
fn expanded(words: &[ScriptWord], way: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut all = Vec::new();
    for word in words {
        let mut text: Option<String> = None;
        for piece in word {
            match piece {
                WordPiece::Text(more) => text.get_or_insert_default().push_str(more),
                WordPiece::Variable { name, quoted: true } => {
                    text.get_or_insert_default().push_str(way.get(&name[..]).unwrap_or(&""));
                }
                WordPiece::Variable { name, quoted: false } => {
                    let value = way.get(&name[..]).copied().unwrap_or_default();
                    for (index, part) in value.split_ascii_whitespace().enumerate() {
                        if index > 0 {
                            all.extend(text.take());
                        }
                        text.get_or_insert_default().push_str(part);
                    }
                }
            }
        }
        all.extend(text);
    }
    all
}
